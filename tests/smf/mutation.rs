//! The log of the service for hundreds of damaged keys files: it never contains eight digits of a key.

use std::collections::HashSet;

use crate::bench::{Bench, secret_windows};
use crate::instance;
use crate::standin::State;

const ROUNDS: usize = 500;

/// A valid file with keys in many places and continued lines.
const VALID: &str = include_str!("../../examples/man-page.keys");

/// A random sequence that is the same in every run (Marsaglia's xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % limit.max(1)
    }
}

/// Texts that are inserted into a damaged file.
const SPLINTERS: &[&str] =
    &["\n", "\\\n", " ", "\"", "#", "g", "0", "/", "/256", "authkey ", "encrkey ", "spi ", "add ", "\u{0}", "\u{fc}"];

/// `text` with one to three damages: characters removed, duplicated or replaced, a splinter inserted, an end truncated.
fn damaged(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(chars.len());
        let splinter = SPLINTERS[random.below(SPLINTERS.len())].chars();
        match random.below(6) {
            0 => drop(chars.remove(at)),
            1 => chars.insert(at, chars[at]),
            2 => drop(chars.splice(at..=at, splinter)),
            3 => drop(chars.splice(at..at, splinter)),
            4 => drop(chars.drain(at..(at + 1 + random.below(40)).min(chars.len()))),
            _ if at > 0 => chars.truncate(at),
            _ => {}
        }
        if chars.is_empty() {
            chars.push('#');
        }
    }
    chars.into_iter().collect()
}

#[test]
fn no_key_reaches_the_log() {
    let bench = Bench::with_model();
    let file = bench.file("keys", VALID);
    let mut startd = instance(&bench, &file);
    let mut random = Random(0x5EED_0F1C_E5EC_4E75);
    let mut secrets: HashSet<String> = secret_windows(VALID).into_iter().collect();
    let mut maintenance = 0;
    for _ in 0..ROUNDS {
        let text = damaged(VALID, &mut random);
        secrets.extend(secret_windows(&text));
        bench.file("keys", &text);
        let state = match startd.state {
            State::Online => startd.refresh(),
            State::Maintenance => startd.clear(),
            State::Disabled => startd.enable(),
        };
        maintenance += usize::from(state == State::Maintenance);
    }
    assert!((ROUNDS / 4..ROUNDS).contains(&maintenance), "{maintenance} of {ROUNDS} files were wrong");
    assert_eq!(startd.exits.len(), ROUNDS);
    let told = secret_windows(&startd.log());
    let found: Vec<&String> = told.iter().filter(|window| secrets.contains(*window)).collect();
    assert!(found.is_empty(), "{found:?}");
}
