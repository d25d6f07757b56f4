//! Writes new keys to a new file of mode 0600, or to standard output unless that is a file that other users can read.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::failure::Failure;
use crate::cli::private_output::private_stdout;
use crate::redact::{shell_word, shown};
use crate::sys::fs::atomic_write;

/// Writes `contents` to a new file at `path`; without one, or with the path `-`, to standard output.
///
/// # Errors
/// The file exists or cannot be written; other users can read the file that is standard output.
pub(super) fn write(path: Option<&Path>, contents: &[u8]) -> Result<(), Failure> {
    match path.filter(|path| *path != Path::new("-")) {
        Some(path) => create(path, contents),
        None => {
            let mut out = private_stdout()?;
            Ok(out.write_all(contents).and_then(|()| out.flush())?)
        }
    }
}

/// Writes two files: `contents` as [`write`] does, and `peer` to a new file at `peer_path`. Both are written or none.
///
/// # Errors
/// Those of [`write`] for either file.
pub(super) fn write_both(path: Option<&Path>, contents: &[u8], peer_path: &Path, peer: &[u8]) -> Result<(), Failure> {
    create(peer_path, peer)?;
    write(path, contents).inspect_err(|_| {
        // Best effort: a file of keys that no host uses.
        let _ = fs::remove_file(peer_path);
    })
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn write_makes_a_private_file_and_keeps_an_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        write(Some(&path), b"new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let refused = write(Some(&path), b"newer").unwrap_err().to_string();
        assert!(refused.contains("may be in use"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn write_both_leaves_no_file_if_one_exists() {
        let directory = tempfile::tempdir().unwrap();
        let [own, peer] = ["own", "peer"].map(|name| directory.path().join(name));
        fs::write(&own, b"old").unwrap();
        assert!(write_both(Some(&own), b"new", &peer, b"new").is_err());
        assert!(!peer.exists());
        fs::rename(&own, &peer).unwrap();
        assert!(write_both(Some(&own), b"new", &peer, b"new").is_err());
        assert!(!own.exists() && fs::read_to_string(&peer).unwrap() == "old");
        assert!(write_both(Some(&own), b"new", &own, b"new").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
