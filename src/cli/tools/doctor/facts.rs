//! What the checks compare, collected once: the keys file, the SADB, the policies, the counters, the settings of the service.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::actual::{self, ActualSas};
use super::desired::{self, DesiredSas};
use super::finding::Findings;
use crate::cli::session::Session;
use crate::links::{Links, xfrm_stat};
use crate::names::Vocabulary;
use crate::policy::Policy;
use crate::policy::derive::{Derived, derive};
use crate::reconcile::{self, FingerprintKey, Step, StepKind};
use crate::redact::shell_word;
use crate::sa::SaId;
use crate::sadb::{SadbError, Spd};
use crate::service::{InForce, in_force};
use crate::sys::net::interfaces::local_addresses;

/// The counters before and after some seconds.
pub(super) struct Interval {
    pub(super) seconds: u64,
    /// The later listing, with the differences to the earlier one.
    pub(super) links: Links,
    /// The text of /proc/net/xfrm_stat before and after.
    pub(super) drops: [String; 2],
}

/// What the checks compare. A part that cannot be had is `None`, and the reason is a finding.
pub(super) struct Facts<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) file: &'a Path,
    /// Whether the SADB is that of this Linux kernel, and not a stand-in.
    pub(super) is_kernel: bool,
    pub(super) desired: Option<DesiredSas>,
    pub(super) actual: Option<ActualSas>,
    /// The SAs of the file, and those that this program or the service has added.
    pub(super) own: HashSet<SaId>,
    /// `None` without an SPD that can be listed.
    pub(super) policies: Option<Vec<Policy>>,
    /// What `policy = "from-sas"` makes of the SAs.
    pub(super) derived: Derived,
    /// The addresses of this host; `None` for a stand-in.
    pub(super) local: Option<HashSet<IpAddr>>,
    /// The last load of the service; `None` if it has not run.
    pub(super) in_force: Option<InForce>,
    /// `None` without SAs, and for a stand-in.
    pub(super) interval: Option<Interval>,
}

impl<'a> Facts<'a> {
    /// Collects the facts; waits for `seconds` between two readings of the counters.
    pub(super) fn gather(session: &'a Session<'a>, file: &'a Path, seconds: u64, findings: &mut Findings) -> Self {
        let is_kernel = session.vocabulary() == Vocabulary::Linux && !session.target().is_model();
        let local = if session.target().is_of_system() { local_addresses().ok() } else { None };
        let desired = desired::read(file, session, findings);
        let actual = actual::list(session, findings);
        let mut own = actual.as_ref().map(|actual| actual.own.clone()).unwrap_or_default();
        own.extend(desired.iter().flat_map(|desired| &desired.ids));
        let policies = actual.as_ref().and_then(|_| policies(session, findings));
        let mut facts = Self {
            session,
            file,
            is_kernel,
            desired,
            actual,
            own,
            policies,
            derived: Derived::default(),
            local,
            in_force: if is_kernel { in_force(file) } else { None },
            interval: None,
        };
        facts.derived = facts.derive();
        facts.interval = facts.watch(seconds);
        facts
    }

    fn derive(&self) -> Derived {
        let sas: Vec<_> = self.actual.iter().flat_map(|actual| &actual.policy_sas).collect();
        let rules = self.in_force.as_ref().map(|service| service.rules).unwrap_or_default();
        derive(&sas, &|addr| self.is_local(addr), rules)
    }

    /// Reads the counters twice. They count since boot: only the difference says what happens now.
    fn watch(&self, seconds: u64) -> Option<Interval> {
        let has_sas = self.actual.as_ref().is_some_and(|actual| !actual.ids.is_empty());
        let is_of_interest = has_sas || self.policies.as_ref().is_some_and(|policies| !policies.is_empty());
        if !self.is_kernel || !is_of_interest {
            return None;
        }
        let before = (xfrm_stat(), self.session.read_links().ok()?.counters());
        thread::sleep(Duration::from_secs(seconds));
        let mut links = self.session.read_links().ok()?;
        links.compare(before.1);
        Some(Interval { seconds, links, drops: [before.0, xfrm_stat()] })
    }

    /// Whether `addr` is one of this host.
    pub(super) fn is_local(&self, addr: IpAddr) -> bool {
        // All of 127.0.0.0/8 is local, but only 127.0.0.1 is listed.
        addr.is_loopback() || self.local.as_ref().is_some_and(|local| local.contains(&addr))
    }

    /// Whether the service installs policies.
    pub(super) fn is_from_sas(&self) -> bool {
        self.in_force.as_ref().is_some_and(|service| service.from_sas)
    }

    /// The SAs that the SADB has with other values than the file; none if that cannot be known.
    pub(super) fn differing(&self) -> HashSet<SaId> {
        let steps = self.compare().and_then(Result::ok).unwrap_or_default();
        steps.iter().filter(|step| step.kind != StepKind::Add).map(Step::id).collect()
    }

    /// The steps that would make the SADB that of the file; `None` without a file or an SADB to compare.
    pub(super) fn compare(&self) -> Option<Result<Vec<Step>, SadbError>> {
        let goal = self.desired.as_ref()?.goal.as_ref().filter(|_| self.actual.is_some())?;
        let key = FingerprintKey::random().ok()?;
        Some(self.session.open().and_then(|mut sadb| reconcile::verify(goal, &mut *sadb, key)))
    }

    /// The command that makes SADB and policies those of the file again.
    pub(super) fn reload(&self) -> String {
        match &self.in_force {
            Some(service) => service.command("refresh"),
            None => format!("run `manual-key refresh` or `ipseckey -f {}`", shell_word(self.file)),
        }
    }
}

fn policies(session: &Session<'_>, findings: &mut Findings) -> Option<Vec<Policy>> {
    let listed: Result<_, SadbError> = session.open().and_then(|mut sadb| sadb.spd().map(Spd::policies).transpose());
    match listed {
        Ok(listed) => listed.map(|listed| listed.into_iter().map(|listed| listed.policy).collect()),
        Err(error) => {
            findings.problem("policies", error.to_string(), "run `sudo ipseckey doctor`");
            None
        }
    }
}
