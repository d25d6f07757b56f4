//! The forms of values that cannot be a key: less than six bytes of one fit into them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::host_name;

/// Most digits of a number that is shown: eleven hexadecimal digits are less than six bytes.
const MAX_DIGITS: usize = 11;

/// Units that follow a number by mistake.
const UNITS: &[&str] = &[
    "s", "sec", "m", "min", "h", "d", "w", "b", "k", "kb", "kib", "mb", "mib", "g", "gb", "gib", "t", "tb", "tib", "bit",
    "bits",
];

/// `nnn` or `0xnnn`; decimal zeros at the end carry no information and do not count.
pub(super) fn is_number(word: &str) -> bool {
    let word = word.strip_prefix('+').unwrap_or(word);
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => is_short(digits) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => word.len() <= 20 && is_decimal(word) && word.trim_end_matches('0').len() <= MAX_DIGITS,
    }
}

/// A number with a sign, a fraction or a unit, as in `8h`.
pub(super) fn is_quantity(word: &str) -> bool {
    let word = word.strip_prefix('-').unwrap_or(word);
    let (number, unit) = word.split_at(word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len()));
    let is_plain = number.split('.').count() <= 2 && number.split('.').all(is_decimal);
    // `d` and `b` are hexadecimal digits as well.
    is_short(word) && is_plain && (unit.is_empty() || UNITS.iter().any(|known| known.eq_ignore_ascii_case(unit)))
}

/// A number with an optional mask. Both have 32 bits.
pub(super) fn is_mark(word: &str) -> bool {
    let is_half = |part: &str| part.len() <= 10 && is_number(part);
    let (value, mask) = word.split_once('/').unwrap_or((word, "0"));
    // A mask selects bits of the value; other pairs of numbers could be pieces of a key.
    is_half(value) && is_half(mask) && (value.len() + mask.len() <= MAX_DIGITS || is_bit_mask(mask))
}

/// Whether the digits of a mask are those of adjacent bits: `0xff00`.
fn is_bit_mask(mask: &str) -> bool {
    let digits = mask.strip_prefix("0x").or_else(|| mask.strip_prefix("0X"));
    digits.is_some_and(|digits| digits.trim_start_matches('0').trim_matches(['f', 'F']).trim_end_matches('0').is_empty())
}

/// An address with an optional prefix length or zone. An IPv4 address may be out of range or incomplete, which is a common mistake.
pub(super) fn is_address(word: &str) -> bool {
    let (address, prefix) = word.split_once('/').unwrap_or((word, "0"));
    let (address, zone) = address.split_once('%').unwrap_or((address, "0"));
    (is_device(zone) || is_short(zone) && is_decimal(zone))
        && prefix.len() <= 3
        && is_decimal(prefix)
        && (is_ipv4(address) || is_ipv6(address))
}

fn is_ipv4(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_dotted = word.split('.').count() <= 4 && word.split('.').all(|part| part.len() <= 3 && is_decimal(part));
    word.parse::<Ipv4Addr>().is_ok() || is_dotted && digits <= MAX_DIGITS || word.len() <= 10 && is_number(word)
}

/// An IPv6 address is as long as a key. It is shown if it does not have the form of one, groups of digits with a separator: a key has no
/// `::`, and not by chance the prefix of an address with a group of zeros or few digits.
fn is_ipv6(word: &str) -> bool {
    let Ok(address) = word.parse::<Ipv6Addr>() else { return false };
    let digits = word.bytes().filter(|byte| *byte != b':').count();
    let segments = address.segments();
    let [first, ..] = segments;
    let is_assigned = (first & 0xe000) == 0x2000 || (first & 0xfe00) == 0xfc00 || (first & 0xff80) == 0xfe80;
    // `ff:fe`: the interface identifier is made from an Ethernet address (RFC 4291 appendix A).
    let is_typical = digits <= 20 || segments.contains(&0) || (segments[5] & 0xff, segments[6] >> 8) == (0xff, 0xfe);
    word.contains("::") || digits <= MAX_DIGITS || is_assigned && is_typical
}

/// A host name that would be looked up.
pub(super) fn is_name(word: &str) -> bool {
    host_name::is_looked_up(word.as_bytes())
}

/// `user@host.example`.
pub(super) fn is_mailbox(word: &str) -> bool {
    let Some((user, host)) = word.split_once('@') else { return false };
    is_name(host) && host_name::is_short_name(user)
}

/// As kernels name interfaces: `eth0`, `enp3s0f1`, `vlan.7`. IFNAMSIZ is 16.
pub(super) fn is_device(word: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let starts = word.starts_with(|first: char| first.is_ascii_lowercase());
    starts && word.bytes().all(is_allowed) && (word.len() <= 7 || host_name::is_short_name(word))
}

fn is_short(digits: &str) -> bool {
    (1..=MAX_DIGITS).contains(&digits.len())
}

fn is_decimal(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: fn(&str) -> bool, shown: &str, hidden: &str) {
        shown.split(' ').for_each(|word| assert!(form(word), "{word} is hidden"));
        hidden.split(' ').for_each(|word| assert!(!form(word), "{word} is shown"));
    }

    #[test]
    fn numbers_have_less_than_six_bytes() {
        check(is_number, "0 256 0400 0x12345678 99999999999 1000000000000 +5", "0x 0x123456789abc 123456789012 12ab 1,2");
        check(is_quantity, "8h 1.5 -1 60s 16MB 5Min", "8x 123456789012 12345678901d 1.2.3 0f1e2d 1e-5");
        check(is_mark, "7 0x10/0xff 0x12345678/0xffffffff 0x1f/7", "1/ 0x0f1e2d3c/0x4b5a6978 0x123456789 1/2/3");
    }

    #[test]
    fn addresses_are_no_groups_of_digits() {
        check(
            is_address,
            "10.0.0.2 fe80::1%eth0 fe80::1%2 10.0.0.0/24 198.51.100.300 10.1 2001:db8::1 fe80::5054:ff:fe12:3456/64 2001:db8:1:2:3:4:5:6 0x0a000001 \
             2001:0db8:85a3:0000:0000:8a2e:0370:7334 2a02:810b:c540:1234:5054:ff:fe12:3456 ::ffff:192.0.2.1",
            "15.30.45.60.75 0f1e:2d3c:4b5a:6978:8796:a5b4:c3d2:e1f0 0f:1e:2d:3c:4b:5a:69:78 2f1e:2d3c:4b5a:6978:8796:a5b4:c3d2:e1f0 \
             0f1e2d3c4b 10.0.0.1/0f1e fe80::1%0f1e2d f:1e:2d:3c:4b:5a:69:78 0x0f1e2d3c4b5a",
        );
    }

    #[test]
    fn devices_and_mailboxes_are_words() {
        check(is_device, "eth0 enp3s0 br-lan vlan.7 wg0 e1000g0 mybridge", "0f1e 0f1e2d3c4b5a Dx4tPE d1e2f3a4b5c6 eth/0");
        check(
            is_mailbox,
            "me@example.com gw-2@vpn.example.net",
            "me me@ @host.example Dx4tPEta@example.com 0f1e2d3c4b5a@a.example",
        );
    }
}
