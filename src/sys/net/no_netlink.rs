//! Netlink sockets where there are none: the same names as `netlink`, and nobody home.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::secret::{Buffer, WipeOnDrop};
use crate::sys::time::Deadline;

/// A netlink socket, of which there is none on this system.
pub struct NetlinkSocket {
    never: Infallible,
}

impl NetlinkSocket {
    /// Opens none.
    ///
    /// # Errors
    /// Always `Unsupported`.
    pub fn xfrm(_groups: u32) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens none.
    ///
    /// # Errors
    /// Always `Unsupported`.
    pub fn addresses() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Never called.
    #[must_use]
    pub fn port(&self) -> u32 {
        match self.never {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn send(&mut self, _messages: &[Buffer]) -> io::Result<()> {
        match self.never {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn receive(&mut self, _deadline: &mut Deadline) -> io::Result<Option<WipeOnDrop<'_>>> {
        match self.never {}
    }
}

impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.never {}
    }
}

/// No index: only netlink messages have any.
#[must_use]
pub fn interface_index(_name: &str) -> Option<u32> {
    None
}

/// No name: only netlink messages have any.
#[must_use]
pub fn interface_name(_index: u32) -> Option<String> {
    None
}
