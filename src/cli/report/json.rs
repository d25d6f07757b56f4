//! The report as JSON: an object for each diagnostic, and one at the end with the number of commands.

use std::io::{self, Write};

use serde::Serialize;

use super::Counts;
use crate::keyfile::{Diagnostic, Severity};

/// A diagnostic. It quotes no word of the file that could be a key.
#[derive(Serialize)]
struct Object<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    length: u32,
    severity: &'static str,
    code: String,
    found: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct Summary<'a> {
    file: &'a str,
    commands: usize,
    good: usize,
}

/// Writes one line.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn write_diagnostic(out: &mut dyn Write, diagnostic: &Diagnostic, file: &str) -> io::Result<()> {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let object = Object {
        file,
        line: diagnostic.span.line,
        column: diagnostic.span.column,
        length: diagnostic.span.len,
        severity,
        code: diagnostic.code.to_string(),
        found: &diagnostic.message,
        wanted: diagnostic.expected.as_deref(),
        help: diagnostic.help.as_deref(),
    };
    write_object(out, &object)
}

/// Writes the last line of a report.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn write_summary(out: &mut dyn Write, file: &str, counts: Counts) -> io::Result<()> {
    let Counts { commands, good } = counts;
    write_object(out, &Summary { file, commands, good })
}

/// Writes an object as one line.
///
/// # Errors
/// `out` cannot be written.
pub(in crate::cli) fn write_object(out: &mut dyn Write, object: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    writeln!(out)
}
