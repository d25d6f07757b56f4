//! Reading a file of settings: no secret, but whoever can change it tells a service what to do.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::O_NONBLOCK;

use crate::sys::fs::checks::directories::writers_besides_owner;

/// Settings longer than this are some other file.
const MAX_LEN: u64 = 1 << 20;

/// A file of settings.
pub struct SettingsFile {
    /// All of it.
    pub text: String,
    /// Whether somebody besides root and the caller can change it.
    pub is_open_to_others: bool,
}

/// Reads the file at `path`.
///
/// # Errors
/// The system's; `InvalidData` for what is no file, is longer than 1 MiB, or is not UTF-8.
pub fn read(path: &Path) -> io::Result<SettingsFile> {
    // A FIFO must not keep a service waiting.
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
    }
    Ok(SettingsFile { text: text(file)?, is_open_to_others: is_open_to_others(&metadata) })
}

fn text(file: File) -> io::Result<String> {
    let mut text = String::new();
    if file.take(MAX_LEN + 1).read_to_string(&mut text)? as u64 > MAX_LEN {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than 1 MiB"));
    }
    Ok(text)
}

fn is_open_to_others(metadata: &Metadata) -> bool {
    let me = nix::unistd::geteuid().as_raw();
    ![0, me].contains(&metadata.uid()) || metadata.mode() & writers_besides_owner(metadata.gid()) != 0
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn who_else_can_write_is_seen() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, open) in [(0o644, false), (0o600, false), (0o646, true), (0o666, true)] {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(file.path()).unwrap().is_open_to_others, open, "{mode:o}");
        }
    }

    #[test]
    fn what_is_no_file_of_settings_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let said = |path: &Path| read(path).err().unwrap().to_string();
        assert_eq!(said(directory.path()), "not a regular file");
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRUSR).unwrap();
        assert_eq!(said(&fifo), "not a regular file");
        let long = directory.path().join("long");
        File::create(&long).unwrap().set_len(MAX_LEN + 1).unwrap();
        assert_eq!(said(&long), "longer than 1 MiB");
    }
}
