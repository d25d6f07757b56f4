//! `ipseckey`: manual keying of IPsec security associations. docs/architecture.md is the map.
//!
//! keys file -> `keyfile` -> `sa::Request` -> `sadb::Sadb` -> `wire` -> kernel, and back through `sa::Message` to `show`.

mod apply;
mod chain;
mod cli;
mod convert;
#[cfg(feature = "internals")]
pub mod internals;
mod keyfile;
mod links;
mod model;
mod names;
mod policy;
mod reconcile;
mod redact;
mod sa;
mod sadb;
mod secret;
mod service;
mod show;
mod sys;
mod wire;

pub use cli::main as ipseckey;
pub use model::serve as sadb_model;
pub use service::main as manual_key;
pub use sys::process::WipingAllocator;

#[cfg(test)]
#[path = "../tests/library/mod.rs"]
mod library_tests;
