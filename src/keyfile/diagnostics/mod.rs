//! Diagnostics: problems of a text with their locations. No diagnostic contains a word that may be a key.

pub(crate) mod citation;
pub(crate) mod codes;
pub(crate) mod explain;
pub(crate) mod render;

pub(crate) use codes::Code;

use crate::keyfile::source::Location;
use crate::redact::without_error_numbers;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The command is not executed.
    Error,
    /// The command is executed.
    Warning,
}

/// A range of one line. Lines and columns count from 1, columns and `len` are in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) len: u32,
}

impl Span {
    /// The span of `len` bytes at `offset` of `text`, inside the command at `location`.
    pub(crate) fn locate(text: &[u8], location: Location, offset: usize, len: usize) -> Self {
        // Only the command itself is searched: counting from the start of a large file would take quadratic time.
        let before = text.get(location.start..offset).unwrap_or_default();
        let newlines = before.iter().filter(|byte| **byte == b'\n').count();
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(location.start, |at| location.start + at + 1);
        Self { line: location.line + count(newlines), column: count(offset - line_start.min(offset)) + 1, len: count(len) }
    }

    /// The start of the command at `location`. Without the text, the length of its first word is unknown.
    fn start_of(location: Location) -> Self {
        Self { line: location.line, column: 1, len: 0 }
    }
}

/// A count as spans have it; no text is large enough to exceed the type.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A problem of a command: its location, what was found and expected, and a remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    /// A `len` of 0 marks the whole command.
    pub(crate) span: Span,
    /// The command it belongs to.
    pub(crate) location: Location,
    /// What was found, in one line.
    pub(crate) message: String,
    pub(crate) expected: Option<String>,
    pub(crate) help: Option<String>,
    /// Another range of the same command, with a label.
    pub(crate) related: Option<(Span, String)>,
}

impl Diagnostic {
    /// A problem of the command at `location`.
    #[must_use]
    pub(crate) fn new(severity: Severity, code: Code, location: Location, message: impl Into<String>) -> Self {
        let span = Span::start_of(location);
        Self { code, severity, span, location, message: message.into(), expected: None, help: None, related: None }
    }

    /// The error of an SADB for the command at `location`.
    #[must_use]
    pub(crate) fn refused(location: Location, message: impl Into<String>, help: Option<String>) -> Self {
        let message = without_error_numbers(&message.into()).into_owned();
        Self { help, ..Self::new(Severity::Error, Code::Refused, location, message) }
    }

    /// Narrows the diagnostic to `span`.
    #[must_use]
    pub(crate) fn at(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// Adds what was expected.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn expected(self, expected: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }

    #[must_use]
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Whether the command is invalid because of this.
    #[must_use]
    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locate_counts_lines_and_columns() {
        let text = b"a\nb c\\\n def\n";
        let location = Location { line: 2, last_line: 3, start: 2, end: 11 };
        assert_eq!(Span::locate(text, location, 4, 1), Span { line: 2, column: 3, len: 1 });
        assert_eq!(Span::locate(text, location, 8, 3), Span { line: 3, column: 2, len: 3 });
        assert_eq!(
            Span::locate(b"", Location { line: 1, ..Location::default() }, 6, 2),
            Span { line: 1, column: 7, len: 2 }
        );
    }
}
