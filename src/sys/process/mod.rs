//! This process: memory that is wiped and locked, privileges, signals.

mod allocator;
pub mod hardening;
pub mod privilege;
pub mod signals;
pub mod stop;

pub use allocator::WipingAllocator;
