//! Read leases (fcntl(2), "Leases"): while one is held, open(2) for writing and truncate(2) of the file wait. Only Linux has them.

use std::fs::File;

/// Requests a lease on `file`, which ends when it is closed. The kernel refuses it if a process has the file open for writing, if
/// the file belongs to another user, or if the file system does not support leases. [`is_intact`] tells.
#[cfg(target_os = "linux")]
pub(crate) fn take(file: &File) {
    use std::os::fd::AsRawFd;

    use nix::libc::{F_RDLCK, F_SETLEASE, fcntl};
    use nix::sys::signal::{SigHandler, Signal, signal};

    // The kernel sends SIGIO when a writer waits, and its default action would end the process.
    // SAFETY: no handler is installed; the signal is ignored.
    let _ = unsafe { signal(Signal::SIGIO, SigHandler::SigIgn) };
    // SAFETY: the descriptor is open, and the argument of this request is a number.
    let _ = unsafe { fcntl(file.as_raw_fd(), F_SETLEASE, F_RDLCK) };
}

/// True while the lease is held and no writer waits. The kernel lets a waiting writer continue after
/// /proc/sys/fs/lease-break-time (45 s).
#[cfg(target_os = "linux")]
pub(crate) fn is_intact(file: &File) -> bool {
    use std::os::fd::AsRawFd;

    use nix::libc::{F_GETLEASE, F_RDLCK, fcntl};

    // F_GETLEASE returns the type that the lease will have: F_UNLCK as soon as a writer waits.
    // SAFETY: the descriptor is open, and this request has no argument.
    unsafe { fcntl(file.as_raw_fd(), F_GETLEASE) == F_RDLCK }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn take(_: &File) {}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_intact(_: &File) -> bool {
    false
}
