//! What is wrong with a text, and where. No diagnostic holds a word that could be key material.

pub(crate) mod explain;
pub(crate) mod render;
pub(crate) mod suggest;

use std::fmt;

use crate::keyfile::source::Place;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The command is not used.
    Error,
    /// The command is used; someone should look at it.
    Warning,
}

/// What kind of problem it is. The number is stable and printed as `IK001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The first word is no command.
    UnknownCommand = 1,
    /// The second word is no SA type.
    UnknownSaType = 2,
    /// A word is no keyword.
    UnknownExtension = 3,
    /// A value is missing at the end of the command.
    UnexpectedEnd = 4,
    /// A number was wanted.
    NotANumber = 5,
    /// A number is outside of what its field holds.
    OutOfRange = 6,
    /// A key is not hexadecimal.
    NotHex = 7,
    /// What follows the slash of a key is no bit length.
    NotABitSpecifier = 8,
    /// The bit length of a key exceeds its digits, or the digits exceed what a key may have.
    BitLengthTooBig = 9,
    /// A keyword was given twice.
    Duplicate = 10,
    /// The command has no use for this keyword.
    NotForThisCommand = 11,
    /// No algorithm of that name.
    UnknownAlgorithm = 12,
    /// No state of that name.
    UnknownState = 13,
    /// No identity type of that name.
    UnknownIdentityType = 14,
    /// No such address or name.
    UnknownAddress = 15,
    /// No source address fits the destination, or the other way round.
    NoMatchingAddress = 16,
    /// Something that the command needs was not given.
    Missing = 17,
    /// Two things that were given exclude each other.
    Conflict = 18,
    /// The command exists, but not here.
    NotHere = 19,
    /// A word too many.
    TooManyArguments = 20,
    /// Quotes that lose text.
    Quotes = 21,
    /// This SADB cannot hold what the keyword asks for.
    NotForThisSadb = 22,
    /// The SADB refused the command.
    Refused = 30,
    /// A comment that ends in a backslash hides the next line.
    CommentContinues = 40,
    /// The text ends in a backslash.
    EndsInBackslash = 41,
    /// Bits of a key are cut off or filled up.
    KeyLengthChanged = 42,
    /// A name with several addresses where one is wanted.
    VagueName = 43,
    /// A replay window with a manual key.
    ReplayWithManualKey = 44,
    /// A counter-mode cipher with a manual key.
    CounterMode = 45,
    /// Something given is not used.
    Ignored = 46,
    /// Source and destination are of different families.
    MixedFamilies = 47,
    /// A key of zero bits only.
    ZeroKey = 48,
    /// A weak or semi-weak DES key, or a Triple DES key with equal parts.
    WeakKey = 49,
    /// A key length that the algorithm does not take.
    KeyLength = 50,
    /// A name, which may not be resolvable at boot.
    NameInFile = 51,
    /// An SPI of the reserved range.
    ReservedSpi = 52,
    /// The same SA twice.
    DuplicateSa = 53,
    /// An algorithm without key, or no integrity protection.
    Unprotected = 54,
    /// Thousands of SAs with the same addresses and request id.
    Crowd = 55,
}

impl Code {
    /// Every code, by number.
    #[cfg(test)]
    pub const ALL: &[Self] = &[
        Self::UnknownCommand,
        Self::UnknownSaType,
        Self::UnknownExtension,
        Self::UnexpectedEnd,
        Self::NotANumber,
        Self::OutOfRange,
        Self::NotHex,
        Self::NotABitSpecifier,
        Self::BitLengthTooBig,
        Self::Duplicate,
        Self::NotForThisCommand,
        Self::UnknownAlgorithm,
        Self::UnknownState,
        Self::UnknownIdentityType,
        Self::UnknownAddress,
        Self::NoMatchingAddress,
        Self::Missing,
        Self::Conflict,
        Self::NotHere,
        Self::TooManyArguments,
        Self::Quotes,
        Self::NotForThisSadb,
        Self::Refused,
        Self::CommentContinues,
        Self::EndsInBackslash,
        Self::KeyLengthChanged,
        Self::VagueName,
        Self::ReplayWithManualKey,
        Self::CounterMode,
        Self::Ignored,
        Self::MixedFamilies,
        Self::ZeroKey,
        Self::WeakKey,
        Self::KeyLength,
        Self::NameInFile,
        Self::ReservedSpi,
        Self::DuplicateSa,
        Self::Unprotected,
        Self::Crowd,
    ];
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IK{:03}", *self as u16)
    }
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
    /// The span of `len` bytes at `offset` of `text`, inside the command at `place`.
    pub(crate) fn locate(text: &[u8], place: Place, offset: usize, len: usize) -> Self {
        let before = text.get(place.start..offset).unwrap_or_default();
        let newlines = before.iter().filter(|byte| **byte == b'\n').count();
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(place.start, |at| place.start + at + 1);
        Self { line: place.line + number(newlines), column: number(offset - line_start.min(offset)) + 1, len: number(len) }
    }

    /// The first word of the command at `place`, as far as it is known without its text.
    fn start_of(place: Place) -> Self {
        Self { line: place.line, column: 1, len: 0 }
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
    pub place: Place,
    /// What was found, in one line without key text.
    pub message: String,
    /// What was wanted there.
    pub wanted: Option<String>,
    /// What to do next.
    pub help: Option<String>,
    /// Another stretch of the same command, and what it has to do with the problem.
    pub related: Option<(Span, String)>,
}

impl Diagnostic {
    /// A problem of the command at `place`.
    #[must_use]
    pub fn new(severity: Severity, code: Code, place: Place, message: impl Into<String>) -> Self {
        let span = Span::start_of(place);
        Self { code, severity, span, place, message: message.into(), wanted: None, help: None, related: None }
    }

    /// An SADB's refusal of the command at `place`.
    #[must_use]
    pub fn refused(place: Place, message: impl Into<String>, help: Option<String>) -> Self {
        Self { help, ..Self::new(Severity::Error, Code::Refused, place, message) }
    }

    /// The same at a narrower place.
    #[must_use]
    pub fn at(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// The same with what was wanted.
    #[must_use]
    #[cfg(test)]
    pub fn wanted(self, wanted: impl Into<String>) -> Self {
        Self { wanted: Some(wanted.into()), ..self }
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
    fn every_code_is_documented() {
        let table = include_str!("../../../docs/messages.md");
        assert!(Code::ALL.is_sorted_by_key(|code| *code as u16));
        for code in Code::ALL {
            assert!(table.contains(&format!("\n| {code} |")), "{code:?}");
        }
        assert_eq!(table.matches("\n| IK").count(), Code::ALL.len());
    }

    #[test]
    fn places_in_a_text() {
        let text = b"a\nb c\\\n def\n";
        let place = Place { line: 2, last_line: 3, start: 2, end: 11 };
        assert_eq!(Span::locate(text, place, 4, 1), Span { line: 2, column: 3, len: 1 });
        assert_eq!(Span::locate(text, place, 8, 3), Span { line: 3, column: 2, len: 3 });
        assert_eq!(Span::locate(b"", Place { line: 1, ..Place::default() }, 6, 2), Span { line: 1, column: 7, len: 2 });
    }
}
