//! Configuration of a model SADB: local addresses, times and limits.

use std::net::IpAddr;

use crate::sa::SaType;

/// Seconds since 1970, or a span of them.
pub(crate) type Seconds = u64;

/// Settings of a [`Model`](crate::model::Model). The defaults are those of an illumos kernel.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Addresses of the simulated node. They decide in which table an SA without direction flags is stored. Loopback addresses
    /// do not count, as in the kernel (`ip_type_v4` in ip.c calls them LOOPBACK, not LOCAL).
    pub(crate) local: Vec<IpAddr>,
    /// SA types that have a database, in ascending order.
    pub(crate) databases: Vec<SaType>,
    /// Queued bytes from which on further messages to a socket are dropped; dumps are not (pf_key(7P)).
    pub(crate) high_water: usize,
    /// Unfinished dumps that one socket may have. One more is refused with ENOMEM.
    pub(crate) dumps_at_once: usize,
    /// Time between two runs of the ager.
    pub(crate) ager_interval: Seconds,
    /// Time for which a dead SA is still listed.
    pub(crate) reap_delay: Seconds,
    /// Time after which a larval SA is removed.
    pub(crate) larval_timeout: Seconds,
    /// Seed of the random numbers for GETSPI.
    pub(crate) seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            local: Vec::new(),
            databases: vec![SaType::AH, SaType::ESP],
            high_water: 8192,
            dumps_at_once: 16,
            ager_interval: 8,
            reap_delay: 1,
            larval_timeout: 90,
            seed: 1,
        }
    }
}

/// Reproducible random numbers (xorshift64*). Nothing secret depends on them.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // A xorshift generator never leaves the state 0.
        Self(seed | 1)
    }

    /// A number from `min` to `max`; `min` if `max` is lower.
    pub(crate) fn within(&mut self, min: u32, max: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        // The modulo prefers some numbers slightly; nothing secret depends on them.
        let span = u64::from(max.saturating_sub(min)) + 1;
        min.saturating_add(u32::try_from(number % span).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_within_stays_in_range() {
        let mut random = Random::new(0);
        assert!((0..1000).all(|_| (8..=23).contains(&random.within(8, 23))));
        assert_eq!(random.within(7, 7), 7);
        assert_eq!(random.within(9, 7), 9);
        let first = random.within(0, u32::MAX);
        assert!((0..100).any(|_| random.within(0, u32::MAX) != first));
    }
}
