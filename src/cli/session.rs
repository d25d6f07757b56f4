//! What the commands of one run of the program share.

use std::cell::RefMut;
use std::io;
use std::rc::Rc;

use super::connection::Connection;
use super::output::Output;
use super::report::Excerpt;
use super::settings::Settings;
use crate::keyfile::{Code, Diagnostic, HostsFile, Options, Resolver, Setting, Severity, SystemResolver};
use crate::names::Vocabulary;
use crate::policy::reqid::ServicePolicies;
use crate::sadb::{LoadLock, LockError, Sadb, SadbError, SadbTarget};
use crate::sys::fs::settings_file;

pub(super) struct Session<'a> {
    settings: &'a Settings,
    target: SadbTarget,
    connection: Rc<Connection>,
    resolver: Rc<dyn Resolver>,
    load_lock: Option<LoadLock>,
    pub(super) output: Output,
}

impl<'a> Session<'a> {
    /// # Errors
    /// The file of `--hosts` cannot be read.
    pub(super) fn new(settings: &'a Settings) -> io::Result<Self> {
        let hosts = settings.hosts.as_deref().map(settings_file::read).transpose()?;
        let resolver: Rc<dyn Resolver> = match &hosts {
            Some(file) => Rc::new(HostsFile::parse(&file.text)),
            None => Rc::new(SystemResolver::default()),
        };
        let target = settings.sadb.clone().unwrap_or_default();
        let findings = hosts.as_ref().map(|file| file.findings.clone()).unwrap_or_default();
        let output = Output::new(settings, target.vocabulary(), hosts.map(|file| file.text));
        // A user who can change it decides which host an SA is for.
        output.warn_of_findings(&findings);
        // The trace needs the output, which needs the vocabulary of the SADB: hence this order.
        let trace = settings.verbose.then(|| output.for_trace());
        let connection = Rc::new(Connection::new(target.clone(), trace));
        Ok(Self { settings, target, connection, resolver, load_lock: None, output })
    }

    pub(super) fn resolver(&self) -> Rc<dyn Resolver> {
        Rc::clone(&self.resolver)
    }

    /// How commands from there are parsed.
    pub(super) fn options<'r>(&self, setting: Setting, resolver: &'r dyn Resolver) -> Options<'r> {
        Options { vocabulary: self.vocabulary(), numeric: self.settings.numeric, setting, resolver }
    }

    pub(super) fn target(&self) -> &SadbTarget {
        &self.target
    }

    /// The algorithms and limits of the SADB.
    pub(super) fn vocabulary(&self) -> Vocabulary {
        self.target.vocabulary()
    }

    pub(super) fn json(&self) -> bool {
        self.settings.json
    }

    pub(super) fn verbose(&self) -> bool {
        self.settings.verbose
    }

    pub(super) fn denies_weak_keys(&self) -> bool {
        self.settings.deny_weak
    }

    /// The time whose keys `-c` is to name, in seconds since 1970.
    pub(super) fn time_of_check(&self) -> Option<u64> {
        self.settings.at
    }

    /// The difference of two clocks that key chains have to bear, in seconds.
    pub(super) fn skew(&self) -> u64 {
        self.settings.skew
    }

    pub(super) fn allows_empty(&self) -> bool {
        self.settings.allow_empty
    }

    /// # Errors
    /// See [`Connection::open`].
    pub(super) fn open(&self) -> Result<RefMut<'_, dyn Sadb + 'static>, SadbError> {
        self.connection.open()
    }

    /// The policies of the service that are installed; none if they cannot be listed.
    pub(super) fn service_policies(&self) -> ServicePolicies {
        // A command that changes the SADB reports the error.
        let Ok(mut sadb) = self.open() else { return ServicePolicies::default() };
        let listed = sadb.spd().and_then(|spd| spd.policies().ok()).unwrap_or_default();
        ServicePolicies::among(&listed)
    }

    /// The connection, for completion at the prompt; `None` under `-v`, which would print requests that the user has not typed.
    pub(super) fn connection_for_completion(&self) -> Option<Rc<Connection>> {
        (!self.settings.verbose).then(|| Rc::clone(&self.connection))
    }

    /// Waits until no other program loads a keys file into this SADB. Returns false, with a message, if that takes too long.
    pub(super) fn acquire_load_lock(&mut self) -> bool {
        match self.target.acquire_load_lock() {
            Ok(lock) => self.load_lock = Some(lock),
            // A host without /run must still be able to load; the risk is that two loads are interleaved.
            Err(error @ LockError::Unavailable { .. }) => self.output.print_message(&format!("warning: {error}")),
            Err(error @ LockError::Busy) => {
                self.output.print_message(&error.to_string());
                return false;
            }
        }
        true
    }

    pub(super) fn release_load_lock(&mut self) {
        self.load_lock = None;
    }

    /// Prints the diagnostics and returns `command` unless one of them is an error.
    pub(super) fn accept<T>(&self, command: Option<T>, diagnostics: &[Diagnostic], text: Excerpt<'_>) -> Option<T> {
        // All diagnostics are printed, even if the first is an error: one run shows every mistake of the line.
        let mut denied = false;
        for diagnostic in diagnostics {
            if self.settings.deny_weak && WEAK.contains(&diagnostic.code) {
                denied = true;
                let severity = Severity::Error;
                self.output.print_diagnostic(&Diagnostic { severity, ..diagnostic.clone() }, text);
            } else {
                self.output.print_diagnostic(diagnostic, text);
            }
        }
        command.filter(|_| !denied)
    }
}

/// Warnings that `--deny-weak` turns into errors.
const WEAK: &[Code] = &[Code::ZeroKey, Code::WeakKey, Code::CounterMode];
