//! SAs whose lifetime is over.

use crate::sa::SaId;
use crate::service::config::dirs;
use crate::service::records::owned_sas::OwnedSas;
use crate::sys::time::unix_now;

/// An SA whose hard lifetime in seconds since its addition has expired.
#[derive(Clone, Copy)]
pub(crate) struct ExpiredSa {
    pub(crate) id: SaId,
    /// In seconds since 1970.
    pub(crate) at: u64,
    pub(crate) hard_addtime: u64,
}

impl ExpiredSa {
    /// `None` if the lifetime has not expired at `now`, or there is none.
    pub(super) fn new(id: SaId, added: u64, hard_addtime: u64, now: u64) -> Option<Self> {
        let at = added.saturating_add(hard_addtime);
        (hard_addtime != 0 && added != 0 && at <= now).then_some(Self { id, at, hard_addtime })
    }
}

/// Of SAs and their hard lifetimes in seconds, those that the service has added and that have expired since; none if its record
/// cannot be read.
pub(crate) fn expired_sas(lifetimes: impl Iterator<Item = (SaId, u64)>) -> Vec<ExpiredSa> {
    let Ok(owned) = OwnedSas::read(&dirs::runtime(&|name| std::env::var_os(name))) else { return Vec::new() };
    let now = unix_now();
    lifetimes.filter_map(|(id, hard)| ExpiredSa::new(id, owned.added_at(id)?, hard, now)).collect()
}
