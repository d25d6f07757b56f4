//! Stand-ins for the Linux-only modules of this directory, with the same names. Opening a socket fails with `Unsupported`.

/// The functions of `mmsg.rs`, one message for each system call.
pub(crate) mod mmsg {
    use std::io;
    use std::os::fd::{AsRawFd, BorrowedFd};

    use nix::sys::socket::{MsgFlags, recv, send as send_one};

    use crate::secret::Buffer;
    use crate::sys::net::{Head, no_sigpipe};

    pub(crate) fn send(fd: BorrowedFd<'_>, messages: &[Buffer]) -> io::Result<usize> {
        let Some(first) = messages.first() else { return Ok(0) };
        send_one(fd.as_raw_fd(), first, no_sigpipe())?;
        Ok(1)
    }

    pub(crate) fn receive_heads(fd: BorrowedFd<'_>, heads: &mut [Head]) -> io::Result<usize> {
        let Some(first) = heads.first_mut() else { return Ok(0) };
        recv(fd.as_raw_fd(), first, MsgFlags::MSG_DONTWAIT)?;
        Ok(1)
    }
}

/// Netlink sockets, which only Linux has.
pub(crate) mod netlink {
    use std::convert::Infallible;
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};

    use crate::secret::{Buffer, WipeOnDrop};
    use crate::sys::time::Deadline;

    pub(crate) use NoNetlinkSocket as NetlinkSocket;

    pub(crate) fn is_own_port(_port: u32) -> bool {
        false
    }

    /// No value of this type exists.
    pub(crate) struct NoNetlinkSocket {
        never: Infallible,
    }

    impl NoNetlinkSocket {
        /// # Errors
        /// Always `Unsupported`.
        pub(crate) fn xfrm(_groups: u32) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// # Errors
        /// Always `Unsupported`.
        pub(crate) fn addresses() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// # Errors
        /// Always `Unsupported`.
        pub(crate) fn route() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn port(&self) -> u32 {
            match self.never {}
        }

        pub(crate) fn send(&mut self, _messages: &[Buffer]) -> io::Result<()> {
            match self.never {}
        }

        pub(crate) fn receive(&mut self, _deadline: &mut Deadline) -> io::Result<Option<WipeOnDrop<'_>>> {
            match self.never {}
        }
    }

    impl AsFd for NoNetlinkSocket {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match self.never {}
        }
    }

    /// Always `None`: interface indices are used in netlink messages only.
    pub(crate) fn interface_index(_name: &str) -> Option<u32> {
        None
    }

    /// Always `None`: interface indices are used in netlink messages only.
    pub(crate) fn interface_name(_index: u32) -> Option<String> {
        None
    }
}

/// UDP encapsulation sockets. illumos needs them as well, but with an option of its own.
pub(crate) mod udp_encap {
    use std::convert::Infallible;
    use std::io;

    pub(crate) use NoUdpPort as UdpPort;

    /// No value of this type exists.
    pub(crate) struct NoUdpPort {
        _never: Infallible,
    }

    impl NoUdpPort {
        /// # Errors
        /// Always `Unsupported`.
        pub(crate) fn bind(_port: u16, _is_ipv6: bool) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    /// Always `None`: unknown.
    pub(crate) fn holder(_port: u16, _is_ipv6: bool) -> Option<String> {
        None
    }

    /// Always true, so that no port is reported as missing.
    ///
    /// # Errors
    /// None.
    pub(crate) fn is_in_use(_port: u16, _is_ipv6: bool) -> io::Result<bool> {
        Ok(true)
    }
}
