//! Tells whether anything that can only be a key is in a text that may be shown.

use std::collections::HashSet;

/// No number has as many digits: what is longer is a key, whether its command makes sense or not.
const KEY_LEN: usize = 24;

/// Digits in a row that give a key away.
const PIECE: usize = 8;

/// Panics if eight digits in a row of a key in `input` are in `said`, be there what does not show between them.
pub(super) fn refuse(input: &[u8], said: &str) {
    if said.is_empty() {
        return;
    }
    let said: String = said.to_ascii_lowercase().replace(['?', '\0'], "");
    let said: HashSet<&[u8]> = said.as_bytes().windows(PIECE).collect();
    for piece in pieces(&input.to_ascii_lowercase()) {
        assert!(!said.contains(piece.as_slice()), "told: {}", String::from_utf8_lossy(&piece));
    }
}

/// The pieces of the keys of `input` that nothing else in it has: an SPI may look like a part of a key. A run that starts
/// with a zero may be a number with many of them.
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
