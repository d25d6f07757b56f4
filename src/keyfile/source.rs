//! Bytes to logical lines: one command each, continuation lines included.
//!
//! A backslash as the very last byte before a newline continues the line; so does one in a comment. Nothing is copied: a
//! logical line is a range of the text, and [`crate::keyfile::lexer`] reads backslash and newline as a separator.

use memchr::{memchr, memrchr_iter};

use crate::keyfile::lexer::is_space;

/// Where a command is: its lines, and its bytes within the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// First line, from 1.
    pub line: u32,
    /// Last line; the same unless the command was continued.
    pub last_line: u32,
    /// Offset of its first line in the text, in bytes.
    pub start: usize,
    /// Offset of the end of its last line, the newline not counted.
    pub end: usize,
}

/// A logical line that holds a command, or a comment worth a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where it is.
    pub(crate) location: Location,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a [`Line`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A command.
    Command,
    /// A command whose last line ends in a backslash, with nothing after it in the file.
    CutCommand,
    /// A comment that swallows the line after it.
    LongComment,
}

/// The logical lines of a text, blank ones and one-line comments left out.
pub(crate) struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u32,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// Numbers the lines from `line` on.
    pub(crate) fn number_from(&mut self, line: u32) {
        self.line = line;
    }

    /// Takes the next logical line, whatever it holds. The flag says whether it ends in a backslash at the end of the text.
    fn take(&mut self) -> Option<(Location, bool)> {
        let start = self.at;
        let first = self.line;
        if start >= self.text.len() {
            return None;
        }
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(newline) = memchr(b'\n', rest) else {
                let cut = rest.last() == Some(&b'\\') || (rest.is_empty() && self.line > first);
                self.at = self.text.len();
                let last_line = if rest.is_empty() { self.line - 1 } else { self.line };
                let location = Location { line: first, last_line, start, end: self.text.len() };
                self.line = last_line + 1;
                return Some((location, cut));
            };
            let continued = newline > 0 && rest.get(newline - 1) == Some(&b'\\');
            self.at += newline + 1;
            self.line = self.line.saturating_add(1);
            if !continued {
                return Some((Location { line: first, last_line: self.line - 1, start, end: self.at - 1 }, false));
            }
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            let (location, cut) = self.take()?;
            let bytes = self.text.get(location.start..location.end).unwrap_or_default();
            let kind = match first_of(bytes) {
                None => continue,
                Some(b'#') if location.line == location.last_line => continue,
                Some(b'#') => Kind::LongComment,
                Some(_) if cut => Kind::CutCommand,
                Some(_) => Kind::Command,
            };
            return Some(Line { location, kind });
        }
    }
}

/// Length of the part of `text` that is logical lines to their ends: what follows may go on in text that is yet to come.
#[must_use]
pub fn complete_lines_len(text: &[u8]) -> usize {
    memrchr_iter(b'\n', text).find(|end| *end == 0 || text.get(end - 1) != Some(&b'\\')).map_or(0, |end| end + 1)
}

/// The first byte that is neither white space nor part of a continuation.
fn first_of(line: &[u8]) -> Option<u8> {
    let mut bytes = line.iter().enumerate();
    bytes.find(|(at, byte)| !is_space(**byte) && !is_continuation(line, *at)).map(|(_, byte)| *byte)
}

/// Whether the byte at `at` is a backslash that continues the line: one before a newline or at the very end of the text.
pub(crate) fn is_continuation(line: &[u8], at: usize) -> bool {
    line.get(at) == Some(&b'\\') && matches!(line.get(at + 1), None | Some(b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u32, u32, &str, Kind)> {
        let found = Lines::new(text.as_bytes());
        found
            .map(|line| {
                (line.location.line, line.location.last_line, &text[line.location.start..line.location.end], line.kind)
            })
            .collect()
    }

    #[test]
    fn what_is_whole_ends_in_a_newline_that_continues_nothing() {
        for (text, len) in
            [("", 0), ("add", 0), ("add\n", 4), ("\nadd", 1), ("add\nesp", 4), ("add \\\nesp", 0), ("a\nb\\\n", 2)]
        {
            assert_eq!(complete_lines_len(text.as_bytes()), len, "{text:?}");
        }
    }

    #[test]
    fn blank_lines_and_comments_are_skipped() {
        assert_eq!(lines("\n  \t\r\n# c\nflush\n\nquit"), [(4, 4, "flush", Kind::Command), (6, 6, "quit", Kind::Command)]);
        assert_eq!(lines(""), []);
        assert_eq!(lines("\\\n\\\n"), []);
    }

    #[test]
    fn a_backslash_right_before_the_newline_continues() {
        assert_eq!(lines("a \\\nb\\\n c\nd\n"), [(1, 3, "a \\\nb\\\n c", Kind::Command), (4, 4, "d", Kind::Command)]);
        assert_eq!(lines("a \\ \nb\n").len(), 2);
        assert_eq!(lines("a \\\r\nb\n").len(), 2);
    }

    #[test]
    fn a_blank_line_ends_a_continued_command() {
        assert_eq!(lines("a \\\n\nb\n"), [(1, 2, "a \\\n", Kind::Command), (3, 3, "b", Kind::Command)]);
    }

    #[test]
    fn a_comment_swallows_the_line_it_continues_on() {
        assert_eq!(
            lines("# old \\\nadd\nflush\n"),
            [(1, 2, "# old \\\nadd", Kind::LongComment), (3, 3, "flush", Kind::Command)]
        );
    }

    #[test]
    fn a_command_cut_by_the_end_of_the_file_still_counts() {
        assert_eq!(lines("flush \\\n"), [(1, 1, "flush \\\n", Kind::CutCommand)]);
        assert_eq!(lines("flush \\"), [(1, 1, "flush \\", Kind::CutCommand)]);
        assert_eq!(lines("\nflush ah\\\n"), [(2, 2, "flush ah\\\n", Kind::CutCommand)]);
    }
}
