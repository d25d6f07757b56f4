//! The first steps of a load, which change nothing: lock, read, open, parse.

use std::path::{Path, PathBuf};

use super::encap_ports;
use super::foreign::AllRecords;
use super::keys::{self, Faults, FileCommand};
use super::outcome::{Failure, LoadOutcome};
use super::sequence::SequenceState;
use super::{Loader, Target};
use crate::keyfile;
use crate::names::Vocabulary;
use crate::sadb::{AddCheck, LoadLock, LockError};
use crate::secret::Buffer;
use crate::service::config::UnsafeFiles;
use crate::service::config::properties::RefreshMode;
use crate::service::config::supervisor::Supervisor;
use crate::service::exit::Reason;
use crate::service::log::event;
use crate::service::log::event::load::SadbState;
use crate::service::records::file_digest::FileDigest;
use crate::service::records::owned_sas::OwnedSas;
use crate::sys::fs::keys_file::{self, FileError, FileOrigin, PrivacyFinding};

/// The keys file, read.
pub(super) struct KeysFile {
    pub(super) path: PathBuf,
    pub(super) contents: Buffer,
}

impl<'a> Loader<'a> {
    /// The load lock; `None` if there can be none. That is a warning only, so that a full or read-only /run does not keep an
    /// administrator from loading keys.
    pub(super) fn lock(&mut self) -> Result<Option<LoadLock>, Failure> {
        match self.config.sadb.acquire_load_lock() {
            Ok(lock) => Ok(Some(lock)),
            Err(error @ LockError::Unavailable { .. }) => {
                self.log.event(&event::load::no_load_lock(&error));
                Ok(None)
            }
            Err(error) => Err(self.fail(Reason::Other, &event::load::no_load_lock(&error))),
        }
    }

    /// Reads the keys file, if it is private or need not be.
    pub(super) fn read(&mut self, outcome: &mut LoadOutcome) -> Result<KeysFile, Failure> {
        let (path, origin) =
            self.config.keys_file().map_err(|error| self.fail(error.reason(), &event::load::wrong_config(&error)))?;
        outcome.file = Some(path.clone());
        let read = keys_file::read(&path, origin).and_then(|read| match keyfile::long_command(&read.contents, 1) {
            Some(line) => Err(FileError::LongCommand { path: path.clone(), line }),
            None => Ok(read),
        });
        let read = read.map_err(|error| {
            let reason = match error {
                FileError::Foreign { .. } => Reason::Insecure,
                _ if error.is_permission() => Reason::Permission,
                _ => Reason::Configuration,
            };
            self.fail(reason, &event::load::unreadable_file(&error))
        })?;
        let mut failure = None;
        for finding in &read.findings {
            match self.config.unsafe_files {
                UnsafeFiles::Refuse => failure = Some(self.fail(Reason::Insecure, &event::load::insecure_file(finding))),
                UnsafeFiles::Warn => self.log.event(&event::load::not_private(finding)),
            }
        }
        if origin == FileOrigin::User && path.is_symlink() {
            self.log.event(&event::load::not_private(&PrivacyFinding::Link { path: path.clone() }));
        }
        // Of the text that is applied, not of the file, which may change at any time.
        outcome.digest = FileDigest::of(&read.contents);
        failure.map_or(Ok(KeysFile { path, contents: read.contents }), Err)
    }

    /// Opens the SADB and reads the records about it.
    pub(super) fn open(&mut self) -> Result<Target, Failure> {
        // Before the SADB is opened: with an unreadable record no SA may be touched.
        let owned = self.config.record.as_deref().map(OwnedSas::read).transpose();
        let owned = owned.map_err(|error| self.fail_sadb(&error))?;
        let records = if owned.is_none() { AllRecords::read(self.config) } else { Ok(None) };
        let records = records.map_err(|error| self.fail_sadb(&error))?;
        let sequence = SequenceState::read(&self.config.sequence);
        let sequence = sequence.map_err(|error| self.log.event(&event::load::no_sequence_numbers(&error))).ok();
        let mut sadb = self.config.sadb.open().map_err(|error| self.fail_sadb(&error))?;
        if self.is_daemon {
            sadb.set_enforces_idle();
        }
        Ok(Target { sadb, owned, records, sequence })
    }

    /// Parses all commands; `sadb` is what the event of an error says about the SADB.
    pub(super) fn parse(
        &mut self,
        file: &KeysFile,
        sadb: SadbState,
        outcome: &mut LoadOutcome,
    ) -> Result<Vec<FileCommand>, Failure> {
        let parsed = keys::parse(&file.contents, self.config.sadb.vocabulary(), self.config.protection.reqid());
        // None of a file with errors: nothing of it is applied.
        outcome.encap_ports = parsed.as_deref().map(encap_ports::encap_ports).unwrap_or_default();
        let checked = parsed.and_then(|commands| self.without_refusals(commands, sadb));
        let commands = checked.map_err(|Faults { commands, lines }| {
            let event = event::load::invalid_file(&file.path, commands, &lines, sadb);
            let failure = self.fail(Reason::Configuration, &event);
            let ipseckey = self.config.sadb.command("ipseckey");
            self.log.event(&event::load::how_to_see_errors(&file.path, &ipseckey, self.fmri()));
            failure
        })?;
        self.warn_of_counter_modes(&commands);
        self.require_addition(&commands, &file.path, sadb)?;
        Ok(commands)
    }

    /// The commands, if Linux will not refuse one whatever it holds. This is checked where it leaves the SAs in use as they are:
    /// before a flush, and for `manual-key check`. After a flush the commands that are not refused are applied: their peers
    /// depend on them.
    fn without_refusals(&self, mut commands: Vec<FileCommand>, sadb: SadbState) -> Result<Vec<FileCommand>, Faults> {
        let is_before_change = sadb == SadbState::NotOpened || self.config.refresh == RefreshMode::CheckFirst;
        if !is_before_change || self.config.sadb.vocabulary() != Vocabulary::Linux {
            return Ok(commands);
        }
        let lines = keys::refused_lines(&mut commands, &mut AddCheck::new(&self.config.sadb));
        if lines.is_empty() { Ok(commands) } else { Err(Faults { commands: commands.len(), lines }) }
    }

    /// As `ipseckey -c` does, and with the setting under which such a cipher is safe.
    fn warn_of_counter_modes(&mut self, commands: &[FileCommand]) {
        let vocabulary = self.config.sadb.vocabulary();
        let lines: Vec<u32> =
            commands.iter().filter(|command| command.uses_counter_mode(vocabulary)).map(|command| command.line).collect();
        if !lines.is_empty() {
            self.log.event(&event::counter_mode::used(&lines, self.config.sequence.carried()));
        }
    }

    /// Without an `add` the file was probably cut short: to apply it would leave traffic without SAs, and with `policy = "from-sas"`
    /// in the clear.
    fn require_addition(&mut self, commands: &[FileCommand], path: &Path, sadb: SadbState) -> Result<(), Failure> {
        if commands.iter().any(FileCommand::is_addition) {
            return Ok(());
        }
        if self.config.allow_empty {
            self.log.event(&event::load::empty(path));
            return Ok(());
        }
        Err(self.fail(Reason::Configuration, &event::load::nothing_to_add(path, sadb, self.fmri())))
    }

    fn fmri(&self) -> Option<&'a str> {
        match self.supervisor {
            Supervisor::Smf { fmri } => Some(fmri.as_str()),
            Supervisor::None | Supervisor::Systemd => None,
        }
    }
}
