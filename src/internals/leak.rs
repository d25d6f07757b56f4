//! Searches messages for pieces of keys.

use std::collections::HashSet;

/// No number has this many digits: a longer run is a key, even in a command that is not valid.
const KEY_LEN: usize = 24;

/// Consecutive digits that count as a leak.
const PIECE: usize = 8;

/// Panics if `messages` contain eight consecutive digits of a key in `input`, with or without invisible characters between them.
pub(super) fn refuse(input: &[u8], messages: &str) {
    if messages.is_empty() {
        return;
    }
    let messages: String = messages.to_ascii_lowercase().replace(['?', '\0'], "");
    let messages: HashSet<&[u8]> = messages.as_bytes().windows(PIECE).collect();
    for piece in pieces(&input.to_ascii_lowercase()) {
        assert!(!messages.contains(piece.as_slice()), "a message contains {}", String::from_utf8_lossy(&piece));
    }
}

/// The pieces of the keys of `input` that occur nowhere else in it: an SPI may look like a part of a key. A run that starts
/// with a zero may be a number with leading zeros.
fn pieces(input: &[u8]) -> Vec<Vec<u8>> {
    let (mut others, mut keys, mut at) = (input.to_vec(), Vec::new(), 0);
    for run in input.split(|byte| !byte.is_ascii_hexdigit()) {
        if run.len() >= KEY_LEN && !run.starts_with(b"0") {
            others[at..at + run.len()].fill(b' ');
            keys.push(run);
        }
        at += run.len() + 1;
    }
    let elsewhere: HashSet<&[u8]> = others.windows(PIECE).collect();
    let all = keys.iter().flat_map(|key| key.windows(PIECE));
    all.filter(|piece| !elsewhere.contains(piece)).map(<[u8]>::to_vec).collect()
}
