//! Transport of messages between a PF_KEY client and an SADB.

use std::io;

use crate::secret::Buffer;
use crate::sys::net::Head;
use crate::sys::net::packet_socket::PacketSocket;
use crate::sys::time::Deadline;

/// A connection that preserves message boundaries.
pub(crate) trait Transport {
    /// Sends one message.
    ///
    /// # Errors
    /// The error of the system call; nothing was sent.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;

    /// Receives the next message; `None` after the deadline.
    ///
    /// # Errors
    /// The error of the system call; `UnexpectedEof` if the SADB has closed the connection.
    fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<Buffer>>;

    /// Sends messages in order; returns how many were sent, at least one.
    ///
    /// # Errors
    /// The error of the first message.
    fn send_many(&mut self, messages: &[Buffer]) -> io::Result<usize> {
        // PacketSocket overrides this with sendmmsg(2).
        messages.iter().try_for_each(|message| self.send(message))?;
        Ok(messages.len())
    }

    /// Receives the headers of the messages that have arrived, as many as fit into `heads`; 0 after the deadline.
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
