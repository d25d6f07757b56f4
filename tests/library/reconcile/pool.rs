//! Random keys files over a few SA identities, so that two of them have much in common.

use proptest::prelude::*;

/// Source and destination of the SAs.
const ENDS: [&str; 2] = ["192.0.2.1", "192.0.2.2"];

/// Algorithms and keys.
const ALGORITHMS: [&str; 5] = [
    "encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f auth_alg sha1 authkey 000102030405060708090a0b0c0d0e0f10111213",
    "encr_alg aes encrkey 100102030405060708090a0b0c0d0e0f auth_alg sha1 authkey 000102030405060708090a0b0c0d0e0f10111213",
    "encr_alg null auth_alg sha256 authkey 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "encr_alg aes-gcm encrkey 000102030405060708090a0b0c0d0e0f10111213",
    "encr_alg 3des encrkey 010203040506070811121314151617182122232425262728 auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f",
];

const LIFETIMES: [&str; 8] = [
    "",
    "hard_addtime 80000",
    "hard_addtime 90000 soft_addtime 70000",
    "hard_bytes 1000000 hard_addtime 90000",
    "hard_bytes 2000000 hard_addtime 90000 soft_bytes 1000000",
    "soft_usetime 70000",
    "hard_usetime 80000 soft_usetime 60000 idle_addtime 50000",
    "hard_alloc 7 idle_addtime 60000 idle_usetime 60000",
];

const EXTRAS: [&str; 6] =
    ["", "replay 32", "proto 17 sport 53", "isrc 10.1.0.0/16 idst 10.2.0.0/16", "srcidtype fqdn here.example", "replay 64"];

/// One SA of a file: indices into the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    algorithm: usize,
    lifetime: usize,
    extra: usize,
}

/// A keys file: the definition of each identity of the pool, if any, and which of them are paired.
#[derive(Clone, Debug)]
pub(crate) struct File {
    choices: Vec<Option<Choice>>,
    /// For each inbound SA, the outbound SA that it is paired with.
    paired: Vec<Option<usize>>,
    /// Whether the SAs are in descending order.
    backwards: bool,
}

/// SA identities in the pool; those with an even index are outbound.
pub(crate) const NAMES: usize = 8;

impl File {
    /// Whether the SA with that index exists, is defined in the same way in `other`, and has the same paired SA.
    pub(crate) fn has_in_common(&self, other: &Self, at: usize) -> bool {
        self.choices[at].is_some() && self.choices[at] == other.choices[at] && self.peer_sa(at) == other.peer_sa(at)
    }

    pub(crate) fn has(&self, at: usize) -> bool {
        self.choices[at].is_some()
    }

    /// Index of the SA that is paired with the SA of that index.
    fn peer_sa(&self, at: usize) -> Option<usize> {
        if at % 2 == 1 {
            return self.paired[at / 2].filter(|peer| self.has(*peer) && self.has(at) && self.is_first(*peer, at));
        }
        (1..NAMES).step_by(2).find(|inbound| self.peer_sa(*inbound) == Some(at))
    }

    /// Whether no earlier inbound SA is paired with the same outbound SA.
    fn is_first(&self, peer: usize, at: usize) -> bool {
        !(1..at).step_by(2).any(|other| self.paired[other / 2] == Some(peer) && self.has(other))
    }

    /// The file as text.
    pub(crate) fn text(&self) -> String {
        let mut order: Vec<usize> = (0..NAMES).filter(|at| self.has(*at)).collect();
        if self.backwards {
            order.reverse();
        }
        let position = |at: usize| order.iter().position(|other| *other == at);
        let line = |at: &usize| {
            let pair = self.peer_sa(*at).filter(|peer| position(*peer) < position(*at));
            let pair = pair.map_or_else(String::new, |peer| format!("pair-spi {}", spi(peer)));
            self.choices[*at].map_or_else(String::new, |choice| format!("{} {pair}\n", choice.command(*at)))
        };
        order.iter().map(line).collect()
    }
}

/// SPI of the SA with that index.
pub(crate) fn spi(at: usize) -> usize {
    0x1000 + at
}

impl Choice {
    fn command(self, at: usize) -> String {
        let (out, into) = (ENDS[at % 2], ENDS[(at + 1) % 2]);
        let direction = ["outbound", "inbound"][at % 2];
        let (algorithm, lifetime, extra) = (ALGORITHMS[self.algorithm], LIFETIMES[self.lifetime], EXTRAS[self.extra]);
        format!("add esp spi {} src {out} dst {into} {direction} {algorithm} {lifetime} {extra}", spi(at))
    }
}

/// Random files.
pub(crate) fn file() -> impl Strategy<Value = File> {
    let choice = (0..ALGORITHMS.len(), 0..LIFETIMES.len(), 0..EXTRAS.len())
        .prop_map(|(algorithm, lifetime, extra)| Choice { algorithm, lifetime, extra });
    let peer = prop::option::of((0..NAMES / 2).prop_map(|at| 2 * at));
    let choices = prop::collection::vec(prop::option::weighted(0.7, choice), NAMES);
    (choices, prop::collection::vec(peer, NAMES / 2), any::<bool>()).prop_map(|(choices, paired, backwards)| File {
        choices,
        paired,
        backwards,
    })
}

/// A random file, and the same file with a few changes.
pub(crate) fn two_files() -> impl Strategy<Value = (File, File)> {
    (file(), file(), prop::collection::vec(prop::bool::weighted(0.3), NAMES + NAMES / 2)).prop_map(
        |(old, other, changed)| {
            let pick = |at: usize| if changed[at] { other.choices[at] } else { old.choices[at] };
            let peer = |at: usize| if changed[NAMES + at] { other.paired[at] } else { old.paired[at] };
            let choices = (0..NAMES).map(pick).collect();
            let new = File { choices, paired: (0..NAMES / 2).map(peer).collect(), backwards: other.backwards };
            (old, new)
        },
    )
}
