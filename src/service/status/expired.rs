//! SAs whose lifetime is over.

use crate::sa::SaId;

/// An SA whose hard lifetime in seconds since its addition has expired.
#[derive(Clone, Copy)]
pub(super) struct ExpiredSa {
    pub(super) id: SaId,
    /// In seconds since 1970.
    pub(super) at: u64,
    pub(super) hard_addtime: u64,
}

impl ExpiredSa {
    /// `None` if the lifetime has not expired at `now`, or there is none.
    pub(super) fn new(id: SaId, added: u64, hard_addtime: u64, now: u64) -> Option<Self> {
        let at = added.saturating_add(hard_addtime);
        (hard_addtime != 0 && added != 0 && at <= now).then_some(Self { id, at, hard_addtime })
    }
}
