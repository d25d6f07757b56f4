//! Searches texts for pieces of keys.

use std::collections::HashSet;
use std::io::Write;

use super::damage::KeysFile;
use super::find::Finder;

/// Number of consecutive digits that count as a leak.
const PIECE: usize = 8;

/// The number in this environment variable, or `default`.
pub(crate) fn count(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().unwrap())
}

/// Pieces of the keys of `file` in `output`, also those interrupted by blanks, quotes or other separators.
pub(crate) fn leaked(file: &KeysFile, output: &str) -> Vec<String> {
    let output = output.to_ascii_lowercase();
    let joined: String = output.chars().filter(|c| !matches!(c, ' ' | '\n' | '"' | '\\' | ':' | '?' | '\0')).collect();
    let windows: HashSet<&[u8]> = output.as_bytes().windows(PIECE).chain(joined.as_bytes().windows(PIECE)).collect();
    let keys: Vec<String> = file.keys.iter().map(|key| key.to_ascii_lowercase()).collect();
    let pieces = keys.iter().flat_map(|key| key.as_bytes().windows(PIECE));
    pieces.filter(|piece| windows.contains(piece)).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
}

/// How much a test has searched, printed at its end.
#[derive(Default)]
pub(crate) struct Tally {
    files: u64,
    executions: u64,
    bytes: usize,
}

impl Tally {
    /// Searches the output for one file, of the library or of that many executions.
    #[track_caller]
    pub(crate) fn scan(&mut self, what: &str, file: &KeysFile, executions: u64, output: &str) {
        refuse_leaks(what, file, output);
        self.files += 1;
        self.executions += executions;
        self.bytes += output.len();
    }

    pub(crate) fn report(&self, test: &str) {
        let Self { files, executions, bytes } = self;
        let _ = writeln!(std::io::stderr(), "{test}: {files} files, {executions} executions, {bytes} bytes searched");
    }
}

#[track_caller]
pub(crate) fn refuse_leaks(what: &str, file: &KeysFile, output: &str) {
    let mut leaked = leaked(file, output);
    leaked.extend(file.keys.iter().take(2).filter_map(|key| Finder::new(&bytes(key)).find(output)));
    assert!(
        leaked.is_empty(),
        "{what}: {leaked:?}\n--- of:\n{}\n--- output:\n{output}",
        String::from_utf8_lossy(&file.bytes)
    );
}

/// The bytes of a key in hexadecimal digits.
fn bytes(key: &str) -> Vec<u8> {
    let pairs = key.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
