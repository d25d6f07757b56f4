//! The events of the service. Each function in these files is one row of the table: severity, text, the catalogue entry with
//! its `MESSAGE_ID`, and the journal's fields. [`load`] has the rows about keys files, SAs and the configuration, [`policy`]
//! those about policies, [`counter_mode`] that about such ciphers, [`foreign`] that about SAs of other programs, [`confirm`] those of `start --confirm`, [`daemon`] those of
//! `manual-key run`.
//!
//! No row takes text of a keys file or an error of `keyfile`, both of which may contain keys: only counts, line numbers, file
//! names, identities and the masked error of an SADB (ipseckey(1M), SECURITY, point 3).

pub(crate) mod confirm;
pub(crate) mod counter_mode;
pub(crate) mod daemon;
pub(crate) mod foreign;
pub(crate) mod load;
pub(crate) mod policy;

use std::fmt;
use std::path::Path;

use super::Severity;
use super::catalogue::Entry;
use crate::redact::without_error_numbers;

/// Upper limit of the `IPSECKEY_LINE` fields of one event.
const MAX_LINE_FIELDS: usize = 1000;

/// What happened, as the logs take it.
pub(crate) struct Event {
    severity: Severity,
    text: String,
    entry: Option<&'static Entry>,
    fields: Vec<(&'static str, String)>,
}

impl Event {
    fn new(severity: Severity, text: impl Into<String>) -> Self {
        Self { severity, text: without_error_numbers(&text.into()).into_owned(), entry: None, fields: Vec::new() }
    }

    fn info(text: impl Into<String>) -> Self {
        Self::new(Severity::Info, text)
    }

    fn warning(text: impl Into<String>) -> Self {
        Self::new(Severity::Warning, text)
    }

    fn error(text: impl Into<String>) -> Self {
        Self::new(Severity::Error, text)
    }

    fn entry(self, entry: &'static Entry) -> Self {
        Self { entry: Some(entry), ..self }
    }

    fn field(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    fn file(self, file: &Path) -> Self {
        self.field("IPSECKEY_FILE", file.to_string_lossy())
    }

    /// One field for each line: the journal keeps every value of a repeated field.
    fn lines(mut self, lines: &[u32]) -> Self {
        let shown = lines.iter().take(MAX_LINE_FIELDS);
        self.fields.extend(shown.map(|line| ("IPSECKEY_LINE", line.to_string())));
        self
    }

    pub(crate) fn severity(&self) -> Severity {
        self.severity
    }

    /// `MESSAGE_ID` of the journal: it never changes, since monitoring matches on it.
    pub(crate) fn message_id(&self) -> Option<&'static str> {
        self.entry.map(|entry| entry.id)
    }

    /// Fields of the journal in addition to those that every message has.
    pub(crate) fn fields(&self) -> &[(&'static str, String)] {
        &self.fields
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A count and its noun, in the plural if the count is not 1.
struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1.strip_suffix('y')) {
            (1, _) => write!(f, "1 {}", self.1),
            (count, Some(stem)) => write!(f, "{count} {stem}ies"),
            (count, None) => write!(f, "{count} {}s", self.1),
        }
    }
}

/// The first twenty line numbers of a list.
struct Lines<'a>(&'a [u32]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let numbers: Vec<String> = self.0.iter().take(SHOWN).map(u32::to_string).collect();
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "line{plural} {}", numbers.join(", "))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
pub(in crate::service::log) mod tests;
