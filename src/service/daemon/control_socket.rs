//! How `manual-key refresh` reaches a running `manual-key run`: a Unix socket in the service's runtime directory, for its
//! user and root. The question is one packet, the answer another, sent when the refresh is over; until then the client waits.
//! Questions are taken in the order in which they come, so two refreshes never overlap.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::secret::Buffer;
use crate::sys::net::listener::{Connection, Listener, Transfer, wait};
use crate::sys::net::packet_socket::PacketSocket;
use crate::sys::time::Deadline;

const SOCKET: &str = "refresh";
const QUESTION: &[u8] = b"refresh";
/// A client has asked by then, or it never will.
const PATIENCE: Duration = Duration::from_secs(1);
const FOREVER: Duration = Duration::MAX;

/// The socket in `directory`.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join(SOCKET)
}

/// How a refresh ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The exit code of [`crate::service::exit`].
    pub(crate) code: u8,
    /// The line that says so in the log.
    pub(crate) text: String,
}

impl Verdict {
    fn packet(&self) -> Vec<u8> {
        [&[self.code], self.text.as_bytes()].concat()
    }

    fn of_packet(packet: &[u8]) -> Option<Self> {
        let (code, text) = packet.split_first()?;
        // Whoever listens at that path: what it says is one line, and no order to the terminal.
        let text = String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect();
        Some(Self { code: *code, text })
    }
}

/// A client that waits for its refresh.
pub(crate) struct Client(Connection);

impl Client {
    /// Tells it how the refresh ended. One that has gone away is not missed.
    pub(crate) fn answer(&self, verdict: &Verdict) {
        let _ = self.0.send(&verdict.packet());
    }
}

/// Hands every client that asks to `each`, until `each` wants no more.
pub(crate) fn serve(listener: &Arc<Listener>, mut each: impl FnMut(Client) -> bool) {
    loop {
        let Ok(client) = wait(Some(listener), std::iter::empty(), FOREVER).and_then(|_| listener.accept()) else {
            // Out of descriptors, say: that passes.
            thread::sleep(PATIENCE);
            continue;
        };
        let client = client.filter(|client| client.is_from_owner() && has_asked(client));
        if client.is_some_and(|client| !each(Client(client))) {
            return;
        }
    }
}

fn has_asked(client: &Connection) -> bool {
    // A longer one would be cut to the same bytes.
    let mut question = Buffer::zeroed(QUESTION.len() + 1);
    let ready = wait(None, std::iter::once((client, false)), PATIENCE);
    ready.is_ok_and(|ready| !ready.readable.is_empty())
        && client.receive(&mut question) == Transfer::Bytes(QUESTION.len())
        && question.starts_with(QUESTION)
}

/// Asks the service that listens at `path` for a refresh and waits until it is over; `None` if nobody listens there.
///
/// # Errors
/// The system's; `UnexpectedEof` if the service ended before it answered.
pub(crate) fn ask(path: &Path) -> io::Result<Option<Verdict>> {
    let mut socket = match PacketSocket::connect_unix(path) {
        Ok(socket) => socket,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => return Ok(None),
        Err(error) => return Err(error),
    };
    socket.send(QUESTION)?;
    let answer = socket.receive(&mut Deadline::never())?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Verdict::of_packet(&answer).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// What `packet` would be as an answer, and as a packet again; `None` if it is none.
#[must_use]
#[cfg(feature = "internals")]
pub fn reread_answer(packet: &[u8]) -> Option<(String, Vec<u8>)> {
    let verdict = Verdict::of_packet(packet)?;
    Some((verdict.text.clone(), verdict.packet()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_question_is_answered() {
        let place = tempfile::tempdir().unwrap();
        let path = super::path(place.path());
        assert_eq!(ask(&path).unwrap(), None);
        let listener = Arc::new(Listener::bind(&path).unwrap());
        let (send, clients) = mpsc::channel();
        let verdict = Verdict { code: 78, text: "maintenance".to_owned() };
        let asker = thread::spawn({
            let path = path.clone();
            move || ask(&path).unwrap()
        });
        let server = thread::spawn({
            let listener = listener.clone();
            move || serve(&listener, |client| send.send(client).is_err())
        });
        let client: Client = clients.recv().unwrap();
        client.answer(&verdict);
        assert_eq!(asker.join().unwrap(), Some(verdict));
        server.join().unwrap();
    }

    #[test]
    fn an_answer_is_one_line_and_no_order_to_the_terminal() {
        let packet = b"\x01online\x1b]0;title\x07\nroot# \xc2\x9b2J\rgone\xff";
        let read = Verdict::of_packet(packet).unwrap();
        assert_eq!(read, Verdict { code: 1, text: "online]0;titleroot# 2Jgone\u{fffd}".to_owned() });
        assert_eq!(Verdict::of_packet(b""), None);
    }

    #[test]
    fn who_says_something_else_is_not_served() {
        let place = tempfile::tempdir().unwrap();
        let path = super::path(place.path());
        let listener = Listener::bind(&path).unwrap();
        for other in [&b"restart"[..], b"refres", b"refresh\0", b"refresh refresh"] {
            let mut socket = PacketSocket::connect_unix(&path).unwrap();
            socket.send(other).unwrap();
            assert!(!has_asked(&listener.accept().unwrap().unwrap()));
        }
        let gone = PacketSocket::connect_unix(&path).unwrap();
        drop(gone);
        assert!(!has_asked(&listener.accept().unwrap().unwrap()));
    }
}
