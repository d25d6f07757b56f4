//! The control socket: how `manual-key refresh` reaches a running `manual-key run`.
//!
//! A Unix socket of type SOCK_SEQPACKET in the runtime directory, for its owner and root. The request is one packet; the reply,
//! sent after the refresh, another. Requests are served in order, so that two refreshes never overlap.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::redact::printable;
use crate::secret::Buffer;
use crate::sys::net::listener::{Connection, Listener, Transfer, wait};
use crate::sys::net::packet_socket::PacketSocket;
use crate::sys::time::Deadline;

const SOCKET: &str = "refresh";
const REQUEST: &[u8] = b"refresh";
/// How long a client has for its request. The server waits for one client at a time, so that a silent one delays the others.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
const FOREVER: Duration = Duration::MAX;

/// The socket in `directory`.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join(SOCKET)
}

/// The reply to a refresh request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// An exit code of [`crate::service::exit`].
    pub(crate) code: u8,
    /// The log line with the result.
    pub(crate) text: String,
}

impl Reply {
    fn encode(&self) -> Vec<u8> {
        [&[self.code], self.text.as_bytes()].concat()
    }

    fn decode(packet: &[u8]) -> Option<Self> {
        let (code, text) = packet.split_first()?;
        // The server may be another program: its text is one line, and contains no control sequences for the terminal.
        Some(Self { code: *code, text: printable(text) })
    }
}

/// A client that waits for its refresh.
pub(super) struct Client(Connection);

impl Client {
    /// Best effort: the client may have exited.
    pub(super) fn reply(&self, reply: &Reply) {
        let _ = self.0.send(&reply.encode());
    }
}

/// Passes each client with a valid request to `each`, until that returns false.
pub(super) fn serve(listener: &Arc<Listener>, mut each: impl FnMut(Client) -> bool) {
    loop {
        let Ok(client) = wait(Some(listener), std::iter::empty(), FOREVER).and_then(|_| listener.accept()) else {
            // EMFILE, for example. The client stays in the queue of the socket, so without the pause this loop would spin.
            thread::sleep(REQUEST_TIMEOUT);
            continue;
        };
        let client = client.filter(|client| client.is_from_owner() && has_valid_request(client));
        if client.is_some_and(|client| !each(Client(client))) {
            return;
        }
    }
}

fn has_valid_request(client: &Connection) -> bool {
    // One byte more than a request: a longer packet would be truncated to a valid one.
    let mut request = Buffer::zeroed(REQUEST.len() + 1);
    let ready = wait(None, std::iter::once((client, false)), REQUEST_TIMEOUT);
    ready.is_ok_and(|ready| !ready.readable.is_empty())
        && client.receive(&mut request) == Transfer::Bytes(REQUEST.len())
        && request.starts_with(REQUEST)
}

/// Requests a refresh of the service that listens at `path` and waits for the reply; `None` if no service listens there.
///
/// # Errors
/// Those of connect(2), `PermissionDenied` among them; `UnexpectedEof` if the service exits before it replies.
pub(crate) fn request_refresh(path: &Path) -> io::Result<Option<Reply>> {
    let mut socket = match PacketSocket::connect_unix(path) {
        Ok(socket) => socket,
        // ECONNREFUSED: a service that was killed has left its socket.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => return Ok(None),
        Err(error) => return Err(error),
    };
    socket.send(REQUEST)?;
    // Without a deadline: a load may take minutes, and if the service exits, the kernel closes the connection.
    let reply = socket.receive(&mut Deadline::never())?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Reply::decode(&reply).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Whether a daemon listens at `path`. To the daemon this is a client without a request.
pub(crate) fn is_served(path: &Path) -> bool {
    PacketSocket::connect_unix(path).is_ok()
}

/// Decodes `packet` as a reply and encodes it again; `None` if it is not one.
#[cfg(feature = "internals")]
#[must_use]
pub(crate) fn recode_reply(packet: &[u8]) -> Option<(String, Vec<u8>)> {
    let reply = Reply::decode(packet)?;
    Some((reply.text.clone(), reply.encode()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn request_refresh_returns_the_reply_of_serve() {
        let place = tempfile::tempdir().unwrap();
        let path = super::path(place.path());
        assert_eq!(request_refresh(&path).unwrap(), None);
        let listener = Arc::new(Listener::bind(&path).unwrap());
        let (send, clients) = mpsc::channel();
        let reply = Reply { code: 78, text: "maintenance".to_owned() };
        let client_thread = thread::spawn({
            let path = path.clone();
            move || request_refresh(&path).unwrap()
        });
        let server = thread::spawn({
            let listener = listener.clone();
            move || serve(&listener, |client| send.send(client).is_err())
        });
        let client: Client = clients.recv().unwrap();
        client.reply(&reply);
        assert_eq!(client_thread.join().unwrap(), Some(reply));
        server.join().unwrap();
    }

    #[test]
    fn decode_makes_one_line_without_control_characters() {
        let packet = b"\x01online\x1b]0;title\x07\nroot# \xc2\x9b2J\rgone\xff \xe2\x80\xae";
        let read = Reply::decode(packet).unwrap();
        let text = r"online\u{1b}]0;title\u{7}\nroot# \u{9b}2J\rgone\xff \u{202e}";
        assert_eq!(read, Reply { code: 1, text: text.to_owned() });
        assert_eq!(Reply::decode(b""), None);
    }

    #[test]
    fn has_valid_request_rejects_other_packets() {
        let place = tempfile::tempdir().unwrap();
        let path = super::path(place.path());
        let listener = Listener::bind(&path).unwrap();
        for other in [&b"restart"[..], b"refres", b"refresh\0", b"refresh refresh"] {
            let mut socket = PacketSocket::connect_unix(&path).unwrap();
            socket.send(other).unwrap();
            assert!(!has_valid_request(&listener.accept().unwrap().unwrap()));
        }
        let gone = PacketSocket::connect_unix(&path).unwrap();
        drop(gone);
        assert!(!has_valid_request(&listener.accept().unwrap().unwrap()));
    }
}
