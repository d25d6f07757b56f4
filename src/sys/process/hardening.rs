//! What a program that handles keys does before anything else: no core dumps, private files, no swap, no rights that it does
//! not need, no last words.

use std::ffi::c_void;
use std::hint::black_box;
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::ptr::NonNull;

use nix::sys::mman::{MlockAllFlags, mlock, mlockall};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::{Mode, umask};

use crate::sys::process::privilege;
use crate::sys::process::privilege::Need;

/// Forbids core dumps, makes new files private, keeps memory out of swap where the limits allow it, and gives up what is not
/// needed for `need`.
///
/// All of it is best effort: a program that may not lock memory must still be able to do its work. To be called while the
/// process has one thread.
pub fn harden(need: Need) {
    privilege::distrust_environment();
    panic::set_hook(Box::new(tell_panic));
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
    umask(Mode::from_bits_truncate(0o077));
    survive_full_disks();
    lock_everything();
    privilege::keep_only(need);
}

/// Says where the program failed, and nothing else: the text of a panic may cite what was worked on.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    let _ =
        writeln!(io::stderr(), "internal error{place}: please report this line and what was asked for, without any keys");
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
    // Who may raise the limit will not be able to once its other rights are given up.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
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

/// Deeper than any call of these programs goes, in bytes.
const DEPTH: usize = 256 * 1024;
/// Bytes of the smallest page there is.
const PAGE: usize = 4096;

/// Overwrites what functions that have returned left on the stack below the caller: copies that the compiler made, registers
/// that were put aside. For where keys have been worked with and the program waits or ends.
#[inline(never)]
pub fn wipe_stack() {
    wipe_pages(used_stack().div_ceil(PAGE) + 1);
}

/// Overwrites that many pages below the caller.
#[inline(never)]
fn wipe_pages(count: usize) {
    let mut room = [0_u8; PAGE];
    black_box(&mut room);
    if count > 1 {
        wipe_pages(count - 1);
    }
    // Not before the call: each of them has a page of its own.
    black_box(&mut room);
}

/// How many bytes below the caller were ever touched: what was not holds nothing.
#[cfg(target_os = "linux")]
fn used_stack() -> usize {
    const PAGES: usize = DEPTH / PAGE;
    let here = PAGES as u8;
    let top = (&raw const here).addr() / PAGE * PAGE;
    let (mut seen, mut used) = (0, 0);
    let mut step = PAGES;
    // The stack ends somewhere in these pages, and what is asked about has to lie in it.
    while step > 0 {
        let mut touched = [0_u8; PAGES];
        let from = top - (seen + step) * PAGE;
        // SAFETY: mincore(2) writes a byte for each page of the range into `touched`, which has as many, and reads no other memory.
        let is_there =
            unsafe { nix::libc::mincore(std::ptr::without_provenance_mut(from), step * PAGE, touched.as_mut_ptr()) } == 0;
        if is_there {
            let lowest = touched.iter().take(step).position(|page| page & 1 == 1);
            used = lowest.map_or(used, |lowest| seen + step - lowest);
            seen += step;
        }
        step = if seen == PAGES { 0 } else { step / 2 };
    }
    used * PAGE
}

/// Elsewhere all of it is taken to be touched.
#[cfg(not(target_os = "linux"))]
fn used_stack() -> usize {
    DEPTH
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Set in the second run of the test below.
    const FAILS: &str = "IPSECKEY_TEST_FAILS_WITH";

    /// What the library of the language says of a slice that cannot be, for one, cites the text.
    #[test]
    fn a_panic_cites_nothing() {
        if let Some(text) = std::env::var_os(FAILS) {
            harden(Need::SadbAndFiles);
            let text = text.into_string().unwrap();
            drop(text[1..].to_owned());
        }
        let test = std::thread::current().name().unwrap().to_owned();
        let mut again = Command::new(std::env::current_exe().unwrap());
        let run = again.args([&test, "--exact", "--nocapture"]).env(FAILS, "\u{e9}0f1e2d3c4b5a6978").output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(said.contains("internal error at src/sys/hardening.rs:"), "{said}");
        assert!(!said.contains("0f1e2d3c"), "{said}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_stack_is_wiped_as_far_as_it_was_used() {
        const DEEP: usize = 150 * 1024;
        #[inline(never)]
        fn go_deep() {
            black_box(&mut [0x5a_u8; DEEP]);
        }
        let measured = || {
            let before = used_stack();
            go_deep();
            wipe_stack();
            (before, used_stack())
        };
        let (before, after) = std::thread::spawn(measured).join().unwrap();
        assert!(before < DEEP && (DEEP..=DEPTH).contains(&after), "{before}, {after}");
    }

    #[test]
    fn locking_leaves_the_bytes_alone() {
        let bytes = vec![0x5a; 10_000];
        lock(&bytes);
        lock(&[]);
        assert!(bytes.iter().all(|byte| *byte == 0x5a));
    }
}
