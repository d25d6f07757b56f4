//! The algorithms of the kernel, on a system that has another way to tell them: PF_KEY's REGISTER.

use std::io;

/// What sort of algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keyed hash.
    Hash,
    /// Cipher.
    Cipher,
    /// Cipher that authenticates.
    Aead,
}

/// Whether the kernel has the algorithm of that name.
///
/// # Errors
/// Always `Unsupported`.
pub fn has(_kind: Kind, _name: &str) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}
