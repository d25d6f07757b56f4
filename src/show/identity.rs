//! The extensions for identities.

use std::io::{self, Write};

use super::der;
use crate::redact::{Expected, is_citable, mask, printable};
use crate::sa::{Identity, IdentityType, Side};

/// Titles by type number.
const TITLES: &[(u16, &str)] = &[
    (1, "prefix"),
    (2, "FQDN"),
    (3, "user-FQDN (mbox)"),
    (4, "ASN.1 DER Distinguished Name"),
    (5, "ASN.1 DER Generic Name"),
    (6, "Generic key id"),
    (7, "Address range"),
];

/// A distinguished name, in DER.
const DN: IdentityType = IdentityType(4);
/// A general name, in DER.
const GN: IdentityType = IdentityType(5);

/// Prints two lines: side and type; the identity, with `paranoid` (`-p`) masked if it may be a key.
pub(super) fn print(out: &mut dyn Write, side: Side, identity: &Identity, paranoid: bool) -> io::Result<()> {
    let (prefix, title) = match side {
        Side::Source => ("SID: ", "Source"),
        Side::Destination => ("DID: ", "Destination"),
    };
    // The layout of ipseckey(1M) has the user id as a signed number.
    write!(out, "{prefix}{title} identity, uid={}, type ", identity.id.cast_signed())?;
    match TITLES.iter().find(|row| row.0 == identity.kind.0) {
        Some((_, name)) => writeln!(out, "{name}")?,
        None => writeln!(out, "<unknown {}>", identity.kind.0)?,
    }
    let value = if paranoid { mask_of(identity) } else { None };
    writeln!(out, "{prefix}{}", value.unwrap_or_else(|| self::value(identity)))
}

/// The mask for an identity that may be a key: it has another form than a host name, a mailbox or an address.
pub(super) fn mask_of(identity: &Identity) -> Option<String> {
    (!is_citable(&identity.value, Expected::Identity)).then(|| mask(identity.value.len()))
}

/// Whether the value is in DER, which a keys file cannot express.
pub(super) fn is_der(identity: &Identity) -> bool {
    identity.kind == DN || identity.kind == GN
}

fn value(identity: &Identity) -> String {
    let decoded = match identity.kind {
        DN => der::distinguished_name(&identity.value),
        GN => der::general_name(&identity.value),
        _ => return printable(&identity.value),
    };
    // The value comes from another program and may be malformed.
    decoded.map_or_else(|| "<not a name in DER>".to_owned(), |name| printable(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(kind: u16, id: u64, value: &[u8]) -> String {
        let mut out = Vec::new();
        let identity = Identity { kind: IdentityType(kind), id, value: value.to_vec() };
        print(&mut out, Side::Source, &identity, false).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn mask_of_hides_what_may_be_a_key() {
        let masked = |value: &[u8]| mask_of(&Identity { kind: IdentityType(2), id: 0, value: value.to_vec() });
        for value in ["a.example", "me@host.example", "2001:db8::/32"] {
            assert_eq!(masked(value.as_bytes()), None, "{value}");
        }
        for value in [&b"Dx4tPEtaaXiHlqW0w9Lh8A=="[..], b"0f1e 2d3c 4b5a 6978", b"\x0f\x1e", b"\xff\xfe\x01"] {
            assert_eq!(masked(value), Some("X".repeat(value.len().min(16))));
        }
    }

    #[test]
    fn print_of_known_and_unknown_types() {
        assert_eq!(printed(2, 7, b"a.example"), "SID: Source identity, uid=7, type FQDN\nSID: a.example\n");
        assert_eq!(printed(9, u64::MAX, b"x"), "SID: Source identity, uid=-1, type <unknown 9>\nSID: x\n");
        assert!(printed(4, 0, b"id.example.com").ends_with("SID: <not a name in DER>\n"));
    }
}
