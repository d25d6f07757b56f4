//! Every unsafe block and every family of system calls. Each block says why it is sound.
#![allow(unsafe_code, reason = "this is the one room where system calls without a safe wrapper are made")]

mod access_list;
mod allocator;
#[cfg_attr(not(target_os = "linux"), path = "no_crypto_api.rs")]
pub mod crypto_api;
pub mod deadline;
mod directories;
mod file_error;
mod finding;
pub mod hardening;
pub mod interfaces;
#[cfg_attr(not(target_os = "linux"), path = "no_lease.rs")]
mod lease;
pub mod listener;
pub mod lock;
#[cfg_attr(not(target_os = "linux"), path = "no_many.rs")]
mod many;
#[cfg_attr(not(target_os = "linux"), path = "no_netlink.rs")]
pub mod netlink;
pub mod path_text;
pub mod privilege;
pub mod secure_file;
pub mod settings_file;
pub mod signals;
pub mod socket;
pub mod state_file;
pub mod stop;
#[cfg_attr(not(target_os = "linux"), path = "no_udp_port.rs")]
pub mod udp_port;

/// Whether this program was built for Linux.
pub const IS_LINUX: bool = cfg!(target_os = "linux");

/// Whether this program was built for illumos.
pub const IS_ILLUMOS: bool = cfg!(target_os = "illumos");
