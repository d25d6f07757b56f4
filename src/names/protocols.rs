//! Names of IP protocols (IANA, Protocol Numbers; protocols(5)). Built in, so that output and keys files are the same on each host.

const TABLE: &[(u8, &str)] = &[
    (1, "icmp"),
    (2, "igmp"),
    (4, "ipip"),
    (6, "tcp"),
    (8, "egp"),
    (12, "pup"),
    (17, "udp"),
    (27, "rdp"),
    (33, "dccp"),
    (41, "ipv6"),
    (43, "ipv6-route"),
    (44, "ipv6-frag"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "ipv6-icmp"),
    (59, "ipv6-nonxt"),
    (60, "ipv6-opts"),
    (88, "eigrp"),
    (89, "ospf"),
    (103, "pim"),
    (108, "ipcomp"),
    (112, "vrrp"),
    (115, "l2tp"),
    (132, "sctp"),
    (136, "udplite"),
    (139, "hip"),
    (255, "raw"),
];

/// Further names that protocols(5), ip-xfrm(8) and setkey(8) have for a protocol; only read, not printed.
const SYNONYMS: &[(&str, u8)] = &[
    ("ggp", 3),
    ("ipencap", 4),
    ("ipv4", 4),
    ("st", 5),
    ("igp", 9),
    ("hmp", 20),
    ("xns-idp", 22),
    ("iso-tp4", 29),
    ("xtp", 36),
    ("ddp", 37),
    ("idpr-cmtp", 38),
    ("idrp", 45),
    ("skip", 57),
    ("icmp6", 58),
    ("icmpv6", 58),
    ("ipv6-no-nxt", 59),
    ("rspf", 73),
    ("vmtp", 81),
    ("ospfigp", 89),
    ("ospfv3", 89),
    ("ax.25", 93),
    ("etherip", 97),
    ("encap", 98),
    ("isis", 124),
    ("fc", 133),
    ("mobility-header", 135),
    ("ipv6-mh", 135),
    ("mpls-in-ip", 137),
    ("manet", 138),
    ("shim6", 140),
    ("wesp", 141),
    ("rohc", 142),
    ("ethernet", 143),
];

/// The names that a keys file may have, the printed ones first.
pub(crate) fn names() -> impl Iterator<Item = (&'static str, u8)> {
    TABLE.iter().map(|row| (row.1, row.0)).chain(SYNONYMS.iter().copied())
}

/// The number of a protocol, by its name in any case.
#[must_use]
pub(crate) fn number(word: &[u8]) -> Option<u8> {
    names().find(|row| row.0.as_bytes().eq_ignore_ascii_case(word)).map(|row| row.1)
}

#[must_use]
pub(crate) fn name(number: u8) -> Option<&'static str> {
    TABLE.iter().find(|row| row.0 == number).map(|row| row.1)
}

/// Whether daemons of the protocol with this number, such as those of FRR, write the header of IPv4 packets themselves.
#[must_use]
pub(crate) fn uses_raw_sockets(number: u8) -> bool {
    const OSPF: u8 = 89;
    const PIM: u8 = 103;
    [OSPF, PIM].contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(name(58), Some("ipv6-icmp"));
        assert_eq!(name(200), None);
    }

    #[test]
    fn number_finds_each_name_once() {
        let mut known = std::collections::HashSet::new();
        for (word, protocol) in names() {
            assert!(known.insert(word), "{word} twice");
            assert_eq!(number(word.to_ascii_uppercase().as_bytes()), Some(protocol), "{word}");
        }
        assert_eq!((number(b"tcp"), number(b"ospf"), number(b"ipv6-icmp")), (Some(6), Some(89), Some(58)));
        assert_eq!(number(b"tpc"), None);
    }
}
