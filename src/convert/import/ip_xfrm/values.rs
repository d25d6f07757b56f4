//! Values of ip-xfrm(8): numbers, addresses, marks.

use std::net::{IpAddr, Ipv4Addr};

use crate::convert::import::writer::{Cursor, Untranslatable};
use crate::keyfile::literals;
use crate::redact::{Expected, cited};
use crate::sa::Masked;

/// A number up to `max`, with the prefixes of C. Output has a comma, or the number again in brackets, behind some.
pub(super) fn number(word: &str, max: u64, of: &str) -> Result<u64, Untranslatable> {
    let digits = word.trim_end_matches(',');
    let digits = digits.split_once('(').map_or(digits, |(digits, _)| digits);
    literals::number::parse(digits.as_bytes(), max)
        .map_err(|_| format!("the value for {of} is not a number of at most {max}: {}", cited(word, Expected::Number)))
}

/// The next word as a 32-bit number.
pub(super) fn next_u32(words: &mut Cursor<'_, '_>, of: &str) -> Result<u32, Untranslatable> {
    Ok(number(words.value(of)?.text, u32::MAX.into(), of)? as u32)
}

/// `VALUE` with `mask MASK` behind it in a command, `VALUE/MASK` in output. Without a mask all bits count.
pub(super) fn mark(words: &mut Cursor<'_, '_>, of: &str) -> Result<Masked, Untranslatable> {
    let word = words.value(of)?.text;
    let half = |word: &str, of: &str| number(word, u32::MAX.into(), of).map(|value| value as u32);
    if let Some((value, mask)) = word.split_once('/') {
        return Ok(Masked { value: half(value, of)?, mask: half(mask, of)? });
    }
    let value = half(word, of)?;
    if words.peek() != Some("mask") {
        return Ok(Masked { value, mask: u32::MAX });
    }
    words.skip(1);
    Ok(Masked { value, mask: next_u32(words, "mask")? })
}

/// An address. `ip` takes a prefix length, and does not use it.
pub(super) fn address(word: &str) -> Result<IpAddr, Untranslatable> {
    net(word).map(|net| net.0)
}

/// An address with its prefix length, in the forms of iproute2 (`lib/utils.c`, `get_prefix_1`).
pub(super) fn net(word: &str) -> Result<(IpAddr, u8), Untranslatable> {
    let wrong = || format!("not an address: {}", cited(word, Expected::Address));
    if matches!(word, "default" | "any" | "all") {
        return Ok((Ipv4Addr::UNSPECIFIED.into(), 0));
    }
    let (addr, prefix) = word.split_once('/').map_or((word, None), |(addr, prefix)| (addr, Some(prefix)));
    if let Some((addr, _)) = addr.split_once('%') {
        let addr = cited(addr, Expected::Address);
        return Err(format!("a zone (%...) cannot be part of an SA: write the address {addr} without it"));
    }
    let addr = addr.parse::<IpAddr>().ok().or_else(|| abbreviated(addr)).ok_or_else(wrong)?;
    let longest = if addr.is_ipv4() { 32 } else { 128 };
    let prefix_len = match prefix.map(str::parse::<Ipv4Addr>) {
        None => longest,
        Some(Ok(mask)) if mask.to_bits().leading_ones() + mask.to_bits().trailing_zeros() >= 32 => {
            mask.to_bits().leading_ones() as u8
        }
        Some(_) => number(prefix.unwrap_or_default(), u64::from(longest), "the prefix length")? as u8,
    };
    Ok((addr, prefix_len))
}

/// `10.1` for 10.1.0.0, as iproute2 takes it.
fn abbreviated(word: &str) -> Option<IpAddr> {
    let mut octets = [0_u8; 4];
    let parts: Vec<&str> = word.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    for (octet, part) in octets.iter_mut().zip(parts) {
        *octet = part.parse().ok()?;
    }
    Some(octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn net_takes_the_forms_of_iproute2() {
        for (word, addr, prefix_len) in [
            ("192.0.2.1", "192.0.2.1", 32),
            ("10.1.0.0/16", "10.1.0.0", 16),
            ("10.1/16", "10.1.0.0", 16),
            ("0/0", "0.0.0.0", 0),
            ("any", "0.0.0.0", 0),
            ("10.0.0.0/255.255.0.0", "10.0.0.0", 16),
            ("2001:db8::/32", "2001:db8::", 32),
            ("::1", "::1", 128),
        ] {
            assert_eq!(net(word).unwrap(), (addr.parse().unwrap(), prefix_len), "{word}");
        }
        for word in ["host", "10.1.2.3.4", "1.2.3.4/33", "fe80::1%eth0", "10.0.0.0/255.0.255.0"] {
            assert!(net(word).is_err(), "{word}");
        }
    }

    #[test]
    fn number_takes_the_bases_of_c_and_the_brackets_of_output() {
        for (word, value) in [("0x10", 16), ("010", 8), ("10", 10), ("0x00001001(4097)", 0x1001), ("7,", 7)] {
            assert_eq!(number(word, 0xffff, "spi"), Ok(value), "{word}");
        }
        assert!(number("65536", 0xffff, "port").is_err());
        assert!(!number("0123456789abcdef0123", u64::MAX, "spi").unwrap_err().contains("0123"));
    }
}
