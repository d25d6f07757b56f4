//! Access to the security policy database (RFC 4301 section 4.4.1).

use super::SadbError;
use crate::policy::{ListedPolicy, Policy, PolicyDirection, PolicyId};

/// An SPD that this program can change. On illumos only ipsecconf(8) and svc:/network/ipsec/policy do, so that no backend for
/// it implements this trait.
pub(crate) trait Spd {
    /// All policies except those of single sockets.
    ///
    /// # Errors
    /// [`SadbError`], as for every function here.
    fn policies(&mut self) -> Result<Vec<ListedPolicy>, SadbError>;

    /// The directions in which packets without a policy are dropped.
    fn blocked_by_default(&mut self) -> Result<Vec<PolicyDirection>, SadbError> {
        Ok(Vec::new())
    }

    /// Adds policies and returns the outcome of each, in order. A policy with the same identity is kept, and the new one
    /// refused with EEXIST.
    fn insert(&mut self, policies: &[Policy]) -> Vec<Result<(), SadbError>>;

    /// Atomically replaces the policies with these identities, or adds them. Returns the outcome of each, in order.
    fn replace(&mut self, policies: &[Policy]) -> Vec<Result<(), SadbError>>;

    /// Removes policies and returns the outcome of each, in order.
    fn remove(&mut self, ids: &[PolicyId]) -> Vec<Result<(), SadbError>>;
}
