//! What an SADB says, as text: the printed layout of ipseckey(1M) for `dump`, `get` and `monitor`, and keys files for `save`.
//!
//! Everything works from [`crate::sa::Message`] and writes to any writer. Only [`key`] opens keys.
#![forbid(unsafe_code)]

mod address;
mod date;
mod der;
mod extras;
mod identity;
pub mod json;
mod key;
mod lifetime;
mod linux;
pub mod message;
mod names;
mod offers;
pub mod save;
mod units;

pub use date::local;
#[cfg(feature = "internals")]
pub use date::utc;
pub use key::write_key;
pub use names::{HostTable, Names, NoNames, SystemNames};

/// How to print.
pub struct Style<'a> {
    /// `-n`: numbers instead of names.
    pub numeric: bool,
    /// `-p`: no keys.
    pub paranoid: bool,
    /// `-v`: raw times beside dates.
    pub verbose: bool,
    /// Whether a message starts with the time, as `monitor` prints it.
    pub timestamp: bool,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// Seconds since 1970 as a date: [`local`] or [`utc`].
    pub date: fn(u64) -> String,
    /// What an error number of this SADB means.
    pub errno: fn(u8) -> Option<&'static str>,
    /// Names of hosts and cookies.
    pub names: &'a dyn Names,
}
