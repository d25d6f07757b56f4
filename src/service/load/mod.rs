//! start, refresh, stop, check and plan. [`Loader::load`] has the whole sequence of a load, in one function.
//!
//! The keys file is read before anything is flushed. Whether it is parsed before or after the flush is the order that
//! manual-key.toml sets; nothing is applied unless the whole file parses.

mod adopt;
mod apply;
mod assess;
mod beside;
mod chains;
pub(crate) mod encap_ports;
pub(crate) mod file_sas;
pub(crate) mod foreign;
pub(crate) mod ike_port;
pub(crate) mod keys;
pub(crate) mod outcome;
pub(crate) mod pending;
mod policies;
mod prepare;
mod preview;
mod reconcile;
pub(crate) mod repair;
pub(crate) mod rollback;
mod sequence;
mod show;
mod verify;

use crate::reconcile::Goal;
use crate::sa::SaType;
use crate::sadb::{Sadb, SadbError};
use crate::service::config::Config;
use crate::service::config::properties::RefreshMode;
use crate::service::config::supervisor::Supervisor;
use crate::service::exit::Reason;
use crate::service::log::Log;
use crate::service::log::event::load::SadbState;
use crate::service::log::event::{self, Event};
use crate::service::records::owned_sas::OwnedSas;
use crate::sys::time::unix_now;
use foreign::AllRecords;
use keys::FileCommand;
use outcome::{Failure, LoadOutcome};
use pending::LoadedSas;
use sequence::SequenceState;

/// Runs the methods of the service with one configuration.
pub(crate) struct Loader<'a> {
    config: &'a Config,
    supervisor: &'a Supervisor,
    log: &'a mut dyn Log,
    /// The order of a load; that of the configuration unless keys change at a set time.
    mode: RefreshMode,
    /// The daemon enforces idle lifetimes where the kernel does not, and installs policies when an address appears.
    is_daemon: bool,
}

/// The open SADB with the records of the service about it.
pub(super) struct Target {
    sadb: Box<dyn Sadb>,
    /// `None` with `flush = "all"`: every SA is the service's.
    owned: Option<OwnedSas>,
    /// Those of all instances, with `flush = "all"`.
    records: Option<AllRecords>,
    /// `None` if it cannot be read: SAs then start at sequence number 0.
    sequence: Option<SequenceState>,
}

/// What the keys file asks for, in the form that the configured order applies.
enum Desired {
    Commands(Vec<FileCommand>),
    Goal(Goal),
}

impl<'a> Loader<'a> {
    pub(crate) fn new(config: &'a Config, supervisor: &'a Supervisor, log: &'a mut dyn Log) -> Self {
        Self { config, supervisor, log, mode: config.refresh, is_daemon: false }
    }

    pub(crate) fn for_daemon(self) -> Self {
        Self { is_daemon: true, ..self }
    }

    /// For a change of keys at its time: whatever the setting `refresh`, only differences are changed, so that no packet is lost.
    pub(crate) fn for_key_change(self) -> Self {
        Self { mode: RefreshMode::Reconcile, ..self }
    }

    /// Loads the keys file: flushes and adds, or with `refresh = "reconcile"` changes only what differs. With `show` the SAs are
    /// printed afterwards.
    pub(crate) fn load(&mut self, show: bool) -> LoadOutcome {
        let mut outcome = LoadOutcome::default();
        let result = self.run_load(show, &mut outcome);
        outcome.finish(result)
    }

    fn run_load(&mut self, show: bool, outcome: &mut LoadOutcome) -> Result<(), Failure> {
        let mode = self.mode;
        // Before the file is read, so that of two concurrent loads the later one applies the newer file.
        let _lock = self.lock()?;
        let file = self.read(outcome)?;
        let mut target = self.open()?;
        self.warn_before_load(&file, &mut target);
        if mode == RefreshMode::Flush {
            self.flush(&mut target)?;
        }
        let mut commands = self.parse(&file, target.state_after(mode), outcome)?;
        // Keys stay in memory no longer than necessary: the commands have copies of their own.
        let path = file.path;
        drop(file.contents);
        // Of all keys, also those that are not wanted now: in a gap of a chain, packets are dropped and do not pass in the clear.
        let sas = self.sas_to_protect(&mut commands, &mut target);
        let commands = self.at(commands, unix_now(), &path, outcome)?;
        let desired = match mode {
            RefreshMode::Reconcile => Desired::Goal(self.goal(&path, commands)?),
            RefreshMode::Flush | RefreshMode::CheckFirst => Desired::Commands(commands),
        };
        // Policies before SAs: in between, their packets are dropped; in the opposite order they would pass in the clear.
        let policies = self.install_policies(&sas, &mut target)?;
        if mode == RefreshMode::CheckFirst {
            self.flush(&mut target)?;
        }
        let applied = match desired {
            Desired::Commands(commands) => self.apply(commands, &path, &mut target)?,
            Desired::Goal(goal) => self.reconcile(goal, &path, &mut target)?,
        };
        // Also after a rollback: it may have added SAs again, with a new time.
        self.record(&applied, &mut target)?;
        self.check_rollback(&applied, &path)?;
        // After the SAs that used them are gone, for the same reason as above.
        let policies = self.remove_stale_policies(policies, &mut target)?;
        let verified = self.verify(&applied, &mut target);
        outcome.unprotected = self.assess(&sas, &mut target)?;
        self.warn_of_neighbours(&sas, &mut target);
        let result = verified.and_then(|()| self.report(applied, outcome));
        if show {
            self.show(&mut target)?;
        }
        outcome.loaded = LoadedSas::new(sas, Vec::new());
        let result = result.and_then(|()| self.require_all(&policies, outcome));
        outcome.loaded.waiting = policies.waiting;
        self.announce_key_change(outcome);
        result
    }

    /// Removes the SAs of the service and, if they are not to remain, its policies.
    pub(crate) fn stop(&mut self) -> LoadOutcome {
        self.run_stop().map_or_else(LoadOutcome::failed, LoadOutcome::stopped)
    }

    fn run_stop(&mut self) -> Result<String, Failure> {
        let _lock = self.lock()?;
        let mut target = self.open()?;
        self.save_sequence_state(&mut target);
        self.flush_sas(&mut target)?;
        self.forget_sas(&target);
        let policies = self.policies_after_stop(&mut target)?;
        let disabled = event::load::disabled(target.is_emptied(), policies);
        self.log.event(&disabled);
        Ok(disabled.to_string())
    }

    /// Parses the keys file.
    ///
    /// # Errors
    /// Of reading and parsing it.
    pub(crate) fn check(&mut self) -> Result<(), Reason> {
        self.run_check().map_err(|failure| failure.reason)
    }

    fn run_check(&mut self) -> Result<(), Failure> {
        let mut outcome = LoadOutcome::default();
        let file = self.read(&mut outcome)?;
        let commands = self.parse(&file, SadbState::NotOpened, &mut outcome)?.len();
        self.log.event(&event::load::checked(commands, &file.path));
        Ok(())
    }

    fn flush(&mut self, target: &mut Target) -> Result<(), Failure> {
        // SAs that are added again with the same keys must not repeat sequence numbers: a peer would drop their packets as
        // replays, and a counter-mode cipher would repeat its nonces (RFC 4106 section 2).
        self.save_sequence_state(target);
        self.log.event(&event::load::flushing(target.owned.is_none()));
        self.flush_sas(target)
    }

    fn flush_sas(&mut self, target: &mut Target) -> Result<(), Failure> {
        let flushed = self.flush_type(SaType::UNSPEC, target);
        target.sadb.take_warnings().iter().for_each(|note| self.log.event(&event::load::sadb_warning(note)));
        flushed.map_err(|error| self.fail_sadb(&error))
    }

    /// Logs `event` and returns the failure that it explains.
    fn fail(&mut self, reason: Reason, event: &Event) -> Failure {
        self.log.event(event);
        Failure { reason, text: Some(event.to_string()) }
    }

    fn fail_sadb(&mut self, error: &SadbError) -> Failure {
        let reason = match Reason::of_sadb_error(error) {
            // It was not about a command of the file.
            Reason::Refused => Reason::Other,
            reason => reason,
        };
        self.fail(reason, &event::load::sadb_failed(error))
    }
}

impl Target {
    /// The SADB at the time when the file is parsed.
    fn state_after(&self, mode: RefreshMode) -> SadbState {
        match mode {
            RefreshMode::Flush if self.is_emptied() => SadbState::Empty,
            RefreshMode::Flush => SadbState::ForeignOnly,
            RefreshMode::CheckFirst | RefreshMode::Reconcile => SadbState::Unchanged,
        }
    }
}
