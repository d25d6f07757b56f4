//! Where `save` writes: a file beside the target, mode 0400, renamed over it when complete.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::secret;

/// Why a save did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SaveError {
    /// What was there before, if anything, is there still.
    #[error("{0}; nothing was replaced")]
    Unwritten(#[from] io::Error),
    /// The new file is there, but a loss of power may bring the old one back.
    #[error("{0}; the file is replaced, but may not have reached the disk: `sync` tries again")]
    Unsynced(io::Error),
}

/// Saves to `path` what `write` writes.
///
/// A symbolic link at `path` is replaced, never followed.
///
/// # Errors
/// The system's, and whatever `write` returns.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), SaveError> {
    if fs::symlink_metadata(path).is_ok_and(|old| !(old.is_file() || old.is_symlink())) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file; name a file to save into").into());
    }
    let mut file = temporary_beside(path)?;
    {
        let mut buffered = secret::Writer::new(64 * 1024, file.as_file_mut());
        write(&mut buffered)?;
        buffered.flush()?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_directory(&directory_of(path)).map_err(SaveError::Unsynced)
}

fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".ipseckey-").permissions(Permissions::from_mode(0o400)).tempfile_in(directory_of(path))
}

/// The directory that `path` is in.
pub(super) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Makes the rename itself durable.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_save_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        fs::write(&path, "old").unwrap();
        let failed = replace(&path, |out| {
            out.write_all(b"half")?;
            Err(io::ErrorKind::Other.into())
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_save_is_private_whatever_was_there_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        replace(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o400);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_symbolic_link_is_replaced_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "untouched").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace(&link, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
    }

    #[test]
    fn a_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = replace(dir.path(), |_| Ok(())).unwrap_err().to_string();
        assert_eq!(refused, "not a regular file; name a file to save into; nothing was replaced");
    }
}
