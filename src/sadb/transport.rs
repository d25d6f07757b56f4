//! How whole messages travel between a PF_KEY client and an SADB.

use std::io;
use std::time::Instant;

use crate::secret::Buffer;
use crate::sys::socket::PacketSocket;

/// Carries messages, one at a time and whole.
pub trait Transport {
    /// Sends one message.
    ///
    /// # Errors
    /// The system's; nothing was sent then.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;

    /// Receives the next message; `None` if none came before `deadline`.
    ///
    /// # Errors
    /// The system's; `UnexpectedEof` when the SADB has gone away.
    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Option<Buffer>>;
}

impl Transport for PacketSocket {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Self::send(self, message)
    }

    fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Option<Buffer>> {
        Self::receive(self, deadline)
    }
}
