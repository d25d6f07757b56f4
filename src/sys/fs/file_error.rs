//! Why a keys file was not read.

use std::io;
use std::path::{Path, PathBuf};

use crate::redact::{shell_word, shown};
use crate::sys::fs::checks::replacement;

/// A larger keys file is taken for a mistake: 1 GiB holds several million SAs.
pub(crate) const MAX_LEN: u64 = 1 << 30;

/// Why a keys file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// An error of stat(2), open(2) or read(2).
    #[error("{}: {source}", shown(path))]
    Unreadable { path: PathBuf, source: io::Error },
    /// Another user's file, which the process may not open: a service has no capability for the files of other users.
    #[error("{} belongs to user {uid}, expected root: {}", shown(path), replacement(path, "600"))]
    Foreign { path: PathBuf, uid: u32 },
    /// It is not a regular file.
    #[error("{} is {found}, expected a regular file", shown(path))]
    NotRegular { path: PathBuf, found: &'static str },
    /// More than [`MAX_LEN`] bytes.
    #[error("{} declares {len} bytes, expected at most {MAX_LEN}", shown(path))]
    TooLarge {
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
    },
    /// There is less memory than the file has bytes.
    #[error("{} has {len} bytes, but at most {available} bytes of memory are available", shown(path))]
    NoMemory {
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
        available: u64,
    },
    /// A command with its continuation lines is longer than any command can be.
    #[error("{}:{line}: a command of more than 1 MiB, expected at most 1 MiB: is this a keys file?", shown(path))]
    LongCommand {
        path: PathBuf,
        /// Its first line, from 1.
        line: u32,
    },
    /// Another process has written to it during the read.
    #[error("{} changed while it was read; load it again after it has been written completely", shown(path))]
    Changed { path: PathBuf },
    /// Another process has it open for writing, or waits to.
    #[error(
        "{0} is open for writing in another process, so it may be incomplete: `fuser -v {1}` shows the process; load the file \
         after that process has closed it, and rather than write in place, write a new file and rename it to {0}",
        shown(path),
        shell_word(path)
    )]
    OpenForWriting { path: PathBuf },
}

impl FileError {
    /// The file that the error is about.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Unreadable { path, .. }
            | Self::Foreign { path, .. }
            | Self::NotRegular { path, .. }
            | Self::TooLarge { path, .. }
            | Self::NoMemory { path, .. }
            | Self::LongCommand { path, .. }
            | Self::Changed { path }
            | Self::OpenForWriting { path } => path,
        }
    }

    /// True if the caller lacks a permission; false if the file is wrong.
    #[must_use]
    pub(crate) fn is_permission(&self) -> bool {
        match self {
            Self::Unreadable { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            Self::Foreign { .. }
            | Self::NotRegular { .. }
            | Self::TooLarge { .. }
            | Self::NoMemory { .. }
            | Self::LongCommand { .. }
            | Self::Changed { .. }
            | Self::OpenForWriting { .. } => false,
        }
    }
}
