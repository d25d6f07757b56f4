//! What is wrong with a text, and where. No diagnostic holds a word that could be key material.

pub(crate) mod citation;
pub(crate) mod codes;
pub(crate) mod explain;
pub(crate) mod render;
pub(crate) mod suggest;

pub use codes::Code;

use crate::keyfile::source::Location;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The command is not used.
    Error,
    /// The command is used; someone should look at it.
    Warning,
}

/// A stretch of one line. Lines and columns count from 1, columns and `len` in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Line in the text.
    pub line: u32,
    /// First byte within the line.
    pub column: u32,
    /// Bytes.
    pub len: u32,
}

impl Span {
    /// The span of `len` bytes at `offset` of `text`, inside the command at `location`.
    pub(crate) fn locate(text: &[u8], location: Location, offset: usize, len: usize) -> Self {
        let before = text.get(location.start..offset).unwrap_or_default();
        let newlines = before.iter().filter(|byte| **byte == b'\n').count();
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(location.start, |at| location.start + at + 1);
        Self {
            line: location.line + number(newlines),
            column: number(offset - line_start.min(offset)) + 1,
            len: number(len),
        }
    }

    /// The first word of the command at `location`, as far as it is known without its text.
    fn start_of(location: Location) -> Self {
        Self { line: location.line, column: 1, len: 0 }
    }
}

/// A count that a text of this size cannot exceed, as the type spans use.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// One problem of a command: the place, what was found, what was wanted, what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// Where. A `len` of 0 marks the whole command.
    pub span: Span,
    /// The command it belongs to.
    pub location: Location,
    /// What was found, in one line without key text.
    pub message: String,
    /// What was wanted there.
    pub expected: Option<String>,
    /// What to do next.
    pub help: Option<String>,
    /// Another stretch of the same command, and what it has to do with the problem.
    pub related: Option<(Span, String)>,
}

impl Diagnostic {
    /// A problem of the command at `location`.
    #[must_use]
    pub fn new(severity: Severity, code: Code, location: Location, message: impl Into<String>) -> Self {
        let span = Span::start_of(location);
        Self { code, severity, span, location, message: message.into(), expected: None, help: None, related: None }
    }

    /// An SADB's refusal of the command at `location`.
    #[must_use]
    pub fn refused(location: Location, message: impl Into<String>, help: Option<String>) -> Self {
        Self { help, ..Self::new(Severity::Error, Code::Refused, location, message) }
    }

    /// The same at a narrower place.
    #[must_use]
    pub fn at(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// The same with what was wanted.
    #[must_use]
    #[cfg(test)]
    pub fn expected(self, expected: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }

    /// The same with what to do next.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Whether the command is not used because of this.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_a_text() {
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
