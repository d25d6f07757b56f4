//! Names of IP protocols (IANA, Protocol Numbers; protocols(5)). Built in, so that output is the same on each host.

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

#[must_use]
pub(crate) fn name(number: u8) -> Option<&'static str> {
    TABLE.iter().find(|row| row.0 == number).map(|row| row.1)
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
}
