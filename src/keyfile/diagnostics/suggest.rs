//! The nearest word of a vocabulary, for typing errors.

use crate::names::keywords;

/// Names people give to keys that are not the keywords for them.
const SECRET_WORDS: &[&str] =
    &["authkey", "encrkey", "auth_key", "encr_key", "auth-key", "encr-key", "enckey", "key", "keys"];

/// Longest word worth comparing; typing errors do not make words longer than this.
const LONGEST: usize = 24;

/// The word of `vocabulary` that is at most two changes away from `word`, if any.
#[must_use]
pub fn nearest<'a>(word: &[u8], vocabulary: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = std::str::from_utf8(word).ok().filter(|word| word.len() <= LONGEST)?.to_ascii_lowercase();
    let limit = if word.len() < 4 { 1 } else { 2 };
    let scored = vocabulary.map(|known| (strsim::damerau_levenshtein(&word, known), known));
    scored
        .filter(|(distance, known)| *distance <= limit && *distance < known.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Whether `word` is a name for a key, or nearly one.
pub(crate) fn near_secret(word: &[u8]) -> bool {
    let letters = word.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'));
    letters && (SECRET_WORDS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word)) || near_secret_keyword(word))
}

fn near_secret_keyword(word: &[u8]) -> bool {
    let secret = || keywords::TABLE.iter().filter(|row| row.is_secret()).map(|row| row.word);
    let alike = word.len() >= 5 && nearest(word, secret()).is_some();
    alike && keywords::by_word(word).is_none_or(keywords::Row::is_secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyword(word: &[u8]) -> Option<&'static str> {
        nearest(word, keywords::TABLE.iter().map(|row| row.word))
    }

    #[test]
    fn typing_errors() {
        assert_eq!(keyword(b"encr_aglx"), Some("encr_alg"));
        assert_eq!(keyword(b"spy"), Some("spi"));
        assert_eq!(keyword(b"authkye"), Some("authkey"));
        assert_eq!(keyword(b"bogus"), None);
        assert_eq!(keyword(b"5"), None);
    }

    #[test]
    fn names_of_keys() {
        for word in ["encrkee", "AUTHKEY", "autkey", "enkrkey", "key", "Auth_Key"] {
            assert!(near_secret(word.as_bytes()), "{word}");
        }
        for word in ["auth_alg", "authalg", "bogus", "encralg", "authkey1", "src", "dst"] {
            assert!(!near_secret(word.as_bytes()), "{word}");
        }
    }
}
