//! The findings of `doctor`: each with its severity, its cause as far as it is known, and a remedy.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::cli::report::json;
use crate::redact::without_error_numbers;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    Warning,
    Problem,
}

/// A result of a check. The field names are those of `--json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) about: String,
    /// The two ends of the link that it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) link: String,
    pub(super) found: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) cause: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) fix: String,
}

impl Finding {
    /// The same, about the link between `local` and `peer`.
    pub(super) fn on(&mut self, local: impl ToString, peer: impl ToString) -> &mut Self {
        self.link = format!("{} <-> {}", local.to_string(), peer.to_string());
        self
    }

    /// The same, with its cause.
    pub(super) fn because(&mut self, cause: impl Into<String>) -> &mut Self {
        self.cause = shown(cause);
        self
    }

    fn print(&self, out: &mut dyn Write, colors: bool) -> io::Result<()> {
        let (word, color) = match self.level {
            Level::Ok => ("ok", "\x1b[32m"),
            Level::Warning => ("warning", "\x1b[1;33m"),
            Level::Problem => ("problem", "\x1b[1;31m"),
        };
        let (on, off) = if colors { (color, "\x1b[0m") } else { ("", "") };
        let link = if self.link.is_empty() { String::new() } else { format!(" {}", self.link) };
        writeln!(out, "{on}{word:<8}{off} {}{link}: {}", self.about, self.found)?;
        for (word, text) in [("cause", &self.cause), ("fix", &self.fix)] {
            if !text.is_empty() {
                writeln!(out, "         {word}: {text}")?;
            }
        }
        Ok(())
    }
}

/// The findings of all checks, in their order.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, about: &str, found: impl Into<String>) -> &mut Finding {
        self.add(Level::Ok, about, found, "")
    }

    pub(super) fn warn(&mut self, about: &str, found: impl Into<String>, fix: impl Into<String>) -> &mut Finding {
        self.add(Level::Warning, about, found, fix)
    }

    pub(super) fn problem(&mut self, about: &str, found: impl Into<String>, fix: impl Into<String>) -> &mut Finding {
        self.add(Level::Problem, about, found, fix)
    }

    fn add(&mut self, level: Level, about: &str, found: impl Into<String>, fix: impl Into<String>) -> &mut Finding {
        let (found, fix) = (shown(found), shown(fix));
        self.0.push(Finding { level, about: about.to_owned(), link: String::new(), found, cause: String::new(), fix });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    pub(super) fn has_problems(&self) -> bool {
        self.0.iter().any(|finding| finding.level == Level::Problem)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    #[cfg(test)]
    pub(super) fn findings(&self) -> &[Finding] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> Vec<(Level, &str)> {
        self.0.iter().map(|finding| (finding.level, &*finding.about)).collect()
    }

    /// Prints to standard output, as objects or as text.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn print(&self, json: bool, colors: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for finding in &self.0 {
            match json {
                true => json::write_object(&mut out, finding)?,
                false => finding.print(&mut out, colors)?,
            }
        }
        Ok(())
    }
}

fn shown(text: impl Into<String>) -> String {
    without_error_numbers(&text.into()).into_owned()
}

/// `1 SA`, `2 SAs`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn print_shows_level_link_cause_and_fix() {
        let mut findings = Findings::default();
        findings.problem("SAs", counted(1, "SA"), "load it").on("a", "b").because("it is lost");
        let mut out = Vec::new();
        findings.findings()[0].print(&mut out, false).unwrap();
        let expected = "problem  SAs a <-> b: 1 SA\n         cause: it is lost\n         fix: load it\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(findings.has_problems());
        assert_eq!(counted(0, "SA"), "0 SAs");
    }
}
