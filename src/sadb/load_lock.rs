//! Whole keys files one after the other: two programs that load into the same SADB do not mix their halves.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::redact::shown;
use crate::sadb::SadbTarget;
use crate::sys::IS_ILLUMOS;
use crate::sys::fs::lock::FileLock;

/// Longer than a load of a hundred thousand SAs, shorter than service managers wait.
const PATIENCE: Duration = Duration::from_secs(15);

/// The right to load a keys file, until this is dropped.
pub struct LoadLock {
    _lock: Option<FileLock>,
}

/// Why it is not this program's turn.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else is loading.
    #[error(
        "another program has been loading a keys file for {} seconds (a manual-key or an ipseckey -f that hangs?): nothing \
         is changed",
        PATIENCE.as_secs()
    )]
    Busy,
    /// There can be no lock; others may load at the same time.
    #[error("{}: {source}: another program may load a keys file at the same time", shown(path))]
    Unavailable {
        /// The lock's file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl SadbTarget {
    /// Waits until nobody else loads a keys file into this SADB, and keeps the others waiting.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn acquire_load_lock(&self) -> Result<LoadLock, LockError> {
        let Some(path) = self.lock_file() else { return Ok(LoadLock { _lock: None }) };
        match FileLock::acquire(&path, PATIENCE) {
            Ok(lock) => Ok(LoadLock { _lock: Some(lock) }),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(LockError::Busy),
            Err(source) => Err(LockError::Unavailable { path, source }),
        }
    }

    /// The file that whoever loads has locked; a private SADB needs none.
    fn lock_file(&self) -> Option<PathBuf> {
        match self {
            Self::Model => None,
            Self::Unix(socket) => {
                let mut name = socket.clone().into_os_string();
                name.push(".lock");
                Some(name.into())
            }
            Self::Auto | Self::Xfrm | Self::PfKey => {
                Some(Path::new(if IS_ILLUMOS { "/var/run" } else { "/run" }).join("ipseckey/load.lock"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sadb_has_its_lock() {
        assert_eq!(SadbTarget::Model.lock_file(), None);
        assert_eq!(SadbTarget::Unix("/run/x".into()).lock_file(), Some("/run/x.lock".into()));
        assert_eq!(SadbTarget::Auto.lock_file(), SadbTarget::Xfrm.lock_file());
    }

    #[test]
    fn a_place_without_locks_is_told() {
        let nowhere = SadbTarget::Unix("/proc/nowhere/sadb".into()).acquire_load_lock();
        assert!(matches!(nowhere, Err(LockError::Unavailable { .. })));
        assert!(SadbTarget::Model.acquire_load_lock().is_ok());
    }
}
