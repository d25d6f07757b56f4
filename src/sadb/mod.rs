//! The SADB as the programs see it: one trait, [`Sadb`], and the backends behind it; beside it [`Spd`], the policies.
//!
//! Nothing above this room knows which kernel interface is in use.
#![forbid(unsafe_code)]

mod error;
mod linux;
mod load_lock;
mod pfkey;
mod spd;
mod target;
mod warnings;

use std::ops::ControlFlow;

pub use error::SadbError;
pub use linux::xfrm::Xfrm;
#[cfg(feature = "internals")]
pub use linux::xfrm::rewrite_side_store;
pub use load_lock::{LoadLock, LockError};
pub use pfkey::client::PfKey;
pub use pfkey::transport::Transport;
pub use spd::Spd;
pub use target::{SADB_VARIABLE, SadbTarget, UnknownTarget};

use crate::sa::{AuthAlg, EncrAlg, Message, Request, SaType};

/// Whether a request reaches the named SA only, or the SA it is paired with too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairScope {
    /// `update`, `delete`.
    One,
    /// `update-pair`, `delete-pair`.
    Pair,
}

/// What a monitor hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonitorMode {
    /// `monitor`: everything, answers to others included (SADB_X_PROMISC).
    All,
    /// `passive_monitor`: what the kernel tells every socket.
    Passive,
    /// The service: expiries at least, and of Linux XFRM no more than those.
    Expiries,
}

/// Most requests that are sent together: enough to make the exchange with a kernel cheap; the largest still fit into a socket's
/// buffer, and so do the answers if all are refused.
pub const MAX_BATCH: usize = 128;

/// The algorithms an SADB has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supported {
    /// For authentication.
    pub auth: Vec<AuthAlg>,
    /// For encryption.
    pub encr: Vec<EncrAlg>,
}

/// Called for each message of a dump or monitor; `Break` ends it early.
pub type Visitor<'a> = &'a mut dyn FnMut(&Message) -> ControlFlow<()>;

/// Called with each message before it is sent (`-v`).
pub type Trace = Box<dyn FnMut(&Message)>;

/// A security association database.
pub trait Sadb {
    /// Adds an SA.
    ///
    /// # Errors
    /// [`SadbError`] as for every function here; nothing was added then.
    fn add(&mut self, request: &Request) -> Result<(), SadbError>;

    /// Whether [`Sadb::add_all`] would carry out `request` together with others, faster than one by one.
    fn batches(&self, _request: &Request) -> bool {
        false
    }

    /// Adds SAs in order; the outcomes are in the same order. One that is refused does not keep the others from being added.
    fn add_all(&mut self, requests: &[&Request]) -> Vec<Result<(), SadbError>> {
        requests.iter().map(|request| self.add(request)).collect()
    }

    /// Changes an SA, and the one it is paired with if `reach` says so.
    ///
    /// # Errors
    /// [`SadbError`].
    fn update(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError>;

    /// Removes an SA, and the one it is paired with if `reach` says so.
    ///
    /// # Errors
    /// [`SadbError`].
    fn delete(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError>;

    /// Puts the SA that `new` asks for in the place of the one that `old` names, with as little time as possible between them.
    ///
    /// # Errors
    /// [`SadbError`]; the old SA may be gone then.
    fn replace(&mut self, old: &Request, new: &Request) -> Result<(), SadbError> {
        self.delete(old, PairScope::One)?;
        self.add(new)
    }

    /// Removes an SA; whether there was one.
    ///
    /// # Errors
    /// [`SadbError`], but not for want of the SA.
    fn delete_if_present(&mut self, request: &Request) -> Result<bool, SadbError> {
        match self.delete(request, PairScope::One) {
            Err(error) if error.is_missing() => Ok(false),
            outcome => outcome.map(|()| true),
        }
    }

    /// Describes an SA, keys included.
    ///
    /// # Errors
    /// [`SadbError`].
    fn get(&mut self, request: &Request) -> Result<Message, SadbError>;

    /// Removes all SAs of a type; of every type for [`SaType::UNSPEC`].
    ///
    /// # Errors
    /// [`SadbError`].
    fn flush(&mut self, sa_type: SaType) -> Result<(), SadbError>;

    /// Calls `each` for every SA of a type; of every type for [`SaType::UNSPEC`].
    ///
    /// # Errors
    /// [`SadbError`]; `each` may have been called for some SAs by then.
    fn dump(&mut self, sa_type: SaType, each: Visitor<'_>) -> Result<(), SadbError>;

    /// Calls `each` for every message heard, until it breaks or the SADB goes away.
    ///
    /// # Errors
    /// [`SadbError`].
    fn monitor(&mut self, hearing: MonitorMode, each: Visitor<'_>) -> Result<(), SadbError>;

    /// The SAs whose idle lifetimes are kept here while the kernel has none: whoever stays can enforce them.
    ///
    /// # Errors
    /// [`SadbError`].
    fn idle_limited(&mut self) -> Result<Vec<Message>, SadbError> {
        Ok(Vec::new())
    }

    /// Says that this program enforces the lifetimes of [`Sadb::idle_limited`], so that nobody need be warned of them.
    fn set_enforces_idle(&mut self) {}

    /// The algorithms that SAs of this SADB may use. Asking may make the kernel load modules.
    ///
    /// # Errors
    /// [`SadbError`].
    fn supported(&mut self) -> Result<Supported, SadbError>;

    /// The policies beside it; `None` if this SADB's system keeps them elsewhere.
    fn spd(&mut self) -> Option<&mut dyn Spd> {
        None
    }

    /// Says that the requests from here to the next call belong to one command. A PF_KEY SADB gives them one sequence number, as
    /// ipseckey(1M) always did; they are sent one after the other, each after the answer to the one before.
    fn new_sequence(&mut self) {}

    /// Calls `trace` with each message before it is sent.
    fn set_trace(&mut self, trace: Trace);

    /// What the SADB did otherwise than asked, or cannot enforce, since the last call: warnings for the user.
    fn take_warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
}
