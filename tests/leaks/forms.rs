//! The forms in which people and programs write a key.

use std::fmt::Write as _;

use super::damage::Random;

/// A form: its name, and the text of a key in it.
pub(crate) type Form = (&'static str, fn(&mut Random, &[u8]) -> String);

/// Separators of groups.
const SEPARATORS: &[&str] = &[" ", ":", "-", ".", ",", "_", ";", "/", "|", "\t", ", ", " - ", "'", "\u{a0}", "  "];

/// Every form. Those of whole files, such as UTF-16, are in `places`.
pub(crate) const FORMS: &[Form] = &[
    ("hex", |_, key| hex(key)),
    ("HEX", |_, key| hex(key).to_uppercase()),
    ("0x and hex", |_, key| format!("0x{}", hex(key))),
    ("hex in groups of 1", |random, key| groups(random, &hex(key), 1)),
    ("hex in groups of 2", |random, key| groups(random, &hex(key), 2)),
    ("hex in groups of 3", |random, key| groups(random, &hex(key), 3)),
    ("hex in groups of 4", |random, key| groups(random, &hex(key), 4)),
    ("hex in groups of 5", |random, key| groups(random, &hex(key), 5)),
    ("hex in groups of 6", |random, key| groups(random, &hex(key), 6)),
    ("hex in groups of 7", |random, key| groups(random, &hex(key), 7)),
    ("hex in groups of 8", |random, key| groups(random, &hex(key), 8)),
    ("hex in mixed groups", mixed_groups),
    ("C array", |_, key| format!("{{{}}}", each(key, ", ", |byte| format!("{byte:#04x}")))),
    ("C array without blanks", |_, key| each(key, ",", |byte| format!("{byte:#04x}"))),
    ("C array of decimals", |_, key| format!("{{{}}};", each(key, ",", |byte| byte.to_string()))),
    ("C array of words", |_, key| each_word(key, 4, ", ", |word| format!("{word:#010x}"))),
    ("C string", |_, key| each(key, "", |byte| format!("\\x{byte:02x}"))),
    ("\\u escapes", |_, key| each(key, "", |byte| format!("\\u{byte:04x}"))),
    ("octal escapes", |_, key| each(key, "", |byte| format!("\\{byte:03o}"))),
    ("percent escapes", |_, key| each(key, "", |byte| format!("%{byte:02X}"))),
    ("quoted printable", |_, key| each(key, "", |byte| format!("={byte:02X}"))),
    ("XML references", |_, key| each(key, "", |byte| format!("&#x{byte:02x};"))),
    ("assembler", |_, key| each(key, ",", |byte| format!("0{byte:02x}h"))),
    ("Python bytes", |_, key| format!("b'{}'", each(key, "", |byte| format!("\\x{byte:02x}")))),
    ("base64", |_, key| base64(key, true)),
    ("base64 without padding", |_, key| base64(key, false)),
    ("base64url", |_, key| url(&base64(key, true))),
    ("base64url without padding", |_, key| url(&base64(key, false))),
    ("base64 in groups", |random, key| {
        let len = 4 + random.below(5);
        groups(random, &base64(key, true), len)
    }),
    ("base32", |_, key| base32(key)),
    ("base32 in small letters", |_, key| base32(key).to_lowercase()),
    ("base32 in groups", |random, key| groups(random, &base32(key), 4)),
    ("decimal bytes", |random, key| {
        let separator = random.pick(SEPARATORS);
        each(key, separator, |byte| byte.to_string())
    }),
    ("decimal bytes of three digits", |_, key| each(key, "", |byte| format!("{byte:03}"))),
    ("decimal words of 16 bits", |_, key| each_word(key, 2, " ", |word| word.to_string())),
    ("decimal words of 32 bits", |_, key| each_word(key, 4, " ", |word| word.to_string())),
    ("one decimal number", |_, key| decimal(key)),
    ("dotted quads", |_, key| {
        key.chunks(4).map(|quad| each(quad, ".", |byte| byte.to_string())).collect::<Vec<_>>().join(" ")
    }),
    ("octal bytes", |_, key| each(key, " ", |byte| format!("0{byte:o}"))),
    ("binary", |_, key| each(key, " ", |byte| format!("{byte:08b}"))),
    ("full-width", |_, key| shifted(&hex(key), 0xfee0)),
    ("mathematical digits", |_, key| hex(key).chars().map(mathematical).collect()),
    ("look-alike letters", |_, key| hex(key).chars().map(cyrillic).collect()),
    ("O and l for 0 and 1", |_, key| hex(key).replace('0', "O").replace('1', "l")),
    ("zero-width characters", |random, key| {
        let by = random.pick(&["\u{200b}", "\u{200d}", "\u{feff}", "\u{ad}", "\u{2060}", "\u{301}"]);
        interrupted(random, &hex(key), by)
    }),
    ("split by quotes", |random, key| interrupted(random, &hex(key), "\"")),
    ("in quotes", |_, key| format!("\"{}\"", hex(key))),
    ("groups in quotes", |_, key| format!("\"{}\"", each(key, " ", |byte| format!("{byte:02x}")))),
    ("split by comments", |random, key| interrupted(random, &hex(key), " # ")),
    ("split by lines of comments", |random, key| interrupted(random, &hex(key), "\n# ")),
    ("split by continuation", |random, key| interrupted(random, &hex(key), " \\\n  ")),
    ("continuation in a word", |random, key| interrupted(random, &hex(key), "\\\n")),
    ("split by lines", |random, key| interrupted(random, &hex(key), "\n")),
    ("base64 split by continuation", |random, key| interrupted(random, &base64(key, true), " \\\n")),
    ("split by NUL", |random, key| interrupted(random, &hex(key), "\0")),
    ("dump of xxd", |_, key| format!("00000000: {}", each_word(key, 2, " ", |word| format!("{word:04x}")))),
    ("UUID", uuid),
    ("characters", |_, key| characters(key)),
];

/// `key` in hexadecimal digits.
pub(crate) fn hex(key: &[u8]) -> String {
    each(key, "", |byte| format!("{byte:02x}"))
}

fn each(key: &[u8], separator: &str, text: impl Fn(u8) -> String) -> String {
    key.iter().map(|byte| text(*byte)).collect::<Vec<_>>().join(separator)
}

/// Big-endian words of `len` bytes.
fn each_word(key: &[u8], len: usize, separator: &str, text: impl Fn(u64) -> String) -> String {
    key.chunks(len).map(|bytes| text(number(bytes))).collect::<Vec<_>>().join(separator)
}

pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn groups(random: &mut Random, text: &str, len: usize) -> String {
    let separator = random.pick(SEPARATORS);
    text.as_bytes().chunks(len).map(|group| std::str::from_utf8(group).unwrap()).collect::<Vec<_>>().join(separator)
}

fn mixed_groups(random: &mut Random, key: &[u8]) -> String {
    let (digits, separator) = (hex(key), random.pick(SEPARATORS));
    let mut text = String::new();
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (group, after) = rest.split_at((1 + random.below(8)).min(rest.len()));
        text = text + group + separator;
        rest = after;
    }
    text
}

/// `text` with `by` in one to four places.
fn interrupted(random: &mut Random, text: &str, by: &str) -> String {
    let len = text.len() / (2 + random.below(4)) + 1;
    text.as_bytes().chunks(len).map(|group| std::str::from_utf8(group).unwrap()).collect::<Vec<_>>().join(by)
}

/// `bits` of the key for each letter of the alphabet, without padding.
fn encoded(key: &[u8], bits: u32, alphabet: &[u8]) -> String {
    let (mut text, mut buffer, mut held) = (String::new(), 0_u32, 0);
    for byte in key {
        buffer = buffer << 8 | u32::from(*byte);
        held += 8;
        while held >= bits {
            held -= bits;
            text.push(char::from(alphabet[(buffer >> held) as usize % alphabet.len()]));
        }
        buffer &= (1 << held) - 1;
    }
    if held > 0 {
        text.push(char::from(alphabet[(buffer << (bits - held)) as usize % alphabet.len()]));
    }
    text
}

/// RFC 4648 section 4.
pub(crate) fn base64(key: &[u8], is_padded: bool) -> String {
    let text = encoded(key, 6, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    let padding = if is_padded { text.len().next_multiple_of(4) - text.len() } else { 0 };
    text + &"=".repeat(padding)
}

/// RFC 4648 section 6.
pub(crate) fn base32(key: &[u8]) -> String {
    encoded(key, 5, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
}

fn url(text: &str) -> String {
    text.replace('+', "-").replace('/', "_")
}

/// The key as one number.
pub(crate) fn decimal(key: &[u8]) -> String {
    let mut digits = vec![0_u32];
    for byte in key {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = *digit * 256 + carry;
            (*digit, carry) = (value % 10, value / 10);
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    let mut text = String::new();
    digits.iter().rev().for_each(|digit| write!(text, "{digit}").unwrap());
    text
}

fn shifted(text: &str, by: u32) -> String {
    text.chars().map(|c| char::from_u32(u32::from(c) + by).unwrap()).collect()
}

/// Digits in the double-struck letters of mathematics.
fn mathematical(c: char) -> char {
    let (zero, a) = (0x1d7d8, 0x1d552);
    let point = if c.is_ascii_digit() { zero + u32::from(c) - u32::from('0') } else { a + u32::from(c) - u32::from('a') };
    char::from_u32(point).unwrap()
}

/// Letters of Cyrillic that look like `a`, `c` and `e`.
fn cyrillic(c: char) -> char {
    match c {
        'a' => '\u{430}',
        'c' => '\u{441}',
        'e' => '\u{435}',
        other => other,
    }
}

fn uuid(_: &mut Random, key: &[u8]) -> String {
    let digits = hex(key);
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

/// The key as a passphrase: a letter, digit or sign for each byte.
pub(crate) fn characters(key: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$";
    key.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % 64])).collect()
}
