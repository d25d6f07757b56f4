//! `SADB_X_DIAGNOSTIC_*` of illumos (`net/pfkeyv2.h`): why a request was refused, and what may help.

use crate::sa::Diagnostic;

/// One code.
pub struct Row {
    /// What it means.
    pub text: &'static str,
    /// What to do about it; empty where the text says all there is.
    pub next: &'static str,
}

const fn row(text: &'static str) -> Row {
    Row { text, next: "" }
}

const fn hint(text: &'static str, next: &'static str) -> Row {
    Row { text, next }
}

const SPI_OF_PAIR: &str = "the other SA of the pair needs the same addresses the other way round, and to be there first";
const PREFIXES: &str = "a prefix length is at most 32 for IPv4 and 128 for IPv6";
const SOFT_FIRST: &str = "a soft limit warns before the hard one ends the SA: it must be the smaller of the two";
const KEY_LENGTH: &str = "`ipseckey -c` tells the key lengths each algorithm takes";

/// Code 0 comes first; the index is the code.
const TABLE: &[Row] = &[
    row("the SADB gave no reason"),
    row("message type not known to the SADB"),
    row("extension not known to the SADB"),
    row("extension of impossible length"),
    hint("no SADB for this SA type", "use ah or esp, and see that the IPsec modules are loaded"),
    hint("an SA type is needed", "say ah or esp"),
    hint("no SADB at all", "the IPsec modules are not loaded"),
    row("this message takes no extensions"),
    row("source address of an unknown family"),
    row("destination address of an unknown family"),
    row("inner source address of an unknown family"),
    hint("source and destination are of different families", "give both as IPv4 or both as IPv6"),
    hint("source address not usable", "a source must be a single unicast address"),
    hint("destination address not usable", "a destination must be a single address, not 0.0.0.0 or ::"),
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
    hint("an authentication key where none belongs", "keys cannot be changed: delete the SA and add it again"),
    hint("an encryption key where none belongs", "keys cannot be changed: delete the SA and add it again"),
    row("a proposal where none belongs"),
    row("supported algorithms where none belong"),
    hint("authentication algorithm not supported", "see `ipsecalgs -l`; ESP without encryption needs one"),
    hint("encryption algorithm not supported", "see `ipsecalgs -l`"),
    row("SA flags that may not be set"),
    hint("SA state that may not be set", "an SA can be added only as mature"),
    hint("authentication key of wrong length", KEY_LENGTH),
    hint("encryption key of wrong length", KEY_LENGTH),
    hint("encryption is not for AH", "use esp, or leave out encr_alg and encrkey"),
    hint("weak encryption key", "make a new one at random"),
    hint("weak authentication key", "make a new one at random"),
    row("key management protocol cannot be changed"),
    row("key management cookie cannot be changed"),
    hint("NAT-T local address missing", "add `nat_loc ADDRESS`"),
    hint("NAT-T remote address missing", "add `nat_rem ADDRESS`"),
    row("two NAT-T local addresses"),
    row("two NAT-T remote addresses"),
    hint("NAT-T local address not usable", "nat_loc is the address that the peer sees, not one of this node"),
    hint(
        "NAT-T remote address not usable",
        "nat_rem is the peer's address behind its NAT; it must be a single unicast address",
    ),
    row("two sets of NAT-T ports"),
    hint("inner source address missing", "add `isrc PREFIX`"),
    hint("inner destination address missing", "add `idst PREFIX`"),
    row("two inner source addresses"),
    row("two inner destination addresses"),
    row("malformed inner source address"),
    row("malformed inner destination address"),
    hint("inner source prefix not usable", PREFIXES),
    hint("inner destination prefix not usable", PREFIXES),
    row("inner destination address of an unknown family"),
    hint("inner addresses are of different families", "give isrc and idst both as IPv4 or both as IPv6"),
    hint("NAT-T remote address of an unusable family", "NAT-T addresses are IPv4"),
    hint("NAT-T local address of an unusable family", "NAT-T addresses are IPv4"),
    row("source and destination say different protocols"),
    row("inner source and inner destination say different protocols"),
    hint("ports on both outer and inner addresses", "a tunnel's ports belong to its inner addresses: isport and idport"),
    hint("no pair can be made of these SAs", SPI_OF_PAIR),
    hint("the SAs of this pair do not belong together", SPI_OF_PAIR),
    hint("one of these SAs is paired already", "delete it with delete-pair first"),
    hint("the SA has no partner", "the SA itself was updated or deleted all the same"),
    hint("direction flags do not fit this SA", "leave out inbound and outbound, or give the one that is true here"),
    hint("no such SA", "`ipseckey dump` lists those there are"),
    hint("the SA has expired", "add it again"),
    hint("the cryptographic framework refused the key", KEY_LENGTH),
    row("replay value not usable"),
    row("lifetime not usable here"),
    row("sensitivity label not usable here"),
];

/// The row of a code, if it is known.
#[must_use]
pub fn by_code(code: Diagnostic) -> Option<&'static Row> {
    TABLE.get(usize::from(code.0))
}

/// What a code means.
#[must_use]
pub fn text(code: Diagnostic) -> &'static str {
    by_code(code).map_or("not known to this program", |row| row.text)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_a_text_of_its_own() {
        let texts: HashSet<_> = TABLE.iter().map(|row| row.text).collect();
        assert_eq!(TABLE.len(), 84);
        assert_eq!(texts.len(), TABLE.len());
        assert_eq!(text(Diagnostic(11)), "source and destination are of different families");
        assert_eq!(text(Diagnostic(41)), "encryption algorithm not supported");
        assert_eq!(text(Diagnostic(47)), "weak encryption key");
        assert_eq!(text(Diagnostic(58)), "inner source address missing");
        assert_eq!(text(Diagnostic(72)), "ports on both outer and inner addresses");
        assert_eq!(text(Diagnostic(78)), "no such SA");
        assert_eq!(text(Diagnostic(83)), "sensitivity label not usable here");
        assert_eq!(text(Diagnostic(84)), "not known to this program");
    }
}
