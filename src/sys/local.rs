//! Which addresses are this system's own.

use std::net::{IpAddr, UdpSocket};

/// Whether `addr` is an address of this system: only such a one can be bound to.
#[must_use]
pub fn is_local(addr: IpAddr) -> bool {
    UdpSocket::bind((addr, 0)).is_ok()
}
