//! The algorithms of the Linux kernel, through its socket family for them (AF_ALG, `linux/if_alg.h`). Needs no privilege.

use std::io;

/// The type of an algorithm, as in /proc/crypto.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlgorithmKind {
    Hash,
    Cipher,
    Aead,
}

/// Whether the kernel has the algorithm. The kernel loads the modules that it needs to find out.
///
/// # Errors
/// EAFNOSUPPORT from a kernel without AF_ALG, EPERM or EACCES in a sandbox.
#[cfg(target_os = "linux")]
pub(crate) fn has(kind: AlgorithmKind, name: &str) -> io::Result<bool> {
    use std::os::fd::AsRawFd;

    use nix::errno::Errno;
    use nix::sys::socket::{AddressFamily, AlgAddr, SockFlag, SockType, bind, socket};

    let socket = socket(AddressFamily::Alg, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    let word = match kind {
        AlgorithmKind::Hash => "hash",
        AlgorithmKind::Cipher => "skcipher",
        AlgorithmKind::Aead => "aead",
    };
    // bind(2) alone instantiates the algorithm; no key or data is needed.
    match bind(socket.as_raw_fd(), &AlgAddr::new(word, name)) {
        Ok(()) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// # Errors
/// Always `Unsupported`: on illumos PF_KEY's REGISTER lists the algorithms.
#[cfg(not(target_os = "linux"))]
pub(crate) fn has(_kind: AlgorithmKind, _name: &str) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}
