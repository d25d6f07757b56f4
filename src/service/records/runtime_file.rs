//! JSON files in the directories of the service, replaced by atomic rename.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use crate::sys::fs::atomic_write::Readers;
use crate::sys::fs::{atomic_write, state_file};

/// The content of a file; `None` if it does not exist.
///
/// # Errors
/// Those of open(2) and read(2); `InvalidData` if it cannot be parsed.
pub(crate) fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> io::Result<Option<T>> {
    // Without following links: the directory may belong to another user than the reader.
    let text = state_file::read(&directory.join(name))?;
    Ok(text.map(|text| serde_json::from_slice(&text)).transpose()?)
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
