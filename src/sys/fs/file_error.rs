//! Why a keys file was not read.

use std::io;
use std::path::{Path, PathBuf};

use crate::sys::path_text::{shell_word, shown};

/// A keys file larger than this is taken for a mistake: 1 GiB holds several million SAs.
pub const MAX_LEN: u64 = 1 << 30;

/// Why a keys file was not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused to open or read it.
    #[error("{}: {source}", shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The system refused to open it, as it is somebody else's: a service has no right to the files of others.
    #[error("{} belongs to user {uid}, wanted root: chown root {}", shown(path), shell_word(path))]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// It is not a regular file.
    #[error("{} is {found}, wanted a regular file", shown(path))]
    NotRegular {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// It is larger than any keys file.
    #[error("{} declares {len} bytes, wanted at most {MAX_LEN}", shown(path))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
    },
    /// It was written to while it was read.
    #[error("{} changed while it was read: try again when it is written", shown(path))]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl FileError {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Unreadable { path, .. }
            | Self::Foreign { path, .. }
            | Self::NotRegular { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Changed { path } => path,
        }
    }

    /// Whether the caller lacks a permission, rather than the file being wrong.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        match self {
            Self::Unreadable { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            Self::Foreign { .. } => true,
            Self::NotRegular { .. } | Self::TooLarge { .. } | Self::Changed { .. } => false,
        }
    }
}
