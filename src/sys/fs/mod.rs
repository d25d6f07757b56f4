//! Files: keys files and whether they are private, settings, state, locks and leases.

pub mod atomic_write;
pub mod checks;
mod file_error;
pub mod keys_file;
#[cfg_attr(not(target_os = "linux"), path = "no_lease.rs")]
mod lease;
pub mod lock;
pub mod settings_file;
pub mod state_file;
