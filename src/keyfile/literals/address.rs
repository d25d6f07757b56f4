//! Address literals, and literals with a prefix length.
//!
//! With `-n`, an IPv4 address has four decimal numbers. Without it, the forms of inet_addr(3C) are accepted too: `10.1`,
//! `0x0a000001`, `1`. Leading zeros are rejected in both modes, because some programs read such a number as decimal and
//! others as octal. An IPv4-mapped IPv6 address becomes the IPv4 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::keyfile::literals::number;

/// A word parsed as an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    Address(IpAddr),
    /// An IPv4 address with a leading zero in one of its numbers.
    LeadingZero,
    /// Not an address; it may be a host name.
    NotAnAddress,
}

/// Parses an address; `numeric` is `-n`.
pub(crate) fn parse(word: &[u8], numeric: bool) -> Literal {
    if let Some(address) = strict_v4(word) {
        return Literal::Address(IpAddr::V4(address));
    }
    let Ok(text) = std::str::from_utf8(word) else { return Literal::NotAnAddress };
    if word.contains(&b':') {
        // A zone (`fe80::1%eth0`) is rejected: SAs have no interface.
        let address = text.parse::<Ipv6Addr>();
        return address.map_or(Literal::NotAnAddress, |address| Literal::Address(IpAddr::V6(address).to_canonical()));
    }
    loose_v4(text, numeric)
}

/// Parses four decimal numbers without leading zeros. Nearly all addresses of a keys file have this form, so it is parsed
/// without a detour over `str`.
fn strict_v4(word: &[u8]) -> Option<Ipv4Addr> {
    let (mut octets, mut at, mut value, mut digits) = ([0_u8; 4], 0, 0_u16, 0);
    for byte in word {
        match byte {
            // A digit after a leading zero ends in the last arm: `010` is not an address.
            b'0'..=b'9' if digits == 0 || value > 0 => {
                value = value * 10 + u16::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return None;
                }
            }
            b'.' if digits > 0 && at < 3 => {
                octets[at] = u8::try_from(value).ok()?;
                (at, value, digits) = (at + 1, 0, 0);
            }
            _ => return None,
        }
    }
    *octets.last_mut()? = u8::try_from(value).ok()?;
    (at == 3 && digits > 0).then(|| Ipv4Addr::from(octets))
}

/// Parses the forms of inet_addr(3C): one to four numbers, of which the last fills the remaining bytes.
fn loose_v4(text: &str, numeric: bool) -> Literal {
    let parts = text.split('.').count();
    let numbers = text.split('.').map(|part| number::parse(part.as_bytes(), u64::from(u32::MAX)));
    if parts > 4 || !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Literal::NotAnAddress;
    }
    // Hexadecimal parts begin with 0x, which is not a leading zero.
    if text.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        && has_leading_zero(text)
    {
        return Literal::LeadingZero;
    }
    if numeric {
        return Literal::NotAnAddress;
    }
    let mut address = 0_u64;
    for (at, number) in numbers.enumerate() {
        let Ok(number) = number else { return Literal::NotAnAddress };
        // In `10.1` the last number fills three bytes.
        let bytes = if at + 1 == parts { 5 - parts } else { 1 };
        if number >> (8 * bytes) != 0 {
            return Literal::NotAnAddress;
        }
        address = address << (8 * bytes) | number;
    }
    u32::try_from(address).map_or(Literal::NotAnAddress, |bits| Literal::Address(IpAddr::V4(Ipv4Addr::from(bits))))
}

fn has_leading_zero(text: &str) -> bool {
    text.split('.').any(|part| part.len() > 1 && part.starts_with('0'))
}

/// Whether `word` is an address, with or without a prefix length.
pub(crate) fn is_literal(word: &[u8]) -> bool {
    let (address, prefix) = split_prefix(word);
    let address = parse(address, false);
    address != Literal::NotAnAddress && prefix.is_none_or(|prefix| number::parse(prefix, 128).is_ok())
}

/// Splits `ADDRESS/PREFIX`.
pub(crate) fn split_prefix(word: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'/', word) {
        Some(slash) => (word.get(..slash).unwrap_or_default(), word.get(slash + 1..)),
        None => (word, None),
    }
}

/// The length of `address` in bits.
pub(crate) fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Parses a prefix length for `address`. With `mapped`, the address was written as an IPv4-mapped IPv6 address, and its
/// prefix length includes the 96 bits before the IPv4 address.
pub(crate) fn prefix_len(digits: &[u8], address: IpAddr, mapped: bool) -> Option<u8> {
    let decimal = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    // `u8::from_str` accepts a plus sign, so the digits are checked first.
    let bits: u8 = std::str::from_utf8(digits).ok().filter(|_| decimal)?.parse().ok()?;
    let bits = if mapped { bits.checked_sub(96)? } else { bits };
    (bits <= width(address)).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(word: &str, numeric: bool) -> Option<String> {
        match parse(word.as_bytes(), numeric) {
            Literal::Address(address) => Some(address.to_string()),
            Literal::LeadingZero => Some("zero".to_owned()),
            Literal::NotAnAddress => None,
        }
    }

    #[test]
    fn numeric_parse_accepts_full_addresses_only() {
        assert_eq!(parsed("10.0.0.1", true).as_deref(), Some("10.0.0.1"));
        assert_eq!(parsed("2001:DB8:0:0:0:0:0:1", true).as_deref(), Some("2001:db8::1"));
        assert_eq!(parsed("::ffff:10.0.0.1", true).as_deref(), Some("10.0.0.1"));
        assert_eq!(parsed("::192.0.2.99", true).as_deref(), Some("::192.0.2.99").map(|_| "::c000:263"));
        assert_eq!(parsed("010.0.0.1", true).as_deref(), Some("zero"));
        for word in
            ["10.1", "1", "256.0.0.1", "10.0.0.1/24", "2001:db8::g", "[2001:db8::1]", "fe80::1%eth0", "", "10.0.0.", "me"]
        {
            assert_eq!(parsed(word, true), None, "{word}");
        }
    }

    #[test]
    fn parse_accepts_short_forms() {
        assert_eq!(parsed("10.1", false).as_deref(), Some("10.0.0.1"));
        assert_eq!(parsed("10.1.2", false).as_deref(), Some("10.1.0.2"));
        assert_eq!(parsed("0x0a000001", false).as_deref(), Some("10.0.0.1"));
        assert_eq!(parsed("1", false).as_deref(), Some("0.0.0.1"));
        assert_eq!(parsed("255.255.255.255", false).as_deref(), Some("255.255.255.255"));
        assert_eq!(parsed("010.9.0.1", false).as_deref(), Some("zero"));
        assert_eq!(parsed("01", false).as_deref(), Some("zero"));
        for word in
            ["256.0.0.1", "1.2.3.4.5", "1.65536.1", "0x100000000", "4294967296", "1..2", "host", "1.2.3.x", "3com.example"]
        {
            assert_eq!(parsed(word, false), None, "{word}");
        }
    }

    #[test]
    fn prefix_len_fits_the_address() {
        let v4 = IpAddr::from([192, 168, 1, 0]);
        assert_eq!(prefix_len(b"24", v4, false), Some(24));
        assert_eq!(prefix_len(b"0", v4, false), Some(0));
        assert_eq!(prefix_len(b"120", v4, true), Some(24));
        for digits in ["33", "-1", "x", "", "24junk", "256", "99999999999999999999", "+4"] {
            assert_eq!(prefix_len(digits.as_bytes(), v4, false), None, "{digits}");
        }
        assert_eq!(prefix_len(b"95", v4, true), None);
        assert_eq!(prefix_len(b"128", IpAddr::from([0_u16; 8]), false), Some(128));
    }
}
