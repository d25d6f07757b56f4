//! Sockets that keep message boundaries: PF_KEY, and Unix SOCK_SEQPACKET.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket};

use crate::secret::Buffer;
use crate::sys::time::Deadline;

/// The largest PF_KEY message: 65,535 words of 8 bytes (RFC 2367 section 2.1, `sadb_msg_len`).
const LARGEST: usize = 65_535 * 8;

/// What Linux says of an SA has two keys of 512 bytes at most and no identity (net/key/af_key.c: pfkey_xfrm_state2msg), and its
/// lists of algorithms are shorter still.
#[cfg(target_os = "linux")]
const LARGEST_OF_SYSTEM: usize = 64 * 1024;
#[cfg(not(target_os = "linux"))]
const LARGEST_OF_SYSTEM: usize = LARGEST;

/// The first bytes of a PF_KEY message: all of its header (RFC 2367 section 2.1).
pub type Head = [u8; 16];

/// A connected socket on which each send and each receive is one whole message.
pub struct PacketSocket {
    fd: OwnedFd,
    scratch: Buffer,
}

impl PacketSocket {
    /// Connects to the Unix SOCK_SEQPACKET socket at `path`.
    ///
    /// # Errors
    /// The system's: no such file, nobody listens, no permission.
    pub fn connect_unix(path: &Path) -> io::Result<Self> {
        let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::empty(), None)?;
        close_on_exec(fd.as_fd())?;
        connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
        Ok(Self::new(fd, LARGEST))
    }

    /// Opens the system's PF_KEY socket (RFC 2367 section 1.3; pf_key(7P)).
    ///
    /// # Errors
    /// EPERM without the privilege, EAFNOSUPPORT or EPFNOSUPPORT without PF_KEY in the kernel.
    pub fn pf_key() -> io::Result<Self> {
        // SAFETY: socket(2) takes three integers and no pointers.
        let raw = unsafe { libc::socket(PF_KEY, libc::SOCK_RAW, PF_KEY_V2) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `raw` is a descriptor that socket(2) has just made, and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        close_on_exec(fd.as_fd())?;
        enlarge(fd.as_fd());
        Ok(Self::new(fd, LARGEST_OF_SYSTEM))
    }

    /// The longest message that comes has `largest` bytes.
    fn new(fd: OwnedFd, largest: usize) -> Self {
        Self { fd, scratch: Buffer::zeroed(largest) }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The system's; a message that went out in part is an error too.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let sent = send(self.fd.as_raw_fd(), message, no_sigpipe())?;
        if sent != message.len() {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "the message was sent in part"));
        }
        Ok(())
    }

    /// Sends messages, one after the other; how many went out, which is at least one.
    ///
    /// # Errors
    /// What keeps the first from going out.
    pub fn send_many(&mut self, messages: &[Buffer]) -> io::Result<usize> {
        crate::sys::net::mmsg::send(self.fd.as_fd(), messages)
    }

    /// Receives messages of which only the headers matter, as many as have come and there is room for; none if none came
    /// before the deadline.
    ///
    /// # Errors
    /// The system's.
    pub fn receive_heads(&mut self, deadline: &mut Deadline, heads: &mut [Head]) -> io::Result<usize> {
        loop {
            match crate::sys::net::mmsg::receive_heads(self.fd.as_fd(), heads) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return received,
            }
            if !wait_readable(self.fd.as_fd(), deadline)? {
                return Ok(0);
            }
        }
    }

    /// Receives one message; `None` if none came before the deadline.
    ///
    /// # Errors
    /// The system's, and `UnexpectedEof` when the other side has closed.
    pub fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<Buffer>> {
        let len = loop {
            // Linux PF_KEY has answered by the time it is asked for its answer: no need to wait then.
            match recv(self.fd.as_raw_fd(), &mut self.scratch, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EAGAIN) if !wait_readable(self.fd.as_fd(), deadline)? => return Ok(None),
                Err(Errno::EAGAIN) => {}
                received => break received?,
            }
        };
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let message = Buffer::from_slice(&self.scratch[..len]);
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
const PF_KEY: libc::c_int = 27; // illumos sys/socket.h

const PF_KEY_V2: libc::c_int = 2;

/// A closed peer must be an error of send, not a signal.
pub(crate) fn no_sigpipe() -> MsgFlags {
    #[cfg(target_os = "linux")]
    return MsgFlags::MSG_NOSIGNAL;
    #[cfg(not(target_os = "linux"))]
    return MsgFlags::empty();
}

/// Asks for room for some ten thousand messages, where the process may: what does not fit is lost, by PF_KEY without a word.
#[cfg(target_os = "linux")]
pub(crate) fn enlarge(fd: BorrowedFd<'_>) {
    const RECEIVE_BUFFER: usize = 32 * 1024 * 1024;
    // Only with CAP_NET_ADMIN in the first user namespace; the default size does elsewhere.
    let _ = nix::sys::socket::setsockopt(&fd, nix::sys::socket::sockopt::RcvBufForce, &RECEIVE_BUFFER);
}

/// Elsewhere the system's size does.
#[cfg(not(target_os = "linux"))]
fn enlarge(_fd: BorrowedFd<'_>) {}

fn close_on_exec(fd: BorrowedFd<'_>) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(())
}

/// Waits until `fd` can be read or the deadline passes; whether it can be read. A signal does not end the wait early.
///
/// # Errors
/// The system's.
pub fn wait_readable(fd: BorrowedFd<'_>, deadline: &mut Deadline) -> io::Result<bool> {
    loop {
        let left = deadline.left();
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        match poll(&mut fds, left.map_or(PollTimeout::NONE, timeout)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::EINTR) if left.is_none_or(|left| !left.is_zero()) => {}
            Err(Errno::EINTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// In milliseconds, which poll(2) counts in: rather one too many than none.
fn timeout(left: Duration) -> PollTimeout {
    PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX)
}
