//! Whole keys files one after the other: two programs that load into the same SADB do not mix their halves.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sadb::Select;
use crate::sys::IS_ILLUMOS;
use crate::sys::fs::lock::FileLock;
use crate::sys::path_text::shown;

/// Longer than a load of a hundred thousand SAs, shorter than service managers wait.
const PATIENCE: Duration = Duration::from_secs(15);

/// The right to load a keys file, until this is dropped.
pub struct Turn {
    _lock: Option<FileLock>,
}

/// Why it is not this program's turn.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// Somebody else is loading.
    #[error(
        "another program has been loading a keys file for {} seconds (a manual-key or an ipseckey -f that hangs?): nothing \
         is changed",
        PATIENCE.as_secs()
    )]
    Taken,
    /// There can be no lock; others may load at the same time.
    #[error("{}: {source}: another program may load a keys file at the same time", shown(path))]
    NoLock {
        /// The lock's file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Select {
    /// Waits until nobody else loads a keys file into this SADB, and keeps the others waiting.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn turn(&self) -> Result<Turn, TurnError> {
        let Some(path) = self.lock_file() else { return Ok(Turn { _lock: None }) };
        match FileLock::take(&path, PATIENCE) {
            Ok(lock) => Ok(Turn { _lock: Some(lock) }),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(TurnError::Taken),
            Err(source) => Err(TurnError::NoLock { path, source }),
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
        assert_eq!(Select::Model.lock_file(), None);
        assert_eq!(Select::Unix("/run/x".into()).lock_file(), Some("/run/x.lock".into()));
        assert_eq!(Select::Auto.lock_file(), Select::Xfrm.lock_file());
    }

    #[test]
    fn a_place_without_locks_is_told() {
        let nowhere = Select::Unix("/proc/nowhere/sadb".into()).turn();
        assert!(matches!(nowhere, Err(TurnError::NoLock { .. })));
        assert!(Select::Model.turn().is_ok());
    }
}
