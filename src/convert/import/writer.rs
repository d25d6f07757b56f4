//! What the formats of import share: a cursor over the words of a statement, and a writer of commands.

use std::io::Write;

use super::statements::Token;
use crate::secret::Buffer;

/// Why a statement cannot be translated.
pub(super) type Untranslatable = String;

/// Writes the commands of one statement.
pub(super) struct CommandWriter {
    text: Buffer,
    notes: Vec<Remark>,
    /// The identity of the SA, for messages.
    label: Option<String>,
    has_key: bool,
}

/// A remark about a statement whose commands were written.
pub(super) struct Remark {
    pub(super) text: String,
    /// Whether something is missing from the commands.
    pub(super) is_lost: bool,
}

impl CommandWriter {
    /// `capacity` in bytes; the buffer does not grow.
    pub(super) fn new(capacity: usize) -> Self {
        Self { text: Buffer::with_capacity(capacity), notes: Vec::new(), label: None, has_key: false }
    }

    /// Adds a remark about the statement.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(Remark { text: text.into(), is_lost: false });
    }

    /// Adds a remark about something that is missing from the commands, which are the same SAs without it.
    pub(super) fn lose(&mut self, text: impl Into<String>) {
        self.notes.push(Remark { text: text.into(), is_lost: true });
    }

    /// Sets the identity of the SA that the statement adds.
    pub(super) fn set_label(&mut self, label: String) {
        self.label = Some(label);
    }

    pub(super) fn label(&self) -> Option<&str> {
        self.label.as_deref()
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

    /// Writes a key in hexadecimal digits. The first of an odd number of digits is a byte, as in `ip` and setkey.
    pub(super) fn hex_key(&mut self, keyword: &str, digits: &str) -> Result<(), Untranslatable> {
        self.begin_key(keyword)?;
        if !digits.len().is_multiple_of(2) {
            self.put(b"0")?;
        }
        // The digits go straight to the buffer of the keys file, which is wiped.
        self.put(digits.as_bytes())
    }

    /// Writes a key in characters.
    pub(super) fn character_key(&mut self, keyword: &str, text: &str) -> Result<(), Untranslatable> {
        self.begin_key(keyword)?;
        self.note(format!("the {keyword} is written in characters, which are easy to guess; each is taken as a byte"));
        text.bytes().try_for_each(|byte| write!(self.text, "{byte:02x}")).map_err(|error| error.to_string())
    }

    /// Checks that a key was written: a keys file has no SA without one.
    pub(super) fn require_key(&self) -> Result<(), Untranslatable> {
        if self.has_key { Ok(()) } else { Err("the SA has no key (null encryption without authentication)".to_owned()) }
    }

    /// A line of its own: keys are long.
    fn begin_key(&mut self, keyword: &str) -> Result<(), Untranslatable> {
        self.has_key = true;
        self.put(format!(" \\\n    {keyword} ").as_bytes())
    }

    pub(super) fn end(&mut self) -> Result<(), Untranslatable> {
        self.put(b"\n")
    }

    /// The commands written so far.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn into_notes(self) -> Vec<Remark> {
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
    pub(super) fn new(words: &'s [Token<'t>]) -> Self {
        Self { words: words.iter() }
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

    /// Skips all words.
    pub(super) fn skip_all(&mut self) {
        self.words = [].iter();
    }

    pub(super) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            let _ = self.next();
        }
    }
}
