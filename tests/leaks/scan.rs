//! Searches texts for pieces of keys.

use std::collections::HashSet;
use std::io::Write;

use super::damage::KeysFile;

/// Digits in a row that give a key away.
const PIECE: usize = 8;

/// How many, unless the environment says so.
pub(crate) fn count(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().unwrap())
}

/// Pieces of the keys of `file` in `said`, also where what stood between digits was taken out.
pub(crate) fn leaked(file: &KeysFile, said: &str) -> Vec<String> {
    let said = said.to_ascii_lowercase();
    let closed: String = said.chars().filter(|c| !matches!(c, ' ' | '\n' | '"' | '\\' | ':' | '?' | '\0')).collect();
    let told: HashSet<&[u8]> = said.as_bytes().windows(PIECE).chain(closed.as_bytes().windows(PIECE)).collect();
    let keys: Vec<String> = file.keys.iter().map(|key| key.to_ascii_lowercase()).collect();
    let pieces = keys.iter().flat_map(|key| key.as_bytes().windows(PIECE));
    pieces.filter(|piece| told.contains(piece)).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
}

/// What a test has done, told when it ends well.
#[derive(Default)]
pub(crate) struct Tally {
    files: u64,
    executions: u64,
    bytes: usize,
}

impl Tally {
    /// Looks through what the library or so many programs have said of a file.
    #[track_caller]
    pub(crate) fn scan(&mut self, what: &str, file: &KeysFile, executions: u64, said: &str) {
        refuse_leaks(what, file, said);
        self.files += 1;
        self.executions += executions;
        self.bytes += said.len();
    }

    pub(crate) fn tell(&self, test: &str) {
        let Self { files, executions, bytes } = self;
        let _ = writeln!(std::io::stderr(), "{test}: {files} files, {executions} executions, {bytes} bytes searched");
    }
}

#[track_caller]
pub(crate) fn refuse_leaks(what: &str, file: &KeysFile, said: &str) {
    let leaked = leaked(file, said);
    assert!(leaked.is_empty(), "{what}: {leaked:?}\n--- of:\n{}\n--- told:\n{said}", String::from_utf8_lossy(&file.bytes));
}
