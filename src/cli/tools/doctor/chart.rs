//! What was found: each thing with how bad it is, and what mends it.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::report;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    Warning,
    Problem,
}

/// One thing that was looked at.
#[derive(Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) about: &'static str,
    pub(super) found: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) fix: String,
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Chart(Vec<Finding>);

impl Chart {
    pub(super) fn ok(&mut self, about: &'static str, found: impl Into<String>) {
        self.add(Level::Ok, about, found, "");
    }

    pub(super) fn warn(&mut self, about: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.add(Level::Warning, about, found, fix);
    }

    pub(super) fn problem(&mut self, about: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.add(Level::Problem, about, found, fix);
    }

    fn add(&mut self, level: Level, about: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding { level, about, found: found.into(), fix: fix.into() });
    }

    /// Whether there is a problem.
    pub(super) fn is_ill(&self) -> bool {
        self.0.iter().any(|finding| finding.level == Level::Problem)
    }

    #[cfg(test)]
    pub(super) fn findings(&self) -> &[Finding] {
        &self.0
    }

    /// Level and subject of each finding.
    #[cfg(test)]
    pub(super) fn words(&self) -> Vec<(Level, &str)> {
        self.0.iter().map(|finding| (finding.level, finding.about)).collect()
    }

    /// Writes it to standard output, as objects or as text.
    ///
    /// # Errors
    /// The stream's.
    pub(super) fn print(&self, json: bool, colors: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for finding in &self.0 {
            match json {
                true => report::write_object(&mut out, finding)?,
                false => finding.print(&mut out, colors)?,
            }
        }
        Ok(())
    }
}

impl Finding {
    fn print(&self, out: &mut dyn Write, colors: bool) -> io::Result<()> {
        let (word, color) = match self.level {
            Level::Ok => ("ok", "\x1b[32m"),
            Level::Warning => ("warning", "\x1b[1;33m"),
            Level::Problem => ("problem", "\x1b[1;31m"),
        };
        let (on, off) = if colors { (color, "\x1b[0m") } else { ("", "") };
        writeln!(out, "{on}{word:<8}{off} {}: {}", self.about, self.found)?;
        if self.fix.is_empty() { Ok(()) } else { writeln!(out, "         fix: {}", self.fix) }
    }
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
    fn a_finding_in_words() {
        let mut chart = Chart::default();
        chart.problem("SAs", counted(1, "SA"), "load it");
        let mut out = Vec::new();
        chart.findings()[0].print(&mut out, false).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "problem  SAs: 1 SA\n         fix: load it\n");
        assert!(chart.is_ill());
        assert_eq!(counted(0, "SA"), "0 SAs");
    }
}
