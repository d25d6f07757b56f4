//! The load lock: only one process at a time loads a keys file into an SADB.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::redact::shown;
use crate::sadb::SadbTarget;
use crate::sys::IS_ILLUMOS;
use crate::sys::fs::lock::FileLock;

/// Longer than a load of 100,000 SAs, shorter than the start timeout of a service manager (90 s in systemd).
const TIMEOUT: Duration = Duration::from_secs(15);

/// The directory of the files about the system's SADB.
pub(crate) const RUNTIME_DIRECTORY: &str = if IS_ILLUMOS { "/var/run/ipseckey" } else { "/run/ipseckey" };

/// The load lock; dropping it releases the lock.
pub(crate) struct LoadLock {
    _lock: Option<FileLock>,
}

/// Why the load lock was not acquired.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Another process holds the lock.
    #[error(
        "timed out after {} s waiting for the load lock (is another manual-key or ipseckey -f hung?); nothing changed",
        TIMEOUT.as_secs()
    )]
    Busy,
    /// The lock file cannot be opened or locked.
    #[error("{}: {source}: no load lock, so another process may load a keys file at the same time", shown(path))]
    Unavailable {
        /// Path of the lock file.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
}

impl SadbTarget {
    /// Acquires the load lock of this SADB; waits while another process holds it.
    ///
    /// # Errors
    /// [`LockError::Busy`] after 15 seconds, [`LockError::Unavailable`] if the lock file cannot be used.
    pub(crate) fn acquire_load_lock(&self) -> Result<LoadLock, LockError> {
        let Some(path) = self.lock_file() else { return Ok(LoadLock { _lock: None }) };
        match FileLock::acquire(&path, TIMEOUT) {
            Ok(lock) => Ok(LoadLock { _lock: Some(lock) }),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(LockError::Busy),
            Err(source) => Err(LockError::Unavailable { path, source }),
        }
    }

    /// The lock file; `None` for a private SADB.
    fn lock_file(&self) -> Option<PathBuf> {
        match self {
            Self::Model(_) => None,
            // Each `sadb-model` is an SADB of its own.
            Self::Unix(socket) => {
                let mut name = socket.clone().into_os_string();
                name.push(".lock");
                Some(name.into())
            }
            // XFRM and PF_KEY are two interfaces to one SADB, so they share a lock.
            Self::Auto | Self::Xfrm | Self::PfKey => Some(Path::new(RUNTIME_DIRECTORY).join("load.lock")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Vocabulary;

    #[test]
    fn lock_file_of_each_target() {
        assert_eq!(SadbTarget::Model(Vocabulary::Illumos).lock_file(), None);
        assert_eq!(SadbTarget::Unix("/run/x".into()).lock_file(), Some("/run/x.lock".into()));
        assert_eq!(SadbTarget::Auto.lock_file(), SadbTarget::Xfrm.lock_file());
    }

    #[test]
    fn acquire_load_lock_without_a_directory() {
        let nowhere = SadbTarget::Unix("/proc/nowhere/sadb".into()).acquire_load_lock();
        assert!(matches!(nowhere, Err(LockError::Unavailable { .. })));
        assert!(SadbTarget::Model(Vocabulary::Illumos).acquire_load_lock().is_ok());
    }
}
