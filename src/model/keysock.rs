//! The socket layer: which database a message is for, and who hears the answer (illumos `keysock.c`).

use crate::model::frame::{Frame, Header, ext};
use crate::model::parse::parse;
use crate::model::refusal::{Checked, Errno, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Seconds;
use crate::model::socket::Dump;
use crate::model::{Context, Model, SocketId, describe, dispatch};
use crate::sa::{MessageType, SaType};

/// Who hears a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    /// Every socket.
    All,
    /// The asker and promiscuous sockets.
    Asker(SocketId),
    /// The asker, sockets registered for that type, promiscuous ones.
    Registered(SocketId, SaType),
    /// The asker, sockets with an extended registration, promiscuous ones.
    Extended(SocketId),
    /// Promiscuous sockets.
    Promiscuous,
}

impl Audience {
    /// Who hears the answer to a message of that type, error or not. Registrations are told apart by the caller.
    fn of(kind: MessageType, asker: SocketId) -> Self {
        match kind {
            MessageType::ADD
            | MessageType::UPDATE
            | MessageType::UPDATE_PAIR
            | MessageType::DELETE
            | MessageType::DELETE_PAIR
            | MessageType::GETSPI
            | MessageType::FLUSH
            | MessageType::EXPIRE => Self::All,
            _ => Self::Asker(asker),
        }
    }
}

/// Message types that need one SA type in particular.
const ONE_TYPE: &[MessageType] = &[
    MessageType::GETSPI,
    MessageType::ADD,
    MessageType::UPDATE,
    MessageType::UPDATE_PAIR,
    MessageType::DELETE,
    MessageType::DELETE_PAIR,
    MessageType::GET,
];

impl Model {
    /// Takes one message from a socket.
    pub(crate) fn take(&mut self, asker: SocketId, message: &[u8], now: Seconds) {
        let mut header = Header::of(message);
        let result = match parse(message, &self.settings) {
            Ok(_) if header.kind() == MessageType::RESERVED || header.kind().0 > MessageType::DELETE_PAIR_STATE.0 => {
                header.set_kind(MessageType::RESERVED);
                Err(Refusal::invalid(d::UNKNOWN_MSG))
            }
            Ok(frame) => self.dispatch(asker, frame, now),
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = result {
            self.deliver(Audience::of(header.kind(), asker), &header.refused(refusal));
        }
    }

    fn dispatch(&mut self, asker: SocketId, frame: Frame, now: Seconds) -> Checked {
        let header = frame.header();
        let sa_type = header.sa_type();
        match header.kind() {
            kind if ONE_TYPE.contains(&kind) => {
                refuse_if(sa_type == SaType::UNSPEC, d::SATYPE_NEEDED)?;
                self.pass_down(frame, sa_type, Audience::of(kind, asker), now)
            }
            MessageType::FLUSH => self.flush(asker, &frame),
            MessageType::DUMP => self.dump(asker, &frame, now),
            MessageType::REGISTER => self.register(asker, frame, now),
            MessageType::ACQUIRE => self.acquire(frame, now),
            MessageType::INVERSE_ACQUIRE => inverse_acquire(&frame),
            MessageType::DELETE_PAIR_STATE => self.delete_pair_state(asker, frame, now),
            MessageType::PROMISC => {
                self.promiscuous(asker, &frame);
                Ok(())
            }
            // EXPIRE: only the kernel may send it.
            _ => Err(Refusal::not_supported(d::NONE)),
        }
    }

    /// Hands a message to the database of that type, and its answer to those who hear it.
    fn pass_down(&mut self, mut frame: Frame, sa_type: SaType, audience: Audience, now: Seconds) -> Checked {
        let database = self.databases.iter_mut().find(|database| database.sa_type == sa_type);
        let database = database.ok_or(Refusal::invalid(d::UNKNOWN_SATYPE))?;
        let mut context = Context { settings: &self.settings, now, random: &mut self.random };
        if let Some(answer) = dispatch::handle(database, &mut frame, &mut context)? {
            self.deliver(audience, &answer);
        }
        Ok(())
    }

    /// The databases that a FLUSH or DUMP is about, in ascending order.
    fn types(&self, sa_type: SaType) -> Checked<Vec<SaType>> {
        let all = self.databases.iter().map(|database| database.sa_type);
        let types: Vec<SaType> = all.filter(|one| sa_type == SaType::UNSPEC || *one == sa_type).collect();
        match (types.is_empty(), sa_type) {
            (false, _) => Ok(types),
            (true, SaType::UNSPEC) => Err(Refusal::not_found(d::NO_SADBS)),
            (true, _) => Err(Refusal::invalid(d::UNKNOWN_SATYPE)),
        }
    }

    fn flush(&mut self, asker: SocketId, frame: &Frame) -> Checked {
        refuse_if(frame.count() > 0, d::NO_EXT)?;
        let types = self.types(frame.header().sa_type())?;
        self.databases
            .iter_mut()
            .filter(|database| types.contains(&database.sa_type))
            .for_each(crate::model::Database::clear);
        self.deliver(Audience::of(MessageType::FLUSH, asker), frame.bytes());
        Ok(())
    }

    fn dump(&mut self, asker: SocketId, frame: &Frame, now: Seconds) -> Checked {
        refuse_if(frame.count() > 0 && !(frame.count() == 1 && frame.has(ext::EDUMP)), d::NO_EXT)?;
        let types = self.types(frame.header().sa_type())?;
        if !self.sockets.get(&asker).is_some_and(|socket| socket.has_room_for_dump(&self.settings)) {
            return Err(Refusal::plain(Errno::ENOMEM));
        }
        let dump = Dump::new(frame, types, now);
        for (id, socket) in &mut self.sockets {
            if *id == asker || socket.promiscuous {
                socket.push_dump(dump.clone(), &self.settings);
            }
        }
        Ok(())
    }

    fn promiscuous(&mut self, asker: SocketId, frame: &Frame) {
        if let Some(socket) = self.sockets.get_mut(&asker) {
            socket.promiscuous = frame.header().sa_type() != SaType::UNSPEC;
        }
        self.deliver(Audience::Asker(asker), frame.bytes());
    }

    fn register(&mut self, asker: SocketId, frame: Frame, now: Seconds) -> Checked {
        let sa_type = frame.header().sa_type();
        let Some(socket) = self.sockets.get_mut(&asker) else { return Ok(()) };
        if sa_type == SaType::UNSPEC {
            let types = frame.register_types().ok_or(Refusal::invalid(d::SATYPE_NEEDED))?;
            if socket.registered.extended || !socket.registered.plain.is_empty() {
                return Err(Refusal::plain(Errno::EBUSY));
            }
            socket.registered.extended = true;
            return self.register_extended(asker, &frame, &types, now);
        }
        if socket.registered.extended {
            return Err(Refusal::plain(Errno::EBUSY));
        }
        self.pass_down(frame, sa_type, Audience::Registered(asker, sa_type), now)?;
        if let Some(socket) = self.sockets.get_mut(&asker)
            && !socket.registered.plain.contains(&sa_type)
        {
            socket.registered.plain.push(sa_type);
        }
        Ok(())
    }

    /// One answer from each database.
    fn register_extended(&mut self, asker: SocketId, frame: &Frame, types: &[SaType], now: Seconds) -> Checked {
        for sa_type in types {
            let copy = parse(frame.bytes(), &self.settings)?;
            self.pass_down(copy, *sa_type, Audience::Extended(asker), now)?;
        }
        Ok(())
    }

    fn acquire(&mut self, frame: Frame, now: Seconds) -> Checked {
        let header = frame.header();
        match (header.errno(), header.sa_type()) {
            (0, SaType::UNSPEC) => Err(Refusal::invalid(d::SATYPE_NEEDED)),
            (0, _) => {
                self.deliver(Audience::Promiscuous, frame.bytes());
                Ok(())
            }
            (_, SaType::UNSPEC) => Ok(()),
            (_, sa_type) => self.pass_down(frame, sa_type, Audience::Promiscuous, now),
        }
    }

    fn delete_pair_state(&mut self, asker: SocketId, frame: Frame, now: Seconds) -> Checked {
        let sa_type = frame.header().sa_type();
        let audience = Audience::of(frame.header().kind(), asker);
        if sa_type != SaType::UNSPEC {
            return self.pass_down(frame, sa_type, audience, now);
        }
        for sa_type in self.types(sa_type)? {
            let copy = parse(frame.bytes(), &self.settings)?;
            if let Err(refusal) = self.pass_down(copy, sa_type, audience, now) {
                self.deliver(audience, &frame.header().refused(refusal));
            }
        }
        Ok(())
    }

    /// Sends the kernel's own EXPIRE messages.
    pub(crate) fn announce(&mut self, expired: &[crate::sa::Message]) {
        for message in expired.iter().filter_map(|message| describe::encoded(message).ok()) {
            self.deliver(Audience::All, &message);
        }
    }

    fn deliver(&mut self, audience: Audience, message: &[u8]) {
        for (id, socket) in &mut self.sockets {
            let hears = socket.promiscuous
                || match audience {
                    Audience::All => true,
                    Audience::Asker(asker) => *id == asker,
                    Audience::Registered(asker, sa_type) => *id == asker || socket.registered.plain.contains(&sa_type),
                    Audience::Extended(asker) => *id == asker || socket.registered.extended,
                    Audience::Promiscuous => false,
                };
            if hears {
                socket.push(message, &self.settings);
            }
        }
    }
}

/// Addresses that an inverse acquire needs, or what is said without them.
const INVERSE: &[(u16, crate::sa::Diagnostic)] = &[(ext::ADDRESS_SRC, d::BAD_SRC), (ext::ADDRESS_DST, d::BAD_DST)];

/// The policy that an inverse acquire asks about: the model has none.
fn inverse_acquire(frame: &Frame) -> Checked {
    refuse_if(!frame.has(ext::ADDRESS_SRC), d::MISSING_SRC)?;
    refuse_if(!frame.has(ext::ADDRESS_DST), d::MISSING_DST)?;
    refuse_if(frame.has(ext::INNER_DST) && !frame.has(ext::INNER_SRC), d::MISSING_INNER_SRC)?;
    refuse_if(frame.has(ext::INNER_SRC) && !frame.has(ext::INNER_DST), d::MISSING_INNER_DST)?;
    let inner = [(ext::INNER_SRC, d::MALFORMED_INNER_SRC), (ext::INNER_DST, d::MALFORMED_INNER_DST)];
    for (kind, diagnostic) in INVERSE.iter().chain(&inner) {
        let is_bad = frame.address(*kind).is_some_and(|address| address.ip.is_none());
        refuse_if(is_bad, *diagnostic)?;
    }
    Err(Refusal::plain(Errno::ENOENT))
}
