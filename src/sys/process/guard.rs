//! A second process that outlives its parent and the terminal.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, setsid};

use super::hardening;

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
        match self.wait() {
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

    fn wait(&self) -> u8 {
        wait_for(self.child)
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
    let mut deadline: Option<Instant> = None;
    loop {
        match next_word(&mut pipe, deadline) {
            Some(BEGIN) => deadline = Some(Instant::now() + limit),
            Some(RELEASE) => return true,
            // The parent has died, or the time is over.
            _ => return false,
        }
    }
}

/// The next byte; `None` at the end of the pipe or at the deadline.
fn next_word(pipe: &mut PipeReader, deadline: Option<Instant>) -> Option<u8> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if !is_readable(pipe.as_fd(), left) {
        return None;
    }
    let mut word = [0];
    pipe.read_exact(&mut word).ok().map(|()| word[0])
}

/// Waits until `fd` has data or is at its end; false after `limit`.
pub(crate) fn is_readable(fd: impl AsFd, limit: Option<Duration>) -> bool {
    let deadline = limit.map(|limit| Instant::now() + limit);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // Rounded up: a poll that returns early would end in a busy loop.
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) if left.is_none_or(|left| !left.is_zero()) => {}
            Ok(0) => return false,
            Ok(_) => return true,
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}
