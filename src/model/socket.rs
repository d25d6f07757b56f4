//! A PF_KEY socket: its modes and its receive queue.

use std::collections::{BTreeSet, VecDeque};

use crate::model::describe;
use crate::model::describe::KeyDisplay;
use crate::model::frame::{Frame, RawHeader};
use crate::model::refusal::Errno;
use crate::model::settings::{Seconds, Settings};
use crate::model::stored_sa::{Timestamp, timestamp};
use crate::model::table::{Database, Slot};
use crate::sa::SaType;
use crate::secret::Buffer;

/// The registrations of a socket.
#[derive(Default)]
pub(crate) struct Registrations {
    /// SA types whose database has replied to a REGISTER of this socket, with success or an error.
    pub(crate) types: BTreeSet<SaType>,
    /// Whether there was an extended REGISTER (X_EREG).
    pub(crate) extended: bool,
}

/// State of an open socket.
pub(crate) struct Socket {
    pub(crate) promiscuous: bool,
    /// SO_USELOOPBACK: without it a socket receives nothing, not even its own replies.
    pub(crate) loopback: bool,
    pub(crate) registered: Registrations,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
}

enum Queued {
    Message(Buffer),
    Dump(Dump),
}

/// A dump in progress. Each SA is encoded when the client reads it, so that a large dump needs no memory.
#[derive(Clone)]
pub(crate) struct Dump {
    header: RawHeader,
    /// Databases still to be dumped, the next one last.
    types: Vec<SaType>,
    last: Option<Slot>,
    /// When it was requested.
    now: Timestamp,
    /// Dump only SAs that were used within so many seconds; 0 for all.
    timeout: Timestamp,
    errno: u8,
}

impl Dump {
    /// The dump that `frame` requests.
    pub(crate) fn new(frame: &Frame, mut types: Vec<SaType>, now: Seconds) -> Self {
        types.reverse();
        Self { header: frame.header(), types, last: None, now: timestamp(now), timeout: frame.dump_timeout(), errno: 0 }
    }

    /// The next message, and whether it is the end marker.
    fn next(&mut self, databases: &[Database]) -> (Buffer, bool) {
        while let Some(sa_type) = self.types.last().copied() {
            let database = databases.iter().find(|database| database.sa_type == sa_type);
            match database.and_then(|database| self.next_of(database)) {
                Some(message) => return (message, false),
                None => {
                    self.types.pop();
                    self.last = None;
                }
            }
        }
        (self.header.end_of_dump(self.errno), true)
    }

    fn next_of(&mut self, database: &Database) -> Option<Buffer> {
        let mut header = self.header;
        header.set_sa_type(database.sa_type);
        while let Some(slot) = database.next(self.last) {
            self.last = Some(slot);
            // An SA in both tables is listed once, from the outbound table (sadb_dump).
            let shown = database.get(slot).filter(|entry| {
                let is_second_copy = entry.has_copy && slot.direction == crate::model::TableDirection::Inbound;
                // The last use of an SA that was never used is 1970.
                !is_second_copy && (self.timeout == 0 || self.now.saturating_sub(entry.last_used) <= self.timeout)
            });
            let Some(entry) = shown else { continue };
            match describe::encoded(&describe::describe_sa(entry, &header, KeyDisplay::Shown)) {
                Ok(message) => return Some(message),
                // The other SAs are still dumped; the end marker carries the error.
                Err(_) => self.errno = Errno::ENOMEM.0,
            }
        }
        None
    }
}

impl Socket {
    pub(crate) fn new() -> Self {
        Self {
            promiscuous: false,
            loopback: true,
            registered: Registrations::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
        }
    }

    /// Queues a message, or drops it if the high-water mark is reached.
    pub(crate) fn push(&mut self, message: &[u8], settings: &Settings) {
        // Dropped without an error, as by keysock_passup: a client that does not read may wait for this reply for ever.
        if self.loopback && self.queued_bytes < settings.high_water {
            self.queued_bytes += message.len();
            self.queue.push_back(Queued::Message(Buffer::from_slice(message)));
        }
    }

    /// Whether another dump may start.
    pub(crate) fn has_room_for_dump(&self, settings: &Settings) -> bool {
        self.queue.iter().filter(|queued| matches!(queued, Queued::Dump(_))).count() < settings.dumps_at_once
    }

    /// Queues a dump, whatever else is queued.
    pub(crate) fn push_dump(&mut self, dump: Dump, settings: &Settings) {
        // Whatever the high-water mark is: keysock.c queues DUMP messages for later delivery instead of dropping them.
        if self.loopback && self.has_room_for_dump(settings) {
            self.queue.push_back(Queued::Dump(dump));
        }
    }

    /// Removes and returns the next message.
    pub(crate) fn pop(&mut self, databases: &[Database]) -> Option<Buffer> {
        if let Some(Queued::Dump(dump)) = self.queue.front_mut() {
            let (message, is_last) = dump.next(databases);
            if is_last {
                self.queue.pop_front();
            }
            return Some(message);
        }
        let Some(Queued::Message(message)) = self.queue.pop_front() else { return None };
        self.queued_bytes -= message.len();
        Some(message)
    }

    pub(crate) fn has_message(&self) -> bool {
        !self.queue.is_empty()
    }
}
