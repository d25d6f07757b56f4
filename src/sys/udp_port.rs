//! UDP ports of which Linux takes ESP out for the SAs with `encap udp`: it does so only where some program has a socket with
//! UDP_ENCAP set (udp(7), RFC 3948).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, bind, setsockopt, socket, sockopt};
use nix::{libc, setsockopt_impl, sockopt_impl};

sockopt_impl!(
    /// Hands what is in UDP to the kernel's IPsec.
    UdpEncap, SetOnly, libc::IPPROTO_UDP, libc::UDP_ENCAP, libc::c_int
);

/// `UDP_ENCAP_ESPINUDP`.
const ESP_IN_UDP: libc::c_int = 2;
/// What is not ESP is never read: the system's least will do.
const ROOM: usize = 0;

/// A port that is held, on every address of a family, until this is dropped.
pub struct UdpPort {
    _socket: OwnedFd,
}

impl UdpPort {
    /// Holds it.
    ///
    /// # Errors
    /// `AddrInUse` if another program does; the system's.
    pub fn hold(port: u16, is_ipv6: bool) -> io::Result<Self> {
        let family = if is_ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
        let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&socket, sockopt::RcvBuf, &ROOM)?;
        setsockopt(&socket, UdpEncap, &ESP_IN_UDP)?;
        if is_ipv6 {
            setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
            bind(socket.as_raw_fd(), &SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0)))?;
        } else {
            bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)))?;
        }
        Ok(Self { _socket: socket })
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_port_is_held_until_it_is_dropped() {
        let free = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port();
        let held = match UdpPort::hold(free, false) {
            Ok(held) => held,
            // A kernel without IPsec knows no UDP_ENCAP.
            Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => return,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(UdpPort::hold(free, false).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        drop(held);
        assert!(UdpPort::hold(free, false).is_ok());
    }
}
