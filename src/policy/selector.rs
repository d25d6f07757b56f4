//! Selectors: the packets that a policy or an SA matches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// An address prefix: all addresses that share their first `prefix_len` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(IpAddr, u8)", into = "(IpAddr, u8)")]
pub(crate) struct Net {
    addr: IpAddr,
    prefix_len: u8,
}

impl Net {
    /// The prefix of `addr`. A `prefix_len` longer than the address stands for the whole address.
    #[must_use]
    pub(crate) fn new(addr: IpAddr, prefix_len: u8) -> Self {
        match addr.to_canonical() {
            IpAddr::V4(v4) => {
                let len = prefix_len.min(32);
                // A shift by all 32 bits is an overflow.
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

    /// The prefix that holds one address only.
    #[must_use]
    pub(crate) fn host(addr: IpAddr) -> Self {
        Self::new(addr, u8::MAX)
    }

    /// All addresses of the family of `addr`.
    #[must_use]
    pub(crate) fn any(addr: IpAddr) -> Self {
        Self::new(addr, 0)
    }

    /// The address with all free bits zero.
    #[must_use]
    pub(crate) fn addr(self) -> IpAddr {
        self.addr
    }

    /// The number of fixed bits.
    #[must_use]
    pub(crate) fn prefix_len(self) -> u8 {
        self.prefix_len
    }

    /// The number of bits that are not fixed: 0 for a host.
    #[must_use]
    pub(crate) fn free_bits(self) -> u8 {
        if self.addr.is_ipv4() { 32 - self.prefix_len } else { 128 - self.prefix_len }
    }

    /// Whether the prefix contains every address of `other`.
    #[must_use]
    pub(crate) fn covers(self, other: Self) -> bool {
        self.addr.is_ipv4() == other.addr.is_ipv4()
            && self.prefix_len <= other.prefix_len
            && Self::new(other.addr, self.prefix_len) == self
    }

    /// Whether the prefixes have an address in common.
    #[must_use]
    pub(crate) fn overlaps(self, other: Self) -> bool {
        // Prefixes are nested or disjoint.
        self.covers(other) || other.covers(self)
    }
}

/// The ports that equal `value` in the bits of `mask`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(u16, u16)", into = "(u16, u16)")]
pub(crate) struct PortMask {
    /// The port in host byte order. For ICMP the type (source) or the code (destination).
    pub(crate) value: u16,
    /// The bits of `value` that are compared.
    pub(crate) mask: u16,
}

impl PortMask {
    /// The mask that matches every port.
    pub(crate) const ANY: Self = Self { value: 0, mask: 0 };

    /// One port; 0 stands for every port, as in a command.
    #[must_use]
    pub(crate) fn exactly(port: u16) -> Self {
        if port == 0 { Self::ANY } else { Self { value: port, mask: u16::MAX } }
    }

    /// Whether the mask matches every port that `other` does.
    #[must_use]
    pub(crate) fn covers(self, other: Self) -> bool {
        self.mask & !other.mask == 0 && (self.value ^ other.value) & self.mask == 0
    }

    /// Whether the two have a port in common.
    #[must_use]
    pub(crate) fn overlaps(self, other: Self) -> bool {
        // Bits outside either mask can take any value.
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

impl From<(u16, u16)> for PortMask {
    fn from((value, mask): (u16, u16)) -> Self {
        Self { value, mask }
    }
}

impl From<PortMask> for (u16, u16) {
    fn from(ports: PortMask) -> Self {
        (ports.value, ports.mask)
    }
}

/// The packets that a policy or an SA matches (RFC 4301 section 4.4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Selector {
    /// Prefix of the source address.
    pub(crate) src: Net,
    /// Prefix of the destination address.
    pub(crate) dst: Net,
    /// Upper-layer protocol, 0 for any.
    pub(crate) proto: u8,
    /// Source port, or ICMP type.
    pub(crate) src_ports: PortMask,
    /// Destination port, or ICMP code.
    pub(crate) dst_ports: PortMask,
    /// Index of the network interface, 0 for any.
    pub(crate) interface: u32,
}

impl Selector {
    /// All packets between two networks.
    #[must_use]
    pub(crate) fn between(src: Net, dst: Net) -> Self {
        Self { src, dst, proto: 0, src_ports: PortMask::ANY, dst_ports: PortMask::ANY, interface: 0 }
    }

    /// Whether the selector matches every packet that `other` does.
    #[must_use]
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.src.covers(other.src)
            && self.dst.covers(other.dst)
            && (self.proto == 0 || self.proto == other.proto)
            && self.src_ports.covers(other.src_ports)
            && self.dst_ports.covers(other.dst_ports)
            && (self.interface == 0 || self.interface == other.interface)
    }

    /// Whether a packet can match both.
    #[must_use]
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.src.overlaps(other.src)
            && self.dst.overlaps(other.dst)
            && (self.proto == 0 || other.proto == 0 || self.proto == other.proto)
            && self.src_ports.overlaps(other.src_ports)
            && self.dst_ports.overlaps(other.dst_ports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Net {
        let (addr, len) = text.split_once('/').unwrap();
        Net::new(addr.parse().unwrap(), len.parse().unwrap())
    }

    #[test]
    fn net_ignores_bits_after_the_prefix() {
        assert_eq!(net("10.1.2.3/16"), net("10.1.0.0/16"));
        assert_eq!(net("fd00::1/0"), net("::/0"));
        assert_eq!(net("::ffff:10.1.2.3/128"), net("10.1.2.3/32"));
        assert_eq!((net("10.1.2.3/0").free_bits(), net("fd00::/64").free_bits()), (32, 64));
    }

    #[test]
    fn net_covers_and_overlaps() {
        assert!(net("10.0.0.0/8").covers(net("10.1.0.0/16")) && !net("10.1.0.0/16").covers(net("10.0.0.0/8")));
        assert!(net("10.1.0.0/16").overlaps(net("10.0.0.0/8")) && !net("10.1.0.0/16").overlaps(net("10.2.0.0/16")));
        assert!(!net("0.0.0.0/0").overlaps(net("::/0")));
        assert!(net("::/0").covers(Net::host("fd00::1".parse().unwrap())));
    }

    #[test]
    fn selectors_cover_narrower_ones() {
        let all = Selector::between(net("10.0.0.0/24"), net("10.0.1.0/24"));
        let web = Selector { proto: 6, dst_ports: PortMask::exactly(80), ..all };
        let some = Selector { dst_ports: PortMask { value: 64, mask: 0xffc0 }, ..web };
        let host = Selector { src: net("10.0.0.1/32"), ..web };
        for (wide, narrow) in [(all, web), (web, host), (some, web), (all, host), (all, Selector { interface: 3, ..all })] {
            assert!(wide.covers(&narrow) && !narrow.covers(&wide), "{wide:?} {narrow:?}");
        }
        assert!(web.covers(&web) && !web.covers(&Selector { proto: 17, ..web }));
    }

    #[test]
    fn selectors_overlap_if_all_their_fields_do() {
        let all = Selector::between(net("10.0.0.1/32"), net("10.0.0.2/32"));
        let web = Selector { proto: 6, dst_ports: PortMask::exactly(80), ..all };
        let mail = Selector { dst_ports: PortMask::exactly(25), ..web };
        assert!(all.overlaps(&web) && web.overlaps(&all) && web.overlaps(&web));
        assert!(!web.overlaps(&mail) && !web.overlaps(&Selector { proto: 17, ..web }));
        assert!(web.overlaps(&Selector { dst_ports: PortMask { value: 64, mask: 0xffc0 }, ..web }));
    }
}
