//! What makes a keys file less than private.

pub(crate) mod access_list;
pub(crate) mod directories;

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys::IS_ILLUMOS;
use crate::sys::path_text::{shell_word, shown};

/// How the file is come by, and so what is expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Named by a user: a symbolic link is followed.
    ByHand,
    /// A service's property: a symbolic link is refused.
    Service,
    /// A systemd credential: as for a service, but its group bits are the mask of an access list that systemd set.
    Credential,
}

/// The command that takes an access list away.
const WITHOUT_LIST: &str = if IS_ILLUMOS { "chmod A-" } else { "nfs4_setfacl -s A::OWNER@:rwtTcC" };

/// One reason why others might read or replace a keys file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Group or others have access.
    #[error("{} has mode {mode:04o}, wanted 0600 or 0400: chmod 600 {}", shown(path), shell_word(path))]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// An access list lets others in, unseen in the mode.
    #[error("{} has an access list that lets others in: {} {}", shown(path), WITHOUT_LIST, shell_word(path))]
    AccessList {
        /// The file.
        path: PathBuf,
    },
    /// Neither root nor the caller owns the file.
    #[error("{} belongs to user {uid}, wanted root: chown root {}", shown(path), shell_word(path))]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Others may put another file in its place.
    #[error(
        "{} above the keys file has mode {mode:04o}, so others can replace it: chmod go-w {}",
        shown(path),
        shell_word(path)
    )]
    DirectoryMode {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Neither root nor the caller owns a directory above the file.
    #[error(
        "{} above the keys file belongs to user {uid}, who can replace it: chown root {}",
        shown(path),
        shell_word(path)
    )]
    DirectoryOwner {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
}

/// What privacy depends on.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    uid: u32,
    mode: u32,
}

impl Facts {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { uid: metadata.uid(), mode: metadata.mode() & 0o7777 }
    }
}

/// What the owner and the mode of the file at `path` say to the user `me`.
pub(crate) fn judge_file(path: &Path, facts: Facts, origin: Origin, me: u32) -> Vec<Finding> {
    let forbidden = if origin == Origin::Credential { 0o037 } else { 0o077 };
    let mut findings = Vec::new();
    if facts.uid != 0 && facts.uid != me {
        findings.push(Finding::Owner { path: path.to_owned(), uid: facts.uid });
    }
    if facts.mode & forbidden != 0 {
        findings.push(Finding::Mode { path: path.to_owned(), mode: facts.mode });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1000;

    fn file(uid: u32, mode: u32, origin: Origin) -> Vec<Finding> {
        judge_file(Path::new("/k"), Facts { uid, mode }, origin, ME)
    }

    #[test]
    fn root_and_the_caller_may_own_the_file() {
        assert_eq!(file(0, 0o600, Origin::Service), []);
        assert_eq!(file(ME, 0o400, Origin::ByHand), []);
        assert_eq!(file(7, 0o600, Origin::Service), [Finding::Owner { path: "/k".into(), uid: 7 }]);
    }

    #[test]
    fn no_group_and_no_other_bit_may_be_set() {
        for bit in [0o001, 0o002, 0o004, 0o010, 0o020, 0o040] {
            let mode = 0o600 | bit;
            assert_eq!(file(0, mode, Origin::ByHand), [Finding::Mode { path: "/k".into(), mode }], "{mode:o}");
        }
        assert_eq!(file(0, 0o440, Origin::Credential), []);
        assert_ne!(file(0, 0o444, Origin::Credential), []);
    }
}
