//! Requests of rtnetlink(7) about one destination: the route to it, and the interface of the route.
//!
//! ```text
//! rtmsg, 12 bytes:     family 1 | dst_len 1 | src_len 1 | tos 1 | table 1 | protocol 1 | scope 1 | type 1 | flags 4
//! ifinfomsg, 16 bytes: family 1 | pad 1 | type 2 | index 4 | flags 4 | change 4
//! ```

use std::net::IpAddr;

use super::reader::{ReadError, Reader};
use super::rtnetlink::{HEADER_LEN, NLMSG_ERROR, address, attributes, messages};
use super::writer::{WriteError, exact};
use crate::secret::Buffer;

// linux/rtnetlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const ROUTE_LEN: u16 = 12;
const LINK_LEN: u16 = 16;
const ATTRIBUTE_LEN: u16 = 4;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTAX_MTU: u16 = 2;
// linux/netlink.h
const NLM_F_REQUEST: u16 = 1;
// linux/if_link.h, linux/if.h
const IFLA_MTU: u16 = 4;
const IFF_UP: u32 = 1;
const IFF_LOWER_UP: u32 = 1 << 16;
// sys/socket.h of Linux
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// The route to an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RouteReply {
    /// Index of the interface; 0 if there is none.
    pub(crate) interface: u32,
    /// The source address of packets that do not specify one.
    pub(crate) source: Option<IpAddr>,
    pub(crate) gateway: Option<IpAddr>,
    /// The MTU of the path, if the route has one of its own.
    pub(crate) mtu: Option<u32>,
}

/// An interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkReply {
    pub(crate) mtu: u32,
    /// Whether it is up, and has a carrier.
    pub(crate) is_up: bool,
}

/// A reply, or the number of the error.
pub(crate) type Reply<T> = Result<T, i32>;

/// What a datagram has of it; `None` if it has no reply.
pub(crate) type ReadReply<T> = Result<Option<Reply<T>>, ReadError>;

/// The request for the route to `addr`.
///
/// # Errors
/// None: the length is constant.
pub(crate) fn route_request(seq: u32, addr: IpAddr) -> Result<Buffer, WriteError> {
    let bytes = match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    };
    // 4 or 16.
    let len = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    exact(|writer| {
        let attribute_len = ATTRIBUTE_LEN + u16::from(len);
        writer.u32(u32::from(HEADER_LEN + ROUTE_LEN + attribute_len));
        writer.u16(RTM_GETROUTE);
        writer.u16(NLM_F_REQUEST);
        writer.u32(seq);
        writer.zeros(4);
        writer.u8(if addr.is_ipv4() { AF_INET } else { AF_INET6 });
        writer.u8(8 * len);
        writer.zeros(usize::from(ROUTE_LEN) - 2);
        writer.u16(attribute_len);
        writer.u16(RTA_DST);
        writer.bytes(&bytes);
        Ok(())
    })
}

/// The request for the interface with that index.
///
/// # Errors
/// None: the length is constant.
pub(crate) fn link_request(seq: u32, interface: u32) -> Result<Buffer, WriteError> {
    exact(|writer| {
        writer.u32(u32::from(HEADER_LEN + LINK_LEN));
        writer.u16(RTM_GETLINK);
        writer.u16(NLM_F_REQUEST);
        writer.u32(seq);
        writer.zeros(4 + 4);
        writer.u32(interface);
        writer.zeros(8);
        Ok(())
    })
}

/// The reply to [`route_request`] in a datagram; `None` if it has none.
///
/// # Errors
/// [`ReadError`] for a malformed message.
pub(crate) fn read_route(datagram: &[u8], seq: u32) -> ReadReply<RouteReply> {
    read(datagram, seq, RTM_NEWROUTE, route)
}

/// The reply to [`link_request`] in a datagram; `None` if it has none.
///
/// # Errors
/// [`ReadError`] for a malformed message.
pub(crate) fn read_link(datagram: &[u8], seq: u32) -> ReadReply<LinkReply> {
    read(datagram, seq, RTM_NEWLINK, link)
}

fn read<T>(datagram: &[u8], seq: u32, expected: u16, body_of: fn(Reader<'_>) -> Result<T, ReadError>) -> ReadReply<T> {
    for (kind, mut body) in messages(datagram, seq)? {
        if kind == NLMSG_ERROR {
            return Ok(Some(Err(body.u32()?.cast_signed().wrapping_neg())));
        }
        if kind == expected {
            return Ok(Some(Ok(body_of(body)?)));
        }
    }
    Ok(None)
}

fn route(mut body: Reader<'_>) -> Result<RouteReply, ReadError> {
    body.skip(ROUTE_LEN.into())?;
    let mut route = RouteReply::default();
    for (kind, mut value) in attributes(body)? {
        match kind {
            RTA_OIF => route.interface = value.u32()?,
            RTA_PREFSRC => route.source = address(value),
            RTA_GATEWAY => route.gateway = address(value),
            RTA_METRICS => route.mtu = mtu(value)?,
            _ => {}
        }
    }
    Ok(route)
}

fn mtu(metrics: Reader<'_>) -> Result<Option<u32>, ReadError> {
    let found = attributes(metrics)?.into_iter().find(|(kind, _)| *kind == RTAX_MTU);
    found.map(|(_, mut value)| value.u32()).transpose()
}

fn link(mut body: Reader<'_>) -> Result<LinkReply, ReadError> {
    body.skip(8)?;
    let flags = body.u32()?;
    body.skip(4)?;
    let mtu = attributes(body)?.into_iter().find(|(kind, _)| *kind == IFLA_MTU);
    let mtu = mtu.map_or(Ok(0), |(_, mut value)| value.u32())?;
    Ok(LinkReply { mtu, is_up: flags & (IFF_UP | IFF_LOWER_UP) == IFF_UP | IFF_LOWER_UP })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, seq: u32, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(16 + body.len()).unwrap();
        let kind = [kind.to_ne_bytes(), [0, 0]].concat();
        [&len.to_ne_bytes()[..], &kind, &seq.to_ne_bytes(), &[0; 4], body].concat()
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(4 + value.len()).unwrap();
        [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
    }

    fn a_route() -> Vec<u8> {
        let metrics = attribute(2, &1400_u32.to_ne_bytes());
        let parts = [
            vec![2, 32, 0, 0, 254, 2, 0, 1, 0, 0, 0, 0],
            attribute(1, &[192, 0, 2, 2]),
            attribute(4, &3_u32.to_ne_bytes()),
            attribute(7, &[192, 0, 2, 1]),
            attribute(5, &[192, 0, 2, 9]),
            attribute(8, &metrics),
        ];
        message(24, 7, &parts.concat())
    }

    #[test]
    fn requests_have_the_layout_of_rtnetlink() {
        let expected = message(26, 7, &[&[10, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &attribute(1, &[0xfd; 16])].concat());
        let mut found = route_request(7, [0xfd; 16].into()).unwrap().to_vec();
        assert_eq!(std::mem::take(&mut found[6]), 1, "NLM_F_REQUEST");
        found[7] = 0;
        assert_eq!(found, expected);
        let four = route_request(7, [192, 0, 2, 2].into()).unwrap();
        assert_eq!(four[16..], [&[2, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &attribute(1, &[192, 0, 2, 2])].concat());
        assert_eq!(link_request(7, 3).unwrap()[20..24], 3_u32.to_ne_bytes());
    }

    #[test]
    fn read_route_has_source_gateway_and_mtu() {
        let source = Some([192, 0, 2, 1].into());
        let expected = RouteReply { interface: 3, source, gateway: Some([192, 0, 2, 9].into()), mtu: Some(1400) };
        assert_eq!(read_route(&a_route(), 7).unwrap(), Some(Ok(expected)));
        assert_eq!(read_route(&a_route(), 8).unwrap(), None);
        let unreachable = message(2, 7, &(-101_i32).to_ne_bytes());
        assert_eq!(read_route(&unreachable, 7).unwrap(), Some(Err(101)));
    }

    #[test]
    fn read_link_has_the_mtu() {
        let body = |flags: u32| {
            let fixed = [vec![0; 8], flags.to_ne_bytes().to_vec(), vec![0; 4]].concat();
            message(16, 7, &[fixed, attribute(3, b"eth0\0\0\0\0"), attribute(4, &1500_u32.to_ne_bytes())].concat())
        };
        assert_eq!(read_link(&body(0x1_0043), 7).unwrap(), Some(Ok(LinkReply { mtu: 1500, is_up: true })));
        assert_eq!(read_link(&body(0x0043), 7).unwrap(), Some(Ok(LinkReply { mtu: 1500, is_up: false })));
    }

    #[test]
    fn read_route_of_any_prefix_ends() {
        let whole = a_route();
        for len in 0..whole.len() {
            let _ = read_route(&whole[..len], 7);
            let _ = read_link(&whole[..len], 7);
        }
    }
}
