//! Files in the service's runtime directory: JSON, replaced whole.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use crate::sys::fs::atomic_write::Readers;
use crate::sys::fs::{atomic_write, state_file};

/// What a file holds; `None` if there is none.
///
/// # Errors
/// The system's; `InvalidData` if it is not understood.
pub(crate) fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> io::Result<Option<T>> {
    let text = state_file::read(&directory.join(name))?;
    Ok(text.map(|text| serde_json::from_slice(&text)).transpose()?)
}

/// Makes the directory, which everybody may read, if nobody has yet.
///
/// # Errors
/// The system's.
pub(crate) fn make(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    // Whatever the umask says.
    fs::set_permissions(directory, Permissions::from_mode(0o755))
}

/// Puts a file in the place of the old one.
///
/// # Errors
/// The system's.
pub(crate) fn write(directory: &Path, name: &str, readers: Readers, value: &impl Serialize) -> io::Result<()> {
    make(directory)?;
    atomic_write::replace_volatile(&directory.join(name), readers, &serde_json::to_vec(value)?)
}
