//! Several additions on their way at once: sent in order, each answer matched by its sequence number.

use crate::sa::{MessageType, Request};
use crate::sadb::pfkey::client::{DEADLINE, PfKey, unsupported};
use crate::sadb::{SadbError, Transport};
use crate::secret::Buffer;
use crate::sys::net::packet_socket::Head;
use crate::sys::time::Deadline;
use crate::wire::pfkey;

/// Most requests whose answers may wait to be read. Linux drops an answer that the socket has no room for, and tells nobody; the
/// default buffer holds some 160.
const MOST: usize = 64;

/// Requests on their way.
struct Batch<'r> {
    /// Sequence number, place among the outcomes, and request of each message.
    sent: Vec<(u32, usize, &'r Request)>,
    messages: Vec<Buffer>,
}

impl<T: Transport> PfKey<T> {
    /// Adds SAs, many at a time; what became of each, in their order.
    pub(in crate::sadb) fn add_all(&mut self, requests: &[&Request]) -> Vec<Result<(), SadbError>> {
        requests.chunks(MOST).flat_map(|some| self.add_some(some)).collect()
    }

    fn add_some(&mut self, requests: &[&Request]) -> Vec<Result<(), SadbError>> {
        let mut outcomes = Vec::with_capacity(requests.len());
        let mut batch = Batch { sent: Vec::new(), messages: Vec::new() };
        for (place, request) in requests.iter().enumerate() {
            outcomes.push(self.encode_into(&mut batch, place, request));
        }
        let (gone, unsent) = self.send_batch(&batch.messages);
        let unanswered = self.settle(batch.sent.get(..gone).unwrap_or_default(), &mut outcomes).err();
        let first = outcomes.iter_mut().find(|outcome| matches!(outcome, Err(SadbError::OutcomeUnknown)));
        if let (Some(first), Some(error)) = (first, unanswered.or(unsent)) {
            *first = Err(error);
        }
        outcomes
    }

    /// Its outcome is not known until it is answered.
    fn encode_into<'r>(&mut self, batch: &mut Batch<'r>, place: usize, request: &'r Request) -> Result<(), SadbError> {
        self.begun = true;
        let seq = self.next_seq();
        let message = pfkey::request(self.dialect, MessageType::ADD, request, seq, self.pid).map_err(unsupported)?;
        batch.messages.push(message);
        batch.sent.push((seq, place, request));
        Err(SadbError::OutcomeUnknown)
    }

    /// How many messages went out, and what kept the next one from it.
    fn send_batch(&mut self, messages: &[Buffer]) -> (usize, Option<SadbError>) {
        let mut gone = 0;
        while gone < messages.len() {
            match self.transport.send_many(messages.get(gone..).unwrap_or_default()) {
                Ok(sent) => gone += sent,
                Err(error) => return (gone, Some(error.into())),
            }
        }
        (gone, None)
    }

    /// Waits for the answers to all that was sent. The deadline is for each of them.
    fn settle(&mut self, sent: &[(u32, usize, &Request)], outcomes: &mut [Result<(), SadbError>]) -> Result<(), SadbError> {
        let mut heads = [Head::default(); MOST];
        let mut open = sent.len();
        while open > 0 {
            let came = self.transport.receive_heads(&mut Deadline::after(DEADLINE), &mut heads)?;
            if came == 0 {
                return Err(SadbError::Timeout { seconds: DEADLINE.as_secs() });
            }
            for head in heads.iter().take(came) {
                let answer =
                    pfkey::decode_head(self.dialect, head).map_err(|error| SadbError::BadReply(error.to_string()))?;
                let request = sent.iter().find(|(seq, ..)| (answer.seq, answer.pid) == (*seq, self.pid));
                let Some((_, place, request)) = request else { continue };
                if let Some(outcome @ Err(SadbError::OutcomeUnknown)) = outcomes.get_mut(*place) {
                    *outcome = self.judge(&answer, MessageType::ADD, request.sa_type);
                    open -= 1;
                }
            }
        }
        Ok(())
    }
}
