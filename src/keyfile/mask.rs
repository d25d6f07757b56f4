//! Which words of a command may be shown.
//!
//! A word is shown if it is vocabulary, a well-formed value of a keyword that is not secret, or an unknown word that
//! cannot be key material. Everything else is drawn as X. The rules look at a whole command from its start, because a key
//! that slipped one place to the left or right is still a key.

use std::ffi::OsString;
use std::fmt::Write as _;

use crate::keyfile::diagnostics::suggest;
use crate::keyfile::lexer::{Lexer, Word, Words};
use crate::keyfile::parse::address;
use crate::keyfile::parse::number;
use crate::names::keywords;
use crate::names::keywords::{Row, Value};
use crate::names::{algorithms, identities, sa_types, states};

/// Longest unknown word that is shown, in bytes.
const LONGEST: usize = 32;

/// Hexadecimal digits in a row that make an unknown word suspicious.
const RUN: usize = 6;

/// Hexadecimal digits in a row that keep a word away from name servers.
const LOOKUP_RUN: usize = 8;

/// Walks the words of a command and says of each whether it may be shown.
#[derive(Default)]
pub(crate) struct Masker {
    /// A secret keyword, or something like one, came last; its value may be spread over several words.
    in_secret: bool,
    /// The keyword whose value comes next.
    row: Option<&'static Row>,
}

impl Masker {
    /// Whether `word`, the next one of the command, may be shown.
    pub(crate) fn shows(&mut self, word: &[u8]) -> bool {
        if let Some(row) = keywords::by_word(word) {
            self.in_secret = row.is_secret();
            self.row = Some(row).filter(|row| !row.is_secret());
            return true;
        }
        if self.in_secret {
            return false;
        }
        let row = self.row.take();
        if looks_like_key_word(word) {
            self.in_secret = true;
            return suggest::near_secret(word);
        }
        if row.is_some_and(|row| row.value == Value::Identity) && identities::by_word(word).is_some() {
            return true;
        }
        is_vocabulary(word) || row.is_some_and(|row| is_value(row, word)) || is_harmless(word)
    }
}

/// Whether `word` names a key without being a keyword: `enckey`, `auth_key`, `key=...`.
fn looks_like_key_word(word: &[u8]) -> bool {
    suggest::near_secret(word) || (!word.contains(&b'.') && contains_key(word))
}

fn contains_key(word: &[u8]) -> bool {
    word.windows(3).any(|part| part.eq_ignore_ascii_case(b"key"))
}

/// Whether `word` is a verb, an SA type, or a name out of a table.
fn is_vocabulary(word: &[u8]) -> bool {
    let same = |name: &str| name.as_bytes().eq_ignore_ascii_case(word);
    crate::keyfile::parse::verb::TABLE.iter().any(|row| row.word.as_bytes() == word)
        || keywords::by_word(word).is_some()
        || sa_types::TABLE.iter().any(|row| same(row.word))
        || states::by_word(word).is_some()
        || identities::by_word(word).is_some()
        || algorithms::AUTH.iter().any(|row| row.names.iter().any(|name| same(name)))
        || algorithms::ENCR.iter().any(|row| row.names.iter().any(|name| same(name)))
}

/// Whether `word` is a well-formed value of `row`.
fn is_value(row: &Row, word: &[u8]) -> bool {
    match row.value {
        Value::Number(max) => number::parse(word, max).is_ok(),
        Value::Lifetime(..) => number::parse(word, u64::MAX).is_ok(),
        Value::State | Value::AuthAlg | Value::EncrAlg => number::parse(word, u64::from(u16::MAX)).is_ok(),
        // No address has as many digits in a row as a key, not even one with zeros in front.
        Value::Address | Value::Address6 | Value::Prefix | Value::Prefix6 => {
            Digits::of(word).run < LOOKUP_RUN && address::is_literal(word)
        }
        Value::Mark => word.split(|byte| *byte == b'/').all(|part| number::parse(part, u64::from(u32::MAX)).is_ok()),
        Value::Nothing | Value::Encap | Value::Key | Value::Identity => false,
        Value::Mode | Value::Device | Value::XfrmFlags => false,
    }
}

/// The hexadecimal digits of a word, as if it had nothing that does not show: of a file in UTF-16 every other byte is a NUL.
#[derive(Default)]
struct Digits {
    /// Most of them in a row.
    run: usize,
    /// All of them.
    all: usize,
    /// Bytes of the word.
    len: usize,
}

impl Digits {
    fn of(word: &[u8]) -> Self {
        let (mut found, mut run) = (Self::default(), 0);
        for byte in word.iter().filter(|byte| !byte.is_ascii_control()) {
            let is_digit = byte.is_ascii_hexdigit();
            run = if is_digit { run + 1 } else { 0 };
            found.run = found.run.max(run);
            found.all += usize::from(is_digit);
            found.len += 1;
        }
        found
    }

    /// Whether more than two thirds of the word are digits.
    fn prevail(&self) -> bool {
        self.all * 3 > self.len * 2
    }
}

/// Whether an unknown word cannot be key material: short, no run of hexadecimal digits, and not mostly made of them.
fn is_harmless(word: &[u8]) -> bool {
    let digits = Digits::of(word);
    word.len() <= LONGEST && digits.run < RUN && (digits.all < 8 || !digits.prevail() || is_dotted(word))
}

/// Whether `word` is made like an IPv4 address, whatever its numbers.
fn is_dotted(word: &[u8]) -> bool {
    let address = word.split(|byte| *byte == b'/').next().unwrap_or_default();
    let mut parts = address.split(|byte| *byte == b'.');
    word.len() <= 18 && parts.all(|part| part.len() <= 3 && part.iter().all(u8::is_ascii_digit))
}

/// Whether a word may be a mistyped or misplaced key, and so is never given to a resolver.
pub(crate) fn may_be_key(word: &[u8]) -> bool {
    let digits = Digits::of(word);
    let has_digit = word.iter().any(u8::is_ascii_digit);
    digits.run >= LOOKUP_RUN || (has_digit && digits.all >= 12 && digits.prevail())
}

/// A word of a command line, as a message may cite it: in quotes, and drawn as X if it may be a key.
#[must_use]
pub fn cited(word: &str) -> String {
    if may_be_key(word.as_bytes()) { format!("\"{}\"", crossed_out(word)) } else { format!("\"{}\"", word.escape_debug()) }
}

/// `text`, which may cite `arguments` of a command line, with those drawn as X that may be keys. One may stand behind an option and `=`.
#[must_use]
pub fn without_keys<'a>(text: &str, arguments: impl IntoIterator<Item = &'a OsString>) -> String {
    let words = arguments.into_iter().map(|argument| argument.to_string_lossy());
    words.fold(text.to_owned(), |text, argument| {
        let suspects = argument.split('=').filter(|word| may_be_key(word.as_bytes()));
        suspects.fold(text, |text, word| text.replace(word, &crossed_out(word)))
    })
}

fn crossed_out(word: &str) -> String {
    "X".repeat(word.chars().count())
}

/// Whether `wanted`, one of `words`, may be shown. `words` begin at the start of the command.
pub(crate) fn is_shown<'t>(mut words: impl Words<'t>, wanted: Word<'t>) -> bool {
    let mut masker = Masker::default();
    while let Some(word) = words.next_word() {
        let shown = masker.shows(word.bytes);
        if word.offset >= wanted.offset {
            return shown && word == wanted;
        }
    }
    false
}

/// `wanted`, one of `words`, in double quotes, masked if it must be.
pub(crate) fn quoted<'t>(words: impl Words<'t>, wanted: Word<'t>) -> String {
    let mut text = String::from("\"");
    if is_shown(words, wanted) {
        push_visible(&mut text, wanted.bytes);
    } else {
        text.extend(std::iter::repeat_n('X', wanted.bytes.len().min(16)));
    }
    text.push('"');
    text
}

/// The command `line` with every word that must not be shown drawn as X. As many bytes as `line` has.
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
    push_between(&mut text, line.get(done..).unwrap_or_default());
    text
}

/// What stands between words: white space, quotes, backslashes, and text that quotes swallowed.
fn push_between(text: &mut String, bytes: &[u8]) {
    text.extend(bytes.iter().map(|byte| match byte {
        b' ' | b'\n' | b'"' | b'\\' => char::from(*byte),
        b'\t'..=b'\r' => ' ',
        _ => 'X',
    }));
}

/// `text` with what a terminal would act upon replaced.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    push_visible(&mut shown, text.as_bytes());
    shown
}

/// Bytes as text of the same length: what a terminal would act upon becomes question marks.
fn push_visible(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_visible(character) {
                let _ = text.write_char(character);
            } else {
                text.extend(std::iter::repeat_n('?', character.len_utf8()));
            }
        }
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
}

/// Whether a character shows itself and does nothing else: no controls, no direction marks.
fn is_visible(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_command_line_is_cited_unless_it_may_be_a_key() {
        assert_eq!(cited("aes\u{7}"), "\"aes\\u{7}\"");
        assert_eq!(cited("0f1e2d3c4b"), "\"XXXXXXXXXX\"");
        let arguments = ["--sadb=0f1e2d3c4b", "dump", "5a697887"].map(OsString::from);
        assert_eq!(without_keys("'0f1e2d3c4b' '5a697887' dump", &arguments), "'XXXXXXXXXX' 'XXXXXXXX' dump");
    }

    fn m(line: &str) -> String {
        let shown = masked(line.as_bytes());
        assert_eq!(shown.len(), line.len());
        shown
    }

    #[test]
    fn values_of_secret_keywords() {
        assert_eq!(m("add esp spi 0x100 authkey 12/4 dst 10.0.0.2"), "add esp spi 0x100 authkey XXXX dst 10.0.0.2");
        assert_eq!(m("add esp authkey 12 34 bogus spi 5"), "add esp authkey XX XX XXXXX spi 5");
        assert_eq!(m("add esp encrkey \\\n\t\"a b\" spi 5"), "add esp encrkey \\\n \"XXX\" spi 5");
    }

    #[test]
    fn near_misses_of_secret_keywords() {
        assert_eq!(m("add esp encrkee 12 spi 5"), "add esp encrkee XX spi 5");
        assert_eq!(m("add esp auth_key 12 spi 5"), "add esp auth_key XX spi 5");
        assert_eq!(m("add esp key ab spi 5"), "add esp key XX spi 5");
        assert_eq!(m("add esp authkey=ab spi 5"), "add esp XXXXXXXXXX spi 5");
        assert_eq!(m("add esp src monkey.example"), "add esp src monkey.example");
    }

    #[test]
    fn misplaced_keys() {
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
    fn what_is_shown() {
        for line in [
            "add esp spi 0x12345678 src 2001:0db8:85a3:0000:0000:8a2e:0370:7334 dst you.example hard_bytes 123456789",
            "flush epp",
            "add esp src 10.9.0.300 isrc 192.168.1.0/24 state dead srcidtype fqdn host.example.com bogus",
        ] {
            assert_eq!(m(line), line);
        }
    }

    #[test]
    fn what_a_terminal_would_act_upon() {
        assert_eq!(m("flush \u{1b}[2J"), "flush ?[2J");
        assert_eq!(m("h\u{f6}st \u{202e}x"), "h\u{f6}st ???x");
    }

    #[test]
    fn names_that_are_not_looked_up() {
        for word in ["0123456789abcdef", "0x12345678", "abcdefabcdefabcd", "0123:4567:89ab:cdeg"] {
            assert!(may_be_key(word.as_bytes()), "{word}");
        }
        for word in ["you.example", "facade", "decade.example.com", "host-12", "cafe.example"] {
            assert!(!may_be_key(word.as_bytes()), "{word}");
        }
    }
}
