//! A request to stop: SIGTERM and SIGINT set a flag that a loop looks at.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static ASKED: AtomicBool = AtomicBool::new(false);

extern "C" fn ask(_signal: c_int) {
    ASKED.store(true, Ordering::Relaxed);
}

/// From now on SIGTERM and SIGINT end system calls that wait, and [`asked`] tells of them.
///
/// # Errors
/// The system's.
pub fn on_signals() -> io::Result<()> {
    let action = SigAction::new(SigHandler::Handler(ask), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // SAFETY: the handler only stores to an atomic, which is allowed in a signal handler.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

/// Whether one of the signals has come.
#[must_use]
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
