//! A keys file from another program's configuration.

use std::io::{self, Write};

use super::statements::{End, Statement, Word, statements};
use super::{ip_xfrm, ipsec_conf, setkey};
use crate::secret::Buffer;

/// Whose configuration it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// setkey(8): also the `/etc/ipsec.conf` of FreeBSD and NetBSD.
    Setkey,
    /// ip-xfrm(8): a script, a file for `ip -batch`, or what `ip xfrm state` prints.
    IpXfrm,
    /// ipsec.conf(5) of OpenBSD.
    IpsecConf,
}

/// Something that needs the reader's eye. It never holds a word of the text that could be a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Line of the statement.
    pub line: u32,
    /// What it is.
    pub text: String,
    /// Whether the statement is not in the keys file.
    pub is_lost: bool,
}

/// A keys file, and what there is to say about it.
pub struct Imported {
    /// The commands.
    pub text: Buffer,
    /// In the order of the lines.
    pub notes: Vec<Note>,
}

/// Why a statement gives no command.
pub(super) type Lost = String;

/// Reads one statement of a language.
type Read = fn(&Statement<'_>, &mut Draft) -> Result<(), Lost>;

/// Makes a keys file from `text`.
///
/// # Errors
/// A text that is not UTF-8, or a keys file far larger than it.
pub fn import(source: Source, text: &[u8]) -> io::Result<Imported> {
    let text = std::str::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let (end, read): (End, Read) = match source {
        Source::Setkey => (End::Semicolon, setkey::read),
        Source::IpXfrm => (End::Line(&["ip", "xfrm"]), ip_xfrm::read),
        Source::IpsecConf => (End::Line(&["esp", "ah"]), ipsec_conf::read),
    };
    // A byte of a key in characters becomes two digits, and keywords are longer here than in some of these languages.
    let mut imported = Imported { text: Buffer::with_capacity(16 * text.len() + 1024), notes: Vec::new() };
    for statement in statements(text, end) {
        let len: usize = statement.words.iter().map(|word| word.text.len()).sum();
        let mut draft = Draft::new(8 * len + 1024);
        let line = statement.line;
        match read(&statement, &mut draft) {
            Ok(()) => imported.text.write_all(&draft.text)?,
            Err(text) => imported.notes.push(Note { line, text, is_lost: true }),
        }
        imported.notes.extend(draft.notes.into_iter().map(|text| Note { line, text, is_lost: false }));
    }
    Ok(imported)
}

/// The commands of one statement.
pub(super) struct Draft {
    text: Buffer,
    notes: Vec<String>,
}

impl Draft {
    fn new(room: usize) -> Self {
        Self { text: Buffer::with_capacity(room), notes: Vec::new() }
    }

    /// Says something about the statement.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Begins a command.
    pub(super) fn begin(&mut self, words: &str) -> Result<(), Lost> {
        self.put(words.as_bytes())
    }

    /// Writes a keyword with its value. The value is a word of the text that is no key.
    pub(super) fn word(&mut self, keyword: &str, value: &str) -> Result<(), Lost> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || c == '"' || c == '\\';
        if value.is_empty() || value.contains(odd) {
            return Err(format!("the value for {keyword} is not usable"));
        }
        self.put(format!(" {keyword} {value}").as_bytes())
    }

    /// Writes a keyword without value.
    pub(super) fn flag(&mut self, keyword: &str) -> Result<(), Lost> {
        self.put(format!(" {keyword}").as_bytes())
    }

    /// Writes a key: hexadecimal digits behind 0x, or characters.
    pub(super) fn key(&mut self, keyword: &str, value: Word<'_>) -> Result<(), Lost> {
        self.put(format!(" \\\n    {keyword} ").as_bytes())?;
        match value.text.strip_prefix("0x").filter(|_| !value.quoted) {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && !digits.is_empty() => {
                self.put(digits.as_bytes())
            }
            Some(_) => Err(format!("the value for {keyword} is not hexadecimal behind 0x")),
            None => {
                self.note(format!(
                    "the {keyword} was written in characters, which are easy to guess; they are taken as bytes"
                ));
                value.text.bytes().try_for_each(|byte| write!(self.text, "{byte:02x}")).map_err(|error| error.to_string())
            }
        }
    }

    /// Ends a command.
    pub(super) fn end(&mut self) -> Result<(), Lost> {
        self.put(b"\n")
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.text.append(bytes).map_err(|full| full.to_string())
    }
}

/// Takes the words of a statement one by one.
pub(super) struct Cursor<'s, 't> {
    words: std::slice::Iter<'s, Word<'t>>,
}

impl<'s, 't> Cursor<'s, 't> {
    pub(super) fn new(statement: &'s Statement<'t>) -> Self {
        Self { words: statement.words.iter() }
    }

    /// The next word, if there is one.
    pub(super) fn next(&mut self) -> Option<Word<'t>> {
        self.words.next().copied()
    }

    /// The next word without taking it.
    pub(super) fn peek(&self) -> Option<&'t str> {
        self.words.as_slice().first().map(|word| word.text)
    }

    /// The value of the keyword `of`.
    pub(super) fn value(&mut self, of: &str) -> Result<Word<'t>, Lost> {
        self.next().ok_or_else(|| format!("{of} has no value"))
    }

    /// Passes over `count` words.
    pub(super) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            let _ = self.next();
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// The keys file, and the notes with their lines.
    pub(in crate::convert) fn imported(source: Source, text: &str) -> (String, Vec<(u32, String)>) {
        let imported = import(source, text.as_bytes()).unwrap();
        let notes = imported.notes.into_iter().map(|note| (note.line, note.text)).collect();
        (String::from_utf8(imported.text.to_vec()).unwrap(), notes)
    }
}
