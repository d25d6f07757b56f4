//! From bytes to logical lines: each is one command with its continuation lines.
//!
//! A backslash directly before a newline continues the line, in comments too. Nothing is copied: a logical line is a range
//! of the text, in which [`crate::keyfile::lexer`] treats backslash and newline as a separator.

use memchr::{memchr, memrchr_iter};

/// The location of a command: its lines, and its bytes within the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Location {
    /// The first line, from 1.
    pub(crate) line: u32,
    /// The last line; greater than `line` if the command is continued.
    pub(crate) last_line: u32,
    /// Offset of its first line in the text, in bytes.
    pub(crate) start: usize,
    /// Offset of the end of its last line, without the newline.
    pub(crate) end: usize,
}

/// A logical line with a command, or with a comment worth a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogicalLine {
    pub(crate) location: Location,
    pub(crate) kind: LineKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind {
    Command,
    /// A command at the end of the text whose last line ends in a backslash.
    CutCommand,
    /// A comment that continues on the next line.
    ContinuedComment,
}

/// Iterator over the logical lines of a text, without blank lines and comments of one line.
pub(crate) struct LogicalLines<'t> {
    text: &'t [u8],
    at: usize,
    line: u32,
}

impl<'t> LogicalLines<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// Numbers the lines from `line` on.
    pub(crate) fn number_from(&mut self, line: u32) {
        self.line = line;
    }

    /// Takes the next logical line of any kind. The flag is true if a backslash at the end of the text continues it.
    fn take(&mut self) -> Option<(Location, bool)> {
        let start = self.at;
        let first = self.line;
        if start >= self.text.len() {
            return None;
        }
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(newline) = memchr(b'\n', rest) else {
                // The text ends without a newline, or directly after a continued line.
                let cut = rest.last() == Some(&b'\\') || (rest.is_empty() && self.line > first);
                self.at = self.text.len();
                // An empty rest is the end of the line before, not a line of its own.
                let last_line = if rest.is_empty() { self.line - 1 } else { self.line };
                let location = Location { line: first, last_line, start, end: self.text.len() };
                self.line = last_line + 1;
                return Some((location, cut));
            };
            // Only the byte directly before the newline counts: a blank or a carriage return after the backslash ends the line.
            let continued = newline > 0 && rest.get(newline - 1) == Some(&b'\\');
            self.at += newline + 1;
            self.line = self.line.saturating_add(1);
            if !continued {
                return Some((Location { line: first, last_line: self.line - 1, start, end: self.at - 1 }, false));
            }
        }
    }
}

impl Iterator for LogicalLines<'_> {
    type Item = LogicalLine;

    fn next(&mut self) -> Option<LogicalLine> {
        loop {
            let (location, cut) = self.take()?;
            let bytes = self.text.get(location.start..location.end).unwrap_or_default();
            let kind = match first_of(bytes) {
                None => continue,
                // Only a comment that hides another line is worth a warning.
                Some(b'#') if location.line == location.last_line => continue,
                Some(b'#') => LineKind::ContinuedComment,
                Some(_) if cut => LineKind::CutCommand,
                Some(_) => LineKind::Command,
            };
            return Some(LogicalLine { location, kind });
        }
    }
}

/// The number of the line after `text`, whose first line has the number `first`.
pub(crate) fn line_after(first: u32, text: &[u8]) -> u32 {
    first.saturating_add(u32::try_from(memchr::memchr_iter(b'\n', text).count()).unwrap_or(u32::MAX))
}

/// The longest command, with its continuation lines, in bytes. The longest that has a meaning is a thousand times shorter.
pub(crate) const MAX_COMMAND_LEN: usize = 1 << 20;

/// The number of the first line of a command or comment in `text` that is longer than [`MAX_COMMAND_LEN`]. The first line of `text` has
/// the number `first`.
#[must_use]
pub(crate) fn long_command(text: &[u8], first: u32) -> Option<u32> {
    if text.len() <= MAX_COMMAND_LEN {
        return None;
    }
    let mut lines = LogicalLines::new(text);
    lines.number_from(first);
    let mut locations = std::iter::from_fn(|| LogicalLines::take(&mut lines)).map(|(location, _)| location);
    locations.find(|location| location.end - location.start > MAX_COMMAND_LEN).map(|location| location.line)
}

/// Length of the complete logical lines at the start of `text`. The rest may continue in the next block of input.
#[must_use]
pub(crate) fn complete_lines_len(text: &[u8]) -> usize {
    memrchr_iter(b'\n', text).find(|end| *end == 0 || text.get(end - 1) != Some(&b'\\')).map_or(0, |end| end + 1)
}

/// The first byte that is neither white space nor part of a continuation.
fn first_of(line: &[u8]) -> Option<u8> {
    let mut bytes = line.iter().enumerate();
    bytes.find(|(at, byte)| !is_space(**byte) && !is_continuation(line, *at)).map(|(_, byte)| *byte)
}

/// `isspace(3C)` in the C locale.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Whether the byte at `at` is a backslash that continues the line: one before a newline or at the very end of the text.
pub(crate) fn is_continuation(line: &[u8], at: usize) -> bool {
    line.get(at) == Some(&b'\\') && matches!(line.get(at + 1), None | Some(b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u32, u32, &str, LineKind)> {
        let found = LogicalLines::new(text.as_bytes());
        found
            .map(|line| {
                (line.location.line, line.location.last_line, &text[line.location.start..line.location.end], line.kind)
            })
            .collect()
    }

    #[test]
    fn long_command_finds_lines_and_continuations() {
        let line = "a".repeat(MAX_COMMAND_LEN);
        assert_eq!(long_command(format!("flush\n{line}\n").as_bytes(), 7), None);
        assert_eq!(long_command(format!("flush\n{line}a\n").as_bytes(), 7), Some(8));
        assert_eq!(long_command("#\\\n".repeat(MAX_COMMAND_LEN / 2).as_bytes(), 1), Some(1));
        assert_eq!(long_command("flush\n".repeat(MAX_COMMAND_LEN).as_bytes(), 1), None);
    }

    #[test]
    fn complete_lines_len_ends_after_an_uncontinued_line() {
        for (text, len) in
            [("", 0), ("add", 0), ("add\n", 4), ("\nadd", 1), ("add\nesp", 4), ("add \\\nesp", 0), ("a\nb\\\n", 2)]
        {
            assert_eq!(complete_lines_len(text.as_bytes()), len, "{text:?}");
        }
    }

    #[test]
    fn blank_lines_and_comments_are_skipped() {
        assert_eq!(
            lines("\n  \t\r\n# c\nflush\n\nquit"),
            [(4, 4, "flush", LineKind::Command), (6, 6, "quit", LineKind::Command)]
        );
        assert_eq!(lines(""), []);
        assert_eq!(lines("\\\n\\\n"), []);
    }

    #[test]
    fn a_backslash_directly_before_a_newline_continues() {
        assert_eq!(
            lines("a \\\nb\\\n c\nd\n"),
            [(1, 3, "a \\\nb\\\n c", LineKind::Command), (4, 4, "d", LineKind::Command)]
        );
        assert_eq!(lines("a \\ \nb\n").len(), 2);
        assert_eq!(lines("a \\\r\nb\n").len(), 2);
    }

    #[test]
    fn a_blank_line_ends_a_continued_command() {
        assert_eq!(lines("a \\\n\nb\n"), [(1, 2, "a \\\n", LineKind::Command), (3, 3, "b", LineKind::Command)]);
    }

    #[test]
    fn a_comment_continues_on_the_next_line() {
        assert_eq!(
            lines("# old \\\nadd\nflush\n"),
            [(1, 2, "# old \\\nadd", LineKind::ContinuedComment), (3, 3, "flush", LineKind::Command)]
        );
    }

    #[test]
    fn a_command_cut_off_by_the_end_of_the_text_is_kept() {
        assert_eq!(lines("flush \\\n"), [(1, 1, "flush \\\n", LineKind::CutCommand)]);
        assert_eq!(lines("flush \\"), [(1, 1, "flush \\", LineKind::CutCommand)]);
        assert_eq!(lines("\nflush ah\\\n"), [(2, 2, "flush ah\\\n", LineKind::CutCommand)]);
    }
}
