//! Linux netlink sockets: messages to and from XFRM, and rtnetlink notifications of address changes.

use std::collections::BTreeSet;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, getsockname, recvmsg, sendmsg};

use crate::secret::{Buffer, WipeOnDrop};
use crate::sys::net::packet_socket::enlarge_receive_buffer;
use crate::sys::process::readable::wait_readable;
use crate::sys::time::Deadline;

// linux/netlink.h
const NETLINK_XFRM: libc::c_int = 6;
/// The longest datagram: the kernel splits dumps into parts of at most this size (netlink_recvmsg in net/netlink/af_netlink.c).
const MAX_DATAGRAM_LEN: usize = 32 * 1024;

/// The ports of this process, also of closed sockets: their changes may still be in a queue.
static OWN_PORTS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Whether a socket of this process has, or had, the port.
pub(crate) fn is_own_port(port: u32) -> bool {
    OWN_PORTS.lock().unwrap_or_else(PoisonError::into_inner).contains(&port)
}

/// A bound netlink socket.
pub(crate) struct NetlinkSocket {
    fd: OwnedFd,
    port: u32,
    scratch: Buffer,
}

impl NetlinkSocket {
    /// Opens an XFRM socket that receives the multicast groups `groups` (bit n - 1 is group n).
    ///
    /// # Errors
    /// EPROTONOSUPPORT without XFRM in the kernel; EPERM for groups without CAP_NET_ADMIN.
    pub(crate) fn xfrm(groups: u32) -> io::Result<Self> {
        Self::open(NETLINK_XFRM, groups)
    }

    /// Opens a socket that receives the changes of this host's addresses (rtnetlink(7): RTM_NEWADDR, RTM_DELADDR).
    ///
    /// # Errors
    /// Those of socket(2) and bind(2).
    pub(crate) fn addresses() -> io::Result<Self> {
        Self::open(libc::NETLINK_ROUTE, (libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR).cast_unsigned())
    }

    /// Opens a socket for requests to rtnetlink(7).
    ///
    /// # Errors
    /// Those of socket(2) and bind(2).
    pub(crate) fn route() -> io::Result<Self> {
        Self::open(libc::NETLINK_ROUTE, 0)
    }

    fn open(protocol: libc::c_int, groups: u32) -> io::Result<Self> {
        // SAFETY: socket(2) takes three integers and no pointers.
        let raw = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `raw` is a descriptor that socket(2) has just returned, so it has no other owner.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        // EXT_ACK: refusals carry a text. CAP_ACK: they do not carry the request, which may hold keys.
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            enable(fd.as_fd(), option)?;
        }
        enlarge_receive_buffer(fd.as_fd());
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        let port = getsockname::<NetlinkAddr>(fd.as_raw_fd())?.pid();
        OWN_PORTS.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
        Ok(Self { fd, port, scratch: Buffer::zeroed(MAX_DATAGRAM_LEN) })
    }

    /// The address that the kernel has assigned to this socket; replies carry it as `nlmsg_pid`.
    #[must_use]
    pub(crate) fn port(&self) -> u32 {
        self.port
    }

    /// Sends `messages` as one datagram.
    ///
    /// # Errors
    /// EMSGSIZE if it exceeds the send buffer, EPERM, ECONNREFUSED.
    pub(crate) fn send(&mut self, messages: &[Buffer]) -> io::Result<()> {
        let parts: Vec<IoSlice<'_>> = messages.iter().map(|message| IoSlice::new(message)).collect();
        sendmsg::<NetlinkAddr>(self.fd.as_raw_fd(), &parts, &[], MsgFlags::empty(), None)?;
        Ok(())
    }

    /// Receives one datagram from the kernel; `None` at the deadline.
    ///
    /// # Errors
    /// Those of recvmsg(2) and poll(2); ENOBUFS if the receive buffer was full and datagrams were lost.
    pub(crate) fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<WipeOnDrop<'_>>> {
        loop {
            // Before poll(2), which is rarely needed: XFRM puts its reply into the queue during sendmsg(2).
            let (len, sender) = match self.receive_now() {
                Err(Errno::EAGAIN) if !wait_readable(self.fd.as_fd(), deadline)? => return Ok(None),
                Err(Errno::EAGAIN | Errno::EINTR) => continue,
                received => received?,
            };
            // Other processes can send to a netlink socket as well (netlink(7)); only the kernel has port 0.
            if sender.is_none_or(|address| address.pid() == 0) {
                return Ok(Some(WipeOnDrop::new(&mut self.scratch[..len])));
            }
            // Dropped, and wiped like every message.
            self.scratch[..len].fill(0);
        }
    }

    /// Receives a queued datagram: its length and its sender. EAGAIN if there is none.
    fn receive_now(&mut self) -> Result<(usize, Option<NetlinkAddr>), Errno> {
        let mut parts = [IoSliceMut::new(&mut self.scratch)];
        let received = recvmsg::<NetlinkAddr>(self.fd.as_raw_fd(), &mut parts, None, MsgFlags::MSG_DONTWAIT)?;
        Ok((received.bytes, received.address))
    }
}

impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Sets a boolean option of the netlink level, for which nix has no type.
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

/// The index of the network interface `name`; `None` if there is none.
#[must_use]
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

/// The name of the network interface `index`; `None` if there is none.
#[must_use]
pub(crate) fn interface_name(index: u32) -> Option<String> {
    // nix returns an empty name for ENXIO.
    nix::net::if_::if_indextoname(index).ok()?.into_string().ok().filter(|name| !name.is_empty())
}
