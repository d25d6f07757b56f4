//! Many messages where there are no system calls for them: the same names as `many`, one message at a time.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::socket::{MsgFlags, recv, send as send_one};

use crate::secret::Buffer;
use crate::sys::net::packet_socket::{Head, no_sigpipe};

/// Sends the first of `messages`; how many went out.
///
/// # Errors
/// The system's.
pub(crate) fn send(fd: BorrowedFd<'_>, messages: &[Buffer]) -> io::Result<usize> {
    let Some(first) = messages.first() else { return Ok(0) };
    send_one(fd.as_raw_fd(), first, no_sigpipe())?;
    Ok(1)
}

/// Takes the start of a message that has come, and drops the rest of it; how many.
///
/// # Errors
/// The system's; `WouldBlock` if none has come.
pub(crate) fn receive_heads(fd: BorrowedFd<'_>, heads: &mut [Head]) -> io::Result<usize> {
    let Some(first) = heads.first_mut() else { return Ok(0) };
    recv(fd.as_raw_fd(), first, MsgFlags::MSG_DONTWAIT)?;
    Ok(1)
}
