//! The server side of a Unix SOCK_SEQPACKET socket, non-blocking: one thread serves many clients.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, accept, bind, connect, listen, recv, send, setsockopt,
    socket, sockopt,
};
use nix::sys::stat::{Mode, umask};

use crate::secret::Buffer;
use crate::sys::net::peer;

/// Connections that may wait for accept(2).
const BACKLOG: i32 = 64;
/// Requested size of the send buffer of a connection; the kernel may grant less.
const SEND_BUFFER_LEN: usize = 1 << 20;

/// A listening socket. Dropping it removes its file.
pub(crate) struct Listener {
    fd: OwnedFd,
    path: PathBuf,
    /// Device and inode, so that a file which has replaced the socket's is not removed.
    file: (u64, u64),
}

impl Listener {
    /// Listens at `path` with mode 0600. A stale socket file, at which no process listens, is replaced.
    ///
    /// # Errors
    /// `AddrInUse` if another process listens at `path`; `AlreadyExists` for a file that is not a socket; those of bind(2) and
    /// listen(2).
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        remove_stale(path)?;
        let fd = packet_socket()?;
        // bind(2) creates the file by the umask; a chmod(2) afterwards would leave it open to others for a short time.
        let old_umask = umask(Mode::from_bits_truncate(0o177));
        let bound = bind(fd.as_raw_fd(), &UnixAddr::new(path)?);
        umask(old_umask);
        bound?;
        listen(&fd, Backlog::new(BACKLOG)?)?;
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { fd, path: path.to_owned(), file: (metadata.dev(), metadata.ino()) })
    }

    /// Accepts the next waiting client; `None` if there is none.
    ///
    /// # Errors
    /// EMFILE and ENFILE: too many open files.
    pub(crate) fn accept(&self) -> io::Result<Option<Connection>> {
        match accept(self.fd.as_raw_fd()) {
            // SAFETY: accept(2) has just returned the descriptor, so it has no other owner.
            Ok(raw) => Connection::new(unsafe { OwnedFd::from_raw_fd(raw) }).map(Some),
            // ECONNABORTED: the client has closed the connection before it was accepted.
            Err(Errno::EAGAIN | Errno::ECONNABORTED | Errno::EINTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the socket's file. Connections stay open.
    pub(crate) fn remove_file(&self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file);
        if is_ours {
            // Best effort at exit: `bind` replaces a stale file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.remove_file();
    }
}

/// Removes a socket file at which no process listens.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file exists and is not a socket"));
    }
    // Only connect(2) tells a stale file from a listening process.
    match connect(packet_socket()?.as_raw_fd(), &UnixAddr::new(path)?) {
        Err(Errno::ECONNREFUSED) => fs::remove_file(path),
        // Its owner has removed it meanwhile.
        Err(Errno::ENOENT) => Ok(()),
        // Connected, or its queue of connections is full (EAGAIN).
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another program listens there")),
    }
}

fn packet_socket() -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::empty(), None)?;
    prepare(fd.as_fd())?;
    Ok(fd)
}

/// Sets close-on-exec and non-blocking mode, which socket(2) and accept(2) cannot set on every system.
fn prepare(fd: BorrowedFd<'_>) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// The outcome of sending or receiving a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// The length of the message that was sent or received.
    Bytes(usize),
    /// Nothing to receive, or the send buffer is full.
    WouldBlock,
    /// The message exceeds the send buffer (EMSGSIZE).
    TooLarge,
    /// The client has closed the connection.
    Closed,
}

impl Transfer {
    fn of(result: nix::Result<usize>) -> Self {
        match result {
            Ok(count) => Self::Bytes(count),
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => Self::WouldBlock,
            Err(Errno::EMSGSIZE) => Self::TooLarge,
            Err(_) => Self::Closed,
        }
    }
}

/// The connection to a client, non-blocking.
pub(crate) struct Connection {
    fd: OwnedFd,
}

impl Connection {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        prepare(fd.as_fd())?;
        // Best effort: with a smaller buffer only the largest messages are dropped.
        let _ = setsockopt(&fd, sockopt::SndBuf, &SEND_BUFFER_LEN);
        #[cfg(target_os = "linux")]
        let _ = setsockopt(&fd, sockopt::SndBufForce, &SEND_BUFFER_LEN);
        Ok(Self { fd })
    }

    /// Whether the client runs as root or as this process's user.
    #[must_use]
    pub(crate) fn is_from_owner(&self) -> bool {
        peer::user(self.fd.as_fd()).is_ok_and(peer::is_root_or_self)
    }

    /// Sends `message` without blocking.
    #[must_use]
    pub(crate) fn send(&self, message: &[u8]) -> Transfer {
        Transfer::of(send(self.fd.as_raw_fd(), message, crate::sys::net::no_sigpipe()))
    }

    /// Receives one message into the start of `buffer`; the rest of `buffer` is unchanged.
    #[must_use]
    pub(crate) fn receive(&self, buffer: &mut Buffer) -> Transfer {
        match Transfer::of(recv(self.fd.as_raw_fd(), buffer, MsgFlags::empty())) {
            // SOCK_SEQPACKET reports the end of the connection as an empty message.
            Transfer::Bytes(0) => Transfer::Closed,
            transfer => transfer,
        }
    }
}

/// The result of [`wait`].
#[derive(Default)]
pub(crate) struct Ready {
    /// A client waits for [`Listener::accept`].
    pub(crate) has_new_client: bool,
    /// Positions of clients with a message or a closed connection.
    pub(crate) readable: Vec<usize>,
}

/// Waits until a client can be read or accepted, at most `timeout`; a signal ends the wait. Clients with `true` also end it when
/// they can be written to.
///
/// # Errors
/// Those of poll(2), except EINTR.
pub(crate) fn wait<'a>(
    listener: Option<&Listener>,
    clients: impl Iterator<Item = (&'a Connection, bool)>,
    timeout: Duration,
) -> io::Result<Ready> {
    let mut fds: Vec<PollFd<'_>> = clients
        .map(|(client, to_write)| {
            let write = if to_write { PollFlags::POLLOUT } else { PollFlags::empty() };
            PollFd::new(client.fd.as_fd(), PollFlags::POLLIN | write)
        })
        .collect();
    // The listener comes last, so that the positions of the clients are those of the caller.
    let count = fds.len();
    fds.extend(listener.map(|listener| PollFd::new(listener.fd.as_fd(), PollFlags::POLLIN)));
    match poll(&mut fds, PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX)) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(Ready::default()),
        Err(error) => return Err(error.into()),
    }
    let is_ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| events.intersects(READABLE));
    Ok(Ready {
        has_new_client: fds.get(count).is_some_and(is_ready),
        readable: fds.iter().take(count).enumerate().filter(|(_, fd)| is_ready(fd)).map(|(index, _)| index).collect(),
    })
}

const READABLE: PollFlags = PollFlags::POLLIN.union(PollFlags::POLLHUP).union(PollFlags::POLLERR);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::sys::net::packet_socket::PacketSocket;
    use crate::sys::time::Deadline;

    fn socket_path() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sadb");
        (directory, path)
    }

    #[test]
    fn connection_sends_and_receives_messages() {
        let (_directory, path) = socket_path();
        let listener = Listener::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(listener.accept().unwrap().is_none());
        let mut client = PacketSocket::connect_unix(&path).unwrap();
        let connection = listener.accept().unwrap().unwrap();
        assert!(connection.is_from_owner());
        let mut buffer = Buffer::zeroed(64);
        assert_eq!(connection.receive(&mut buffer), Transfer::WouldBlock);
        client.send(b"question").unwrap();
        let ready = wait(Some(&listener), [(&connection, true)].into_iter(), Duration::from_secs(1)).unwrap();
        assert_eq!((ready.has_new_client, ready.readable), (false, vec![0]));
        assert_eq!(connection.receive(&mut buffer), Transfer::Bytes(8));
        assert_eq!(connection.send(b"answer"), Transfer::Bytes(6));
        assert_eq!(&*client.receive(&mut Deadline::never()).unwrap().unwrap(), b"answer");
        drop(client);
        assert_eq!(connection.receive(&mut buffer), Transfer::Closed);
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn bind_replaces_a_stale_socket_but_not_a_live_one() {
        let (_directory, path) = socket_path();
        let first = Listener::bind(&path).unwrap();
        assert_eq!(Listener::bind(&path).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        let kept = path.with_extension("kept");
        fs::rename(&path, &kept).unwrap();
        drop(first);
        fs::rename(&kept, &path).unwrap();
        let second = Listener::bind(&path).unwrap();
        drop(second);
        fs::write(&path, "no socket").unwrap();
        assert_eq!(Listener::bind(&path).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"no socket");
    }
}
