//! start, refresh, stop and check. The file is read before anything is flushed; whether it is parsed before or after is
//! the order that manual-key.toml chooses; nothing is applied unless all of it parses.

pub(crate) mod keys;
pub(crate) mod pending;
pub(crate) mod policies;
mod preview;
mod reconcile;
pub(crate) mod sequence;

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::apply::{self, Outcome, Queue};
use crate::keyfile::Verb;
use crate::names::errnos;
use crate::sa::{Request, SaType};
use crate::sadb::{LoadLock, LockError, Sadb, SadbError, SadbTarget};
use crate::secret::Buffer;
use crate::service::args::{Args, Method};
use crate::service::config::supervisor::World;
use crate::service::config::{Config, Order};
use crate::service::daemon::udp_ports::{self, Port};
use crate::service::exit::Reason;
use crate::service::load::keys::{Action, Faults, Numbered};
use crate::service::load::pending::Waiting;
use crate::service::load::policies::Raising;
use crate::service::load::sequence::Sequence;
use crate::service::log::Log;
use crate::service::log::event::{Event, Left};
use crate::service::records::file_digest::Fingerprint;
use crate::service::records::owned_sas::{Name, Owned};
use crate::show::{self, message::print_entry};
use crate::sys::fs::keys_file;

/// One run of the service.
pub(crate) struct Service<'a> {
    pub(crate) config: &'a Config,
    world: &'a World,
    pub(crate) log: &'a mut dyn Log,
    /// The record of the service's own SAs, where only those are flushed.
    pub(crate) owned: Option<Owned>,
    /// How far SAs have come that were there before.
    pub(crate) sequence: Option<Sequence>,
    /// The UDP ports from which the SAs of the file that was parsed last receive.
    pub(crate) natt: BTreeSet<Port>,
    /// SAs that have no policy until an address comes.
    pub(crate) waiting: Option<Waiting>,
    /// Whether the process stays: it enforces idle lifetimes where the kernel does not, and waits for addresses.
    pub(crate) stays: bool,
}

/// What applying a file came to.
#[derive(Default)]
struct Tally {
    added: usize,
    names: HashSet<Name>,
    refused: Vec<u32>,
}

impl Tally {
    fn count(&mut self, added: &Request) {
        self.added += 1;
        self.names.extend(Name::of(added));
    }
}

impl<'a> Service<'a> {
    pub(crate) fn new(config: &'a Config, world: &'a World, log: &'a mut dyn Log) -> Self {
        Self { config, world, log, owned: None, sequence: None, natt: BTreeSet::new(), waiting: None, stays: false }
    }

    /// The same for a process that stays.
    pub(crate) fn that_stays(self) -> Self {
        Self { stays: true, ..self }
    }

    /// Does what the command line says; to tell the status is for status.rs.
    pub(crate) fn carry_out(&mut self, args: &Args) -> Result<(), Reason> {
        match args.method {
            Method::Run | Method::Start | Method::Refresh => self.load(args.show),
            Method::Stop => self.stop(),
            Method::Check => self.check(),
            Method::Plan => self.plan(args.json),
            Method::Status => Ok(()),
        }
    }

    /// Empties the SADB and fills it from the keys file; or, reconciling, changes what differs.
    pub(crate) fn load(&mut self, show: bool) -> Result<(), Reason> {
        // Before the file is read: whoever loads last has read the newest.
        let _load_lock = self.acquire_load_lock()?;
        let (file, text) = self.read()?;
        Fingerprint::of(&text).into_iter().for_each(|fingerprint| self.log.has_read(fingerprint));
        let mut sadb = self.open()?;
        let applied = match self.config.order {
            Order::FlushFirst => {
                self.take_numbers(&mut *sadb);
                self.flush(&mut *sadb)?;
                let left = if self.owned.is_none() { Left::Empty } else { Left::Others };
                let mut commands = self.parse(&file, &text, left)?;
                let raised = self.raise(&mut commands, &mut *sadb)?;
                drop(text);
                self.apply_under(raised, &file, commands, &mut *sadb)
            }
            Order::CheckFirst => {
                let mut commands = self.parse(&file, &text, Left::Untouched)?;
                let raised = self.raise(&mut commands, &mut *sadb)?;
                self.take_numbers(&mut *sadb);
                self.flush(&mut *sadb)?;
                drop(text);
                self.apply_under(raised, &file, commands, &mut *sadb)
            }
            Order::Reconcile => {
                let commands = self.parse(&file, &text, Left::Untouched)?;
                drop(text);
                self.reconcile(&file, commands, &mut *sadb)
            }
        };
        if applied.is_ok() && !self.stays {
            udp_ports::warn(&self.natt, self.config, self.log);
        }
        if show {
            self.show(&mut *sadb)?;
        }
        applied
    }

    /// Empties the SADB.
    pub(crate) fn stop(&mut self) -> Result<(), Reason> {
        let _load_lock = self.acquire_load_lock()?;
        let mut sadb = self.open()?;
        self.take_numbers(&mut *sadb);
        self.remove(SaType::UNSPEC, &mut *sadb).map_err(|error| self.no_sadb(&error))?;
        self.lower_all(&mut *sadb)?;
        self.log.event(&Event::Disabled { all: self.owned.is_none() });
        Ok(())
    }

    fn check(&mut self) -> Result<(), Reason> {
        let (file, text) = self.read()?;
        let commands = self.parse(&file, &text, Left::Unasked)?.len();
        self.log.event(&Event::Sound { commands, file: &file });
        Ok(())
    }

    /// The keys file's name and contents, if it may be used.
    pub(crate) fn read(&mut self) -> Result<(PathBuf, Buffer), Reason> {
        let (file, origin) = self.config.keys_file().map_err(|error| {
            self.log.event(&Event::NoConfig(&error));
            error.reason()
        })?;
        let read = keys_file::read(&file, origin).map_err(|error| {
            self.log.event(&Event::NoFile(&error));
            if error.is_permission() { Reason::Permission } else { Reason::Configuration }
        })?;
        let refuse = self.world.is_service() && self.config.sadb != SadbTarget::Model;
        for finding in &read.findings {
            self.log.event(&if refuse { Event::Refused(finding) } else { Event::NotPrivate(finding) });
        }
        if refuse && !read.findings.is_empty() {
            return Err(Reason::Insecure);
        }
        Ok((file, read.contents))
    }

    /// Keeps others from loading meanwhile, where there can be a lock.
    pub(crate) fn acquire_load_lock(&mut self) -> Result<Option<LoadLock>, Reason> {
        match self.config.sadb.acquire_load_lock() {
            Ok(lock) => Ok(Some(lock)),
            Err(error) => {
                self.log.event(&Event::NotAlone(&error));
                if matches!(error, LockError::Unavailable { .. }) { Ok(None) } else { Err(Reason::Other) }
            }
        }
    }

    pub(crate) fn open(&mut self) -> Result<Box<dyn Sadb>, Reason> {
        let owned = self.config.record.as_deref().map(Owned::read).transpose();
        self.owned = owned.map_err(|error| self.no_sadb(&error))?;
        let sequence = Sequence::read(&self.config.sequence);
        self.sequence = sequence.map_err(|error| self.log.event(&Event::NoNumbers(&error))).ok();
        let mut sadb = self.config.sadb.open().map_err(|error| self.no_sadb(&error))?;
        if self.stays {
            sadb.set_enforces_idle();
        }
        Ok(sadb)
    }

    /// Before SAs are removed: those that come again go on where they are now.
    fn take_numbers(&mut self, sadb: &mut dyn Sadb) {
        let taken = self.sequence.as_mut().map_or(Ok(()), |sequence| sequence.take(sadb));
        self.note_numbers(taken);
    }

    /// Without numbers SAs begin anew, as they would without this program.
    pub(crate) fn note_numbers(&mut self, kept: io::Result<()>) {
        kept.unwrap_or_else(|error| self.log.event(&Event::NoNumbers(&error)));
    }

    /// The command, or what becomes of it to let sequence numbers go on.
    fn going_on(&self, command: Numbered) -> Vec<Numbered> {
        let Numbered { line, action } = command;
        match (action, &self.sequence) {
            (Action::Sa(command), Some(sequence)) => {
                let all = sequence.carry_into(command).into_iter();
                all.map(|command| Numbered { line, action: Action::Sa(command) }).collect()
            }
            (action, _) => vec![Numbered { line, action }],
        }
    }

    fn flush(&mut self, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        self.log.event(&Event::Flushing { all: self.owned.is_none() });
        self.remove(SaType::UNSPEC, sadb).map_err(|error| self.no_sadb(&error))
    }

    /// Removes the SAs of a type that are this service's to remove.
    fn remove(&mut self, sa_type: SaType, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
        match &mut self.owned {
            Some(owned) => owned.flush(sa_type, sadb),
            None => sadb.flush(sa_type),
        }
    }

    pub(crate) fn parse(&mut self, file: &Path, text: &[u8], left: Left) -> Result<Vec<Numbered>, Reason> {
        let parsed = keys::parse(text, self.config.sadb.vocabulary());
        self.natt = parsed.as_deref().map(udp_ports::asked).unwrap_or_default();
        parsed.map_err(|Faults { commands, lines }| {
            self.log.event(&Event::Faulty { file, commands, lines: &lines, left });
            let fmri = match self.world {
                World::Smf { fmri } => Some(fmri.as_str()),
                World::Plain | World::Systemd => None,
            };
            self.log.event(&Event::Hint { file, fmri });
            Reason::Configuration
        })
    }

    /// The same between the policies that go up before and down after.
    fn apply_under(
        &mut self,
        raised: Option<Raising>,
        file: &Path,
        commands: Vec<Numbered>,
        sadb: &mut dyn Sadb,
    ) -> Result<(), Reason> {
        let applied = self.apply(file, commands, sadb);
        // An SA that was refused is not there any more, nor are those that nobody wants.
        if matches!(applied, Ok(()) | Err(Reason::Refused)) { self.lower(raised, sadb).and(applied) } else { applied }
    }

    /// Applies all commands; one that the SADB refuses does not keep the others from their peers.
    fn apply(&mut self, file: &Path, commands: Vec<Numbered>, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        let count = commands.len();
        if count == 0 {
            self.log.event(&Event::Empty { file });
        }
        if let Some(owned) = &mut self.owned {
            owned.intend(&commands).map_err(|error| self.no_sadb(&error))?;
        }
        // A stand-in for an SADB is asked for no more than the load.
        let goal =
            self.config.state.as_ref().and_then(|_| self::reconcile::goal(commands.iter().map(Numbered::duplicate)).ok());
        let mut tally = Tally::default();
        let mut waiting = Queue::default();
        let commands: Vec<Numbered> = commands.into_iter().flat_map(|command| self.going_on(command)).collect();
        for Numbered { line, action } in commands {
            if waiting.is_full() {
                self.settle(&mut waiting, sadb, &mut tally)?;
            }
            let action = match action {
                Action::Sa(command) => waiting.offer(line, command, sadb).map(Action::Sa),
                flush => Some(flush),
            };
            if let Some(action) = action {
                self.settle(&mut waiting, sadb, &mut tally)?;
                self.apply_one(line, action, sadb, &mut tally)?;
            }
            self.log.progress();
        }
        self.settle(&mut waiting, sadb, &mut tally)?;
        self.record(&tally.names, sadb)?;
        if tally.refused.is_empty() {
            if let Some(goal) = goal {
                let salt = self.salt()?;
                self.verify(&goal, salt, sadb)?;
            }
            self.log.event(&Event::Online { added: tally.added, file });
            return Ok(());
        }
        self.log.event(&Event::PartlyApplied { file, commands: count, lines: &tally.refused });
        Err(Reason::Refused)
    }

    /// Records which SAs are the service's own. Where every SA is flushed, the record only serves to tell what is missing.
    pub(crate) fn record(&mut self, added: &HashSet<Name>, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        match (&mut self.owned, &self.config.state) {
            (Some(owned), _) => return owned.confirm(added, sadb).map_err(|error| self.no_sadb(&error)),
            (None, Some(directory)) => drop(Owned::anew(directory, added).confirm(added, sadb)),
            (None, None) => {}
        }
        Ok(())
    }

    /// Applies one command and counts it.
    ///
    /// # Errors
    /// Only what makes it useless to go on: the SADB is gone, or this process may not use it.
    fn apply_one(&mut self, line: u32, action: Action, sadb: &mut dyn Sadb, tally: &mut Tally) -> Result<(), Reason> {
        let mut failures = Vec::new();
        match action {
            Action::Flush(sa_type) => failures.extend(self.remove(sa_type, sadb).err()),
            Action::Sa(command) => {
                let adds = command.verb == Verb::Add;
                apply::apply(command, sadb, &mut |request, outcome| match outcome {
                    Outcome::Failed(error) => failures.push(error),
                    Outcome::Done if adds => tally.count(request),
                    Outcome::Done | Outcome::Described(_) => {}
                });
            }
        }
        for note in sadb.take_warnings() {
            self.log.event(&Event::Note { line, note: &note });
        }
        self.take_failures(line, &failures, tally)
    }

    /// Applies the additions that wait, and counts them.
    ///
    /// # Errors
    /// As [`Self::apply_one`].
    fn settle(&mut self, waiting: &mut Queue<u32>, sadb: &mut dyn Sadb, tally: &mut Tally) -> Result<(), Reason> {
        let mut failures = Vec::new();
        waiting.settle(sadb, &mut |line, request, outcome| match outcome {
            Outcome::Failed(error) => failures.push((line, error)),
            Outcome::Done | Outcome::Described(_) => tally.count(request),
        });
        failures.into_iter().try_for_each(|(line, error)| self.take_failures(line, &[error], tally))
    }

    /// Logs what failed in a line, and counts the line.
    fn take_failures(&mut self, line: u32, failures: &[SadbError], tally: &mut Tally) -> Result<(), Reason> {
        if let Some(fatal) = failures.iter().find(|error| reason_of(error) != Reason::Refused) {
            return Err(self.no_sadb(fatal));
        }
        if !failures.is_empty() && tally.refused.last() != Some(&line) {
            tally.refused.push(line);
        }
        for error in failures {
            self.log.event(&Event::LineRefused { line, error });
        }
        Ok(())
    }

    /// Prints every SA as `ipseckey -np dump` does: numbers for names, keys masked.
    fn show(&mut self, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        let mut out = io::stdout().lock();
        let style = show::Style {
            numeric: true,
            paranoid: true,
            verbose: false,
            timestamp: false,
            now: SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()),
            date: show::local,
            errno: errnos::illumos,
            names: &show::NoNames,
        };
        let dumped = sadb.dump(SaType::UNSPEC, &mut |sa| match print_entry(&mut out, sa, &style) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        });
        drop(out);
        dumped.map_err(|error| self.no_sadb(&error))
    }

    pub(crate) fn no_sadb(&mut self, error: &SadbError) -> Reason {
        self.log.event(&Event::NoSadb(error));
        match reason_of(error) {
            Reason::Refused => Reason::Other,
            reason => reason,
        }
    }
}

/// What a failure of the SADB means: that it is out of reach, that this process may not use it, or just a refusal.
pub(crate) fn reason_of(error: &SadbError) -> Reason {
    /// EPERM and EACCES have these numbers on Linux and illumos.
    const NOT_PERMITTED: [i32; 2] = [1, 13];
    match error {
        SadbError::Unavailable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Reason::Permission,
        SadbError::Refused { errno, .. } if NOT_PERMITTED.contains(errno) => Reason::Permission,
        SadbError::Unavailable { .. } | SadbError::Io(_) | SadbError::Timeout { .. } | SadbError::OutcomeUnknown => {
            Reason::NoSadb
        }
        SadbError::Refused { .. } | SadbError::Unsupported(_) | SadbError::BadReply(_) => Reason::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::Diagnostic;

    fn refused(errno: i32) -> SadbError {
        SadbError::Refused { errno, diagnostic: Diagnostic::default(), text: String::new() }
    }

    #[test]
    fn failures_are_told_apart() {
        assert_eq!(reason_of(&refused(1)), Reason::Permission);
        assert_eq!(reason_of(&refused(22)), Reason::Refused);
        assert_eq!(reason_of(&SadbError::Timeout { seconds: 10 }), Reason::NoSadb);
        let closed = SadbError::Unavailable { what: String::new(), source: io::ErrorKind::PermissionDenied.into() };
        assert_eq!(reason_of(&closed), Reason::Permission);
    }
}
