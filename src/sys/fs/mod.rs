//! Files: keys files and checks of their privacy, settings, state, locks and leases.

pub(crate) mod atomic_write;
pub(crate) mod checks;
mod file_error;
mod file_version;
pub(crate) mod keys_file;
mod lease;
pub(crate) mod lock;
mod new_file;
pub(crate) mod settings_file;
pub(crate) mod state_file;
