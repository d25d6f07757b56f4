//! The sequence number state of an SA, for the time after the SA is gone.

use crate::reconcile::compare::keys_fingerprint;
use crate::reconcile::fingerprint::FingerprintKey;
use crate::reconcile::live::ActualSa;
use crate::reconcile::sequence::Counters;
use crate::sa::{Message, SaId};

/// The sequence numbers of an SA with certain keys.
pub(crate) struct SequenceSnapshot {
    pub(crate) id: SaId,
    pub(crate) counters: Counters,
    /// The fingerprint of both keys: with other keys the sequence numbers start again.
    pub(crate) keys: String,
}

impl SequenceSnapshot {
    /// From a description of an SA; `None` if it has protected no packet.
    #[must_use]
    pub(crate) fn of(message: &Message, fingerprint_key: FingerprintKey) -> Option<Self> {
        if Counters::of(message) == Counters::default() {
            return None;
        }
        Some(Self::of_actual(&ActualSa::of(message)?, fingerprint_key))
    }

    pub(super) fn of_actual(actual: &ActualSa, fingerprint_key: FingerprintKey) -> Self {
        Self { id: actual.id, counters: actual.counters, keys: keys_fingerprint(&actual.request, fingerprint_key) }
    }
}
