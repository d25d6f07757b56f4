//! `manual-key status`: what the service has recorded, held against the keys file and the SADB as they are now.

pub(crate) mod state;
mod unmatched;

use std::io::{self, Write};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::{Serialize, Serializer};

use crate::names::sa_types;
use crate::policy::PolicySa;
use crate::redact::shown;
use crate::sa::{AddressRole, Lifetime, LifetimeKind, Message, SaState, SaType, Spi};
use crate::sadb::{SADB_VARIABLE, SadbError, SadbTarget};
use crate::service::args::Args;
use crate::service::config::dirs;
use crate::service::config::supervisor::Environment;
use crate::service::exit::Reason;
use crate::service::load::reason_of;
use crate::service::log::{answered, masked};
use crate::service::records::owned_sas::Owned;
use crate::service::status::state::{Record, State};
use crate::service::status::unmatched::Lone;
use crate::show;
use crate::sys::fs::keys_file::{self, Origin};
use crate::sys::net::interfaces::network_namespace;

/// So many SAs are told of, those that expire first.
const AHEAD: usize = 10;

/// What there is to tell. What is not known is left out, and `unknown` says why.
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
    /// When it was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded: Option<u64>,
    /// Whether it is another than the one applied.
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

/// What the SADB has, and has no more.
#[derive(Default, Serialize)]
struct Sas {
    owned: usize,
    foreign: usize,
    missing: usize,
    /// SAs of the service with a lifetime in seconds that has not run out.
    expiring: usize,
    expiries: Vec<Ahead>,
    /// Linux: what stands alone.
    #[serde(flatten)]
    lone: Option<Lone>,
    /// The service's own SAs, as far as policies are concerned.
    #[serde(skip)]
    own: Vec<PolicySa>,
}

/// A lifetime that will run out.
#[derive(Serialize)]
struct Ahead {
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

/// Tells the status.
///
/// # Errors
/// [`Reason::Permission`] if not even the state can be told, [`Reason::Other`] if nobody hears it; with `--check` whatever is not as it should be.
pub(crate) fn status(args: &Args, environment: Environment<'_>) -> Result<(), Reason> {
    let directory = directory(args, environment);
    let report = Report::put_together(&directory, args, environment);
    let mut out = io::stdout().lock();
    answered(if args.json { report.write_json(&mut out) } else { report.write_text(&mut out) })?;
    report.verdict(args.judge)
}

fn directory(args: &Args, environment: Environment<'_>) -> PathBuf {
    let directory = dirs::runtime(environment);
    args.instance.as_ref().map_or(directory.clone(), |name| directory.join(name))
}

impl Report {
    fn put_together(directory: &Path, args: &Args, environment: Environment<'_>) -> Self {
        let mut report = Self::default();
        let record = Record::read(directory);
        match &record {
            Ok(Some(record)) => report.take(record, directory),
            Ok(None) => report.state = Some(State::Disabled),
            Err(error) => report.unknown.push(format!("the state: {}: {error}", shown(directory))),
        }
        let record = record.ok().flatten();
        match sadb(args, environment, record.as_ref()).and_then(|sadb| Sas::count(&sadb, directory, report.state)) {
            Ok(sas) => report.sas = Some(sas),
            Err((reason, why)) => {
                report.unknown.push(format!("the SAs that are there: {why}"));
                report.why_no_sas = Some(reason);
            }
        }
        report
    }

    fn take(&mut self, record: &Record, directory: &Path) {
        let Record { state, since, reason, file, loaded, added, pid, .. } = record.clone();
        *self = Self { state: Some(state), since: Some(since), reason, pid, file, loaded, added, ..Self::default() };
        if let Some(pid) = pid.filter(|pid| !is_alive(*pid)) {
            self.state = Some(State::Maintenance);
            self.reason = format!("its process {pid} has ended without a word; the SAs are as it left them");
            self.pid = None;
        }
        match self.file.as_deref().map(|file| has_changed(Path::new(file), directory)) {
            Some(Ok(changed)) => self.changed = changed,
            Some(Err(error)) => self.unknown.push(format!("whether the keys file has changed: {error}")),
            None => {}
        }
    }

    fn verdict(&self, judge: bool) -> Result<(), Reason> {
        match (self.state, judge) {
            (None, _) => Err(Reason::Permission),
            (_, false) => Ok(()),
            (Some(State::Maintenance), true) => Err(Reason::Configuration),
            (Some(State::Disabled), true) => Err(Reason::Other),
            (Some(State::Online), true) => match &self.sas {
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
            let changed = if self.changed == Some(true) { "; it has changed since: manual-key refresh" } else { "" };
            writeln!(out, "file      {}{loaded}{changed}", shown(Path::new(file)))?;
        }
        if let Some(sas) = &self.sas {
            sas.write_text(out)?;
        }
        self.unknown.iter().try_for_each(|why| writeln!(out, "unknown   {why}"))
    }
}

impl Sas {
    /// Counts, by the record in `directory`; the SAs of a service that was stopped are not missing.
    fn count(select: &SadbTarget, directory: &Path, state: Option<State>) -> Result<Self, (Reason, String)> {
        let why = |error: SadbError| (reason_of(&error), masked(&error.to_string()));
        let owned = Owned::read(directory).map_err(why)?;
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs());
        let mut sas = Self::default();
        let mut sadb = select.open().map_err(why)?;
        let has_policies = sadb.spd().is_some();
        let dumped = sadb.dump(SaType::UNSPEC, &mut |message| {
            let is_own = owned.has(message);
            sas.take(message, is_own, now);
            sas.own.extend(Some(message).filter(|_| is_own && has_policies).and_then(PolicySa::of_message));
            ControlFlow::Continue(())
        });
        dumped.map_err(why)?;
        if let Some(spd) = sadb.spd() {
            sas.lone = Some(Lone::find(&std::mem::take(&mut sas.own), spd, directory).map_err(why)?);
        }
        if state != Some(State::Disabled) {
            sas.missing = owned.len().saturating_sub(sas.owned);
        }
        sas.expiries.sort_unstable_by_key(|ahead| ahead.at);
        sas.expiries.truncate(AHEAD);
        Ok(sas)
    }

    fn take(&mut self, message: &Message, is_own: bool, now: u64) {
        if message.association().is_none_or(|sa| sa.state == SaState::LARVAL) {
            return;
        }
        if !is_own {
            self.foreign += 1;
            return;
        }
        self.owned += 1;
        let ahead: Vec<Ahead> = [LifetimeKind::Soft, LifetimeKind::Hard]
            .into_iter()
            .filter_map(|kind| Some(Ahead { lifetime: kind, at: end(message, kind)?, ..Ahead::of(message)? }))
            .filter(|ahead| ahead.at > now)
            .collect();
        self.expiring += usize::from(!ahead.is_empty());
        self.expiries.extend(ahead);
        if self.expiries.len() > 64 * AHEAD {
            self.expiries.select_nth_unstable_by_key(AHEAD, |ahead| ahead.at);
            self.expiries.truncate(AHEAD);
        }
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "SAs       {} owned, {} foreign, {} missing", self.owned, self.foreign, self.missing)?;
        for Ahead { at, lifetime, sa_type, spi, dst } in &self.expiries {
            let title = sa_types::by_number(*sa_type).map_or("unknown", |row| row.title);
            let dst = dst.map(|dst| format!(" to {dst}")).unwrap_or_default();
            writeln!(out, "expiry    {}: {} lifetime of {title} SPI {spi}{dst}", show::local(*at), lifetime.word())?;
        }
        self.lone.as_ref().map_or(Ok(()), |lone| lone.write_text(out))
    }
}

impl Ahead {
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

/// When a lifetime in seconds runs out.
fn end(message: &Message, kind: LifetimeKind) -> Option<u64> {
    let limit = message.lifetime(kind)?;
    let Lifetime { addtime, usetime, .. } = *message.lifetime(LifetimeKind::Current)?;
    let after = |start: u64, limit: u64| (start != 0 && limit != 0).then(|| start.saturating_add(limit));
    after(addtime, limit.addtime).into_iter().chain(after(usetime, limit.usetime)).min()
}

/// The SADB that is meant: as said, else as the service does.
fn sadb(args: &Args, environment: Environment<'_>, record: Option<&Record>) -> Result<SadbTarget, (Reason, String)> {
    if record.is_some_and(|record| record.namespace != network_namespace()) {
        let why = "the service is in another network namespace: ip netns exec NAME manual-key status";
        return Err((Reason::NoSadb, why.to_owned()));
    }
    if let Some(select) = &args.overrides.sadb {
        return Ok(select.clone());
    }
    let said = environment(SADB_VARIABLE).map(|word| word.to_string_lossy().into_owned());
    let word =
        said.or_else(|| record.map(|record| record.sadb.clone())).unwrap_or_else(|| SadbTarget::default().to_string());
    word.parse().map_err(|error| (Reason::Configuration, format!("{}: {error}", masked(&word))))
}

/// Whether the keys file is another than the one that was loaded; `None` if none was.
fn has_changed(file: &Path, directory: &Path) -> io::Result<Option<bool>> {
    let Some(loaded) = state::loaded(directory)? else { return Ok(None) };
    let read = keys_file::read(file, Origin::User).map_err(io::Error::other)?;
    Ok(Some(!loaded.fits(&read.contents)))
}

/// Whether a process of that number is there, whoever it belongs to.
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0);
    pid.is_some_and(|pid| kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH))
}
