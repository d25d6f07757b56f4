//! A second process that outlives its parent and the terminal.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, setsid};

use super::hardening;
use super::readable::wait_readable;
use crate::sys::time::Deadline;

/// Words from the parent to the guard.
const BEGIN: u8 = b'b';
const RELEASE: u8 = b'r';

/// The parent's end. If it is dropped, or the parent dies, the guard acts.
pub(crate) struct Guard {
    child: Pid,
    pipe: PipeWriter,
}

impl Guard {
    /// Starts a process that calls `act` and exits with its result, unless it is released within `limit` after [`Self::begin`].
    /// The process has a copy of the memory of this one, keys included. Call it while the process has one thread.
    ///
    /// # Errors
    /// Those of pipe(2) and fork(2).
    pub(crate) fn start(limit: Duration, act: impl FnOnce() -> u8) -> io::Result<Self> {
        let (reader, pipe) = io::pipe()?;
        // SAFETY: this process has one thread, so that no lock of another thread is held in the child.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => Ok(Self { child, pipe }),
            ForkResult::Child => {
                drop(pipe);
                detach();
                let status = if is_released(reader, limit) { 0 } else { act() };
                hardening::wipe_stack();
                std::process::exit(i32::from(status))
            }
        }
    }

    /// Starts the time.
    ///
    /// # Errors
    /// If the guard has ended.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        self.pipe.write_all(&[BEGIN])
    }

    /// Ends the guard without an action.
    ///
    /// # Errors
    /// If it has begun to act.
    pub(crate) fn release(mut self) -> io::Result<()> {
        self.pipe.write_all(&[RELEASE])?;
        match wait_for(self.child) {
            0 => Ok(()),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Lets the guard act now, and returns its status.
    pub(crate) fn act(self) -> u8 {
        let Self { child, pipe } = self;
        drop(pipe);
        wait_for(child)
    }
}

fn wait_for(child: Pid) -> u8 {
    match waitpid(child, None) {
        Ok(WaitStatus::Exited(_, status)) => u8::try_from(status).unwrap_or(1),
        _ => 1,
    }
}

/// A session of its own: the end of the terminal, and Ctrl-C in it, do not reach this process.
fn detach() {
    let _ = setsid();
    for ignored in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM, Signal::SIGPIPE] {
        // SAFETY: no handler is installed; the signal is ignored.
        let _ = unsafe { signal(ignored, SigHandler::SigIgn) };
    }
    // Locks are not inherited (mlockall(2)).
    hardening::lock_memory();
}

/// Waits for the words of the parent.
fn is_released(mut pipe: PipeReader, limit: Duration) -> bool {
    let mut deadline = Deadline::never();
    loop {
        match next_word(&mut pipe, &mut deadline) {
            Some(BEGIN) => deadline = Deadline::after(limit),
            Some(RELEASE) => return true,
            // The parent has died, or the time is over.
            _ => return false,
        }
    }
}

/// The next byte; `None` at the end of the pipe or at the deadline.
fn next_word(pipe: &mut PipeReader, deadline: &mut Deadline) -> Option<u8> {
    let mut word = [0];
    let is_readable = wait_readable(pipe.as_fd(), deadline).unwrap_or(false);
    (is_readable && pipe.read_exact(&mut word).is_ok()).then_some(word[0])
}
