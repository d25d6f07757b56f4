//! The report as text on standard error.

use std::io::{self, Write};

use super::{Counts, Excerpt};
use crate::keyfile::{self, Diagnostic, Setting};
use crate::sys::terminal;

/// The columns of the terminal; if standard error is none, those that nothing is cut to.
pub(super) fn width() -> usize {
    terminal::width(&io::stderr()).unwrap_or(keyfile::MAX_WIDTH)
}

pub(super) fn print(text: &str) {
    // Best effort: if standard error is closed, there is no other place to report that.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// A failure that has nothing to do with the words of the command.
pub(super) fn without_excerpt(diagnostic: &Diagnostic, text: Excerpt<'_>, style: keyfile::RenderStyle) -> String {
    match text.setting {
        // The line says how far the load came.
        Setting::File => keyfile::render(diagnostic, text.name, b"", style),
        Setting::Prompt | Setting::Shell => format!("ipseckey: {}\n", diagnostic.message),
    }
}

/// How many commands of a file are `word` (`correct`, `succeeded`).
pub(super) fn summary(file: &str, counts: Counts, word: &str) -> String {
    let Counts { commands, good } = counts;
    let are = if word == "correct" { "are " } else { "" };
    format!("{file}: {good} of {commands} commands {are}{word}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::Location;

    #[test]
    fn summary_counts_commands() {
        let counts = Counts { commands: 3, good: 2 };
        assert_eq!(summary("keys", counts, "correct"), "keys: 2 of 3 commands are correct");
        assert_eq!(summary("keys", counts, "succeeded"), "keys: 2 of 3 commands succeeded");
    }

    #[test]
    fn without_excerpt_shows_no_line_of_the_command_line() {
        let diagnostic = Diagnostic::refused(Location { line: 7, ..Location::default() }, "no SADB", None);
        let text = |name, setting| Excerpt { name, text: b"dump", first_line: 1, setting };
        let at_shell = without_excerpt(&diagnostic, text("command line", Setting::Shell), keyfile::RenderStyle::Plain);
        assert_eq!(at_shell, "ipseckey: no SADB\n");
        let in_file = without_excerpt(&diagnostic, text("keys", Setting::File), keyfile::RenderStyle::Plain);
        assert_eq!(in_file, "keys:7:1: error[IK030]: no SADB\n");
    }
}
