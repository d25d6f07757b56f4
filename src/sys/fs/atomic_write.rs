//! Files that appear complete or not at all: written to a file without a name, or a temporary one, which then gets the name.
//!
//! | function | mode | an existing file | flushed to the disk |
//! | --- | --- | --- | --- |
//! | [`create_new`] | 0600 | is kept, and is an error | file and directory |
//! | [`replace`] | 0400 | is replaced | file and directory |
//! | [`replace_volatile`] | 0600 or 0644 | is replaced | no: for directories that a reboot empties |

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::redact::shown;
use crate::secret;
use crate::sys::fs::checks;
use crate::sys::fs::new_file::NewFile;

/// Bytes that [`replace`] collects before it writes them.
const BUFFER_LEN: usize = 64 * 1024;

/// The error of [`replace`], by the file that is in place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplaceError {
    /// The old file, if any, is unchanged.
    #[error("{0}; nothing was replaced")]
    Unwritten(#[from] io::Error),
    /// The new file is in place, but a loss of power may bring the old one back.
    #[error("{0}; the file is replaced, but may not have reached the disk: run `sync`")]
    Unsynced(io::Error),
}

/// Who may read a file of [`replace_volatile`].
#[derive(Clone, Copy)]
pub(crate) enum Readers {
    /// Every user: mode 0644.
    All,
    /// Only the owner: mode 0600.
    Owner,
}

/// Creates the file at `path` with mode 0600.
///
/// # Errors
/// `AlreadyExists` if there is a file of any kind; `PermissionDenied` for an inherited access list; those of open(2), write(2),
/// fsync(2) and link(2).
pub(crate) fn create_new(path: &Path, contents: &[u8]) -> io::Result<()> {
    let directory = directory_of(path);
    let mut file = NewFile::create(&directory, 0o600)?;
    require_private(&directory, file.file())?;
    file.file().write_all(contents)?;
    file.file().sync_all()?;
    file.name(path)?;
    sync_directory(&directory)
}

/// Replaces the file at `path`, or creates it, with mode 0400. `write` writes the contents, which may be keys.
///
/// A symbolic link at `path` is replaced, never followed.
///
/// # Errors
/// `InvalidInput` if `path` is a directory, a device, a FIFO or a socket; `PermissionDenied` for an inherited access list; errors of
/// `write` and of the system calls.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), ReplaceError> {
    replace_with_mode(path, 0o400, write)
}

/// As [`replace`], with another mode.
///
/// # Errors
/// Those of [`replace`].
pub(crate) fn replace_with_mode(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), ReplaceError> {
    // A rename would replace a device or a FIFO as well.
    if fs::symlink_metadata(path).is_ok_and(|old| !(old.is_file() || old.is_symlink())) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file; name a file to save into").into());
    }
    let directory = directory_of(path);
    let mut file = NewFile::create(&directory, mode)?;
    require_private(&directory, file.file())?;
    {
        let mut buffered = secret::SecretWriter::new(BUFFER_LEN, file.file());
        write(&mut buffered)?;
        buffered.flush()?;
    }
    // Before the rename: otherwise a loss of power may leave an empty file under the name of the old one.
    file.file().sync_all()?;
    file.replace(path)?;
    sync_directory(&directory).map_err(ReplaceError::Unsynced)
}

/// Replaces the file at `path`, or creates it. For directories such as /run, whose files do not survive a reboot.
///
/// # Errors
/// Those of open(2), write(2), fchmod(2) and rename(2).
pub(crate) fn replace_volatile(path: &Path, readers: Readers, contents: &[u8]) -> io::Result<()> {
    let mode = match readers {
        Readers::All => 0o644,
        Readers::Owner => 0o600,
    };
    // With a name: such a file has no key, and is written often.
    let mut file = NewFile::create_named(&directory_of(path), 0o600)?;
    file.file().write_all(contents)?;
    // After the write, and by fchmod(2), which the umask does not apply to.
    file.file().set_permissions(Permissions::from_mode(mode))?;
    file.replace(path)
}

/// Fails if the new `file` has inherited an access list for other users from its directory (NFSv4: ZFS, NFS), which the mode does not
/// show.
fn require_private(directory: &Path, file: &File) -> io::Result<()> {
    let me = nix::unistd::geteuid().as_raw();
    if checks::check_access_list(directory, file, me).is_none() {
        return Ok(());
    }
    let found = format!("{} gives new files an access list for other users", shown(directory));
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{found}: name a file in a directory without one")))
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        // The parent of a bare file name is the empty path.
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename durable.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_failed_replace_leaves_the_old_file_and_nothing_else() {
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
    fn replace_ignores_the_mode_of_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        replace(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(mode(&path), 0o400);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn replace_does_not_follow_a_symbolic_link() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "untouched").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace(&link, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
    }

    #[test]
    fn replace_refuses_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let refused = replace(dir.path(), |_| Ok(())).unwrap_err().to_string();
        assert_eq!(refused, "not a regular file; name a file to save into; nothing was replaced");
    }

    #[test]
    fn create_new_makes_a_private_file_and_keeps_an_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        create_new(&path, b"new").unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(create_new(&path, b"newer").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn replace_volatile_sets_the_mode_for_its_readers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        for (readers, expected) in [(Readers::All, 0o644), (Readers::Owner, 0o600)] {
            replace_volatile(&path, readers, b"{}").unwrap();
            assert_eq!(mode(&path), expected);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
