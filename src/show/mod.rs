//! Messages of an SADB as text.
//!
//! - [`message`]: the layout of ipseckey(1M) for `dump`, `get` and `monitor`, with a file for each kind of extension:
//!   `address`, `identity` (names in DER: `der`), `key`, `lifetime`, `offers` (algorithms and proposals), `extras` (the rest);
//! - [`save`]: keys files; `linux` has the keywords of XFRM;
//! - [`json`]: one object for each message;
//! - `date`, `units` and `names`: dates, sizes, host names.
//!
//! Everything takes a [`crate::sa::Message`] and writes to any writer. Only `key` reads key bytes.
#![forbid(unsafe_code)]

mod address;
mod date;
mod der;
mod extras;
mod identity;
pub(crate) mod json;
mod key;
mod lifetime;
mod linux;
pub(crate) mod message;
mod names;
mod offers;
mod quoted;
pub(crate) mod save;
mod units;

pub(crate) use date::local;
#[cfg(feature = "internals")]
pub(crate) use date::utc;
pub(crate) use key::write_key;
#[cfg(any(test, feature = "internals"))]
pub(crate) use names::NoNames;
pub(crate) use names::{HostTable, Names, SystemNames};

pub(crate) struct Style<'a> {
    /// `-n`: numbers instead of names.
    pub(crate) numeric: bool,
    /// `-p`: X instead of the digits of keys.
    pub(crate) paranoid: bool,
    /// `-v`: times as numbers too.
    pub(crate) verbose: bool,
    /// Whether a message starts with the time, as in the output of `monitor`.
    pub(crate) timestamp: bool,
    /// The current time in seconds since 1970.
    pub(crate) now: u64,
    /// Formats seconds since 1970 as a date: [`local`] or [`utc`].
    pub(crate) date: fn(u64) -> String,
    /// The text of an error number of this SADB.
    pub(crate) errno: fn(u8) -> Option<&'static str>,
    /// Resolves addresses and cookies to names.
    pub(crate) names: &'a dyn Names,
}
