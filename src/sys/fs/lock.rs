//! A lock between processes: flock(2) on a file. The kernel releases it when the holder exits or crashes.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::sys::fs::state_file;

/// Between two attempts to get the lock. flock(2) has no timeout.
const PAUSE: Duration = Duration::from_millis(20);

/// A locked file, unlocked when dropped. The file is never deleted, so that two processes cannot lock different files of the same
/// name.
pub(crate) struct FileLock {
    _file: Flock<File>,
}

impl FileLock {
    /// Locks the file at `path`; creates it and its directory if missing. Waits at most `timeout` for another holder.
    ///
    /// # Errors
    /// `TimedOut` if another process still holds the lock; those of mkdir(2), [`state_file::open`] and flock(2).
    pub(crate) fn acquire(path: &Path, timeout: Duration) -> io::Result<Self> {
        let deadline = Instant::now() + timeout;
        state_file::create_directory_of(path)?;
        let mut file = state_file::open(path)?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => return Ok(Self { _file: file }),
                Err((_, Errno::EWOULDBLOCK)) if Instant::now() >= deadline => return Err(io::ErrorKind::TimedOut.into()),
                // EINTR: a signal such as SIGHUP must not make a load fail.
                Err((unlocked, Errno::EWOULDBLOCK | Errno::EINTR)) => file = unlocked,
                Err((_, errno)) => return Err(errno.into()),
            }
            sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn acquire_times_out_while_another_holds_the_lock() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run/lock");
        let held = FileLock::acquire(&path, NOW).unwrap();
        assert_eq!(FileLock::acquire(&path, NOW).err().unwrap().kind(), io::ErrorKind::TimedOut);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        drop(held);
        FileLock::acquire(&path, NOW).unwrap();
    }

    #[test]
    fn acquire_waits_until_the_lock_is_released() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lock");
        let held = FileLock::acquire(&path, NOW).unwrap();
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || FileLock::acquire(&path, Duration::from_secs(20)).is_ok()
        });
        sleep(PAUSE);
        drop(held);
        assert!(waiting.join().unwrap());
    }
}
