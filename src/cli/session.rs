//! Commands carried out one after the other, wherever they come from.

use std::io;
use std::rc::Rc;

use super::args::Args;
use super::exit::Exit;
use super::flood::Flood;
use super::help;
use super::output::{Output, Source};
use super::refusal::refusal;
use crate::apply::{self, Outcome, Queue};
use crate::keyfile;
use crate::keyfile::{
    Code, Command, Diagnostic, HostsFile, Location, Options, ParsedCommand, Resolver, SaCommand, Setting, Severity,
    SystemResolver, Verb,
};
use crate::names::Vocabulary;
use crate::sadb::{LoadLock, LockError, MonitorMode, Sadb, SadbError, SadbTarget};

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Carried out.
    Done,
    /// Not, or not wholly; it has been said why.
    Failed,
    /// Not yet: it waits for others, to be carried out with them.
    Waiting,
    /// The user is through.
    Quit,
}

impl From<bool> for Verdict {
    fn from(done: bool) -> Self {
        if done { Self::Done } else { Self::Failed }
    }
}

/// Commands read, and commands carried out (or found correct).
#[derive(Default)]
pub(super) struct Tally {
    pub(super) commands: usize,
    pub(super) done: usize,
}

impl Tally {
    pub(super) fn count(&mut self, verdict: Verdict) {
        self.commands += 1;
        self.done += usize::from(verdict != Verdict::Failed);
    }

    pub(super) fn exit(&self) -> Exit {
        if self.done == self.commands { Exit::Done } else { Exit::Failed }
    }
}

/// Called with each command before it is carried out.
pub(super) type Watch<'a> = &'a mut dyn FnMut(&mut ParsedCommand);

/// One run of the program: an SADB, opened when first needed, and where to write.
pub(super) struct Session<'a> {
    args: &'a Args,
    select: SadbTarget,
    resolver: Rc<dyn Resolver>,
    sadb: Option<Box<dyn Sadb>>,
    waiting: Queue<Location>,
    load_lock: Option<LoadLock>,
    /// While a file is loaded: what was refused.
    flood: Option<Flood>,
    pub(super) output: Output,
}

impl<'a> Session<'a> {
    /// A session as the arguments want it.
    ///
    /// # Errors
    /// A file of `--hosts` that cannot be read.
    pub(super) fn new(args: &'a Args) -> io::Result<Self> {
        let resolver: Rc<dyn Resolver> = match &args.hosts {
            Some(file) => Rc::new(HostsFile::parse(&std::fs::read_to_string(file)?)),
            None => Rc::new(SystemResolver::default()),
        };
        let select = args.sadb.clone().unwrap_or_default();
        let output = Output::new(args, select.vocabulary())?;
        Ok(Self { args, select, resolver, sadb: None, waiting: Queue::default(), load_lock: None, flood: None, output })
    }

    /// Who knows names.
    pub(super) fn resolver(&self) -> Rc<dyn Resolver> {
        Rc::clone(&self.resolver)
    }

    /// How commands of that setting are read.
    pub(super) fn options<'r>(&self, setting: Setting, resolver: &'r dyn Resolver) -> Options<'r> {
        Options { vocabulary: self.vocabulary(), numeric: self.args.numeric, setting, resolver }
    }

    /// Whose words this session's SADB understands.
    pub(super) fn vocabulary(&self) -> Vocabulary {
        self.select.vocabulary()
    }
}

/// Warnings that `--deny-weak` turns into errors.
const WEAK: &[Code] = &[Code::ZeroKey, Code::WeakKey, Code::CounterMode];

impl Session<'_> {
    /// Says what is to be said about `item`, carries its command out or has it wait, and counts it.
    pub(super) fn execute(&mut self, item: ParsedCommand, source: Source<'_>, tally: &mut Tally) -> Verdict {
        if !item.diagnostics.is_empty() {
            self.settle(source, tally);
        }
        let command = self.accept(item.outcome.ok(), &item.diagnostics, source);
        let command = match command {
            Some(Command::Sa(command)) => match self.postpone(command, item.location, source, tally) {
                Some(command) => Some(Command::Sa(command)),
                None => return Verdict::Waiting,
            },
            command => command,
        };
        self.settle(source, tally);
        let verdict = command.map_or(Verdict::Failed, |command| self.carry_out(command, item.location, source));
        tally.count(verdict);
        verdict
    }

    fn carry_out(&mut self, command: Command, location: Location, source: Source<'_>) -> Verdict {
        let done = match command {
            Command::Quit => return Verdict::Quit,
            Command::Sa(command) => return self.about_sa(command, location, source),
            Command::Help(topic) => return self.help(topic.as_deref()).into(),
            Command::Flush(sa_type) => self.open().and_then(|sadb| sadb.flush(sa_type)),
            Command::Dump(sa_type) => self.dump(sa_type),
            Command::Save(sa_type, file) => return self.save(sa_type, file.as_deref()).into(),
            Command::Monitor => self.monitor(MonitorMode::All),
            Command::PassiveMonitor => self.monitor(MonitorMode::Passive),
        };
        match done {
            Ok(()) => Verdict::Done,
            Err(error) => {
                self.output.diagnose(&Diagnostic::refused(location, error.to_string(), None), source);
                Verdict::Failed
            }
        }
    }

    /// Whether answers are JSON (`--json`).
    pub(super) fn json(&self) -> bool {
        self.args.json
    }

    /// Has `command` wait for others if it can; else gives it back.
    fn postpone(
        &mut self,
        command: SaCommand,
        location: Location,
        source: Source<'_>,
        tally: &mut Tally,
    ) -> Option<SaCommand> {
        if self.waiting.is_full() {
            self.settle(source, tally);
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        let refused = match self.open() {
            Ok(sadb) => waiting.offer(location, command, sadb),
            Err(_) => Some(command),
        };
        self.waiting = waiting;
        refused
    }

    /// Carries out the commands that wait, and counts them.
    pub(super) fn settle(&mut self, source: Source<'_>, tally: &mut Tally) {
        let Some(sadb) = &mut self.sadb else { return };
        let (output, flood) = (&self.output, &mut self.flood);
        self.waiting.flush(&mut **sadb, &mut |location, request, outcome| {
            let failure = match outcome {
                Outcome::Failed(error) => Some(error),
                Outcome::Done | Outcome::Described(_) => None,
            };
            tally.count(failure.is_none().into());
            if let Some(error) = failure.filter(|error| flood.as_mut().is_none_or(|flood| flood.tells(error))) {
                output.diagnose(&refusal(Verb::Add, request, &error, location), source);
            }
        });
    }

    /// A file of that many bytes is loaded from here to [`Self::end_load`]: how far it is, is shown, and of many refusals for
    /// one reason only the first are told one by one.
    pub(super) fn begin_load(&mut self, len: u64) {
        self.flood = self.output.is_for_people().then(Flood::default);
        if !self.args.verbose {
            self.output.progress().begin("commands", Some(len));
        }
    }

    /// Says how many refusals were not told.
    pub(super) fn end_load(&mut self) {
        self.output.progress().end();
        let flood = self.flood.take();
        flood.iter().flat_map(Flood::counted).for_each(|line| self.output.say(&line));
    }

    /// Waits until no other program loads a keys file into this SADB; whether it is this one's turn then.
    pub(super) fn acquire_load_lock(&mut self) -> bool {
        match self.select.acquire_load_lock() {
            Ok(lock) => self.load_lock = Some(lock),
            Err(error @ LockError::Unavailable { .. }) => self.output.say(&format!("warning: {error}")),
            Err(error @ LockError::Busy) => {
                self.output.say(&error.to_string());
                return false;
            }
        }
        true
    }

    /// Whether weak keys are errors (`--deny-weak`).
    pub(super) fn denies_weakness(&self) -> bool {
        self.args.deny_weak
    }

    /// Prints the diagnostics; the command, unless one of them is an error.
    pub(super) fn accept<T>(&self, command: Option<T>, diagnostics: &[Diagnostic], source: Source<'_>) -> Option<T> {
        let mut denied = false;
        for diagnostic in diagnostics {
            if self.args.deny_weak && WEAK.contains(&diagnostic.code) {
                denied = true;
                let severity = Severity::Error;
                self.output.diagnose(&Diagnostic { severity, ..diagnostic.clone() }, source);
            } else {
                self.output.diagnose(diagnostic, source);
            }
        }
        command.filter(|_| !denied)
    }

    /// Reads the commands of `source`, a file or a part of one, and carries out none: `watch` sees each before what there is to
    /// say about it is said, `take` gets its first line and, if it is good, the command.
    pub(super) fn read(&self, source: Source<'_>, watch: Watch<'_>, take: &mut dyn FnMut(u32, Option<Command>)) {
        let options = self.options(Setting::File, &*self.resolver);
        let mut commands = keyfile::commands(source.text, &options).from_line(source.first_line);
        for mut item in commands.by_ref() {
            watch(&mut item);
            take(item.location.line, self.accept(item.outcome.ok(), &item.diagnostics, source));
        }
        let _ = self.accept(Some(()), &commands.take_trailing_warnings(), source);
    }

    /// The SADB, opened when first asked for.
    pub(super) fn open(&mut self) -> Result<&mut dyn Sadb, SadbError> {
        if self.sadb.is_none() {
            let mut sadb = self.select.open()?;
            if self.args.verbose {
                let output = self.output.clone();
                sadb.set_trace(Box::new(move |message| output.trace(message)));
            }
            self.sadb = Some(sadb);
        }
        match &mut self.sadb {
            Some(sadb) => Ok(&mut **sadb),
            None => unreachable!("it was opened just now"),
        }
    }

    /// The SADB, if it is open, for who asks it something between two commands.
    pub(super) fn lend(&mut self) -> Option<Box<dyn Sadb>> {
        self.sadb.take()
    }

    /// Takes back what was lent, or one that was opened in its location.
    pub(super) fn take_back(&mut self, sadb: Box<dyn Sadb>) {
        self.sadb = Some(sadb);
    }

    /// Where the SAs are, for who asks without being asked to; `None` under `-v`, which shows all that is sent.
    pub(super) fn asks_unseen(&self) -> Option<SadbTarget> {
        (!self.args.verbose).then(|| self.select.clone())
    }

    fn about_sa(&mut self, command: SaCommand, location: Location, source: Source<'_>) -> Verdict {
        let output = self.output.clone();
        let mut flood = self.flood.take();
        let verb = command.verb;
        let sadb = match self.open() {
            Ok(sadb) => sadb,
            Err(error) => {
                if flood.as_mut().is_none_or(|flood| flood.tells(&error)) {
                    output.diagnose(&Diagnostic::refused(location, error.to_string(), None), source);
                }
                self.flood = flood;
                return Verdict::Failed;
            }
        };
        let all_done = apply::apply(command, sadb, &mut |request, outcome| match outcome {
            Outcome::Done => {}
            Outcome::Described(message) => output.show(&message),
            Outcome::Failed(error) if flood.as_mut().is_none_or(|flood| flood.tells(&error)) => {
                output.diagnose(&refusal(verb, request, &error, location), source);
            }
            Outcome::Failed(_) => {}
        });
        for note in sadb.take_warnings() {
            output.say(&note);
        }
        self.flood = flood;
        all_done.into()
    }

    fn help(&self, topic: Option<&str>) -> bool {
        match help::print(&mut io::stdout(), topic, self.vocabulary()) {
            Ok(true) => true,
            Ok(false) => {
                self.output.say("help: no such command (`help` lists them)");
                false
            }
            Err(error) => self.output.took(Err(error)).is_break(),
        }
    }

    fn monitor(&mut self, hearing: MonitorMode) -> Result<(), SadbError> {
        // Who listens does not load any more.
        self.load_lock = None;
        let output = self.output.clone();
        let sadb = self.open()?;
        output.monitor_start(hearing);
        sadb.monitor(hearing, &mut |message| output.heard(message))
    }
}
