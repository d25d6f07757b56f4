//! The socket layer: selects the database for a message and the recipients of its reply (illumos `keysock.c`).

use crate::model::frame::{Frame, RawHeader, ext};
use crate::model::parse::parse;
use crate::model::refusal::{Checked, Errno, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Seconds;
use crate::model::socket::Dump;
use crate::model::{Context, Model, SocketId, describe, dispatch};
use crate::sa::{MessageType, SaType};

/// The sockets that receive a message (`keysock_passup`). Promiscuous sockets always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recipients {
    All,
    Sender(SocketId),
    /// The sender and sockets registered for that SA type.
    Registered(SocketId, SaType),
    /// The sender and sockets with an extended registration.
    Extended(SocketId),
    Promiscuous,
}

impl Recipients {
    /// The recipients of a reply to a message of that type, whether it reports success or an error. The caller handles REGISTER.
    fn of(kind: MessageType, sender: SocketId) -> Self {
        match kind {
            MessageType::ADD
            | MessageType::UPDATE
            | MessageType::UPDATE_PAIR
            | MessageType::DELETE
            | MessageType::DELETE_PAIR
            | MessageType::GETSPI
            | MessageType::FLUSH
            | MessageType::EXPIRE => Self::All,
            _ => Self::Sender(sender),
        }
    }
}

/// Message types that need an SA type other than UNSPEC.
const NEEDS_SA_TYPE: &[MessageType] = &[
    MessageType::GETSPI,
    MessageType::ADD,
    MessageType::UPDATE,
    MessageType::UPDATE_PAIR,
    MessageType::DELETE,
    MessageType::DELETE_PAIR,
    MessageType::GET,
];

impl Model {
    /// Handles one message from a socket.
    pub(crate) fn handle(&mut self, sender: SocketId, message: &[u8], now: Seconds) {
        let mut header = RawHeader::of(message);
        // keysock_parse walks the extensions first: a malformed extension takes precedence over an unknown message type.
        let result = match parse(message, &self.settings) {
            Ok(_) if header.kind() == MessageType::RESERVED || header.kind().0 > MessageType::DELETE_PAIR_STATE.0 => {
                // keysock_error answers an unknown type as type 0.
                header.set_kind(MessageType::RESERVED);
                Err(Refusal::invalid(d::UNKNOWN_MSG))
            }
            Ok(frame) => self.dispatch(sender, frame, now),
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = result {
            self.deliver(Recipients::of(header.kind(), sender), &header.error_reply(refusal));
        }
    }

    fn dispatch(&mut self, sender: SocketId, frame: Frame, now: Seconds) -> Checked {
        let header = frame.header();
        let sa_type = header.sa_type();
        match header.kind() {
            kind if NEEDS_SA_TYPE.contains(&kind) => {
                refuse_if(sa_type == SaType::UNSPEC, d::SATYPE_NEEDED)?;
                self.pass_down(frame, sa_type, Recipients::of(kind, sender), now)
            }
            MessageType::FLUSH => self.flush(sender, &frame),
            MessageType::DUMP => self.dump(sender, &frame, now),
            MessageType::REGISTER => self.register(sender, frame, now),
            MessageType::ACQUIRE => self.acquire(frame, now),
            MessageType::INVERSE_ACQUIRE => inverse_acquire(&frame),
            MessageType::DELETE_PAIR_STATE => self.delete_pair_state(sender, frame, now),
            MessageType::PROMISC => {
                self.promiscuous(sender, &frame);
                Ok(())
            }
            // EXPIRE goes from the kernel to its clients only.
            _ => Err(Refusal::not_supported(d::NONE)),
        }
    }

    /// Passes a message to the database of that type and its reply to `recipients`.
    fn pass_down(&mut self, mut frame: Frame, sa_type: SaType, audience: Recipients, now: Seconds) -> Checked {
        let database = self.databases.iter_mut().find(|database| database.sa_type == sa_type);
        let database = database.ok_or(Refusal::invalid(d::UNKNOWN_SATYPE))?;
        let mut context = Context { settings: &self.settings, now, random: &mut self.random };
        if let Some(answer) = dispatch::handle(database, &mut frame, &mut context)? {
            self.deliver(audience, &answer);
        }
        Ok(())
    }

    /// The databases that a FLUSH or DUMP selects, in ascending order.
    fn selected_databases(&self, sa_type: SaType) -> Checked<Vec<SaType>> {
        let all = self.databases.iter().map(|database| database.sa_type);
        let types: Vec<SaType> = all.filter(|one| sa_type == SaType::UNSPEC || *one == sa_type).collect();
        match (types.is_empty(), sa_type) {
            (false, _) => Ok(types),
            (true, SaType::UNSPEC) => Err(Refusal::not_found(d::NO_SADBS)),
            (true, _) => Err(Refusal::invalid(d::UNKNOWN_SATYPE)),
        }
    }

    fn flush(&mut self, sender: SocketId, frame: &Frame) -> Checked {
        refuse_if(frame.count() > 0, d::NO_EXT)?;
        let types = self.selected_databases(frame.header().sa_type())?;
        self.databases
            .iter_mut()
            .filter(|database| types.contains(&database.sa_type))
            .for_each(crate::model::Database::clear);
        // One reply, even if all databases were flushed.
        self.deliver(Recipients::of(MessageType::FLUSH, sender), frame.bytes());
        Ok(())
    }

    fn dump(&mut self, sender: SocketId, frame: &Frame, now: Seconds) -> Checked {
        refuse_if(frame.count() > 0 && !(frame.count() == 1 && frame.has(ext::EDUMP)), d::NO_EXT)?;
        let types = self.selected_databases(frame.header().sa_type())?;
        if !self.sockets.get(&sender).is_some_and(|socket| socket.has_room_for_dump(&self.settings)) {
            // keysock_do_flushdump reports a dump in progress as ENOMEM, not as EBUSY.
            return Err(Refusal::plain(Errno::ENOMEM));
        }
        let dump = Dump::new(frame, types, now);
        for (id, socket) in &mut self.sockets {
            if *id == sender || socket.promiscuous {
                // Promiscuous sockets receive the replies to a dump as well, with the keys.
                socket.push_dump(dump.clone(), &self.settings);
            }
        }
        Ok(())
    }

    fn promiscuous(&mut self, sender: SocketId, frame: &Frame) {
        if let Some(socket) = self.sockets.get_mut(&sender) {
            socket.promiscuous = frame.header().sa_type() != SaType::UNSPEC;
        }
        self.deliver(Recipients::Sender(sender), frame.bytes());
    }

    fn register(&mut self, sender: SocketId, frame: Frame, now: Seconds) -> Checked {
        let sa_type = frame.header().sa_type();
        let Some(socket) = self.sockets.get_mut(&sender) else { return Ok(()) };
        if sa_type == SaType::UNSPEC {
            let types = frame.register_types().ok_or(Refusal::invalid(d::SATYPE_NEEDED))?;
            // The kernel sends EBUSY and registers the socket nevertheless; the model does not.
            if socket.registered.extended || !socket.registered.plain.is_empty() {
                return Err(Refusal::plain(Errno::EBUSY));
            }
            socket.registered.extended = true;
            return self.register_extended(sender, &frame, &types, now);
        }
        if socket.registered.extended {
            return Err(Refusal::plain(Errno::EBUSY));
        }
        self.pass_down(frame, sa_type, Recipients::Registered(sender, sa_type), now)?;
        if let Some(socket) = self.sockets.get_mut(&sender)
            && !socket.registered.plain.contains(&sa_type)
        {
            socket.registered.plain.push(sa_type);
        }
        Ok(())
    }

    /// Sends one reply from each database.
    fn register_extended(&mut self, sender: SocketId, frame: &Frame, types: &[SaType], now: Seconds) -> Checked {
        for sa_type in types {
            // A copy for each database, because a reply may be the edited request. It was parsed before, so this does not
            // fail.
            let copy = parse(frame.bytes(), &self.settings)?;
            self.pass_down(copy, *sa_type, Recipients::Extended(sender), now)?;
        }
        Ok(())
    }

    fn acquire(&mut self, frame: Frame, now: Seconds) -> Checked {
        let header = frame.header();
        match (header.errno(), header.sa_type()) {
            (0, SaType::UNSPEC) => Err(Refusal::invalid(d::SATYPE_NEEDED)),
            // Without an errno an ACQUIRE from a client is only echoed (keysock_parse).
            (0, _) => {
                self.deliver(Recipients::Promiscuous, frame.bytes());
                Ok(())
            }
            (_, SaType::UNSPEC) => Ok(()),
            (_, sa_type) => self.pass_down(frame, sa_type, Recipients::Promiscuous, now),
        }
    }

    fn delete_pair_state(&mut self, sender: SocketId, frame: Frame, now: Seconds) -> Checked {
        let sa_type = frame.header().sa_type();
        let audience = Recipients::of(frame.header().kind(), sender);
        if sa_type != SaType::UNSPEC {
            return self.pass_down(frame, sa_type, audience, now);
        }
        for sa_type in self.selected_databases(sa_type)? {
            // Each database replies, whether with success or an error.
            let copy = parse(frame.bytes(), &self.settings)?;
            if let Err(refusal) = self.pass_down(copy, sa_type, audience, now) {
                self.deliver(audience, &frame.header().error_reply(refusal));
            }
        }
        Ok(())
    }

    /// Sends EXPIRE messages to all sockets.
    pub(crate) fn announce(&mut self, expired: &[crate::sa::Message]) {
        for message in expired.iter().filter_map(|message| describe::encoded(message).ok()) {
            self.deliver(Recipients::All, &message);
        }
    }

    fn deliver(&mut self, audience: Recipients, message: &[u8]) {
        for (id, socket) in &mut self.sockets {
            // Promiscuous sockets receive the replies to others, including the keys in those to GET and DUMP.
            let receives = socket.promiscuous
                || match audience {
                    Recipients::All => true,
                    Recipients::Sender(sender) => *id == sender,
                    Recipients::Registered(sender, sa_type) => *id == sender || socket.registered.plain.contains(&sa_type),
                    Recipients::Extended(sender) => *id == sender || socket.registered.extended,
                    Recipients::Promiscuous => false,
                };
            if receives {
                socket.push(message, &self.settings);
            }
        }
    }
}

/// Addresses of an inverse acquire, each with the diagnostic for an unknown family.
const INVERSE_ACQUIRE_ADDRESSES: &[(u16, crate::sa::DiagnosticCode)] =
    &[(ext::ADDRESS_SRC, d::BAD_SRC), (ext::ADDRESS_DST, d::BAD_DST)];

/// X_INVERSE_ACQUIRE looks up a policy. The model has no SPD, so a valid request gets ENOENT.
fn inverse_acquire(frame: &Frame) -> Checked {
    refuse_if(!frame.has(ext::ADDRESS_SRC), d::MISSING_SRC)?;
    refuse_if(!frame.has(ext::ADDRESS_DST), d::MISSING_DST)?;
    refuse_if(frame.has(ext::INNER_DST) && !frame.has(ext::INNER_SRC), d::MISSING_INNER_SRC)?;
    refuse_if(frame.has(ext::INNER_SRC) && !frame.has(ext::INNER_DST), d::MISSING_INNER_DST)?;
    let inner = [(ext::INNER_SRC, d::MALFORMED_INNER_SRC), (ext::INNER_DST, d::MALFORMED_INNER_DST)];
    for (kind, diagnostic) in INVERSE_ACQUIRE_ADDRESSES.iter().chain(&inner) {
        let is_bad = frame.address(*kind).is_some_and(|address| address.ip.is_none());
        refuse_if(is_bad, *diagnostic)?;
    }
    Err(Refusal::plain(Errno::ENOENT))
}
