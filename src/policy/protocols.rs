//! Routing protocols that the setting `protect` closes: their packets pass through SAs, or not at all.
//!
//! The policies of SAs are for the addresses of the SAs. A routing daemon also accepts packets to its other addresses, and from any
//! host on the link (RFC 4552 section 7 requires that they are dropped).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::{Net, Policy, PolicyAction, PolicyDirection, PolicyId, PolicySa, PortMask, Selector};

const IPPROTO_UDP: u8 = 17;
const IPPROTO_OSPF: u8 = 89;
const IPPROTO_PIM: u8 = 103;
const RIP_PORT: u16 = 520;
const RIPNG_PORT: u16 = 521;

/// A protocol of one address family.
#[derive(Debug)]
pub(crate) struct Protocol {
    /// A word of the setting `protect`.
    pub(crate) name: &'static str,
    is_ipv6: bool,
    number: u8,
    /// Destination port, 0 without ports.
    port: u16,
}

/// Those of IPv4 have names of their own: hosts that protect OSPF for IPv6 may run OSPF for IPv4 with its own authentication.
const PROTOCOLS: &[Protocol] = &[
    Protocol { name: "ospf", is_ipv6: true, number: IPPROTO_OSPF, port: 0 },
    Protocol { name: "pim", is_ipv6: true, number: IPPROTO_PIM, port: 0 },
    Protocol { name: "ripng", is_ipv6: true, number: IPPROTO_UDP, port: RIPNG_PORT },
    Protocol { name: "ospf-ipv4", is_ipv6: false, number: IPPROTO_OSPF, port: 0 },
    Protocol { name: "pim-ipv4", is_ipv6: false, number: IPPROTO_PIM, port: 0 },
    Protocol { name: "rip", is_ipv6: false, number: IPPROTO_UDP, port: RIP_PORT },
];

impl Protocol {
    /// All packets of the protocol.
    fn selector(&self) -> Selector {
        let any = Net::any(if self.is_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) });
        Selector { proto: self.number, dst_ports: PortMask::exactly(self.port), ..Selector::between(any, any) }
    }

    /// The protocol that all packets of `selector` belong to.
    fn of(selector: &Selector) -> Option<&'static Self> {
        PROTOCOLS.iter().find(|protocol| protocol.selector().covers(selector))
    }
}

/// The value of the setting `protect`: a set of the protocols above.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<&'static str>")]
pub(crate) struct Protocols(u8);

impl Protocols {
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn iter(self) -> impl Iterator<Item = &'static Protocol> {
        PROTOCOLS.iter().enumerate().filter(move |(at, _)| self.0 & (1 << at) != 0).map(|(_, protocol)| protocol)
    }

    pub(crate) fn names(self) -> Vec<&'static str> {
        self.into()
    }

    /// The identities of the policies that drop what other policies do not match, in both directions. Forwarded packets pass: a
    /// router between two others does not take part in their protocol.
    pub(super) fn blocks(self) -> impl Iterator<Item = PolicyId> {
        self.iter().flat_map(|protocol| {
            let id = |direction| PolicyId { direction, selector: protocol.selector(), mark: None, if_id: 0 };
            [PolicyDirection::In, PolicyDirection::Out].map(id)
        })
    }
}

impl From<Protocols> for Vec<&'static str> {
    fn from(protocols: Protocols) -> Self {
        protocols.iter().map(|protocol| protocol.name).collect()
    }
}

impl TryFrom<Vec<String>> for Protocols {
    type Error = &'static str;

    fn try_from(names: Vec<String>) -> Result<Self, Self::Error> {
        let bit = |name: &String| PROTOCOLS.iter().position(|protocol| protocol.name == name).map(|at| 1 << at);
        let bits = names.iter().map(bit).try_fold(0, |bits, bit| Some(bits | bit?));
        bits.map(Self)
            .ok_or("invalid value, expected a list of \"ospf\", \"pim\", \"ripng\", \"ospf-ipv4\", \"pim-ipv4\" and \"rip\"")
    }
}

/// The protocols that SAs of `sas` are for, while a packet that arrives for an address without an SA is accepted unprotected.
pub(crate) fn open_protocols(sas: &[PolicySa], policies: &[&Policy]) -> Vec<&'static Protocol> {
    let mut found: Vec<&'static Protocol> = Vec::new();
    for protocol in sas.iter().filter_map(|sa| Protocol::of(sa.selector.as_ref()?)) {
        let is_known = found.iter().any(|other| other.name == protocol.name);
        if !is_known && !policies.iter().any(|policy| is_closing(policy, protocol)) {
            found.push(protocol);
        }
    }
    found
}

/// Whether `policy` drops or protects all inbound packets of `protocol`.
fn is_closing(policy: &Policy, protocol: &Protocol) -> bool {
    let is_strict = policy.action == PolicyAction::Block || policy.templates.iter().any(|template| !template.optional);
    let PolicyId { direction, selector, mark, if_id } = &policy.id;
    let is_for_all = mark.is_none() && *if_id == 0 && selector.covers(&protocol.selector());
    is_strict && is_for_all && *direction == PolicyDirection::In
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::derive::{Rules, derive};
    use crate::sa::{Endpoint, Request, SaType, Spi};

    fn protocols(names: &[&str]) -> Protocols {
        names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().try_into().unwrap()
    }

    /// The SA of a group.
    fn sa(dst: &str, port: u16, proto: u8) -> PolicySa {
        let dst = Some(Endpoint { addr: dst.parse().unwrap(), port, proto });
        PolicySa::of_request(&Request { sa_type: SaType::AH, spi: Spi(0x1000), dst, ..Request::default() }).unwrap()
    }

    fn texts(sas: &[PolicySa], protect: &[&str]) -> Vec<String> {
        let rules = Rules { protect: protocols(protect), ..Rules::default() };
        let derived = derive(&sas.iter().collect::<Vec<_>>(), &|_| false, rules);
        derived.policies.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn protect_blocks_after_all_policies_of_sas() {
        let found = texts(&[], &["ospf", "rip"]);
        let expected = [
            "src ::/0 dst ::/0 proto 89 dir in action block priority 12055",
            "src ::/0 dst ::/0 proto 89 dir out action block priority 12055",
            "src 0.0.0.0/0 dst 0.0.0.0/0 proto 17 dport 520 dir in action block priority 12055",
            "src 0.0.0.0/0 dst 0.0.0.0/0 proto 17 dport 520 dir out action block priority 12055",
        ];
        assert_eq!(found, expected);
        let found = texts(&[sa("ff02::5", 0, 89)], &["ospf"]);
        assert!(found.len() == 4 && found[0].contains("priority 11026") && found[2..] == expected[..2], "{found:?}");
    }

    #[test]
    fn protocols_have_the_same_names_when_read_again() {
        let all: Vec<&str> = PROTOCOLS.iter().map(|protocol| protocol.name).collect();
        let text = serde_json::to_string(&protocols(&all)).unwrap();
        assert_eq!(serde_json::from_str::<Protocols>(&text).unwrap().names(), all);
        let error = Protocols::try_from(vec!["bgp".to_owned()]).unwrap_err();
        assert!(all.iter().all(|name| error.contains(&format!("\"{name}\""))), "{error}");
    }

    #[test]
    fn open_protocols_are_those_that_no_policy_closes() {
        let sas = [sa("ff02::5", 0, 89), sa("ff02::6", 0, 89), sa("ff02::9", 521, 17), sa("ff02::9", 0, 17)];
        let rules = |protect: &[&str]| Rules { protect: protocols(protect), ..Rules::default() };
        let open = |protect: &[&str]| {
            let derived = derive(&sas.iter().collect::<Vec<_>>(), &|_| false, rules(protect));
            let policies: Vec<&Policy> = derived.policies.iter().collect();
            open_protocols(&sas, &policies).iter().map(|protocol| protocol.name).collect::<Vec<_>>()
        };
        assert_eq!(open(&[]), ["ospf", "ripng"]);
        assert_eq!(open(&["ospf"]), ["ripng"]);
        assert_eq!(open(&["ospf", "ripng"]), [""; 0]);
        assert_eq!(open(&["ospf-ipv4", "rip"]), ["ospf", "ripng"]);
    }
}
