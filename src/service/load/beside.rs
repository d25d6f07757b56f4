//! Warnings about SAs and policies of other programs that are in the way of the service's.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::file_sas::FileSa;
use super::{Loader, Target};
use crate::policy::PolicySa;
use crate::policy::reqid::{may_share, shared};
use crate::sa::{SaId, SaType};
use crate::sadb::SadbError;
use crate::service::log::event;

impl Loader<'_> {
    /// With `policy = "from-sas"`: warns of objects of other programs that take packets of `sas`, or lose packets to them. Best
    /// effort: without a list there is no warning.
    pub(super) fn warn_of_neighbours(&mut self, sas: &[FileSa], target: &mut Target) {
        if self.config.protection.from_sas {
            self.warn_of_shared_reqids(sas, target);
        }
    }

    fn warn_of_shared_reqids(&mut self, sas: &[FileSa], target: &mut Target) {
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
