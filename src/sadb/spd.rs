//! The security policy database (RFC 4301 section 4.4.1): which packets must go through which SAs.

use super::SadbError;
use crate::policy::{ListedPolicy, Policy, PolicyId};

/// A security policy database that a program may change. Where the system's own tools alone do that (illumos: ipsecconf(8),
/// svc:/network/ipsec/policy), there is none.
pub trait Spd {
    /// All policies, those of single sockets excepted.
    ///
    /// # Errors
    /// [`SadbError`], as for every function here.
    fn policies(&mut self) -> Result<Vec<ListedPolicy>, SadbError>;

    /// Adds policies; the outcomes are in the same order. One whose name is taken is refused, and what has the name stays.
    fn insert(&mut self, policies: &[Policy]) -> Vec<Result<(), SadbError>>;

    /// Puts policies in the places of those that have their names, without a moment of neither. The outcomes are in the same
    /// order.
    fn replace(&mut self, policies: &[Policy]) -> Vec<Result<(), SadbError>>;

    /// Removes policies; the outcomes are in the same order.
    fn remove(&mut self, names: &[PolicyId]) -> Vec<Result<(), SadbError>>;
}
