//! A PF_KEYv2 client (RFC 2367) for the system's socket, `sadb-model` or the embedded model.

use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::names::{diagnostics, errnos};
use crate::sa::{AuthAlg, EncrAlg, Extension, KeyRole, Message, MessageType, Request, SaType};
use crate::sadb::{MonitorMode, PairScope, Sadb, SadbError, Supported, Trace, Transport, Visitor};
use crate::secret::Buffer;
use crate::sys::time::Deadline;
use crate::wire::pfkey;
use crate::wire::pfkey::Dialect;

/// Timeout of a reply, as in ipseckey(1M).
pub(super) const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// A [`Visitor`] that takes ownership of the message.
pub(crate) type OwnedVisitor<'a> = &'a mut dyn FnMut(Message) -> ControlFlow<()>;

/// A PF_KEY client. It sends one request at a time and matches replies by sequence number and pid.
pub(crate) struct PfKey<T> {
    pub(in crate::sadb) transport: T,
    pub(super) dialect: &'static Dialect,
    seq: u32,
    /// Whether the next request gets a new sequence number.
    pub(super) starts_sequence: bool,
    pub(super) pid: u32,
    trace: Option<Trace>,
}

impl<T: Transport> PfKey<T> {
    /// A client for `dialect` over `transport`.
    #[must_use]
    pub(crate) fn new(transport: T, dialect: &'static Dialect) -> Self {
        Self { transport, dialect, seq: 0, starts_sequence: true, pid: std::process::id(), trace: None }
    }

    /// Sends a request about one SA and waits for the reply.
    ///
    /// # Errors
    /// [`SadbError`]
    pub(in crate::sadb) fn request(&mut self, kind: MessageType, request: &Request) -> Result<Message, SadbError> {
        let seq = self.next_seq();
        let message = pfkey::request(self.dialect, kind, request, seq, self.pid).map_err(unsupported)?;
        self.send(&message)?;
        self.receive_reply(kind, request.sa_type, seq)
    }

    /// Whether `addr` is an address of the SADB's node, which the SADB alone knows. illumos checks the addresses of every message
    /// before it looks for the SA, and refuses a NAT-T address that is its own (D-55): a GET with it asks without a change.
    ///
    /// # Errors
    /// [`SadbError`]
    pub(in crate::sadb) fn has_address(&mut self, request: &Request, addr: IpAddr) -> Result<bool, SadbError> {
        let seq = self.next_seq();
        let message = pfkey::get_with_natt(self.dialect, request, addr, seq, self.pid).map_err(unsupported)?;
        self.send(&message)?;
        match self.receive_reply(MessageType::GET, request.sa_type, seq) {
            Err(SadbError::Refused { diagnostic, .. }) => Ok(diagnostic == diagnostics::MALFORMED_NATT_LOC),
            reply => reply.map(|_| false),
        }
    }

    /// Sends a message without extensions and with a sequence number of its own, which it returns.
    fn send_header(&mut self, kind: MessageType, sa_type: SaType) -> Result<u32, SadbError> {
        self.starts_sequence = true;
        let seq = self.next_seq();
        let request = Request { sa_type, ..Request::default() };
        let message = pfkey::request(self.dialect, kind, &request, seq, self.pid).map_err(unsupported)?;
        self.send(&message)?;
        self.starts_sequence = true;
        Ok(seq)
    }

    pub(super) fn next_seq(&mut self) -> u32 {
        if std::mem::take(&mut self.starts_sequence) {
            // 0 marks the end of a dump and unsolicited messages of the kernel.
            self.seq = self.seq.checked_add(1).unwrap_or(1);
        }
        self.seq
    }

    fn send(&mut self, message: &Buffer) -> Result<(), SadbError> {
        // The encoded message is decoded again, so that the trace shows what is really sent.
        if let Some(trace) = &mut self.trace {
            let sent = pfkey::decode(self.dialect, message).map_err(|error| SadbError::BadReply(error.to_string()))?;
            trace(&sent);
        }
        Ok(self.transport.send(message)?)
    }

    /// Receives the reply to request `seq`; skips other messages, such as replies to other processes.
    fn receive_reply(&mut self, kind: MessageType, sa_type: SaType, seq: u32) -> Result<Message, SadbError> {
        // One deadline for all messages: broadcasts about other processes must not extend the wait.
        let mut deadline = Deadline::after(REPLY_TIMEOUT);
        loop {
            let message = self.receive(&mut deadline)?;
            // illumos and Linux echo both fields unchecked, so another process may use the same sequence number.
            if message.seq != seq || message.pid != self.pid {
                continue;
            }
            self.check_reply(&message, kind, sa_type)?;
            return Ok(message);
        }
    }

    /// Checks the errno, message type and SA type of a reply.
    pub(super) fn check_reply(&self, reply: &Message, kind: MessageType, sa_type: SaType) -> Result<(), SadbError> {
        self.check_errno(reply)?;
        if (reply.kind, reply.sa_type) == (kind, sa_type) {
            return Ok(());
        }
        let (found, found_type) = (reply.kind.0, reply.sa_type.0);
        let expected = format!("message type {} and SA type {}", kind.0, sa_type.0);
        Err(SadbError::BadReply(format!("found message type {found} and SA type {found_type}, expected {expected}")))
    }

    fn receive(&mut self, deadline: &mut Deadline) -> Result<Message, SadbError> {
        let bytes = self.transport.receive(deadline)?.ok_or(SadbError::Timeout { seconds: REPLY_TIMEOUT.as_secs() })?;
        pfkey::decode(self.dialect, &bytes).map_err(|error| SadbError::BadReply(error.to_string()))
    }

    /// Turns a reply with an errno into an error.
    fn check_errno(&self, message: &Message) -> Result<(), SadbError> {
        if message.errno == 0 {
            return Ok(());
        }
        let errno = i32::from(message.errno);
        // A client of `sadb-model` may run on Linux, where illumos' errnos above 34 have other meanings.
        let text = match errnos::illumos(message.errno) {
            Some(text) if self.dialect.illumos_errnos => text.to_owned(),
            _ => io::Error::from_raw_os_error(errno).to_string(),
        };
        Err(SadbError::Refused { errno, diagnostic: message.diagnostic, text })
    }

    /// See [`Sadb::dump`].
    pub(crate) fn visit_dump(&mut self, sa_type: SaType, each: OwnedVisitor<'_>) -> Result<(), SadbError> {
        let seq = self.send_header(MessageType::DUMP, sa_type)?;
        loop {
            // The timeout applies to each message, because a large dump may take longer.
            let message = self.receive(&mut Deadline::after(REPLY_TIMEOUT))?;
            if message.pid != self.pid || message.kind != MessageType::DUMP {
                continue;
            }
            if message.errno != 0 && ![0, seq].contains(&message.seq) {
                // An error reply to an earlier request.
                continue;
            }
            self.check_errno(&message)?;
            // Sequence number 0 ends a dump: on illumos in a message without an SA, on Linux in the message of the last SA
            // (pfkey_dump_sa in af_key.c).
            let is_last = message.seq == 0;
            let is_sa = !message.extensions.is_empty();
            if (is_sa && each(message).is_break()) || is_last {
                return Ok(());
            }
        }
    }

    /// Asks for the messages of `hearing`.
    ///
    /// # Errors
    /// Those of sending.
    pub(in crate::sadb) fn start_monitor(&mut self, hearing: MonitorMode) -> Result<(), SadbError> {
        if hearing == MonitorMode::All {
            // Any SA type except 0 turns promiscuous mode on (RFC 2367 section 3.1.11).
            self.send_header(MessageType::PROMISC, SaType(1))?;
        }
        Ok(())
    }

    /// Calls `each` for every message that this socket receives, until it breaks.
    pub(crate) fn visit_messages(&mut self, each: OwnedVisitor<'_>) -> Result<(), SadbError> {
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
        self.request(MessageType::ADD, request).map(drop)
    }

    fn update(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError> {
        let kind = match reach {
            PairScope::One => MessageType::UPDATE,
            PairScope::Pair => MessageType::UPDATE_PAIR,
        };
        self.request(kind, request).map(drop)
    }

    fn delete(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError> {
        let kind = match reach {
            PairScope::One => MessageType::DELETE,
            PairScope::Pair => MessageType::DELETE_PAIR,
        };
        self.request(kind, request).map(drop)
    }

    fn get(&mut self, request: &Request) -> Result<Message, SadbError> {
        self.request(MessageType::GET, request)
    }

    fn flush(&mut self, sa_type: SaType) -> Result<(), SadbError> {
        let seq = self.send_header(MessageType::FLUSH, sa_type)?;
        self.receive_reply(MessageType::FLUSH, sa_type, seq).map(drop)
    }

    fn dump(&mut self, sa_type: SaType, each: Visitor<'_>) -> Result<(), SadbError> {
        self.visit_dump(sa_type, &mut |message| each(&message))
    }

    fn monitor(&mut self, hearing: MonitorMode, each: Visitor<'_>) -> Result<(), SadbError> {
        self.start_monitor(hearing)?;
        self.visit_messages(&mut |message| each(&message))
    }

    fn supported(&mut self) -> Result<Supported, SadbError> {
        let mut supported = Supported::default();
        for sa_type in [SaType::AH, SaType::ESP] {
            let seq = self.send_header(MessageType::REGISTER, sa_type)?;
            for extension in self.receive_reply(MessageType::REGISTER, sa_type, seq)?.extensions {
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
        self.starts_sequence = true;
    }

    fn set_trace(&mut self, trace: Trace) {
        self.trace = Some(trace);
    }
}

/// The dialect cannot encode the request.
pub(super) fn unsupported(error: pfkey::EncodeError) -> SadbError {
    SadbError::Unsupported(error.to_string())
}
