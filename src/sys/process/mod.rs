//! This process: locked and wiped memory, privileges, signals.

mod allocator;
pub(crate) mod hardening;
pub(crate) mod key_managers;
pub(crate) mod privilege;
pub(crate) mod signals;
pub(crate) mod stop;

pub use allocator::WipingAllocator;
