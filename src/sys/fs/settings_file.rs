//! Reading a settings file. It holds no secrets, but a user who can change it controls the service.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::O_NONBLOCK;

use crate::sys::fs::checks::directories::untrusted_write_bits;

/// A larger file is taken for a mistake.
const MAX_LEN: u64 = 1 << 20;

/// A settings file that was read whole.
pub(crate) struct SettingsFile {
    pub(crate) text: String,
    /// True if a user besides root and the caller can change it.
    pub(crate) is_writable_by_others: bool,
}

/// Reads the file at `path`.
///
/// # Errors
/// Those of open(2) and read(2); `InvalidData` if it is not a regular file, longer than 1 MiB, or not UTF-8.
pub(crate) fn read(path: &Path) -> io::Result<SettingsFile> {
    // O_NONBLOCK: opening a FIFO would wait for a writer.
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
    }
    Ok(SettingsFile { text: text(file)?, is_writable_by_others: is_writable_by_others(&metadata) })
}

fn text(file: File) -> io::Result<String> {
    let mut text = String::new();
    // Not by the length that fstat(2) returned: the file may grow meanwhile.
    if file.take(MAX_LEN + 1).read_to_string(&mut text)? as u64 > MAX_LEN {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than 1 MiB"));
    }
    Ok(text)
}

fn is_writable_by_others(metadata: &Metadata) -> bool {
    let me = nix::unistd::geteuid().as_raw();
    ![0, me].contains(&metadata.uid()) || metadata.mode() & untrusted_write_bits(metadata.gid()) != 0
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn is_writable_by_others_follows_the_mode() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, open) in [(0o644, false), (0o600, false), (0o646, true), (0o666, true)] {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(file.path()).unwrap().is_writable_by_others, open, "{mode:o}");
        }
    }

    #[test]
    fn special_and_long_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let error = |path: &Path| read(path).err().unwrap().to_string();
        assert_eq!(error(directory.path()), "not a regular file");
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRUSR).unwrap();
        assert_eq!(error(&fifo), "not a regular file");
        let long = directory.path().join("long");
        File::create(&long).unwrap().set_len(MAX_LEN + 1).unwrap();
        assert_eq!(error(&long), "longer than 1 MiB");
    }
}
