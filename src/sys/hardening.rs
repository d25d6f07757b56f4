//! What a program that handles keys does before anything else: no core dumps, private files, no swap.

use std::ffi::c_void;
use std::hint::black_box;
use std::ptr::NonNull;

use nix::sys::mman::{MlockAllFlags, mlock, mlockall};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::{Mode, umask};

/// Forbids core dumps, makes new files private, and keeps memory out of swap where the limits allow it.
///
/// All of it is best effort: a program that may not lock memory must still be able to do its work.
pub fn harden() {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
    umask(Mode::from_bits_truncate(0o077));
    survive_full_disks();
    lock_everything();
}

/// A file that may not grow is to be an error, after which what was begun is removed, not a signal that ends the program.
fn survive_full_disks() {
    // SAFETY: no handler is installed; the signal is ignored.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
}

/// Locks what is mapped and what will be, as pages are touched, but only without a limit: under one the next allocation
/// could fail.
#[cfg(target_os = "linux")]
fn lock_everything() {
    use nix::sys::resource::{RLIM_INFINITY, getrlimit};
    let unlimited = getrlimit(Resource::RLIMIT_MEMLOCK).is_ok_and(|(soft, _)| soft == RLIM_INFINITY);
    if unlimited {
        let on_fault = MlockAllFlags::from_bits_retain(nix::libc::MCL_ONFAULT);
        let _ = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault);
    }
}

/// Locks what is mapped; what comes later might hit a limit (illumos: `project.max-locked-memory`).
#[cfg(not(target_os = "linux"))]
fn lock_everything() {
    let _ = mlockall(MlockAllFlags::MCL_CURRENT);
}

/// Keeps `bytes` out of swap until their pages are given back, if the limits allow it.
pub fn lock(bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let start = NonNull::from(bytes).cast::<c_void>();
    // SAFETY: the range is a live slice; locking changes neither its contents nor who may access it.
    let _ = unsafe { mlock(start, bytes.len()) };
}

/// Overwrites what functions that have returned left on the stack below the caller: copies that the compiler made, registers
/// that were put aside. For where keys have been worked with and the program waits or ends.
#[inline(never)]
pub fn wipe_stack() {
    /// Deeper than any call of these programs goes.
    const DEPTH: usize = 256 * 1024;
    let mut room = [0_u8; DEPTH];
    black_box(&mut room);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locking_leaves_the_bytes_alone() {
        let bytes = vec![0x5a; 10_000];
        lock(&bytes);
        lock(&[]);
        assert!(bytes.iter().all(|byte| *byte == 0x5a));
    }
}
