//! The SAs of a Linux kernel in memory, behind messages of NETLINK_XFRM.
//!
//! `kernel` handles requests and expiries, `verify` refuses what the kernel refuses, with its texts, and `stored_sa` is an SA.
//! The rules are those of Linux 6.12. Every algorithm of the tables exists, and so does every network interface: a file may be
//! rehearsed on another system than its own. Not modelled: policies, traffic, larval SAs, security contexts.

mod kernel;
mod stored_sa;
#[cfg(test)]
mod tests;
mod verify;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::thread::sleep;
use std::time::Duration;

use self::kernel::Kernel;
use crate::secret::{Buffer, WipeOnDrop};
use crate::sys::net::netlink::interface_index;
use crate::sys::process::interrupt;
use crate::sys::time::{Deadline, unix_now};

/// Interval of expiries while a client waits for a message.
const TICK: Duration = Duration::from_millis(200);

/// A kernel in memory; copies are the same kernel.
#[derive(Clone, Default)]
pub(crate) struct LinuxModel(Rc<RefCell<Kernel>>);

impl LinuxModel {
    /// Opens a socket that receives the multicast groups `groups` (bit n - 1 is group n).
    #[must_use]
    pub(crate) fn open(&self, groups: u32) -> ModelSocket {
        let port = self.0.borrow_mut().open(groups);
        ModelSocket { kernel: self.0.clone(), port, received: Buffer::with_capacity(0) }
    }

    /// The index of a network interface. One that this host does not have gets an index of its own.
    #[must_use]
    pub(crate) fn interface_index(&self, name: &str) -> u32 {
        interface_index(name).unwrap_or_else(|| self.0.borrow_mut().device_index(name))
    }

    /// The name of an interface that this host does not have.
    #[must_use]
    pub(crate) fn interface_name(&self, index: u32) -> Option<String> {
        self.0.borrow().device_name(index)
    }
}

/// A netlink socket of a [`LinuxModel`].
pub(crate) struct ModelSocket {
    kernel: Rc<RefCell<Kernel>>,
    port: u32,
    received: Buffer,
}

impl ModelSocket {
    /// The address of this socket; replies carry it as `nlmsg_pid`.
    #[must_use]
    pub(crate) fn port(&self) -> u32 {
        self.port
    }

    /// Sends `messages` as one datagram: they are handled in order.
    pub(crate) fn send(&self, messages: &[Buffer]) {
        let mut kernel = self.kernel.borrow_mut();
        kernel.tick(unix_now());
        messages.iter().for_each(|message| kernel.handle(self.port, message));
    }

    /// Receives one datagram; `None` at the deadline.
    ///
    /// # Errors
    /// `Interrupted` for SIGINT during [`interrupt::Interruptible`].
    pub(crate) fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<WipeOnDrop<'_>>> {
        loop {
            if let Some(message) = self.kernel.borrow_mut().read(self.port) {
                self.received = message;
                break;
            }
            let left = deadline.remaining().unwrap_or(TICK);
            if left.is_zero() {
                return Ok(None);
            }
            if interrupt::is_requested() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            sleep(left.min(TICK));
            self.kernel.borrow_mut().tick(unix_now());
        }
        Ok(Some(WipeOnDrop::new(&mut self.received)))
    }
}

impl Drop for ModelSocket {
    fn drop(&mut self) {
        self.kernel.borrow_mut().close(self.port);
    }
}
