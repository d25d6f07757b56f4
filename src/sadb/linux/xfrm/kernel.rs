//! The kernel that requests go to: that of the system, or one in memory.

use std::io;

use crate::model::linux::{LinuxModel, ModelSocket};
use crate::sa::{Extension, Message};
use crate::sadb::SadbError;
use crate::sadb::linux::errors::unavailable;
use crate::secret::{Buffer, WipeOnDrop};
use crate::sys::net::netlink::{NetlinkSocket, interface_index};
use crate::sys::time::Deadline;

/// A netlink socket.
pub(crate) trait NetlinkTransport {
    /// The address of this socket; replies carry it as `nlmsg_pid`.
    fn port(&self) -> u32;

    /// Sends `messages` as one datagram.
    ///
    /// # Errors
    /// As [`NetlinkSocket::send`].
    fn send(&mut self, messages: &[Buffer]) -> io::Result<()>;

    /// Receives one datagram from the kernel; `None` at the deadline.
    ///
    /// # Errors
    /// As [`NetlinkSocket::receive`].
    fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<WipeOnDrop<'_>>>;
}

impl NetlinkTransport for NetlinkSocket {
    fn port(&self) -> u32 {
        Self::port(self)
    }

    fn send(&mut self, messages: &[Buffer]) -> io::Result<()> {
        Self::send(self, messages)
    }

    fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<WipeOnDrop<'_>>> {
        Self::receive(self, deadline)
    }
}

impl NetlinkTransport for ModelSocket {
    fn port(&self) -> u32 {
        Self::port(self)
    }

    fn send(&mut self, messages: &[Buffer]) -> io::Result<()> {
        Self::send(self, messages);
        Ok(())
    }

    fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<WipeOnDrop<'_>>> {
        Self::receive(self, deadline)
    }
}

/// A kernel with NETLINK_XFRM.
#[derive(Clone)]
pub(crate) enum Kernel {
    System,
    Model(LinuxModel),
}

impl Kernel {
    /// Opens a socket that receives the multicast groups `groups`.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] without NETLINK_XFRM in the kernel.
    pub(super) fn connect(&self, groups: u32) -> Result<Box<dyn NetlinkTransport>, SadbError> {
        Ok(match self {
            Self::System => Box::new(NetlinkSocket::xfrm(groups).map_err(unavailable)?),
            Self::Model(model) => Box::new(model.open(groups)),
        })
    }

    pub(super) fn is_model(&self) -> bool {
        matches!(self, Self::Model(_))
    }

    /// The index of the network interface `name`; `None` if there is none.
    pub(super) fn interface_index(&self, name: &str) -> Option<u32> {
        match self {
            Self::System => interface_index(name),
            Self::Model(model) => Some(model.interface_index(name)),
        }
    }

    /// Names the offload device of an SA by the kernel's interfaces, if this host does not have it.
    pub(super) fn name_device(&self, message: &mut Message) {
        let Self::Model(model) = self else { return };
        let offloads = message.extensions.iter_mut().filter_map(|extension| match extension {
            Extension::Linux(info) => info.extras.offload.as_mut(),
            _ => None,
        });
        for offload in offloads {
            let index = offload.device.strip_prefix("if").and_then(|index| index.parse().ok());
            if let Some(name) = index.and_then(|index| model.interface_name(index)) {
                offload.device = name;
            }
        }
    }
}
