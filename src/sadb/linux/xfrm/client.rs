//! Requests and answers over NETLINK_XFRM: each answer matched by sequence number and port, within a deadline.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use nix::errno::Errno;

use crate::sadb::SadbError;
use crate::sadb::linux::errors::{Asked, deed, refused, unavailable};
use crate::secret::Buffer;
use crate::sys::net::netlink::NetlinkSocket;
use crate::sys::time::Deadline;
use crate::wire::xfrm::number::{flag, kind};
use crate::wire::xfrm::{Attribute, Body, Header, Message, Refusal, ask_for_answer, encode, messages};

/// How long an answer, or the next part of a dump, may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Called with each request before it is sent.
pub(crate) type Watch<'a> = &'a mut dyn FnMut(&[u8]);

/// Called with each SA or policy of a dump; `Break` ends it early.
pub(crate) type EachListed<'a> = &'a mut dyn FnMut(Message) -> ControlFlow<()>;

/// One of several requests: what is to be done, to what, and what a refusal is explained by.
pub(crate) type Deed = (u16, Body, Asked);

/// A request that is not answered yet.
struct Open {
    seq: u32,
    /// Which of the outcomes is its.
    place: usize,
    asked: Asked,
}

/// A socket, and the sequence number of the last request.
pub(crate) struct Link {
    socket: NetlinkSocket,
    seq: u32,
}

impl Link {
    pub(crate) fn open() -> Result<Self, SadbError> {
        let socket = NetlinkSocket::xfrm(0).map_err(unavailable)?;
        // Not 1: an answer to an earlier user of the same port must not fit.
        let seq = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |now| now.subsec_nanos());
        Ok(Self { socket, seq })
    }

    pub(crate) fn port(&self) -> u32 {
        self.socket.port()
    }

    /// Asks for a deed, and waits until the kernel says that it is done.
    pub(crate) fn ask(&mut self, deed: u16, body: &Body, asked: &Asked, watch: Watch<'_>) -> Result<(), SadbError> {
        // The kernel wants it said that an AE record replaces another; of the rest it ignores the flag.
        let replace = if deed == kind::NEWAE { flag::REPLACE } else { 0 };
        let request = self.send(deed, flag::ACK | replace, body, watch)?;
        let mut deadline = Deadline::after(DEADLINE);
        loop {
            let mut answer = None;
            self.each_answer(&mut deadline, self.seq, &mut |message| {
                if let Body::Answer(refusal) = message.body {
                    answer = Some(refusal);
                }
            })?;
            match answer {
                Some(refusal) if refusal.errno == 0 => return Ok(()),
                Some(refusal) => return Err(refused(&refusal, &request, asked)),
                None => {}
            }
        }
    }

    /// Asks for deeds, all at once; what became of each, in order. What could not be built is not asked for. What keeps the answers
    /// from coming is told of the first that has none.
    ///
    /// The kernel carries out the messages of a datagram in order and answers each that it refuses, whether it was asked to or
    /// not (`netlink_rcv_skb`); the answer that the last one asks for says that it is through with all.
    pub(crate) fn ask_all(&mut self, deeds: impl Iterator<Item = Result<Deed, SadbError>>) -> Vec<Result<(), SadbError>> {
        let (mut outcomes, mut requests, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for deed in deeds {
            // Each body is let go as soon as it is encoded.
            let encoded = deed.and_then(|(kind, body, asked)| Ok((self.encode(kind, 0, &body)?, asked)));
            let place = outcomes.len();
            outcomes.push(encoded.map(|(request, asked)| {
                requests.push(request);
                open.push(Open { seq: self.seq, place, asked });
            }));
        }
        if let Err(error) = self.exchange(&mut requests, &open, &mut outcomes) {
            let mut why = Some(error);
            let silent = outcomes.iter_mut().filter(|outcome| outcome.is_ok());
            silent.for_each(|outcome| *outcome = Err(why.take().unwrap_or(SadbError::OutcomeUnknown)));
        }
        outcomes
    }

    /// Sends `requests` and reads until the last of them is answered.
    fn exchange(
        &mut self,
        requests: &mut [Buffer],
        open: &[Open],
        outcomes: &mut [Result<(), SadbError>],
    ) -> Result<(), SadbError> {
        let (Some(first), Some(last)) = (open.first(), requests.last_mut()) else { return Ok(()) };
        ask_for_answer(last);
        self.socket.send(requests)?;
        let mut deadline = Deadline::after(DEADLINE);
        let mut through = false;
        while !through {
            self.each_answer(&mut deadline, first.seq, &mut |message| {
                let Some(at) = open.iter().position(|open| open.seq == message.header.seq) else { return };
                let Body::Answer(refusal) = message.body else { return };
                through |= at + 1 == open.len();
                if refusal.errno != 0 {
                    outcomes[open[at].place] = Err(refused(&refusal, &requests[at], &open[at].asked));
                }
            })?;
        }
        Ok(())
    }

    /// Asks for one message.
    pub(crate) fn get(&mut self, body: &Body, asked: &Asked, watch: Watch<'_>) -> Result<Message, SadbError> {
        let request = self.send(kind::GETSA, 0, body, watch)?;
        let mut deadline = Deadline::after(DEADLINE);
        loop {
            let mut found = None;
            self.each_answer(&mut deadline, self.seq, &mut |message| found = Some(message))?;
            match found {
                Some(Message { body: Body::Answer(refusal), .. }) => return Err(refused(&refusal, &request, asked)),
                Some(message) => return Ok(message),
                None => {}
            }
        }
    }

    /// Asks for every SA (GETSA) or policy (GETPOLICY) that `filters` let through and passes each on as it comes, until `each`
    /// breaks.
    ///
    /// The kernel keeps its place in its list whatever is added or removed meanwhile (`xfrm_state_walk`, `xfrm_policy_walk`), and fills the socket no
    /// further than it is read (`netlink_dump`). Should it lose its place or messages all the same, that is an error.
    pub(crate) fn dump(
        &mut self,
        kind: u16,
        filters: Vec<Attribute>,
        watch: Watch<'_>,
        each: EachListed<'_>,
    ) -> Result<(), SadbError> {
        let request = self.send(kind, flag::DUMP, &Body::Dump(filters), watch)?;
        let (mut end, mut interrupted, mut wanted) = (None, false, true);
        while end.is_none() && wanted {
            let passed_on = self.each_answer(&mut Deadline::after(DEADLINE), self.seq, &mut |message| {
                interrupted |= message.header.flags & flag::DUMP_INTR != 0;
                match message.body {
                    Body::Done(errno) => end = Some(Refusal { errno, ..Refusal::default() }),
                    Body::Answer(refusal) => end = Some(refusal),
                    _ => wanted = wanted && each(message).is_continue(),
                }
            });
            match passed_on {
                Err(SadbError::Io(error)) if is_overrun(&error) => interrupted = true,
                other => other?,
            }
        }
        match end {
            None => self.drain(),
            Some(refusal) if refusal.errno != 0 => Err(refused(&refusal, &request, &Asked::default())),
            Some(_) if interrupted => {
                Err(SadbError::BadReply("it changed while it was listed, and some may be missing: list it again".to_owned()))
            }
            Some(_) => Ok(()),
        }
    }

    /// Reads what is left of a dump, so that the kernel takes a new one.
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

    fn send(&mut self, kind: u16, flags: u16, body: &Body, watch: Watch<'_>) -> Result<Buffer, SadbError> {
        let request = self.encode(kind, flags, body)?;
        watch(&request);
        self.socket.send(std::slice::from_ref(&request))?;
        Ok(request)
    }

    /// The message with the next sequence number.
    fn encode(&mut self, kind: u16, flags: u16, body: &Body) -> Result<Buffer, SadbError> {
        self.seq = next(self.seq);
        let header = Header { kind, flags: flag::REQUEST | flags, seq: self.seq, port: self.port() };
        encode(header, body)
            .map_err(|error| SadbError::Unsupported(format!("cannot put the {} into a message: {error}", deed(kind))))
    }

    /// Waits for a datagram and passes on the messages in it that answer a request from number `first` on.
    fn each_answer(&mut self, deadline: &mut Deadline, first: u32, each: &mut dyn FnMut(Message)) -> Result<(), SadbError> {
        let (last, port) = (self.seq, self.port());
        let datagram = self.socket.receive(deadline)?;
        let datagram = datagram.ok_or(SadbError::Timeout { seconds: DEADLINE.as_secs() })?;
        for message in messages(&datagram) {
            let message = message.map_err(|error| SadbError::BadReply(error.to_string()))?;
            let is_answer = message.header.seq.wrapping_sub(first) <= last.wrapping_sub(first);
            if is_answer && message.header.port == port {
                each(message);
            }
        }
        Ok(())
    }
}

/// The sequence number after `seq`; the kernel's own messages have 0.
fn next(seq: u32) -> u32 {
    seq.wrapping_add(1).max(1)
}

/// Whether datagrams were lost for want of buffer.
pub(crate) fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ENOBUFS as i32)
}
