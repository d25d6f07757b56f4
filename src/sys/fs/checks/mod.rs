//! Checks that only root and the caller can read or replace a keys file, or change a settings file.

mod access_list;
pub(crate) mod directories;

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::redact::{shell_word, shown};
use crate::sys::IS_ILLUMOS;

/// The source of a file's name, which decides how strict the checks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileOrigin {
    /// Named by a user. A symbolic link is followed.
    User,
    /// A property of a service. A symbolic link is refused.
    Service,
    /// A systemd credential. As for a service, but the group bits are the mask of an access list that systemd has set.
    Credential,
}

/// The command that removes an access list.
const WITHOUT_LIST: &str = if IS_ILLUMOS { "chmod A-" } else { "nfs4_setfacl -s A::OWNER@:rwtTcC" };

/// The commands that put a copy of the file in its place, which belongs to the caller. A process that has the file open for writing
/// can still write to it after chown(1) and chmod(1), but not to the copy.
pub(crate) fn replacement(path: &Path, mode: &str) -> String {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let (file, new) = (shell_word(path), shell_word(Path::new(&new)));
    // install(8) of illumos is another program.
    if IS_ILLUMOS {
        format!("(umask 077; cp {file} {new}) && chown root {new} && chmod {mode} {new} && mv {new} {file}")
    } else {
        format!("install -m {mode} -o root {file} {new} && mv {new} {file}")
    }
}

/// Mode bits that let other users change a file.
const WRITE_BITS: u32 = 0o022;

/// The command that makes the mode private. Other users may still have the file open for writing.
fn private_mode(path: &Path, mode: u32) -> String {
    if mode & WRITE_BITS == 0 { format!("chmod 600 {}", shell_word(path)) } else { replacement(path, "600") }
}

/// A reason why other users may be able to read or replace a keys file, or to change a settings file. Problem and remedy are two texts:
/// the name of a file is part of both, and must not become a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.problem(), self.remedy())]
pub(crate) enum PrivacyFinding {
    /// Group or others have access.
    Mode { path: PathBuf, mode: u32 },
    /// An access list, which the mode does not show, grants access to other users.
    AccessList { path: PathBuf },
    /// Neither root nor the caller owns the file.
    Owner { path: PathBuf, uid: u32 },
    /// The keys file of a service is a symbolic link.
    Link { path: PathBuf },
    /// Other users can change the settings file.
    Changeable { path: PathBuf, uid: u32, mode: u32 },
    /// Other users can rename files in a directory above it.
    DirectoryMode { path: PathBuf, mode: u32 },
    /// Neither root nor the caller owns a directory above the file.
    DirectoryOwner { path: PathBuf, uid: u32 },
    /// Neither root nor the caller owns a symbolic link on the path to the file, in a directory where all users can create files.
    LinkOwner { path: PathBuf, uid: u32 },
}

impl PrivacyFinding {
    fn path(&self) -> &Path {
        match self {
            Self::Mode { path, .. }
            | Self::AccessList { path }
            | Self::Owner { path, .. }
            | Self::Link { path }
            | Self::Changeable { path, .. }
            | Self::DirectoryMode { path, .. }
            | Self::DirectoryOwner { path, .. }
            | Self::LinkOwner { path, .. } => path,
        }
    }

    /// What other users can do, and why.
    pub(crate) fn problem(&self) -> String {
        let name = shown(self.path());
        match self {
            Self::Mode { mode, .. } => format!("{name} has mode {mode:04o}, expected 0600 or 0400"),
            Self::AccessList { .. } => format!("{name} has an access list for other users"),
            Self::Owner { uid, .. } => format!("{name} belongs to user {uid}, expected root"),
            Self::Link { .. } => format!("{name} is a symbolic link, which the service refuses"),
            Self::Changeable { uid, mode, .. } => {
                format!("{name} can be changed by users other than root (owner {uid}, mode {mode:04o})")
            }
            Self::DirectoryMode { mode, .. } => format!("{name} has mode {mode:04o}, so others can replace the files in it"),
            Self::DirectoryOwner { uid, .. } => format!("{name} belongs to user {uid}, who can replace the files in it"),
            Self::LinkOwner { uid, .. } => format!("{name} is a symbolic link of user {uid}, who can replace it"),
        }
    }

    /// The command that corrects it, or the setting.
    pub(crate) fn remedy(&self) -> String {
        let word = shell_word(self.path());
        match self {
            Self::Mode { path, mode } => private_mode(path, *mode),
            Self::AccessList { .. } => format!("{WITHOUT_LIST} {word}"),
            Self::Owner { path, .. } => replacement(path, "600"),
            Self::Link { .. } => "set config_file to the file itself".to_owned(),
            Self::Changeable { path, .. } => replacement(path, "644"),
            Self::DirectoryMode { .. } => format!("chmod go-w {word}"),
            Self::DirectoryOwner { .. } => format!("chown root {word}"),
            Self::LinkOwner { .. } => format!("chown -h root {word}"),
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct FileAttributes {
    uid: u32,
    mode: u32,
}

impl FileAttributes {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { uid: metadata.uid(), mode: metadata.mode() & 0o7777 }
    }
}

/// Checks owner and mode of the file at `path` for the user `me`.
pub(crate) fn check_file(path: &Path, attributes: FileAttributes, origin: FileOrigin, me: u32) -> Vec<PrivacyFinding> {
    // systemd grants a service user access by an access list, whose mask shows as group bits (systemd.exec(5), LoadCredential).
    let forbidden = if origin == FileOrigin::Credential { 0o037 } else { 0o077 };
    let mut findings = Vec::new();
    if attributes.uid != 0 && attributes.uid != me {
        findings.push(PrivacyFinding::Owner { path: path.to_owned(), uid: attributes.uid });
    }
    if attributes.mode & forbidden != 0 {
        findings.push(PrivacyFinding::Mode { path: path.to_owned(), mode: attributes.mode });
    }
    findings
}

/// Checks the access list of the open file at `path` for the user `me`.
pub(crate) fn check_access_list(path: &Path, file: &File, me: u32) -> Option<PrivacyFinding> {
    access_list::grants_access(file, me).then(|| PrivacyFinding::AccessList { path: path.to_owned() })
}

/// Checks owner, mode and access list of the open file at `path` for the caller.
///
/// # Errors
/// Those of fstat(2).
pub(crate) fn check_open_file(path: &Path, file: &File) -> io::Result<Vec<PrivacyFinding>> {
    let me = nix::unistd::geteuid().as_raw();
    let mut findings = check_file(path, FileAttributes::of(&file.metadata()?), FileOrigin::User, me);
    findings.extend(check_access_list(path, file, me));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1000;

    fn file(uid: u32, mode: u32, origin: FileOrigin) -> Vec<PrivacyFinding> {
        check_file(Path::new("/k"), FileAttributes { uid, mode }, origin, ME)
    }

    #[test]
    fn check_file_accepts_root_and_the_caller_as_owner() {
        assert_eq!(file(0, 0o600, FileOrigin::Service), []);
        assert_eq!(file(ME, 0o400, FileOrigin::User), []);
        assert_eq!(file(7, 0o600, FileOrigin::Service), [PrivacyFinding::Owner { path: "/k".into(), uid: 7 }]);
    }

    #[test]
    fn check_file_refuses_bits_of_group_and_others() {
        for bit in [0o001, 0o002, 0o004, 0o010, 0o020, 0o040] {
            let mode = 0o600 | bit;
            assert_eq!(file(0, mode, FileOrigin::User), [PrivacyFinding::Mode { path: "/k".into(), mode }], "{mode:o}");
        }
        assert_eq!(file(0, 0o440, FileOrigin::Credential), []);
        assert_ne!(file(0, 0o444, FileOrigin::Credential), []);
    }
}
