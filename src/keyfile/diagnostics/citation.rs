//! Citing words and lines of a keys file: which words of a command may be shown.
//!
//! A word is shown if it is vocabulary, a well-formed value of a keyword that is not secret, or an unknown word that
//! cannot be a key. Every other word is masked with X. The rules look at a command from its first word on, because a key
//! that slipped one place to the left or right is still a key.

use crate::keyfile::lexer::{Lexer, Word, WordSource};
use crate::keyfile::literals::{address, number};
use crate::names::keywords::{Keyword, Value};
use crate::names::{algorithms, identities, keywords, sa_types, states, verbs};
use crate::redact::{self, has_key_run, is_harmless, push_visible};

/// Names that people use for keys. Some of them are keywords.
const SECRET_WORDS: &[&str] =
    &["authkey", "encrkey", "auth_key", "encr_key", "auth-key", "encr-key", "enckey", "key", "keys"];

/// Decides for each word of a command, in order, whether it may be shown.
#[derive(Default)]
pub(crate) struct Masker {
    /// After a keyword for a key, or a similar word: all words up to the next keyword are hidden, because a key may be split
    /// into several words.
    in_secret: bool,
    /// The keyword that the next word is a value of.
    keyword: Option<&'static Keyword>,
}

impl Masker {
    /// Whether `word`, the next one of the command, may be shown.
    pub(crate) fn shows(&mut self, word: &[u8]) -> bool {
        // A keyword ends the value of the one before it, hidden or not.
        if let Some(row) = keywords::by_word(word) {
            self.in_secret = row.is_secret();
            self.keyword = Some(row).filter(|row| !row.is_secret());
            return true;
        }
        // Everything up to the next keyword: a key may be split by blanks, or follow another word.
        if self.in_secret {
            return false;
        }
        let keyword = self.keyword.take();
        if looks_like_key_word(word) {
            // The word after `enckey` or `key` is a key, although the parser does not know that keyword.
            self.in_secret = true;
            return near_secret(word);
        }
        if keyword.is_some_and(|row| row.value == Value::Identity) && identities::by_word(word).is_some() {
            return true;
        }
        is_vocabulary(word) || keyword.is_some_and(|row| is_value(row, word)) || is_harmless(word)
    }
}

/// Whether `word` is a name for a key without being a keyword: `enckey`, `auth_key`, `key=...`.
fn looks_like_key_word(word: &[u8]) -> bool {
    near_secret(word) || (!word.contains(&b'.') && contains_key(word))
}

/// Whether `word` is a name for a key, or similar to one.
fn near_secret(word: &[u8]) -> bool {
    let letters = word.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'));
    letters && (SECRET_WORDS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word)) || near_secret_keyword(word))
}

fn near_secret_keyword(word: &[u8]) -> bool {
    let secret = || keywords::TABLE.iter().filter(|row| row.is_secret()).map(|row| row.word);
    let alike = word.len() >= 5 && redact::nearest(word, secret()).is_some();
    alike && keywords::by_word(word).is_none_or(Keyword::is_secret)
}

fn contains_key(word: &[u8]) -> bool {
    word.windows(3).any(|part| part.eq_ignore_ascii_case(b"key"))
}

/// Whether `word` is a word of a table. Verbs are not looked up: all of them are harmless, see the tests.
fn is_vocabulary(word: &[u8]) -> bool {
    // Algorithms and SA types are accepted in any case, verbs and keywords are not.
    let same = |name: &str| name.as_bytes().eq_ignore_ascii_case(word);
    verbs::by_word(word).is_some()
        || keywords::by_word(word).is_some()
        || sa_types::TABLE.iter().any(|row| same(row.word))
        || states::by_word(word).is_some()
        || identities::by_word(word).is_some()
        || algorithms::AUTH.iter().any(|row| row.names.iter().any(|name| same(name)))
        || algorithms::ENCR.iter().any(|row| row.names.iter().any(|name| same(name)))
}

/// Whether `word` is a well-formed value of `row`.
fn is_value(row: &Keyword, word: &[u8]) -> bool {
    match row.value {
        Value::Number(max) => number::parse(word, max).is_ok(),
        Value::Lifetime(..) => number::parse(word, u64::MAX).is_ok(),
        Value::State | Value::AuthAlg | Value::EncrAlg => number::parse(word, u64::from(u16::MAX)).is_ok(),
        // No address has as many digits in a row as a key, not even with leading zeros.
        Value::Address | Value::Address6 | Value::Prefix | Value::Prefix6 => !has_key_run(word) && address::is_literal(word),
        Value::Mark => word.split(|byte| *byte == b'/').all(|part| number::parse(part, u64::from(u32::MAX)).is_ok()),
        Value::Nothing | Value::Encap | Value::Key | Value::Identity => false,
        Value::Mode | Value::Device | Value::XfrmFlags => false,
    }
}

/// Whether `cited`, one of `words`, may be shown. `words` begin at the start of the command.
pub(crate) fn is_shown<'t>(mut words: impl WordSource<'t>, cited: Word<'t>) -> bool {
    let mut masker = Masker::default();
    while let Some(word) = words.next_word() {
        let shown = masker.shows(word.bytes);
        // A part of a word, such as an address without its prefix length, was not judged on its own, so it is not shown.
        if word.offset >= cited.offset {
            return shown && word == cited;
        }
    }
    false
}

/// `cited`, one of `words`, in double quotes; masked if it may be a key, and then at most 16 characters long, to hide the length
/// of the key.
pub(crate) fn quoted<'t>(words: impl WordSource<'t>, cited: Word<'t>) -> String {
    let mut text = String::from("\"");
    if is_shown(words, cited) {
        push_visible(&mut text, cited.bytes);
    } else {
        text.extend(std::iter::repeat_n('X', cited.bytes.len().min(16)));
    }
    text.push('"');
    text
}

/// The command `line` with each byte of a hidden word replaced by X. It has as many bytes as `line`, so spans stay valid.
pub(crate) fn masked(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    let mut lexer = Lexer::new(line, 0);
    let mut masker = Masker::default();
    let mut done = 0;
    while let Some(word) = lexer.next_word() {
        push_between(&mut text, line.get(done..word.offset).unwrap_or_default());
        done = word.offset + word.bytes.len();
        if masker.shows(word.bytes) {
            push_visible(&mut text, word.bytes);
        } else {
            text.extend(word.bytes.iter().map(|byte| if *byte == b'\n' { '\n' } else { 'X' }));
        }
    }
    // Text after the last word is white space, or lost by quotes.
    push_between(&mut text, line.get(done..).unwrap_or_default());
    text
}

/// Appends the bytes between words: white space, quotes, backslashes. Text that quotes lost is hidden, since it may be a key.
fn push_between(text: &mut String, bytes: &[u8]) {
    text.extend(bytes.iter().map(|byte| match byte {
        b' ' | b'\n' | b'"' | b'\\' => char::from(*byte),
        b'\t'..=b'\r' => ' ',
        _ => 'X',
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m(line: &str) -> String {
        let shown = masked(line.as_bytes());
        assert_eq!(shown.len(), line.len());
        shown
    }

    #[test]
    fn masked_shows_verbs() {
        for verb in
            "add update update-pair delete delete-pair get flush dump save monitor passive_monitor pmonitor help ? quit exit"
                .split(' ')
        {
            assert_eq!(m(verb), verb);
        }
    }

    #[test]
    fn masked_hides_values_of_key_keywords() {
        assert_eq!(m("add esp spi 0x100 authkey 12/4 dst 10.0.0.2"), "add esp spi 0x100 authkey XXXX dst 10.0.0.2");
        assert_eq!(m("add esp authkey 12 34 bogus spi 5"), "add esp authkey XX XX XXXXX spi 5");
        assert_eq!(m("add esp encrkey \\\n\t\"a b\" spi 5"), "add esp encrkey \\\n \"XXX\" spi 5");
    }

    #[test]
    fn masked_hides_values_of_misspelt_key_keywords() {
        assert_eq!(m("add esp encrkee 12 spi 5"), "add esp encrkee XX spi 5");
        assert_eq!(m("add esp auth_key 12 spi 5"), "add esp auth_key XX spi 5");
        assert_eq!(m("add esp key ab spi 5"), "add esp key XX spi 5");
        assert_eq!(m("add esp authkey=ab spi 5"), "add esp XXXXXXXXXX spi 5");
        assert_eq!(m("add esp src monkey.example"), "add esp src monkey.example");
    }

    #[test]
    fn masked_hides_misplaced_keys() {
        assert_eq!(m("0123456789abcdef esp"), "XXXXXXXXXXXXXXXX esp");
        assert_eq!(m("add 0123456789abcdef"), "add XXXXXXXXXXXXXXXX");
        assert_eq!(m("add esp encr_alg 0123456789abcdef"), "add esp encr_alg XXXXXXXXXXXXXXXX");
        assert_eq!(m("add esp src 0123:4567:89ab:cdef:0123:4567:89ab:cdeg"), format!("add esp src {}", "X".repeat(39)));
        assert_eq!(m("add esp src 12345678901234567890123456789012.00"), format!("add esp src {}", "X".repeat(35)));
        assert_eq!(m("add esp srcidtype fqdn abcdef0"), "add esp srcidtype fqdn XXXXXXX");
        assert_eq!(m("add esp spi 0x0123456789abcdef"), "add esp spi XXXXXXXXXXXXXXXXXX");
        assert_eq!(m("\0k\0 \x000\x001\x002\x003\x004\x005\x006\x007\0"), format!("?k? {}", "X".repeat(17)));
        assert_eq!(m("1f-2e-3d-4c-5"), "X".repeat(13));
        assert_eq!(m("1\0f\0-\x002\0e\0-\x003\0d\0-\x004\0c\0-\x005\0"), "X".repeat(26));
    }

    #[test]
    fn masked_shows_vocabulary_values_and_harmless_words() {
        for line in [
            "add esp spi 0x12345678 src 2001:0db8:85a3:0000:0000:8a2e:0370:7334 dst you.example hard_bytes 123456789",
            "flush epp",
            "add esp src 10.9.0.300 isrc 192.168.1.0/24 state dead srcidtype fqdn host.example.com bogus",
        ] {
            assert_eq!(m(line), line);
        }
    }

    #[test]
    fn masked_replaces_control_characters_and_direction_marks() {
        assert_eq!(m("flush \u{1b}[2J"), "flush ?[2J");
        assert_eq!(m("h\u{f6}st \u{202e}x"), "h\u{f6}st ???x");
    }

    #[test]
    fn near_secret_finds_misspelt_names_of_keys() {
        for word in ["encrkee", "AUTHKEY", "autkey", "enkrkey", "key", "Auth_Key"] {
            assert!(near_secret(word.as_bytes()), "{word}");
        }
        for word in ["auth_alg", "authalg", "bogus", "encralg", "authkey1", "src", "dst"] {
            assert!(!near_secret(word.as_bytes()), "{word}");
        }
    }
}
