//! The route to an address.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::secret::Buffer;
use crate::sys::net::netlink::{NetlinkSocket, interface_name};
use crate::sys::time::Deadline;
use crate::wire::route::{LinkReply, ReadReply, RouteReply, link_request, read_link, read_route, route_request};

/// Timeout of a reply.
const TIMEOUT: Duration = Duration::from_secs(10);
const SEQ: u32 = 1;

/// The way of packets to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Name of the network interface.
    pub(crate) interface: String,
    /// Whether the interface is up and has a carrier.
    pub(crate) is_up: bool,
    /// The source address of packets that do not specify one.
    pub(crate) source: Option<IpAddr>,
    pub(crate) gateway: Option<IpAddr>,
    /// In bytes: of the route, else of the interface.
    pub(crate) mtu: u32,
}

/// The route that the kernel uses for packets of this host to `addr` (RTM_GETROUTE of rtnetlink(7)). No packet is sent.
///
/// # Errors
/// Those of the kernel, such as ENETUNREACH without a route, and of a netlink socket; `InvalidData` for a malformed reply, `TimedOut`
/// without one.
pub(crate) fn route_to(addr: IpAddr) -> io::Result<Route> {
    let mut socket = NetlinkSocket::route()?;
    let found: RouteReply = ask(&mut socket, route_request(SEQ, addr).map_err(io::Error::other)?, read_route)?;
    let link: LinkReply = ask(&mut socket, link_request(SEQ, found.interface).map_err(io::Error::other)?, read_link)?;
    Ok(Route {
        interface: interface_name(found.interface).unwrap_or_else(|| found.interface.to_string()),
        is_up: link.is_up,
        source: found.source.map(|addr| addr.to_canonical()),
        gateway: found.gateway,
        mtu: found.mtu.filter(|mtu| *mtu != 0).unwrap_or(link.mtu),
    })
}

fn ask<T>(socket: &mut NetlinkSocket, request: Buffer, read: fn(&[u8], u32) -> ReadReply<T>) -> io::Result<T> {
    socket.send(&[request])?;
    let mut deadline = Deadline::after(TIMEOUT);
    loop {
        let Some(datagram) = socket.receive(&mut deadline)? else { return Err(io::ErrorKind::TimedOut.into()) };
        let reply = read(&datagram, SEQ).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if let Some(reply) = reply {
            return reply.map_err(io::Error::from_raw_os_error);
        }
    }
}
