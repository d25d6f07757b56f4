//! Numbers: hexadecimal `0xnnn`, decimal `nnn` or octal `0nnn`. Whole, never negative, never truncated.

/// Why a word is no usable number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Not a number at all, or a negative one.
    NotANumber,
    /// Above the limit.
    TooBig,
}

/// Reads a number not above `max`. Leading blanks and a plus sign are allowed, as strtoull(3C) allows them.
pub(crate) fn parse(word: &[u8], max: u64) -> Result<u64, Problem> {
    let word = word.trim_ascii_start();
    let word = word.strip_prefix(b"+").unwrap_or(word);
    let (digits, base) = match word {
        [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => (digits, 8),
        digits => (digits, 10),
    };
    let value = fold(digits, base)?;
    if value > max { Err(Problem::TooBig) } else { Ok(value) }
}

/// Reads `digits` in `base`; at least one digit and nothing else.
fn fold(digits: &[u8], base: u32) -> Result<u64, Problem> {
    if digits.is_empty() {
        return Err(Problem::NotANumber);
    }
    let mut value = Some(0_u64);
    for byte in digits {
        let digit = char::from(*byte).to_digit(base).ok_or(Problem::NotANumber)?;
        value = value.and_then(|value| value.checked_mul(u64::from(base))?.checked_add(u64::from(digit)));
    }
    value.ok_or(Problem::TooBig)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        for (word, value) in
            [("0x100", 256), ("0XfF", 255), ("256", 256), ("0400", 256), ("0", 0), ("00", 0), (" 5", 5), ("+5", 5)]
        {
            assert_eq!(parse(word.as_bytes(), u64::MAX), Ok(value), "{word}");
        }
        assert_eq!(parse(b"18446744073709551615", u64::MAX), Ok(u64::MAX));
    }

    #[test]
    fn refused() {
        for word in ["", "0x", "-1", "08", "12abc", "0b101", "1.5", "256,", "1K", "'1'", "+", "+-1", "5 ", "0x-1"] {
            assert_eq!(parse(word.as_bytes(), u64::MAX), Err(Problem::NotANumber), "{word}");
        }
        assert_eq!(parse(b"65536", 65535), Err(Problem::TooBig));
        assert_eq!(parse(b"0x10000000000000000", u64::MAX), Err(Problem::TooBig));
        assert_eq!(parse(b"18446744073709551616", u64::MAX), Err(Problem::TooBig));
    }
}
