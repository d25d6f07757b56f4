//! Hardening of a process that handles keys: no core dumps, private new files, locked memory, minimal privileges, and a panic hook
//! that prints no data.

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
use crate::sys::process::privilege::Privileges;

/// Forbids core dumps, sets a private umask, locks memory where the limits allow it, and drops the privileges that `need` does not
/// include.
///
/// Best effort: a process that may not lock memory must still be able to work. Call it while the process has one thread.
pub(crate) fn harden(need: Privileges) {
    privilege::distrust_environment();
    panic::set_hook(Box::new(report_panic));
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    // The limit does not apply to a core_pattern that pipes to a program (core(5)). This also forbids ptrace(2) to other processes of
    // the user.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
    // For files that libraries create; this program sets the mode of its own.
    umask(Mode::from_bits_truncate(0o077));
    ignore_file_size_signal();
    // Before the privileges are dropped: raising RLIMIT_MEMLOCK needs CAP_SYS_RESOURCE.
    lock_memory();
    privilege::keep_only(need);
}

/// Prints the place of a panic without its text, which may cite keys.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    let _ = writeln!(io::stderr(), "internal error{place}: please report this line and the command, without any keys");
}

/// With SIGXFSZ ignored, a write beyond RLIMIT_FSIZE fails with EFBIG. The signal would end the process before it removes its
/// temporary file.
fn ignore_file_size_signal() {
    // SAFETY: no handler is installed; the signal is ignored.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
}

/// Locks current and future pages when they are touched, if RLIMIT_MEMLOCK is unlimited: below a limit a later allocation could
/// fail.
#[cfg(target_os = "linux")]
pub(super) fn lock_memory() {
    use nix::sys::resource::{RLIM_INFINITY, getrlimit};
    // Fails without CAP_SYS_RESOURCE, but the limit may be unlimited already.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    let unlimited = getrlimit(Resource::RLIMIT_MEMLOCK).is_ok_and(|(soft, _)| soft == RLIM_INFINITY);
    if unlimited {
        let on_fault = MlockAllFlags::from_bits_retain(nix::libc::MCL_ONFAULT);
        let _ = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault);
    }
}

/// Locks current pages only: future ones might exceed a limit (illumos: `project.max-locked-memory`).
#[cfg(not(target_os = "linux"))]
pub(super) fn lock_memory() {
    let _ = mlockall(MlockAllFlags::MCL_CURRENT);
}

/// Locks the pages of `bytes` in memory until they are unmapped, if the limits allow it.
pub(crate) fn lock(bytes: &[u8]) {
    // The pointer of an empty slice need not be mapped.
    if bytes.is_empty() {
        return;
    }
    let start = NonNull::from(bytes).cast::<c_void>();
    // SAFETY: the range is a live slice; locking changes neither its contents nor who may access it.
    let _ = unsafe { mlock(start, bytes.len()) };
}

/// Bytes of stack that are wiped, more than the deepest call uses.
const DEPTH: usize = 256 * 1024;
/// Bytes of the smallest page of all systems.
const PAGE: usize = 4096;

/// Overwrites the unused stack below the caller, where functions that have returned left copies and saved registers. Called after
/// keys were used, before the program waits or exits.
#[inline(never)]
pub(crate) fn wipe_stack() {
    wipe_pages(used_stack().div_ceil(PAGE) + 1);
}

/// Overwrites `count` pages below the caller, one for each level of recursion.
#[inline(never)]
fn wipe_pages(count: usize) {
    let mut page = [0_u8; PAGE];
    black_box(&mut page);
    if count > 1 {
        wipe_pages(count - 1);
    }
    // Keeps `page` alive, so that the compiler cannot turn the recursion into a loop over one page.
    black_box(&mut page);
}

/// The number of bytes below the caller that were ever touched, by mincore(2). Untouched pages hold no data. All of them if
/// mincore(2) fails.
#[cfg(target_os = "linux")]
fn used_stack() -> usize {
    used_stack_in_pages_of(page_size())
}

/// The size of a page: 16 or 64 KiB on some ARM and POWER kernels.
#[cfg(target_os = "linux")]
fn page_size() -> usize {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| usize::try_from(size).ok()).map_or(PAGE, |size| size.clamp(PAGE, DEPTH))
}

/// [`used_stack`] on a system with pages of that size.
#[cfg(target_os = "linux")]
fn used_stack_in_pages_of(page: usize) -> usize {
    let pages = DEPTH / page;
    let here = 0_u8;
    let top = (&raw const here).addr() / page * page;
    let (mut seen, mut used) = (0, 0);
    let mut step = pages;
    // mincore(2) fails with ENOMEM for unmapped pages, and the stack may end within this range: halve the step then.
    while step > 0 {
        let mut touched = [0_u8; DEPTH / PAGE];
        let from = top - (seen + step) * page;
        // SAFETY: mincore(2) writes one byte for each page of the range into `touched`, which has at least as many, and accesses
        // no other memory.
        let is_mapped =
            unsafe { nix::libc::mincore(std::ptr::without_provenance_mut(from), step * page, touched.as_mut_ptr()) } == 0;
        if is_mapped {
            let lowest = touched.iter().take(step).position(|page| page & 1 == 1);
            used = lowest.map_or(used, |lowest| seen + step - lowest);
            seen += step;
        }
        step = if seen == pages { 0 } else { step / 2 };
    }
    if seen == 0 { DEPTH } else { used * page }
}

/// All of it: mincore(2) of other systems differs.
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

    /// The standard library's panic for an invalid slice of a string cites the string.
    #[test]
    fn report_panic_does_not_print_the_payload() {
        if let Some(text) = std::env::var_os(FAILS) {
            harden(Privileges::SadbAndFiles);
            let text = text.into_string().unwrap();
            drop(text[1..].to_owned());
        }
        let test = std::thread::current().name().unwrap().to_owned();
        let mut again = Command::new(std::env::current_exe().unwrap());
        let run = again.args([&test, "--exact", "--nocapture"]).env(FAILS, "\u{e9}0f1e2d3c4b5a6978").output().unwrap();
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert!(stderr.contains("internal error at src/sys/process/hardening.rs:"), "{stderr}");
        assert!(!stderr.contains("0f1e2d3c"), "{stderr}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn wipe_stack_covers_the_used_stack() {
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
    fn lock_does_not_change_the_bytes() {
        let bytes = vec![0x5a; 10_000];
        lock(&bytes);
        lock(&[]);
        assert!(bytes.iter().all(|byte| *byte == 0x5a));
    }
}
