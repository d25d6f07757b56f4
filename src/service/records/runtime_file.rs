//! JSON files in the directories of the service, replaced by atomic rename.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use crate::sys::fs::atomic_write::Readers;
use crate::sys::fs::{atomic_write, state_file};

/// The longest record: that of a million SAs or policies has less than half of it.
const MAX_LEN: u64 = 1 << 28;

/// The content of a file; `None` if it does not exist.
///
/// # Errors
/// Those of open(2) and read(2); `InvalidData` if it is longer than 256 MiB or cannot be parsed.
pub(crate) fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> io::Result<Option<T>> {
    Ok(read_up_to(directory, name, MAX_LEN)?.map(|(content, _)| content))
}

/// The content of a file of at most `max_len` bytes, and whether only root and the caller can change it; `None` if it does not exist.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_up_to<T: DeserializeOwned>(directory: &Path, name: &str, max_len: u64) -> io::Result<Option<(T, bool)>> {
    // Without following links: the directory may belong to another user than the reader.
    let Some(file) = state_file::read(&directory.join(name), max_len)? else { return Ok(None) };
    Ok(Some((serde_json::from_slice(&file.contents)?, file.is_trusted)))
}

/// Creates the directory with mode 0755, if it does not exist.
///
/// # Errors
/// Those of mkdir(2) and chmod(2).
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    // Independent of the umask: `manual-key status` reads the state as any user.
    fs::set_permissions(directory, Permissions::from_mode(0o755))
}

/// Replaces a file. A reader, or a crash, sees the old content or the new one.
///
/// # Errors
/// Those of creating, writing and renaming it.
pub(crate) fn write(directory: &Path, name: &str, readers: Readers, value: &impl Serialize) -> io::Result<()> {
    create_directory(directory)?;
    atomic_write::replace_volatile(&directory.join(name), readers, &serde_json::to_vec(value)?)
}
