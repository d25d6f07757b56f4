//! Policies that pass the control messages of an IPv6 link, where another policy would protect or drop them.
//!
//! Neighbour discovery comes before IPsec: a host that cannot resolve the address of its peer, or of the router to it, sends no
//! packet at all. The kernel looks up policies for these messages as for any packet (`icmp6_dst_alloc` in net/ipv6/route.c,
//! `icmpv6_rcv` in net/ipv6/icmp.c). They are not forwarded, so that `fwd` needs no such policy.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use crate::policy::{Net, Policy, PolicyDirection, PolicyId, PortMask, Selector};

const IPPROTO_ICMPV6: u8 = 58;

/// A kind of ICMPv6 message.
struct Control {
    icmp_type: u16,
    /// Sent between link-local addresses and groups only, so that a selector without groups does not match it.
    is_link_local: bool,
}

/// RFC 4861 section 4, RFC 2710 section 3, RFC 3810 section 5. Redirects are absent: hosts communicate without them.
const CONTROLS: &[Control] = &[
    // Neighbour solicitation and advertisement.
    Control { icmp_type: 135, is_link_local: false },
    Control { icmp_type: 136, is_link_local: false },
    // Router solicitation and advertisement.
    Control { icmp_type: 133, is_link_local: true },
    Control { icmp_type: 134, is_link_local: true },
    // Multicast listener query, report and done, report of version 2: a switch that lacks them does not deliver solicitations.
    Control { icmp_type: 130, is_link_local: true },
    Control { icmp_type: 131, is_link_local: true },
    Control { icmp_type: 132, is_link_local: true },
    Control { icmp_type: 143, is_link_local: true },
];

impl Control {
    /// The packets of `selector` that are such messages; `None` if it has none, or was made for this type alone.
    fn within(&self, selector: &Selector) -> Option<Selector> {
        let Selector { src, dst, proto, src_ports, dst_ports, .. } = *selector;
        let includes_protocol = src.addr().is_ipv6() && (proto == 0 || proto == IPPROTO_ICMPV6);
        // The fields for ports are type and code; the code of all these messages is 0.
        let includes_type = src_ports != PortMask::exactly(self.icmp_type)
            && src_ports.overlaps(PortMask::exactly(self.icmp_type))
            && dst_ports.overlaps(PortMask { value: 0, mask: u16::MAX });
        let includes_addresses = !self.is_link_local || (src.overlaps(link_local()) && dst.overlaps(groups()));
        (includes_protocol && includes_type && includes_addresses).then(|| Selector {
            proto: IPPROTO_ICMPV6,
            src_ports: PortMask::exactly(self.icmp_type),
            ..*selector
        })
    }
}

fn link_local() -> Net {
    Net::new(IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10)
}

fn groups() -> Net {
    Net::new(IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8)
}

/// Identities of the policies that pass what the policy `id` would match.
pub(super) fn passes(id: &PolicyId) -> impl Iterator<Item = PolicyId> {
    // No neighbour discovery takes place on an XFRM interface, and only its packets match a policy with an if_id.
    let is_of_link = id.direction != PolicyDirection::Forward && id.if_id == 0;
    let id = *id;
    let controls = CONTROLS.iter().filter(move |_| is_of_link);
    controls.filter_map(move |control| Some(PolicyId { selector: control.within(&id.selector)?, ..id }))
}

/// Identities of all policies that are to be added to `policies`, each once.
pub(super) fn missing_passes(policies: &[Policy]) -> Vec<PolicyId> {
    // An SA for one of these types keeps its policy.
    let mut known: HashSet<PolicyId> = policies.iter().map(|policy| policy.id).collect();
    policies.iter().flat_map(|policy| passes(&policy.id)).filter(|id| known.insert(*id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_TYPES: [u16; 8] = [130, 131, 132, 133, 134, 135, 136, 143];

    fn selector(src: &str, dst: &str) -> Selector {
        let net = |text: &str| {
            let (addr, len) = text.split_once('/').expect("a prefix");
            Net::new(addr.parse().expect("an address"), len.parse().expect("a length"))
        };
        Selector::between(net(src), net(dst))
    }

    fn id(direction: PolicyDirection, selector: Selector) -> PolicyId {
        PolicyId { direction, selector, mark: None, if_id: 0 }
    }

    fn types(selector: Selector) -> Vec<u16> {
        let mut types: Vec<u16> = passes(&id(PolicyDirection::In, selector)).map(|id| id.selector.src_ports.value).collect();
        types.sort_unstable();
        types
    }

    #[test]
    fn passes_discovery_of_hosts_and_networks() {
        for (src, dst) in [("fd00::1/128", "fd00::2/128"), ("fd01::/16", "fd02::/16"), ("fe80::1/128", "fe80::2/128")] {
            assert_eq!(types(selector(src, dst)), [135, 136], "{src} {dst}");
        }
        // Sources that no router and no report of a group has, and destinations that are no groups.
        assert_eq!(types(selector("fd01::/16", "::/0")), [135, 136]);
        assert_eq!(types(selector("::/0", "fd01::/16")), [135, 136]);
        assert_eq!(types(selector("10.0.0.1/32", "10.0.0.2/32")), [0; 0]);
    }

    #[test]
    fn passes_all_control_messages_of_a_wide_selector() {
        assert_eq!(types(selector("::/0", "::/0")), ALL_TYPES);
        assert_eq!(types(selector("fe80::/10", "ff02::1/128")), ALL_TYPES);
    }

    #[test]
    fn passes_only_what_the_selector_matches() {
        let hosts = selector("fd00::1/128", "fd00::2/128");
        assert_eq!(types(Selector { proto: IPPROTO_ICMPV6, ..hosts }), [135, 136]);
        assert_eq!(types(Selector { proto: 6, ..hosts }), [0; 0]);
        let icmp = |icmp_type, code| Selector { proto: IPPROTO_ICMPV6, src_ports: icmp_type, dst_ports: code, ..hosts };
        assert_eq!(types(icmp(PortMask::exactly(128), PortMask::ANY)), [0; 0], "echo requests");
        assert_eq!(types(icmp(PortMask::exactly(135), PortMask::ANY)), [0; 0], "an SA for solicitations");
        assert_eq!(types(icmp(PortMask::ANY, PortMask::exactly(4))), [0; 0], "another code");
    }

    #[test]
    fn passes_have_the_direction_and_mark_of_the_policy() {
        let hosts = selector("fd00::1/128", "fd00::2/128");
        let mark = Some(crate::sa::Masked { value: 1, mask: 1 });
        let marked = PolicyId { mark, ..id(PolicyDirection::Out, hosts) };
        assert!(passes(&marked).all(|pass| (pass.direction, pass.mark) == (PolicyDirection::Out, mark)));
        assert_eq!(passes(&id(PolicyDirection::Forward, hosts)).count(), 0);
        assert_eq!(passes(&PolicyId { if_id: 7, ..marked }).count(), 0);
    }
}
