//! The socket layer: selects the database for a message and the recipients of its reply (illumos `keysock.c`).

use crate::model::frame::{Frame, RawHeader, ext};
use crate::model::inverse_acquire::inverse_acquire;
use crate::model::parse::parse;
use crate::model::refusal::{Checked, Errno, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Seconds;
use crate::model::socket::Dump;
use crate::model::{Context, Model, SocketId, describe, dispatch};
use crate::sa::{MessageType, SaType};
use crate::secret::Buffer;

/// The sockets that receive a message (`keysock_passup`). Promiscuous sockets always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recipients {
    All,
    Sender(SocketId),
    /// The sender and sockets with a plain registration for that SA type.
    Registered(SocketId, SaType),
    /// The sender and sockets with an extended registration.
    Extended(SocketId),
    Promiscuous,
}

impl Recipients {
    /// The recipients of a message of the socket layer itself.
    fn of(header: &RawHeader, sender: SocketId) -> Self {
        match header.kind() {
            MessageType::ADD
            | MessageType::UPDATE
            | MessageType::UPDATE_PAIR
            | MessageType::DELETE
            | MessageType::DELETE_PAIR
            | MessageType::GETSPI
            | MessageType::FLUSH
            | MessageType::EXPIRE => Self::All,
            MessageType::ACQUIRE if header.sa_type() == SaType::UNSPEC => Self::Extended(sender),
            _ => Self::Sender(sender),
        }
    }

    /// The recipients of a message from the database of `sa_type`.
    fn of_database(header: &RawHeader, sender: SocketId, sa_type: SaType) -> Self {
        match (header.kind(), header.sa_type()) {
            (MessageType::REGISTER, SaType::UNSPEC) => Self::Extended(sender),
            (MessageType::REGISTER, _) => Self::Registered(sender, sa_type),
            (MessageType::ACQUIRE, of) if of != SaType::UNSPEC => Self::Registered(sender, sa_type),
            _ => Self::of(header, sender),
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

/// Length of a DUMP with an X_EDUMP extension.
const LONGEST_DUMP: usize = 32;

impl Model {
    /// Handles one message from a socket.
    pub(crate) fn handle(&mut self, sender: SocketId, message: &[u8], now: Seconds) {
        // keysock_parse walks the extensions first: a malformed extension takes precedence over an unknown message type.
        let result = parse(message).and_then(|frame| self.dispatch(sender, frame, now));
        if let Err(refusal) = result {
            self.refuse(sender, RawHeader::of(message), refusal);
        }
    }

    /// Replies with an error of the socket layer (`keysock_error`). An unknown type becomes 0.
    fn refuse(&mut self, sender: SocketId, mut header: RawHeader, refusal: Refusal) {
        if header.kind().0 > MessageType::DELETE_PAIR_STATE.0 {
            header.set_kind(MessageType::RESERVED);
        }
        self.deliver(Recipients::of(&header, sender), &header.error_reply(refusal));
    }

    fn dispatch(&mut self, sender: SocketId, frame: Frame, now: Seconds) -> Checked {
        let header = frame.header();
        let sa_type = header.sa_type();
        match header.kind() {
            kind if NEEDS_SA_TYPE.contains(&kind) => {
                refuse_if(sa_type == SaType::UNSPEC, d::SATYPE_NEEDED)?;
                self.pass_down(sender, frame, sa_type, now)
            }
            MessageType::FLUSH => self.flush(sender, &frame),
            MessageType::DUMP => self.dump(sender, &frame, now),
            MessageType::REGISTER => self.register(sender, frame, now),
            MessageType::ACQUIRE => self.acquire(sender, frame, now),
            MessageType::INVERSE_ACQUIRE => inverse_acquire(frame),
            MessageType::DELETE_PAIR_STATE => self.delete_pair_state(sender, frame, now),
            MessageType::PROMISC => {
                self.promiscuous(sender, &frame);
                Ok(())
            }
            // EXPIRE goes from the kernel to its clients only.
            MessageType::EXPIRE => Err(Refusal::not_supported(d::NONE)),
            _ => Err(Refusal::invalid(d::UNKNOWN_MSG)),
        }
    }

    /// Passes a message to the database of that type, and its reply to the recipients (`keysock_passdown`).
    fn pass_down(&mut self, sender: SocketId, mut frame: Frame, sa_type: SaType, now: Seconds) -> Checked {
        let database = self.databases.iter_mut().find(|database| database.sa_type == sa_type);
        let database = database.ok_or(Refusal::invalid(d::UNKNOWN_SATYPE))?;
        let mut context = Context { settings: &self.settings, now, random: &mut self.random };
        match dispatch::handle(database, &mut frame, &mut context) {
            Ok(Some(answer)) => self.pass_up(sender, sa_type, answer),
            Ok(None) => {}
            Err(refusal) => self.pass_up(sender, sa_type, frame.header().error_reply(refusal)),
        }
        Ok(())
    }

    /// Passes a reply of a database to its recipients (`keysock_passup`).
    fn pass_up(&mut self, sender: SocketId, sa_type: SaType, mut answer: Buffer) {
        let header = RawHeader::of(&answer);
        if header.kind() == MessageType::REGISTER {
            // An error registers, too.
            if let Some(socket) = self.sockets.get_mut(&sender) {
                socket.registered.types.insert(sa_type);
            }
            if let Some(byte) = answer.get_mut(RawHeader::SA_TYPE_AT) {
                *byte = sa_type.0;
            }
        }
        self.deliver(Recipients::of_database(&header, sender, sa_type), &answer);
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
        self.deliver(Recipients::of(&frame.header(), sender), frame.bytes());
        Ok(())
    }

    fn dump(&mut self, sender: SocketId, frame: &Frame, now: Seconds) -> Checked {
        let is_filter = frame.has(ext::EDUMP) && frame.bytes().len() <= LONGEST_DUMP;
        refuse_if(frame.count() > 0 && !is_filter, d::NO_EXT)?;
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
            // The kernel sends EBUSY, then reads the message that it has freed; the model stops here.
            if !socket.registered.types.is_empty() {
                return Err(Refusal::plain(Errno::EBUSY));
            }
            socket.registered.extended = true;
            let types = frame.register_types().ok_or(Refusal::invalid(d::SATYPE_NEEDED))?;
            return self.pass_down_to_each(sender, &frame, &types, now);
        }
        if socket.registered.extended {
            return Err(Refusal::plain(Errno::EBUSY));
        }
        self.pass_down(sender, frame, sa_type, now)
    }

    /// Each type gives its own reply, with success or an error.
    fn pass_down_to_each(&mut self, sender: SocketId, frame: &Frame, types: &[SaType], now: Seconds) -> Checked {
        for sa_type in types {
            // A copy for each database, because a reply may be the edited request. It was parsed before, so this does not
            // fail.
            let copy = parse(frame.bytes())?;
            if let Err(refusal) = self.pass_down(sender, copy, *sa_type, now) {
                self.refuse(sender, frame.header(), refusal);
            }
        }
        Ok(())
    }

    fn acquire(&mut self, sender: SocketId, frame: Frame, now: Seconds) -> Checked {
        let header = frame.header();
        match (header.errno(), header.sa_type()) {
            (0, SaType::UNSPEC) => Err(Refusal::invalid(d::SATYPE_NEEDED)),
            // Without an errno an ACQUIRE from a client is only echoed (keysock_parse).
            (0, _) => {
                self.deliver(Recipients::Promiscuous, frame.bytes());
                Ok(())
            }
            (_, SaType::UNSPEC) => {
                let registered = self.sockets.get(&sender).map(|socket| &socket.registered);
                let registered = registered.filter(|registered| registered.extended);
                let types = &registered.ok_or(Refusal::invalid(d::SATYPE_NEEDED))?.types;
                let sa_type = *types.first().ok_or(Refusal::plain(Errno::EBUSY))?;
                self.pass_down(sender, frame, sa_type, now)
            }
            (_, sa_type) => self.pass_down(sender, frame, sa_type, now),
        }
    }

    fn delete_pair_state(&mut self, sender: SocketId, frame: Frame, now: Seconds) -> Checked {
        let sa_type = frame.header().sa_type();
        if sa_type != SaType::UNSPEC {
            return self.pass_down(sender, frame, sa_type, now);
        }
        let types = self.selected_databases(sa_type)?;
        self.pass_down_to_each(sender, &frame, &types, now)
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
                    Recipients::Registered(sender, sa_type) => {
                        *id == sender || (!socket.registered.extended && socket.registered.types.contains(&sa_type))
                    }
                    Recipients::Extended(sender) => *id == sender || socket.registered.extended,
                    Recipients::Promiscuous => false,
                };
            if receives {
                socket.push(message, &self.settings);
            }
        }
    }
}
