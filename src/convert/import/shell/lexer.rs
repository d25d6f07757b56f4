//! Splits a script into commands (POSIX, Shell Command Language, 2.2 to 2.7).

use super::variables::{assignment, is_name};
use super::{Shell, SimpleCommand, Span};
use crate::secret::{Buffer, Full};

/// Words that begin a compound command, and words that end one.
const OPENING: &[&str] = &["if", "while", "until", "case", "for", "select", "{", "("];
const CLOSING: &[&str] = &["fi", "done", "esac", "}", ")"];
/// Words in front of a command that belong to a compound command.
const LEADING: &[&str] = &["if", "then", "else", "elif", "do", "while", "until", "{", "!", "time", "(", "}", ")"];
/// Commands that set variables.
const DECLARING: &[&str] = &["export", "readonly", "local", "declare", "typeset"];

/// Commands after which a variable has no known value.
const FORGETTING: &[&str] = &["for", "select", "read", "unset"];

/// The meaning of the first word of a command.
enum Leading {
    Compound,
    Assignment,
    Declaration,
    Forgetting,
    Command,
}

/// A here-document whose lines follow.
struct HereDocument {
    end: String,
    strips_tabs: bool,
    expands: bool,
}

/// The word that is being read.
#[derive(Default)]
struct OpenWord {
    start: usize,
    quoted: bool,
    unset: bool,
    /// Whether it exists: `''` is a word.
    exists: bool,
}

pub(super) struct Lexer<'s, 't, 'p> {
    shell: &'s mut Shell<'t>,
    text: &'p str,
    at: usize,
    line: u32,
    words: Vec<Span>,
    first_line: u32,
    open: OpenWord,
    /// Where the text continues after the here-documents of this line, and its line.
    resume: Option<(usize, u32)>,
    input: Option<(Span, u32)>,
    /// Quoted words that are scripts, with their lines.
    scripts: Vec<(Buffer, u32)>,
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

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'p str {
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
    fn skip_continuation(&mut self) -> bool {
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

    /// Appends the value of `expansion`, or the expansion itself if the value is unknown. Returns whether it is unknown.
    fn push_value(&mut self, expansion: &str) -> Result<bool, Full> {
        // A dollar sign alone is a character.
        if expansion == "$" {
            self.shell.arena.append(b"$")?;
            return Ok(false);
        }
        let name = expansion.trim_start_matches(['$', '{']).trim_end_matches('}');
        let value = self.shell.variables.value(name, self.shell.depth).filter(|_| is_name(name));
        let Some(value) = value else {
            self.shell.arena.append(expansion.as_bytes())?;
            return Ok(true);
        };
        let copy = Buffer::from_slice(self.shell.text(value).as_bytes());
        self.shell.arena.append(&copy)?;
        Ok(false)
    }

    /// Reads a word, which is several if it has an expansion with blanks outside quotes.
    fn word(&mut self) -> Result<Vec<Span>, Full> {
        let mut words = Vec::new();
        self.open = OpenWord { start: self.shell.arena.len(), ..OpenWord::default() };
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' => break,
                b'\\' if self.skip_continuation() => {}
                b'\\' => {
                    self.at += 1;
                    self.character()?;
                }
                b'\'' | b'"' if self.closing_quote(byte).is_some() => self.quoted(byte)?,
                b'`' => self.command_substitution()?,
                b'$' => self.unquoted_expansion(&mut words)?,
                _ => self.character()?,
            }
        }
        if self.open.exists {
            words.push(self.close_word());
        }
        Ok(words)
    }

    fn close_word(&mut self) -> Span {
        let end = self.shell.arena.len();
        let OpenWord { start, quoted, unset, .. } = std::mem::take(&mut self.open);
        self.open.start = end;
        Span { start, end, quoted, unset }
    }

    fn character(&mut self) -> Result<(), Full> {
        let len = self.rest().chars().next().map_or(0, char::len_utf8);
        self.shell.arena.append(&self.rest().as_bytes()[..len])?;
        self.open.exists = true;
        self.at += len;
        Ok(())
    }

    /// The text in the quotes that begin here. An apostrophe within a word of another language than shell closes nowhere.
    fn closing_quote(&self, quote: u8) -> Option<&'p str> {
        let rest = self.text.get(self.at + 1..)?;
        let mut escaped = false;
        let end = rest.bytes().position(|byte| {
            let ends = byte == quote && !escaped;
            escaped = byte == b'\\' && quote == b'"' && !escaped;
            ends
        })?;
        let inside = &rest[..end];
        let before = self.text[..self.at].chars().next_back();
        let starts_word = before.is_none_or(|c| c.is_whitespace() || "=('\"".contains(c));
        (starts_word || !inside.contains('\n')).then_some(inside)
    }

    fn quoted(&mut self, quote: u8) -> Result<(), Full> {
        let Some(inside) = self.closing_quote(quote) else { return Ok(()) };
        let start = self.shell.arena.len();
        self.open.exists = true;
        if quote == b'"' {
            self.open.quoted = true;
            self.double_quoted(inside)?;
        } else {
            self.shell.arena.append(inside.as_bytes())?;
        }
        if inside.split_whitespace().any(|word| word == self.shell.inner) {
            let copy = Buffer::from_slice(self.shell.arena.get(start..).unwrap_or_default());
            self.scripts.push((copy, self.line));
        }
        self.at += inside.len() + 2;
        self.line += inside.matches('\n').count() as u32;
        Ok(())
    }

    fn double_quoted(&mut self, inside: &str) -> Result<(), Full> {
        let mut rest = inside;
        while let Some(at) = rest.find(['$', '\\', '`']) {
            self.shell.arena.append(&rest.as_bytes()[..at])?;
            rest = &rest[at..];
            let len = match rest.as_bytes() {
                [b'\\', b'"' | b'\\' | b'$' | b'`', ..] => {
                    self.shell.arena.append(&rest.as_bytes()[1..2])?;
                    2
                }
                [b'\\', ..] => {
                    self.shell.arena.append(b"\\")?;
                    1
                }
                _ => {
                    let expansion = expansion(rest);
                    self.open.unset |= self.push_value(expansion)?;
                    expansion.len()
                }
            };
            rest = &rest[len..];
        }
        self.shell.arena.append(rest.as_bytes())
    }

    fn command_substitution(&mut self) -> Result<(), Full> {
        let expansion = expansion(self.rest());
        self.open.unset |= self.push_value(expansion)?;
        self.advance(expansion);
        Ok(())
    }

    fn advance(&mut self, text: &str) {
        self.open.exists = true;
        self.at += text.len();
        self.line += text.matches('\n').count() as u32;
    }

    fn unquoted_expansion(&mut self, words: &mut Vec<Span>) -> Result<(), Full> {
        let expansion = expansion(self.rest());
        let start = self.shell.arena.len();
        let unset = self.push_value(expansion)?;
        self.open.unset |= unset;
        self.advance(expansion);
        if unset {
            return Ok(());
        }
        // Blanks of the value separate words.
        let value = Buffer::from_slice(self.shell.arena.get(start..).unwrap_or_default());
        for (at, _) in value.iter().enumerate().filter(|(_, byte)| byte.is_ascii_whitespace()) {
            let OpenWord { start: word, quoted, unset, .. } = self.open;
            if start + at > word {
                words.push(Span { start: word, end: start + at, quoted, unset });
            }
            self.open = OpenWord { start: start + at + 1, ..OpenWord::default() };
        }
        self.open.exists = self.open.start < self.shell.arena.len();
        Ok(())
    }

    fn end_command(&mut self, is_piped: bool) -> Result<(), Full> {
        let words = std::mem::take(&mut self.words);
        let scripts = std::mem::take(&mut self.scripts);
        let input = self.input.take();
        let words = self.without_leading(words);
        let first = words.first().map_or("", |word| self.shell.text(*word));
        let prints = matches!(first, "echo" | "printf");
        if !words.is_empty() && (scripts.is_empty() || prints) {
            self.shell.commands.push(SimpleCommand { line: self.first_line, words, is_piped, input });
        }
        // A text that is only printed is no command.
        for (script, line) in scripts.into_iter().filter(|_| !prints || is_piped) {
            let text = std::str::from_utf8(&script).unwrap_or_default();
            self.shell.read(text, line)?;
        }
        Ok(())
    }

    /// The words of a command without assignments and words of compound commands, which take effect.
    fn without_leading(&mut self, mut words: Vec<Span>) -> Vec<Span> {
        while let Some(first) = words.first().copied() {
            match self.leading(first, words.get(1).copied()) {
                Leading::Compound => {
                    words.remove(0);
                }
                Leading::Assignment => {
                    self.assign(first);
                    words.remove(0);
                }
                Leading::Declaration => {
                    words.drain(..).skip(1).for_each(|word| self.assign(word));
                }
                Leading::Forgetting => {
                    words.drain(..).skip(1).for_each(|word| self.forget(word));
                }
                Leading::Command => break,
            }
        }
        words
    }

    /// The meaning of the first word of a command; counts the open compound commands.
    fn leading(&mut self, first: Span, second: Option<Span>) -> Leading {
        let text = self.shell.text(first);
        let is_function = text.ends_with("()") || second.is_some_and(|word| self.shell.text(word) == "()");
        let (opens, closes) = (OPENING.contains(&text), CLOSING.contains(&text));
        let leading = if LEADING.contains(&text) || closes || is_function {
            Leading::Compound
        } else if assignment(text).is_some() {
            Leading::Assignment
        } else if DECLARING.contains(&text) {
            Leading::Declaration
        } else if FORGETTING.contains(&text) {
            Leading::Forgetting
        } else {
            Leading::Command
        };
        self.shell.depth = (self.shell.depth + u32::from(opens)).saturating_sub(u32::from(closes));
        leading
    }

    fn assign(&mut self, word: Span) {
        let Some((name, at)) = assignment(self.shell.text(word)) else { return };
        let name = name.to_owned();
        let value = Span { start: word.start + at, ..word };
        self.shell.variables.assign(&name, Some(value).filter(|value| !value.unset), self.shell.depth);
    }

    /// A variable that `for`, `read` or `unset` names has no known value from here on.
    fn forget(&mut self, word: Span) {
        let text = self.shell.text(word);
        if is_name(text) {
            let name = text.to_owned();
            self.shell.variables.assign(&name, None, self.shell.depth);
        }
    }
}

/// The expansion that `text`, which begins with `$` or a backquote, begins with.
fn expansion(text: &str) -> &str {
    let rest = text.get(1..).unwrap_or_default();
    let len = match rest.chars().next() {
        _ if text.starts_with('`') => rest.find('`').map_or(rest.len(), |at| at + 1),
        Some('(') => balanced(rest, '(', ')'),
        Some('{') => balanced(rest, '{', '}'),
        Some(c) if c.is_ascii_digit() || "@*#?!-$".contains(c) => 1,
        _ => rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count(),
    };
    &text[..=len]
}

/// The length up to the bracket that closes the first one.
fn balanced(text: &str, opening: char, closing: char) -> usize {
    let mut depth = 0_u32;
    for (at, c) in text.char_indices() {
        if c == opening {
            depth += 1;
        } else if c == closing {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + 1;
            }
        }
    }
    text.len()
}
