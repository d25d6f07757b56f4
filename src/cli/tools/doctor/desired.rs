//! Checks that the keys file exists, is private and correct, and collects its SAs.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use super::finding::{Findings, counted};
use crate::apply::aim_at;
use crate::chain::Chains;
use crate::cli::command_loop::{CommandLoop, Handler, InputError, Lints, Outcome};
use crate::cli::input_blocks::InputBlocks;
use crate::cli::report::Excerpt;
use crate::cli::session::Session;
use crate::cli::tools::reconcile::{add_command, set_reqids};
use crate::keyfile::{Code, Command, Diagnostic, ParsedCommand, SaCommand, Verb};
use crate::names::Vocabulary;
use crate::policy::PolicySa;
use crate::reconcile::Goal;
use crate::redact::{shell_word, shown};
use crate::sa::{AuthAlg, EncrAlg, SaId, SaType};
use crate::sys::net::interfaces::is_local;
use crate::sys::time::unix_now;

/// The SAs that the file adds.
#[derive(Default)]
pub(super) struct DesiredSas {
    pub(super) ids: HashSet<SaId>,
    /// Hard lifetimes in seconds since the addition.
    pub(super) lifetimes: HashMap<SaId, u64>,
    /// The names of the algorithms that they use.
    pub(super) algorithms: BTreeSet<&'static str>,
    pub(super) chains: Chains,
    /// The SAs with windows, and the numbers of their commands.
    pub(super) limited: Vec<(usize, SaId)>,
    /// Commands so far.
    pub(super) additions: usize,
    pub(super) policy_sas: Vec<PolicySa>,
    /// To compare it with the SADB field by field; `None` if the file has errors, or commands that only change SAs.
    pub(super) goal: Option<Goal>,
}

impl DesiredSas {
    /// Each protocol, and whether it is over IPv6.
    pub(super) fn protocols(&self) -> BTreeSet<(SaType, bool)> {
        self.ids.iter().map(|id| (id.sa_type, id.dst.is_ipv6())).collect()
    }

    /// Removes the SAs that are not wanted now, by the key chains of the file.
    fn keep_wanted(&mut self) {
        let unwanted = self.chains.unwanted(unix_now());
        for (_, id) in self.limited.iter().filter(|(position, _)| unwanted.contains(position)) {
            self.ids.remove(id);
            self.lifetimes.remove(id);
        }
    }

    fn add(&mut self, command: &SaCommand, vocabulary: Vocabulary) {
        let SaCommand { request, targets, .. } = command;
        let (sa_type, spi, mark) = (request.sa_type, request.spi, request.linux.mark);
        let id = |dst: std::net::IpAddr| SaId { sa_type, spi, dst: dst.to_canonical(), mark };
        let ids: Vec<SaId> = targets.iter().filter_map(|target| target.dst.map(id)).collect();
        let hard = request.hard.as_ref().map_or(0, |hard| hard.addtime);
        self.lifetimes.extend(ids.iter().filter(|_| hard != 0).map(|id| (*id, hard)));
        if request.windows.are_limited() {
            self.limited.extend(ids.iter().map(|id| (self.additions, *id)));
        }
        self.chains.push(request, &is_local);
        self.additions += 1;
        self.ids.extend(ids);
        let mut each = request.duplicate();
        self.policy_sas.extend(targets.iter().filter_map(|target| {
            aim_at(&mut each, *target);
            PolicySa::of_request(&each)
        }));
        let auth = vocabulary.auth_algs().filter(|row| request.auth_alg != AuthAlg::NONE && row.number == request.auth_alg);
        let encr = vocabulary.encr_algs().filter(|row| request.encr_alg != EncrAlg::NONE && row.number == request.encr_alg);
        self.algorithms.extend(auth.map(|row| row.names[0]).chain(encr.map(|row| row.names[0])));
    }
}

/// Reports on access, permissions, syntax and host names. Returns the SAs if the file can be read.
pub(super) fn read(path: &Path, session: &Session<'_>, report: &mut Findings) -> Option<DesiredSas> {
    match survey(path, session, report) {
        Ok(mut survey) => {
            report_contents(path, &session.target().command("ipseckey"), &survey, report);
            let mut desired = survey.desired;
            desired.goal = survey.goal.take().and_then(|goal| goal.finish().ok()).map(|mut goal| {
                set_reqids(&mut goal, session);
                goal.at(unix_now()).0
            });
            desired.keep_wanted();
            Some(desired)
        }
        Err(error) => {
            // A dangling symbolic link is not missing: `ipseckey generate -o` would refuse to replace it.
            let is_missing = std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            let fix = if is_missing {
                "create one with `ipseckey generate`, or specify another: `ipseckey doctor FILE`"
            } else {
                "if root can read it, run `sudo ipseckey doctor`"
            };
            report.problem("keys file", error.to_string(), fix);
            None
        }
    }
}

/// Parses the whole file with all lints enabled; the findings about its permissions are reported at once.
fn survey(path: &Path, session: &Session<'_>, report: &mut Findings) -> Result<Survey, InputError> {
    let mut blocks = InputBlocks::open(path)?;
    for finding in &blocks.take_findings() {
        report.problem("keys file", finding.problem(), finding.remedy());
    }
    let mut survey = Survey::new(session.vocabulary());
    CommandLoop::new(session, Lints::all(session)).run(&mut blocks, &mut survey)?;
    Ok(survey)
}

/// Counts the diagnostics of a file instead of printing them.
struct Survey {
    vocabulary: Vocabulary,
    errors: usize,
    warnings: usize,
    has_names: bool,
    desired: DesiredSas,
    /// `None` after an error.
    goal: Option<Goal>,
}

impl Survey {
    fn new(vocabulary: Vocabulary) -> Self {
        Self {
            vocabulary,
            errors: 0,
            warnings: 0,
            has_names: false,
            desired: DesiredSas::default(),
            goal: Some(Goal::default()),
        }
    }
}

impl Handler for Survey {
    fn command(&mut self, item: ParsedCommand, _: Excerpt<'_>) -> ControlFlow<()> {
        self.has_names |= item.diagnostics.iter().any(|diagnostic| diagnostic.code == Code::HostName);
        let errors = item.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
        self.errors += errors;
        self.warnings += item.diagnostics.len() - errors;
        let Ok(command) = item.outcome else {
            self.goal = None;
            return ControlFlow::Continue(());
        };
        if let Command::Sa(command) = &command
            && command.verb == Verb::Add
        {
            self.desired.add(command, self.vocabulary);
        }
        let taken = self.goal.as_mut().map(|goal| add_command(goal, item.location.line, command));
        if !matches!(taken, Some(Ok(_))) {
            self.goal = None;
        }
        ControlFlow::Continue(())
    }

    fn end_block(&mut self, _: &[Diagnostic], _: Excerpt<'_>) -> Outcome {
        Outcome::Done
    }
}

fn report_contents(path: &Path, ipseckey: &str, survey: &Survey, report: &mut Findings) {
    let name = shown(path);
    let fix = format!("run `{ipseckey} -c {}` to see the lines", shell_word(path));
    match (survey.errors, survey.warnings) {
        (0, _) if survey.desired.ids.is_empty() => report.problem(
            "keys file",
            format!("{name} adds no SA"),
            "restore the file, or create one with `ipseckey generate`",
        ),
        (0, 0) => report.ok("keys file", format!("{name} adds {}", counted(survey.desired.ids.len(), "SA"))),
        (0, warnings) => report.warn("keys file", format!("{name} has {}", counted(warnings, "warning")), fix),
        (errors, _) => report.problem("keys file", format!("{name} has {}", counted(errors, "error")), fix),
    };
    if survey.has_names {
        let fix = "use addresses, or start the service after the name service";
        report.warn("names", "the file has host names, which may not be resolvable at boot", fix);
    }
}
