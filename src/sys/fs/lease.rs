//! Read leases (fcntl(2), "Leases"): while one is held, open(2) for writing and truncate(2) of the file wait. Only Linux has them.

use std::fs::File;

/// The kernel's answer to the request for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lease {
    /// No process can write to the file while the lease is intact ([`is_intact`]).
    Held,
    /// A process has the file open for writing, or waits to open it.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has leases"))]
    OpenForWriting,
    /// The file belongs to another user, or the file system has no leases.
    Unavailable,
}

/// Requests a lease on `file`, which ends when it is closed.
#[cfg(target_os = "linux")]
pub(crate) fn take(file: &File) -> Lease {
    use std::os::fd::AsRawFd;

    use nix::errno::Errno;
    use nix::libc::{F_RDLCK, F_SETLEASE, fcntl};
    use nix::sys::signal::{SigHandler, Signal, signal};

    // The kernel sends SIGIO when a writer waits, and its default action would end the process.
    // SAFETY: no handler is installed; the signal is ignored.
    let _ = unsafe { signal(Signal::SIGIO, SigHandler::SigIgn) };
    // SAFETY: the descriptor is open, and the argument of this request is a number.
    let result = unsafe { fcntl(file.as_raw_fd(), F_SETLEASE, F_RDLCK) };
    match Errno::result(result) {
        Ok(_) => Lease::Held,
        // Linux, fs/locks.c: check_conflicting_open() and generic_add_lease().
        Err(Errno::EAGAIN) => Lease::OpenForWriting,
        // EACCES: another user's file, without CAP_LEASE. EINVAL, ENOLCK and others: no leases here.
        Err(_) => Lease::Unavailable,
    }
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
pub(crate) fn take(_: &File) -> Lease {
    Lease::Unavailable
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_intact(_: &File) -> bool {
    false
}
