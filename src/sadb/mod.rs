//! Access to the SADB: the trait [`Sadb`] and its backends. [`Spd`] is the same for policies.
//!
//! Modules above this one do not depend on a kernel interface.
#![forbid(unsafe_code)]

mod add_check;
pub(crate) mod changes;
mod error;
mod illumos;
mod linux;
mod load_lock;
mod pfkey;
mod retry;
mod spd;
mod target;
mod unix_socket;
mod warnings;

use std::ops::ControlFlow;

pub(crate) use add_check::AddCheck;
pub(crate) use error::SadbError;
pub(crate) use illumos::Illumos;
pub(crate) use linux::errors::module_of;
pub(crate) use linux::neighbours::unresolved_neighbours;
pub(crate) use linux::routes::{Route, route_to};
#[cfg(feature = "internals")]
pub(crate) use linux::side_store::rewrite_side_store;
pub(crate) use linux::xfrm::Xfrm;
pub(crate) use load_lock::{LoadLock, LockError, RUNTIME_DIRECTORY};
pub(crate) use pfkey::client::PfKey;
#[cfg(test)]
pub(crate) use pfkey::embedded::Embedded;
pub(crate) use pfkey::transport::Transport;
pub(crate) use spd::Spd;
pub(crate) use target::{SADB_VARIABLE, SadbTarget, UnknownTarget};

use changes::ChangeVisitor;

use crate::sa::{AuthAlg, EncrAlg, Flags, Message, Request, SaType};

/// Whether a request applies to its SA only, or also to the paired SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairScope {
    /// The SA only: `update`, `delete`.
    One,
    /// Both SAs: `update-pair`, `delete-pair`.
    Pair,
}

/// The messages that a monitor receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MonitorMode {
    /// `monitor`: all messages, including replies to other processes (SADB_X_PROMISC).
    All,
    /// `passive_monitor`: messages that the kernel sends to every socket.
    Passive,
    /// For the service: only expiries from Linux XFRM; other backends may send more.
    Expiries,
}

/// The maximum number of requests in one batch. 128 are as fast as more; the largest requests still fit into a socket's send
/// buffer and 128 error replies into the receive buffer (a default one holds 221 in Linux 6.12).
pub(crate) const MAX_BATCH: usize = 128;

/// The algorithms that an SADB supports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Supported {
    /// Authentication algorithms by number.
    pub(crate) auth: Vec<AuthAlg>,
    /// Encryption algorithms by number.
    pub(crate) encr: Vec<EncrAlg>,
}

/// Called for each message of a dump or monitor; `Break` ends it early.
pub(crate) type Visitor<'a> = &'a mut dyn FnMut(&Message) -> ControlFlow<()>;

/// Called with each message before it is sent (`-v`).
pub(crate) type Trace = Box<dyn FnMut(&Message)>;

/// The SAs of a dump, sorted by a predicate.
#[derive(Default)]
struct Selected {
    /// Requests that identify the SAs to remove.
    remove: Vec<Request>,
    is_any_kept: bool,
}

impl Selected {
    fn visit(&mut self, message: &Message, keep: &mut dyn FnMut(&Message) -> bool) {
        if keep(message) {
            self.is_any_kept = true;
        } else if let Some(id) = message.id() {
            // illumos has a table for each direction, and looks the SA up in the one that the request names.
            let flags = message.association().map_or(Flags::default(), |sa| sa.flags & (Flags::INBOUND | Flags::OUTBOUND));
            self.remove.push(Request { flags, ..id.request() });
        }
    }
}

/// A security association database.
pub(crate) trait Sadb {
    /// Adds an SA.
    ///
    /// # Errors
    /// [`SadbError`], as for every function here. The SA was not added.
    fn add(&mut self, request: &Request) -> Result<(), SadbError>;

    /// Whether [`Sadb::add_all`] can send `request` in a batch, which is faster.
    fn batches(&self, _request: &Request) -> bool {
        false
    }

    /// Adds SAs in order and returns the outcome of each. A refused SA does not prevent the others from being added.
    fn add_all(&mut self, requests: &[&Request]) -> Vec<Result<(), SadbError>> {
        requests.iter().map(|request| self.add(request)).collect()
    }

    /// Changes an SA and, with [`PairScope::Pair`], its paired SA.
    ///
    /// # Errors
    /// [`SadbError`].
    fn update(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError>;

    /// Removes an SA and, with [`PairScope::Pair`], its paired SA.
    ///
    /// # Errors
    /// [`SadbError`].
    fn delete(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError>;

    /// Replaces the SA `old` with `new`, with as short a gap as the backend allows.
    ///
    /// # Errors
    /// [`SadbError`]; the old SA may have been removed.
    fn replace(&mut self, old: &Request, new: &Request) -> Result<(), SadbError> {
        // PF_KEY has no request that replaces an SA atomically.
        self.delete(old, PairScope::One)?;
        self.add(new)
    }

    /// Removes an SA; returns `false` if it does not exist.
    ///
    /// # Errors
    /// [`SadbError`], except for a missing SA.
    fn delete_if_present(&mut self, request: &Request) -> Result<bool, SadbError> {
        match self.delete(request, PairScope::One) {
            Err(error) if error.is_missing() => Ok(false),
            outcome => outcome.map(|()| true),
        }
    }

    /// Reads an SA, keys included.
    ///
    /// # Errors
    /// [`SadbError`].
    fn get(&mut self, request: &Request) -> Result<Message, SadbError>;

    /// Removes all SAs of a type; [`SaType::UNSPEC`] means all types.
    ///
    /// # Errors
    /// [`SadbError`].
    fn flush(&mut self, sa_type: SaType) -> Result<(), SadbError>;

    /// Removes the SAs of a type that `keep` returns false for; `keep` is called for every SA that [`Sadb::dump`] lists.
    ///
    /// # Errors
    /// [`SadbError`]; some SAs may have been removed.
    fn flush_except(&mut self, sa_type: SaType, keep: &mut dyn FnMut(&Message) -> bool) -> Result<(), SadbError> {
        let mut selected = Selected::default();
        self.dump(sa_type, &mut |message| {
            selected.visit(message, keep);
            ControlFlow::Continue(())
        })?;
        if selected.is_any_kept {
            return selected.remove.iter().try_for_each(|request| self.delete_if_present(request).map(drop));
        }
        self.flush(sa_type)
    }

    /// Removes, one by one, the SAs of a type that `is_meant` returns true for. No other SA is removed, whenever it was added.
    ///
    /// # Errors
    /// [`SadbError`]; some SAs may have been removed.
    fn delete_each(&mut self, sa_type: SaType, is_meant: &mut dyn FnMut(&Message) -> bool) -> Result<(), SadbError> {
        let mut ids = Vec::new();
        self.dump(sa_type, &mut |message| {
            ids.extend(message.id().filter(|_| is_meant(message)));
            ControlFlow::Continue(())
        })?;
        ids.iter().try_for_each(|id| self.delete_if_present(&id.request()).map(drop))
    }

    /// Checks that the kernel can remove an SA without harm. `sa` has the values of the description, its pair included.
    ///
    /// # Errors
    /// [`SadbError::Unsupported`] with the reason; those of the queries.
    fn check_removal(&mut self, _sa: &Request) -> Result<(), SadbError> {
        Ok(())
    }

    /// Calls `each` for every SA of a type; [`SaType::UNSPEC`] means all types.
    ///
    /// # Errors
    /// [`SadbError`]; `each` may have been called for some SAs.
    fn dump(&mut self, sa_type: SaType, each: Visitor<'_>) -> Result<(), SadbError>;

    /// Calls `each` for every message received, until it breaks or the SADB closes the connection.
    ///
    /// # Errors
    /// [`SadbError`].
    fn monitor(&mut self, hearing: MonitorMode, each: Visitor<'_>) -> Result<(), SadbError>;

    /// SAs with an idle lifetime that the kernel cannot enforce. A daemon can.
    ///
    /// # Errors
    /// [`SadbError`].
    fn idle_limited(&mut self) -> Result<Vec<Message>, SadbError> {
        Ok(Vec::new())
    }

    /// Suppresses the warning about idle lifetimes: this program enforces those of [`Sadb::idle_limited`].
    fn set_enforces_idle(&mut self) {}

    /// The supported algorithms. The kernel may load modules for this query.
    ///
    /// # Errors
    /// [`SadbError`].
    fn supported(&mut self) -> Result<Supported, SadbError>;

    /// The SPD of the same kernel; `None` if only the system's own tools can change it.
    fn spd(&mut self) -> Option<&mut dyn Spd> {
        None
    }

    /// Calls `each` for every removal by another process, until it breaks. Returns at once from an SADB that does not
    /// report changes.
    ///
    /// # Errors
    /// [`SadbError`].
    fn watch_changes(&mut self, _each: ChangeVisitor<'_>) -> Result<(), SadbError> {
        Ok(())
    }

    /// Starts a new sequence number. A PF_KEY backend uses one number for all requests of a command, as ipseckey(1M) does;
    /// each is sent after the reply to the previous one.
    fn new_sequence(&mut self) {}

    /// Calls `trace` with each message before it is sent.
    fn set_trace(&mut self, trace: Trace);

    /// Warnings since the last call: differences between a request and the resulting SA, and limits that are not enforced.
    fn take_warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
}
