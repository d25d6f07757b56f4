//! The first words of a command: assignments and words of compound commands (POSIX, Shell Command Language, 2.9).

use super::lexer::Lexer;
use super::variables::{assignment, is_name};
use super::{SimpleCommand, Span};
use crate::secret::Full;

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

impl Lexer<'_, '_, '_> {
    pub(super) fn end_command(&mut self, is_piped: bool) -> Result<(), Full> {
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
