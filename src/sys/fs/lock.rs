//! A lock between programs: a file that one of them at a time has locked. The system releases it when its holder ends,
//! however that comes about.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::sys::fs::state_file;

/// Between two looks whether the lock is free.
const PAUSE: Duration = Duration::from_millis(20);

/// A locked file. Dropping this unlocks it; the file stays, so that two programs never lock different files of one name.
pub struct FileLock {
    _file: Flock<File>,
}

impl FileLock {
    /// Locks the file at `path`, making it and the directory above it if need be; waits for another holder at most as long
    /// as `patience`.
    ///
    /// # Errors
    /// `TimedOut` if it is still locked then; the system's.
    pub fn take(path: &Path, patience: Duration) -> io::Result<Self> {
        let deadline = Instant::now() + patience;
        state_file::make_directory_of(path)?;
        let mut file = state_file::open(path)?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => return Ok(Self { _file: file }),
                Err((_, Errno::EWOULDBLOCK)) if Instant::now() >= deadline => return Err(io::ErrorKind::TimedOut.into()),
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
    fn one_holder_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run/lock");
        let held = FileLock::take(&path, NOW).unwrap();
        assert_eq!(FileLock::take(&path, NOW).err().unwrap().kind(), io::ErrorKind::TimedOut);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        drop(held);
        FileLock::take(&path, NOW).unwrap();
    }

    #[test]
    fn who_waits_is_next() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lock");
        let held = FileLock::take(&path, NOW).unwrap();
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || FileLock::take(&path, Duration::from_secs(20)).is_ok()
        });
        sleep(PAUSE);
        drop(held);
        assert!(waiting.join().unwrap());
    }
}
