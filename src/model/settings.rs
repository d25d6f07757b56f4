//! What a model SADB may be told to be: its addresses, its limits, and where it follows the kernel to the letter.

use std::net::IpAddr;

use crate::sa::SaType;

/// Seconds since 1970, or a span of them.
pub type Seconds = u64;

/// The properties of a [`Model`](crate::model::Model). The default is a kernel as shipped, less the accidents that
/// docs/behaviour.md lists.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The node's own addresses. They decide in which table an SA without direction flags is kept. Loopback addresses do not
    /// count as own, as in the kernel.
    pub local: Vec<IpAddr>,
    /// The databases there are, in ascending order.
    pub databases: Vec<SaType>,
    /// Bytes waiting on a socket from which on further messages for it are dropped; dumps are not (pf_key(7P)).
    pub high_water: usize,
    /// Dumps that one socket may have begun and not yet read to the end. One more is refused with ENOMEM.
    pub dumps_at_once: usize,
    /// Time between two runs of the ager.
    pub ager_interval: Seconds,
    /// Time a dead SA is still shown.
    pub reap_delay: Seconds,
    /// Time a larval SA has to become mature.
    pub larval_timeout: Seconds,
    /// Subtract 8 to 23 random seconds from the soft addtime of outbound SAs.
    pub soft_fuzz: bool,
    /// Pairing with an SA that is dead, dying, bidirectional or paired already succeeds and pairs nothing.
    pub pair_failures_are_silent: bool,
    /// An SA that could not be paired stays, dead, until the next run of the ager.
    pub pair_failures_linger: bool,
    /// Refuse an all-zero key wherever it stands; else only one that is the message's last extension.
    pub refuse_zero_keys: bool,
    /// A larval SA that becomes mature without hard addtime keeps its larval timeout.
    pub larval_timeout_stays: bool,
    /// Refuse a triple DES key of which only the first part is weak.
    pub refuse_weak_first_part: bool,
    /// Seed of the random numbers: SPIs of GETSPI, and the soft fuzz.
    pub seed: u64,
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
            soft_fuzz: false,
            pair_failures_are_silent: false,
            pair_failures_linger: false,
            refuse_zero_keys: false,
            larval_timeout_stays: false,
            refuse_weak_first_part: false,
            seed: 1,
        }
    }
}

/// Random numbers that a seed repeats (xorshift64*). Nothing secret depends on them.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number from `min` to `max`; `min` if they are the wrong way round.
    pub(crate) fn within(&mut self, min: u32, max: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        let span = u64::from(max.saturating_sub(min)) + 1;
        min.saturating_add(u32::try_from(number % span).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_stay_in_their_range() {
        let mut random = Random::new(0);
        assert!((0..1000).all(|_| (8..=23).contains(&random.within(8, 23))));
        assert_eq!(random.within(7, 7), 7);
        assert_eq!(random.within(9, 7), 9);
        let first = random.within(0, u32::MAX);
        assert!((0..100).any(|_| random.within(0, u32::MAX) != first));
    }
}
