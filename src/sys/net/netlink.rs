//! Linux netlink sockets: datagrams to and from the kernel's XFRM, and its news of addresses.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, getsockname, recvmsg, sendmsg};

use crate::secret::{Buffer, WipeOnDrop};
use crate::sys::net::packet_socket::{enlarge, wait_readable};
use crate::sys::time::Deadline;

/// `NETLINK_XFRM` (`linux/netlink.h`).
const NETLINK_XFRM: libc::c_int = 6;
/// No datagram of the kernel is longer: dumps come in pieces of at most so much (netlink_recvmsg in net/netlink/af_netlink.c).
const LARGEST: usize = 32 * 1024;

/// A bound netlink socket.
pub struct NetlinkSocket {
    fd: OwnedFd,
    port: u32,
    scratch: Buffer,
}

impl NetlinkSocket {
    /// Opens a socket that hears the multicast groups of `groups` (bit n - 1 is group n).
    ///
    /// # Errors
    /// EPROTONOSUPPORT without XFRM in the kernel; EPERM for groups without CAP_NET_ADMIN.
    pub fn xfrm(groups: u32) -> io::Result<Self> {
        Self::open(NETLINK_XFRM, groups)
    }

    /// Opens a socket that hears of each address of this system that comes or goes (rtnetlink(7), RTM_NEWADDR, RTM_DELADDR).
    ///
    /// # Errors
    /// The system's.
    pub fn addresses() -> io::Result<Self> {
        Self::open(libc::NETLINK_ROUTE, (libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR).cast_unsigned())
    }

    fn open(protocol: libc::c_int, groups: u32) -> io::Result<Self> {
        // SAFETY: socket(2) takes three integers and no pointers.
        let raw = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `raw` is a descriptor that socket(2) has just made, and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            enable(fd.as_fd(), option)?;
        }
        enlarge(fd.as_fd());
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        let port = getsockname::<NetlinkAddr>(fd.as_raw_fd())?.pid();
        Ok(Self { fd, port, scratch: Buffer::zeroed(LARGEST) })
    }

    /// The address the kernel gave this socket; its answers carry it as `nlmsg_pid`.
    #[must_use]
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Sends `messages` as one datagram.
    ///
    /// # Errors
    /// The system's: EMSGSIZE if it is larger than the send buffer, EPERM or ECONNREFUSED.
    pub fn send(&mut self, messages: &[Buffer]) -> io::Result<()> {
        let parts: Vec<IoSlice<'_>> = messages.iter().map(|message| IoSlice::new(message)).collect();
        sendmsg::<NetlinkAddr>(self.fd.as_raw_fd(), &parts, &[], MsgFlags::empty(), None)?;
        Ok(())
    }

    /// Receives one datagram from the kernel; `None` if none came before the deadline.
    ///
    /// # Errors
    /// The system's; ENOBUFS when datagrams were lost for want of buffer.
    pub fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<WipeOnDrop<'_>>> {
        loop {
            // What the kernel does at once it has answered by now: no need to wait for it.
            let (len, sender) = match self.take() {
                Err(Errno::EAGAIN) if !wait_readable(self.fd.as_fd(), deadline)? => return Ok(None),
                Err(Errno::EAGAIN | Errno::EINTR) => continue,
                taken => taken?,
            };
            if sender.is_none_or(|address| address.pid() == 0) {
                return Ok(Some(WipeOnDrop::new(&mut self.scratch[..len])));
            }
            self.scratch[..len].fill(0);
        }
    }

    /// Takes a datagram that has come: its length and its sender.
    fn take(&mut self) -> Result<(usize, Option<NetlinkAddr>), Errno> {
        let mut room = [IoSliceMut::new(&mut self.scratch)];
        let taken = recvmsg::<NetlinkAddr>(self.fd.as_raw_fd(), &mut room, None, MsgFlags::MSG_DONTWAIT)?;
        Ok((taken.bytes, taken.address))
    }
}

impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Switches a boolean option of the netlink level on.
fn enable(fd: BorrowedFd<'_>, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer is to `on`, which outlives the call, and the length is that of `on`.
    let done = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The index of a network interface, if there is one of that name.
#[must_use]
pub fn interface_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

/// The name of a network interface, if there is one of that index.
#[must_use]
pub fn interface_name(index: u32) -> Option<String> {
    nix::net::if_::if_indextoname(index).ok()?.into_string().ok()
}
