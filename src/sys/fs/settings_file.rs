//! Reading a settings file. It holds no secrets, but a user who can change it controls the service.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::O_NONBLOCK;

use crate::sys::fs::checks::{PrivacyFinding, directories};

/// A larger file is taken for a mistake.
const MAX_LEN: u64 = 1 << 20;

/// A settings file that was read whole.
pub(crate) struct SettingsFile {
    pub(crate) text: String,
    /// Empty if only root and the caller can change or replace it.
    pub(crate) findings: Vec<PrivacyFinding>,
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
    let mut findings: Vec<PrivacyFinding> = check(path, &metadata).into_iter().collect();
    findings.extend(directories::check(path, nix::unistd::geteuid().as_raw()));
    Ok(SettingsFile { text: text(file)?, findings })
}

fn text(file: File) -> io::Result<String> {
    let mut text = String::new();
    // Not by the length that fstat(2) returned: the file may grow meanwhile.
    if file.take(MAX_LEN + 1).read_to_string(&mut text)? as u64 > MAX_LEN {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than 1 MiB"));
    }
    Ok(text)
}

fn check(path: &Path, metadata: &Metadata) -> Option<PrivacyFinding> {
    let (uid, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    let me = nix::unistd::geteuid().as_raw();
    let is_changeable = ![0, me].contains(&uid) || mode & directories::untrusted_write_bits(metadata.gid()) != 0;
    is_changeable.then(|| PrivacyFinding::Changeable { path: path.to_owned(), uid, mode })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn findings_follow_the_mode() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, open) in [(0o644, false), (0o600, false), (0o646, true), (0o666, true)] {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            let findings = read(file.path()).unwrap().findings;
            let found =
                findings.iter().any(|finding| matches!(finding, PrivacyFinding::Changeable { mode: m, .. } if *m == mode));
            assert_eq!((found, findings.len()), (open, usize::from(open)), "{mode:o}: {findings:?}");
        }
    }

    #[test]
    fn findings_include_the_directories() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("manual-key.toml");
        fs::write(&path, "").unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
        let expected = PrivacyFinding::DirectoryMode { path: directory.path().to_owned(), mode: 0o777 };
        assert_eq!(read(&path).unwrap().findings, [expected]);
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
