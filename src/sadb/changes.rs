//! Changes that other processes make, for a service that restores what it has lost.

use std::ops::ControlFlow;

use crate::sa::Message;

/// What a process has removed or replaced.
pub(crate) enum Removal {
    /// An SA, as it was before its removal, or is after its replacement. With keys: their fingerprint identifies its sequence
    /// numbers.
    Sa(Box<Message>),
    /// All SAs, or those of a type.
    AllSas,
    /// One or more policies.
    Policies,
    /// Unknown: messages were lost since the receive buffer was full.
    Unknown,
}

/// A change by another process.
pub(crate) struct Change {
    pub(crate) removal: Removal,
    /// The netlink port of the process; 0 if it is unknown, or for the kernel itself.
    pub(crate) port: u32,
}

/// Called for each change; `Break` ends the watch.
pub(crate) type ChangeVisitor<'a> = &'a mut dyn FnMut(Change) -> ControlFlow<()>;
