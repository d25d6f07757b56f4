//! The report as SARIF 2.1.0 (OASIS), a format that code scanners and editors read: one document, printed at the end.

use serde_json::{Value, json};

use crate::keyfile;
use crate::keyfile::{Diagnostic, Severity};

/// Bytes that are not percent-encoded in the path of a URI (RFC 3986, 3.3), and the slash.
const UNRESERVED: &[u8] = b"-._~!$&'()*+,;=:@/";

/// Results of a run that code scanners accept (GitHub). A file of 20 MB can have millions of errors, each of which takes a kilobyte.
const MAX_RESULTS: usize = 25_000;

/// The document in the making.
#[derive(Default)]
pub(in crate::cli) struct Log {
    results: Vec<Value>,
    /// Number of results beyond [`MAX_RESULTS`].
    omitted: usize,
}

impl Log {
    /// `file` is the name of the text that the diagnostic is about.
    pub(super) fn add(&mut self, diagnostic: &Diagnostic, file: &str) {
        if self.results.len() == MAX_RESULTS {
            self.omitted += 1;
            return;
        }
        let span = diagnostic.span;
        let mut region = json!({ "startLine": span.line, "startColumn": span.column });
        if span.len > 0 {
            region["endColumn"] = (span.column + span.len).into();
        }
        self.results.push(json!({
            "ruleId": diagnostic.code.to_string(),
            "level": if diagnostic.severity == Severity::Error { "error" } else { "warning" },
            "message": { "text": sentence(diagnostic) },
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(file) }, "region": region } }],
        }));
    }

    pub(super) fn document(&self) -> Value {
        let rules = keyfile::explanations().iter().map(|row| {
            json!({
                "id": row.code.to_string(),
                "shortDescription": { "text": row.code.title() },
                "fullDescription": { "text": row.text },
                "help": { "text": format!("`ipseckey explain {}` shows an example and its correction.", row.code) },
            })
        });
        let driver = json!({
            "name": "ipseckey",
            "version": env!("CARGO_PKG_VERSION"),
            "rules": rules.collect::<Value>(),
        });
        let mut run = json!({ "tool": { "driver": driver }, "columnKind": "utf16CodeUnits", "results": self.results });
        if self.omitted > 0 {
            let text = format!("{} more errors and warnings are not listed: correct these first", self.omitted);
            let notice = json!({ "level": "warning", "message": { "text": text } });
            run["invocations"] = json!([{ "executionSuccessful": true, "toolExecutionNotifications": [notice] }]);
        }
        json!({
            "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
            "version": "2.1.0",
            "runs": [run],
        })
    }
}

/// What was found, what was expected, what to do.
fn sentence(diagnostic: &Diagnostic) -> String {
    let expected = diagnostic.expected.iter().map(|expected| format!("expected {expected}"));
    let parts = std::iter::once(diagnostic.message.clone()).chain(expected).chain(diagnostic.help.clone());
    parts.collect::<Vec<_>>().join("; ")
}

/// The name of a file as a URI reference: a relative reference, or one with the scheme `file`.
fn uri(file: &str) -> String {
    let scheme = if file.starts_with('/') { "file://" } else { "" };
    let letter = |byte: u8| match byte {
        // Before the first slash of a relative reference a colon would end a scheme (RFC 3986, 4.2).
        b':' if scheme.is_empty() => "%3A".to_owned(),
        byte if byte.is_ascii_alphanumeric() || UNRESERVED.contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    scheme.chars().map(String::from).chain(file.bytes().map(letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::{Code, Location, Span};

    #[test]
    fn log_makes_a_result_of_a_diagnostic() {
        let span = Span { line: 3, column: 7, len: 2 };
        let diagnostic =
            Diagnostic::new(Severity::Error, Code::UnknownSaType, Location::default(), "Unknown").at(span).expected("esp");
        let mut log = Log::default();
        log.add(&diagnostic.help("do"), "a b.keys");
        let run = &log.document()["runs"][0];
        let result = &run["results"][0];
        assert_eq!((&result["ruleId"], &result["level"]), (&"IK002".into(), &"error".into()));
        assert_eq!(result["message"]["text"], "Unknown; expected esp; do");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b.keys");
        assert_eq!(place["region"], json!({ "startLine": 3, "startColumn": 7, "endColumn": 9 }));
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), Code::ALL.len());
    }

    #[test]
    fn log_lists_as_many_results_as_scanners_accept() {
        let diagnostic = Diagnostic::new(Severity::Error, Code::UnknownSaType, Location::default(), "Unknown");
        let mut log = Log::default();
        (0..MAX_RESULTS).for_each(|_| log.add(&diagnostic, "keys"));
        assert!(log.document()["runs"][0].get("invocations").is_none());
        (0..3).for_each(|_| log.add(&diagnostic, "keys"));
        let document = log.document();
        let notice = &document["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
        assert_eq!(document["runs"][0]["results"].as_array().map(Vec::len), Some(MAX_RESULTS));
        assert_eq!(notice, "3 more errors and warnings are not listed: correct these first");
    }

    #[test]
    fn uri_of_a_file_name() {
        assert_eq!(uri("/etc/inet/secret/ipseckeys"), "file:///etc/inet/secret/ipseckeys");
        assert_eq!(uri("a:b#c"), "a%3Ab%23c");
    }
}
