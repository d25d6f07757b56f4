//! Keys: hexadecimal digits, optionally followed by `/` and the length in bits, counted from the most significant bit.
//!
//! The digits are decoded directly into the allocation that the [`Key`] owns, so no other copy of the key remains in memory.

use crate::secret::Key;

pub(crate) struct DecodedKey {
    pub(crate) key: Key,
    pub(crate) length_change: Option<LengthChange>,
}

/// How an accepted key differs from its digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LengthChange {
    /// The bit length is shorter than the digits, or cuts off bits that are 1.
    Truncated,
    /// An odd number of digits without a bit length: four zero bits are appended.
    Padded,
}

/// Why a word is not a valid key. It contains nothing of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyError {
    /// It has no digits, or another character among them.
    NotHex,
    /// A string of X: the output of `-p`, which hides keys.
    Hidden,
    /// The text after the slash is not a positive decimal number.
    NotBits,
    /// The bit length exceeds the digits.
    BitsTooBig { requested: u32, found: u32 },
    /// It has more than [`MAX_DIGITS`].
    TooLong,
}

/// Most hexadecimal digits of a key: `sadb_key_bits` has 16 bits.
const MAX_DIGITS: usize = 16383;

/// Value of each hexadecimal digit; 0xff for every other byte. A table takes the same time for each digit and has no branches.
static DIGIT: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        table[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

/// Decodes `HEX` or `HEX/BITS`.
pub(crate) fn decode(word: &[u8]) -> Result<DecodedKey, KeyError> {
    let (digits, bits) = match memchr::memchr(b'/', word) {
        Some(slash) => (word.get(..slash).unwrap_or_default(), Some(word.get(slash + 1..).unwrap_or_default())),
        None => (word, None),
    };
    // Other programs print keys with this prefix.
    let digits = digits.strip_prefix(b"0x").or_else(|| digits.strip_prefix(b"0X")).unwrap_or(digits);
    if digits.is_empty() {
        return Err(KeyError::NotHex);
    }
    // Checked before the digits: the message can then name the cause, -p.
    if digits.iter().all(|byte| *byte == b'X') {
        return Err(KeyError::Hidden);
    }
    let bytes = Key::new(decode_hex(digits)?, 0, 0);
    let found = u32::try_from(digits.len() * 4).unwrap_or(u32::MAX);
    match bits {
        // Without a bit length, an odd digit fills up its byte.
        None => {
            let bits = u16::try_from(found.next_multiple_of(8)).map_err(|_| KeyError::TooLong)?;
            Ok(DecodedKey {
                key: bytes.resized(bits),
                length_change: (digits.len() % 2 == 1).then_some(LengthChange::Padded),
            })
        }
        Some(bits) => shortened(bytes, found, parse_bit_length(bits)?),
    }
}

/// Shortens the key to `requested` of its `found` bits.
fn shortened(key: Key, found: u32, requested: u32) -> Result<DecodedKey, KeyError> {
    let bits =
        u16::try_from(requested).ok().filter(|_| requested <= found).ok_or(KeyError::BitsTooBig { requested, found })?;
    let digits_left = requested.next_multiple_of(4) < found;
    let whole = key.count_ones();
    let key = key.resized(bits);
    let cut = digits_left || key.count_ones() != whole;
    Ok(DecodedKey { key, length_change: cut.then_some(LengthChange::Truncated) })
}

fn parse_bit_length(word: &[u8]) -> Result<u32, KeyError> {
    let decimal = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    if !decimal || word.iter().all(|byte| *byte == b'0') {
        return Err(KeyError::NotBits);
    }
    let text = std::str::from_utf8(word).map_err(|_| KeyError::NotBits)?;
    Ok(text.parse().unwrap_or(u32::MAX))
}

/// Decodes digits to bytes. With an odd number of digits, the last one is the upper half of the last byte.
fn decode_hex(digits: &[u8]) -> Result<Box<[u8]>, KeyError> {
    if digits.len() > MAX_DIGITS {
        return Err(KeyError::TooLong);
    }
    let mut bytes = vec![0_u8; digits.len().div_ceil(2)].into_boxed_slice();
    let mut seen = 0;
    let pairs = digits.chunks_exact(2);
    if let ([odd], Some(last)) = (pairs.remainder(), bytes.last_mut()) {
        seen = DIGIT[usize::from(*odd)];
        *last = seen << 4;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (DIGIT[usize::from(pair[0])], DIGIT[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low & 0xf;
    }
    // Checked once after the loop, which then has no branches.
    if seen > 0xf {
        // As a `Key` the bytes are wiped: most of them may be those of a real key with one typing error.
        drop(Key::new(bytes, 0, 0));
        return Err(KeyError::NotHex);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(word: &str) -> (Vec<u8>, u16, Option<LengthChange>) {
        let found = decode(word.as_bytes()).unwrap_or_else(|error| panic!("{word}: {error:?}"));
        (found.key.expose().to_vec(), found.key.bits(), found.length_change)
    }

    fn error_of(word: &str) -> KeyError {
        decode(word.as_bytes()).err().unwrap()
    }

    #[test]
    fn bits_count_from_the_most_significant() {
        assert_eq!(decoded("0123"), (vec![0x01, 0x23], 16, None));
        assert_eq!(decoded("0XaB"), (vec![0xab], 8, None));
        assert_eq!(decoded("e/3"), (vec![0xe0], 3, None));
        assert_eq!(decoded("abc/12"), (vec![0xab, 0xc0], 12, None));
        assert_eq!(decoded("abc/10"), (vec![0xab, 0xc0], 10, None));
        assert_eq!(decoded("00ff/16"), (vec![0, 0xff], 16, None));
    }

    #[test]
    fn decode_reports_length_changes() {
        assert_eq!(decoded("abc"), (vec![0xab, 0xc0], 16, Some(LengthChange::Padded)));
        assert_eq!(decoded("a"), (vec![0xa0], 8, Some(LengthChange::Padded)));
        assert_eq!(decoded("abc/9"), (vec![0xab, 0x80], 9, Some(LengthChange::Truncated)));
        assert_eq!(decoded("abc/8"), (vec![0xab], 8, Some(LengthChange::Truncated)));
        assert_eq!(decoded("ab00/8"), (vec![0xab], 8, Some(LengthChange::Truncated)));
    }

    #[test]
    fn decode_rejects_other_text_and_bad_lengths() {
        for word in ["", "0x", "/8", "0x/8", "123g", "-12", "0x12 34", "12\u{e4}"] {
            assert_eq!(error_of(word), KeyError::NotHex, "{word}");
        }
        for word in ["ab/", "ab/x", "ab/8x", "ab/-1", "ab/0", "ab/+8", "ab/0x8", "ab/8/8"] {
            assert_eq!(error_of(word), KeyError::NotBits, "{word}");
        }
        assert_eq!(error_of("ab/9"), KeyError::BitsTooBig { requested: 9, found: 8 });
        assert_eq!(error_of("ab/65544"), KeyError::BitsTooBig { requested: 65544, found: 8 });
        assert_eq!(error_of("ab/99999999999"), KeyError::BitsTooBig { requested: u32::MAX, found: 8 });
        assert_eq!(error_of("XXXXXXXX/32"), KeyError::Hidden);
        assert_eq!(error_of(&"a".repeat(16384)), KeyError::TooLong);
        assert_eq!(decoded(&"a".repeat(16382)).1, 65528);
    }
}
