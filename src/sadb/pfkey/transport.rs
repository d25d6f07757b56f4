//! How whole messages travel between a PF_KEY client and an SADB.

use std::io;

use crate::secret::Buffer;
use crate::sys::net::packet_socket::{Head, PacketSocket};
use crate::sys::time::Deadline;

/// Carries messages, one at a time and whole.
pub trait Transport {
    /// Sends one message.
    ///
    /// # Errors
    /// The system's; nothing was sent then.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;

    /// Receives the next message; `None` if none came before the deadline.
    ///
    /// # Errors
    /// The system's; `UnexpectedEof` when the SADB has gone away.
    fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<Buffer>>;

    /// Sends messages in order; how many went out, which is at least one.
    ///
    /// # Errors
    /// What keeps the first from going out.
    fn send_many(&mut self, messages: &[Buffer]) -> io::Result<usize> {
        messages.iter().try_for_each(|message| self.send(message))?;
        Ok(messages.len())
    }

    /// Receives messages of which only the headers matter, as many as have come and there is room for; none if none came
    /// before the deadline.
    ///
    /// # Errors
    /// As [`Transport::receive`].
    fn receive_heads(&mut self, deadline: &mut Deadline, heads: &mut [Head]) -> io::Result<usize> {
        let (Some(head), Some(message)) = (heads.first_mut(), self.receive(deadline)?) else { return Ok(0) };
        *head = message.first_chunk().copied().unwrap_or_default();
        Ok(1)
    }
}

impl Transport for PacketSocket {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Self::send(self, message)
    }

    fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<Buffer>> {
        Self::receive(self, deadline)
    }

    fn send_many(&mut self, messages: &[Buffer]) -> io::Result<usize> {
        Self::send_many(self, messages)
    }

    fn receive_heads(&mut self, deadline: &mut Deadline, heads: &mut [Head]) -> io::Result<usize> {
        Self::receive_heads(self, deadline, heads)
    }
}
