//! PF_KEYv2 (RFC 2367) in the dialects of illumos and Linux. [`Dialect`] holds their differences as data.
//!
//! One file per extension family, with its layout, reader and writer. Every extension starts with its length in words of 8 bytes
//! and its type, 16 bits each, which [`extension`] handles:
//!
//! ```text
//!  0      2      4                                    8 * words
//! +------+------+-------------------------------------+
//! | words| type | body, padded with zeros to 8 bytes  |
//! +------+------+-------------------------------------+
//! ```
//!
//! [`decode`] is total: any bytes give a message or an error. An unknown or malformed extension is kept whole, so that it can
//! be shown.

mod address;
mod association;
mod cookie;
mod dialect;
mod error;
mod extension;
mod identity;
mod key;
mod lifetime;
mod message;
mod pair;
mod proposal;
mod register;
mod replay;
mod request;
mod second;
mod spi_range;
mod supported;
#[cfg(test)]
mod tests;

pub(crate) use dialect::Dialect;
#[cfg(test)]
pub(crate) use dialect::{AF_INET, ExtensionKind};
#[cfg(test)]
pub(crate) use error::DecodeError;
pub(crate) use error::EncodeError;
pub(crate) use message::{decode, decode_head, encode};
pub(crate) use request::{get_with_natt, request};
