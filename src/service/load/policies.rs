//! `policy = "from-sas"`: the service's policies are installed before its SAs, and stale ones are removed after them.

use std::collections::HashSet;
use std::net::IpAddr;

use super::file_sas::{FileSa, derive_policies, file_sas};
use super::keys::FileCommand;
use super::outcome::{Failure, LoadOutcome};
use super::{Loader, Target};
use crate::policy::PolicyId;
use crate::policy::derive::{Derived, NoPolicy};
use crate::sa::SaId;
use crate::sadb::SadbError;
use crate::service::config::dirs;
use crate::service::exit::Reason;
use crate::service::log::event::load::AfterStop;
use crate::service::log::event::{self, Event};
use crate::service::records::owned_policies::{Installation, OwnedPolicies};
use crate::sys::net::interfaces::local_addresses;

const NO_SPD: &str = "policy = \"from-sas\": this SADB has no policies; expected sadb = \"xfrm\": run `modprobe xfrm_user`";

/// The service's policies after installation.
#[derive(Default)]
pub(super) struct InstalledPolicies {
    /// `None` if there is nothing to remove.
    stale: Option<(OwnedPolicies, Derived)>,
    /// Policies that could not be installed.
    failed: usize,
    /// Of these, those whose identities policies of other programs have.
    occupied: Vec<PolicyId>,
    /// Positions of the SAs that wait for a local address.
    pub(super) waiting: Vec<usize>,
}

impl Loader<'_> {
    /// The SAs of the keys file, if the SADB has policies that may use them.
    pub(super) fn sas_to_protect(&self, commands: &mut [FileCommand], target: &mut Target) -> Vec<FileSa> {
        // Of a stand-in for the system's SADB nothing is protected.
        let has_policies = self.config.state.is_some() && target.sadb.spd().is_some();
        if has_policies || self.config.protection.from_sas { file_sas(commands) } else { Vec::new() }
    }

    /// With `policy = "from-sas"` installs the policies for `sas`. Those of earlier loads stay until
    /// [`Self::remove_stale_policies`].
    pub(super) fn install_policies(&mut self, sas: &[FileSa], target: &mut Target) -> Result<InstalledPolicies, Failure> {
        let desired = if self.config.protection.from_sas { self.derive_and_warn(sas)? } else { Derived::default() };
        let waiting = desired.provisional.clone();
        Ok(InstalledPolicies { waiting, ..self.install(desired, target)? })
    }

    /// Installs the policies of SAs whose address has appeared, and updates `outcome`; returns whether it has changed. No policy is
    /// removed when an address disappears: its packets would pass in the clear.
    ///
    /// # Errors
    /// Those of a load.
    pub(crate) fn install_pending(&mut self, outcome: &mut LoadOutcome) -> Result<bool, Failure> {
        if outcome.loaded.waiting.is_empty() {
            return Ok(false);
        }
        // Before the lock: most changes of addresses do not concern these SAs.
        let local = self.local_addresses()?;
        if !outcome.loaded.is_ready(&local) {
            return Ok(false);
        }
        let _lock = self.lock()?;
        let mut target = self.open()?;
        let installed = self.install_pending_policies(&outcome.loaded.sas, &local, &mut target)?;
        self.require_all(&installed, outcome)?;
        outcome.unprotected = self.assess(&outcome.loaded.sas, &mut target)?;
        outcome.loaded.waiting = installed.waiting;
        self.report_state(outcome);
        self.report_occupied(outcome);
        Ok(true)
    }

    /// Like [`Self::install_policies`], for loaded SAs whose address appeared later. SAs still without one were reported before.
    fn install_pending_policies(
        &mut self,
        sas: &[FileSa],
        local: &HashSet<IpAddr>,
        target: &mut Target,
    ) -> Result<InstalledPolicies, Failure> {
        let desired = derive_policies(sas, local, self.config.protection.rules);
        self.warn_without_policy(sas, desired.without.iter().filter(|(_, why)| *why != NoPolicy::UnknownDirection));
        let waiting = desired.provisional.clone();
        Ok(InstalledPolicies { waiting, ..self.install(desired, target)? })
    }

    /// Fails if a policy could not be installed; the SAs are loaded nevertheless. A daemon waits for the places that policies of
    /// other programs have: see [`Self::take_places`].
    pub(super) fn require_all(&mut self, installed: &InstalledPolicies, outcome: &mut LoadOutcome) -> Result<(), Failure> {
        let waits = self.is_daemon && self.config.repair && installed.failed == installed.occupied.len();
        if installed.failed > 0 && !waits {
            return Err(self.fail(Reason::Refused, &event::policy::incomplete(installed.failed)));
        }
        outcome.loaded.occupied.clone_from(&installed.occupied);
        self.report_occupied(outcome);
        Ok(())
    }

    /// The state of a daemon that waits for places.
    fn report_occupied(&mut self, outcome: &mut LoadOutcome) {
        let occupied = &outcome.loaded.occupied;
        if let Some(first) = occupied.first() {
            let event = event::policy::occupied(occupied.len(), first);
            self.log.event(&event);
            outcome.degrade(&event);
        }
    }

    /// Installs the policies whose places other programs have left since the load, and updates `outcome`; returns whether there are
    /// any.
    ///
    /// # Errors
    /// Those of a load.
    pub(crate) fn take_places(&mut self, outcome: &mut LoadOutcome) -> Result<bool, Failure> {
        if outcome.loaded.occupied.is_empty() {
            return Ok(false);
        }
        let _lock = self.lock()?;
        let mut target = self.open()?;
        let local = self.local_addresses()?;
        let mut desired = derive_policies(&outcome.loaded.sas, &local, self.config.protection.rules);
        desired.policies.retain(|policy| outcome.loaded.occupied.contains(&policy.id));
        let (Some(mut owned), Some(spd)) = (self.owned_policies()?, target.sadb.spd()) else { return Ok(false) };
        let installation = owned.install(&desired, spd).map_err(|error| self.fail_sadb(&error))?;
        let before = outcome.loaded.occupied.len();
        outcome.loaded.occupied.clone_from(&installation.steps.conflicts);
        if outcome.loaded.occupied.len() == before {
            return Ok(false);
        }
        self.report_installation(&installation);
        outcome.unprotected = self.assess(&outcome.loaded.sas, &mut target)?;
        self.report_state(outcome);
        self.report_occupied(outcome);
        Ok(true)
    }

    /// Installs the policies `desired`. Others of the service stay until [`Self::remove_stale_policies`].
    pub(super) fn install(&mut self, desired: Derived, target: &mut Target) -> Result<InstalledPolicies, Failure> {
        let from_sas = self.config.protection.from_sas;
        let Some(mut owned) = self.owned_policies()? else { return Ok(InstalledPolicies::default()) };
        // After a change to policy = "none" those of the last load are still to be removed.
        if !from_sas && owned.is_empty() && desired.policies.is_empty() {
            return Ok(InstalledPolicies::default());
        }
        let Some(spd) = target.sadb.spd() else {
            return if from_sas { Err(self.fail_no_spd()) } else { Ok(InstalledPolicies::default()) };
        };
        let installation = owned.install(&desired, spd).map_err(|error| self.fail_sadb(&error))?;
        self.report_installation(&installation);
        // Without desired policies the record may have entries of policies that another program removed.
        let has_stale = !installation.steps.remove.is_empty() || desired.policies.is_empty();
        let stale = has_stale.then_some((owned, desired));
        let failed = installation.failures();
        Ok(InstalledPolicies { failed, stale, occupied: installation.steps.conflicts, waiting: Vec::new() })
    }

    /// The record of the service's policies; `None` for an SADB that has no runtime directory.
    pub(super) fn owned_policies(&mut self) -> Result<Option<OwnedPolicies>, Failure> {
        let owned = self.config.state.as_deref().map(OwnedPolicies::read).transpose();
        owned.map_err(|error| self.fail_sadb(&error))
    }

    /// The policies for `sas`, and warnings for SAs that have none.
    pub(super) fn derive_and_warn(&mut self, sas: &[FileSa]) -> Result<Derived, Failure> {
        // Systems without policies need not list their addresses.
        if sas.is_empty() && self.config.protection.rules.protect.is_empty() {
            return Ok(Derived::default());
        }
        let local = self.local_addresses()?;
        let desired = derive_policies(sas, &local, self.config.protection.rules);
        self.warn_without_policy(sas, desired.without.iter());
        self.report_sas(sas, &desired.one_way_groups, event::policy::one_way_group);
        self.report_sas(sas, &desired.of_raw_sockets, event::policy::of_raw_sockets);
        self.report_sas(sas, &desired.shadowed_groups, event::policy::shadowed_group);
        self.report_sas(sas, &desired.unused_outbound, event::policy::unused_outbound);
        Ok(desired)
    }

    /// Logs one event about the SAs at `positions`, if there are any.
    fn report_sas(&mut self, sas: &[FileSa], positions: &[usize], event: fn(&[u32], &[SaId]) -> Event) {
        let found: Vec<&FileSa> = positions.iter().filter_map(|at| sas.get(*at)).collect();
        if !found.is_empty() {
            let (lines, names) = lines_and_names(&found);
            self.log.event(&event(&lines, &names));
        }
    }

    pub(super) fn local_addresses(&mut self) -> Result<HashSet<IpAddr>, Failure> {
        local_addresses().map_err(|error| self.fail(Reason::Other, &event::policy::no_addresses(&error)))
    }

    /// One warning for each reason: a file may have thousands of SAs.
    fn warn_without_policy<'s>(&mut self, sas: &[FileSa], without: impl Iterator<Item = &'s (usize, NoPolicy)>) {
        let mut by_reason: Vec<(NoPolicy, Vec<&FileSa>)> = Vec::new();
        for (at, why) in without {
            let Some(sa) = sas.get(*at) else { continue };
            match by_reason.iter_mut().find(|(other, _)| other.has_same_text(*why)) {
                Some((_, found)) => found.push(sa),
                None => by_reason.push((*why, vec![sa])),
            }
        }
        for (why, found) in by_reason {
            let (lines, names) = lines_and_names(&found);
            self.log.event(&event::policy::no_policy(&lines, &names, why, self.is_daemon));
        }
    }

    fn report_installation(&mut self, installation: &Installation) {
        let Installation { steps, refused, missing, misread, left } = installation;
        let (added, replaced) = (steps.add.len(), steps.replace.len());
        if added + replaced > 0 {
            // Refused and misread policies are among the steps.
            let added = added.saturating_sub(refused.len() + misread.len());
            self.log.event(&event::policy::installed(added, replaced, steps.kept));
        }
        steps.conflicts.iter().for_each(|id| self.log.event(&event::policy::conflict(id)));
        refused.iter().for_each(|(id, error)| self.log.event(&event::policy::refused(id, error)));
        missing.iter().for_each(|id| self.log.event(&event::policy::missing(id)));
        misread.iter().for_each(|id| self.log.event(&event::policy::misread(id)));
        left.iter().for_each(|id| self.log.event(&event::policy::left(id)));
    }

    /// Removes the service's policies that the keys file does not need any more.
    pub(super) fn remove_stale_policies(
        &mut self,
        mut installed: InstalledPolicies,
        target: &mut Target,
    ) -> Result<InstalledPolicies, Failure> {
        if let Some((mut owned, desired)) = installed.stale.take() {
            self.remove_all_but(&desired, &mut owned, target)?;
        }
        Ok(installed)
    }

    /// Removes the service's policies, unless they are to remain after a stop.
    pub(super) fn policies_after_stop(&mut self, target: &mut Target) -> Result<AfterStop<'_>, Failure> {
        let owned = self.owned_policies()?.filter(|owned| !owned.is_empty());
        let Some(mut owned) = owned else { return Ok(AfterStop::NoPolicies) };
        if self.config.protection.keep_on_stop {
            self.log.event(&event::policy::kept());
            let instance = self.config.state.as_deref().and_then(dirs::instance_of);
            return Ok(AfterStop::Kept { instance });
        }
        self.remove_all_but(&Derived::default(), &mut owned, target)?;
        Ok(AfterStop::Removed)
    }

    fn remove_all_but(&mut self, desired: &Derived, owned: &mut OwnedPolicies, target: &mut Target) -> Result<(), Failure> {
        let Some(spd) = target.sadb.spd() else { return Ok(()) };
        match owned.remove_stale(desired, spd) {
            Ok(0) => Ok(()),
            Ok(removed) => {
                self.log.event(&event::policy::removed(removed));
                Ok(())
            }
            Err(error) => Err(self.fail_sadb(&error)),
        }
    }

    pub(super) fn fail_no_spd(&mut self) -> Failure {
        self.fail_sadb(&SadbError::Unsupported(NO_SPD.to_owned()))
    }
}

/// The lines of the commands that add `sas`, and the identities of the SAs.
fn lines_and_names(sas: &[&FileSa]) -> (Vec<u32>, Vec<SaId>) {
    let mut lines: Vec<u32> = sas.iter().map(|(line, _)| *line).collect();
    // A command with several targets occurs once for each.
    lines.dedup();
    (lines, sas.iter().map(|(_, sa)| sa.id).collect())
}
