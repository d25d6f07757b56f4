//! Keys: hexadecimal digits with an optional `/` and bit length, counted from the most significant bit.
//!
//! The digits go straight into the one box the [`Key`] will own; no copy is left anywhere else.

use crate::secret::Key;

/// A decoded key and what there is to say about its spelling.
pub(crate) struct Decoded {
    /// The key.
    pub(crate) key: Key,
    /// What was noticed.
    pub(crate) remark: Option<Remark>,
}

/// Something a reader would want to know about a key that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remark {
    /// More digits were given than the bit length uses, or one-bits were cut off.
    Cut,
    /// An odd number of digits without a bit length; the key is filled up with four zero bits.
    Odd,
}

/// Why a word is no key. Nothing of the word is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// No hexadecimal digits, or something else among them.
    NotHex,
    /// Only X: a key that was saved or printed with `-p`.
    Hidden,
    /// What follows the slash is no positive decimal number.
    NotBits,
    /// The bit length exceeds the digits.
    BitsTooBig {
        /// Bit length asked for.
        expected: u32,
        /// Bits that the digits hold.
        found: u32,
    },
    /// More digits than a key can have.
    TooLong,
}

/// Most hexadecimal digits of a key: `sadb_key_bits` is a 16-bit number.
const MAX_DIGITS: usize = 16383;

/// Value of each hexadecimal digit; 0xff for every other byte.
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
pub(crate) fn decode(word: &[u8]) -> Result<Decoded, Problem> {
    let (digits, bits) = match memchr::memchr(b'/', word) {
        Some(slash) => (word.get(..slash).unwrap_or_default(), Some(word.get(slash + 1..).unwrap_or_default())),
        None => (word, None),
    };
    let digits = digits.strip_prefix(b"0x").or_else(|| digits.strip_prefix(b"0X")).unwrap_or(digits);
    if digits.is_empty() {
        return Err(Problem::NotHex);
    }
    if digits.iter().all(|byte| *byte == b'X') {
        return Err(Problem::Hidden);
    }
    let bytes = Key::new(unhex(digits)?, 0, 0);
    let found = u32::try_from(digits.len() * 4).unwrap_or(u32::MAX);
    match bits {
        None => {
            let bits = u16::try_from(found.next_multiple_of(8)).map_err(|_| Problem::TooLong)?;
            Ok(Decoded { key: bytes.resized(bits), remark: (digits.len() % 2 == 1).then_some(Remark::Odd) })
        }
        Some(bits) => sized(bytes, found, bit_length(bits)?),
    }
}

/// Shortens the key to `wanted` of its `found` bits.
fn sized(key: Key, found: u32, expected: u32) -> Result<Decoded, Problem> {
    let bits = u16::try_from(expected).ok().filter(|_| expected <= found).ok_or(Problem::BitsTooBig { expected, found })?;
    let digits_left = expected.next_multiple_of(4) < found;
    let whole = key.count_ones();
    let key = key.resized(bits);
    let cut = digits_left || key.count_ones() != whole;
    Ok(Decoded { key, remark: cut.then_some(Remark::Cut) })
}

/// Reads the bit length behind the slash.
fn bit_length(word: &[u8]) -> Result<u32, Problem> {
    let decimal = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    if !decimal || word.iter().all(|byte| *byte == b'0') {
        return Err(Problem::NotBits);
    }
    let text = std::str::from_utf8(word).map_err(|_| Problem::NotBits)?;
    Ok(text.parse().unwrap_or(u32::MAX))
}

/// Turns digits into bytes; a last odd digit is the upper half of its byte.
fn unhex(digits: &[u8]) -> Result<Box<[u8]>, Problem> {
    if digits.len() > MAX_DIGITS {
        return Err(Problem::TooLong);
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
    if seen > 0xf {
        drop(Key::new(bytes, 0, 0));
        return Err(Problem::NotHex);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(word: &str) -> (Vec<u8>, u16, Option<Remark>) {
        let found = decode(word.as_bytes()).unwrap_or_else(|problem| panic!("{word}: {problem:?}"));
        (found.key.expose().to_vec(), found.key.bits(), found.remark)
    }

    fn problem(word: &str) -> Problem {
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
    fn remarks() {
        assert_eq!(decoded("abc"), (vec![0xab, 0xc0], 16, Some(Remark::Odd)));
        assert_eq!(decoded("a"), (vec![0xa0], 8, Some(Remark::Odd)));
        assert_eq!(decoded("abc/9"), (vec![0xab, 0x80], 9, Some(Remark::Cut)));
        assert_eq!(decoded("abc/8"), (vec![0xab], 8, Some(Remark::Cut)));
        assert_eq!(decoded("ab00/8"), (vec![0xab], 8, Some(Remark::Cut)));
    }

    #[test]
    fn refused() {
        for word in ["", "0x", "/8", "0x/8", "123g", "-12", "0x12 34", "12\u{e4}"] {
            assert_eq!(problem(word), Problem::NotHex, "{word}");
        }
        for word in ["ab/", "ab/x", "ab/8x", "ab/-1", "ab/0", "ab/+8", "ab/0x8", "ab/8/8"] {
            assert_eq!(problem(word), Problem::NotBits, "{word}");
        }
        assert_eq!(problem("ab/9"), Problem::BitsTooBig { expected: 9, found: 8 });
        assert_eq!(problem("ab/65544"), Problem::BitsTooBig { expected: 65544, found: 8 });
        assert_eq!(problem("ab/99999999999"), Problem::BitsTooBig { expected: u32::MAX, found: 8 });
        assert_eq!(problem("XXXXXXXX/32"), Problem::Hidden);
        assert_eq!(problem(&"a".repeat(16384)), Problem::TooLong);
        assert_eq!(decoded(&"a".repeat(16382)).1, 65528);
    }
}
