//! Watches for addresses of this system that come and go.

use std::io;
use std::sync::{Arc, Weak};
use std::thread;

use nix::errno::Errno;

use crate::sys::net::netlink::NetlinkSocket;
use crate::sys::time::Deadline;

/// A thread that watches. When this is dropped it reports nothing more, and ends with the next change.
pub(crate) struct Addresses {
    _alive: Arc<()>,
}

impl Addresses {
    /// Watches from now on; `report` hears of each change, or at last why there will be no more news, and says whether it wants
    /// more.
    ///
    /// # Errors
    /// The system's, if there can be no socket or no thread.
    pub(crate) fn watch(report: impl Fn(io::Result<()>) -> bool + Send + 'static) -> io::Result<Self> {
        let mut socket = NetlinkSocket::addresses()?;
        let alive = Arc::new(());
        let wanted = Arc::downgrade(&alive);
        thread::Builder::new().name("addresses".to_owned()).spawn(move || watch(&mut socket, &wanted, &report))?;
        Ok(Self { _alive: alive })
    }
}

fn watch(socket: &mut NetlinkSocket, wanted: &Weak<()>, report: &dyn Fn(io::Result<()>) -> bool) {
    loop {
        let heard = match socket.receive(&mut Deadline::never()) {
            Err(error) if error.raw_os_error() != Some(Errno::ENOBUFS as i32) => Err(error),
            // With ENOBUFS there was more news than room, so there was some.
            _ => Ok(()),
        };
        let is_last = heard.is_err();
        if wanted.strong_count() == 0 || !report(heard) || is_last {
            return;
        }
    }
}
