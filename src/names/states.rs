//! SA states: RFC 2367 section 2.3.1 and illumos `net/pfkeyv2.h`.

use crate::sa::SaState;

/// One state.
#[derive(Debug)]
pub struct Row {
    /// Its number.
    pub number: SaState,
    /// The word in commands; case-sensitive.
    pub word: &'static str,
}

/// The states that ipseckey(1M) names.
pub const TABLE: &[Row] = &[
    Row { number: SaState::LARVAL, word: "larval" },
    Row { number: SaState::MATURE, word: "mature" },
    Row { number: SaState::DYING, word: "dying" },
    Row { number: SaState::DEAD, word: "dead" },
];

/// The highest state number there is; those above the table are the cluster states of illumos.
pub const MAX: SaState = SaState::ACTIVE;

/// The state spelt `word`.
#[must_use]
pub fn by_word(word: &[u8]) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.word.as_bytes() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(by_word(b"dying").map(|row| row.number), Some(SaState::DYING));
        assert!(by_word(b"Dying").is_none());
        assert_eq!(MAX.0, 6);
    }
}
