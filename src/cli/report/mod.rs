//! How diagnostics and the summary of `-c` and `-f` are printed: as text, as JSON or as SARIF.

pub(super) mod json;
mod sarif;
mod text;

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use crate::keyfile::{self, Diagnostic, Setting};
use crate::sadb::SadbError;

/// The format of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    /// Text on standard error.
    #[default]
    Text,
    /// `--json`: an object a line on standard output.
    Json,
    /// `--sarif`: one document on standard output.
    Sarif,
}

/// The text that diagnostics are about: a keys file or a part of it, or what was typed.
#[derive(Clone, Copy)]
pub(super) struct Excerpt<'a> {
    /// Printed before line and column.
    pub(super) name: &'a str,
    pub(super) text: &'a [u8],
    /// Number of the first line of `text`.
    pub(super) first_line: u32,
    pub(super) setting: Setting,
}

/// The number of commands.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) commands: usize,
    /// Without an error (`-c`), or carried out (`-f`).
    pub(super) good: usize,
}

impl Counts {
    pub(super) fn add(&mut self, is_good: bool) {
        self.commands += 1;
        self.good += usize::from(is_good);
    }

    pub(super) fn all_good(self) -> bool {
        self.good == self.commands
    }
}

/// Prints diagnostics in one of the formats.
#[derive(Clone)]
pub(super) enum Report {
    Text(keyfile::RenderStyle),
    Json,
    Sarif(Rc<RefCell<sarif::Log>>),
}

impl Report {
    pub(super) fn new(format: Format, style: keyfile::RenderStyle) -> Self {
        match format {
            Format::Text => Self::Text(style),
            Format::Json => Self::Json,
            Format::Sarif => Self::Sarif(Rc::default()),
        }
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// # Errors
    /// Standard output cannot be written. An error of standard error is ignored, as there is no other place to report it.
    pub(super) fn diagnostic(&self, diagnostic: &Diagnostic, text: Excerpt<'_>) -> io::Result<()> {
        match self {
            Self::Text(style) => {
                text::print(&keyfile::render_within(diagnostic, text.name, text.text, *style, text::width()));
                Ok(())
            }
            Self::Json => json::write_diagnostic(&mut io::stdout(), diagnostic, text.name),
            Self::Sarif(log) => {
                log.borrow_mut().add(diagnostic, text.name);
                Ok(())
            }
        }
    }

    /// Prints a failure of the SADB. One that has nothing to do with the words of the command is printed without an excerpt of
    /// it, and where there is only one command without its line.
    ///
    /// # Errors
    /// See [`Self::diagnostic`].
    pub(super) fn failure(&self, diagnostic: &Diagnostic, error: &SadbError, text: Excerpt<'_>) -> io::Result<()> {
        let is_about_connection = matches!(
            error,
            SadbError::Unavailable { .. } | SadbError::Io(_) | SadbError::Timeout { .. } | SadbError::BadReply(_)
        );
        match self {
            Self::Text(style) if is_about_connection => {
                text::print(&text::without_excerpt(diagnostic, text, *style));
                Ok(())
            }
            _ => self.diagnostic(diagnostic, text),
        }
    }

    /// Prints the last line of a report: how many commands of `file` are `adjective`, or have succeeded.
    ///
    /// # Errors
    /// See [`Self::diagnostic`].
    pub(super) fn summary(&self, file: &str, counts: Counts, word: &str) -> io::Result<()> {
        match self {
            Self::Text(_) => {
                text::print(&format!("ipseckey: {}\n", text::summary(file, counts, word)));
                Ok(())
            }
            Self::Json => json::write_summary(&mut io::stdout(), file, counts),
            Self::Sarif(log) => writeln!(io::stdout(), "{:#}", log.borrow().document()),
        }
    }
}
