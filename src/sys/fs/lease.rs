//! A read lease: while it lasts, who opens the file to write to it, or cuts it, is made to wait (fcntl(2), Leases).

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::libc::{F_GETLEASE, F_RDLCK, F_SETLEASE, fcntl};
use nix::sys::signal::{SigHandler, Signal, signal};

/// Asks for a lease on `file`, which lasts until it is closed. None is granted if somebody can write to the file already, if it
/// is somebody else's, or if its file system knows no leases.
pub(crate) fn take(file: &File) {
    // SAFETY: no handler is installed; the signal, which tells that somebody waits and would end the program, is ignored.
    let _ = unsafe { signal(Signal::SIGIO, SigHandler::SigIgn) };
    // SAFETY: the descriptor is open, and the argument of this request is a number.
    let _ = unsafe { fcntl(file.as_raw_fd(), F_SETLEASE, F_RDLCK) };
}

/// Whether there is a lease and nobody waits for its end. Who does is let in after some time all the same
/// (/proc/sys/fs/lease-break-time, 45 s).
pub(crate) fn is_unasked(file: &File) -> bool {
    // SAFETY: the descriptor is open, and this request has no argument.
    unsafe { fcntl(file.as_raw_fd(), F_GETLEASE) == F_RDLCK }
}
