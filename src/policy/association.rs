//! What of an SA matters to policies, as a request asks for it and as an SADB reports it.

use crate::sa::NATT_PORT;
use std::net::IpAddr;

use super::{Net, Ports, Selector};
use crate::sa::{AddressInfo, AddressRole, Flags, LinuxExtras, Message, Request, SaId, XfrmMode};

/// An SA, as far as policies are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    /// What names it.
    pub id: SaId,
    /// Source, if it is not left open.
    pub src: Option<IpAddr>,
    /// Transport or tunnel.
    pub mode: XfrmMode,
    /// Which policies may use it.
    pub reqid: u32,
    /// XFRM interface.
    pub if_id: u32,
    /// Whether it says that it is for packets that come in, and that go out.
    pub said: (bool, bool),
    /// Which packets it is for; `None` for a tunnel that does not say.
    pub traffic: Option<Selector>,
    /// The local UDP port, of ESP in UDP.
    pub udp_port: Option<u16>,
    /// Whether a network device does all of its work.
    pub is_offloaded: bool,
}

/// One end of what an SA carries.
#[derive(Clone, Copy)]
struct End {
    net: Net,
    port: u16,
    proto: u8,
}

impl Association {
    /// The SA that `request` adds; `None` without a destination.
    #[must_use]
    pub fn of_request(request: &Request) -> Option<Self> {
        let mut id = request.id()?;
        id.dst = id.dst.to_canonical();
        let src = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified());
        let (from, to) = (request.src, request.dst?);
        let inner = (*request.inner_src, *request.inner_dst);
        let traffic = match inner {
            (Some(src), Some(dst)) => Some(ends(
                End { net: Net::new(src.addr, src.prefix_len), port: src.port, proto: src.proto },
                End { net: Net::new(dst.addr, dst.prefix_len), port: dst.port, proto: dst.proto },
            )),
            _ => own_traffic(request.mode(), src, id.dst, from.map(|end| (end.port, end.proto)), (to.port, to.proto)),
        };
        Some(Self {
            udp_port: udp_port(request),
            ..Self::new(id, src, request.flags, &request.linux, request.mode(), traffic)
        })
    }

    /// The SA that `message` describes, of a Linux SADB; `None` without a destination.
    #[must_use]
    pub fn of_message(message: &Message) -> Option<Self> {
        let address = |role| message.address(role);
        let addr = |role| address(role).and_then(|info: &AddressInfo| info.addr).map(|addr| addr.to_canonical());
        let association = message.association()?;
        let dst = addr(AddressRole::Destination)?;
        let src = addr(AddressRole::Source).filter(|src| !src.is_unspecified());
        let default = LinuxExtras::default();
        let extras = message.linux().map_or(&default, |linux| &linux.extras);
        let mode = extras.mode.unwrap_or_default();
        let end = |role| {
            let info: &AddressInfo = address(role)?;
            Some(End { net: Net::new(info.addr?, info.prefix_len), port: info.port, proto: info.proto })
        };
        let said = |role| address(role).map(|info: &AddressInfo| (info.port, info.proto));
        let traffic = match (end(AddressRole::InnerSource), end(AddressRole::InnerDestination)) {
            (Some(src), Some(dst)) => Some(ends(src, dst)),
            _ => own_traffic(mode, src, dst, said(AddressRole::Source), said(AddressRole::Destination).unwrap_or_default()),
        };
        let id = SaId { sa_type: message.sa_type, spi: association.spi, dst, mark: extras.mark };
        let udp_port = address(AddressRole::NattLocal).map(|info| info.port);
        Some(Self { udp_port, ..Self::new(id, src, association.flags, extras, mode, traffic) })
    }

    fn new(
        id: SaId,
        src: Option<IpAddr>,
        flags: Flags,
        extras: &LinuxExtras,
        mode: XfrmMode,
        traffic: Option<Selector>,
    ) -> Self {
        Self {
            id,
            src,
            mode,
            reqid: extras.reqid,
            if_id: extras.if_id,
            said: (flags.has(Flags::INBOUND), flags.has(Flags::OUTBOUND)),
            traffic,
            udp_port: None,
            is_offloaded: extras.offload.as_ref().is_some_and(|offload| offload.whole_packet),
        }
    }

    /// Its source; the unspecified address if that is left open.
    #[must_use]
    pub fn src_or_any(&self) -> IpAddr {
        self.src.unwrap_or(Net::any(self.id.dst).addr())
    }
}

/// The local UDP port of the SA that `request` adds, if its ESP goes in UDP.
#[must_use]
pub fn udp_port(request: &Request) -> Option<u16> {
    let is_natt = request.natt_local.is_some() || request.natt_remote.is_some();
    let port = || request.natt_local.map(|end| end.port).filter(|port| *port != 0).unwrap_or(NATT_PORT);
    is_natt.then(port)
}

/// What an SA between two hosts carries; a tunnel without inner addresses does not say.
fn own_traffic(
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
    let src = End { net: src.map_or(Net::any(dst), Net::host), port: src_port, proto: src_proto };
    Some(ends(src, End { net: Net::host(dst), port: to.0, proto: to.1 }))
}

/// What goes from one end to the other. One that was left open is of the other one's family.
fn ends(src: End, dst: End) -> Selector {
    let (src, dst) = (open_like(src, dst), open_like(dst, src));
    Selector {
        src_ports: Ports::said(src.port),
        dst_ports: Ports::said(dst.port),
        proto: src.proto.max(dst.proto),
        ..Selector::between(src.net, dst.net)
    }
}

fn open_like(end: End, other: End) -> End {
    let is_open = end.net == Net::any(end.net.addr());
    if is_open { End { net: Net::any(other.net.addr()), ..end } } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{Endpoint, InnerEndpoint, SaType, Seldom, Spi};

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
    fn a_transport_sa_is_for_its_hosts() {
        let sa = Association::of_request(&request()).unwrap();
        let hosts = Selector::between(Net::host([10, 0, 0, 1].into()), Net::host([10, 0, 0, 2].into()));
        assert_eq!(sa.traffic, Some(hosts));
        let narrow = Request { dst: end("10.0.0.2", 80, 6), ..request() };
        let web = Selector { proto: 6, dst_ports: Ports::said(80), ..hosts };
        assert_eq!(Association::of_request(&narrow).unwrap().traffic, Some(web));
        let open = Association::of_request(&Request { src: None, ..request() }).unwrap();
        assert_eq!((open.src, open.traffic.unwrap().src), (None, Net::any([0; 4].into())));
    }

    #[test]
    fn a_tunnel_is_for_its_networks() {
        let tunnel = Request { inner_src: inner("10.1.2.3", 16).into(), inner_dst: inner("fd00::", 8).into(), ..request() };
        assert_eq!(Association::of_request(&tunnel).unwrap().mode, XfrmMode::TUNNEL);
        let six = Request { inner_src: inner("0.0.0.0", 0).into(), ..tunnel };
        let traffic = Association::of_request(&six).unwrap().traffic.unwrap();
        assert_eq!(traffic.src, Net::any("::".parse().unwrap()), "an open end is of the other one's family");
        let silent = Request { flags: Flags::TUNNEL, ..request() };
        assert_eq!(Association::of_request(&silent).unwrap().traffic, None);
    }

    #[test]
    fn the_local_port_of_esp_in_udp() {
        let port = |local, remote| {
            let request = Request { natt_local: Seldom::from(local), natt_remote: Seldom::from(remote), ..request() };
            Association::of_request(&request).unwrap().udp_port
        };
        assert_eq!(port(None, None), None);
        assert_eq!(port(end("0.0.0.0", 0, 0), None), Some(4500));
        assert_eq!(port(end("0.0.0.0", 4501, 0), end("0.0.0.0", 9, 0)), Some(4501));
    }
}
