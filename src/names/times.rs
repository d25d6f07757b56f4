//! Times of a keys file: RFC 3339, or seconds since 1970.

use chrono::{DateTime, SecondsFormat};

/// Most digits of a time in seconds: until the year 5138. A longer word is no time, and may be a key.
const MAX_DIGITS: usize = 11;
/// Longest form with whole seconds: `2026-11-27T20:00:00+01:00`.
const MAX_LEN: usize = 25;

/// What a time looks like, for messages.
pub(crate) const EXPECTED: &str = "a time such as 2027-01-31T02:00:00Z, or whole seconds since 1970";

/// The time in seconds since 1970; `None` if `word` is no time, is before 1970, or has a fraction of a second.
#[must_use]
pub(crate) fn parse(word: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(word).ok()?;
    if (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    // A blank in place of the T is no single word of a command.
    let is_plain = text.len() <= MAX_LEN && text.bytes().all(|byte| !byte.is_ascii_whitespace() && byte != b'.');
    let time = DateTime::parse_from_rfc3339(text).ok().filter(|_| is_plain)?;
    time.timestamp().try_into().ok()
}

/// The time in universal time, in the form that [`parse`] reads.
#[must_use]
pub(crate) fn text(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| seconds.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_rfc_3339_and_seconds() {
        for (word, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2023-11-14T22:13:20Z", 1_700_000_000),
            ("2023-11-14t23:13:20+01:00", 1_700_000_000),
            ("2023-11-14T22:13:20-00:00", 1_700_000_000),
            ("0", 0),
            ("1700000000", 1_700_000_000),
        ] {
            assert_eq!(parse(word.as_bytes()), Some(seconds), "{word}");
        }
    }

    #[test]
    fn parse_refuses_other_words() {
        for word in [
            "",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20.5Z",
            "2023-11-14 22:13:20Z",
            "2023-02-29T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "-1",
            "+5",
            "0x10",
            "123456789012",
            "tomorrow",
        ] {
            assert_eq!(parse(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn text_is_what_parse_reads() {
        for seconds in [0, 1_700_000_000, 99_999_999_999] {
            assert_eq!(parse(text(seconds).as_bytes()), Some(seconds));
        }
        assert_eq!(text(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(text(u64::MAX), u64::MAX.to_string());
    }
}
