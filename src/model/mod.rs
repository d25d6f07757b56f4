//! The model SADB: the keysock and the AH and ESP databases of an illumos kernel as a library.
//!
//! A message goes from `keysock` through `parse` to `dispatch`; `address` and `checks` validate it; `add`, `update`, `delete`
//! and `age` change the `table`s; `describe` encodes their contents. The caller supplies the clock. It replies as the kernel
//! does, mistakes of the kernel included; docs/behaviour.md lists them, and the few differences.
#![forbid(unsafe_code)]

mod add;
mod address;
mod age;
mod checks;
mod delete;
mod describe;
mod dispatch;
mod frame;
mod inverse_acquire;
mod keys;
mod keysock;
mod limits;
pub(crate) mod linux;
mod pair;
mod parse;
mod placement;
mod refusal;
mod replay_window;
pub(crate) mod server;
mod settings;
mod socket;
mod stored_sa;
mod table;
#[cfg(test)]
mod tests;
mod update;
mod weak;

use std::collections::BTreeMap;

pub use server::serve;
pub(crate) use settings::{Seconds, Settings};
pub(crate) use table::TableDirection;

use settings::Random;
use socket::Socket;
use table::Database;

#[cfg(test)]
use crate::sa::SaId;
use crate::secret::Buffer;

/// Identifies an open socket of a [`Model`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SocketId(u64);

/// Settings, clock and random numbers while one request is handled.
struct Context<'a> {
    settings: &'a Settings,
    now: Seconds,
    random: &'a mut Random,
}

/// A model SADB. It holds keys, so it has no `Debug`.
pub(crate) struct Model {
    settings: Settings,
    databases: Vec<Database>,
    sockets: BTreeMap<SocketId, Socket>,
    last_socket: u64,
    random: Random,
    last_pass: Seconds,
}

impl Model {
    /// Starts with empty databases.
    #[must_use]
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            databases: settings.databases.iter().map(|sa_type| Database::new(*sa_type)).collect(),
            random: Random::new(settings.seed),
            settings,
            sockets: BTreeMap::new(),
            last_socket: 0,
            last_pass: 0,
        }
    }

    /// Opens a socket without registrations.
    pub(crate) fn open(&mut self) -> SocketId {
        self.last_socket += 1;
        let id = SocketId(self.last_socket);
        self.sockets.insert(id, Socket::new());
        id
    }

    /// Closes a socket and drops its queued messages.
    pub(crate) fn close(&mut self, socket: SocketId) {
        self.sockets.remove(&socket);
    }

    /// SO_USELOOPBACK, on by default: a socket without it receives no message at all, not even its own replies.
    #[cfg(test)]
    pub(crate) fn set_loopback(&mut self, socket: SocketId, on: bool) {
        if let Some(socket) = self.sockets.get_mut(&socket) {
            socket.loopback = on;
        }
    }

    /// Handles one PF_KEY message that a client has sent. It may hold any bytes: an error is reported in a reply.
    pub(crate) fn write(&mut self, socket: SocketId, message: &[u8], now: Seconds) {
        self.handle(socket, message, now);
    }

    /// Removes and returns the next message queued on a socket.
    pub(crate) fn read(&mut self, socket: SocketId) -> Option<Buffer> {
        self.sockets.get_mut(&socket)?.pop(&self.databases)
    }

    /// Whether a socket has a message to read.
    #[must_use]
    pub(crate) fn has_message(&self, socket: SocketId) -> bool {
        self.sockets.get(&socket).is_some_and(Socket::has_message)
    }

    /// Runs the ager if its interval has elapsed. Call this at least once a second.
    pub(crate) fn tick(&mut self, now: Seconds) {
        if now < self.last_pass.saturating_add(self.settings.ager_interval) {
            // Without this, a clock set back by an hour would stop the ager for an hour.
            self.last_pass = self.last_pass.min(now);
            return;
        }
        self.last_pass = now;
        // The agers of the kernel are independent. In its recorded answers that of ESP comes before that of AH.
        for index in (0..self.databases.len()).rev() {
            // By index, because `announce` borrows the whole model.
            let Some(database) = self.databases.get_mut(index) else { continue };
            let expired = age::age(database, &self.settings, now);
            self.announce(&expired);
        }
    }

    /// Accounts a packet of `bytes` bytes to an SA in the table `direction`. Returns whether the packet is allowed.
    #[cfg(test)]
    pub(crate) fn use_sa(&mut self, id: SaId, direction: TableDirection, bytes: u64, now: Seconds) -> bool {
        let database = self.databases.iter_mut().find(|database| database.sa_type == id.sa_type);
        let Some(database) = database else { return false };
        let Some(slot) = database.find_in(direction, id.spi, id.dst) else { return false };
        let (is_allowed, expired) = age::use_sa(database, slot, bytes, now);
        self.announce(expired.as_slice());
        is_allowed
    }

    /// Number of SAs of all types. An SA in both tables counts once.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.databases.iter().map(Database::len).sum()
    }

    /// Whether no database holds an SA.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
