//! `plan` and `reconcile`: what differs between a keys file and the SADB, told or done.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{Failure, checked};
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::keyfile;
use crate::reconcile::{self, FingerprintKey, Goal, GoalError, Plan, PlanOptions, PlanScope, Summary};
use crate::redact::shown;

/// The arguments.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Reconcile {
    file: PathBuf,
    keep_others: bool,
    inbound: bool,
    /// Told only.
    plan: bool,
}

pub(super) fn plan_command() -> Command {
    let about = "Tell what `reconcile` would do, and do nothing";
    with_arguments(Command::new("plan").about(about)).after_help(
        "Example: ipseckey plan ipseckeys\n\n\
         Keys are told as fingerprints, which differ from run to run. Exit status: 0 nothing to do, 3 something to do, 1 it failed.",
    )
}

pub(super) fn reconcile_command() -> Command {
    let about = "Make the SADB what the commands of FILE make of an empty one, by the smallest change";
    with_arguments(Command::new("reconcile").about(about)).after_help(
        "Example: ipseckey reconcile ipseckeys\n\n\
         What is as it should be is not touched. If the SADB refuses a step, what was done before is taken back.",
    )
}

fn with_arguments(command: Command) -> Command {
    command
        .arg(Arg::new("file").value_name("FILE").required(true).value_parser(value_parser!(PathBuf)).help("A keys file"))
        .arg(
            Arg::new("keep-others")
                .long("keep-others")
                .action(ArgAction::SetTrue)
                .help("Remove nothing: SAs that FILE does not name stay"),
        )
        .arg(
            Arg::new("inbound")
                .long("inbound")
                .action(ArgAction::SetTrue)
                .help("Only the SAs of FILE whose packets come in, and remove nothing"),
        )
}

impl Reconcile {
    pub(super) fn from(matches: &mut ArgMatches, plan: bool) -> Self {
        let inbound = matches.get_flag("inbound");
        let keep_others = inbound || matches.get_flag("keep-others");
        Self { file: matches.remove_one("file").unwrap_or_default(), keep_others, inbound, plan }
    }

    /// Its word.
    pub(super) fn word(&self) -> &'static str {
        if self.plan { "plan" } else { "reconcile" }
    }

    pub(super) fn run(&self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let Some(goal) = self.goal(session)? else { return Ok(Exit::Failed) };
        if !self.plan && !session.acquire_load_lock() {
            return Ok(Exit::Failed);
        }
        let salt = FingerprintKey::random().map_err(|error| Failure::new(format!("no random bytes: {error}")))?;
        let scope = if self.keep_others { PlanScope::Named } else { PlanScope::All };
        let options = PlanOptions { scope, fingerprint_key: salt, saved_counters: &|_, _| None };
        let sadb = session.open().map_err(Failure::of)?;
        let plan = reconcile::plan(&goal, sadb, &options).map_err(Failure::of)?;
        if self.plan {
            return Ok(tell(&plan, session));
        }
        carry_out(plan, &goal, salt, session)
    }

    /// What the file asks for; `None` if it has errors, which have been told then.
    fn goal(&self, session: &Session<'_>) -> Result<Option<Goal>, Failure> {
        let name = shown(&self.file);
        let fits = |unfit: GoalError| Failure::new(format!("{name}: {unfit}"));
        let (mut goal, mut so_far) = (Goal::default(), Ok(ControlFlow::Continue(())));
        let all_good = checked::each_of_file(&self.file, session, session.denies_weakness(), &mut |line, command| {
            if matches!(so_far, Ok(ControlFlow::Continue(()))) {
                so_far = take(&mut goal, line, command);
            }
        });
        if !all_good.map_err(Failure::of)? {
            return Ok(None);
        }
        let goal = so_far.and_then(|_| goal.finish()).map_err(fits)?;
        Ok(Some(if self.inbound { goal.inbound() } else { goal }))
    }
}

/// Takes the next command of the file into `goal`; breaks at `quit`.
fn take(goal: &mut Goal, line: u32, command: keyfile::Command) -> Result<ControlFlow<()>, GoalError> {
    match command {
        keyfile::Command::Sa(command) => goal.take(line, command)?,
        keyfile::Command::Flush(sa_type) => goal.flush(sa_type),
        keyfile::Command::Quit => return Ok(ControlFlow::Break(())),
        _ => return Err(GoalError { line, message: "only add, delete, get and flush make a state".to_owned() }),
    }
    Ok(ControlFlow::Continue(()))
}

/// Prints a plan; whether it is empty is the exit status.
fn tell(plan: &Plan, session: &Session<'_>) -> Exit {
    let mut out = io::stdout().lock();
    let written = if session.json() { reconcile::write_json(&mut out, plan) } else { reconcile::write_text(&mut out, plan) };
    let _ = session.output.took(written.and_then(|()| out.flush()));
    if plan.steps.is_empty() { Exit::Done } else { Exit::Pending }
}

/// Does it, reads it back, and says what it came to.
fn carry_out(plan: Plan, goal: &Goal, salt: FingerprintKey, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let (summary, is_idle) = (Summary::of(&plan), plan.steps.is_empty());
    let sadb = session.open().map_err(Failure::of)?;
    let done = reconcile::execute(plan, sadb, &mut |_| {});
    let wrong = if is_idle || done.is_err() { Ok(Vec::new()) } else { reconcile::verify(goal, sadb, salt) };
    for note in sadb.take_warnings() {
        session.output.say(&note);
    }
    done.map_err(Failure::of)?;
    let wrong = wrong.map_err(Failure::of)?;
    for step in &wrong {
        session.output.say(&format!("the SADB has taken it otherwise: {}", reconcile::Mismatch(step)));
    }
    if session.json() {
        let _ = session.output.took(reconcile::write_summary(&mut io::stdout(), summary));
    } else {
        session.output.say(&format!("{summary}"));
    }
    Ok(if wrong.is_empty() { Exit::Done } else { Exit::Failed })
}
