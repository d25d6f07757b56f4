//! From a logical line to words.
//!
//! Words are separated by white space. Double quotes allow white space in a word; there is no escape character. A word is
//! a slice of the text: nothing is copied, so no copy of a key remains in memory.

use crate::keyfile::source::{is_continuation, is_space};

/// A word and its position in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<'t> {
    /// Without the quotes.
    pub(crate) bytes: &'t [u8],
    /// Offset of its first byte in the text.
    pub(crate) offset: usize,
}

/// A problem with quotes, which loses text or may lose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QuoteFlaw {
    pub(crate) kind: QuoteFlawKind,
    /// Offset in the text, in bytes.
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuoteFlawKind {
    /// Text directly after a closing quote, which belongs to no word.
    TextAfterQuote,
    /// A pair of quotes with at most blanks between them.
    Empty,
    /// A quote without a closing one and with no text after it.
    LoneQuote,
    /// A quote without a closing one.
    Unclosed,
    /// Quotes that extend over the end of a line.
    SpansLines,
}

/// Whether a byte may end an unquoted word or separate words. A table, because it is looked up for every byte of a text.
static SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b" \t\n\x0b\x0c\r\"\\";
    let mut at = 0;
    // `for` is not allowed in a constant.
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

/// How many bytes at the start of `bytes` are not [`SPECIAL`]. Checks eight bytes at a time, because keys are long.
fn plain_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    // The chunk at a suspect ends the fast loop; the slow one decides about it.
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

/// Sets the top bit of each of eight bytes that may be [`SPECIAL`]: those up to the blank, quotes and backslashes. No byte before
/// the first that is marked is special; later marks may be wrong, because a borrow spreads upwards.
fn suspects(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    // The classic test for a byte below a limit: a borrow sets the top bit, unless it was set before.
    let below = |bytes: u64, limit: u8| bytes.wrapping_sub(ONES * u64::from(limit)) & !bytes;
    let equal = |byte: u8| below(eight ^ (ONES * u64::from(byte)), 1);
    (below(eight, b' ' + 1) | equal(b'"') | equal(b'\\')) & (ONES << 7)
}

/// A source of words: a logical line, or the arguments of a shell command.
pub(crate) trait WordSource<'t> {
    fn next_word(&mut self) -> Option<Word<'t>>;

    /// The problems with quotes so far.
    fn take_flaws(&mut self) -> Vec<QuoteFlaw>;
}

/// Splits a logical line into words.
#[derive(Clone)]
pub(crate) struct Lexer<'t> {
    line: &'t [u8],
    /// Offset of `line` in the text.
    start: usize,
    at: usize,
    flaws: Vec<QuoteFlaw>,
}

impl<'t> Lexer<'t> {
    /// A lexer for `line`, which begins at offset `start` of the text.
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

    /// Moves to the end of an unquoted word, or after a quote inside it. Returns true at a quote.
    fn skip_unquoted(&mut self) -> bool {
        loop {
            let rest = self.line.get(self.at..).unwrap_or_default();
            let len = plain_len(rest);
            self.at += len;
            match rest.get(len) {
                Some(b'"') => {
                    self.at += 1;
                    return true;
                }
                // Elsewhere a backslash is an ordinary character.
                Some(b'\\') if !is_continuation(self.line, self.at) => self.at += 1,
                _ => return false,
            }
        }
    }

    /// Moves after the closing quote. Returns the offset of that quote, or of the end of the line if there is none.
    fn skip_quoted(&mut self) -> usize {
        let from = self.at;
        let rest = self.line.get(from..).unwrap_or_default();
        let close = memchr::memchr(b'"', rest).map(|len| from + len);
        let end = close.unwrap_or(self.line.len());
        // Without a closing quote, the position must not pass the end of the line.
        self.at = (end + 1).min(self.line.len());
        // A lone quote at the end loses nothing and is a warning; one before text swallows that text.
        if close.is_none() {
            let kind =
                if rest.iter().all(|byte| is_space(*byte)) { QuoteFlawKind::LoneQuote } else { QuoteFlawKind::Unclosed };
            self.flaw(kind, from.saturating_sub(1), 1);
        } else if rest.get(..end - from).is_some_and(|inside| inside.contains(&b'\n')) {
            self.flaw(QuoteFlawKind::SpansLines, from.saturating_sub(1), 1);
        }
        end
    }

    /// Skips text directly after a closing quote.
    fn skip_text_after_quote(&mut self) {
        let from = self.at;
        while let Some(byte) = self.line.get(self.at) {
            if is_space(*byte) || is_continuation(self.line, self.at) {
                break;
            }
            self.at += 1;
        }
        if self.at > from {
            self.flaw(QuoteFlawKind::TextAfterQuote, from, self.at - from);
        }
    }

    fn flaw(&mut self, kind: QuoteFlawKind, at: usize, len: usize) {
        self.flaws.push(QuoteFlaw { kind, offset: self.start + at, len });
    }

    fn word(&self, from: usize, to: usize) -> Word<'t> {
        Word { bytes: self.line.get(from..to).unwrap_or_default(), offset: self.start + from }
    }

    /// Reads a word whose first byte is a quote. `None` if it is empty.
    fn quoted_word(&mut self) -> Option<Word<'t>> {
        let open = self.at;
        self.at += 1;
        // Blanks after an opening quote are dropped, so `save` cannot write an identity that begins with a blank.
        while self.line.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            self.at += 1;
        }
        let from = self.at;
        let to = self.skip_quoted();
        let closed = self.line.get(to) == Some(&b'"');
        if closed {
            self.skip_text_after_quote();
        }
        let word = self.word(from, to);
        if word.bytes.iter().all(|byte| is_space(*byte)) {
            if closed {
                self.flaw(QuoteFlawKind::Empty, open, to + 1 - open);
            }
            return None;
        }
        Some(word)
    }
}

impl<'t> Lexer<'t> {
    /// The fast path for nearly all words: blanks before it, neither quotes nor backslashes in it, then a blank or the end of
    /// the line. `None` leaves the position as it was.
    fn simple_word(&mut self) -> Option<Word<'t>> {
        let mut from = self.at;
        while self.line.get(from) == Some(&b' ') {
            from += 1;
        }
        let len = plain_len(self.line.get(from..)?);
        let to = from + len;
        // Anything else, such as a tab or a quote, is left to the complete rules.
        if len == 0 || self.line.get(to).is_some_and(|byte| *byte != b' ') {
            return None;
        }
        self.at = to;
        Some(self.word(from, to))
    }
}

impl<'t> WordSource<'t> for Lexer<'t> {
    fn next_word(&mut self) -> Option<Word<'t>> {
        // Loading a million SAs spends most of its time here.
        if let Some(word) = self.simple_word() {
            return Some(word);
        }
        loop {
            // Separators include a continuation, which is not white space.
            self.skip_separators();
            let from = self.at;
            // Empty quotes are no word; the search continues after them.
            if *self.line.get(from)? == b'"' {
                match self.quoted_word() {
                    Some(word) => return Some(word),
                    None => continue,
                }
            }
            if !self.skip_unquoted() {
                return Some(self.word(from, self.at));
            }
            // As in illumos' ipseckey, a quote inside a word starts a quoted part but stays in the word.
            let to = self.skip_quoted();
            if self.line.get(to) == Some(&b'"') {
                self.skip_text_after_quote();
            }
            return Some(self.word(from, to));
        }
    }

    fn take_flaws(&mut self) -> Vec<QuoteFlaw> {
        std::mem::take(&mut self.flaws)
    }
}

/// Words that a shell has already split. Offsets refer to the words joined by single blanks.
#[derive(Clone)]
pub(crate) struct Arguments<'t> {
    words: std::slice::Iter<'t, &'t [u8]>,
    offset: usize,
}

impl<'t> Arguments<'t> {
    pub(crate) fn new(words: &'t [&'t [u8]]) -> Self {
        Self { words: words.iter(), offset: 0 }
    }
}

impl<'t> WordSource<'t> for Arguments<'t> {
    fn next_word(&mut self) -> Option<Word<'t>> {
        let bytes = self.words.next()?;
        let offset = self.offset;
        self.offset += bytes.len() + 1;
        Some(Word { bytes, offset })
    }

    fn take_flaws(&mut self) -> Vec<QuoteFlaw> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_len_finds_the_first_special_byte_at_any_offset() {
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

    fn lex(line: &str) -> (Vec<&str>, Vec<QuoteFlawKind>) {
        let mut lexer = Lexer::new(line.as_bytes(), 0);
        let mut words = Vec::new();
        while let Some(word) = lexer.next_word() {
            assert_eq!(&line.as_bytes()[word.offset..word.offset + word.bytes.len()], word.bytes);
            words.push(std::str::from_utf8(word.bytes).unwrap());
        }
        (words, lexer.take_flaws().iter().map(|flaw| flaw.kind).collect())
    }

    #[test]
    fn white_space_separates_words() {
        assert_eq!(lex("  add\tesp\x0bspi \x0c 1 \r"), (vec!["add", "esp", "spi", "1"], vec![]));
        assert_eq!(lex(""), (vec![], vec![]));
    }

    #[test]
    fn a_continuation_separates_words() {
        assert_eq!(lex("add esp spi 0x70\\\n01\\\nx"), (vec!["add", "esp", "spi", "0x70", "01", "x"], vec![]));
        assert_eq!(lex("a\\b \\x"), (vec!["a\\b", "\\x"], vec![]));
        assert_eq!(lex("a \\"), (vec!["a"], vec![]));
    }

    #[test]
    fn quotes_keep_blanks_in_a_word() {
        assert_eq!(lex("x \"a b\" \"  c\""), (vec!["x", "a b", "c"], vec![]));
        assert_eq!(lex("\"add\" \"a#b\""), (vec!["add", "a#b"], vec![]));
    }

    #[test]
    fn lost_text_is_a_quote_flaw() {
        assert_eq!(lex("\"ab\"cd e"), (vec!["ab", "e"], vec![QuoteFlawKind::TextAfterQuote]));
        assert_eq!(lex("a\"b c\"d e"), (vec!["a\"b c", "e"], vec![QuoteFlawKind::TextAfterQuote]));
        assert_eq!(lex("a \"\" b"), (vec!["a", "b"], vec![QuoteFlawKind::Empty]));
        assert_eq!(lex("\""), (vec![], vec![QuoteFlawKind::LoneQuote]));
        assert_eq!(lex("a \"b c"), (vec!["a", "b c"], vec![QuoteFlawKind::Unclosed]));
        assert_eq!(lex("a \"b \\\nc\" d"), (vec!["a", "b \\\nc", "d"], vec![QuoteFlawKind::SpansLines]));
    }
}
