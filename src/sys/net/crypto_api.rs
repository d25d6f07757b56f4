//! Which algorithms the Linux kernel has, asked of its own interface to them (AF_ALG, `linux/if_alg.h`). Needs no privilege.

use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, AlgAddr, SockFlag, SockType, bind, socket};

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

/// Whether the kernel has the algorithm of that name; it loads the modules it needs to find out.
///
/// # Errors
/// A kernel without this interface, or a sandbox around the process.
pub fn has(kind: Kind, name: &str) -> io::Result<bool> {
    let socket = socket(AddressFamily::Alg, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    let word = match kind {
        Kind::Hash => "hash",
        Kind::Cipher => "skcipher",
        Kind::Aead => "aead",
    };
    match bind(socket.as_raw_fd(), &AlgAddr::new(word, name)) {
        Ok(()) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
