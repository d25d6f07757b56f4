//! The extensions for identities.

use std::io::{self, Write};

use super::der;
use crate::redact::printable;
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

/// Prints two lines: side and type; the identity.
pub(super) fn print(out: &mut dyn Write, side: Side, identity: &Identity) -> io::Result<()> {
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
    writeln!(out, "{prefix}{}", value(identity))
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
        print(&mut out, Side::Source, &identity).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn print_of_known_and_unknown_types() {
        assert_eq!(printed(2, 7, b"a.example"), "SID: Source identity, uid=7, type FQDN\nSID: a.example\n");
        assert_eq!(printed(9, u64::MAX, b"x"), "SID: Source identity, uid=-1, type <unknown 9>\nSID: x\n");
        assert!(printed(4, 0, b"id.example.com").ends_with("SID: <not a name in DER>\n"));
    }
}
