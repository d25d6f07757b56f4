//! Rates: the counters of SAs, compared with those of an earlier listing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use super::sa::{Direction, LinkSa};

/// Type, SPI, peer, local address and direction: an SA, except for its mark.
type Key = (u8, u32, IpAddr, IpAddr, Direction);

fn key(sa: &LinkSa) -> Key {
    (sa.sa_type, sa.spi, sa.peer, sa.local, sa.direction)
}

/// The counters of a listing.
pub(crate) struct Counters {
    /// Packets and bytes.
    of_sa: HashMap<Key, (u64, u64)>,
    taken: Instant,
}

impl Counters {
    pub(super) fn new<'a>(sas: impl Iterator<Item = &'a LinkSa>) -> Self {
        Self { of_sa: sas.map(|sa| (key(sa), (sa.packets, sa.bytes))).collect(), taken: Instant::now() }
    }
}

/// The time since an earlier listing, and its counters.
pub(super) struct Rates {
    pub(super) before: Counters,
    /// At least 1.
    milliseconds: u64,
}

impl Rates {
    pub(super) fn since(before: Counters) -> Self {
        let milliseconds = u64::try_from(before.taken.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        Self { before, milliseconds }
    }

    /// Packets and bytes a second. An SA that was not there before has counted from 0.
    pub(super) fn of(&self, sa: &LinkSa) -> (u64, u64) {
        let (packets, bytes) = self.before.of_sa.get(&key(sa)).copied().unwrap_or_default();
        let rate = |now: u64, before: u64| now.saturating_sub(before).saturating_mul(1_000) / self.milliseconds;
        (rate(sa.packets, packets), rate(sa.bytes, bytes))
    }
}
