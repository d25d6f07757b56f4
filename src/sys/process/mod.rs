//! This process: locked and wiped memory, privileges, signals, the users that it can see.

mod allocator;
pub(crate) mod guard;
pub(crate) mod hardening;
pub(crate) mod interrupt;
pub(crate) mod key_managers;
pub(crate) mod memory;
pub(crate) mod privilege;
pub(crate) mod program;
pub(crate) mod readable;
pub(crate) mod signals;
pub(crate) mod socket_owner;
pub(crate) mod stop;
pub(crate) mod user_namespace;

pub use allocator::WipingAllocator;
