//! Whether the SAs of the keys file protect traffic, after a load.

use super::file_sas::FileSa;
use super::outcome::Failure;
use super::{Loader, Target};
use crate::policy::coverage::{Coverage, UnprotectedSas};
use crate::service::log::event;

impl Loader<'_> {
    /// Compares `sas` with the policies that are installed. Warns of SAs without an address of this host, and returns those that
    /// no policy uses.
    pub(super) fn assess(&mut self, sas: &[FileSa], target: &mut Target) -> Result<Option<UnprotectedSas>, Failure> {
        let Some(spd) = target.sadb.spd().filter(|_| !sas.is_empty()) else { return Ok(None) };
        let listed = spd.policies().map_err(|error| self.fail_sadb(&error))?;
        let policies = listed.into_iter().map(|listed| listed.policy).collect();
        let mut coverage = Coverage::new(policies, self.local_addresses()?);
        sas.iter().for_each(|(_, sa)| coverage.note(sa));
        let (unprotected, not_local) = coverage.finish();
        if not_local.count > 0 {
            self.log.event(&event::policy::not_local(&not_local, self.is_daemon));
        }
        Ok(Some(unprotected).filter(|unprotected| unprotected.count > 0))
    }
}
