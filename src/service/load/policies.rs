//! `policy = "from-sas"`: the service's policies are installed before its SAs, and stale ones are removed after them.

use std::collections::HashSet;
use std::net::IpAddr;

use super::file_sas::{FileSa, derive_policies, file_sas};
use super::keys::FileCommand;
use super::outcome::{Failure, LoadOutcome};
use super::pending::PendingPolicies;
use super::{Loader, Target};
use crate::policy::derive::{Derived, NoPolicy};
use crate::sadb::SadbError;
use crate::service::exit::Reason;
use crate::service::log::event;
use crate::service::records::owned_policies::{Installation, OwnedPolicies};
use crate::sys::net::interfaces::local_addresses;

const NO_SPD: &str = "policy = \"from-sas\": this SADB has no policies; expected sadb = \"xfrm\": run `modprobe xfrm_user`";

/// The service's policies after installation.
#[derive(Default)]
pub(super) struct InstalledPolicies {
    /// `None` if there is nothing to remove.
    stale: Option<(OwnedPolicies, Derived)>,
    is_incomplete: bool,
}

impl InstalledPolicies {
    /// Fails if a policy could not be installed, which is logged: the SAs are loaded nevertheless.
    pub(super) fn require_complete(&self) -> Result<(), Failure> {
        if self.is_incomplete { Err(Failure { reason: Reason::Refused, text: None }) } else { Ok(()) }
    }
}

impl Loader<'_> {
    /// The SAs whose policies the service installs: none unless `policy = "from-sas"`.
    pub(super) fn sas_for_policies(&self, commands: &mut [FileCommand]) -> Vec<FileSa> {
        if self.config.protection.from_sas { file_sas(commands) } else { Vec::new() }
    }

    /// Installs the policies for `sas`. Those of earlier loads stay until [`Self::remove_stale_policies`].
    pub(super) fn install_policies(
        &mut self,
        sas: Vec<FileSa>,
        target: &mut Target,
        outcome: &mut LoadOutcome,
    ) -> Result<InstalledPolicies, Failure> {
        let desired = self.derive_and_warn(&sas)?;
        outcome.pending = PendingPolicies::of(sas, &desired);
        self.install(desired, target)
    }

    /// Installs the policies of SAs whose address has appeared, and returns the SAs that still wait. No policy is removed when an
    /// address disappears: its packets would pass in the clear.
    ///
    /// # Errors
    /// Those of a load; which SAs wait is lost then.
    pub(crate) fn install_pending(&mut self, pending: PendingPolicies) -> Result<Option<PendingPolicies>, Failure> {
        // Before the lock: most changes of addresses do not concern these SAs.
        let local = self.local_addresses()?;
        if !pending.is_ready(&local) {
            return Ok(Some(pending));
        }
        let _lock = self.lock()?;
        let mut target = self.open()?;
        let (installed, pending) = self.install_pending_policies(pending.sas, &local, &mut target)?;
        installed.require_complete().map(|()| pending)
    }

    /// Like [`Self::install_policies`], for loaded SAs whose address appeared later. SAs still without one were reported before.
    fn install_pending_policies(
        &mut self,
        sas: Vec<FileSa>,
        local: &HashSet<IpAddr>,
        target: &mut Target,
    ) -> Result<(InstalledPolicies, Option<PendingPolicies>), Failure> {
        let desired = derive_policies(&sas, local);
        self.warn_without_policy(&sas, desired.without.iter().filter(|(_, why)| *why != NoPolicy::UnknownDirection));
        let pending = PendingPolicies::of(sas, &desired);
        Ok((self.install(desired, target)?, pending))
    }

    fn install(&mut self, desired: Derived, target: &mut Target) -> Result<InstalledPolicies, Failure> {
        let from_sas = self.config.protection.from_sas;
        let Some(mut owned) = self.owned_policies()? else { return Ok(InstalledPolicies::default()) };
        // After a change to policy = "none" those of the last load are still to be removed.
        if !from_sas && owned.is_empty() {
            return Ok(InstalledPolicies::default());
        }
        let Some(spd) = target.sadb.spd() else {
            return if from_sas { Err(self.fail_no_spd()) } else { Ok(InstalledPolicies::default()) };
        };
        let installation = owned.install(&desired, spd).map_err(|error| self.fail_sadb(&error))?;
        self.report_installation(&installation);
        // Without desired policies the record may have entries of policies that another program removed.
        let has_stale = !installation.steps.remove.is_empty() || desired.policies.is_empty();
        Ok(InstalledPolicies { is_incomplete: !installation.is_complete(), stale: has_stale.then_some((owned, desired)) })
    }

    /// The record of the service's policies; `None` for an SADB that has no runtime directory.
    pub(super) fn owned_policies(&mut self) -> Result<Option<OwnedPolicies>, Failure> {
        let owned = self.config.state.as_deref().map(OwnedPolicies::read).transpose();
        owned.map_err(|error| self.fail_sadb(&error))
    }

    /// The policies for `sas`, and warnings for SAs that have none.
    pub(super) fn derive_and_warn(&mut self, sas: &[FileSa]) -> Result<Derived, Failure> {
        // Systems without policies need not list their addresses.
        if sas.is_empty() {
            return Ok(Derived::default());
        }
        let local = self.local_addresses()?;
        let desired = derive_policies(sas, &local);
        self.warn_without_policy(sas, desired.without.iter());
        Ok(desired)
    }

    fn local_addresses(&mut self) -> Result<HashSet<IpAddr>, Failure> {
        local_addresses().map_err(|error| self.fail(Reason::Other, &event::policy::no_addresses(&error)))
    }

    /// One warning for each reason: a file may have thousands of SAs.
    fn warn_without_policy<'s>(&mut self, sas: &[FileSa], without: impl Iterator<Item = &'s (usize, NoPolicy)>) {
        let mut by_reason: Vec<(NoPolicy, Vec<u32>)> = Vec::new();
        for (at, why) in without {
            let line = sas.get(*at).map_or(0, |(line, _)| *line);
            match by_reason.iter_mut().find(|(other, _)| other.has_same_text(*why)) {
                Some((_, lines)) => lines.push(line),
                None => by_reason.push((*why, vec![line])),
            }
        }
        for (why, mut lines) in by_reason {
            // A command with several targets occurs once for each.
            lines.dedup();
            self.log.event(&event::policy::no_policy(&lines, why, self.is_daemon));
        }
    }

    fn report_installation(&mut self, installation: &Installation) {
        let Installation { steps, refused, missing } = installation;
        let (added, replaced) = (steps.add.len(), steps.replace.len());
        if added + replaced > 0 {
            // Refused policies are among the steps.
            let added = added - refused.len().min(added);
            self.log.event(&event::policy::installed(added, replaced, steps.kept));
        }
        steps.conflicts.iter().for_each(|id| self.log.event(&event::policy::conflict(id)));
        refused.iter().for_each(|(id, error)| self.log.event(&event::policy::refused(id, error)));
        missing.iter().for_each(|id| self.log.event(&event::policy::missing(id)));
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

    /// Removes the service's policies, unless `on_stop = "closed"`.
    pub(super) fn remove_all_policies(&mut self, target: &mut Target) -> Result<(), Failure> {
        let Some(mut owned) = self.owned_policies()?.filter(|owned| !owned.is_empty()) else { return Ok(()) };
        if self.config.protection.keep_on_stop {
            self.log.event(&event::policy::kept());
            return Ok(());
        }
        self.remove_all_but(&Derived::default(), &mut owned, target)
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
