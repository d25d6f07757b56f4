//! What `-c` and `-f` say as SARIF 2.1.0 (OASIS), which code scanners and editors read: one document, when everything has been said.

use serde_json::{Value, json};

use crate::keyfile;
use crate::keyfile::{Diagnostic, Severity};

/// Bytes that stand for themselves in the path of a URI, RFC 3986, 3.3; and the slash.
const PLAIN: &[u8] = b"-._~!$&'()*+,;=:@/";

/// The document, as far as it has come.
#[derive(Default)]
pub(super) struct Log {
    results: Vec<Value>,
}

impl Log {
    /// Adds a diagnostic about the text called `file`.
    pub(super) fn add(&mut self, diagnostic: &Diagnostic, file: &str) {
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

    /// All of it.
    pub(super) fn document(&self) -> Value {
        let rules = keyfile::explanations().iter().map(|row| {
            json!({
                "id": row.code.to_string(),
                "shortDescription": { "text": row.code.title() },
                "fullDescription": { "text": row.text },
                "help": { "text": format!("`ipseckey explain {}` shows an example, and the same put right.", row.code) },
            })
        });
        let driver = json!({
            "name": "ipseckey",
            "version": env!("CARGO_PKG_VERSION"),
            "rules": rules.collect::<Value>(),
        });
        json!({
            "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
            "version": "2.1.0",
            "runs": [{ "tool": { "driver": driver }, "columnKind": "utf16CodeUnits", "results": self.results }],
        })
    }
}

/// What was found, what was wanted, what to do next.
fn sentence(diagnostic: &Diagnostic) -> String {
    let expected = diagnostic.expected.iter().map(|expected| format!("expected {expected}"));
    let parts = std::iter::once(diagnostic.message.clone()).chain(expected).chain(diagnostic.help.clone());
    parts.collect::<Vec<_>>().join("; ")
}

/// A file's name as a URI reference: relative as it is, or with the scheme `file`.
fn uri(file: &str) -> String {
    let scheme = if file.starts_with('/') { "file://" } else { "" };
    let letter = |byte: u8| match byte {
        // In front of the first slash a colon would end a scheme.
        b':' if scheme.is_empty() => "%3A".to_owned(),
        byte if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    scheme.chars().map(String::from).chain(file.bytes().map(letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::{Code, Location, Span};

    #[test]
    fn a_diagnostic_is_a_result() {
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
    fn names_of_files_as_uris() {
        assert_eq!(uri("/etc/inet/secret/ipseckeys"), "file:///etc/inet/secret/ipseckeys");
        assert_eq!(uri("a:b#c"), "a%3Ab%23c");
    }
}
