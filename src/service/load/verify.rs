//! Compares the SADB with the keys file after a load.

use super::outcome::{Applied, Failure};
use super::{Loader, Target};
use crate::reconcile;
use crate::service::exit::Reason;
use crate::service::log::event;

impl Loader<'_> {
    /// Logs each SA that is missing or differs. The kernel may have accepted a value that it does not support, or another
    /// program may have changed the SA.
    pub(super) fn verify(&mut self, applied: &Applied, target: &mut Target) -> Result<(), Failure> {
        let Some(goal) = &applied.goal else { return Ok(()) };
        let key = self.fingerprint_key()?;
        let differing = reconcile::verify(goal, &mut *target.sadb, key).map_err(|error| self.fail_sadb(&error))?;
        let failures = differing.iter().map(|step| self.fail(Reason::Refused, &event::load::sa_differs(step)));
        failures.last().map_or(Ok(()), Err)
    }
}
