//! X.509 names in DER (X.690), parsed as far as printing needs it.
//!
//! ```text
//! Name        SEQUENCE OF SET OF SEQUENCE { OID, string }
//! GeneralName [1] mailbox  [2] host name  [4] Name  [6] URI  [7] address
//! ```

use std::net::IpAddr;

use super::address::Text;

const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// PrintableString, T61String, IA5String, UTF8String.
const STRINGS: [u8; 4] = [0x13, 0x14, 0x16, 0x0c];

/// Attribute types, as the bytes of their object identifiers (RFC 4519 section 2, RFC 2985).
const ATTRIBUTES: &[(&[u8], &str)] = &[
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 4], "SN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 12], "title"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "emailAddress"),
];

/// Formats a distinguished name as `C=US, O=Acme\, Inc., CN=joe user`.
pub(super) fn distinguished_name(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    let mut sets = expect(&mut rest, SEQUENCE)?;
    let mut names = Vec::new();
    // A malformed part makes the whole name invalid: a shortened name could pass for another one.
    while !sets.is_empty() {
        let mut set = expect(&mut sets, SET)?;
        let mut values = Vec::new();
        while !set.is_empty() {
            values.push(attribute(expect(&mut set, SEQUENCE)?)?);
        }
        names.push(values.join(" + "));
    }
    rest.is_empty().then(|| names.join(", "))
}

/// Formats the text, address or distinguished name of a general name.
pub(super) fn general_name(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    let (tag, content) = element(&mut rest)?;
    let text = match tag {
        0x81 | 0x82 | 0x86 => String::from_utf8(content.to_vec()).ok()?,
        0xa4 => distinguished_name(content)?,
        0x87 => address(content)?,
        _ => return None,
    };
    rest.is_empty().then_some(text)
}

fn address(content: &[u8]) -> Option<String> {
    let ipv4 = <[u8; 4]>::try_from(content).map(IpAddr::from);
    let addr = ipv4.or_else(|_| <[u8; 16]>::try_from(content).map(IpAddr::from)).ok()?;
    Some(Text(addr).to_string())
}

fn attribute(mut bytes: &[u8]) -> Option<String> {
    let oid = expect(&mut bytes, OID)?;
    let (tag, value) = element(&mut bytes)?;
    let value = std::str::from_utf8(value).ok().filter(|_| STRINGS.contains(&tag))?;
    let kind = ATTRIBUTES.iter().find(|row| row.0 == oid).map_or_else(|| dotted(oid), |row| row.1.to_owned());
    Some(format!("{kind}={}", escaped(value)))
}

/// Puts a backslash before special characters (RFC 4514 section 2.4).
fn escaped(value: &str) -> String {
    value.chars().fold(String::new(), |mut text, letter| {
        if matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            text.push('\\');
        }
        text.push(letter);
        text
    })
}

/// Formats an object identifier as `1.2.840`: the first number encodes two, and each byte has seven bits of a number.
fn dotted(oid: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number: u128 = 0;
    for byte in oid {
        number = (number << 7) | u128::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                // The first number is 0, 1 or 2; only with 2 the second may exceed 39.
                let first = (number / 40).min(2);
                numbers.push(first.to_string());
                number -= first * 40;
            }
            numbers.push(number.to_string());
            number = 0;
        }
    }
    numbers.join(".")
}

/// Takes the content of the next element, which must have the given tag.
fn expect<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    element(bytes).filter(|(found, _)| *found == tag).map(|(_, content)| content)
}

/// Takes the next element: its tag and content. Lengths have up to four bytes.
fn element<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut len = usize::from(first & 0x7f);
    if first & 0x80 != 0 {
        // Longer lengths cannot occur: a PF_KEY extension has at most 512 KiB.
        let (digits, after) = rest.split_at_checked(len).filter(|_| (1..=4).contains(&len))?;
        len = digits.iter().fold(0, |len, digit| (len << 8) | usize::from(*digit));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(len)?;
    *bytes = rest;
    Some((*tag, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag, u8::try_from(content.len()).expect("short")];
        bytes.extend(content);
        bytes
    }

    fn name(oid: &[u8], value: &[u8]) -> Vec<u8> {
        tlv(SET, &tlv(SEQUENCE, &[tlv(OID, oid), tlv(0x13, value)].concat()))
    }

    #[test]
    fn distinguished_names() {
        let names = [name(&[0x55, 4, 6], b"US"), name(&[0x55, 4, 10], b"Acme, Inc."), name(&[0x55, 4, 3], b"joe user")];
        let der = tlv(SEQUENCE, &names.concat());
        assert_eq!(distinguished_name(&der).as_deref(), Some("C=US, O=Acme\\, Inc., CN=joe user"));
        for len in 0..der.len() {
            assert_eq!(distinguished_name(&der[..len]), None);
        }
        let unknown = tlv(SEQUENCE, &name(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1], b"x"));
        assert_eq!(distinguished_name(&unknown).as_deref(), Some("1.2.840.113549.1=x"));
    }

    #[test]
    fn general_names() {
        assert_eq!(general_name(&tlv(0x82, b"a.example")).as_deref(), Some("a.example"));
        assert_eq!(general_name(&tlv(0x87, &[10, 0, 0, 1])).as_deref(), Some("10.0.0.1"));
        assert_eq!(general_name(&tlv(0xa4, &tlv(SEQUENCE, &name(&[0x55, 4, 3], b"x")))).as_deref(), Some("CN=x"));
        assert_eq!(general_name(b"plain"), None);
        assert_eq!(general_name(&[0x82, 0xff, 1, 1]), None);
    }
}
