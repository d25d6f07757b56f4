//! Watches for changes of this system's addresses.

use std::io;
use std::sync::{Arc, Weak};

use nix::errno::Errno;

use super::thread::{StartError, spawn};
use crate::sys::net::netlink::NetlinkSocket;
use crate::sys::time::Deadline;

/// Handle of the watching thread. After it is dropped the thread reports nothing, and ends with the next message.
pub(super) struct AddressWatch {
    _alive: Arc<()>,
}

impl AddressWatch {
    /// Calls `report` for each change, until it returns false. An error is the last call.
    pub(super) fn start(report: impl Fn(io::Result<()>) -> bool + Send + 'static) -> Result<Self, StartError> {
        let mut socket = NetlinkSocket::addresses().map_err(StartError::Addresses)?;
        let alive = Arc::new(());
        let is_alive = Arc::downgrade(&alive);
        spawn("addresses", move || watch(&mut socket, &is_alive, &report))?;
        Ok(Self { _alive: alive })
    }
}

fn watch(socket: &mut NetlinkSocket, alive: &Weak<()>, report: &dyn Fn(io::Result<()>) -> bool) {
    loop {
        let change = match socket.receive(&mut Deadline::never()) {
            Err(error) if error.raw_os_error() != Some(Errno::ENOBUFS as i32) => Err(error),
            // ENOBUFS: messages were dropped since the receive buffer was full, so there were changes.
            _ => Ok(()),
        };
        let is_last = change.is_err();
        if alive.strong_count() == 0 || !report(change) || is_last {
            return;
        }
    }
}
