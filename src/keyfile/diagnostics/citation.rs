//! Citing words and lines of a keys file. The module `redact` decides which words of a command may be shown.
//!
//! The rules look at a command from its first word on, because a key that slipped one place to the left or right is still a key.

use crate::keyfile::lexer::{Lexer, Word, WordSource};
use crate::redact::{CommandWords, mask, push_visible};

/// Whether `cited`, one of `words`, may be shown. `words` begin at the start of the command.
pub(crate) fn is_shown<'t>(mut words: impl WordSource<'t>, cited: Word<'t>) -> bool {
    let mut rules = CommandWords::default();
    while let Some(word) = words.next_word() {
        let shown = rules.shows(word.bytes);
        // The cited word may be a part of one, such as an address without its prefix length.
        if word.offset + word.bytes.len() >= cited.offset + cited.bytes.len() {
            return shown && word.offset <= cited.offset;
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
        text.push_str(&mask(cited.bytes.len()));
    }
    text.push('"');
    text
}

/// The command `line` with each byte of a hidden word replaced by X. It has as many bytes as `line`, so spans stay valid.
pub(crate) fn masked(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    let mut lexer = Lexer::new(line, 0);
    let mut rules = CommandWords::default();
    let mut done = 0;
    while let Some(word) = lexer.next_word() {
        push_between(&mut text, line.get(done..word.offset).unwrap_or_default());
        done = word.offset + word.bytes.len();
        if rules.shows(word.bytes) {
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
    fn masked_keeps_quotes_and_line_ends() {
        assert_eq!(m("add esp encrkey \\\n\t\"a b\" spi 5"), "add esp encrkey \\\n \"XXX\" spi 5");
        assert_eq!(m("add esp \"12\"34 spi 5"), "add esp \"XX\"XX spi 5");
        assert_eq!(m("\0k\0 \x000\x001\x002"), "XXX XXXXXX");
    }

    #[test]
    fn quoted_shows_parts_of_shown_words() {
        let quote = |line: &str, offset: usize, len: usize| {
            let cited = Word { bytes: &line.as_bytes()[offset..offset + len], offset };
            quoted(Lexer::new(line.as_bytes(), 0), cited)
        };
        assert_eq!(quote("add esp isrc 10.0.0.300/24", 13, 10), "\"10.0.0.300\"");
        assert_eq!(quote("add esp isrc 0f1e2d3c4b5a/24", 13, 12), "\"XXXXXXXXXXXX\"");
        assert_eq!(quote("0f1e2d3c4b5a697887 esp", 0, 18), format!("\"{}\"", "X".repeat(16)));
    }

    #[test]
    fn masked_replaces_control_characters_and_direction_marks() {
        assert_eq!(m("flush \u{1b}[2J"), "flush XXXX");
        assert_eq!(m("flush \u{85}\u{202e} esp"), "flush XXXXX XXX");
    }
}
