//! The findings of `doctor`: each with its severity and a remedy.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::report::json;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    Warning,
    Problem,
}

/// The result of one check. The field names are those of `--json`.
#[derive(Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) about: &'static str,
    pub(super) found: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) fix: String,
}

#[derive(Default)]
pub(super) struct HealthReport(Vec<Finding>);

impl HealthReport {
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

    pub(super) fn has_problems(&self) -> bool {
        self.0.iter().any(|finding| finding.level == Level::Problem)
    }

    #[cfg(test)]
    pub(super) fn findings(&self) -> &[Finding] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> Vec<(Level, &str)> {
        self.0.iter().map(|finding| (finding.level, finding.about)).collect()
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
    fn print_shows_level_and_fix() {
        let mut report = HealthReport::default();
        report.problem("SAs", counted(1, "SA"), "load it");
        let mut out = Vec::new();
        report.findings()[0].print(&mut out, false).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "problem  SAs: 1 SA\n         fix: load it\n");
        assert!(report.has_problems());
        assert_eq!(counted(0, "SA"), "0 SAs");
    }
}
