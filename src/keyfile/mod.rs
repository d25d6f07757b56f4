//! Text to commands: the command language of ipseckey(1M).
//!
//! bytes -`source`-> logical lines -`lexer`-> words -`parser`-> [`Command`], or [`Diagnostic`]s with line and column.
#![forbid(unsafe_code)]

mod command;
pub mod diagnostics;
mod lexer;
pub mod lint;
pub mod parse;
mod source;
#[cfg(test)]
mod testing;

pub use command::{Command, SaCommand, Target, Verb};
pub use diagnostics::explain::{Explanation, explanations};
pub use diagnostics::render::{Style, render};
pub use diagnostics::suggest::nearest;
pub use diagnostics::{Code, Diagnostic, Severity, Span};
pub use lint::Checker;
pub use lint::tuple_count::DuplicateTupleCounter;
#[cfg(feature = "internals")]
pub use parse::resolve::NameError;
pub use parse::resolve::{HostsFile, Resolver, SystemResolver};
pub use source::{Location, complete_lines_len};

use crate::names::Vocabulary;
use lexer::{Arguments, Lexer};
use parse::Parser;
use source::{Kind, Lines};

/// How a text is to be read.
pub struct Options<'a> {
    /// Whose algorithms and limits count.
    pub vocabulary: Vocabulary,
    /// `-n`: addresses only, no names.
    pub numeric: bool,
    /// Where the text comes from.
    pub setting: Setting,
    /// Who knows names.
    pub resolver: &'a dyn Resolver,
}

/// Where commands come from, which decides what they may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// A file: no `monitor`, `dump`, `save`, `help`.
    File,
    /// The prompt, or standard input.
    Prompt,
    /// The arguments of a shell command: no `add`, `update`.
    Shell,
}

/// One command of a text.
pub struct ParsedCommand {
    /// Where it is.
    pub location: Location,
    /// The command, if it can be used.
    pub outcome: Result<Command, Rejected>,
    /// What there is to say about it. With a usable command these are warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether a host name stands in it.
    pub has_names: bool,
}

/// A command that cannot be used; the item's diagnostics say why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected;

/// The commands of `text`, in order. Blank lines and comments yield nothing.
pub fn commands<'t>(text: &'t [u8], options: &'t Options<'t>) -> Commands<'t> {
    Commands { text, options, lines: Lines::new(text), waiting: Vec::new() }
}

/// Iterator over the commands of a text.
pub struct Commands<'t> {
    text: &'t [u8],
    options: &'t Options<'t>,
    lines: Lines<'t>,
    /// Warnings about text that is no command; the next command brings them along.
    waiting: Vec<Diagnostic>,
}

impl Commands<'_> {
    /// The same with `line` as the number of the text's first line, for a text that is a part of another.
    #[must_use]
    pub fn from_line(mut self, line: u32) -> Self {
        self.lines.number_from(line);
        self
    }

    /// Warnings about text behind the last command. To be asked for when the iterator has ended.
    pub fn take_trailing_warnings(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.waiting)
    }
}

impl Iterator for Commands<'_> {
    type Item = ParsedCommand;

    fn next(&mut self) -> Option<ParsedCommand> {
        loop {
            let line = self.lines.next()?;
            let location = line.location;
            if line.kind == Kind::LongComment {
                self.waiting.push(long_comment(self.text, location));
                continue;
            }
            let bytes = self.text.get(location.start..location.end).unwrap_or_default();
            let parser = Parser::new(self.options, self.text, location, Lexer::new(bytes, location.start));
            let mut reading = parser.run();
            let diagnostics = &mut reading.item.diagnostics;
            if !self.waiting.is_empty() {
                diagnostics.splice(0..0, self.waiting.drain(..));
            }
            if line.kind == Kind::CutCommand {
                diagnostics.push(cut_command(self.text, location));
            }
            if reading.is_command {
                return Some(reading.item);
            }
            self.waiting = reading.item.diagnostics;
        }
    }
}

fn long_comment(text: &[u8], location: Location) -> Diagnostic {
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

fn cut_command(text: &[u8], location: Location) -> Diagnostic {
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

/// The command that a shell's arguments are. Spans count in the words joined by single blanks.
#[must_use]
pub fn command_from_words(words: &[&[u8]], options: &Options<'_>) -> ParsedCommand {
    let len = words.iter().map(|word| word.len() + 1).sum::<usize>().saturating_sub(1);
    let location = Location { line: 1, last_line: 1, start: 0, end: len };
    Parser::new(options, &[], location, Arguments::new(words)).run().item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_order_with_their_places() {
        let items = testing::items("# c\nflush ah\n\nget esp \\\n spi 5 dst 10.0.0.2\nbogus\nquit", Setting::File, true);
        let places: Vec<_> =
            items.iter().map(|item| (item.location.line, item.location.last_line, item.outcome.is_ok())).collect();
        assert_eq!(places, [(2, 2, true), (4, 5, true), (6, 6, false), (7, 7, true)]);
    }

    #[test]
    fn warnings_about_comments_come_with_the_next_command_or_at_the_end() {
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
    fn shell_arguments_are_one_word_each() {
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
