//! Refusals of a load: the first of each reason are told one by one, the others counted, so that a file whose every line is
//! refused for the same reason does not hide what else was wrong with it.

use std::collections::BTreeMap;

use crate::sadb::SadbError;

/// Refusals of one reason that are told one by one.
const TOLD: usize = 20;

/// How often each reason was given, by its text without the SA's name.
#[derive(Default)]
pub(super) struct Flood {
    reasons: BTreeMap<String, usize>,
}

impl Flood {
    /// Whether this refusal is told, rather than counted.
    pub(super) fn tells(&mut self, error: &SadbError) -> bool {
        let count = self.reasons.entry(error.to_string()).or_default();
        *count += 1;
        *count <= TOLD
    }

    /// A line for each reason of which some were only counted.
    pub(super) fn counted(&self) -> impl Iterator<Item = String> {
        self.reasons.iter().filter(|(_, count)| **count > TOLD).map(|(reason, count)| {
            format!("{} more commands were refused for the same reason as {TOLD} above: {reason}", count - TOLD)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_told_and_the_rest_is_counted() {
        let mut flood = Flood::default();
        assert_eq!((0..100).filter(|_| flood.tells(&SadbError::OutcomeUnknown)).count(), TOLD);
        assert!(flood.tells(&SadbError::Unsupported("mark".into())));
        let lines: Vec<String> = flood.counted().collect();
        assert!(matches!(&lines[..], [line] if line.starts_with("80 more commands") && line.contains("not known")));
    }
}
