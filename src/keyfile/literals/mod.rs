//! Values as written: numbers, addresses and keys. These readers know nothing of commands.

pub(crate) mod address;
pub(crate) mod key;
pub(crate) mod number;
