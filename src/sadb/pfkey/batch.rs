//! Batches of ADD requests: sent in order, replies matched by sequence number.

use crate::sa::{MessageType, Request};
use crate::sadb::pfkey::client::{PfKey, REPLY_TIMEOUT, unsupported};
use crate::sadb::{SadbError, Transport};
use crate::secret::Buffer;
use crate::sys::net::Head;
use crate::sys::time::Deadline;
use crate::wire::pfkey;

/// Maximum number of outstanding replies. Linux silently drops replies that do not fit into the receive buffer, error replies
/// as well; the default buffer holds some 160.
const MAX_OUTSTANDING: usize = 64;

/// Encoded requests that wait to be sent.
struct Batch<'r> {
    /// Sequence number, index of the outcome, and request of each message.
    sent: Vec<(u32, usize, &'r Request)>,
    messages: Vec<Buffer>,
}

impl<T: Transport> PfKey<T> {
    /// Adds SAs in batches and returns the outcome of each, in order.
    pub(in crate::sadb) fn add_all(&mut self, requests: &[&Request]) -> Vec<Result<(), SadbError>> {
        requests.chunks(MAX_OUTSTANDING).flat_map(|some| self.add_some(some)).collect()
    }

    fn add_some(&mut self, requests: &[&Request]) -> Vec<Result<(), SadbError>> {
        let mut outcomes = Vec::with_capacity(requests.len());
        let mut batch = Batch { sent: Vec::new(), messages: Vec::new() };
        for (place, request) in requests.iter().enumerate() {
            outcomes.push(self.encode_into(&mut batch, place, request));
        }
        let (sent, send_error) = self.send_batch(&batch.messages);
        let receive_error = self.receive_replies(batch.sent.get(..sent).unwrap_or_default(), &mut outcomes).err();
        // The error belongs to the first request without a reply; the outcome of the ones behind it stays unknown.
        let first = outcomes.iter_mut().find(|outcome| matches!(outcome, Err(SadbError::OutcomeUnknown)));
        if let (Some(first), Some(error)) = (first, receive_error.or(send_error)) {
            *first = Err(error);
        }
        outcomes
    }

    /// Appends a request to `batch`. Its outcome is [`SadbError::OutcomeUnknown`] until the reply arrives.
    fn encode_into<'r>(&mut self, batch: &mut Batch<'r>, place: usize, request: &'r Request) -> Result<(), SadbError> {
        // Replies are matched by sequence number, so each request of a batch needs another one.
        self.starts_sequence = true;
        let seq = self.next_seq();
        let message = pfkey::request(self.dialect, MessageType::ADD, request, seq, self.pid).map_err(unsupported)?;
        batch.messages.push(message);
        batch.sent.push((seq, place, request));
        Err(SadbError::OutcomeUnknown)
    }

    /// Sends messages; returns how many were sent, and the error of the next one.
    fn send_batch(&mut self, messages: &[Buffer]) -> (usize, Option<SadbError>) {
        let mut sent = 0;
        while sent < messages.len() {
            match self.transport.send_many(messages.get(sent..).unwrap_or_default()) {
                Ok(count) => sent += count,
                Err(error) => return (sent, Some(error.into())),
            }
        }
        (sent, None)
    }

    /// Receives the replies to all sent messages. The timeout applies to each of them.
    fn receive_replies(
        &mut self,
        sent: &[(u32, usize, &Request)],
        outcomes: &mut [Result<(), SadbError>],
    ) -> Result<(), SadbError> {
        let mut heads = [Head::default(); MAX_OUTSTANDING];
        let mut outstanding = sent.len();
        while outstanding > 0 {
            let received = self.transport.receive_heads(&mut Deadline::after(REPLY_TIMEOUT), &mut heads)?;
            if received == 0 {
                return Err(SadbError::Timeout { seconds: REPLY_TIMEOUT.as_secs() });
            }
            for head in heads.iter().take(received) {
                let reply =
                    pfkey::decode_head(self.dialect, head).map_err(|error| SadbError::BadReply(error.to_string()))?;
                let request = sent.iter().find(|(seq, ..)| (reply.seq, reply.pid) == (*seq, self.pid));
                let Some((_, place, request)) = request else { continue };
                if let Some(outcome @ Err(SadbError::OutcomeUnknown)) = outcomes.get_mut(*place) {
                    *outcome = self.check_reply(&reply, MessageType::ADD, request.sa_type);
                    outstanding -= 1;
                }
            }
        }
        Ok(())
    }
}
