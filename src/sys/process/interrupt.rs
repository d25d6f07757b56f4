//! Ctrl-C while a command of the prompt waits for messages: it ends the command, not the program.

use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static IS_REQUESTED: AtomicBool = AtomicBool::new(false);

extern "C" fn request(_signal: c_int) {
    IS_REQUESTED.store(true, Ordering::Relaxed);
}

/// While this lives, SIGINT ends a wait for messages (`wait_readable`) with EINTR, and not the process.
pub(crate) struct Interruptible(Option<SigAction>);

impl Interruptible {
    /// Best effort: if the handler cannot be installed, SIGINT ends the process as before.
    pub(crate) fn new() -> Self {
        IS_REQUESTED.store(false, Ordering::Relaxed);
        // Without SA_RESTART, so that a blocked poll(2) returns.
        let action = SigAction::new(SigHandler::Handler(request), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler only stores to an atomic, which is allowed in a signal handler.
        Self(unsafe { sigaction(Signal::SIGINT, &action) }.ok())
    }
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        // SAFETY: the action is the one that was there before.
        let _ = self.0.map(|old| unsafe { sigaction(Signal::SIGINT, &old) });
        IS_REQUESTED.store(false, Ordering::Relaxed);
    }
}

/// Whether SIGINT has arrived since [`Interruptible::new`].
#[must_use]
pub(crate) fn is_requested() -> bool {
    IS_REQUESTED.load(Ordering::Relaxed)
}
