//! Threads of the daemon. All of them only wait, and send what they receive to the queue of the main thread.

use std::io;
use std::path::PathBuf;
use std::thread::Builder;

/// Why a part of the daemon cannot start.
pub(super) enum StartError {
    /// A thread cannot be created: EAGAIN at the limit of processes or memory.
    Thread(&'static str, io::Error),
    Signals(io::Error),
    /// The control socket in this directory.
    ControlSocket(PathBuf, io::Error),
    /// The timer for key changes.
    Clock(io::Error),
    /// The netlink socket for address changes.
    Addresses(io::Error),
}

pub(super) fn spawn(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
    // Named, for ps -L and stack traces.
    let spawned = Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(drop).map_err(|error| StartError::Thread(name, error))
}
