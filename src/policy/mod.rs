//! Security policies (RFC 4301 section 4.4.1), as Linux has them: which packets must go through which SAs.
//!
//! Pure values here; [`association`] is what of an SA matters to them, [`matching`] which SAs a
//! policy uses. [`derive`] says which policies SAs ask for, [`lockout`] whether one cuts off the session from which it comes.
#![forbid(unsafe_code)]

pub mod association;
pub mod derive;
mod id;
pub mod ssh_lockout;
mod text;
pub mod unmatched;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use association::{Association, udp_port};
pub use id::PolicyId;

use serde::{Deserialize, Serialize};

use crate::sa::{SaType, XfrmMode};

/// Which packets a policy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Those for this host.
    In,
    /// Those that leave this host.
    Out,
    /// Those on their way through this host, from one network to another.
    #[serde(rename = "fwd")]
    Forward,
}

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(IpAddr, u8)", into = "(IpAddr, u8)")]
pub struct Net {
    addr: IpAddr,
    prefix_len: u8,
}

impl Net {
    /// The addresses that have their first `prefix_len` bits in common with `addr`; all of them if it has no more.
    #[must_use]
    pub fn new(addr: IpAddr, prefix_len: u8) -> Self {
        match addr.to_canonical() {
            IpAddr::V4(v4) => {
                let len = prefix_len.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
                Self { addr: Ipv4Addr::from(v4.to_bits() & mask).into(), prefix_len: len }
            }
            IpAddr::V6(v6) => {
                let len = prefix_len.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
                Self { addr: Ipv6Addr::from(v6.to_bits() & mask).into(), prefix_len: len }
            }
        }
    }

    /// That address alone.
    #[must_use]
    pub fn host(addr: IpAddr) -> Self {
        Self::new(addr, u8::MAX)
    }

    /// All addresses of a family.
    #[must_use]
    pub fn any(like: IpAddr) -> Self {
        Self::new(like, 0)
    }

    /// The first address.
    #[must_use]
    pub fn addr(self) -> IpAddr {
        self.addr
    }

    /// How many bits are fixed.
    #[must_use]
    pub fn prefix_len(self) -> u8 {
        self.prefix_len
    }

    /// How many bits are free.
    #[must_use]
    pub fn free_bits(self) -> u8 {
        if self.addr.is_ipv4() { 32 - self.prefix_len } else { 128 - self.prefix_len }
    }

    /// Whether every address of `other` is one of these.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.addr.is_ipv4() == other.addr.is_ipv4()
            && self.prefix_len <= other.prefix_len
            && Self::new(other.addr, self.prefix_len) == self
    }

    /// Whether some address is in both.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

/// Ports: those that agree with `value` where `mask` has ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(u16, u16)", into = "(u16, u16)")]
pub struct Ports {
    /// The port, host order. Of ICMP its type (source) or code (destination).
    pub value: u16,
    /// Which bits of it count.
    pub mask: u16,
}

impl Ports {
    /// Every port.
    pub const ANY: Self = Self { value: 0, mask: 0 };

    /// That port; every one for 0, as commands say it.
    #[must_use]
    pub fn said(port: u16) -> Self {
        if port == 0 { Self::ANY } else { Self { value: port, mask: u16::MAX } }
    }

    /// Whether some port is in both.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        (self.value ^ other.value) & self.mask & other.mask == 0
    }
}

impl From<(IpAddr, u8)> for Net {
    fn from((addr, prefix_len): (IpAddr, u8)) -> Self {
        Self::new(addr, prefix_len)
    }
}

impl From<Net> for (IpAddr, u8) {
    fn from(net: Net) -> Self {
        (net.addr, net.prefix_len)
    }
}

impl From<(u16, u16)> for Ports {
    fn from((value, mask): (u16, u16)) -> Self {
        Self { value, mask }
    }
}

impl From<Ports> for (u16, u16) {
    fn from(ports: Ports) -> Self {
        (ports.value, ports.mask)
    }
}

/// A description of packets (RFC 4301 section 4.4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Selector {
    /// From where.
    pub src: Net,
    /// To where.
    pub dst: Net,
    /// Upper-layer protocol, 0 for any.
    pub proto: u8,
    /// From which port.
    pub src_ports: Ports,
    /// To which port.
    pub dst_ports: Ports,
    /// Number of the network interface, 0 for any.
    pub interface: u32,
}

impl Selector {
    /// Everything between two networks.
    #[must_use]
    pub fn between(src: Net, dst: Net) -> Self {
        Self { src, dst, proto: 0, src_ports: Ports::ANY, dst_ports: Ports::ANY, interface: 0 }
    }

    /// Whether some packet is described by both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.src.meets(other.src)
            && self.dst.meets(other.dst)
            && (self.proto == 0 || other.proto == 0 || self.proto == other.proto)
            && self.src_ports.meets(other.src_ports)
            && self.dst_ports.meets(other.dst_ports)
    }
}

/// What becomes of a packet that a policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It passes, through the SAs of the templates if there are any, else in clear.
    Allow,
    /// It is dropped.
    Block,
}

/// One SA that packets must have come through, or will go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    /// AH or ESP.
    pub sa_type: SaType,
    /// Transport or tunnel.
    pub mode: XfrmMode,
    /// Where a tunnel begins; unspecified in transport mode.
    pub src: IpAddr,
    /// Where a tunnel ends; unspecified in transport mode.
    pub dst: IpAddr,
    /// Security parameters index, 0 for any.
    pub spi: u32,
    /// Which SAs it may be; 0 lets any in, and out those without.
    pub reqid: u32,
    /// Whether a packet may do without the SA.
    pub optional: bool,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its identity.
    pub id: PolicyId,
    /// What becomes of its packets.
    pub action: Action,
    /// Of several policies for a packet the one with the lowest number counts.
    pub priority: u32,
    /// In the order in which a packet goes out: the innermost first.
    pub templates: Vec<Template>,
}

/// A policy as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The policy.
    pub policy: Policy,
    /// Seconds since 1970 when it was added.
    pub added: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Net {
        let (addr, len) = text.split_once('/').unwrap();
        Net::new(addr.parse().unwrap(), len.parse().unwrap())
    }

    #[test]
    fn bits_behind_the_prefix_do_not_count() {
        assert_eq!(net("10.1.2.3/16"), net("10.1.0.0/16"));
        assert_eq!(net("fd00::1/0"), net("::/0"));
        assert_eq!(net("::ffff:10.1.2.3/128"), net("10.1.2.3/32"));
        assert_eq!((net("10.1.2.3/0").free_bits(), net("fd00::/64").free_bits()), (32, 64));
    }

    #[test]
    fn networks_cover_and_meet() {
        assert!(net("10.0.0.0/8").covers(net("10.1.0.0/16")) && !net("10.1.0.0/16").covers(net("10.0.0.0/8")));
        assert!(net("10.1.0.0/16").meets(net("10.0.0.0/8")) && !net("10.1.0.0/16").meets(net("10.2.0.0/16")));
        assert!(!net("0.0.0.0/0").meets(net("::/0")));
        assert!(net("::/0").covers(Net::host("fd00::1".parse().unwrap())));
    }

    #[test]
    fn selectors_meet_where_all_their_parts_do() {
        let all = Selector::between(net("10.0.0.1/32"), net("10.0.0.2/32"));
        let web = Selector { proto: 6, dst_ports: Ports::said(80), ..all };
        let mail = Selector { dst_ports: Ports::said(25), ..web };
        assert!(all.meets(&web) && web.meets(&all) && web.meets(&web));
        assert!(!web.meets(&mail) && !web.meets(&Selector { proto: 17, ..web }));
        assert!(web.meets(&Selector { dst_ports: Ports { value: 64, mask: 0xffc0 }, ..web }));
    }
}
