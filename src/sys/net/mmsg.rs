//! Many messages in one system call: sendmmsg(2), recvmmsg(2).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg};

use crate::secret::Buffer;
use crate::sys::net::{Head, no_sigpipe};

/// Sends `messages` in order. Returns the number that was sent, which may be smaller.
///
/// # Errors
/// The error of the first message. That of a later one is returned by the next call.
pub(crate) fn send(fd: BorrowedFd<'_>, messages: &[Buffer]) -> io::Result<usize> {
    let parts: Vec<[IoSlice<'_>; 1]> = messages.iter().map(|message| [IoSlice::new(message)]).collect();
    let mut headers = MultiHeaders::<()>::preallocate(parts.len(), None);
    // Connected sockets and PF_KEY take no destination address.
    let addresses = vec![None; parts.len()];
    Ok(sendmmsg(fd.as_raw_fd(), &mut headers, &parts, addresses, [], no_sigpipe())?.count())
}

/// Receives the first bytes of queued messages, and discards the rest of each. Returns the number of messages.
///
/// # Errors
/// Those of recvmmsg(2); `WouldBlock` if no message is queued.
pub(crate) fn receive_heads(fd: BorrowedFd<'_>, heads: &mut [Head]) -> io::Result<usize> {
    let mut parts: Vec<[IoSliceMut<'_>; 1]> = heads.iter_mut().map(|head| [IoSliceMut::new(head)]).collect();
    let mut headers = MultiHeaders::<()>::preallocate(parts.len(), None);
    Ok(recvmmsg(fd.as_raw_fd(), &mut headers, parts.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?.count())
}
