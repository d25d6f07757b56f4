//! A client of NETLINK_XFRM. It matches replies by sequence number and port, within a timeout.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use nix::errno::Errno;

use crate::sadb::SadbError;
use crate::sadb::linux::errors::{RequestContext, operation_name, refused};
use crate::sadb::linux::xfrm::kernel::{Kernel, NetlinkTransport};
use crate::secret::Buffer;
use crate::sys::time::Deadline;
use crate::wire::xfrm::number;
use crate::wire::xfrm::number::flag;
use crate::wire::xfrm::{Attribute, Body, NetlinkError, NetlinkHeader, NetlinkMessage, encode, messages, request_ack};

/// Timeout of a reply, and of the next part of a dump.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// Called with each request before it is sent.
pub(crate) type Tracer<'a> = &'a mut dyn FnMut(&[u8]);

/// Called with each SA or policy of a dump; `Break` ends it early.
pub(crate) type DumpVisitor<'a> = &'a mut dyn FnMut(NetlinkMessage) -> ControlFlow<()>;

/// Message type, body, and the context that explains a refusal.
pub(crate) type Operation = (u16, Body, RequestContext);

/// A request without a reply yet.
struct PendingRequest {
    seq: u32,
    /// Index of its outcome.
    index: usize,
    context: RequestContext,
}

/// A netlink socket, and the sequence number of the last request.
pub(crate) struct NetlinkClient {
    socket: Box<dyn NetlinkTransport>,
    seq: u32,
}

impl NetlinkClient {
    pub(crate) fn open(kernel: &Kernel) -> Result<Self, SadbError> {
        let socket = kernel.connect(0)?;
        // Not 1: a late reply to an earlier process with the same netlink port must not match.
        let seq = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |now| now.subsec_nanos());
        Ok(Self { socket, seq })
    }

    pub(crate) fn port(&self) -> u32 {
        self.socket.port()
    }

    /// Sends a request and waits for the acknowledgement.
    pub(crate) fn request(
        &mut self,
        kind: u16,
        body: &Body,
        context: &RequestContext,
        tracer: Tracer<'_>,
    ) -> Result<(), SadbError> {
        // NEWAE requires NLM_F_REPLACE (xfrm_new_ae); the other message types ignore it.
        let replace = if kind == number::kind::NEWAE { flag::REPLACE } else { 0 };
        let request = self.send(kind, flag::ACK | replace, body, tracer)?;
        let mut deadline = Deadline::after(REPLY_TIMEOUT);
        loop {
            let mut reply = None;
            self.receive_replies(&mut deadline, self.seq, &mut |message| {
                if let Body::Error(refusal) = message.body {
                    reply = Some(refusal);
                }
            })?;
            match reply {
                Some(refusal) if refusal.errno == 0 => return Ok(()),
                Some(refusal) => return Err(refused(&refusal, &request, context)),
                None => {}
            }
        }
    }

    /// Sends operations in one datagram and returns the outcome of each, in order. Those that cannot be encoded are not sent.
    /// An error of the exchange is reported for the first operation without a reply; the outcome of the rest is unknown.
    ///
    /// The kernel processes the messages of a datagram in order and replies to each that it refuses, with or without NLM_F_ACK
    /// (`netlink_rcv_skb`). The acknowledgement of the last one shows that all have been processed.
    pub(crate) fn request_all(
        &mut self,
        operations: impl Iterator<Item = Result<Operation, SadbError>>,
    ) -> Vec<Result<(), SadbError>> {
        let (mut outcomes, mut requests, mut pending) = (Vec::new(), Vec::new(), Vec::new());
        for operation in operations {
            // Encoding here drops each body, and wipes its keys, before the next one is built.
            let encoded = operation.and_then(|(kind, body, context)| Ok((self.encode(kind, 0, &body)?, context)));
            let index = outcomes.len();
            outcomes.push(encoded.map(|(request, context)| {
                requests.push(request);
                pending.push(PendingRequest { seq: self.seq, index, context });
            }));
        }
        if let Err(error) = self.exchange(&mut requests, &pending, &mut outcomes) {
            let mut error = Some(error);
            let unanswered = outcomes.iter_mut().filter(|outcome| outcome.is_ok());
            unanswered.for_each(|outcome| *outcome = Err(error.take().unwrap_or(SadbError::OutcomeUnknown)));
        }
        outcomes
    }

    /// Sends `requests` and receives replies until that to the last one.
    fn exchange(
        &mut self,
        requests: &mut [Buffer],
        pending: &[PendingRequest],
        outcomes: &mut [Result<(), SadbError>],
    ) -> Result<(), SadbError> {
        let (Some(first), Some(last)) = (pending.first(), requests.last_mut()) else { return Ok(()) };
        // One acknowledgement instead of one per request is three times as fast, and cannot overflow the receive buffer.
        request_ack(last);
        self.socket.send(requests)?;
        let mut deadline = Deadline::after(REPLY_TIMEOUT);
        let mut finished = false;
        while !finished {
            self.receive_replies(&mut deadline, first.seq, &mut |message| {
                let Some(at) = pending.iter().position(|pending| pending.seq == message.header.seq) else { return };
                let Body::Error(refusal) = message.body else { return };
                finished |= at + 1 == pending.len();
                if refusal.errno != 0 {
                    outcomes[pending[at].index] = Err(refused(&refusal, &requests[at], &pending[at].context));
                }
            })?;
        }
        Ok(())
    }

    /// Sends a request of type `kind`, such as GETSA, and receives one message.
    pub(crate) fn get(
        &mut self,
        kind: u16,
        body: &Body,
        context: &RequestContext,
        tracer: Tracer<'_>,
    ) -> Result<NetlinkMessage, SadbError> {
        let request = self.send(kind, 0, body, tracer)?;
        let mut deadline = Deadline::after(REPLY_TIMEOUT);
        loop {
            let mut found = None;
            self.receive_replies(&mut deadline, self.seq, &mut |message| found = Some(message))?;
            match found {
                Some(NetlinkMessage { body: Body::Error(refusal), .. }) => return Err(refused(&refusal, &request, context)),
                Some(message) => return Ok(message),
                None => {}
            }
        }
    }

    /// Calls `visit` for every SA (GETSA) or policy (GETPOLICY) that passes `filters`, until it breaks.
    ///
    /// The kernel keeps its position while entries are added or removed (`xfrm_state_walk`, `xfrm_policy_walk`), and does not
    /// fill the socket faster than it is read (`netlink_dump`). An interruption or a lost message is an error.
    pub(crate) fn dump(
        &mut self,
        kind: u16,
        filters: Vec<Attribute>,
        tracer: Tracer<'_>,
        visit: DumpVisitor<'_>,
    ) -> Result<(), SadbError> {
        let request = self.send(kind, flag::DUMP, &Body::Dump(filters), tracer)?;
        let (mut end, mut interrupted, mut wants_more) = (None, false, true);
        while end.is_none() && wants_more {
            let received = self.receive_replies(&mut Deadline::after(REPLY_TIMEOUT), self.seq, &mut |message| {
                interrupted |= message.header.flags & flag::DUMP_INTR != 0;
                match message.body {
                    Body::Done(errno) => end = Some(NetlinkError { errno, ..NetlinkError::default() }),
                    Body::Error(refusal) => end = Some(refusal),
                    _ => wants_more = wants_more && visit(message).is_continue(),
                }
            });
            match received {
                // After ENOBUFS the dump continues, with messages missing.
                Err(SadbError::Io(error)) if is_overrun(&error) => interrupted = true,
                other => other?,
            }
        }
        match end {
            // `visit` broke: the rest of the dump must be read before the socket can be used again.
            None => self.drain(),
            Some(refusal) if refusal.errno != 0 => Err(refused(&refusal, &request, &RequestContext::default())),
            Some(_) if interrupted => {
                Err(SadbError::BadReply("the SAD changed during the dump, entries may be missing; retry".to_owned()))
            }
            Some(_) => Ok(()),
        }
    }

    /// Discards the rest of a dump: the kernel refuses a second dump on a socket with EBUSY.
    fn drain(&mut self) -> Result<(), SadbError> {
        loop {
            match self.socket.receive(&mut Deadline::after(Duration::from_millis(100))) {
                Ok(None) => return Ok(()),
                Ok(Some(_)) => {}
                Err(error) if is_overrun(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn send(&mut self, kind: u16, flags: u16, body: &Body, tracer: Tracer<'_>) -> Result<Buffer, SadbError> {
        let request = self.encode(kind, flags, body)?;
        tracer(&request);
        self.socket.send(std::slice::from_ref(&request))?;
        Ok(request)
    }

    /// Encodes a message with the next sequence number.
    fn encode(&mut self, kind: u16, flags: u16, body: &Body) -> Result<Buffer, SadbError> {
        self.seq = next(self.seq);
        let header = NetlinkHeader { kind, flags: flag::REQUEST | flags, seq: self.seq, port: self.port() };
        encode(header, body)
            .map_err(|error| SadbError::Unsupported(format!("cannot encode the {}: {error}", operation_name(kind))))
    }

    /// Receives a datagram and visits the replies in it to requests from sequence number `first` on.
    fn receive_replies(
        &mut self,
        deadline: &mut Deadline,
        first: u32,
        visit: &mut dyn FnMut(NetlinkMessage),
    ) -> Result<(), SadbError> {
        let (last, port) = (self.seq, self.port());
        let datagram = self.socket.receive(deadline)?;
        let datagram = datagram.ok_or(SadbError::Timeout { seconds: REPLY_TIMEOUT.as_secs() })?;
        for message in messages(&datagram) {
            let message = message.map_err(|error| SadbError::BadReply(error.to_string()))?;
            // Sequence numbers wrap around, so the distances from the first one are compared.
            let is_reply = message.header.seq.wrapping_sub(first) <= last.wrapping_sub(first);
            if is_reply && message.header.port == port {
                visit(message);
            }
        }
        Ok(())
    }
}

/// The sequence number after `seq`; never 0, which unsolicited messages of the kernel have.
fn next(seq: u32) -> u32 {
    seq.wrapping_add(1).max(1)
}

/// ENOBUFS: the receive buffer was full and datagrams were lost.
pub(crate) fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ENOBUFS as i32)
}
