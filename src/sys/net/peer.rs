//! The user of the process at the other end of a Unix socket.

use std::io;
use std::os::fd::BorrowedFd;

/// The effective user of the process that has called connect(2), or for a client of the one that has called listen(2).
///
/// # Errors
/// Those of getsockopt(2), and of getpeerucred(3C) on illumos.
pub(crate) fn user(fd: BorrowedFd<'_>) -> io::Result<u32> {
    system::user(fd)
}

/// Whether `user` is root or the caller. Also a user without a mapping in this user namespace, which SO_PEERCRED shows as 65534, is
/// neither.
pub(crate) fn is_root_or_self(user: u32) -> bool {
    user == 0 || user == nix::unistd::geteuid().as_raw()
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::os::fd::BorrowedFd;

    use nix::sys::socket::{getsockopt, sockopt};

    pub(crate) fn user(fd: BorrowedFd<'_>) -> io::Result<u32> {
        Ok(getsockopt(&fd, sockopt::PeerCredentials)?.uid())
    }
}

#[cfg(target_os = "illumos")]
mod system {
    use std::io;
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::ptr;

    use nix::libc::{getpeerucred, ucred_free, ucred_geteuid, uid_t};

    pub(crate) fn user(fd: BorrowedFd<'_>) -> io::Result<u32> {
        let mut credential = ptr::null_mut();
        // SAFETY: the descriptor is open, and a null pointer makes getpeerucred(3C) allocate the credential.
        if unsafe { getpeerucred(fd.as_raw_fd(), &raw mut credential) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: getpeerucred(3C) has returned this credential.
        let user = unsafe { ucred_geteuid(credential) };
        // SAFETY: as above; it is not used afterwards.
        unsafe { ucred_free(credential) };
        // The value for a credential without a user (ucred_get(3C)).
        if user == uid_t::MAX { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(user) }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "illumos")))]
mod system {
    use std::io;
    use std::os::fd::BorrowedFd;

    pub(crate) fn user(_: BorrowedFd<'_>) -> io::Result<u32> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
