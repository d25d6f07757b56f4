//! The listening side of a Unix SOCK_SEQPACKET socket: one thread, many clients, nobody waits for another.

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

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;
/// Wanted room for messages on their way to a client; the system may give less.
const SEND_ROOM: usize = 1 << 20;

/// A socket that listens at a path, which it removes when dropped.
pub struct Listener {
    fd: OwnedFd,
    path: PathBuf,
    /// Device and inode: another file that has come to that path stays.
    file: (u64, u64),
}

impl Listener {
    /// Listens at `path`, for the owner's processes only (mode 0600). A socket file there at which nobody listens is
    /// replaced.
    ///
    /// # Errors
    /// `AddrInUse` if somebody listens there; `AlreadyExists` if something else is there; the system's.
    pub fn bind(path: &Path) -> io::Result<Self> {
        remove_stale(path)?;
        let fd = packet_socket()?;
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = bind(fd.as_raw_fd(), &UnixAddr::new(path)?);
        umask(before);
        bound?;
        listen(&fd, Backlog::new(BACKLOG)?)?;
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { fd, path: path.to_owned(), file: (metadata.dev(), metadata.ino()) })
    }

    /// The next client that waits, if any.
    ///
    /// # Errors
    /// The system's: too many open files.
    pub fn accept(&self) -> io::Result<Option<Connection>> {
        match accept(self.fd.as_raw_fd()) {
            // SAFETY: accept(2) has just made the descriptor, and nobody else has it.
            Ok(raw) => Connection::new(unsafe { OwnedFd::from_raw_fd(raw) }).map(Some),
            Err(Errno::EAGAIN | Errno::ECONNABORTED | Errno::EINTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the socket's file, if it is still there; who is connected stays so.
    pub fn remove_file(&self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file);
        if is_ours {
            // At exit: nobody is left to hear of a failure.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.remove_file();
    }
}

/// Removes a socket file at which nobody listens.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is not a socket is there"));
    }
    match connect(packet_socket()?.as_raw_fd(), &UnixAddr::new(path)?) {
        Err(Errno::ECONNREFUSED) => fs::remove_file(path),
        Err(Errno::ENOENT) => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another program listens there")),
    }
}

fn packet_socket() -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::empty(), None)?;
    prepare(fd.as_fd())?;
    Ok(fd)
}

/// Closed on exec; never waits.
fn prepare(fd: BorrowedFd<'_>) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// What came of an attempt to move a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It went; this many bytes.
    Bytes(usize),
    /// Not now: nothing there, or no room.
    NotNow,
    /// Never: too large for the system.
    TooLarge,
    /// The client has gone.
    Closed,
}

impl Moved {
    fn of(result: nix::Result<usize>) -> Self {
        match result {
            Ok(count) => Self::Bytes(count),
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => Self::NotNow,
            Err(Errno::EMSGSIZE) => Self::TooLarge,
            Err(_) => Self::Closed,
        }
    }
}

/// A connected client. Nothing here waits.
pub struct Connection {
    fd: OwnedFd,
}

impl Connection {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        prepare(fd.as_fd())?;
        // Without more room the largest messages are dropped, and that is all.
        let _ = setsockopt(&fd, sockopt::SndBuf, &SEND_ROOM);
        #[cfg(target_os = "linux")]
        let _ = setsockopt(&fd, sockopt::SndBufForce, &SEND_ROOM);
        Ok(Self { fd })
    }

    /// Whether root or this process's own user is at the other end. Where the system does not tell, the mode of the
    /// socket's file has to do.
    #[must_use]
    pub fn is_from_owner(&self) -> bool {
        is_peer_trusted(&self.fd)
    }

    /// Sends one message.
    #[must_use]
    pub fn send(&self, message: &[u8]) -> Moved {
        Moved::of(send(self.fd.as_raw_fd(), message, crate::sys::net::packet_socket::no_sigpipe()))
    }

    /// Receives one message into `room`, whose rest keeps what it was.
    #[must_use]
    pub fn receive(&self, room: &mut Buffer) -> Moved {
        match Moved::of(recv(self.fd.as_raw_fd(), room, MsgFlags::empty())) {
            Moved::Bytes(0) => Moved::Closed,
            moved => moved,
        }
    }
}

#[cfg(target_os = "linux")]
fn is_peer_trusted(fd: &OwnedFd) -> bool {
    let me = nix::unistd::geteuid().as_raw();
    nix::sys::socket::getsockopt(fd, sockopt::PeerCredentials).is_ok_and(|peer| peer.uid() == 0 || peer.uid() == me)
}

#[cfg(not(target_os = "linux"))]
fn is_peer_trusted(_fd: &OwnedFd) -> bool {
    true
}

/// What became of a wait: clients that can be read or are gone, and clients that can be written to.
#[derive(Default)]
pub struct Ready {
    /// A client waits to be accepted.
    pub newcomer: bool,
    /// By position: something to read, or the end.
    pub readable: Vec<usize>,
}

/// Waits until something can be done, `most` at the longest; a signal ends the wait. Newcomers are looked for only if a
/// listener is given; clients marked `true` are also waited for until they can be written to.
///
/// # Errors
/// The system's.
pub fn wait<'a>(
    listener: Option<&Listener>,
    clients: impl Iterator<Item = (&'a Connection, bool)>,
    most: Duration,
) -> io::Result<Ready> {
    let mut fds: Vec<PollFd<'_>> = clients
        .map(|(client, to_write)| {
            let write = if to_write { PollFlags::POLLOUT } else { PollFlags::empty() };
            PollFd::new(client.fd.as_fd(), PollFlags::POLLIN | write)
        })
        .collect();
    let count = fds.len();
    fds.extend(listener.map(|listener| PollFd::new(listener.fd.as_fd(), PollFlags::POLLIN)));
    match poll(&mut fds, PollTimeout::try_from(most).unwrap_or(PollTimeout::MAX)) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(Ready::default()),
        Err(error) => return Err(error.into()),
    }
    let is_ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| events.intersects(READABLE));
    Ok(Ready {
        newcomer: fds.get(count).is_some_and(is_ready),
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

    fn room() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sadb");
        (directory, path)
    }

    #[test]
    fn a_message_goes_through() {
        let (_directory, path) = room();
        let listener = Listener::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(listener.accept().unwrap().is_none());
        let mut client = PacketSocket::connect_unix(&path).unwrap();
        let connection = listener.accept().unwrap().unwrap();
        assert!(connection.is_from_owner());
        let mut buffer = Buffer::zeroed(64);
        assert_eq!(connection.receive(&mut buffer), Moved::NotNow);
        client.send(b"question").unwrap();
        let ready = wait(Some(&listener), [(&connection, true)].into_iter(), Duration::from_secs(1)).unwrap();
        assert_eq!((ready.newcomer, ready.readable), (false, vec![0]));
        assert_eq!(connection.receive(&mut buffer), Moved::Bytes(8));
        assert_eq!(connection.send(b"answer"), Moved::Bytes(6));
        assert_eq!(&*client.receive(&mut Deadline::never()).unwrap().unwrap(), b"answer");
        drop(client);
        assert_eq!(connection.receive(&mut buffer), Moved::Closed);
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let (_directory, path) = room();
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
