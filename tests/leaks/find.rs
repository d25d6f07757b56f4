//! Searches texts for six bytes of a key, in any grouping or encoding.

use std::collections::HashSet;

use super::forms::{base32, base64, characters, decimal, hex, number};

/// Number of bytes of a key that count as a leak.
const LEAK: usize = 6;

/// The pieces of a key in one encoding, and how a text is read for it.
struct Pieces {
    name: &'static str,
    /// A text without separators, in the alphabet of the encoding.
    read: fn(&str) -> String,
    len: usize,
    pieces: HashSet<String>,
}

impl Pieces {
    fn new(name: &'static str, text: &str, len: usize, read: fn(&str) -> String) -> Self {
        let text: Vec<char> = read(text).chars().collect();
        Self { name, read, len, pieces: text.windows(len).map(|piece| piece.iter().collect()).collect() }
    }

    /// A piece in `text`, which is ASCII.
    fn find(&self, text: &str) -> Option<String> {
        let read = (self.read)(text);
        let found = read
            .as_bytes()
            .windows(self.len)
            .find(|window| std::str::from_utf8(window).is_ok_and(|window| self.pieces.contains(window)))?;
        Some(format!("{}: {}", self.name, String::from_utf8_lossy(found)))
    }
}

/// Searches for one key.
pub(crate) struct Finder {
    key: Vec<u8>,
    pieces: Vec<Pieces>,
}

impl Finder {
    pub(crate) fn new(key: &[u8]) -> Self {
        let octal: String = key.iter().map(|byte| format!("{byte:03o}")).collect();
        let padded: String = key.iter().map(|byte| format!("{byte:03}")).collect();
        let binary: String = key.iter().map(|byte| format!("{byte:08b}")).collect();
        let pieces = vec![
            Pieces::new("hexadecimal", &hex(key), 2 * LEAK, hex_digits),
            Pieces::new("hexadecimal with O and l", &hex(key), 2 * LEAK, look_alike_digits),
            Pieces::new("base64", &base64(key, false), 8, base64_letters),
            Pieces::new("base64 of letters and digits", &base64(key, false), 8, letters),
            Pieces::new("base32", &base32(key), 10, base32_letters),
            Pieces::new("octal", &octal, 3 * LEAK, digits),
            Pieces::new("decimal of three digits", &padded, 3 * LEAK, digits),
            Pieces::new("one number", &decimal(key), 15, digits),
            Pieces::new("binary", &binary, 8 * LEAK, binary_digits),
            Pieces::new("characters", &characters(key), LEAK, visible),
            Pieces::new("letters", &characters(key), LEAK, letters),
        ];
        Self { key: key.to_owned(), pieces }
    }

    /// A piece of the key in `text`.
    pub(crate) fn find(&self, text: &str) -> Option<String> {
        let text: String = text.chars().filter_map(plain).collect();
        self.pieces.iter().find_map(|pieces| pieces.find(&text)).or_else(|| self.find_numbers(&text))
    }

    /// Numbers in a row that are consecutive words of the key, in decimal or octal.
    fn find_numbers(&self, text: &str) -> Option<String> {
        let words = text.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
        let words: Vec<&str> = words.collect();
        for radix in [10, 8] {
            let numbers: Vec<u64> = words.iter().map(|word| u64::from_str_radix(word, radix).unwrap_or(u64::MAX)).collect();
            for len in [1, 2, 4] {
                let key: Vec<u64> = self.key.chunks_exact(len).map(number).collect();
                let count = LEAK.div_ceil(len);
                let pieces: HashSet<&[u64]> = key.windows(count).collect();
                if let Some(found) = numbers.windows(count).find(|window| pieces.contains(window)) {
                    return Some(format!("numbers: {found:?}"));
                }
            }
        }
        None
    }
}

/// A character as the ASCII one that it looks like; `None` if it shows nothing.
fn plain(c: char) -> Option<char> {
    let from = |first: u32, to: char| char::from_u32(u32::from(c) - first + u32::from(to));
    match c {
        '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}' | '\u{301}' | '\0' => None,
        '\u{ff01}'..='\u{ff5e}' => from(0xff01, '!'),
        '\u{1d7d8}'..='\u{1d7e1}' => from(0x1d7d8, '0'),
        '\u{1d552}'..='\u{1d557}' => from(0x1d552, 'a'),
        '\u{430}' => Some('a'),
        '\u{441}' => Some('c'),
        '\u{435}' => Some('e'),
        c if c.is_ascii() => Some(c),
        _ => Some(' '),
    }
}

fn hex_digits(text: &str) -> String {
    let text = text.to_ascii_lowercase().replace("0x", "").replace("\\x", "").replace("\\u00", "").replace("&#x", "");
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    // `0fh` of assemblers.
    words.map(|word| word.strip_suffix('h').filter(|word| word.len() == 3).map_or(word, |word| &word[1..])).collect()
}

fn look_alike_digits(text: &str) -> String {
    text.to_ascii_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| match c {
            'o' => '0',
            'l' => '1',
            other => other,
        })
        .collect()
}

fn base64_letters(text: &str) -> String {
    let text = text.replace('-', "+").replace('_', "/");
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/')).collect()
}

fn base32_letters(text: &str) -> String {
    letters(text).to_ascii_uppercase()
}

fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn binary_digits(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '0' | '1')).collect()
}

fn visible(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).collect()
}
