//! The addresses of a message, put right in place and judged (illumos `sadb.c`, `sadb_addrfix` and `sadb_addrcheck`).
//!
//! Every message to a database goes through here before its type is looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::frame::{Frame, ext};
use crate::model::refusal::{Checked, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Settings;
use crate::sa::Diagnostic;

/// An address of a message; never a mapped IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) proto: u8,
    pub(crate) prefix: u8,
}

/// All addresses of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) source: Option<Address>,
    pub(crate) destination: Option<Address>,
    pub(crate) natt_local: Option<Address>,
    pub(crate) natt_remote: Option<Address>,
    /// Inner source and destination.
    pub(crate) inner: Option<(Address, Address)>,
}

/// What an address is to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Multicast or broadcast.
    Many,
    /// All zero.
    Unspecified,
    /// One of the node's own.
    Own,
    /// Somebody else's, or loopback.
    Other,
}

impl Class {
    pub(crate) fn of(ip: IpAddr, settings: &Settings) -> Self {
        match ip {
            _ if ip.is_unspecified() => Self::Unspecified,
            _ if ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) => Self::Many,
            _ if !ip.is_loopback() && settings.local.contains(&ip) => Self::Own,
            _ => Self::Other,
        }
    }
}

/// Puts the addresses of `frame` right and judges them, in the kernel's order.
pub(crate) fn check(frame: &mut Frame, settings: &Settings) -> Checked<Addresses> {
    let mut addresses = Addresses { source: fix(frame, ext::ADDRESS_SRC, d::BAD_SRC_AF)?, ..Addresses::default() };
    refuse_class(addresses.source, &[Class::Many], d::BAD_SRC, settings)?;
    addresses.destination = fix(frame, ext::ADDRESS_DST, d::BAD_DST_AF)?;
    refuse_class(addresses.destination, &[Class::Unspecified], d::BAD_DST, settings)?;
    natt(frame, &mut addresses, settings)?;
    addresses.inner = inner(frame)?;
    dual_ports(&addresses)?;
    families(frame, &mut addresses)?;
    Ok(addresses)
}

/// Reads one address; a mapped IPv4 address becomes an IPv4 one.
fn fix(frame: &mut Frame, kind: u16, bad_family: Diagnostic) -> Checked<Option<Address>> {
    let Some(raw) = frame.address(kind) else { return Ok(None) };
    let ip = raw.ip.ok_or(Refusal::invalid(bad_family))?;
    let mut address = Address { ip, port: raw.port, proto: raw.proto, prefix: raw.prefix };
    if let IpAddr::V6(six) = ip
        && let Some(four) = six.to_ipv4_mapped()
    {
        address.ip = four.into();
        frame.set_address(kind, address.ip, raw.prefix);
    }
    Ok(Some(address))
}

fn refuse_class(address: Option<Address>, classes: &[Class], diagnostic: Diagnostic, settings: &Settings) -> Checked {
    let class = address.map(|address| Class::of(address.ip, settings));
    refuse_if(class.is_some_and(|class| classes.contains(&class)), diagnostic)
}

/// The NAT-T addresses: IPv4, and not this node's own.
fn natt(frame: &mut Frame, addresses: &mut Addresses, settings: &Settings) -> Checked {
    addresses.natt_local = fix(frame, ext::NATT_LOC, d::BAD_NATT_LOC_AF)?;
    refuse_if(addresses.natt_local.is_some_and(|address| address.ip.is_ipv6()), d::BAD_NATT_LOC_AF)?;
    refuse_class(addresses.natt_local, &[Class::Own, Class::Many], d::MALFORMED_NATT_LOC, settings)?;
    addresses.natt_remote = fix(frame, ext::NATT_REM, d::BAD_NATT_REM_AF)?;
    refuse_if(addresses.natt_remote.is_some_and(|address| address.ip.is_ipv6()), d::BAD_NATT_REM_AF)?;
    let classes: &[Class] =
        if frame.has(ext::INNER_SRC) { &[Class::Own, Class::Many] } else { &[Class::Own, Class::Many, Class::Unspecified] };
    refuse_class(addresses.natt_remote, classes, d::MALFORMED_NATT_REM, settings)
}

/// The inner addresses come in pairs of one family, masked to their prefixes.
fn inner(frame: &mut Frame) -> Checked<Option<(Address, Address)>> {
    refuse_if(frame.has(ext::INNER_SRC) && !frame.has(ext::INNER_DST), d::MISSING_INNER_DST)?;
    refuse_if(frame.has(ext::INNER_DST) && !frame.has(ext::INNER_SRC), d::MISSING_INNER_SRC)?;
    let destination = prefix(frame, ext::INNER_DST, d::BAD_INNER_DST_AF, d::PREFIX_INNER_DST)?;
    let source = prefix(frame, ext::INNER_SRC, d::BAD_INNER_SRC_AF, d::PREFIX_INNER_SRC)?;
    let Some((source, destination)) = source.zip(destination) else { return Ok(None) };
    refuse_if(source.ip.is_ipv4() != destination.ip.is_ipv4(), d::INNER_AF_MISMATCH)?;
    Ok(Some((source, destination)))
}

/// Reads an inner address and clears the bits beyond its prefix. The prefix of a mapped address counts 96 bits more.
fn prefix(frame: &mut Frame, kind: u16, bad_family: Diagnostic, bad_prefix: Diagnostic) -> Checked<Option<Address>> {
    let was_mapped =
        matches!(frame.address(kind).and_then(|raw| raw.ip), Some(IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_some());
    let Some(mut address) = fix(frame, kind, bad_family)? else { return Ok(None) };
    if was_mapped {
        address.prefix = address.prefix.wrapping_sub(96);
    }
    let masked = masked(address.ip, address.prefix);
    address.ip = masked.ok_or(Refusal::invalid(bad_prefix))?;
    frame.set_address(kind, address.ip, address.prefix);
    Ok(Some(address))
}

/// The first `prefix` bits of `ip`; `None` if it has not that many.
fn masked(ip: IpAddr, prefix: u8) -> Option<IpAddr> {
    let prefix = u32::from(prefix);
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix)?).unwrap_or(0);
            Some(Ipv4Addr::from_bits(ip.to_bits() & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix)?).unwrap_or(0);
            Some(Ipv6Addr::from_bits(ip.to_bits() & mask).into())
        }
    }
}

/// Ports belong to the outer or to the inner addresses, not to both.
fn dual_ports(addresses: &Addresses) -> Checked {
    let (Some(source), Some(destination), Some(inner)) = (addresses.source, addresses.destination, addresses.inner) else {
        return Ok(());
    };
    let outer = source.port != 0 || destination.port != 0;
    refuse_if(outer && (inner.0.port != 0 || inner.1.port != 0), d::DUAL_PORT_SETS)
}

/// Source and destination are of one family; only an unspecified IPv6 source may face an IPv4 destination.
fn families(frame: &mut Frame, addresses: &mut Addresses) -> Checked {
    let (Some(source), Some(destination)) = (&mut addresses.source, &mut addresses.destination) else { return Ok(()) };
    if source.ip.is_ipv4() == destination.ip.is_ipv4() {
        return Ok(());
    }
    refuse_if(source.proto != destination.proto && source.proto != 0 && destination.proto != 0, d::PROTO_MISMATCH)?;
    let proto = source.proto.max(destination.proto);
    (source.proto, destination.proto) = (proto, proto);
    frame.set_proto(ext::ADDRESS_SRC, proto);
    frame.set_proto(ext::ADDRESS_DST, proto);
    refuse_if(!source.ip.is_unspecified() || destination.ip.is_ipv6(), d::AF_MISMATCH)?;
    source.ip = Ipv4Addr::UNSPECIFIED.into();
    frame.set_address(ext::ADDRESS_SRC, source.ip, source.prefix);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        let own: IpAddr = "10.0.0.1".parse().unwrap();
        let settings = Settings { local: vec![own, Ipv4Addr::LOCALHOST.into()], ..Settings::default() };
        let class = |text: &str| Class::of(text.parse().unwrap(), &settings);
        assert_eq!(class("10.0.0.1"), Class::Own);
        assert_eq!(class("10.0.0.2"), Class::Other);
        assert_eq!(class("127.0.0.1"), Class::Other);
        assert_eq!(class("::1"), Class::Other);
        assert_eq!(class("0.0.0.0"), Class::Unspecified);
        assert_eq!(class("::"), Class::Unspecified);
        assert_eq!(class("224.0.0.9"), Class::Many);
        assert_eq!(class("255.255.255.255"), Class::Many);
        assert_eq!(class("ff02::9"), Class::Many);
    }

    #[test]
    fn masks() {
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
