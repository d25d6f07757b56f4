//! The neighbours that the kernel has not resolved.

use std::io;
use std::time::Duration;

use crate::sys::net::netlink::{NetlinkSocket, interface_name};
use crate::sys::time::Deadline;
use crate::wire::neighbour::{Neighbour, read, request};

/// Timeout of the list.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A neighbour whose link-layer address is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnresolvedNeighbour {
    pub(crate) addr: std::net::IpAddr,
    /// Name of the network interface.
    pub(crate) interface: String,
    /// INCOMPLETE or FAILED.
    pub(crate) state: &'static str,
}

impl From<Neighbour> for UnresolvedNeighbour {
    fn from(found: Neighbour) -> Self {
        let interface = interface_name(found.interface).unwrap_or_else(|| found.interface.to_string());
        Self { addr: found.addr.to_canonical(), interface, state: found.state_word() }
    }
}

/// The neighbours in state INCOMPLETE or FAILED (ip-neighbour(8)).
///
/// # Errors
/// Those of a netlink socket; `InvalidData` for a malformed reply, `TimedOut` without one.
pub(crate) fn unresolved_neighbours() -> io::Result<Vec<UnresolvedNeighbour>> {
    const SEQ: u32 = 1;
    let mut socket = NetlinkSocket::route()?;
    socket.send(&[request(SEQ).map_err(io::Error::other)?])?;
    let mut deadline = Deadline::after(TIMEOUT);
    let mut unresolved = Vec::new();
    loop {
        let Some(datagram) = socket.receive(&mut deadline)? else { return Err(io::ErrorKind::TimedOut.into()) };
        let part = read(&datagram, SEQ).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let found = part.neighbours.into_iter().filter(Neighbour::is_unresolved);
        unresolved.extend(found.map(UnresolvedNeighbour::from));
        if part.is_last {
            return Ok(unresolved);
        }
    }
}
