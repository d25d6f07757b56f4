//! `manual-key status`: the service's records, compared with the keys file and the SADB as they are now.

pub(crate) mod state;
mod unmatched;

use std::io::{self, Write};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::{Serialize, Serializer};

use crate::names::sa_types;
use crate::policy::PolicySa;
use crate::redact::shown;
use crate::redact::without_hex_runs;
use crate::sa::{AddressRole, Lifetime, LifetimeKind, Message, SaState, SaType, Spi};
use crate::sadb::{SADB_VARIABLE, SadbError, SadbTarget};
use crate::service::args::Args;
use crate::service::config::dirs;
use crate::service::config::supervisor::Environment;
use crate::service::exit::Reason;
use crate::service::load::outcome::State;
use crate::service::log::check_written;
use crate::service::records::owned_sas::OwnedSas;
use crate::show;
use crate::sys::fs::keys_file::{self, FileOrigin};
use crate::sys::net::interfaces::network_namespace;
use crate::sys::time::unix_now;
use state::StateRecord;
use unmatched::Unmatched;

/// Upper limit of the expiries that are listed.
const MAX_EXPIRIES: usize = 10;

/// Fields without a value are unknown, and `unknown` says why.
#[derive(Default, Serialize)]
struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// When it was applied, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded: Option<u64>,
    /// Whether its content differs from the applied one.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<usize>,
    #[serde(flatten)]
    sas: Option<Sas>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<String>,
    #[serde(skip)]
    why_no_sas: Option<Reason>,
}

/// Counts of SAs in the SADB.
#[derive(Default, Serialize)]
struct Sas {
    owned: usize,
    foreign: usize,
    missing: usize,
    /// SAs of the service with a lifetime in seconds that has not expired.
    expiring: usize,
    expiries: Vec<UpcomingExpiry>,
    #[serde(flatten)]
    unmatched: Option<Unmatched>,
    /// The service's SAs, to compare with policies.
    #[serde(skip)]
    own: Vec<PolicySa>,
}

/// A lifetime that will expire.
#[derive(Serialize)]
struct UpcomingExpiry {
    at: u64,
    #[serde(serialize_with = "word")]
    lifetime: LifetimeKind,
    #[serde(serialize_with = "type_word")]
    sa_type: SaType,
    #[serde(serialize_with = "text")]
    spi: Spi,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst: Option<IpAddr>,
}

fn word<S: Serializer>(kind: &LifetimeKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.word())
}

fn type_word<S: Serializer>(sa_type: &SaType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(sa_types::by_number(*sa_type).map_or("unknown", |row| row.word))
}

fn text<S: Serializer>(spi: &Spi, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(spi)
}

/// Prints the status.
///
/// # Errors
/// [`Reason::Permission`] if the state cannot be read, [`Reason::Other`] if the output is incomplete; with `--check` also the
/// first problem.
pub(crate) fn status(args: &Args, environment: Environment<'_>) -> Result<(), Reason> {
    let directory = runtime_dir(args, environment);
    let report = Report::collect(&directory, args, environment);
    let mut out = io::stdout().lock();
    check_written(if args.json { report.write_json(&mut out) } else { report.write_text(&mut out) })?;
    report.verdict(args.check)
}

fn runtime_dir(args: &Args, environment: Environment<'_>) -> PathBuf {
    let directory = dirs::runtime(environment);
    args.instance.as_ref().map_or(directory.clone(), |name| directory.join(name))
}

impl Report {
    fn collect(directory: &Path, args: &Args, environment: Environment<'_>) -> Self {
        let mut report = Self::default();
        let record = StateRecord::read(directory);
        match &record {
            Ok(Some(record)) => report.add_record(record, directory),
            Ok(None) => report.state = Some(State::Disabled),
            Err(error) => report.unknown.push(format!("the state: {}: {error}", shown(directory))),
        }
        let record = record.ok().flatten();
        match sadb(args, environment, record.as_ref()).and_then(|sadb| Sas::count(&sadb, directory, report.state)) {
            Ok(sas) => report.sas = Some(sas),
            Err((reason, why)) => {
                report.unknown.push(format!("the SAs in the SADB: {why}"));
                report.why_no_sas = Some(reason);
            }
        }
        report
    }

    fn add_record(&mut self, record: &StateRecord, directory: &Path) {
        let StateRecord { state, since, reason, file, loaded, added, pid, .. } = record.clone();
        *self = Self { state: Some(state), since: Some(since), reason, pid, file, loaded, added, ..Self::default() };
        if let Some(pid) = pid.filter(|pid| !is_alive(*pid)) {
            self.state = Some(State::Maintenance);
            self.reason = format!("process {pid} exited unexpectedly; its SAs are still loaded");
            self.pid = None;
        }
        match self.file.as_deref().map(|file| has_changed(Path::new(file), directory)) {
            Some(Ok(changed)) => self.changed = changed,
            Some(Err(error)) => self.unknown.push(format!("whether the keys file has changed: {error}")),
            None => {}
        }
    }

    fn verdict(&self, check: bool) -> Result<(), Reason> {
        match (self.state, check) {
            (None, _) => Err(Reason::Permission),
            (_, false) => Ok(()),
            (Some(State::Maintenance), true) => Err(Reason::Configuration),
            (Some(State::Disabled), true) => Err(Reason::Other),
            (Some(State::Online | State::Degraded), true) => match &self.sas {
                None => Err(self.why_no_sas.unwrap_or(Reason::Other)),
                Some(sas) if sas.missing > 0 => Err(Reason::Drift),
                Some(_) => Ok(()),
            },
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
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
            writeln!(out, "file      {}{loaded}{changed}", shown(Path::new(file)))?;
        }
        if let Some(sas) = &self.sas {
            sas.write_text(out)?;
        }
        self.unknown.iter().try_for_each(|why| writeln!(out, "unknown   {why}"))
    }
}

impl Sas {
    /// Counts by the record in `directory`. The SAs of a stopped service are not missing.
    fn count(select: &SadbTarget, directory: &Path, state: Option<State>) -> Result<Self, (Reason, String)> {
        let why = |error: SadbError| (Reason::of_sadb_error(&error), without_hex_runs(&error.to_string()));
        let owned = OwnedSas::read(directory).map_err(why)?;
        let now = unix_now();
        let mut sas = Self::default();
        let mut sadb = select.open().map_err(why)?;
        // Asked before the dump, which borrows the SADB: without an SPD the SAs need not be collected.
        let has_policies = sadb.spd().is_some();
        let dumped = sadb.dump(SaType::UNSPEC, &mut |message| {
            let is_own = owned.owns_message(message);
            sas.count_message(message, is_own, now);
            sas.own.extend(Some(message).filter(|_| is_own && has_policies).and_then(PolicySa::of_message));
            ControlFlow::Continue(())
        });
        dumped.map_err(why)?;
        if let Some(spd) = sadb.spd() {
            sas.unmatched = Some(Unmatched::find(&std::mem::take(&mut sas.own), spd, directory).map_err(why)?);
        }
        // Entries without an SA, such as expired ones, are missing.
        if state != Some(State::Disabled) {
            sas.missing = owned.len().saturating_sub(sas.owned);
        }
        sas.expiries.sort_unstable_by_key(|expiry| expiry.at);
        sas.expiries.truncate(MAX_EXPIRIES);
        Ok(sas)
    }

    fn count_message(&mut self, message: &Message, is_own: bool, now: u64) {
        // A larval SA is the reservation of an SPI by a key management daemon.
        if message.association().is_none_or(|sa| sa.state == SaState::LARVAL) {
            return;
        }
        if !is_own {
            self.foreign += 1;
            return;
        }
        self.owned += 1;
        let expiries: Vec<UpcomingExpiry> = [LifetimeKind::Soft, LifetimeKind::Hard]
            .into_iter()
            .filter_map(|kind| {
                Some(UpcomingExpiry { lifetime: kind, at: end(message, kind)?, ..UpcomingExpiry::of(message)? })
            })
            .filter(|expiry| expiry.at > now)
            .collect();
        self.expiring += usize::from(!expiries.is_empty());
        self.expiries.extend(expiries);
        // The list of a million SAs is cut now and then, and need not be sorted for it.
        if self.expiries.len() > 64 * MAX_EXPIRIES {
            self.expiries.select_nth_unstable_by_key(MAX_EXPIRIES, |expiry| expiry.at);
            self.expiries.truncate(MAX_EXPIRIES);
        }
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "SAs       {} owned, {} foreign, {} missing", self.owned, self.foreign, self.missing)?;
        for UpcomingExpiry { at, lifetime, sa_type, spi, dst } in &self.expiries {
            let title = sa_types::by_number(*sa_type).map_or("unknown", |row| row.title);
            let dst = dst.map(|dst| format!(" to {dst}")).unwrap_or_default();
            writeln!(out, "expiry    {}: {} lifetime of {title} SPI {spi}{dst}", show::local(*at), lifetime.word())?;
        }
        self.unmatched.as_ref().map_or(Ok(()), |unmatched| unmatched.write_text(out))
    }
}

impl UpcomingExpiry {
    fn of(message: &Message) -> Option<Self> {
        let dst = message.address(AddressRole::Destination).and_then(|dst| dst.addr);
        let spi = message.association()?.spi;
        Some(Self {
            at: 0,
            lifetime: LifetimeKind::Hard,
            sa_type: message.sa_type,
            spi,
            dst: dst.map(|dst| dst.to_canonical()),
        })
    }
}

/// When a lifetime in seconds expires.
fn end(message: &Message, kind: LifetimeKind) -> Option<u64> {
    let limit = message.lifetime(kind)?;
    let Lifetime { addtime, usetime, .. } = *message.lifetime(LifetimeKind::Current)?;
    let after = |start: u64, limit: u64| (start != 0 && limit != 0).then(|| start.saturating_add(limit));
    after(addtime, limit.addtime).into_iter().chain(after(usetime, limit.usetime)).min()
}

/// The SADB of `--sadb` or the environment, else the one that the service uses.
fn sadb(args: &Args, environment: Environment<'_>, record: Option<&StateRecord>) -> Result<SadbTarget, (Reason, String)> {
    // The SAs of this namespace are not those of the service.
    if record.is_some_and(|record| record.namespace != network_namespace()) {
        let why = "the service is in another network namespace: ip netns exec NAME manual-key status";
        return Err((Reason::NoSadb, why.to_owned()));
    }
    if let Some(select) = &args.overrides.sadb {
        return Ok(select.clone());
    }
    let word = environment(SADB_VARIABLE).map(|word| word.to_string_lossy().into_owned());
    let word =
        word.or_else(|| record.map(|record| record.sadb.clone())).unwrap_or_else(|| SadbTarget::default().to_string());
    word.parse().map_err(|error| (Reason::Configuration, format!("{}: {error}", without_hex_runs(&word))))
}

/// Whether the content of the keys file differs from the loaded one; `None` if none was loaded.
fn has_changed(file: &Path, directory: &Path) -> io::Result<Option<bool>> {
    let Some(loaded) = state::loaded_digest(directory)? else { return Ok(None) };
    // Findings are ignored: only the digest of the file is used.
    let read = keys_file::read(file, FileOrigin::User).map_err(io::Error::other)?;
    Ok(Some(!loaded.matches(&read.contents)))
}

/// Whether the process exists. EPERM means that it does and belongs to another user.
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0);
    pid.is_some_and(|pid| kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH))
}
