//! PF_KEYv2 (RFC 2367) in the dialects of illumos and Linux: which number means what is data in [`Dialect`].
//!
//! One file per extension family, each with its byte picture, its reader and its writer. Every extension starts with its
//! length in words of 8 bytes and its type, 16 bits each, which this file's neighbours [`message`] handle:
//!
//! ```text
//!  0      2      4                                    8 * words
//! +------+------+-------------------------------------+
//! | words| type | body, padded with zeros to 8 bytes  |
//! +------+------+-------------------------------------+
//! ```
//!
//! [`decode`] is total: any bytes give a message or an error. An extension that cannot be understood is kept whole, so that it
//! can be shown.

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

pub use dialect::{AF_INET, Dialect, ExtensionKind, FOREIGN};
pub use error::{DecodeError, EncodeError};
pub use message::{decode, decode_head, encode};
pub use request::request;
