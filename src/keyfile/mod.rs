//! The command language of ipseckey(1M): from text to commands.
//!
//! bytes -`source`-> logical lines -`lexer`-> words -`parse`-> [`Command`], or [`Diagnostic`]s with line and column.
#![forbid(unsafe_code)]

mod command;
pub(crate) mod diagnostics;
mod lexer;
pub(crate) mod lint;
pub(crate) mod literals;
pub(crate) mod parse;
mod source;
#[cfg(test)]
mod testing;

pub(crate) use crate::names::verbs::{Setting, Verb};
pub(crate) use command::{Command, SaCommand, Target};
pub(crate) use diagnostics::explain::{Explanation, explanations};
pub(crate) use diagnostics::render::{MAX_WIDTH, RenderStyle, render, render_within};
pub(crate) use diagnostics::{Code, Diagnostic, Severity, Span};
pub(crate) use lint::Checker;
pub(crate) use lint::chains::DEFAULT_SKEW;
pub(crate) use lint::tuple_count::DuplicateTupleCounter;
#[cfg(feature = "internals")]
pub(crate) use parse::resolve::NameError;
pub(crate) use parse::resolve::{HostsFile, Resolver, SystemResolver};
pub(crate) use source::{Location, MAX_COMMAND_LEN, complete_lines_len, line_after, long_command};

use std::ops::Range;

use crate::names::Vocabulary;
use crate::names::keywords::{self, Keyword, Value};
use lexer::{Arguments, Lexer, WordSource};
use parse::Parser;
use source::{LineKind, LogicalLines};

/// How a text is parsed.
pub(crate) struct Options<'a> {
    /// The SADB whose keywords, algorithms and limits apply.
    pub(crate) vocabulary: Vocabulary,
    /// `-n`: addresses only, no host names.
    pub(crate) numeric: bool,
    pub(crate) setting: Setting,
    pub(crate) resolver: &'a dyn Resolver,
}

/// A command of a text, with its diagnostics.
pub(crate) struct ParsedCommand {
    pub(crate) location: Location,
    /// The command, if it is valid.
    pub(crate) outcome: Result<Command, Rejected>,
    /// In the order of the text. A valid command has warnings only.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Whether it contains a host name.
    pub(crate) has_names: bool,
}

/// An invalid command; the diagnostics say why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rejected;

/// Parses the commands of `text`, in order. Blank lines and comments are skipped.
pub(crate) fn commands<'t>(text: &'t [u8], options: &'t Options<'t>) -> Commands<'t> {
    Commands { text, options, lines: LogicalLines::new(text), pending: Vec::new() }
}

/// Iterator over the commands of a text; see [`commands`].
pub(crate) struct Commands<'t> {
    text: &'t [u8],
    options: &'t Options<'t>,
    lines: LogicalLines<'t>,
    /// Warnings about comments. The next command carries them.
    pending: Vec<Diagnostic>,
}

impl Commands<'_> {
    /// Numbers the lines from `line` on, for a text that is a part of another.
    #[must_use]
    pub(crate) fn starting_at_line(mut self, line: u32) -> Self {
        self.lines.number_from(line);
        self
    }

    /// Warnings about comments after the last command. Complete once the iterator has ended.
    pub(crate) fn take_trailing_warnings(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.pending)
    }
}

impl Iterator for Commands<'_> {
    type Item = ParsedCommand;

    fn next(&mut self) -> Option<ParsedCommand> {
        loop {
            let line = self.lines.next()?;
            let location = line.location;
            if line.kind == LineKind::ContinuedComment {
                self.pending.push(warn_continued_comment(self.text, location));
                continue;
            }
            let bytes = self.text.get(location.start..location.end).unwrap_or_default();
            let parser = Parser::new(self.options, self.text, location, Lexer::new(bytes, location.start));
            let mut parsed = parser.run();
            let diagnostics = &mut parsed.command.diagnostics;
            // A comment precedes the command that it hides, so its warning comes first.
            if !self.pending.is_empty() {
                diagnostics.splice(0..0, self.pending.drain(..));
            }
            if line.kind == LineKind::CutCommand {
                diagnostics.push(warn_trailing_backslash(self.text, location));
            }
            // A line of empty quotes is no command, but its warnings must not be lost.
            if parsed.is_command {
                return Some(parsed.command);
            }
            self.pending = parsed.command.diagnostics;
        }
    }
}

/// The keywords of the command at `location` that have a value, each with the place of its value in `text`.
pub(crate) fn keyword_values(text: &[u8], location: Location) -> impl Iterator<Item = (&'static Keyword, Range<usize>)> {
    let line = text.get(location.start..location.end).unwrap_or_default();
    let mut lexer = Lexer::new(line, location.start);
    std::iter::from_fn(move || {
        loop {
            let word = lexer.next_word()?;
            let Some(row) = keywords::by_word(word.bytes).filter(|row| row.value != Value::Nothing) else { continue };
            if row.value == Value::Identity {
                lexer.next_word();
            }
            let value = lexer.next_word()?;
            return Some((row, value.offset..value.offset + value.bytes.len()));
        }
    })
}

fn warn_continued_comment(text: &[u8], location: Location) -> Diagnostic {
    let line = text.get(location.start..location.end).unwrap_or_default();
    let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
    let span = Span::locate(text, location, location.start + end.saturating_sub(1), 1);
    Diagnostic::new(
        Severity::Warning,
        Code::CommentContinues,
        location,
        "This comment continues on the next line, because it ends in a backslash",
    )
    .at(span)
    .help("remove the backslash if the next line is a command")
}

fn warn_trailing_backslash(text: &[u8], location: Location) -> Diagnostic {
    let line = text.get(location.start..location.end).unwrap_or_default();
    let at = memchr::memrchr(b'\\', line).unwrap_or_default();
    Diagnostic::new(
        Severity::Warning,
        Code::TrailingBackslash,
        location,
        "The last line ends in a backslash, but no line follows",
    )
    .at(Span::locate(text, location, location.start + at, 1))
}

/// Parses the arguments of a shell command. Spans refer to the words joined by single blanks.
#[must_use]
pub(crate) fn command_from_words(words: &[&[u8]], options: &Options<'_>) -> ParsedCommand {
    // One blank after each word but the last, as `Arguments` counts offsets.
    let len = words.iter().map(|word| word.len() + 1).sum::<usize>().saturating_sub(1);
    let location = Location { line: 1, last_line: 1, start: 0, end: len };
    Parser::new(options, &[], location, Arguments::new(words)).run().command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_their_locations() {
        let items = testing::items("# c\nflush ah\n\nget esp \\\n spi 5 dst 10.0.0.2\nbogus\nquit", Setting::File, true);
        let places: Vec<_> =
            items.iter().map(|item| (item.location.line, item.location.last_line, item.outcome.is_ok())).collect();
        assert_eq!(places, [(2, 2, true), (4, 5, true), (6, 6, false), (7, 7, true)]);
    }

    #[test]
    fn warnings_about_comments_come_with_the_next_command_or_last() {
        let options = Options {
            vocabulary: Vocabulary::Illumos,
            numeric: true,
            setting: Setting::File,
            resolver: &HostsFile::default(),
        };
        let mut commands = commands(b"# a \\\nflush\nflush ah\n# b \\\nflush esp\n", &options);
        let item = commands.next().unwrap();
        assert!(matches!(item.outcome, Ok(Command::Flush(crate::sa::SaType::AH))));
        assert_eq!(item.diagnostics[0].code, Code::CommentContinues);
        assert!(commands.next().is_none());
        assert_eq!(commands.take_trailing_warnings()[0].span, Span { line: 4, column: 5, len: 1 });
    }

    #[test]
    fn command_from_words_takes_each_argument_as_a_word() {
        let options = Options {
            vocabulary: Vocabulary::Illumos,
            numeric: true,
            setting: Setting::Shell,
            resolver: &HostsFile::default(),
        };
        let item = command_from_words(&[b"save", b"esp", b"a \"file\""], &options);
        assert!(
            matches!(item.outcome, Ok(Command::Save(crate::sa::SaType::ESP, Some(file))) if file.as_os_str() == "a \"file\"")
        );
        let item = command_from_words(&[b"delete", b"esp", b"spi", b""], &options);
        assert_eq!(item.diagnostics[0].span, Span { line: 1, column: 16, len: 0 });
        assert!(command_from_words(&[], &options).outcome.is_err());
    }
}
