//! `ipseckey`: manual keying of IPsec security associations. docs/architecture.md draws the whole once.
//!
//! keys file -> `keyfile` -> [`sa::Request`] -> [`sadb::Sadb`] -> `wire` -> kernel, and back through [`sa::Message`] to `show`.

pub mod apply;
pub mod cli;
pub mod convert;
#[cfg(feature = "internals")]
pub mod internals;
pub mod keyfile;
pub mod model;
pub mod names;
pub mod policy;
pub mod reconcile;
pub mod redact;
pub mod sa;
pub mod sadb;
pub mod secret;
pub mod service;
pub mod show;
pub mod sys;
pub mod wire;

pub use cli::main as ipseckey;
pub use model::serve as sadb_model;
pub use service::main as manual_key;
pub use sys::process::WipingAllocator;

#[cfg(test)]
#[path = "../tests/library/mod.rs"]
mod library_tests;
