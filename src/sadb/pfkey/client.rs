//! An SADB behind PF_KEYv2 messages (RFC 2367): the system's socket, `sadb-model`, or the embedded model.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::names::errnos;
use crate::sa::{AuthAlg, EncrAlg, Extension, KeyRole, Message, MessageType, Request, SaType};
use crate::sadb::{MonitorMode, PairScope, Sadb, SadbError, Supported, Trace, Transport, Visitor};
use crate::secret::Buffer;
use crate::sys::time::Deadline;
use crate::wire::pfkey;
use crate::wire::pfkey::Dialect;

/// How long an answer may take, as in the original program.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// As [`Each`], for who changes the message first.
pub(crate) type OwnedVisitor<'a> = &'a mut dyn FnMut(Message) -> ControlFlow<()>;

/// A PF_KEY client: one request at a time, each answer matched by sequence number and process id.
pub struct PfKey<T> {
    pub(super) transport: T,
    pub(super) dialect: &'static Dialect,
    seq: u32,
    /// Whether the next request takes a new sequence number.
    pub(super) begun: bool,
    pub(super) pid: u32,
    trace: Option<Trace>,
}

impl<T: Transport> PfKey<T> {
    /// A client that speaks `dialect` over `transport`.
    #[must_use]
    pub fn new(transport: T, dialect: &'static Dialect) -> Self {
        Self { transport, dialect, seq: 0, begun: true, pid: std::process::id(), trace: None }
    }

    /// Sends a request about one SA and waits for its answer.
    fn ask(&mut self, kind: MessageType, request: &Request) -> Result<Message, SadbError> {
        let seq = self.next_seq();
        let message = pfkey::request(self.dialect, kind, request, seq, self.pid).map_err(unsupported)?;
        self.send(&message)?;
        self.answer(kind, request.sa_type, seq)
    }

    /// Sends a message that is a header alone, a command of its own; the sequence number to expect in answers.
    fn send_header(&mut self, kind: MessageType, sa_type: SaType) -> Result<u32, SadbError> {
        self.begun = true;
        let seq = self.next_seq();
        let request = Request { sa_type, ..Request::default() };
        let message = pfkey::request(self.dialect, kind, &request, seq, self.pid).map_err(unsupported)?;
        self.send(&message)?;
        self.begun = true;
        Ok(seq)
    }

    pub(super) fn next_seq(&mut self) -> u32 {
        if std::mem::take(&mut self.begun) {
            // 0 marks the end of a dump and the kernel's own messages.
            self.seq = self.seq.checked_add(1).unwrap_or(1);
        }
        self.seq
    }

    fn send(&mut self, message: &Buffer) -> Result<(), SadbError> {
        if let Some(trace) = &mut self.trace {
            let sent = pfkey::decode(self.dialect, message).map_err(|error| SadbError::BadReply(error.to_string()))?;
            trace(&sent);
        }
        Ok(self.transport.send(message)?)
    }

    /// The answer to request `seq`; messages meant for others are passed over.
    fn answer(&mut self, kind: MessageType, sa_type: SaType, seq: u32) -> Result<Message, SadbError> {
        let mut deadline = Deadline::after(DEADLINE);
        loop {
            let message = self.receive(&mut deadline)?;
            if message.seq != seq || message.pid != self.pid {
                continue;
            }
            self.judge(&message, kind, sa_type)?;
            return Ok(message);
        }
    }

    /// Whether an answer grants a request of that kind.
    pub(super) fn judge(&self, answer: &Message, kind: MessageType, sa_type: SaType) -> Result<(), SadbError> {
        self.refusal(answer)?;
        if (answer.kind, answer.sa_type) == (kind, sa_type) {
            return Ok(());
        }
        let (found, found_type) = (answer.kind.0, answer.sa_type.0);
        let wanted = format!("message type {} and SA type {}", kind.0, sa_type.0);
        Err(SadbError::BadReply(format!("found message type {found} and SA type {found_type}, wanted {wanted}")))
    }

    fn receive(&mut self, deadline: &mut Deadline) -> Result<Message, SadbError> {
        let bytes = self.transport.receive(deadline)?.ok_or(SadbError::Timeout { seconds: DEADLINE.as_secs() })?;
        pfkey::decode(self.dialect, &bytes).map_err(|error| SadbError::BadReply(error.to_string()))
    }

    /// An error answer as an error.
    fn refusal(&self, message: &Message) -> Result<(), SadbError> {
        if message.errno == 0 {
            return Ok(());
        }
        let errno = i32::from(message.errno);
        let text = match errnos::illumos(message.errno) {
            Some(text) if self.dialect.illumos_errnos => text.to_owned(),
            _ => io::Error::from_raw_os_error(errno).to_string(),
        };
        Err(SadbError::Refused { errno, diagnostic: message.diagnostic, text })
    }

    /// See [`Sadb::dump`].
    pub(crate) fn each_of_dump(&mut self, sa_type: SaType, each: OwnedVisitor<'_>) -> Result<(), SadbError> {
        let seq = self.send_header(MessageType::DUMP, sa_type)?;
        loop {
            // The deadline is for each message: a large dump may take longer than one of them.
            let message = self.receive(&mut Deadline::after(DEADLINE))?;
            if message.pid != self.pid || message.kind != MessageType::DUMP {
                continue;
            }
            if message.errno != 0 && ![0, seq].contains(&message.seq) {
                // It refuses another request.
                continue;
            }
            self.refusal(&message)?;
            // The end of a dump has sequence number 0: on illumos a message without an SA, on Linux the last SA's.
            let is_last = message.seq == 0;
            let is_sa = !message.extensions.is_empty();
            if (is_sa && each(message).is_break()) || is_last {
                return Ok(());
            }
        }
    }

    /// What the SADB tells this socket, until `each` breaks.
    pub(crate) fn each_heard(&mut self, each: OwnedVisitor<'_>) -> Result<(), SadbError> {
        loop {
            let Some(bytes) = self.transport.receive(&mut Deadline::never())? else { continue };
            let message = match pfkey::decode(self.dialect, &bytes) {
                Ok(message) => message,
                Err(error) => return Err(SadbError::BadReply(error.to_string())),
            };
            if let ControlFlow::Break(()) = each(message) {
                return Ok(());
            }
        }
    }
}

impl<T: Transport> Sadb for PfKey<T> {
    fn add(&mut self, request: &Request) -> Result<(), SadbError> {
        self.ask(MessageType::ADD, request).map(drop)
    }

    fn update(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError> {
        let kind = match reach {
            PairScope::One => MessageType::UPDATE,
            PairScope::Pair => MessageType::UPDATE_PAIR,
        };
        self.ask(kind, request).map(drop)
    }

    fn delete(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError> {
        let kind = match reach {
            PairScope::One => MessageType::DELETE,
            PairScope::Pair => MessageType::DELETE_PAIR,
        };
        self.ask(kind, request).map(drop)
    }

    fn get(&mut self, request: &Request) -> Result<Message, SadbError> {
        self.ask(MessageType::GET, request)
    }

    fn flush(&mut self, sa_type: SaType) -> Result<(), SadbError> {
        let seq = self.send_header(MessageType::FLUSH, sa_type)?;
        self.answer(MessageType::FLUSH, sa_type, seq).map(drop)
    }

    fn dump(&mut self, sa_type: SaType, each: Visitor<'_>) -> Result<(), SadbError> {
        self.each_of_dump(sa_type, &mut |message| each(&message))
    }

    fn monitor(&mut self, hearing: MonitorMode, each: Visitor<'_>) -> Result<(), SadbError> {
        if hearing == MonitorMode::All {
            // Any type but 0 turns it on.
            self.send_header(MessageType::PROMISC, SaType(1))?;
        }
        self.each_heard(&mut |message| each(&message))
    }

    fn supported(&mut self) -> Result<Supported, SadbError> {
        let mut supported = Supported::default();
        for sa_type in [SaType::AH, SaType::ESP] {
            let seq = self.send_header(MessageType::REGISTER, sa_type)?;
            for extension in self.answer(MessageType::REGISTER, sa_type, seq)?.extensions {
                match extension {
                    Extension::Supported(KeyRole::Auth, rows) => {
                        supported.auth.extend(rows.iter().map(|row| AuthAlg(row.id.into())));
                    }
                    Extension::Supported(KeyRole::Encr, rows) => {
                        supported.encr.extend(rows.iter().map(|row| EncrAlg(row.id.into())));
                    }
                    _ => {}
                }
            }
        }
        Ok(supported)
    }

    fn new_sequence(&mut self) {
        self.begun = true;
    }

    fn set_trace(&mut self, trace: Trace) {
        self.trace = Some(trace);
    }
}

/// Nothing was sent: the dialect has no way to say it.
pub(super) fn unsupported(error: pfkey::EncodeError) -> SadbError {
    SadbError::Unsupported(error.to_string())
}
