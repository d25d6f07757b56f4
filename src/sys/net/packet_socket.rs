//! Sockets that preserve message boundaries: PF_KEY, and Unix SOCK_SEQPACKET.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket};

use crate::secret::Buffer;
use crate::sys::net::{Head, mmsg, no_sigpipe, peer};
use crate::sys::process::readable::wait_readable;
use crate::sys::time::Deadline;

/// The longest PF_KEY message: 65,535 words of 8 bytes (RFC 2367 section 2.1, `sadb_msg_len`).
const MAX_MESSAGE_LEN: usize = 65_535 * 8;

/// The longest message of the kernel. On Linux a description of an SA has at most two keys of 512 bytes and no identity
/// (net/key/af_key.c: pfkey_xfrm_state2msg), and the lists of algorithms are shorter.
#[cfg(target_os = "linux")]
const MAX_KERNEL_MESSAGE_LEN: usize = 64 * 1024;
#[cfg(not(target_os = "linux"))]
const MAX_KERNEL_MESSAGE_LEN: usize = MAX_MESSAGE_LEN;

/// A socket whose sends and receives are whole messages.
pub(crate) struct PacketSocket {
    fd: OwnedFd,
    scratch: Buffer,
}

impl PacketSocket {
    /// Connects to the Unix SOCK_SEQPACKET socket at `path`.
    ///
    /// # Errors
    /// ENOENT, ECONNREFUSED if no process listens, EACCES.
    pub(crate) fn connect_unix(path: &Path) -> io::Result<Self> {
        let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::empty(), None)?;
        close_on_exec(fd.as_fd())?;
        connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
        Ok(Self::new(fd, MAX_MESSAGE_LEN))
    }

    /// The user of the server that [`Self::connect_unix`] has connected to.
    ///
    /// # Errors
    /// Those of [`peer::user`].
    pub(crate) fn peer_user(&self) -> io::Result<u32> {
        peer::user(self.fd.as_fd())
    }

    /// Opens the system's PF_KEY socket (RFC 2367 section 1.3; pf_key(7P)).
    ///
    /// # Errors
    /// EPERM without the privilege, EAFNOSUPPORT or EPFNOSUPPORT without PF_KEY in the kernel.
    pub(crate) fn pf_key() -> io::Result<Self> {
        // SAFETY: socket(2) takes three integers and no pointers.
        let raw = unsafe { libc::socket(PF_KEY, libc::SOCK_RAW, PF_KEY_V2) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `raw` is a descriptor that socket(2) has just returned, so it has no other owner.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        close_on_exec(fd.as_fd())?;
        enlarge_receive_buffer(fd.as_fd());
        Ok(Self::new(fd, MAX_KERNEL_MESSAGE_LEN))
    }

    fn new(fd: OwnedFd, max_message_len: usize) -> Self {
        Self { fd, scratch: Buffer::zeroed(max_message_len) }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// Those of send(2); `WriteZero` if only a part was sent.
    pub(crate) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let sent = send(self.fd.as_raw_fd(), message, no_sigpipe())?;
        if sent != message.len() {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "only a part of the message was sent"));
        }
        Ok(())
    }

    /// Sends `messages` in order. Returns the number that was sent, at least one.
    ///
    /// # Errors
    /// The error of the first message.
    pub(crate) fn send_many(&mut self, messages: &[Buffer]) -> io::Result<usize> {
        mmsg::send(self.fd.as_fd(), messages)
    }

    /// Receives the headers of queued messages, and waits for the first until the deadline. Returns their number, 0 at the
    /// deadline.
    ///
    /// # Errors
    /// Those of recv(2) and poll(2).
    pub(crate) fn receive_heads(&mut self, deadline: &mut Deadline, heads: &mut [Head]) -> io::Result<usize> {
        loop {
            match mmsg::receive_heads(self.fd.as_fd(), heads) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return received,
            }
            if !wait_readable(self.fd.as_fd(), deadline)? {
                return Ok(0);
            }
        }
    }

    /// Receives one message; `None` at the deadline.
    ///
    /// # Errors
    /// Those of recv(2) and poll(2); `UnexpectedEof` if the peer has closed the connection.
    pub(crate) fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<Buffer>> {
        let len = loop {
            // Before poll(2), which is rarely needed: Linux PF_KEY puts its reply into the queue during send(2).
            match recv(self.fd.as_raw_fd(), &mut self.scratch, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EAGAIN) if !wait_readable(self.fd.as_fd(), deadline)? => return Ok(None),
                Err(Errno::EAGAIN) => {}
                received => break received?,
            }
        };
        // PF_KEY has no empty messages.
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let message = Buffer::from_slice(&self.scratch[..len]);
        // The buffer lives as long as the socket, and descriptions of SAs contain keys.
        self.scratch[..len].fill(0);
        Ok(Some(message))
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(target_os = "linux")]
const PF_KEY: libc::c_int = libc::AF_KEY;
#[cfg(not(target_os = "linux"))]
use crate::sys::illumos::PF_KEY;

const PF_KEY_V2: libc::c_int = 2;

/// Enlarges the receive buffer to some ten thousand messages: messages that do not fit are lost, with PF_KEY without an error.
#[cfg(target_os = "linux")]
pub(crate) fn enlarge_receive_buffer(fd: BorrowedFd<'_>) {
    const RECEIVE_BUFFER: usize = 32 * 1024 * 1024;
    // Best effort: needs CAP_NET_ADMIN in the initial user namespace.
    let _ = nix::sys::socket::setsockopt(&fd, nix::sys::socket::sockopt::RcvBufForce, &RECEIVE_BUFFER);
}

/// Enlarges the receive buffer: keysock drops messages that do not fit without an error (`keysock_passup` in keysock.c), and the
/// default of 8 KiB holds some 40.
#[cfg(not(target_os = "linux"))]
fn enlarge_receive_buffer(fd: BorrowedFd<'_>) {
    // Best effort: with the default size only a monitor loses messages.
    let _ = largest_buffer(|size| nix::sys::socket::setsockopt(&fd, nix::sys::socket::sockopt::RcvBuf, &size).is_ok());
}

/// The first size that `set` accepts, in bytes. The system refuses more than its maximum (a tunable of keysock, 256 KiB by default) with
/// ENOBUFS.
#[cfg(any(test, not(target_os = "linux")))]
fn largest_buffer(set: impl FnMut(&usize) -> bool) -> Option<usize> {
    [256, 128, 64, 32, 16].map(|kib: usize| kib * 1024).into_iter().find(set)
}

fn close_on_exec(fd: BorrowedFd<'_>) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_buffer_is_what_the_system_allows() {
        for (maximum, expected) in [(256, Some(256)), (512, Some(256)), (100, Some(64)), (16, Some(16)), (8, None)] {
            assert_eq!(largest_buffer(|size| *size <= maximum * 1024), expected.map(|kib: usize| kib * 1024), "{maximum}");
        }
    }
}
