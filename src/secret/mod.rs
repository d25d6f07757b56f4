//! Memory for key bytes: [`Key`] for one key, [`Buffer`] for bytes that contain keys, [`SecretWriter`] and [`SecretReader`] for streams of
//! such bytes.
//!
//! None of them has `Debug`, `Display`, `Clone` or `PartialEq`. None reallocates, because a reallocation leaves a copy behind.
//! All wipe their contents when dropped. Only [`Key::expose`] returns key bytes; `grep expose` finds every caller.
#![forbid(unsafe_code)]

mod buffer;
mod key;
mod reserve;
mod stream;

pub(crate) use buffer::{Buffer, Full, WipeOnDrop};
pub(crate) use key::Key;
pub(crate) use reserve::handles_failure;
pub(crate) use stream::{SecretReader, SecretWriter};
