//! Warnings of a backend. Each text is reported once, however many SAs it applies to.

use std::collections::HashSet;

/// Pending and reported warnings.
#[derive(Default)]
pub(super) struct WarningLog {
    pending: Vec<String>,
    issued: HashSet<String>,
}

impl WarningLog {
    /// Adds a warning unless it was issued before.
    pub(super) fn warn(&mut self, text: &str) {
        if !self.has_issued(text) {
            self.issued.insert(text.to_owned());
            self.pending.push(text.to_owned());
        }
    }

    pub(super) fn has_issued(&self, text: &str) -> bool {
        self.issued.contains(text)
    }

    /// Removes and returns the pending warnings.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warn_issues_each_text_once() {
        let mut warnings = WarningLog::default();
        warnings.warn("a");
        warnings.warn("a");
        warnings.warn("b");
        assert_eq!(warnings.take(), ["a", "b"]);
        warnings.warn("a");
        assert!(warnings.take().is_empty());
    }
}
