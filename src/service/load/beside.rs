//! Warnings about SAs and policies of other programs that are in the way of the service's.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::file_sas::FileSa;
use super::{Loader, Target};
use crate::policy::precedence::shadows;
use crate::policy::reqid::{may_share, shared};
use crate::policy::{ListedPolicy, Policy, PolicySa};
use crate::sa::{SaId, SaType};
use crate::sadb::{SadbError, Spd};
use crate::service::log::event;
use crate::service::records::owned_policies::OwnedPolicies;

impl Loader<'_> {
    /// With `policy = "from-sas"`: warns of objects of other programs that take packets of `sas`, or lose packets to them. Best
    /// effort: without a list there is no warning.
    pub(super) fn warn_of_neighbours(&mut self, sas: &[FileSa], target: &mut Target) {
        if !self.config.protection.from_sas {
            return;
        }
        self.warn_of_shared_reqids(sas, target);
        let Ok(Some(owned)) = self.owned_policies() else { return };
        let Some(Ok(installed)) = target.sadb.spd().map(Spd::policies) else { return };
        let own = installed.iter().filter(|listed| owned.owns(listed)).map(|listed| &listed.policy);
        self.warn_of_shadows(&own.collect::<Vec<_>>(), &installed, &owned);
    }

    /// Warns of policies in `installed` that are not the service's, and of policies `own`, that get no packets: one warning for each
    /// kind, with the first of them.
    pub(super) fn warn_of_shadows(&mut self, own: &[&Policy], installed: &[ListedPolicy], owned: &OwnedPolicies) {
        let foreign = installed.iter().filter(|listed| !owned.owns(listed)).map(|listed| &listed.policy);
        let found = shadows(own, &foreign.collect::<Vec<_>>());
        if let Some(first) = found.foreign.first() {
            self.log.event(&event::foreign::shadows(found.foreign.len(), first));
        }
        if let Some(first) = found.own.first() {
            self.log.event(&event::foreign::shadowed(found.own.len(), first));
        }
    }

    pub(super) fn warn_of_shared_reqids(&mut self, sas: &[FileSa], target: &mut Target) {
        let numbered: Vec<&FileSa> = sas.iter().filter(|(_, sa)| may_share(sa)).collect();
        // Most files have none, and a list of all SAs takes its time.
        if numbered.is_empty() {
            return;
        }
        let Ok(others) = others(sas, target) else { return };
        let own: Vec<&PolicySa> = numbered.iter().map(|(_, sa)| sa).collect();
        let mut reported = HashSet::new();
        // One for each reqid: a file may have thousands of SAs.
        for (at, other) in shared(&own, others.iter()).into_iter().filter(|(at, _)| reported.insert(own[*at].reqid)) {
            self.log.event(&event::foreign::shared_reqid(numbered[at].0, own[at].reqid, &other));
        }
    }
}

/// The SAs of the SADB that the keys file does not have.
fn others(sas: &[FileSa], target: &mut Target) -> Result<Vec<PolicySa>, SadbError> {
    let of_file: HashSet<SaId> = sas.iter().map(|(_, sa)| sa.id).collect();
    let mut others = Vec::new();
    target.sadb.dump(SaType::UNSPEC, &mut |message| {
        others.extend(PolicySa::of_message(message).filter(|sa| !of_file.contains(&sa.id)));
        ControlFlow::Continue(())
    })?;
    Ok(others)
}
