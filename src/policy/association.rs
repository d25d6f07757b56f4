//! The properties of an SA that policies depend on, from a request or from a message of the SADB.

use std::net::IpAddr;

use super::{Net, PortMask, Selector};
use crate::sa::direction::Directions;
use crate::sa::{AddressInfo, AddressRole, Extension, Flags, LinuxExtras, Message, NATT_PORT, Request, SaId, XfrmMode};

/// The properties of an SA that policies depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicySa {
    /// The identity of the SA.
    pub(crate) id: SaId,
    /// Source; `None` if unspecified.
    pub(crate) src: Option<IpAddr>,
    /// Transport, tunnel or BEET.
    pub(crate) mode: XfrmMode,
    /// Request ID, which ties the SA to policies.
    pub(crate) reqid: u32,
    /// XFRM interface, 0 for none.
    pub(crate) if_id: u32,
    /// The directions that its flags declare; neither if it has no such flag.
    pub(crate) declared: Directions,
    /// The packets that it protects; `None` for a tunnel without inner addresses.
    pub(crate) selector: Option<Selector>,
    /// The local UDP port, if its ESP is encapsulated in UDP.
    pub(crate) udp_port: Option<u16>,
    /// Whether it has packet offload to a network device.
    pub(crate) is_offloaded: bool,
}

/// Source or destination of a selector.
#[derive(Clone, Copy)]
struct SelectorEnd {
    net: Net,
    port: u16,
    proto: u8,
}

impl PolicySa {
    /// From the request that adds the SA; `None` without a destination.
    #[must_use]
    pub(crate) fn of_request(request: &Request) -> Option<Self> {
        let id = request.id()?;
        let src = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified());
        let (from, to) = (request.src, request.dst?);
        let inner = (*request.inner_src, *request.inner_dst);
        // Inner addresses describe the packets. Without them the outer ones do, in transport mode only.
        let selector = match inner {
            (Some(src), Some(dst)) => Some(selector_between(
                SelectorEnd { net: Net::new(src.addr, src.prefix_len), port: src.port, proto: src.proto },
                SelectorEnd { net: Net::new(dst.addr, dst.prefix_len), port: dst.port, proto: dst.proto },
            )),
            _ => transport_selector(request.mode(), src, id.dst, from.map(|end| (end.port, end.proto)), (to.port, to.proto)),
        };
        Some(Self {
            udp_port: udp_port(request),
            ..Self::new(id, src, request.flags, &request.linux, request.mode(), selector)
        })
    }

    /// From a description by a Linux SADB; `None` without a destination.
    #[must_use]
    pub(crate) fn of_message(message: &Message) -> Option<Self> {
        let address = |role| message.address(role);
        let addr = |role| address(role).and_then(|info: &AddressInfo| info.addr).map(|addr| addr.to_canonical());
        let association = message.association()?;
        let dst = addr(AddressRole::Destination)?;
        let src = addr(AddressRole::Source).filter(|src| !src.is_unspecified());
        // Only XFRM reports these.
        let default = LinuxExtras::default();
        let extras = message.linux().map_or(&default, |linux| &linux.extras);
        let mode = extras.mode.unwrap_or_default();
        let end = |role| {
            let info: &AddressInfo = address(role)?;
            Some(SelectorEnd { net: Net::new(info.addr?, info.prefix_len), port: info.port, proto: info.proto })
        };
        let port_and_proto = |role| address(role).map(|info: &AddressInfo| (info.port, info.proto));
        let selector = match (end(AddressRole::InnerSource), end(AddressRole::InnerDestination)) {
            (Some(src), Some(dst)) => Some(selector_between(src, dst)),
            _ => transport_selector(
                mode,
                src,
                dst,
                port_and_proto(AddressRole::Source),
                port_and_proto(AddressRole::Destination).unwrap_or_default(),
            ),
        };
        let id = SaId { sa_type: message.sa_type, spi: association.spi, dst, mark: extras.mark };
        let udp_port = address(AddressRole::NattLocal).map(|info| info.port);
        let sa = Self { udp_port, ..Self::new(id, src, association.flags, extras, mode, selector) };
        Some(Self { reqid: reqid(message).unwrap_or(sa.reqid), ..sa })
    }

    fn new(
        id: SaId,
        src: Option<IpAddr>,
        flags: Flags,
        extras: &LinuxExtras,
        mode: XfrmMode,
        selector: Option<Selector>,
    ) -> Self {
        Self {
            id,
            src,
            mode,
            reqid: extras.reqid,
            if_id: extras.if_id,
            declared: Directions::declared(flags),
            selector,
            udp_port: None,
            is_offloaded: extras.offload.as_ref().is_some_and(|offload| offload.whole_packet),
        }
    }

    /// The source, or the unspecified address of the same family.
    #[must_use]
    pub(crate) fn src_or_any(&self) -> IpAddr {
        self.src.unwrap_or(Net::any(self.id.dst).addr())
    }
}

/// The request ID as PF_KEY of Linux reports it.
fn reqid(message: &Message) -> Option<u32> {
    message.extensions.iter().find_map(|extension| match extension {
        Extension::SecondAssociation { reqid, .. } => Some(*reqid),
        _ => None,
    })
}

/// The local UDP port of the SA that `request` adds, if its ESP is encapsulated in UDP.
#[must_use]
pub(crate) fn udp_port(request: &Request) -> Option<u16> {
    let is_natt = request.natt_local.is_some() || request.natt_remote.is_some();
    let port = || request.natt_local.map(|end| end.port).filter(|port| *port != 0).unwrap_or(NATT_PORT);
    is_natt.then(port)
}

/// The selector of an SA in transport mode. A tunnel without inner addresses has none.
fn transport_selector(
    mode: XfrmMode,
    src: Option<IpAddr>,
    dst: IpAddr,
    from: Option<(u16, u8)>,
    to: (u16, u8),
) -> Option<Selector> {
    if mode != XfrmMode::TRANSPORT {
        return None;
    }
    let (src_port, src_proto) = from.unwrap_or_default();
    let src = SelectorEnd { net: src.map_or(Net::any(dst), Net::host), port: src_port, proto: src_proto };
    Some(selector_between(src, SelectorEnd { net: Net::host(dst), port: to.0, proto: to.1 }))
}

/// The selector between two ends. An end for all addresses takes the family of the other one.
fn selector_between(src: SelectorEnd, dst: SelectorEnd) -> Selector {
    let (src, dst) = (with_family_of(src, dst), with_family_of(dst, src));
    Selector {
        src_ports: PortMask::exactly(src.port),
        dst_ports: PortMask::exactly(dst.port),
        // A command gives the protocol with either end or both.
        proto: src.proto.max(dst.proto),
        ..Selector::between(src.net, dst.net)
    }
}

fn with_family_of(end: SelectorEnd, other: SelectorEnd) -> SelectorEnd {
    // A selector has one address family: 0.0.0.0/0 with an IPv6 network stands for ::/0.
    let is_any = end.net == Net::any(end.net.addr());
    if is_any { SelectorEnd { net: Net::any(other.net.addr()), ..end } } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{Endpoint, InnerEndpoint, SaType, Sparse, Spi};

    fn end(addr: &str, port: u16, proto: u8) -> Option<Endpoint> {
        Some(Endpoint { addr: addr.parse().unwrap(), port, proto })
    }

    fn inner(addr: &str, prefix_len: u8) -> Option<InnerEndpoint> {
        Some(InnerEndpoint { addr: addr.parse().unwrap(), prefix_len, port: 0, proto: 0 })
    }

    fn request() -> Request {
        Request {
            sa_type: SaType::ESP,
            spi: Spi(0x1000),
            src: end("10.0.0.1", 0, 0),
            dst: end("10.0.0.2", 0, 0),
            ..Request::default()
        }
    }

    #[test]
    fn of_request_selects_the_hosts_in_transport_mode() {
        let sa = PolicySa::of_request(&request()).unwrap();
        let hosts = Selector::between(Net::host([10, 0, 0, 1].into()), Net::host([10, 0, 0, 2].into()));
        assert_eq!(sa.selector, Some(hosts));
        let narrow = Request { dst: end("10.0.0.2", 80, 6), ..request() };
        let web = Selector { proto: 6, dst_ports: PortMask::exactly(80), ..hosts };
        assert_eq!(PolicySa::of_request(&narrow).unwrap().selector, Some(web));
        let open = PolicySa::of_request(&Request { src: None, ..request() }).unwrap();
        assert_eq!((open.src, open.selector.unwrap().src), (None, Net::any([0; 4].into())));
    }

    #[test]
    fn of_request_selects_the_networks_of_a_tunnel() {
        let tunnel = Request { inner_src: inner("10.1.2.3", 16).into(), inner_dst: inner("fd00::", 8).into(), ..request() };
        assert_eq!(PolicySa::of_request(&tunnel).unwrap().mode, XfrmMode::TUNNEL);
        let six = Request { inner_src: inner("0.0.0.0", 0).into(), ..tunnel };
        let selector = PolicySa::of_request(&six).unwrap().selector.unwrap();
        assert_eq!(
            selector.src,
            Net::any("::".parse().unwrap()),
            "an end for all addresses takes the family of the other one"
        );
        let without_inner = Request { flags: Flags::TUNNEL, ..request() };
        assert_eq!(PolicySa::of_request(&without_inner).unwrap().selector, None);
    }

    #[test]
    fn of_request_has_the_local_port_of_esp_in_udp() {
        let port = |local, remote| {
            let request = Request { natt_local: Sparse::from(local), natt_remote: Sparse::from(remote), ..request() };
            PolicySa::of_request(&request).unwrap().udp_port
        };
        assert_eq!(port(None, None), None);
        assert_eq!(port(end("0.0.0.0", 0, 0), None), Some(4500));
        assert_eq!(port(end("0.0.0.0", 4501, 0), end("0.0.0.0", 9, 0)), Some(4501));
    }
}
