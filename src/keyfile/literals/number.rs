//! Numbers: hexadecimal `0xnnn`, decimal `nnn` or octal `0nnn`. A number is never negative and never truncated.

/// Why a word is not a valid number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberError {
    /// It has no digits, a sign, or another character in it.
    NotANumber,
    /// It exceeds the limit of its field.
    TooBig,
}

/// Parses a number of at most `max`. Leading blanks and a plus sign are allowed, as in strtoull(3C).
pub(crate) fn parse(word: &[u8], max: u64) -> Result<u64, NumberError> {
    let word = word.trim_ascii_start();
    let word = word.strip_prefix(b"+").unwrap_or(word);
    let (digits, base) = match word {
        [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
        // A single 0 is decimal.
        [b'0', digits @ ..] if !digits.is_empty() => (digits, 8),
        digits => (digits, 10),
    };
    let value = parse_digits(digits, base)?;
    if value > max { Err(NumberError::TooBig) } else { Ok(value) }
}

fn parse_digits(digits: &[u8], base: u32) -> Result<u64, NumberError> {
    if digits.is_empty() {
        return Err(NumberError::NotANumber);
    }
    // `None` after an overflow: the rest is still checked, so that `99999999999999999999x` is not reported as too big.
    let mut value = Some(0_u64);
    for byte in digits {
        let digit = char::from(*byte).to_digit(base).ok_or(NumberError::NotANumber)?;
        value = value.and_then(|value| value.checked_mul(u64::from(base))?.checked_add(u64::from(digit)));
    }
    value.ok_or(NumberError::TooBig)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_accepts_three_bases() {
        for (word, value) in
            [("0x100", 256), ("0XfF", 255), ("256", 256), ("0400", 256), ("0", 0), ("00", 0), (" 5", 5), ("+5", 5)]
        {
            assert_eq!(parse(word.as_bytes(), u64::MAX), Ok(value), "{word}");
        }
        assert_eq!(parse(b"18446744073709551615", u64::MAX), Ok(u64::MAX));
    }

    #[test]
    fn parse_rejects_other_text_and_large_numbers() {
        for word in ["", "0x", "-1", "08", "12abc", "0b101", "1.5", "256,", "1K", "'1'", "+", "+-1", "5 ", "0x-1"] {
            assert_eq!(parse(word.as_bytes(), u64::MAX), Err(NumberError::NotANumber), "{word}");
        }
        assert_eq!(parse(b"65536", 65535), Err(NumberError::TooBig));
        assert_eq!(parse(b"0x10000000000000000", u64::MAX), Err(NumberError::TooBig));
        assert_eq!(parse(b"18446744073709551616", u64::MAX), Err(NumberError::TooBig));
    }
}
