//! The status as text, as JSON, and as one line for monitoring.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::Serialize;

use super::facts::{Facts, Unknown};
use super::problem::{self, Level, Problem};
use super::sas::Sas;
use super::state::StateRecord;
use crate::redact::{mask, printable, shown};
use crate::sadb::{SADB_VARIABLE, SadbTarget};
use crate::service::args::Args;
use crate::service::config::supervisor::Environment;
use crate::service::exit::Reason;
use crate::service::load::ike_port;
use crate::service::load::outcome::State;
use crate::show;
use crate::sys::net::interfaces::network_namespace;
use crate::sys::time::unix_now;

/// Fields without a value are unknown, and `unknown` says why.
#[derive(Default, Serialize)]
pub(super) struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    /// Its name, for messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// When it was applied, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) loaded: Option<u64>,
    /// Whether its content differs from the applied one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<bool>,
    /// The number of the present key, from 1, of the key chain that ends first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<usize>,
    /// The number of keys of that chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keys: Option<usize>,
    /// When the keys change next, and when the first key chain ends, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keys_change: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keys_end: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<usize>,
    /// The protocols of the setting `protect`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    protect: Vec<&'static str>,
    #[serde(flatten)]
    pub(super) sas: Option<Sas>,
    /// The worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) problems: Vec<Problem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<String>,
    /// The SADB that the service uses; `None` if it cannot be found out.
    #[serde(skip)]
    pub(super) target: Option<SadbTarget>,
}

impl Report {
    /// Reads the records in `directory`, and compares.
    pub(super) fn collect(directory: &Path, args: &Args, environment: Environment<'_>) -> Self {
        let mut report = Self::default();
        let record = match StateRecord::read(directory) {
            Ok(Some(record)) => {
                report.add_record(&record);
                Some(record)
            }
            Ok(None) => {
                report.state = Some(State::Disabled);
                report.reason = "not started since boot".to_owned();
                None
            }
            Err(error) => {
                report.unknown.push(format!("the state: {}: {error}", shown(directory)));
                None
            }
        };
        let file = record.as_ref().and_then(|record| report.file_to_read(record));
        let mut facts = Facts {
            now: unix_now(),
            warn: args.warn,
            from_sas: record.as_ref().is_some_and(|record| record.from_sas),
            rules: record.as_ref().map(|record| record.rules).unwrap_or_default(),
            file,
            ike_port: record.as_ref().and_then(|record| ike_port::conflict(&record.held_ports)),
            ..Facts::default()
        };
        let target = sadb(args, environment, record.as_ref());
        report.target = target.as_ref().ok().cloned();
        let gathered = target.and_then(|target| facts.gather(&target, directory, &mut report.unknown));
        report.judge(facts, gathered);
        report
    }

    /// The keys file that `record` names, if it may be opened: the user of a service must not choose which file root opens.
    fn file_to_read(&mut self, record: &StateRecord) -> Option<PathBuf> {
        let file = PathBuf::from(record.file.as_ref()?);
        if record.is_trusted || is_credential(&file) {
            return Some(file);
        }
        let why = "another user can write the state, so that no file that it names is opened: run manual-key status as the user \
                   of the service";
        self.unknown.push(format!("whether the keys file has changed: {why}"));
        None
    }

    fn add_record(&mut self, record: &StateRecord) {
        let StateRecord { state, since, reason, file, loaded, added, pid, .. } = record.clone();
        // As everything that other users may have written.
        let (reason, file) = (printable(reason.as_bytes()), file.map(|file| printable(file.as_bytes())));
        let protect = record.rules.protect.names();
        *self =
            Self { state: Some(state), since: Some(since), reason, pid, file, loaded, added, protect, ..Self::default() };
        if let Some(pid) = pid.filter(|pid| !is_alive(*pid)) {
            self.state = Some(State::Maintenance);
            self.reason = format!("process {pid} exited unexpectedly; its SAs are still loaded");
            self.pid = None;
        }
    }

    /// Derives problems and state from `facts`.
    fn judge(&mut self, mut facts: Facts, gathered: Result<(), Unknown>) {
        self.changed = facts.changed;
        (self.key, self.keys) = facts.key.unzip();
        (self.keys_change, self.keys_end) = (facts.next_change, facts.chain_end);
        match self.state {
            None => self.problems = vec![Problem::unknown("the state of the service cannot be read", Reason::Permission)],
            // SAs and policies are being added.
            Some(State::Starting) => {
                facts.sas.missing = 0;
                self.problems = vec![Problem::unknown(self.reason.clone(), Reason::Drift)];
            }
            // The SAs of a stopped service are not missing.
            Some(State::Disabled) => {
                facts.sas.missing = 0;
                let policies = facts.sas.unmatched.as_ref().map_or(0, |unmatched| unmatched.policies);
                let dropped = if policies > 0 { "; its policies remain, so that their packets are dropped" } else { "" };
                self.problems = vec![Problem::of_state(format!("{}{dropped}", self.reason), Reason::Other)];
            }
            Some(State::Maintenance) => {
                self.problems = vec![Problem::of_state(self.reason.clone(), Reason::Configuration)];
            }
            Some(State::Online | State::Degraded) if gathered.is_ok() => self.judge_loaded(&facts),
            Some(State::Online | State::Degraded) => {}
        }
        match gathered {
            Ok(()) => self.sas = Some(facts.sas),
            Err((reason, why)) => {
                if self.problems.is_empty() {
                    self.problems.push(Problem::unknown(why.clone(), reason));
                }
                self.unknown.push(why);
            }
        }
    }

    /// The recorded state is that after the load; this is the present one.
    fn judge_loaded(&mut self, facts: &Facts) {
        self.problems = problem::find(facts);
        let recorded = self.state;
        match self.problems.first() {
            Some(problem) if problem.level == Level::Critical => {
                self.state = Some(State::Degraded);
                self.reason = problem.text.clone();
            }
            _ => self.state = Some(State::Online),
        }
        if self.state == Some(State::Online) && recorded == Some(State::Degraded) {
            // Another program has installed policies since the load.
            self.reason = self.summary(&facts.sas);
        }
    }

    fn summary(&self, sas: &Sas) -> String {
        let plural = if sas.owned == 1 { "" } else { "s" };
        let file = self.file.as_ref().map(|file| format!(" from {file}")).unwrap_or_default();
        format!("{} SA{plural}{file}", sas.owned)
    }

    /// The exit status; without `check` only whether the state could be read.
    pub(super) fn verdict(&self, check: bool) -> Result<(), Reason> {
        match (self.state, self.problems.first()) {
            (None, _) => Err(Reason::Permission),
            (Some(_), Some(problem)) if check => Err(problem.reason),
            _ => Ok(()),
        }
    }

    pub(super) fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    /// One line: the level and the worst problem, or OK.
    pub(super) fn write_check(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(worst) = self.problems.first() else {
            let summary = self.sas.as_ref().map(|sas| self.summary(sas)).unwrap_or_default();
            return writeln!(out, "OK: {summary}");
        };
        match self.problems.len() - 1 {
            0 => writeln!(out, "{}: {worst}", worst.level),
            1 => writeln!(out, "{}: {worst} (and 1 more problem: manual-key status)", worst.level),
            more => writeln!(out, "{}: {worst} (and {more} more problems: manual-key status)", worst.level),
        }
    }

    pub(super) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let state = self.state.map_or("unknown", State::word);
        let since = self.since.map(|since| format!(" since {}", show::local(since))).unwrap_or_default();
        let pid = self.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        writeln!(out, "state     {state}{since}{pid}")?;
        if !self.reason.is_empty() {
            writeln!(out, "reason    {}", self.reason)?;
        }
        if let Some(file) = &self.file {
            let loaded = self.loaded.map(|at| format!(", loaded {}", show::local(at))).unwrap_or_default();
            let changed = if self.changed == Some(true) { "; changed since then: run manual-key refresh" } else { "" };
            writeln!(out, "file      {file}{loaded}{changed}")?;
        }
        if let Some((key, count)) = self.key.zip(self.keys) {
            writeln!(out, "keys      key {key} of {count}")?;
        }
        for (what, time) in [("change at", self.keys_change), ("end at", self.keys_end)] {
            time.into_iter().try_for_each(|time| writeln!(out, "keys      {what} {}", show::local(time)))?;
        }
        if let Some(sas) = &self.sas {
            sas.write_text(out)?;
        }
        if !self.protect.is_empty() {
            writeln!(out, "protect   {}", self.protect.join(", "))?;
        }
        // The problems of a service that is not running are its state and reason.
        if matches!(self.state, Some(State::Online | State::Degraded)) {
            self.problems.iter().try_for_each(|problem| writeln!(out, "problem   {problem}"))?;
        }
        self.unknown.iter().try_for_each(|why| writeln!(out, "unknown   {why}"))
    }
}

/// The SADB of `--sadb` or the environment, else the one that the service uses.
fn sadb(args: &Args, environment: Environment<'_>, record: Option<&StateRecord>) -> Result<SadbTarget, Unknown> {
    // The SAs of this namespace are not those of the service.
    if record.is_some_and(|record| record.namespace != network_namespace()) {
        let why = "the service is in another network namespace: ip netns exec NAME manual-key status";
        return Err((Reason::NoSadb, why.to_owned()));
    }
    if let Some(select) = &args.overrides.sadb {
        return Ok(select.clone());
    }
    let parse = |word: &str| -> Result<SadbTarget, Unknown> {
        word.parse().map_err(|error| (Reason::Configuration, format!("{}: {error}", mask(word.chars().count()))))
    };
    if let Some(word) = environment(SADB_VARIABLE) {
        return parse(&word.to_string_lossy());
    }
    let Some(record) = record else { return Ok(SadbTarget::default()) };
    match parse(&record.sadb)? {
        target if record.is_trusted || target.is_of_system() => Ok(target),
        target => Err((Reason::NoSadb, format!("the state of another user names {target}: to use it: --sadb {target}"))),
    }
}

/// Whether `path` is that of the keys file as a credential of the service: /run/credentials/UNIT/ipseckeys, where only systemd creates
/// files (systemd.exec(5)).
fn is_credential(path: &Path) -> bool {
    let inside =
        path.strip_prefix("/run/credentials").ok().and_then(Path::to_str).and_then(|rest| rest.strip_suffix("/ipseckeys"));
    inside.is_some_and(|unit| unit.starts_with("manual-key") && unit.ends_with(".service") && !unit.contains('/'))
}

/// Whether the process exists. EPERM means that it does and belongs to another user.
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0);
    pid.is_some_and(|pid| kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH))
}
