//! A plan and its steps.

use crate::reconcile::fingerprint::FingerprintKey;
use crate::reconcile::live::ActualSa;
use crate::reconcile::sequence::Counters;
use crate::reconcile::snapshot::SequenceSnapshot;
use crate::sa::{Request, SERVICE_REQID, SaId, SaType, Spi};
use crate::sadb::PairScope;

/// The kinds of steps, in the order in which a plan has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StepKind {
    Add,
    /// Changes an SA in place.
    Update,
    /// Removes an SA and adds it again, atomically if the SADB can: for values that cannot be changed in place.
    Replace,
    Remove,
}

impl StepKind {
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }
}

/// A value that differs between the keys file and the SADB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) field: &'static str,
    /// The actual value; the fingerprint of a key.
    pub(crate) from: String,
    pub(crate) to: String,
}

/// One step of a plan.
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    /// First line of the command that defines the SA; `None` for a removal.
    pub(crate) line: Option<u32>,
    /// Boxed, because plans with 100,000 steps are sorted.
    pub(crate) change: Box<SaChange>,
}

/// The change of one SA.
pub(crate) struct SaChange {
    pub(crate) id: SaId,
    pub(crate) differences: Vec<Difference>,
    pub(crate) is_inbound: bool,
    /// The addition or the update; `None` for a removal.
    pub(crate) request: Option<Request>,
    /// The SA before the step; `None` for an addition.
    pub(crate) actual: Option<ActualSa>,
}

impl SaChange {
    /// Whether the SA only lacks the reqid of the service: `ipseckey` has added it from the same file, before the service's policies
    /// were there.
    pub(crate) fn lacks_reqid(&self) -> bool {
        let of_request = self.request.as_ref().map(|request| request.linux.reqid);
        let of_actual = self.actual.as_ref().map(|actual| actual.request.linux.reqid);
        let is_only_difference = matches!(&*self.differences, [Difference { field: "reqid", .. }]);
        is_only_difference && (of_actual, of_request) == (Some(0), Some(SERVICE_REQID))
    }

    /// What an update of the SA changes. X_UPDATEPAIR also changes the other copy of an SA that illumos keeps in both of its
    /// tables; UPDATE does not, and the SA would end with the limits of the copy that it did not change.
    pub(super) fn reach(&self) -> PairScope {
        if self.actual.as_ref().is_some_and(ActualSa::may_have_copy) { PairScope::Pair } else { PairScope::One }
    }
}

impl Step {
    /// The identity of the SA that the step changes.
    #[must_use]
    pub(crate) fn id(&self) -> SaId {
        self.change.id
    }

    /// The key that steps are sorted by. Inbound SAs come before outbound ones, so that a peer's packets find their SA. Removals are
    /// the other way round: the peer may still be sending when this host has stopped.
    pub(super) fn order(&self) -> (StepKind, bool, Option<u32>, SaType, Spi, String) {
        // `false` sorts before `true`.
        let is_inbound = self.change.is_inbound;
        let is_later = if self.kind == StepKind::Remove { is_inbound } else { !is_inbound };
        let SaId { sa_type, spi, dst, .. } = self.change.id;
        (self.kind, is_later, self.line, sa_type, spi, dst.to_string())
    }
}

/// The steps from the actual to the desired state.
#[derive(Default)]
pub(crate) struct Plan {
    /// In the order of execution.
    pub(crate) steps: Vec<Step>,
    /// The number of SAs that need no step.
    pub(crate) kept: usize,
    /// The number of SAs that the file does not define and that are left unchanged.
    pub(crate) foreign: usize,
}

impl Plan {
    /// A plan of some steps of another one.
    pub(crate) fn of(steps: Vec<Step>) -> Self {
        Self { steps, ..Self::default() }
    }

    /// The sequence numbers of the SAs that the plan removes.
    pub(crate) fn removed(&self, fingerprint_key: FingerprintKey) -> impl Iterator<Item = SequenceSnapshot> {
        self.steps.iter().filter(|step| step.kind == StepKind::Remove).filter_map(move |step| {
            // An unused SA can start at 0 again.
            let actual = step.change.actual.as_ref().filter(|actual| actual.counters != Counters::default())?;
            Some(SequenceSnapshot::of_actual(actual, fingerprint_key))
        })
    }
}
