//! Which text may be shown: no word that may be a key, and no character that a terminal or a log would act upon.
//!
//! These rules look at one word or one text. `keyfile::diagnostics` applies them to a whole command, whose keywords say
//! where a key is expected.
#![forbid(unsafe_code)]

mod citable;
mod form;
mod host_name;
mod nearest;
mod shell;
mod visible;

use std::ffi::OsString;

pub(crate) use citable::{Expected, advice, citable, cited};
pub(crate) use host_name::{is_host_name, is_looked_up};
pub(crate) use nearest::nearest;
pub(crate) use shell::shell_word;
use visible::is_visible;
pub(crate) use visible::{printable, push_visible, shown, visible};

/// Longest unknown word that is shown, in bytes.
const MAX_SHOWN_LEN: usize = 32;

/// Length of a run of hexadecimal digits that hides an unknown word of a command.
const HIDDEN_RUN: usize = 6;

/// Length of a run of hexadecimal digits that hides a word wherever it is: half of a DES key.
const KEY_RUN: usize = 8;

/// The hexadecimal digits of a word. Characters that are not shown are ignored: in UTF-16 every other byte is a NUL, and a
/// key in a file of that encoding, or with bytes that are not UTF-8 between its digits, must not pass for single digits.
#[derive(Default)]
struct HexDigits {
    longest_run: usize,
    count: usize,
    /// Characters of the word that are shown.
    len: usize,
}

impl HexDigits {
    fn of(word: &[u8]) -> Self {
        let (mut digits, mut run) = (Self::default(), 0);
        let characters = word.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
        for character in characters.filter(|character| is_visible(*character)) {
            let is_digit = character.is_ascii_hexdigit();
            run = if is_digit { run + 1 } else { 0 };
            digits.longest_run = digits.longest_run.max(run);
            digits.count += usize::from(is_digit);
            digits.len += 1;
        }
        digits
    }

    /// Whether more than two thirds of the word are digits, as in a key with separators (`1f-2e-3d`).
    fn prevail(&self) -> bool {
        self.count * 3 > self.len * 2
    }
}

/// Whether an unknown word cannot be a key: it is short, has no long run of hexadecimal digits, and does not mostly
/// consist of them.
pub(crate) fn is_harmless(word: &[u8]) -> bool {
    let digits = HexDigits::of(word);
    // Fewer than eight digits are less than half of a DES key, the shortest key there is.
    let is_sparse = digits.count < 8 || !digits.prevail() || is_dotted(word);
    word.len() <= MAX_SHOWN_LEN && digits.longest_run < HIDDEN_RUN && is_sparse
}

/// Whether `word` has the form of an IPv4 address with an optional prefix length. Its numbers may be out of range: a
/// mistyped address has to be shown.
fn is_dotted(word: &[u8]) -> bool {
    let address = word.split(|byte| *byte == b'/').next().unwrap_or_default();
    let mut parts = address.split(|byte| *byte == b'.');
    word.len() <= 18 && parts.all(|part| part.len() <= 3 && part.iter().all(u8::is_ascii_digit))
}

/// Whether a word may be a mistyped or misplaced key. Such a word is neither printed nor sent to a name server.
pub(crate) fn may_be_key(word: &[u8]) -> bool {
    let digits = HexDigits::of(word);
    let has_decimal = word.iter().any(u8::is_ascii_digit);
    // A host name may consist of hexadecimal letters (`facade-cafe`); a key without a single decimal digit is rare.
    has_key_run(word) || (has_decimal && digits.count >= 12 && digits.prevail())
}

/// Whether `word` has as many hexadecimal digits in a row as a key. No address has, not even one with leading zeros.
pub(crate) fn has_key_run(word: &[u8]) -> bool {
    HexDigits::of(word).longest_run >= KEY_RUN
}

/// Masks in `text` the words of `arguments` that may be keys. A key may also follow an option and `=`.
#[must_use]
pub(crate) fn without_keys<'a>(text: &str, arguments: impl IntoIterator<Item = &'a OsString>) -> String {
    let arguments = arguments.into_iter().map(|argument| argument.to_string_lossy());
    arguments.fold(text.to_owned(), |text, argument| {
        // clap cites an option with its value (`--sadb=KEY`).
        let suspects = argument.split('=').filter(|word| may_be_key(word.as_bytes()));
        suspects.fold(text, |text, word| text.replace(word, &masked(word)))
    })
}

fn masked(word: &str) -> String {
    "X".repeat(word.chars().count())
}

/// Replaces each run of eight or more hexadecimal digits, which may be part of a key, by `...`, and removes invisible
/// characters. They do not end a run: in UTF-16 every other byte is a NUL.
pub(crate) fn without_hex_runs(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().filter(|c| is_visible(*c)).map(Some).chain([None]) {
        match c {
            Some(c) if c.is_ascii_hexdigit() => run.push(c),
            other => {
                kept.push_str(if run.len() < KEY_RUN { &run } else { "..." });
                run.clear();
                kept.extend(other);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_keys_masks_words_and_values_of_options() {
        let arguments = ["--sadb=0f1e2d3c4b", "dump", "5a697887"].map(OsString::from);
        assert_eq!(without_keys("'0f1e2d3c4b' '5a697887' dump", &arguments), "'XXXXXXXXXX' 'XXXXXXXX' dump");
    }

    #[test]
    fn without_hex_runs_masks_runs_of_eight_digits() {
        assert_eq!(without_hex_runs("spi 0x1234567 dst fec0:bbbb::4483"), "spi 0x1234567 dst fec0:bbbb::4483");
        assert_eq!(without_hex_runs("key 12345678 and DEADbeef00"), "key ... and ...");
        assert_eq!(without_hex_runs("1234\u{200b}5678"), "...");
        assert_eq!(without_hex_runs("1234567890abcdef"), "...");
        assert_eq!(without_hex_runs("one\nline"), "oneline");
        assert_eq!(without_hex_runs("0\0f\x001\0e\x002\0d\x003\0c\0, 12345\t67890"), "..., ...");
    }

    #[test]
    fn may_be_key_finds_hex_strings_and_no_host_names() {
        for word in ["0123456789abcdef", "0x12345678", "abcdefabcdefabcd", "0123:4567:89ab:cdeg"] {
            assert!(may_be_key(word.as_bytes()), "{word}");
        }
        assert!(may_be_key(b"1b1c\xa0\xa0\xa0\xa0d1e2.x") && may_be_key("1b1c\u{200b}\u{feff}d1e2".as_bytes()));
        for word in ["you.example", "facade", "decade.example.com", "host-12", "cafe.example"] {
            assert!(!may_be_key(word.as_bytes()), "{word}");
        }
    }
}
