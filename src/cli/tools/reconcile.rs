//! `plan` and `reconcile`: the differences between a keys file and the SADB, printed or removed.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::failure::Failure;
use super::parse_file::parse_file;
use crate::cli::added_sas::AddedSas;
use crate::cli::exit::Exit;
use crate::cli::ownership::Ownership;
use crate::cli::session::Session;
use crate::keyfile;
use crate::names::times;
use crate::policy::PolicySa;
use crate::reconcile::{self, ActualSa, FingerprintKey, Goal, GoalError, Plan, PlanOptions, PlanScope, Summary};
use crate::redact::shown;
use crate::sys::time::unix_now;

#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Reconcile {
    file: PathBuf,
    keep_others: bool,
    /// Remove the SAs of other programs, too.
    all: bool,
    inbound: bool,
    allow_empty: bool,
    /// The time whose keys are meant, in seconds since 1970; now if `None`.
    at: Option<u64>,
    /// `plan`: print the differences and change nothing.
    plan: bool,
}

pub(super) fn plan_command() -> Command {
    let about = "Show what `reconcile` would change";
    let at = Arg::new("at")
        .long("at")
        .value_name("TIME")
        .value_parser(parse_time)
        .help("The keys of FILE that are wanted at that time, such as 2027-01-31T02:00:00Z or seconds since 1970");
    with_arguments(Command::new("plan").about(about)).arg(at).after_help(
        "Example: ipseckey plan ipseckeys\n\n\
         Keys are shown as fingerprints, which differ from run to run. Exit status: 0 no differences, 3 differences, 1 failure.",
    )
}

pub(super) fn reconcile_command() -> Command {
    let about = "Change the SADB to match FILE with the fewest changes";
    with_arguments(Command::new("reconcile").about(about)).after_help(
        "Example: ipseckey reconcile ipseckeys\n\n\
         SAs that match FILE are not touched. If the SADB refuses a step, the earlier steps are rolled back.",
    )
}

fn with_arguments(command: Command) -> Command {
    command
        .arg(Arg::new("file").value_name("FILE").required(true).value_parser(value_parser!(PathBuf)).help("A keys file"))
        .arg(Arg::new("keep-others").long("keep-others").action(ArgAction::SetTrue).help("Keep SAs that FILE does not add"))
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["keep-others", "inbound"])
                .help("Remove also SAs that neither ipseckey nor manual-key has added, such as those of an IKE daemon"),
        )
        .arg(
            Arg::new("inbound")
                .long("inbound")
                .action(ArgAction::SetTrue)
                .help("Add and change only the inbound SAs of FILE, and remove none"),
        )
        .arg(
            Arg::new("allow-empty")
                .long("allow-empty")
                .action(ArgAction::SetTrue)
                .help("Accept a FILE without an add command: all SAs are removed"),
        )
}

fn parse_time(text: &str) -> Result<u64, String> {
    times::parse(text.as_bytes()).ok_or_else(|| format!("expected {}", times::EXPECTED))
}

impl Reconcile {
    pub(super) fn from(matches: &mut ArgMatches, plan: bool) -> Self {
        let inbound = matches.get_flag("inbound");
        let keep_others = inbound || matches.get_flag("keep-others");
        Self {
            file: matches.remove_one("file").unwrap_or_default(),
            keep_others,
            all: matches.get_flag("all"),
            inbound,
            allow_empty: matches.get_flag("allow-empty"),
            at: if plan { matches.remove_one("at") } else { None },
            plan,
        }
    }

    pub(super) fn word(&self) -> &'static str {
        if self.plan { "plan" } else { "reconcile" }
    }

    pub(super) fn run(&self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let Some(goal) = self.goal(session)? else { return Ok(Exit::Failed) };
        // A plan changes nothing and must not wait for another load.
        if !self.plan && !session.acquire_load_lock() {
            return Ok(Exit::Failed);
        }
        // A new one each time: a fingerprint in a log must not help to recognize a key later.
        let fingerprint_key = FingerprintKey::random().map_err(|error| Failure::new(format!("no random bytes: {error}")))?;
        let ownership = Ownership::read(session.target());
        let owns = |sa: &ActualSa| ownership.includes(sa);
        let scope = match (self.keep_others, self.all) {
            (true, _) => PlanScope::Named,
            (false, true) => PlanScope::All,
            (false, false) => PlanScope::RemoveOwned(&owns),
        };
        let options = PlanOptions { scope, fingerprint_key, saved_counters: &|_, _| None };
        let mut sadb = session.open().map_err(Failure::of)?;
        let plan = reconcile::plan(&goal, &mut *sadb, &options).map_err(Failure::of)?;
        // What follows borrows the connection again; two borrows at a time would panic.
        drop(sadb);
        let foreign = plan.foreign;
        let exit = if self.plan { print_plan(&plan, session) } else { execute(plan, &goal, fingerprint_key, session)? };
        if foreign > 0 && !self.keep_others {
            session.output.print_message(&kept(foreign));
        }
        Ok(exit)
    }

    /// The desired state; `None` if the file has errors, which have been printed.
    fn goal(&self, session: &Session<'_>) -> Result<Option<Goal>, Failure> {
        let name = shown(&self.file);
        let failure = |error: GoalError| Failure::new(format!("{name}: {error}"));
        let (mut goal, mut progress) = (Goal::default(), Ok(ControlFlow::Continue(())));
        let is_valid = parse_file(&self.file, session, &mut |line, command| {
            // The parser continues after an error, to report all of them; the goal does not.
            if matches!(progress, Ok(ControlFlow::Continue(()))) {
                progress = add_command(&mut goal, line, command);
            }
        });
        if !is_valid.map_err(Failure::of)? {
            return Ok(None);
        }
        let goal = progress.and_then(|_| goal.finish()).map_err(failure)?;
        // Probably cut short: all SAs would be removed.
        if goal.len() == 0 && !self.keep_others && !self.allow_empty {
            let expected = "expected at least one add; if it is meant to be empty, use --allow-empty";
            return Err(Failure::new(format!("{name} adds no SA: {expected}")));
        }
        if self.inbound && goal.shared_sas() > 0 {
            let count = goal.shared_sas();
            let sas = if count == 1 { "1 SA is".to_owned() } else { format!("{count} SAs are") };
            session.output.print_message(&format!(
                "warning: {sas} for both directions, and not added or changed: this host would send through them at once; to change \
                 keys that several hosts share, see docs/ospfv3.md"
            ));
        }
        let (goal, next_change) = goal.at(self.at.unwrap_or_else(unix_now));
        if let Some(time) = next_change {
            session.output.print_message(&next_key_change(time));
        }
        let mut goal = if self.inbound { goal.inbound() } else { goal };
        set_reqids(&mut goal, session);
        Ok(Some(goal))
    }
}

/// `time`: when the keys of a chain change next, in seconds since 1970.
pub(in crate::cli) fn next_key_change(time: u64) -> String {
    let at = times::text(time);
    format!("the keys change next at {at}: nothing does it then but manual-key run, or this command by a timer")
}

/// `count`: SAs of other programs that a plan leaves.
fn kept(count: usize) -> String {
    let (sas, have) = if count == 1 { ("SA", "is") } else { ("SAs", "are") };
    format!(
        "{count} foreign {sas}, added by neither ipseckey nor manual-key, {have} kept; --all removes foreign SAs as well"
    )
}

/// SAs without a reqid get that of the service if its policies are for their packets, as they get it from the service.
pub(super) fn set_reqids(goal: &mut Goal, session: &Session<'_>) {
    let policies = session.service_policies();
    if !policies.is_empty() {
        goal.set_reqids(&|request| PolicySa::of_request(request).map_or(0, |sa| policies.reqid_of(&sa)));
    }
}

/// Adds a command of the file to `goal`; `Break` at `quit`.
pub(super) fn add_command(goal: &mut Goal, line: u32, command: keyfile::Command) -> Result<ControlFlow<()>, GoalError> {
    match command {
        keyfile::Command::Sa(command) => goal.take(line, command)?,
        keyfile::Command::Flush(sa_type) => goal.flush(sa_type),
        keyfile::Command::Quit => return Ok(ControlFlow::Break(())),
        _ => {
            return Err(GoalError {
                line,
                message: "only add, delete, get and flush are allowed in a file used for reconcile".to_owned(),
            });
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn print_plan(plan: &Plan, session: &Session<'_>) -> Exit {
    let mut out = io::stdout().lock();
    let written = if session.json() { reconcile::write_json(&mut out, plan) } else { reconcile::write_text(&mut out, plan) };
    let _ = session.output.note_write_error(written.and_then(|()| out.flush()));
    if plan.steps.is_empty() { Exit::Done } else { Exit::Pending }
}

/// Executes the plan, compares the SADB with the goal, and prints a summary.
fn execute(plan: Plan, goal: &Goal, fingerprint_key: FingerprintKey, session: &Session<'_>) -> Result<Exit, Failure> {
    let (summary, is_idle) = (Summary::of(&plan), plan.steps.is_empty());
    // Before they are added: an interruption must not leave SAs that no record has.
    let mut added = AddedSas::of(session.target());
    let recorded = added.read();
    goal.ids().filter(|id| !recorded.contains(id)).for_each(|id| added.note(&id));
    added.write();
    let mut sadb = session.open().map_err(Failure::of)?;
    let done = reconcile::execute(plan, &mut *sadb, &mut |_| {});
    // A plan without steps, or one that failed, has nothing to compare.
    let mismatches =
        if is_idle || done.is_err() { Ok(Vec::new()) } else { reconcile::verify(goal, &mut *sadb, fingerprint_key) };
    for note in sadb.take_warnings() {
        session.output.print_message(&note);
    }
    done.map_err(Failure::of)?;
    let mismatches = mismatches.map_err(Failure::of)?;
    for step in &mismatches {
        session
            .output
            .print_message(&format!("the SADB differs from the keys file after the changes: {}", reconcile::Mismatch(step)));
    }
    if session.json() {
        let _ = session.output.note_write_error(reconcile::write_summary(&mut io::stdout(), summary));
    } else {
        session.output.print_message(&format!("{summary}"));
    }
    Ok(if mismatches.is_empty() { Exit::Done } else { Exit::Failed })
}
