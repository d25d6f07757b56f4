//! Normalization and checks of the addresses of a message (illumos `sadb.c`, `sadb_addrfix` and `sadb_addrcheck`).
//!
//! They apply to every message to a database, whatever its type.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::frame::{Frame, ext};
use crate::model::refusal::{Checked, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Settings;
use crate::sa::DiagnosticCode;

/// An address of a message. IPv4-mapped addresses have been converted to IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) proto: u8,
    pub(crate) prefix: u8,
}

/// All addresses of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageAddresses {
    pub(crate) source: Option<Address>,
    pub(crate) destination: Option<Address>,
    pub(crate) natt_local: Option<Address>,
    pub(crate) natt_remote: Option<Address>,
    /// Inner source and destination.
    pub(crate) inner: Option<(Address, Address)>,
}

/// Class of an address from the node's point of view (`sadb_addrcheck`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressClass {
    /// A multicast or broadcast address.
    Multicast,
    Unspecified,
    /// One of [`Settings::local`].
    Local,
    /// Another node's, or loopback.
    Other,
}

impl AddressClass {
    pub(crate) fn of(ip: IpAddr, settings: &Settings) -> Self {
        match ip {
            _ if ip.is_unspecified() => Self::Unspecified,
            _ if ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) => Self::Multicast,
            // The kernel looks for route type LOCAL; that of loopback addresses is LOOPBACK (ip.c, ip_type_v4).
            _ if !ip.is_loopback() && settings.local.contains(&ip) => Self::Local,
            _ => Self::Other,
        }
    }
}

/// Normalizes and checks the addresses of `frame`, in the kernel's order.
pub(crate) fn check(frame: &mut Frame, settings: &Settings) -> Checked<MessageAddresses> {
    // If several addresses are wrong, the order decides which diagnostic the client receives.
    let mut addresses =
        MessageAddresses { source: normalize(frame, ext::ADDRESS_SRC, d::BAD_SRC_AF)?, ..MessageAddresses::default() };
    refuse_class(addresses.source, &[AddressClass::Multicast], d::BAD_SRC, settings)?;
    addresses.destination = normalize(frame, ext::ADDRESS_DST, d::BAD_DST_AF)?;
    refuse_class(addresses.destination, &[AddressClass::Unspecified], d::BAD_DST, settings)?;
    check_natt(frame, &mut addresses, settings)?;
    addresses.inner = read_inner(frame)?;
    check_ports(&addresses)?;
    check_families(frame, &mut addresses)?;
    Ok(addresses)
}

/// Reads one address and converts an IPv4-mapped one to IPv4, also in the frame.
pub(crate) fn normalize(frame: &mut Frame, kind: u16, bad_family: DiagnosticCode) -> Checked<Option<Address>> {
    let Some(raw) = frame.address(kind) else { return Ok(None) };
    let ip = raw.ip.ok_or(Refusal::invalid(bad_family))?;
    let mut address = Address { ip, port: raw.port, proto: raw.proto, prefix: raw.prefix };
    if let IpAddr::V6(six) = ip
        && let Some(four) = six.to_ipv4_mapped()
    {
        address.ip = four.into();
        // The echo shows the IPv4 address, in an extension that is still as long as for IPv6.
        frame.convert_to_ipv4(kind, four);
    }
    Ok(Some(address))
}

fn refuse_class(
    address: Option<Address>,
    classes: &[AddressClass],
    diagnostic: DiagnosticCode,
    settings: &Settings,
) -> Checked {
    let class = address.map(|address| AddressClass::of(address.ip, settings));
    refuse_if(class.is_some_and(|class| classes.contains(&class)), diagnostic)
}

/// The NAT-T addresses are IPv4 and not local.
fn check_natt(frame: &mut Frame, addresses: &mut MessageAddresses, settings: &Settings) -> Checked {
    // The class before the family: an own IPv6 address is malformed, another one is of a wrong family.
    addresses.natt_local = normalize(frame, ext::NATT_LOC, d::BAD_NATT_LOC_AF)?;
    // A local address is refused here, although ipseckey(1M) allows it for nat_loc.
    refuse_class(addresses.natt_local, &[AddressClass::Local, AddressClass::Multicast], d::MALFORMED_NATT_LOC, settings)?;
    refuse_ipv6(addresses.natt_local, d::BAD_NATT_LOC_AF)?;
    addresses.natt_remote = normalize(frame, ext::NATT_REM, d::BAD_NATT_REM_AF)?;
    let classes: &[AddressClass] = if frame.has(ext::INNER_SRC) {
        &[AddressClass::Local, AddressClass::Multicast]
    } else {
        &[AddressClass::Local, AddressClass::Multicast, AddressClass::Unspecified]
    };
    refuse_class(addresses.natt_remote, classes, d::MALFORMED_NATT_REM, settings)?;
    refuse_ipv6(addresses.natt_remote, d::BAD_NATT_REM_AF)
}

fn refuse_ipv6(address: Option<Address>, diagnostic: DiagnosticCode) -> Checked {
    refuse_if(address.is_some_and(|address| address.ip.is_ipv6()), diagnostic)
}

/// Both inner addresses or none; of one family, masked to their prefixes.
fn read_inner(frame: &mut Frame) -> Checked<Option<(Address, Address)>> {
    refuse_if(frame.has(ext::INNER_SRC) && !frame.has(ext::INNER_DST), d::MISSING_INNER_DST)?;
    refuse_if(frame.has(ext::INNER_DST) && !frame.has(ext::INNER_SRC), d::MISSING_INNER_SRC)?;
    // The kernel examines the destination first.
    let destination = read_prefix(frame, ext::INNER_DST, d::BAD_INNER_DST_AF, d::PREFIX_INNER_DST)?;
    let source = read_prefix(frame, ext::INNER_SRC, d::BAD_INNER_SRC_AF, d::PREFIX_INNER_SRC)?;
    let Some((source, destination)) = source.zip(destination) else { return Ok(None) };
    refuse_if(source.ip.is_ipv4() != destination.ip.is_ipv4(), d::INNER_AF_MISMATCH)?;
    Ok(Some((source, destination)))
}

/// Reads an inner address and clears its host bits. The prefix length of an IPv4-mapped address is 96 bits larger.
pub(crate) fn read_prefix(
    frame: &mut Frame,
    kind: u16,
    bad_family: DiagnosticCode,
    bad_prefix: DiagnosticCode,
) -> Checked<Option<Address>> {
    let was_mapped =
        matches!(frame.address(kind).and_then(|raw| raw.ip), Some(IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_some());
    let Some(mut address) = normalize(frame, kind, bad_family)? else { return Ok(None) };
    if was_mapped {
        // A prefix length below 96 wraps around, as in the kernel, and is then refused as longer than 32 bits.
        address.prefix = address.prefix.wrapping_sub(96);
        frame.set_prefix(kind, address.prefix);
    }
    let masked = masked(address.ip, address.prefix);
    address.ip = masked.ok_or(Refusal::invalid(bad_prefix))?;
    frame.set_ip(kind, address.ip);
    Ok(Some(address))
}

/// The first `prefix` bits of `ip`; `None` if the prefix is longer than the address.
fn masked(ip: IpAddr, prefix: u8) -> Option<IpAddr> {
    let prefix = u32::from(prefix);
    match ip {
        IpAddr::V4(ip) => {
            // checked_shl is None for a shift by the whole width, which is prefix length 0: no bit counts.
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix)?).unwrap_or(0);
            Some(Ipv4Addr::from_bits(ip.to_bits() & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix)?).unwrap_or(0);
            Some(Ipv6Addr::from_bits(ip.to_bits() & mask).into())
        }
    }
}

/// The outer or the inner addresses may have ports, not both.
fn check_ports(addresses: &MessageAddresses) -> Checked {
    let (Some(source), Some(destination), Some(inner)) = (addresses.source, addresses.destination, addresses.inner) else {
        return Ok(());
    };
    let outer = source.port != 0 || destination.port != 0;
    refuse_if(outer && (inner.0.port != 0 || inner.1.port != 0), d::DUAL_PORT_SETS)
}

/// Source and destination are of one family; only an unspecified IPv6 source may precede an IPv4 destination.
fn check_families(frame: &mut Frame, addresses: &mut MessageAddresses) -> Checked {
    let (Some(source), Some(destination)) = (&mut addresses.source, &mut addresses.destination) else { return Ok(()) };
    if source.ip.is_ipv4() == destination.ip.is_ipv4() {
        return Ok(());
    }
    // Protocols are compared only if the families differ, as in the kernel.
    refuse_if(source.proto != destination.proto && source.proto != 0 && destination.proto != 0, d::PROTO_MISMATCH)?;
    // One of them is 0 or they are equal, so the larger one is the one that was sent.
    let proto = source.proto.max(destination.proto);
    (source.proto, destination.proto) = (proto, proto);
    frame.set_proto(ext::ADDRESS_SRC, proto);
    frame.set_proto(ext::ADDRESS_DST, proto);
    refuse_if(!source.ip.is_unspecified() || destination.ip.is_ipv6(), d::AF_MISMATCH)?;
    // ipseckey(1M) sends `::` for a missing src, whatever the family of dst.
    source.ip = Ipv4Addr::UNSPECIFIED.into();
    frame.convert_to_ipv4(ext::ADDRESS_SRC, Ipv4Addr::UNSPECIFIED);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_class_of() {
        let own: IpAddr = "10.0.0.1".parse().unwrap();
        let settings = Settings { local: vec![own, Ipv4Addr::LOCALHOST.into()], ..Settings::default() };
        let class = |text: &str| AddressClass::of(text.parse().unwrap(), &settings);
        assert_eq!(class("10.0.0.1"), AddressClass::Local);
        assert_eq!(class("10.0.0.2"), AddressClass::Other);
        assert_eq!(class("127.0.0.1"), AddressClass::Other);
        assert_eq!(class("::1"), AddressClass::Other);
        assert_eq!(class("0.0.0.0"), AddressClass::Unspecified);
        assert_eq!(class("::"), AddressClass::Unspecified);
        assert_eq!(class("224.0.0.9"), AddressClass::Multicast);
        assert_eq!(class("255.255.255.255"), AddressClass::Multicast);
        assert_eq!(class("ff02::9"), AddressClass::Multicast);
    }

    #[test]
    fn masked_clears_host_bits() {
        let mask = |text: &str, prefix| masked(text.parse().unwrap(), prefix).map(|ip| ip.to_string());
        assert_eq!(mask("10.1.2.3", 24).as_deref(), Some("10.1.2.0"));
        assert_eq!(mask("10.1.2.3", 32).as_deref(), Some("10.1.2.3"));
        assert_eq!(mask("10.1.2.3", 0).as_deref(), Some("0.0.0.0"));
        assert_eq!(mask("10.1.2.3", 33), None);
        assert_eq!(mask("2001:db8::ffff", 64).as_deref(), Some("2001:db8::"));
        assert_eq!(mask("2001:db8::1", 0).as_deref(), Some("::"));
        assert_eq!(mask("2001:db8::1", 129), None);
    }
}
