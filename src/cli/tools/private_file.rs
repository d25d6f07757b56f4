//! Writes new keys to a new file of mode 0600, or to standard output unless that is a file that other users can read.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::failure::Failure;
use crate::cli::output::secret_stdout;
use crate::redact::{shell_word, shown};
use crate::sys::fs::atomic_write;

/// The permission bits of the group and of other users.
const SHARED: u32 = 0o077;

/// Writes `contents` to a new file at `path`, or without one to standard output.
///
/// # Errors
/// The file exists or cannot be written; other users can read the file that is standard output.
pub(super) fn write(path: Option<&Path>, contents: &[u8]) -> Result<(), Failure> {
    match path {
        Some(path) => create(path, contents),
        None => {
            // Before the key is written: the shell has created the file of a redirection already.
            require_private(&io::stdout())?;
            let mut out = secret_stdout()?;
            Ok(out.write_all(contents).and_then(|()| out.flush())?)
        }
    }
}

/// The file gets its name when it is complete. An existing file is never replaced: its keys may be in use.
fn create(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    atomic_write::create_new(path, contents).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let (name, word) = (shown(path), shell_word(path));
            Failure::new(format!("{name} exists, and its keys may be in use: choose another file, or run `rm {word}`"))
        }
        _ => Failure::new(format!("{}: {error}", shown(path))),
    })
}

/// A terminal or a pipe is the user's decision; a regular file must be as private as one that [`create`] makes.
fn require_private(out: &impl AsFd) -> Result<(), Failure> {
    let metadata = File::from(out.as_fd().try_clone_to_owned()?).metadata()?;
    let mode = metadata.mode() & 0o7777;
    if metadata.is_file() && mode & SHARED != 0 {
        return Err(Failure::new(format!(
            "standard output is a file of mode {mode:04o}, which other users can read: use -o FILE, which gets mode 0600, or run \
             `umask 077` before the redirection"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn write_makes_a_private_file_and_keeps_an_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        write(Some(&path), b"new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let refused = write(Some(&path), b"newer").unwrap_err().to_string();
        assert!(refused.contains("may be in use"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn require_private_refuses_a_file_that_others_can_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        require_private(file.as_file()).unwrap();
        file.as_file().set_permissions(Permissions::from_mode(0o640)).unwrap();
        assert!(require_private(file.as_file()).unwrap_err().to_string().contains("0640"));
    }
}
