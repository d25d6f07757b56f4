//! The allow list: which word of a file or command line may be cited in a message.
//!
//! A key has no form of its own: hexadecimal digits in groups, base64, decimal bytes, characters. Therefore a word is not searched for
//! signs of a key, but shown only if it has the form of what was expected in its place, and that form is too short for a key.

use std::borrow::Cow;
use std::fmt::Display;

use super::{did_you_mean, form};

/// Most characters of a mask, so that it hides the length of a key.
const MASK_LEN: usize = 16;

/// What is expected where a word stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected<'a> {
    /// A key, or a word that cannot be judged: never shown.
    Nothing,
    /// One of these words, in any case.
    OneOf(&'a [&'a str]),
    /// A number, possibly with a unit, which is a common mistake (`8h`).
    Number,
    /// A number with an optional mask.
    Mark,
    /// An address with an optional prefix length, or a host name.
    Address,
    /// An identity: a host name, a mailbox, or an address with an optional prefix length.
    Identity,
    /// The name of a network interface.
    Device,
}

/// Whether `word` may be shown where `expected` belongs.
#[must_use]
pub(crate) fn is_citable(word: &[u8], expected: Expected<'_>) -> bool {
    let Ok(word) = std::str::from_utf8(word) else { return false };
    match expected {
        Expected::Nothing => false,
        Expected::OneOf(words) => words.iter().any(|known| known.eq_ignore_ascii_case(word)),
        Expected::Number => form::is_number(word) || form::is_quantity(word),
        Expected::Mark => form::is_mark(word),
        Expected::Address => form::is_address(word) || form::is_name(word),
        Expected::Identity => form::is_address(word) || form::is_name(word) || form::is_mailbox(word),
        Expected::Device => form::is_device(word),
    }
}

/// `word` for a message: itself if [`is_citable`], otherwise a mask. To suggest a word of a table for a mistyped one, use
/// [`nearest`](super::nearest()).
#[must_use]
pub(crate) fn citable<'w>(word: &'w str, expected: Expected<'_>) -> Cow<'w, str> {
    if is_citable(word.as_bytes(), expected) { Cow::Borrowed(word) } else { Cow::Owned(mask(word.chars().count())) }
}

/// [`citable`] in double quotes.
#[must_use]
pub(crate) fn cited(word: &str, expected: Expected<'_>) -> String {
    format!("\"{}\"", citable(word, expected))
}

/// An address that was read from a file or a command line: groups of digits of a key may have the form of one.
#[must_use]
pub(crate) fn citable_address(address: impl Display) -> String {
    citable(&address.to_string(), Expected::Address).into_owned()
}

/// Advice after an unknown word of a command line: the nearest of the `known` words, or else `otherwise`.
#[must_use]
pub(crate) fn advice<'a>(word: &str, known: impl Iterator<Item = &'a str>, otherwise: &str) -> String {
    did_you_mean(word.as_bytes(), known).unwrap_or_else(|| otherwise.to_owned())
}

/// The mask for a hidden word of `len` characters.
#[must_use]
pub(crate) fn mask(len: usize) -> String {
    "X".repeat(len.min(MASK_LEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citable_shows_what_was_expected_and_masks_all_else() {
        assert_eq!(citable("ESP", Expected::OneOf(&["ah", "esp"])), "ESP");
        assert_eq!(citable("epp", Expected::OneOf(&["ah", "esp"])), "XXX");
        assert_eq!(citable("8h", Expected::Number), "8h");
        assert_eq!(citable("0x10/0xff", Expected::Mark), "0x10/0xff");
        assert_eq!(citable("10.0.0.0/24", Expected::Address), "10.0.0.0/24");
        assert_eq!(citable("me@example.com", Expected::Identity), "me@example.com");
        assert_eq!(citable("eth0", Expected::Device), "eth0");
        assert_eq!(citable("aes", Expected::Nothing), "XXX");
    }

    #[test]
    fn citable_address_masks_groups_of_digits() {
        for address in ["2001:db8::1", "192.0.2.1", "192.0.2.0/24", "fe80::5054:ff:fe12:3456"] {
            assert_eq!(citable_address(address), address);
        }
        let key: std::net::IpAddr = "f1e:2d3c:4b5a:6978:8796:a5b4:c3d2:e1f0".parse().unwrap();
        assert_eq!(citable_address(key), "X".repeat(MASK_LEN));
    }

    #[test]
    fn citable_masks_keys_in_every_place() {
        let keys = "0f1e2d3c4b5a6978 0x0f1e2d3c4b5a6978 {0x0f, \\x0f\\x1e Dx4tPEtaaXiHlqW0w9Lh8A== Dx4tPEtaaXiH Passw0rd! \
                    15.30.45.60.75 0f1e:2d3c:4b5a:6978:8796:a5b4:c3d2:e1f0 f:1e:2d:3c:4b:5a:69:78 017:036 123456789012";
        let places = [
            Expected::OneOf(&["ah"]),
            Expected::Number,
            Expected::Mark,
            Expected::Address,
            Expected::Identity,
            Expected::Device,
        ];
        for word in keys.split(' ') {
            for expected in places {
                assert_eq!(citable(word, expected), "X".repeat(word.len().min(16)), "{word} as {expected:?}");
            }
        }
        assert!(!is_citable(b"\xff", Expected::Address));
    }
}
