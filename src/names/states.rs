//! Words of SA states: RFC 2367 section 2.3.1 and illumos `net/pfkeyv2.h`.

use crate::sa::SaState;

/// The word of a state.
#[derive(Debug)]
pub(crate) struct StateWord {
    pub(crate) number: SaState,
    /// The word in commands, which is case-sensitive.
    pub(crate) word: &'static str,
}

/// The states of ipseckey(1M).
pub(crate) const TABLE: &[StateWord] = &[
    StateWord { number: SaState::LARVAL, word: "larval" },
    StateWord { number: SaState::MATURE, word: "mature" },
    StateWord { number: SaState::DYING, word: "dying" },
    StateWord { number: SaState::DEAD, word: "dead" },
];

/// The highest state. Those above the table are the cluster states of illumos.
pub(crate) const MAX: SaState = SaState::ACTIVE;

#[must_use]
pub(crate) fn by_word(word: &[u8]) -> Option<&'static StateWord> {
    TABLE.iter().find(|row| row.word.as_bytes() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_word_is_case_sensitive() {
        assert_eq!(by_word(b"dying").map(|row| row.number), Some(SaState::DYING));
        assert!(by_word(b"Dying").is_none());
        assert_eq!(MAX.0, 6);
    }
}
