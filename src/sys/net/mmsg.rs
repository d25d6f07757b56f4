//! Many messages in one system call, which Linux can do: sendmmsg(2), recvmmsg(2).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg};

use crate::secret::Buffer;
use crate::sys::net::packet_socket::{Head, no_sigpipe};

/// Sends each of `messages` as one message, in order; how many went out.
///
/// # Errors
/// What keeps the first from going out.
pub(crate) fn send(fd: BorrowedFd<'_>, messages: &[Buffer]) -> io::Result<usize> {
    let parts: Vec<[IoSlice<'_>; 1]> = messages.iter().map(|message| [IoSlice::new(message)]).collect();
    let mut headers = MultiHeaders::<()>::preallocate(parts.len(), None);
    let nowhere = vec![None; parts.len()];
    Ok(sendmmsg(fd.as_raw_fd(), &mut headers, &parts, nowhere, [], no_sigpipe())?.count())
}

/// Takes the starts of messages that have come, and drops the rest of each; how many.
///
/// # Errors
/// The system's; `WouldBlock` if none has come.
pub(crate) fn receive_heads(fd: BorrowedFd<'_>, heads: &mut [Head]) -> io::Result<usize> {
    let mut parts: Vec<[IoSliceMut<'_>; 1]> = heads.iter_mut().map(|head| [IoSliceMut::new(head)]).collect();
    let mut headers = MultiHeaders::<()>::preallocate(parts.len(), None);
    Ok(recvmmsg(fd.as_raw_fd(), &mut headers, parts.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?.count())
}
