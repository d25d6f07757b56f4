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

/// The differences of the counters of an SA, or of all SAs of a direction, between two listings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Packets that were replayed, or older than the anti-replay window.
    pub(crate) replayed: u64,
    /// Packets with a wrong ICV.
    pub(crate) unauthentic: u64,
}

impl Moved {
    /// The counters of an SA, as the difference to one without a packet.
    fn of(sa: &LinkSa) -> Self {
        let LinkSa { packets, bytes, replayed, unauthentic, .. } = *sa;
        Self { packets, bytes, replayed: replayed.into(), unauthentic: unauthentic.into() }
    }

    fn since(self, before: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(before.packets),
            bytes: self.bytes.saturating_sub(before.bytes),
            replayed: self.replayed.saturating_sub(before.replayed),
            unauthentic: self.unauthentic.saturating_sub(before.unauthentic),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            packets: self.packets.saturating_add(other.packets),
            bytes: self.bytes.saturating_add(other.bytes),
            replayed: self.replayed.saturating_add(other.replayed),
            unauthentic: self.unauthentic.saturating_add(other.unauthentic),
        }
    }
}

/// The counters of a listing.
pub(crate) struct Counters {
    of_sa: HashMap<Key, Moved>,
    taken: Instant,
}

impl Counters {
    pub(super) fn new<'a>(sas: impl Iterator<Item = &'a LinkSa>) -> Self {
        Self { of_sa: sas.map(|sa| (key(sa), Moved::of(sa))).collect(), taken: Instant::now() }
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

    /// The differences since then. An SA that was not there before has counted from 0.
    pub(super) fn of(&self, sa: &LinkSa) -> Moved {
        Moved::of(sa).since(self.before.of_sa.get(&key(sa)).copied().unwrap_or_default())
    }

    /// `count` since then, a second.
    pub(super) fn a_second(&self, count: u64) -> u64 {
        count.saturating_mul(1_000) / self.milliseconds
    }
}
