//! UDP encapsulation sockets (RFC 3948). Linux decapsulates ESP in UDP only for ports on which a socket has UDP_ENCAP set
//! (udp(7)); the SAs with `encap udp` need one.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::process::{key_managers, socket_owner};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, bind, setsockopt, socket, sockopt};
use nix::{libc, setsockopt_impl, sockopt_impl};

sockopt_impl!(
    /// Makes the kernel pass ESP in UDP to IPsec.
    UdpEncap, SetOnly, libc::IPPROTO_UDP, libc::UDP_ENCAP, libc::c_int
);

// linux/udp.h: UDP_ENCAP_ESPINUDP
const ESP_IN_UDP: libc::c_int = 2;
/// The kernel's minimum: packets that are not ESP are never read.
const RECEIVE_BUFFER_LEN: usize = 0;

/// An encapsulation socket on a port, for all addresses of one family. The port is free again when this is dropped.
pub(crate) struct UdpPort {
    _socket: OwnedFd,
}

impl UdpPort {
    /// # Errors
    /// `AddrInUse` if another program uses the port; ENOPROTOOPT from a kernel without IPsec; those of socket(2) and bind(2).
    pub(crate) fn bind(port: u16, is_ipv6: bool) -> io::Result<Self> {
        let family = if is_ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
        let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_LEN)?;
        // Before bind(2): no encapsulated packet may reach the port while it is an ordinary socket.
        setsockopt(&socket, UdpEncap, &ESP_IN_UDP)?;
        if is_ipv6 {
            // Otherwise this socket would take the port of IPv4 as well.
            setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
            bind(socket.as_raw_fd(), &SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0)))?;
        } else {
            bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)))?;
        }
        Ok(Self { _socket: socket })
    }
}

/// Whether any program has a socket on the port. The kernel does not show whether UDP_ENCAP is set. For IPv4 this includes the
/// sockets of IPv6, which may receive packets of both.
///
/// # Errors
/// Those of reading /proc/net/udp.
pub(crate) fn is_in_use(port: u16, is_ipv6: bool) -> io::Result<bool> {
    Ok(inode(port, is_ipv6)?.is_some())
}

/// The program that has a socket on the port, such as `charon-systemd (pid 779)`; `None` if there is none. Without CAP_SYS_PTRACE
/// the sockets of more privileged programs are hidden, and no other file of /proc leads from a socket to its program: IKE daemons
/// that are running are then named as a guess.
pub(crate) fn holder(port: u16, is_ipv6: bool) -> Option<String> {
    let inode = inode(port, is_ipv6).ok()??;
    Some(socket_owner::owner(inode).unwrap_or_else(|| match &key_managers::running()[..] {
        [] => "another program".to_owned(),
        running => format!("another program, perhaps {}", running.join(" or ")),
    }))
}

/// The inode of the first socket on the port.
fn inode(port: u16, is_ipv6: bool) -> io::Result<Option<u64>> {
    // Of the thread's network namespace, not that of the process's first thread.
    let lists: &[&str] = if is_ipv6 { &["udp6"] } else { &["udp", "udp6"] };
    for list in lists {
        match fs::read_to_string(format!("/proc/thread-self/net/{list}")) {
            Ok(text) => {
                if let Some((_, inode)) = sockets(&text).find(|(held, _)| *held == port) {
                    return Ok(Some(inode));
                }
            }
            // A kernel without IPv6 has no udp6.
            Err(error) if *list == "udp6" && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The local ports and inodes of a socket list (proc(5), /proc/net/udp): the port is hexadecimal, after the last colon of the second
/// column, the inode in the tenth.
fn sockets(list: &str) -> impl Iterator<Item = (u16, u64)> {
    list.lines().filter_map(|line| {
        let mut columns = line.split_whitespace();
        let (_, port) = columns.nth(1)?.rsplit_once(':')?;
        Some((u16::from_str_radix(port, 16).ok()?, columns.nth(7)?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn bind_takes_the_port_until_dropped() {
        let free = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port();
        let held = match UdpPort::bind(free, false) {
            Ok(held) => held,
            // A kernel without IPsec has no UDP_ENCAP.
            Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => return,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(UdpPort::bind(free, false).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        drop(held);
        assert!(UdpPort::bind(free, false).is_ok());
    }

    #[test]
    fn is_in_use_finds_an_open_port() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        assert!(is_in_use(port, false).unwrap());
        assert!(!is_in_use(0, false).unwrap() && !is_in_use(0, true).unwrap());
        let own = format!("(pid {})", std::process::id());
        assert!(holder(port, false).unwrap().ends_with(&own));
        assert_eq!(holder(0, false), None);
    }

    #[test]
    fn sockets_reads_the_list_of_ipv6() {
        let list = "  sl  local_address                         remote_address\n\
                    \x20 12: 00000000000000000000000000000000:1194 00000000000000000000000000000000:0000 07 \
                    00000000:00000000 00:00000000 00000000     0        0 18023 2 00000000deadbeef 0\n";
        assert_eq!(sockets(list).collect::<Vec<_>>(), [(4500, 18023)]);
    }
}
