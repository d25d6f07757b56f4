//! `SADB_X_DIAGNOSTIC_*` of illumos (`net/pfkeyv2.h`): the reason of an error, and a remedy.

use crate::sa::DiagnosticCode;

/// The codes that a program acts on.
pub(crate) const BAD_AALG: DiagnosticCode = DiagnosticCode(40);
pub(crate) const BAD_EALG: DiagnosticCode = DiagnosticCode(41);
pub(crate) const BAD_SASTATE: DiagnosticCode = DiagnosticCode(43);
pub(crate) const BAD_AKEYBITS: DiagnosticCode = DiagnosticCode(44);
pub(crate) const BAD_EKEYBITS: DiagnosticCode = DiagnosticCode(45);
pub(crate) const MALFORMED_NATT_LOC: DiagnosticCode = DiagnosticCode(55);
pub(crate) const PAIR_INAPPROPRIATE: DiagnosticCode = DiagnosticCode(73);
pub(crate) const PAIR_ALREADY: DiagnosticCode = DiagnosticCode(75);
pub(crate) const PAIR_SA_NOTFOUND: DiagnosticCode = DiagnosticCode(76);
pub(crate) const SA_NOTFOUND: DiagnosticCode = DiagnosticCode(78);

/// A code in words.
pub(crate) struct DiagnosticText {
    pub(crate) text: &'static str,
    /// A remedy; empty if the text is enough.
    pub(crate) next: &'static str,
}

const fn row(text: &'static str) -> DiagnosticText {
    DiagnosticText { text, next: "" }
}

const fn hint(text: &'static str, next: &'static str) -> DiagnosticText {
    DiagnosticText { text, next }
}

const SPI_OF_PAIR: &str = "the paired SA must exist first, with source and destination exchanged; add `inbound` to one command and \
                           `outbound` to the other, since an SA that illumos keeps in both of its tables has no pair";
const PREFIXES: &str = "a prefix length is at most 32 for IPv4 and 128 for IPv6";
const SOFT_FIRST: &str = "a soft limit warns before the hard one ends the SA: it must be the smaller of the two";
const KEY_LENGTH: &str = "`ipseckey algs` lists the key lengths of each algorithm";

/// Code 0 comes first; the index is the code.
const TABLE: &[DiagnosticText] = &[
    row("no reason given"),
    row("unknown message type"),
    row("unknown extension"),
    row("invalid length of an extension"),
    hint("no SADB for this SA type", "use ah or esp, and check that the IPsec modules are loaded"),
    hint("SA type missing", "specify ah or esp"),
    hint("no SADB", "load the IPsec modules"),
    row("extensions not allowed in this message"),
    row("source address of an unknown family"),
    row("destination address of an unknown family"),
    row("inner source address of an unknown family"),
    hint("source and destination are of different families", "use IPv4 or IPv6 for both"),
    hint("invalid source address", "the source must be a single unicast address"),
    hint("invalid destination address", "the destination must be a single address other than 0.0.0.0 and ::"),
    hint("soft allocation limit above the hard one", SOFT_FIRST),
    hint("soft byte limit above the hard one", SOFT_FIRST),
    hint("soft addtime above the hard one", SOFT_FIRST),
    hint("soft usetime above the hard one", SOFT_FIRST),
    hint("source address missing", "add `src ADDRESS`"),
    hint("destination address missing", "add `dst ADDRESS`"),
    hint("SA extension missing", "add `spi NUMBER`"),
    hint("encryption key missing", "add `encrkey KEY`"),
    hint("authentication key missing", "add `authkey KEY`"),
    row("SPI range missing"),
    row("two source addresses"),
    row("two destination addresses"),
    row("two SA extensions"),
    row("two encryption keys"),
    row("two authentication keys"),
    row("two SPI ranges"),
    row("malformed source address"),
    row("malformed destination address"),
    row("malformed SA extension"),
    hint("malformed encryption key", "its length must be a whole number of bytes and it must not be all zeros"),
    hint("malformed authentication key", "its length must be a whole number of bytes and it must not be all zeros"),
    row("malformed SPI range"),
    hint("authentication key not allowed", "keys cannot be changed: delete the SA and add it again"),
    hint("encryption key not allowed", "keys cannot be changed: delete the SA and add it again"),
    row("proposal not allowed"),
    row("supported algorithms not allowed"),
    hint("authentication algorithm not supported", "see `ipsecalgs -l`; ESP without encryption needs one"),
    hint("encryption algorithm not supported", "see `ipsecalgs -l`"),
    row("SA flags not allowed"),
    hint("SA state not allowed", "add SAs as mature"),
    hint("authentication key of wrong length", KEY_LENGTH),
    hint("encryption key of wrong length", KEY_LENGTH),
    hint("AH does not encrypt", "use esp, or remove encr_alg and encrkey"),
    hint("weak encryption key", "generate a random key with `ipseckey genkey`"),
    hint("weak authentication key", "generate a random key with `ipseckey genkey`"),
    row("key management protocol cannot be changed"),
    row("key management cookie cannot be changed"),
    hint("NAT-T local address missing", "add `nat_loc ADDRESS`"),
    hint("NAT-T remote address missing", "add `nat_rem ADDRESS`"),
    row("two NAT-T local addresses"),
    row("two NAT-T remote addresses"),
    hint("invalid NAT-T local address", "nat_loc is the public address of the NAT, not an address of this host"),
    hint(
        "invalid NAT-T remote address",
        "nat_rem is the peer's address behind its NAT; it must be a single unicast address",
    ),
    row("two sets of NAT-T ports"),
    hint("inner source address missing", "add `isrc PREFIX`"),
    hint("inner destination address missing", "add `idst PREFIX`"),
    row("two inner source addresses"),
    row("two inner destination addresses"),
    row("malformed inner source address"),
    row("malformed inner destination address"),
    hint("invalid inner source prefix", PREFIXES),
    hint("invalid inner destination prefix", PREFIXES),
    row("inner destination address of an unknown family"),
    hint(
        "inner addresses are of different families",
        "use IPv4 or IPv6 for both isrc and idst; proto 4 is for IPv4 inside the tunnel, proto 41 for IPv6",
    ),
    hint("NAT-T remote address of an unsupported family", "NAT-T addresses are IPv4"),
    hint("NAT-T local address of an unsupported family", "NAT-T addresses are IPv4"),
    row("different protocols of source and destination"),
    row("different protocols of inner source and inner destination"),
    hint("ports on both outer and inner addresses", "in a tunnel, use isport and idport"),
    hint("these SAs cannot be paired", SPI_OF_PAIR),
    hint("these SAs do not match as a pair", SPI_OF_PAIR),
    hint("one of these SAs is already paired", "end that pair first: delete one of its SAs, or both with delete-pair"),
    hint("the SA is not paired", "the SA itself was updated or deleted"),
    hint("wrong direction of the SA", "remove inbound and outbound, or specify the right one"),
    hint("no such SA", "`ipseckey dump` lists the existing SAs"),
    hint("the SA has expired", "add it again"),
    hint("the cryptographic framework refused the key", KEY_LENGTH),
    row("invalid replay value"),
    row("lifetime not allowed"),
    row("sensitivity label not allowed"),
];

#[must_use]
pub(crate) fn by_code(code: DiagnosticCode) -> Option<&'static DiagnosticText> {
    TABLE.get(usize::from(code.0))
}

#[must_use]
pub(crate) fn text(code: DiagnosticCode) -> &'static str {
    by_code(code).map_or("unknown diagnostic code", |row| row.text)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_a_distinct_text() {
        let texts: HashSet<_> = TABLE.iter().map(|row| row.text).collect();
        assert_eq!(TABLE.len(), 84);
        assert_eq!(texts.len(), TABLE.len());
        assert_eq!(text(DiagnosticCode(11)), "source and destination are of different families");
        assert_eq!(text(DiagnosticCode(41)), "encryption algorithm not supported");
        assert_eq!(text(DiagnosticCode(47)), "weak encryption key");
        assert_eq!(text(DiagnosticCode(58)), "inner source address missing");
        assert_eq!(text(DiagnosticCode(72)), "ports on both outer and inner addresses");
        assert_eq!(text(DiagnosticCode(78)), "no such SA");
        assert_eq!(text(DiagnosticCode(83)), "sensitivity label not allowed");
        assert_eq!(text(DiagnosticCode(84)), "unknown diagnostic code");
    }
}
