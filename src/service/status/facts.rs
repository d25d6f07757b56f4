//! The facts about a loaded service: its records, the SADB, the policies and the keys file as they are now.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::expired::ExpiredSa;
use super::sas::{Listing, Sas};
use super::state;
use super::unmatched::Unmatched;
use crate::policy::ListedPolicy;
use crate::policy::coverage::{Coverage, NotLocalSas, UnprotectedSas};
use crate::policy::derive::Rules;
use crate::reconcile::{self, FingerprintKey, Goal, Mismatch, StepKind};
use crate::redact::without_hex_runs;
use crate::sa::SaId;
use crate::sadb::{Sadb, SadbError, SadbTarget};
use crate::service::config::service_reqid;
use crate::service::exit::Reason;
use crate::service::load::file_sas::{FileSa, derive_policies, file_sas};
use crate::service::load::{encap_ports, keys};
use crate::service::records::owned_policies::{LostPolicy, OwnedPolicies};
use crate::service::records::owned_sas::OwnedSas;
use crate::sys::fs::keys_file::{self, FileOrigin};
use crate::sys::net::interfaces::local_addresses;

/// Seconds that a change of keys may take.
const SETTLING: u64 = 10;

/// What is known about a loaded service. Without a keys file that can be read only the records are compared.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) now: u64,
    /// Seconds before an expiry.
    pub(super) warn: u64,
    /// Whether the service installs policies.
    pub(super) from_sas: bool,
    /// Those of the policies that it installs.
    pub(super) rules: Rules,
    pub(super) file: Option<PathBuf>,
    /// The start of a command line of `ipseckey` for the SADB.
    pub(super) ipseckey: String,
    /// Whether the content of the keys file differs from the loaded one; `None` if that is unknown.
    pub(super) changed: Option<bool>,
    pub(super) sas: Sas,
    /// SAs that the SADB has with other values than the keys file.
    pub(super) differing: Vec<String>,
    /// Those that the SADB has removed, and those that it will remove in its next pass.
    pub(super) expired: Vec<ExpiredSa>,
    /// Missing SAs that have not expired.
    pub(super) lost_sas: usize,
    /// Policies of the service that are not installed, or not as the service installed them.
    pub(super) lost_policies: Vec<LostPolicy>,
    pub(super) unprotected: Option<UnprotectedSas>,
    pub(super) not_local: Option<NotLocalSas>,
    /// When the SAs of the key chains change next, in seconds since 1970.
    pub(super) next_change: Option<u64>,
    /// When the first of the key chains ends, in seconds since 1970.
    pub(super) chain_end: Option<u64>,
    /// The number of the present key, from 1, and the number of keys: of the chain that ends first.
    pub(super) key: Option<(usize, usize)>,
    /// UDP ports of SAs with ESP in UDP on which no program receives.
    pub(super) unbound_ports: Vec<u16>,
    /// The port that the daemon has, and the IKE daemons that cannot use it.
    pub(super) ike_port: Option<(u16, Vec<String>)>,
}

/// The loaded keys file, parsed.
struct LoadedFile {
    sas: Vec<FileSa>,
    goal: Option<Goal>,
    unbound_ports: Vec<u16>,
}

/// Why something is unknown, and the exit status for it.
pub(super) type Unknown = (Reason, String);

impl Facts {
    /// Collects the facts about the service with the records in `directory`. Facts that only concern a part are left out if
    /// they cannot be had, and `unknown` gets the reason.
    ///
    /// # Errors
    /// If the SADB or a record of it cannot be read.
    pub(super) fn gather(
        &mut self,
        target: &SadbTarget,
        directory: &Path,
        unknown: &mut Vec<String>,
    ) -> Result<(), Unknown> {
        self.ipseckey = target.command("ipseckey");
        let file = self.read_file(target, directory).unwrap_or_else(|why| {
            unknown.push(format!("whether the keys file has changed: {why}"));
            None
        });
        let owned = OwnedSas::read(directory).map_err(explain)?;
        let mut sadb = target.open().map_err(explain)?;
        let listing = Listing::read(&owned, &mut *sadb, self.now).map_err(explain)?;
        self.sas = listing.sas;
        let missing: Vec<SaId> = owned.ids().filter(|id| !listing.own_ids.contains(id)).collect();
        self.sas.missing = missing.len();
        self.expired = listing.expired;
        let mut removed = Vec::new();
        if let Some(LoadedFile { goal: Some(goal), .. }) = &file {
            self.compare_sas(goal, &mut *sadb)?;
            removed = missing.iter().filter_map(|id| expired(goal, *id, &owned, self.now)).collect();
        }
        self.lost_sas = self.sas.missing.saturating_sub(removed.len());
        self.expired.extend(removed);
        self.unbound_ports = file.as_ref().map(|file| file.unbound_ports.clone()).unwrap_or_default();
        if let Some(spd) = sadb.spd() {
            let policies = OwnedPolicies::read(directory).map_err(explain)?;
            let installed = spd.policies().map_err(explain)?;
            self.sas.unmatched = Some(Unmatched::among(&listing.own, &installed, &|listed| policies.owns(listed)));
            let local = local_addresses().map_err(|error| (Reason::Other, format!("this system's addresses: {error}")))?;
            self.lost_policies = self.lost(&policies, &installed, file.as_ref().map(|file| &*file.sas), &local);
            let mut coverage = Coverage::new(installed.into_iter().map(|listed| listed.policy).collect(), local);
            listing.own.iter().for_each(|sa| coverage.note(sa));
            let (unprotected, not_local) = coverage.finish();
            (self.unprotected, self.not_local) = (Some(unprotected), Some(not_local));
        }
        Ok(())
    }

    /// The keys file, if its content is the loaded one and it can be read.
    fn read_file(&mut self, target: &SadbTarget, directory: &Path) -> io::Result<Option<LoadedFile>> {
        let (Some(path), Some(loaded)) = (&self.file, state::loaded_digest(directory)?) else { return Ok(None) };
        // Findings about its permissions are those of the load.
        let read = keys_file::read(path, FileOrigin::User).map_err(io::Error::other)?;
        self.changed = Some(!loaded.matches(&read.contents));
        if self.changed == Some(true) {
            return Ok(None);
        }
        let Ok(mut commands) = keys::parse(&read.contents, target.vocabulary(), service_reqid(self.from_sas)) else {
            return Ok(None);
        };
        drop(read.contents);
        let unbound_ports = encap_ports::unbound(&encap_ports::encap_ports(&commands), target).collect();
        let sas = file_sas(&mut commands);
        let settled = keys::next_change(&commands, self.now.saturating_sub(SETTLING));
        let at = keys::at(commands, self.now).ok();
        if let Some(at) = &at {
            (self.next_change, self.chain_end, self.key) = (at.next_change, at.end, at.progress);
        }
        // While keys change, neither the old nor the new state is a fault.
        let is_settled = settled.is_none_or(|change| change > self.now);
        let goal = at.filter(|_| is_settled).and_then(|at| keys::goal(at.commands).ok());
        Ok(Some(LoadedFile { sas, goal, unbound_ports }))
    }

    fn compare_sas(&mut self, goal: &Goal, sadb: &mut dyn Sadb) -> Result<(), Unknown> {
        let key = FingerprintKey::random().map_err(|error| (Reason::Other, format!("no random numbers: {error}")))?;
        let steps = reconcile::verify(goal, sadb, key).map_err(explain)?;
        let is_missing = |kind: StepKind| kind == StepKind::Add;
        self.sas.missing = steps.iter().filter(|step| is_missing(step.kind)).count();
        let differing = steps.iter().filter(|step| !is_missing(step.kind));
        self.differing = differing.map(|step| Mismatch(step).to_string()).collect();
        Ok(())
    }

    /// The policies that the service should have: with a keys file those that its SAs need, otherwise those of the record.
    fn lost(
        &self,
        policies: &OwnedPolicies,
        installed: &[ListedPolicy],
        sas: Option<&[FileSa]>,
        local: &HashSet<std::net::IpAddr>,
    ) -> Vec<LostPolicy> {
        match sas.filter(|_| self.from_sas) {
            Some(sas) => policies.lost(&derive_policies(sas, local, self.rules), installed),
            None => policies.unlisted(installed),
        }
    }
}

/// The missing SA `id`, if its hard lifetime is over.
fn expired(goal: &Goal, id: SaId, owned: &OwnedSas, now: u64) -> Option<ExpiredSa> {
    let hard = goal.get(&id)?.request.hard.as_ref()?.addtime;
    ExpiredSa::new(id, owned.added_at(id)?, hard, now)
}

fn explain(error: SadbError) -> Unknown {
    (Reason::of_sadb_error(&error), format!("the SAs in the SADB: {}", without_hex_runs(&error.to_string())))
}
