//! What the formats of import share: a cursor over the words of a statement, and a writer of commands.

use std::io::Write;

use super::statements::{Statement, Token};
use crate::secret::Buffer;

/// Why a statement cannot be translated.
pub(super) type Untranslatable = String;

/// Writes the commands of one statement.
pub(super) struct CommandWriter {
    text: Buffer,
    notes: Vec<String>,
}

impl CommandWriter {
    /// `capacity` in bytes; the buffer does not grow.
    pub(super) fn new(capacity: usize) -> Self {
        Self { text: Buffer::with_capacity(capacity), notes: Vec::new() }
    }

    /// Adds a remark about the statement.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Begins a command with its verb and SA type.
    pub(super) fn begin(&mut self, words: &str) -> Result<(), Untranslatable> {
        self.put(words.as_bytes())
    }

    /// Writes a keyword with its value, a word of the source that is not a key.
    pub(super) fn word(&mut self, keyword: &str, value: &str) -> Result<(), Untranslatable> {
        // One of these would end the word, or the command, and what follows would be read as keywords.
        let is_special = |c: char| c.is_control() || c.is_whitespace() || "\"\\$`".contains(c);
        if value.is_empty() || value.contains(is_special) {
            return Err(format!("invalid value for {keyword}"));
        }
        self.put(format!(" {keyword} {value}").as_bytes())
    }

    pub(super) fn flag(&mut self, keyword: &str) -> Result<(), Untranslatable> {
        self.put(format!(" {keyword}").as_bytes())
    }

    /// Writes a key. The source has hexadecimal digits after 0x, or characters.
    pub(super) fn key(&mut self, keyword: &str, value: Token<'_>) -> Result<(), Untranslatable> {
        // A line of its own: keys are long.
        self.put(format!(" \\\n    {keyword} ").as_bytes())?;
        match value.text.strip_prefix("0x").filter(|_| !value.quoted) {
            // The digits go straight to the buffer of the keys file, which is wiped.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && !digits.is_empty() => {
                self.put(digits.as_bytes())
            }
            Some(_) => Err(format!("the value for {keyword} is not hexadecimal")),
            None => {
                self.note(format!(
                    "the {keyword} is written in characters, which are easy to guess; each is taken as a byte"
                ));
                value.text.bytes().try_for_each(|byte| write!(self.text, "{byte:02x}")).map_err(|error| error.to_string())
            }
        }
    }

    pub(super) fn end(&mut self) -> Result<(), Untranslatable> {
        self.put(b"\n")
    }

    /// The commands written so far.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn into_notes(self) -> Vec<String> {
        self.notes
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Untranslatable> {
        self.text.append(bytes).map_err(|full| full.to_string())
    }
}

/// Iterates over the words of a statement.
pub(super) struct Cursor<'s, 't> {
    words: std::slice::Iter<'s, Token<'t>>,
}

impl<'s, 't> Cursor<'s, 't> {
    pub(super) fn new(statement: &'s Statement<'t>) -> Self {
        Self { words: statement.words.iter() }
    }

    pub(super) fn next(&mut self) -> Option<Token<'t>> {
        self.words.next().copied()
    }

    /// The next word, which stays the next one.
    pub(super) fn peek(&self) -> Option<&'t str> {
        self.words.as_slice().first().map(|word| word.text)
    }

    /// The next word, as the value of the keyword `of`.
    pub(super) fn value(&mut self, of: &str) -> Result<Token<'t>, Untranslatable> {
        self.next().ok_or_else(|| format!("{of} has no value"))
    }

    pub(super) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            let _ = self.next();
        }
    }

    /// Skips all words before the first that is one of `words`.
    pub(super) fn skip_to(&mut self, words: &[&str]) {
        while self.peek().is_some_and(|next| !words.contains(&next)) {
            self.skip(1);
        }
    }
}
