//! UDP ports of which Linux takes ESP out for the SAs with `encap udp`: it does so only where some program has a socket with
//! UDP_ENCAP set (udp(7), RFC 3948).

use std::fs;
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

/// Whether any program has a socket on that port; whether it has UDP_ENCAP set, the system does not tell. A socket for IPv6 may
/// take what comes over IPv4 too.
///
/// # Errors
/// The system's, if it does not list its sockets.
pub fn is_held(port: u16, is_ipv6: bool) -> io::Result<bool> {
    let lists: &[&str] = if is_ipv6 { &["udp6"] } else { &["udp", "udp6"] };
    for list in lists {
        match fs::read_to_string(format!("/proc/thread-self/net/{list}")) {
            Ok(text) if ports(&text).any(|held| held == port) => return Ok(true),
            // A system may be without IPv6.
            Err(error) if *list == "udp" || error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(false)
}

/// The local ports of a list of sockets (proc(5), /proc/net/udp): behind the colon of the second word, in hexadecimal.
fn ports(list: &str) -> impl Iterator<Item = u16> {
    list.lines().filter_map(|line| {
        let (_, port) = line.split_whitespace().nth(1)?.rsplit_once(':')?;
        u16::from_str_radix(port, 16).ok()
    })
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

    #[test]
    fn the_system_tells_which_ports_are_held() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        assert!(is_held(port, false).unwrap());
        assert!(!is_held(0, false).unwrap() && !is_held(0, true).unwrap());
    }

    #[test]
    fn the_list_of_ipv6_has_longer_addresses() {
        let list = "  sl  local_address                         remote_address\n\
                    \x20 12: 00000000000000000000000000000000:1194 00000000000000000000000000000000:0000 07\n";
        assert_eq!(ports(list).collect::<Vec<_>>(), [4500]);
    }
}
