//! What `-c` and `-f` say as JSON: an object for each diagnostic, and one at the end with the number of commands.

use std::io::{self, Write};

use serde::Serialize;

use crate::keyfile::{Diagnostic, Severity};

/// A diagnostic, without a word of the file that could be a key.
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

/// How many commands there were, and how many of them were correct (`-c`) or carried out (`-f`).
#[derive(Serialize)]
struct Tally<'a> {
    file: &'a str,
    commands: usize,
    good: usize,
}

/// Writes a diagnostic about the text called `file` as one line.
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

/// Writes the last line about `file`.
pub(super) fn write_tally(out: &mut dyn Write, file: &str, commands: usize, good: usize) -> io::Result<()> {
    write_object(out, &Tally { file, commands, good })
}

/// Writes an object as one line.
pub(super) fn write_object(out: &mut dyn Write, object: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    writeln!(out)
}
