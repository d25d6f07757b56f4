//! Words: quoting and expansions (POSIX, Shell Command Language, 2.2 and 2.6).

use super::Span;
use super::lexer::{Lexer, OpenWord};
use super::variables::{expansion, is_name};
use crate::secret::{Buffer, Full};

impl<'p> Lexer<'_, '_, 'p> {
    /// Appends the value of `expansion`, or the expansion itself if the value is unknown. Returns whether it is unknown.
    pub(super) fn push_value(&mut self, expansion: &str) -> Result<bool, Full> {
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
    pub(super) fn word(&mut self) -> Result<Vec<Span>, Full> {
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
}
