//! Waits for input, with a deadline.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::interrupt;
use crate::sys::time::Deadline;

/// Waits until `fd` is readable; false at the deadline. No signal ends the wait but SIGINT during [`interrupt::Interruptible`].
///
/// # Errors
/// Those of poll(2); EINTR for that SIGINT only.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, deadline: &mut Deadline) -> io::Result<bool> {
    loop {
        // Computed for each attempt, so that signals do not extend the wait.
        let left = deadline.remaining();
        if interrupt::is_requested() {
            return Err(Errno::EINTR.into());
        }
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        match poll(&mut fds, left.map_or(PollTimeout::NONE, timeout)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::EINTR) if left.is_none_or(|left| !left.is_zero()) => {}
            Err(Errno::EINTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Rounded up to the milliseconds of poll(2): rounded down, the last millisecond would be a busy loop.
fn timeout(remaining: Duration) -> PollTimeout {
    PollTimeout::try_from(remaining.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX)
}
