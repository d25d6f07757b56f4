//! Failures of a load: the first of each reason are printed, the others only counted, so that a file whose every line is refused
//! for the same reason does not hide its other mistakes.

use std::collections::BTreeMap;

use crate::sadb::SadbError;

/// Failures printed for each reason.
const LIMIT: usize = 20;

/// Counts failures by reason, which is the text of the error without the identity of the SA.
#[derive(Default)]
pub(super) struct RepeatLimiter {
    reasons: BTreeMap<String, usize>,
}

impl RepeatLimiter {
    /// Counts the failure; false if it is one too many to be printed.
    pub(super) fn should_print(&mut self, error: &SadbError) -> bool {
        let count = self.reasons.entry(error.to_string()).or_default();
        *count += 1;
        *count <= LIMIT
    }

    /// A line for each reason with failures that were not printed.
    pub(super) fn summaries(&self) -> impl Iterator<Item = String> {
        self.reasons.iter().filter(|(_, count)| **count > LIMIT).map(|(reason, count)| {
            format!("{} more commands were refused for the same reason as {LIMIT} above: {reason}", count - LIMIT)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_print_the_first_failures_of_each_reason() {
        let mut limiter = RepeatLimiter::default();
        assert_eq!((0..100).filter(|_| limiter.should_print(&SadbError::OutcomeUnknown)).count(), LIMIT);
        assert!(limiter.should_print(&SadbError::Unsupported("mark".into())));
        let lines: Vec<String> = limiter.summaries().collect();
        assert!(matches!(&lines[..], [line] if line.starts_with("80 more commands") && line.contains("outcome unknown")));
    }
}
