//! Splits a script into commands (POSIX, Shell Command Language, 2.2 to 2.7).

use super::variables::expansion;
use super::{Shell, Span};
use crate::secret::{Buffer, Full};

/// The word that is being read.
#[derive(Default)]
pub(super) struct OpenWord {
    pub(super) start: usize,
    pub(super) quoted: bool,
    pub(super) unset: bool,
    /// Whether it exists: `''` is a word.
    pub(super) exists: bool,
}

/// A here-document whose lines follow.
struct HereDocument {
    end: String,
    strips_tabs: bool,
    expands: bool,
}

pub(super) struct Lexer<'s, 't, 'p> {
    pub(super) shell: &'s mut Shell<'t>,
    pub(super) text: &'p str,
    pub(super) at: usize,
    pub(super) line: u32,
    pub(super) words: Vec<Span>,
    pub(super) first_line: u32,
    pub(super) open: OpenWord,
    /// Where the text continues after the here-documents of this line, and its line.
    resume: Option<(usize, u32)>,
    pub(super) input: Option<(Span, u32)>,
    /// Quoted words that are scripts, with their lines.
    pub(super) scripts: Vec<(Buffer, u32)>,
}

impl<'s, 't, 'p> Lexer<'s, 't, 'p> {
    pub(super) fn new(shell: &'s mut Shell<'t>, text: &'p str, line: u32) -> Self {
        Self {
            shell,
            text,
            at: 0,
            line,
            words: Vec::new(),
            first_line: line,
            open: OpenWord::default(),
            resume: None,
            input: None,
            scripts: Vec::new(),
        }
    }

    pub(super) fn run(&mut self) -> Result<(), Full> {
        while let Some(byte) = self.peek(0) {
            self.step(byte)?;
        }
        self.end_command(false)
    }

    pub(super) fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    pub(super) fn rest(&self) -> &'p str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn step(&mut self, byte: u8) -> Result<(), Full> {
        match byte {
            b' ' | b'\t' | b'\r' => self.at += 1,
            b'\n' => self.end_line()?,
            b'\\' if self.skip_continuation() => {}
            b'#' => self.comment(),
            b'&' if self.peek(1) == Some(b'>') => self.redirection()?,
            b';' | b'&' | b'|' => self.operator(byte)?,
            b'(' | b')' if self.words.is_empty() => {
                self.shell.depth = if byte == b'(' { self.shell.depth + 1 } else { self.shell.depth.saturating_sub(1) };
                self.at += 1;
            }
            b'<' | b'>' => self.redirection()?,
            b'0'..=b'9' if matches!(self.peek(1), Some(b'<' | b'>')) => self.redirection()?,
            _ => {
                if self.words.is_empty() {
                    self.first_line = self.line;
                }
                let words = self.word()?;
                self.words.extend(words);
            }
        }
        Ok(())
    }

    /// Skips a backslash at the end of a line. Blanks between them are tolerated, since the meaning is clear.
    pub(super) fn skip_continuation(&mut self) -> bool {
        let rest = &self.rest()[1..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
        if !rest[blank..].starts_with('\n') {
            return false;
        }
        self.at += blank + 2;
        self.line += 1;
        true
    }

    fn comment(&mut self) {
        let comment = self.rest().lines().next().unwrap_or_default();
        self.at += comment.len();
        let text = comment.trim_start_matches(['#', ' ', '\t']);
        let mut words = text.split_whitespace();
        let is_command = |word: &str| matches!(word, "ip" | "sudo") || word.ends_with("/ip");
        if words.next().is_some_and(is_command) && words.take(4).any(|word| word == self.shell.inner) {
            let (_, count) = self.shell.commented.unwrap_or((self.line, 0));
            let first = self.shell.commented.map_or(self.line, |found| found.0);
            self.shell.commented = Some((first, count + 1));
        }
    }

    fn operator(&mut self, byte: u8) -> Result<(), Full> {
        let len = self.rest().bytes().take_while(|next| *next == byte).count();
        self.at += len;
        self.end_command(byte == b'|' && len == 1)
    }

    /// Drops a redirection with its file name; notes a here-document.
    fn redirection(&mut self) -> Result<(), Full> {
        self.at += self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let operator = self.rest().bytes().take_while(|byte| matches!(byte, b'<' | b'>' | b'&' | b'-')).count();
        let strips_tabs = self.rest().starts_with("<<-");
        let is_here = self.rest().starts_with("<<") && !self.rest().starts_with("<<<");
        self.at += operator;
        self.at += self.rest().bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if !is_here {
            return if self.peek(0).is_some_and(|byte| byte != b'\n') { self.word().map(drop) } else { Ok(()) };
        }
        let raw = self.rest().split(|c: char| c.is_whitespace() || ";|&".contains(c)).next().unwrap_or_default();
        self.at += raw.len();
        let expands = !raw.contains(['\'', '"', '\\']);
        let end: String = raw.chars().filter(|c| !"'\"\\".contains(*c)).collect();
        if !end.is_empty() && self.shell.keeps_input {
            self.read_input(&HereDocument { end, strips_tabs, expands })?;
        }
        Ok(())
    }

    /// Keeps the lines of a here-document, which begin after the current line or after the here-document before.
    fn read_input(&mut self, document: &HereDocument) -> Result<(), Full> {
        let next_line = || self.rest().find('\n').map(|at| (self.at + at + 1, self.line + 1));
        let Some((mut at, first_line)) = self.resume.or_else(next_line) else { return Ok(()) };
        let (mut line, start, mut unset) = (first_line, self.shell.arena.len(), false);
        for text in self.text[at..].split_inclusive('\n') {
            (at, line) = (at + text.len(), line + 1);
            let text = if document.strips_tabs { text.trim_start_matches('\t') } else { text };
            if text.trim_end_matches(['\n', '\r']) == document.end {
                break;
            }
            unset |= self.input_line(text, document.expands)?;
        }
        self.resume = Some((at, line));
        self.input = Some((Span { start, end: self.shell.arena.len(), quoted: false, unset }, first_line));
        Ok(())
    }

    fn input_line(&mut self, line: &str, expands: bool) -> Result<bool, Full> {
        let (mut rest, mut unset) = (line, false);
        while let Some(at) = rest.find('$').filter(|_| expands) {
            self.shell.arena.append(&rest.as_bytes()[..at])?;
            let expansion = expansion(&rest[at..]);
            unset |= self.push_value(expansion)?;
            rest = &rest[at + expansion.len()..];
        }
        self.shell.arena.append(rest.as_bytes())?;
        Ok(unset)
    }

    fn end_line(&mut self) -> Result<(), Full> {
        self.end_command(false)?;
        (self.at, self.line) = self.resume.take().unwrap_or((self.at + 1, self.line + 1));
        Ok(())
    }
}
