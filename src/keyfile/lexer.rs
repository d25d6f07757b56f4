//! A logical line to words.
//!
//! Words are separated by white space. Double quotes keep white space inside a word; there is no escape character. A
//! word is a slice of the text: nothing is copied, so no copy of a key is left behind.

use crate::keyfile::source::is_continuation;

/// A word and where it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<'t> {
    /// Its bytes, quotes left out.
    pub(crate) bytes: &'t [u8],
    /// Offset of its first byte in the text.
    pub(crate) offset: usize,
}

/// Something about quotes that loses text or could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) kind: FlawKind,
    /// Offset in the text.
    pub(crate) offset: usize,
    /// Length in bytes.
    pub(crate) len: usize,
}

/// What a [`Flaw`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlawKind {
    /// Text right after a closing quote; it belongs to no word.
    Glued,
    /// A pair of quotes with nothing inside.
    Empty,
    /// A quote that is never closed, and nothing after it.
    Lone,
    /// A quote that is never closed.
    Unclosed,
    /// Quotes around the end of a line.
    Split,
}

/// `isspace(3C)` in the C locale.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Whether a byte may end a plain word or stand between words. A table, because every byte of a text is asked.
static SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b" \t\n\x0b\x0c\r\"\\";
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

/// How many bytes at the start of `bytes` are not [`SPECIAL`]. Eight at a time, for keys are long.
fn plain_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let suspects = suspects(u64::from_le_bytes(*eight));
        if suspects != 0 {
            at += suspects.trailing_zeros() as usize / 8;
            break;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !SPECIAL[usize::from(*byte)]) {
        at += 1;
    }
    at
}

/// The top bit of each of eight bytes that may be [`SPECIAL`]: those up to the blank, quotes and backslashes. No byte below the
/// first that is marked is special.
fn suspects(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let below = |bytes: u64, limit: u8| bytes.wrapping_sub(ONES * u64::from(limit)) & !bytes;
    let equal = |byte: u8| below(eight ^ (ONES * u64::from(byte)), 1);
    (below(eight, b' ' + 1) | equal(b'"') | equal(b'\\')) & (ONES << 7)
}

/// A source of words: a logical line, or the arguments of a shell.
pub(crate) trait Words<'t> {
    /// The next word, if there is one.
    fn next_word(&mut self) -> Option<Word<'t>>;

    /// What was wrong with quotes so far.
    fn take_flaws(&mut self) -> Vec<Flaw>;
}

/// The words of one logical line.
#[derive(Clone)]
pub(crate) struct Lexer<'t> {
    line: &'t [u8],
    /// Offset of `line` in the text.
    start: usize,
    at: usize,
    flaws: Vec<Flaw>,
}

impl<'t> Lexer<'t> {
    /// The words of `line`, which begins at offset `start` of the text.
    pub(crate) fn new(line: &'t [u8], start: usize) -> Self {
        Self { line, start, at: 0, flaws: Vec::new() }
    }

    fn skip_separators(&mut self) {
        while let Some(byte) = self.line.get(self.at) {
            if !is_space(*byte) && !is_continuation(self.line, self.at) {
                return;
            }
            self.at += 1;
        }
    }

    /// Moves to the end of an unquoted word, or just behind a quote inside of one; says whether it met a quote.
    fn skip_plain(&mut self) -> bool {
        loop {
            let rest = self.line.get(self.at..).unwrap_or_default();
            let len = plain_len(rest);
            self.at += len;
            match rest.get(len) {
                Some(b'"') => {
                    self.at += 1;
                    return true;
                }
                Some(b'\\') if !is_continuation(self.line, self.at) => self.at += 1,
                _ => return false,
            }
        }
    }

    /// Moves behind the closing quote; gives the offset of the quote, or of the line's end if there is none.
    fn skip_quoted(&mut self) -> usize {
        let from = self.at;
        let rest = self.line.get(from..).unwrap_or_default();
        let close = memchr::memchr(b'"', rest).map(|len| from + len);
        let end = close.unwrap_or(self.line.len());
        self.at = (end + 1).min(self.line.len());
        if close.is_none() {
            let kind = if rest.iter().all(|byte| is_space(*byte)) { FlawKind::Lone } else { FlawKind::Unclosed };
            self.flaw(kind, from.saturating_sub(1), 1);
        } else if rest.get(..end - from).is_some_and(|inside| inside.contains(&b'\n')) {
            self.flaw(FlawKind::Split, from.saturating_sub(1), 1);
        }
        end
    }

    /// Passes over what is glued to a closing quote.
    fn skip_glued(&mut self) {
        let from = self.at;
        while let Some(byte) = self.line.get(self.at) {
            if is_space(*byte) || is_continuation(self.line, self.at) {
                break;
            }
            self.at += 1;
        }
        if self.at > from {
            self.flaw(FlawKind::Glued, from, self.at - from);
        }
    }

    fn flaw(&mut self, kind: FlawKind, at: usize, len: usize) {
        self.flaws.push(Flaw { kind, offset: self.start + at, len });
    }

    fn word(&self, from: usize, to: usize) -> Word<'t> {
        Word { bytes: self.line.get(from..to).unwrap_or_default(), offset: self.start + from }
    }

    /// A word whose first byte is a quote; `None` if there is nothing inside.
    fn quoted(&mut self) -> Option<Word<'t>> {
        let open = self.at;
        self.at += 1;
        while self.line.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            self.at += 1;
        }
        let from = self.at;
        let to = self.skip_quoted();
        let closed = self.line.get(to) == Some(&b'"');
        if closed {
            self.skip_glued();
        }
        let word = self.word(from, to);
        if word.bytes.iter().all(|byte| is_space(*byte)) {
            if closed {
                self.flaw(FlawKind::Empty, open, to + 1 - open);
            }
            return None;
        }
        Some(word)
    }
}

impl<'t> Lexer<'t> {
    /// The next word if it is as most are: blanks before it, neither quotes nor backslashes in it, a blank or the line's end
    /// behind it.
    fn usual_word(&mut self) -> Option<Word<'t>> {
        let mut from = self.at;
        while self.line.get(from) == Some(&b' ') {
            from += 1;
        }
        let len = plain_len(self.line.get(from..)?);
        let to = from + len;
        if len == 0 || self.line.get(to).is_some_and(|byte| *byte != b' ') {
            return None;
        }
        self.at = to;
        Some(self.word(from, to))
    }
}

impl<'t> Words<'t> for Lexer<'t> {
    fn next_word(&mut self) -> Option<Word<'t>> {
        if let Some(word) = self.usual_word() {
            return Some(word);
        }
        loop {
            self.skip_separators();
            let from = self.at;
            if *self.line.get(from)? == b'"' {
                match self.quoted() {
                    Some(word) => return Some(word),
                    None => continue,
                }
            }
            if !self.skip_plain() {
                return Some(self.word(from, self.at));
            }
            let to = self.skip_quoted();
            if self.line.get(to) == Some(&b'"') {
                self.skip_glued();
            }
            return Some(self.word(from, to));
        }
    }

    fn take_flaws(&mut self) -> Vec<Flaw> {
        std::mem::take(&mut self.flaws)
    }
}

#[derive(Clone)]
/// Words that a shell has split already. Offsets are those in the words joined by single blanks.
pub(crate) struct Arguments<'t> {
    words: std::slice::Iter<'t, &'t [u8]>,
    offset: usize,
}

impl<'t> Arguments<'t> {
    pub(crate) fn new(words: &'t [&'t [u8]]) -> Self {
        Self { words: words.iter(), offset: 0 }
    }
}

impl<'t> Words<'t> for Arguments<'t> {
    fn next_word(&mut self) -> Option<Word<'t>> {
        let bytes = self.words.next()?;
        let offset = self.offset;
        self.offset += bytes.len() + 1;
        Some(Word { bytes, offset })
    }

    fn take_flaws(&mut self) -> Vec<Flaw> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_is() {
        for special in 0..=u8::MAX {
            for at in 0..20 {
                let mut bytes = [0xe9_u8; 20];
                bytes[..10].fill(b'!');
                bytes[at] = special;
                let expected = if SPECIAL[usize::from(special)] { at } else { bytes.len() };
                assert_eq!(plain_len(&bytes), expected, "{special} at {at}");
            }
        }
        assert_eq!(plain_len(b"a\x01b\"c d"), 3);
    }

    fn lex(line: &str) -> (Vec<&str>, Vec<FlawKind>) {
        let mut lexer = Lexer::new(line.as_bytes(), 0);
        let mut words = Vec::new();
        while let Some(word) = lexer.next_word() {
            assert_eq!(&line.as_bytes()[word.offset..word.offset + word.bytes.len()], word.bytes);
            words.push(std::str::from_utf8(word.bytes).unwrap());
        }
        (words, lexer.take_flaws().iter().map(|flaw| flaw.kind).collect())
    }

    #[test]
    fn white_space_separates() {
        assert_eq!(lex("  add\tesp\x0bspi \x0c 1 \r"), (vec!["add", "esp", "spi", "1"], vec![]));
        assert_eq!(lex(""), (vec![], vec![]));
    }

    #[test]
    fn a_continuation_separates() {
        assert_eq!(lex("add esp spi 0x70\\\n01\\\nx"), (vec!["add", "esp", "spi", "0x70", "01", "x"], vec![]));
        assert_eq!(lex("a\\b \\x"), (vec!["a\\b", "\\x"], vec![]));
        assert_eq!(lex("a \\"), (vec!["a"], vec![]));
    }

    #[test]
    fn quotes_keep_blanks() {
        assert_eq!(lex("x \"a b\" \"  c\""), (vec!["x", "a b", "c"], vec![]));
        assert_eq!(lex("\"add\" \"a#b\""), (vec!["add", "a#b"], vec![]));
    }

    #[test]
    fn lost_text_is_a_flaw() {
        assert_eq!(lex("\"ab\"cd e"), (vec!["ab", "e"], vec![FlawKind::Glued]));
        assert_eq!(lex("a\"b c\"d e"), (vec!["a\"b c", "e"], vec![FlawKind::Glued]));
        assert_eq!(lex("a \"\" b"), (vec!["a", "b"], vec![FlawKind::Empty]));
        assert_eq!(lex("\""), (vec![], vec![FlawKind::Lone]));
        assert_eq!(lex("a \"b c"), (vec!["a", "b c"], vec![FlawKind::Unclosed]));
        assert_eq!(lex("a \"b \\\nc\" d"), (vec!["a", "b \\\nc", "d"], vec![FlawKind::Split]));
    }
}
