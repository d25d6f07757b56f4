//! `doctor --report`: what this host knows about its links, for `--peer` on the other host. It contains no key.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::finding::{Finding, Findings, Level};
use crate::cli::tools::failure::Failure;
use crate::names::algorithms::{auth_by_number, encr_by_number};
use crate::names::linux::mode_word;
use crate::policy::{Net, PolicySa, Selector};
use crate::reconcile::{ActualSa, shared_fingerprints};
use crate::redact::shown;
use crate::sa::{Request, SaId, SaType, XfrmFlags};
use crate::sadb::{SadbError, route_to};
use crate::sys::fs::{atomic_write, settings_file};
use crate::sys::time::unix_now;

/// The form of the file; a later one has another number.
const VERSION: u32 = 1;

/// What a host knows about its links.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) version: u32,
    /// Seconds since 1970, by the clock of the host.
    pub(super) time: u64,
    /// The SAs of the keys file, and those that this program or the service has added.
    pub(super) sas: Vec<ReportedSa>,
    /// Problems and warnings.
    pub(super) findings: Vec<Finding>,
}

/// An SA without its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReportedSa {
    pub(super) id: SaId,
    pub(super) src: Option<IpAddr>,
    pub(super) mode: String,
    pub(super) encr_alg: String,
    pub(super) auth_alg: String,
    pub(super) icv: Option<u16>,
    pub(super) esn: bool,
    pub(super) encap: bool,
    /// The networks of a tunnel.
    pub(super) inner: Option<String>,
    /// Fingerprints, see `reconcile::shared_fingerprints`.
    pub(super) authkey: String,
    pub(super) encrkey: String,
    /// Whether the SADB holds it; otherwise it is only in the keys file.
    pub(super) is_loaded: bool,
    /// Whether the keys file has it, with the same values.
    pub(super) is_of_file: bool,
    /// The MTU of the route to its destination, for an outbound SA.
    pub(super) mtu: Option<u32>,
}

impl ReportedSa {
    fn of(id: SaId, request: &Request) -> Self {
        let policy_sa = PolicySa::of_request(request);
        let [authkey, encrkey] = shared_fingerprints(&id, request);
        let mode = request.mode();
        let selector = policy_sa.as_ref().and_then(|sa| sa.selector).filter(|_| mode != crate::sa::XfrmMode::TRANSPORT);
        Self {
            id,
            src: policy_sa.as_ref().and_then(|sa| sa.src),
            mode: mode_word(mode).unwrap_or("unknown").to_owned(),
            encr_alg: encr_by_number(request.encr_alg).map_or("none", |row| row.names[0]).to_owned(),
            auth_alg: auth_by_number(request.auth_alg).map_or("none", |row| row.names[0]).to_owned(),
            icv: request.linux.icv_bits,
            esn: request.linux.flags.has(XfrmFlags::ESN),
            encap: policy_sa.is_some_and(|sa| sa.udp_port.is_some()),
            // Linux does not report a selector for all packets.
            inner: selector.filter(|selector| !is_any(selector)).map(|selector| selector.to_string()),
            authkey,
            encrkey,
            is_loaded: false,
            is_of_file: false,
            mtu: None,
        }
    }
}

fn is_any(selector: &Selector) -> bool {
    *selector == Selector::between(Net::any(selector.src.addr()), Net::any(selector.dst.addr()))
}

impl Report {
    /// # Errors
    /// The SAs cannot be listed again.
    pub(super) fn new(facts: &Facts<'_>, findings: &Findings) -> Result<Self, SadbError> {
        let differing = facts.differing();
        let mut sas = Vec::new();
        if facts.actual.is_some() {
            facts.session.open()?.dump(SaType::UNSPEC, &mut |message| {
                if let Some(sa) = ActualSa::of(message).filter(|sa| facts.own.contains(&sa.id)) {
                    sas.push(ReportedSa { is_loaded: true, ..ReportedSa::of(sa.id, &sa.request) });
                }
                ControlFlow::Continue(())
            })?;
        }
        let loaded: HashSet<SaId> = sas.iter().map(|sa| sa.id).collect();
        let goal = facts.desired.as_ref().and_then(|desired| desired.goal.as_ref());
        let others = goal.iter().flat_map(|goal| goal.iter()).filter(|desired| !loaded.contains(&desired.id()));
        sas.extend(others.map(|desired| ReportedSa::of(desired.id(), &desired.request)));
        for sa in &mut sas {
            sa.is_of_file = goal.is_some_and(|goal| goal.get(&sa.id).is_some()) && !differing.contains(&sa.id);
            let is_outbound = sa.src.is_some_and(|src| facts.is_local(src)) && facts.is_kernel;
            sa.mtu = if is_outbound { route_to(sa.id.dst).ok().map(|route| route.mtu) } else { None };
        }
        sas.sort_by_key(|sa| (sa.id.dst, sa.id.sa_type, sa.id.spi));
        let findings = findings.iter().filter(|finding| finding.level != Level::Ok).cloned().collect();
        Ok(Self { version: VERSION, time: unix_now(), sas, findings })
    }

    /// Writes it to a new file with mode 0600: addresses and networks are for the administrators of both hosts.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let failure = |error: io::Error| Failure::new(format!("{}: {error}", shown(path)));
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| failure(error.into()))?;
        text.push(b'\n');
        atomic_write::create_new(path, &text).map_err(failure)
    }

    /// # Errors
    /// The file cannot be read, or is no report.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let file = settings_file::read(path).map_err(|error| Failure::new(format!("{}: {error}", shown(path))))?;
        match serde_json::from_str::<Self>(&file.text) {
            Ok(report) if report.version == VERSION => Ok(report),
            // Not the error of the parser, which may cite the file.
            _ => Err(Failure::new(format!(
                "{} is no report of this version: write it with `ipseckey doctor --report` on the peer",
                shown(path)
            ))),
        }
    }
}
