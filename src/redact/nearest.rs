//! Suggestions for typing errors.

/// Longest word that is compared: longer than any keyword with a typing error, and the distance takes quadratic time.
const LONGEST: usize = 24;

/// `did you mean "WORD"?` with the nearest of the `known` words, also for a keyword with its value in one word (`spi=5`).
#[must_use]
pub(crate) fn did_you_mean<'a>(word: &[u8], known: impl Iterator<Item = &'a str>) -> Option<String> {
    let name = word.split(|byte| matches!(byte, b'=' | b':')).next().unwrap_or_default();
    nearest(name, known).map(|known| format!("did you mean \"{known}\"?"))
}

/// The word of `vocabulary` that is nearest to `word`, within two edits; within one edit for words of up to three letters.
fn nearest<'a>(word: &[u8], vocabulary: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = std::str::from_utf8(word).ok().filter(|word| word.len() <= LONGEST)?.to_ascii_lowercase();
    // With two edits, every word of three letters is near to some keyword.
    let limit = if word.len() < 4 { 1 } else { 2 };
    let scored = vocabulary.map(|known| (strsim::damerau_levenshtein(&word, known), known));
    scored
        // A word that shares no letter is not a suggestion.
        .filter(|(distance, known)| *distance <= limit && *distance < known.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::keywords;

    fn keyword(word: &[u8]) -> Option<&'static str> {
        nearest(word, keywords::TABLE.iter().map(|row| row.word))
    }

    #[test]
    fn nearest_finds_typing_errors() {
        assert_eq!(keyword(b"encr_aglx"), Some("encr_alg"));
        assert_eq!(keyword(b"spy"), Some("spi"));
        assert_eq!(keyword(b"authkye"), Some("authkey"));
        assert_eq!(keyword(b"bogus"), None);
        assert_eq!(keyword(b"5"), None);
        assert_eq!(did_you_mean(b"spi=5", ["spi"].into_iter()).as_deref(), Some("did you mean \"spi\"?"));
    }
}
