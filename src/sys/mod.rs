//! The interface to the operating system. All unsafe code is here; each block says why it is sound.
#![allow(unsafe_code, reason = "system calls without a safe wrapper are made in this module only")]

pub(crate) mod clock_timer;
pub(crate) mod fs;
#[cfg(any(test, not(target_os = "linux")))]
pub(crate) mod illumos;
pub(crate) mod net;
pub(crate) mod process;
pub(crate) mod terminal;
pub(crate) mod time;

/// Whether this program was built for Linux.
pub(crate) const IS_LINUX: bool = cfg!(target_os = "linux");

/// Whether this program was built for illumos.
pub(crate) const IS_ILLUMOS: bool = cfg!(target_os = "illumos");
