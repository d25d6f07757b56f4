//! Carries out commands one after the other and prints what the SADB replies.

use std::io::{self, IsTerminal as _};
use std::ops::ControlFlow;
use std::path::Path;

use super::added_sas::AddedSas;
use super::chains::{Wanted, WantedNow};
use super::command_loop::{Handler, Outcome};
use super::exit::Exit;
use super::help;
use super::ownership::Ownership;
use super::refusal::{of_foreign_sa, refusal, with_marks};
use super::repeat_limit::RepeatLimiter;
use super::report::{Counts, Excerpt};
use super::session::Session;
use super::show::parse_peer;
use super::unprotected::ProtectionCheck;
use crate::apply::{self, Outcome as Applied, Queue};
use crate::keyfile::{Code, Command, Diagnostic, Location, ParsedCommand, SaCommand, Setting, Severity, Verb};
use crate::names::Vocabulary;
use crate::policy::PolicySa;
use crate::policy::reqid::ServicePolicies;
use crate::sa::{Masked, Request, SaId, SaType};
use crate::sadb::{MonitorMode, Sadb, SadbError, SadbTarget};
use crate::sys::process::interrupt::{self, Interruptible};
use crate::sys::terminal;

pub(super) struct Executor<'s, 'a> {
    session: &'s mut Session<'a>,
    queue: Queue<Location>,
    /// During a load: which failures have been printed.
    repeats: Option<RepeatLimiter>,
    /// During a load: whether policies use the added SAs.
    protection: Option<ProtectionCheck>,
    /// Which additions get the reqid of the service; `None` before the first addition without a reqid.
    service_policies: Option<ServicePolicies>,
    /// During a load of a file with key chains: which additions are wanted.
    chains: Option<WantedNow>,
    /// The record for `reconcile`.
    added: AddedSas,
    /// Read when an SA exists already, after that number of own additions.
    ownership: Option<(usize, Ownership)>,
    counts: Counts,
    /// The outcome of the last command in this block.
    last: Outcome,
}

impl Handler for Executor<'_, '_> {
    fn command(&mut self, item: ParsedCommand, text: Excerpt<'_>) -> ControlFlow<()> {
        self.last = self.execute(item, text);
        if self.last == Outcome::Quit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn end_block(&mut self, rest: &[Diagnostic], text: Excerpt<'_>) -> Outcome {
        self.send_queued(text);
        self.added.write();
        let _ = self.session.accept(Some(()), rest, text);
        std::mem::replace(&mut self.last, Outcome::Done)
    }
}

impl<'s, 'a> Executor<'s, 'a> {
    pub(super) fn new(session: &'s mut Session<'a>) -> Self {
        let added = AddedSas::of(session.target());
        Self {
            session,
            added,
            ownership: None,
            queue: Queue::default(),
            repeats: None,
            protection: None,
            service_policies: None,
            chains: None,
            counts: Counts::default(),
            last: Outcome::Done,
        }
    }

    /// Begins the load of a file of `len` bytes, up to [`Self::end_load`]: progress is shown, and of many failures for one reason
    /// only the first are printed.
    pub(super) fn begin_load(&mut self, len: u64) {
        // JSON and SARIF are for programs, which get every failure.
        self.repeats = self.session.output.reports_text().then(RepeatLimiter::default);
        self.protection = Some(ProtectionCheck::new());
        // With -v each message is printed, which is progress enough.
        if !self.session.verbose() {
            self.session.output.progress().begin("commands", Some(len));
        }
    }

    /// For a load of a file with key chains.
    pub(super) fn set_chains(&mut self, chains: Option<WantedNow>) {
        self.chains = chains;
    }

    /// Prints how many failures were not printed, when the keys change next, and whether the SAs protect anything.
    pub(super) fn end_load(&mut self, file: &Path) {
        let output = &self.session.output;
        output.progress().end();
        let repeats = self.repeats.take();
        repeats.iter().flat_map(RepeatLimiter::summaries).for_each(|line| output.print_message(&line));
        self.chains.take().and_then(|chains| chains.announcement()).iter().for_each(|line| output.print_message(line));
        let Some(protection) = self.protection.take().filter(ProtectionCheck::has_policies) else { return };
        let warning = self.session.open().ok().and_then(|mut sadb| protection.warning(file, &mut *sadb));
        warning.iter().for_each(|line| output.print_message(line));
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn exit(&self) -> Exit {
        if self.counts.all_good() { Exit::Done } else { Exit::Failed }
    }

    /// Prints the diagnostics of a command, carries it out or queues it, and counts it.
    fn execute(&mut self, item: ParsedCommand, text: Excerpt<'_>) -> Outcome {
        // Messages come in the order of the lines: what is queued is before this command.
        if !item.diagnostics.is_empty() {
            self.send_queued(text);
        }
        let wanted = self.wanted(&item);
        if wanted == Wanted::Changed {
            self.report_changed_file(item.location, text);
        }
        let outcome = item.outcome.ok().filter(|_| wanted != Wanted::Changed);
        let command = match self.session.accept(outcome, &item.diagnostics, text) {
            Some(_) if wanted == Wanted::Later => {
                self.counts.add(true);
                return Outcome::Done;
            }
            Some(Command::Sa(mut command)) => {
                self.set_reqid(&mut command);
                match self.enqueue(command, item.location, text) {
                    Some(command) => Some(Command::Sa(command)),
                    None => return Outcome::Queued,
                }
            }
            command => command,
        };
        // Order matters: a delete or a flush must not overtake the additions before it.
        self.send_queued(text);
        let outcome = command.map_or(Outcome::Failed, |command| self.carry_out(command, item.location, text));
        self.counts.add(outcome != Outcome::Failed);
        outcome
    }

    /// Whether the command is an addition for another time, by the key chains of the file.
    fn wanted(&mut self, item: &ParsedCommand) -> Wanted {
        match (&mut self.chains, &item.outcome) {
            (Some(chains), Ok(Command::Sa(command))) if command.verb == Verb::Add => chains.next(command),
            // Written into the file after its key chains were looked for.
            (None, Ok(Command::Sa(command))) if command.request.windows.are_limited() => Wanted::Changed,
            _ => Wanted::Now,
        }
    }

    fn report_changed_file(&self, location: Location, text: Excerpt<'_>) {
        let message = "The file has changed while it was read: load it again";
        self.session
            .output
            .print_diagnostic(&Diagnostic::new(Severity::Error, Code::NotAllowedHere, location, message), text);
    }

    fn carry_out(&mut self, command: Command, location: Location, text: Excerpt<'_>) -> Outcome {
        if matches!(command, Command::Flush(_)) {
            self.protection.iter_mut().for_each(ProtectionCheck::other_command);
        }
        let done = match command {
            Command::Quit => return Outcome::Quit,
            Command::Sa(command) => return self.apply(command, location, text),
            Command::Help(topic) => return self.help(topic.as_deref()).into(),
            Command::Flush(sa_type) => self.flush(sa_type),
            Command::Dump(sa_type) => self.session.dump(sa_type),
            Command::Show(peer) => return self.show(peer.as_deref()).into(),
            Command::Save(sa_type, file) => return self.session.save(sa_type, file.as_deref()).into(),
            Command::Monitor => self.monitor(MonitorMode::All, text.setting),
            Command::PassiveMonitor => self.monitor(MonitorMode::Passive, text.setting),
        };
        match done {
            Ok(()) => Outcome::Done,
            Err(error) => {
                self.session.output.print_failure(&Diagnostic::refused(location, error.to_string(), None), &error, text);
                Outcome::Failed
            }
        }
    }

    fn flush(&mut self, sa_type: SaType) -> Result<(), SadbError> {
        self.session.open()?.flush(sa_type)?;
        if sa_type == SaType::UNSPEC {
            self.added.clear();
        }
        Ok(())
    }

    /// Gives an addition without a reqid that of the service, if the service's policies are for its packets.
    fn set_reqid(&mut self, command: &mut SaCommand) {
        if command.verb != Verb::Add || command.request.linux.reqid != 0 {
            return;
        }
        // One list: a load changes no policies.
        let session = &self.session;
        let policies = self.service_policies.get_or_insert_with(|| session.service_policies());
        let reqid = of_targets(command, |sa| policies.reqid_of(sa));
        if reqid != 0 {
            command.request.linux.reqid = reqid;
        }
    }

    /// Queues `command` if the SADB takes it together with others; returns it otherwise.
    fn enqueue(&mut self, command: SaCommand, location: Location, text: Excerpt<'_>) -> Option<SaCommand> {
        // Linux acknowledges each request, and the replies must fit into the receive buffer of the socket.
        if self.queue.is_full() {
            self.send_queued(text);
        }
        match self.session.open() {
            Ok(sadb) => self.queue.offer(location, command, &*sadb),
            // The caller reports the error with the command.
            Err(_) => Some(command),
        }
    }

    /// Sends the queued commands to the SADB, and counts them.
    fn send_queued(&mut self, text: Excerpt<'_>) {
        // Nothing to send: do not open an SADB only for a command such as `help`.
        if self.queue.is_empty() {
            return;
        }
        let Ok(mut sadb) = self.session.open() else { return };
        let (output, repeats, counts) = (&self.session.output, &mut self.repeats, &mut self.counts);
        let (protection, added) = (&mut self.protection, &mut self.added);
        protection.iter_mut().for_each(|protection| protection.prepare(&mut *sadb));
        let mut failures = Vec::new();
        // One refused request does not stop the others: each reply is matched by its sequence number.
        self.queue.flush(&mut *sadb, &mut |location, request, outcome| {
            let failure = match outcome {
                Applied::Failed(error) => Some(error),
                Applied::Done | Applied::Described(_) => None,
            };
            counts.add(failure.is_none());
            if failure.is_none() {
                note_addition(request, protection, added);
            }
            if let Some(error) = failure.filter(|error| should_print(repeats, error)) {
                failures.push((request.id(), refusal(Verb::Add, request, &error, location), error));
            }
        });
        // After the batch: the SADB is asked about SAs that exist already.
        for (id, diagnostic, error) in failures {
            let is_foreign = error.is_already_present()
                && is_foreign(id, &mut self.ownership, &mut self.added, self.session.target(), &mut *sadb);
            let diagnostic = if is_foreign { of_foreign_sa(diagnostic) } else { diagnostic };
            output.print_failure(&diagnostic, &error, text);
        }
    }

    fn apply(&mut self, command: SaCommand, location: Location, text: Excerpt<'_>) -> Outcome {
        let (output, repeats) = (&self.session.output, &mut self.repeats);
        // `apply` takes the command, which the message needs after a failure.
        let verb = command.verb;
        let mut sadb = match self.session.open() {
            Ok(sadb) => sadb,
            Err(error) => {
                if should_print(repeats, &error) {
                    output.print_failure(&Diagnostic::refused(location, error.to_string(), None), &error, text);
                }
                return Outcome::Failed;
            }
        };
        let (protection, added) = (&mut self.protection, &mut self.added);
        protection.iter_mut().for_each(|protection| protection.prepare(&mut *sadb));
        // During a load of many commands, a dump for each missing SA would take too long. Only Linux has marks.
        let looks_for_marks = repeats.is_none() && verb != Verb::Add && self.session.vocabulary() == Vocabulary::Linux;
        let (mut missing, mut existing) = (Vec::new(), Vec::new());
        let all_done = apply::apply(command, &mut *sadb, &mut |request, outcome| match outcome {
            Applied::Done if verb == Verb::Add => note_addition(request, protection, added),
            Applied::Done => protection.iter_mut().for_each(ProtectionCheck::other_command),
            Applied::Described(message) => output.print_sa(&message),
            Applied::Failed(error) if should_print(repeats, &error) => {
                let diagnostic = refusal(verb, request, &error, location);
                match request.id().filter(|id| looks_for_marks && error.is_missing() && id.mark.is_none()) {
                    Some(id) => missing.push((id, diagnostic, error)),
                    None if error.is_already_present() => existing.push((request.id(), diagnostic, error)),
                    None => output.print_failure(&diagnostic, &error, text),
                }
            }
            Applied::Failed(_) => {}
        });
        for (id, diagnostic, error) in existing {
            let is_foreign = error.is_already_present()
                && is_foreign(id, &mut self.ownership, &mut self.added, self.session.target(), &mut *sadb);
            let diagnostic = if is_foreign { of_foreign_sa(diagnostic) } else { diagnostic };
            output.print_failure(&diagnostic, &error, text);
        }
        for (id, diagnostic, error) in missing {
            output.print_failure(&with_marks(diagnostic, &marks_of(id, &mut *sadb)), &error, text);
        }
        sadb.take_warnings().iter().for_each(|note| output.print_message(note));
        all_done.into()
    }

    fn help(&self, topic: Option<&str>) -> bool {
        let output = &self.session.output;
        let width = terminal::width(&io::stdout()).unwrap_or(usize::MAX);
        match help::print(&mut io::stdout(), topic, self.session.vocabulary(), width) {
            Ok(true) => true,
            Ok(false) => {
                output.print_message("help: no such command (`help` lists them)");
                false
            }
            Err(error) => output.note_write_error(Err(error)).is_break(),
        }
    }

    fn show(&self, peer: Option<&str>) -> bool {
        let output = &self.session.output;
        let net = peer.map(parse_peer);
        if net == Some(None) {
            output.print_message("show: expected an address or a network, such as 192.0.2.2 or 10.0.0.0/8");
            return false;
        }
        self.session.show(net.flatten(), None).unwrap_or_else(|error| {
            output.print_message(&format!("show: {error}"));
            false
        })
    }

    fn monitor(&mut self, hearing: MonitorMode, setting: Setting) -> Result<(), SadbError> {
        // A monitor runs until it is interrupted; other programs must be able to load meanwhile.
        self.session.release_load_lock();
        let output = &self.session.output;
        let mut sadb = self.session.open()?;
        // At the prompt Ctrl-C ends the monitor, elsewhere the program.
        let _interruptible = (setting == Setting::Prompt && io::stdin().is_terminal()).then(Interruptible::new);
        output.print_monitor_heading(hearing);
        match sadb.monitor(hearing, &mut |message| output.print_event(message)) {
            Err(_) if interrupt::is_requested() => Ok(()),
            ended => ended,
        }
    }
}

fn note_addition(request: &Request, protection: &mut Option<ProtectionCheck>, added: &mut AddedSas) {
    protection.iter_mut().for_each(|protection| protection.added(request));
    request.id().iter().for_each(|id| added.note(id));
}

/// Whether an SA that exists is of another program; false if that is unknown.
fn is_foreign(
    id: Option<SaId>,
    ownership: &mut Option<(usize, Ownership)>,
    added: &mut AddedSas,
    target: &SadbTarget,
    sadb: &mut dyn Sadb,
) -> bool {
    if !target.is_of_system() {
        return false;
    }
    let Some(found) = id.and_then(|id| sadb.get(&id.request()).ok()) else { return false };
    if ownership.as_ref().is_none_or(|(noted, _)| *noted != added.noted()) {
        added.write();
        *ownership = Some((added.noted(), Ownership::read(target)));
    }
    ownership.as_ref().is_some_and(|(_, ownership)| !ownership.has_message(&found))
}

/// The greatest result of `each` for the SAs that `command` adds.
fn of_targets(command: &mut SaCommand, each: impl Fn(&PolicySa) -> u32) -> u32 {
    let addresses = (command.request.src, command.request.dst);
    let mut greatest = 0;
    for target in &command.targets {
        apply::aim_at(&mut command.request, *target);
        greatest = greatest.max(PolicySa::of_request(&command.request).as_ref().map_or(0, &each));
    }
    (command.request.src, command.request.dst) = addresses;
    greatest
}

/// The marks of the SAs that differ from `id` in nothing else. Empty if the SADB does not list its SAs.
fn marks_of(id: SaId, sadb: &mut dyn Sadb) -> Vec<Masked> {
    let mut marks = Vec::new();
    let listed = sadb.dump(id.sa_type, &mut |message| {
        marks.extend(message.id().filter(|other| SaId { mark: None, ..*other } == id).and_then(|other| other.mark));
        ControlFlow::Continue(())
    });
    if listed.is_ok() { marks } else { Vec::new() }
}

fn should_print(repeats: &mut Option<RepeatLimiter>, error: &SadbError) -> bool {
    repeats.as_mut().is_none_or(|repeats| repeats.should_print(error))
}
