//! Unix SOCK_SEQPACKET sockets, on which each send and each receive is one whole message.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, listen, recv, send, setsockopt, socket,
    sockopt,
};

/// Larger than any message of the tests.
const LARGEST: usize = 256 * 1024;

/// A socket that listens or is connected.
pub(crate) struct PacketSocket(OwnedFd);

impl PacketSocket {
    fn new() -> Self {
        Self(socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap())
    }

    /// Connects to the socket at `path`.
    pub(crate) fn connect(path: &Path) -> nix::Result<Self> {
        let new = Self::new();
        setsockopt(&new.0, sockopt::SndBuf, &(2 * LARGEST))?;
        connect(new.0.as_raw_fd(), &UnixAddr::new(path)?)?;
        Ok(new)
    }

    /// Connects to the socket at `path` as soon as a program listens there.
    pub(crate) fn connect_soon(path: &Path) -> Self {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match Self::connect(path) {
                Ok(socket) => return socket,
                Err(errno) => assert!(Instant::now() < deadline, "{}: {errno}", path.display()),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Listens at `path`.
    pub(crate) fn listen(path: &Path) -> Self {
        let new = Self::new();
        bind(new.0.as_raw_fd(), &UnixAddr::new(path).unwrap()).unwrap();
        listen(&new.0, Backlog::new(16).unwrap()).unwrap();
        new
    }

    /// The next client; there must be one.
    pub(crate) fn accept(&self) -> Self {
        let listener = UnixListener::from(self.0.try_clone().unwrap());
        Self(listener.accept().unwrap().0.into())
    }

    /// Sends one message; an error if the other end is closed or reads nothing.
    pub(crate) fn send(&self, message: &[u8]) -> nix::Result<()> {
        let sent = send(self.0.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT)?;
        assert_eq!(sent, message.len());
        Ok(())
    }

    /// The next message, if one arrives within `time`; an empty one if the other end is closed.
    pub(crate) fn receive(&self, time: Duration) -> Option<Vec<u8>> {
        if !is_readable(&[self], time)[0] {
            return None;
        }
        let mut buffer = vec![0; LARGEST];
        let len = match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Err(Errno::ECONNRESET) => 0,
            received => received.unwrap(),
        };
        buffer.truncate(len);
        Some(buffer)
    }
}

/// Which of the sockets have a message or a client, once one has, or `time` is over.
pub(crate) fn is_readable(sockets: &[&PacketSocket], time: Duration) -> Vec<bool> {
    let mut polled: Vec<PollFd> = sockets.iter().map(|socket| PollFd::new(socket.0.as_fd(), PollFlags::POLLIN)).collect();
    match poll(&mut polled, PollTimeout::try_from(time).unwrap()) {
        Err(Errno::EINTR) => return vec![false; sockets.len()],
        polled => polled.unwrap(),
    };
    polled.iter().map(|polled| polled.any().unwrap()).collect()
}
