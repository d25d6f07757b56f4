//! Stop requests for an event loop: SIGTERM and SIGINT set a flag.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static IS_REQUESTED: AtomicBool = AtomicBool::new(false);

extern "C" fn request_stop(_signal: c_int) {
    IS_REQUESTED.store(true, Ordering::Relaxed);
}

/// Installs handlers for SIGTERM and SIGINT. From then on both end a blocking system call with EINTR.
///
/// # Errors
/// Those of sigaction(2).
pub(crate) fn install_handlers() -> io::Result<()> {
    // Without SA_RESTART, so that a blocked poll(2) returns.
    let action = SigAction::new(SigHandler::Handler(request_stop), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // SAFETY: the handler only stores to an atomic, which is allowed in a signal handler.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

/// Whether one of the signals has arrived.
#[must_use]
pub(crate) fn is_requested() -> bool {
    IS_REQUESTED.load(Ordering::Relaxed)
}
