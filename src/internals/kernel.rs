//! What the tests in a real Linux kernel use of the library.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::faulty_sadb::FaultySadb;
use super::goal::goal;
use crate::names::Vocabulary;
use crate::policy::{ListedPolicy, Policy, PolicyAction};
use crate::reconcile::{self, FingerprintKey, PlanOptions, PlanScope};
use crate::sadb::{Sadb, SadbError, Spd, Xfrm};
use crate::sys::net::netlink::NetlinkSocket;
use crate::sys::time::Deadline;

/// A NETLINK_XFRM socket of the library.
pub struct XfrmSocket(NetlinkSocket);

impl XfrmSocket {
    /// Opens one.
    ///
    /// # Errors
    /// Those of socket(2) and bind(2).
    pub fn open() -> io::Result<Self> {
        NetlinkSocket::xfrm(0).map(Self)
    }

    /// Its netlink port.
    #[must_use]
    pub fn port(&self) -> u32 {
        self.0.port()
    }

    /// The next datagram of the kernel, if one arrives within `time`.
    ///
    /// # Errors
    /// ENOBUFS if datagrams were lost, and those of recvmsg(2).
    pub fn receive(&mut self, time: Duration) -> io::Result<Option<Vec<u8>>> {
        let datagram = self.0.receive(&mut Deadline::after(time))?;
        Ok(datagram.map(|datagram| datagram.to_vec()))
    }
}

impl AsFd for XfrmSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The outcome of a reconciliation whose SADB may have refused a request.
pub struct Reconciled {
    /// The error, if it failed.
    pub error: Option<String>,
    /// Whether a request was refused.
    pub was_refused: bool,
    /// Whether no step is left that could not be undone.
    pub is_rolled_back: bool,
}

/// Reconciles the kernel's SAs with a keys file through an SADB that refuses the `nth` request for a change.
///
/// # Panics
/// If the keys file is wrong, or without XFRM.
#[must_use]
pub fn reconcile_with_refusal(keys: &str, nth: usize) -> Reconciled {
    let mut sadb = FaultySadb::new(Box::new(Xfrm::open().expect("XFRM")));
    let options = PlanOptions {
        scope: PlanScope::All,
        fingerprint_key: FingerprintKey::from_bytes([0; 16]),
        saved_counters: &|_, _| None,
    };
    let plan = reconcile::plan(&goal(keys, Vocabulary::Linux), &mut sadb, &options).expect("a plan");
    sadb.refuse(nth);
    let failed = reconcile::execute(plan, &mut sadb, &mut |_| {}).err();
    Reconciled {
        was_refused: !sadb.refusal_is_pending(),
        is_rolled_back: failed.as_ref().is_none_or(|failed| failed.not_restored.is_empty()),
        error: failed.map(|failed| failed.to_string()),
    }
}

/// A policy and when it was added.
#[derive(Clone)]
pub struct TestPolicy(ListedPolicy);

impl TestPolicy {
    /// The policy in the words of ip-xfrm(8).
    #[must_use]
    pub fn text(&self) -> String {
        self.0.policy.to_string()
    }

    /// Seconds since 1970 when it was added.
    #[must_use]
    pub fn added(&self) -> u64 {
        self.0.added
    }

    /// The same packets dropped, at another priority.
    #[must_use]
    pub fn blocking(&self, priority: u32) -> Self {
        let policy = Policy { action: PolicyAction::Block, priority, ..self.0.policy.clone() };
        Self(ListedPolicy { policy, added: self.0.added })
    }
}

/// Equal but for when they were added.
impl PartialEq for TestPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.0.policy == other.0.policy
    }
}

impl fmt::Debug for TestPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.policy)
    }
}

/// Why the SPD did not do something.
#[derive(Debug)]
pub struct SpdError {
    /// Whether the kernel refused it.
    pub is_refusal: bool,
    /// The text of the error.
    pub text: String,
}

impl From<SadbError> for SpdError {
    fn from(error: SadbError) -> Self {
        Self { is_refusal: matches!(error, SadbError::Refused { .. }), text: error.to_string() }
    }
}

/// The kernel's SPD as the library sees it.
pub struct TestSpd(Xfrm);

impl TestSpd {
    /// Opens it.
    ///
    /// # Panics
    /// Without XFRM.
    #[must_use]
    pub fn open() -> Self {
        Self(Xfrm::open().expect("opens"))
    }

    fn spd(&mut self) -> &mut dyn Spd {
        self.0.spd().expect("Linux has one")
    }

    /// All policies.
    ///
    /// # Panics
    /// If they cannot be listed.
    pub fn policies(&mut self) -> Vec<TestPolicy> {
        self.spd().policies().expect("is listed").into_iter().map(TestPolicy).collect()
    }

    /// Adds policies; the outcomes are in the same order.
    pub fn insert(&mut self, policies: &[TestPolicy]) -> Vec<Result<(), SpdError>> {
        outcomes(self.spd().insert(&owned(policies)))
    }

    /// Replaces policies; the outcomes are in the same order.
    pub fn replace(&mut self, policies: &[TestPolicy]) -> Vec<Result<(), SpdError>> {
        outcomes(self.spd().replace(&owned(policies)))
    }

    /// Removes policies; the outcomes are in the same order.
    pub fn remove(&mut self, policies: &[TestPolicy]) -> Vec<Result<(), SpdError>> {
        let names: Vec<_> = policies.iter().map(|policy| policy.0.policy.id).collect();
        outcomes(self.spd().remove(&names))
    }
}

fn owned(policies: &[TestPolicy]) -> Vec<Policy> {
    policies.iter().map(|policy| policy.0.policy.clone()).collect()
}

fn outcomes(outcomes: Vec<Result<(), SadbError>>) -> Vec<Result<(), SpdError>> {
    outcomes.into_iter().map(|outcome| outcome.map_err(SpdError::from)).collect()
}
