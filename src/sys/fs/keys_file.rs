//! Reading a file that holds keys: once, through one open descriptor, and with a list of what makes it less than private.
//!
//! The caller decides what a [`Finding`] means: a service refuses the file, a program run by hand warns (ipseckey(1M),
//! SECURITY, point 2).

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use crate::secret::Buffer;
use crate::sys::fs::checks::{Facts, judge_file};
use crate::sys::fs::checks::{access_list, directories};
use crate::sys::fs::lease;
use crate::sys::process::hardening;

pub use crate::sys::fs::checks::{Finding, Origin};
pub use crate::sys::fs::file_error::{FileError, MAX_LEN};

/// Where the keys file is unless it is said otherwise (ipseckey(1M), FILES).
pub const KEYS_FILE: &str = "/etc/inet/secret/ipseckeys";

/// The contents of a keys file, and what was found wrong with its privacy.
pub struct SecureFile {
    /// All bytes of the file.
    pub contents: Buffer,
    /// Empty for a file that is private.
    pub findings: Vec<Finding>,
}

/// Reads all of the keys file at `path`.
///
/// # Errors
/// As [`Reader::open`] and [`Reader::read`].
pub fn read(path: &Path, origin: Origin) -> Result<SecureFile, FileError> {
    let mut reader = Reader::open(path, origin)?;
    let mut contents = Buffer::zeroed(reader.left);
    hardening::lock(&contents);
    reader.read(&mut contents)?;
    Ok(SecureFile { contents, findings: reader.take_findings() })
}

/// What is there, before it is opened: opening a device can do harm.
fn look(path: &Path, origin: Origin) -> io::Result<Metadata> {
    match origin {
        Origin::ByHand => path.metadata(),
        Origin::Service | Origin::Credential => path.symlink_metadata(),
    }
}

fn open(path: &Path, origin: Origin) -> io::Result<File> {
    let follow = if origin == Origin::ByHand { 0 } else { O_NOFOLLOW };
    OpenOptions::new().read(true).custom_flags(O_NONBLOCK | follow).open(path)
}

fn require_regular(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    Err(FileError::NotRegular { path: path.to_owned(), found: kind_name(kind) })
}

fn kind_name(kind: FileType) -> &'static str {
    type Is = fn(&FileType) -> bool;
    const NAMES: &[(Is, &str)] = &[
        (FileType::is_dir, "a directory"),
        (FileType::is_symlink, "a symbolic link"),
        (FileTypeExt::is_fifo, "a FIFO"),
        (FileTypeExt::is_socket, "a socket"),
        (FileTypeExt::is_char_device, "a character device"),
        (FileTypeExt::is_block_device, "a block device"),
    ];
    NAMES.iter().find(|(is, _)| is(&kind)).map_or("something else", |(_, name)| name)
}

/// A keys file that is read piece by piece. It must have as many bytes as it declared when it was opened; more or fewer mean
/// that somebody is writing to it.
pub struct Reader {
    path: PathBuf,
    file: File,
    declared: Metadata,
    left: usize,
    is_done: bool,
    findings: Vec<Finding>,
}

impl Reader {
    /// Opens the file without waiting (a FIFO cannot hang the caller); everything is then asked of the open descriptor. The
    /// directories on the way to it are looked at by name.
    ///
    /// # Errors
    /// [`FileError`]; a lack of privacy is no error here but a [`Finding`].
    pub fn open(path: &Path, origin: Origin) -> Result<Self, FileError> {
        let seen = look(path, origin).map_err(|source| FileError::Unreadable { path: path.to_owned(), source })?;
        require_regular(path, &seen)?;
        Self::open_after(path, origin, &seen)
    }

    /// Opens what was `seen` there a moment ago; by now it may be anything.
    fn open_after(path: &Path, origin: Origin, seen: &Metadata) -> Result<Self, FileError> {
        let failed = |source| FileError::Unreadable { path: path.to_owned(), source };
        let me = nix::unistd::geteuid().as_raw();
        let file = open(path, origin).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied if ![0, me].contains(&seen.uid()) => {
                FileError::Foreign { path: path.to_owned(), uid: seen.uid() }
            }
            _ => failed(error),
        })?;
        let declared = file.metadata().map_err(failed)?;
        require_regular(path, &declared)?;
        let too_large = || FileError::TooLarge { path: path.to_owned(), len: declared.len() };
        let left = usize::try_from(declared.len()).ok().filter(|_| declared.len() <= MAX_LEN).ok_or_else(too_large)?;
        let mut findings = judge_file(path, Facts::of(&declared), origin, me);
        findings.extend(access_list::lets_others_in(&file, me).then(|| Finding::AccessList { path: path.to_owned() }));
        findings.extend(directories::judge(path, me));
        Ok(Self { path: path.to_owned(), file, declared, left, is_done: false, findings })
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.declared.len()
    }

    /// Bytes that are still to be read.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    /// Has who wants to write to the file wait until this is dropped, if the system can do that: [`Self::is_held`] tells.
    ///
    /// # Errors
    /// [`FileError::Changed`] since it was opened, [`FileError::Unreadable`].
    pub fn hold(&self) -> Result<(), FileError> {
        lease::take(&self.file);
        if self.is_unchanged()? { Ok(()) } else { Err(self.changed()) }
    }

    /// Whether nobody could write to the file since [`Self::hold`], and nobody waits to: then it stays so for a while.
    #[must_use]
    pub fn is_held(&self) -> bool {
        lease::is_unasked(&self.file)
    }

    /// What makes the file less than private.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Fills `room` with the next bytes of the file; fewer than it has room for are the last.
    ///
    /// # Errors
    /// [`FileError::Changed`], [`FileError::Unreadable`].
    pub fn read(&mut self, room: &mut [u8]) -> Result<usize, FileError> {
        if self.is_done {
            return Ok(0);
        }
        let len = room.len().min(self.left);
        let wanted = room.get_mut(..len).unwrap_or_default();
        self.file.read_exact(wanted).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.changed(),
            _ => self.failed(error),
        })?;
        self.left -= len;
        if self.left == 0 {
            self.require_end()?;
            self.is_done = true;
        }
        Ok(len)
    }

    fn require_end(&mut self) -> Result<(), FileError> {
        let beyond = self.file.read(&mut [0]).map_err(|error| self.failed(error))?;
        // Where nobody could write, somebody may have set its times.
        if beyond == 0 && (self.is_unchanged()? || self.is_held()) { Ok(()) } else { Err(self.changed()) }
    }

    fn is_unchanged(&self) -> Result<bool, FileError> {
        let now = self.file.metadata().map_err(|error| self.failed(error))?;
        Ok(moment(&now) == moment(&self.declared))
    }

    fn failed(&self, source: io::Error) -> FileError {
        FileError::Unreadable { path: self.path.clone(), source }
    }

    fn changed(&self) -> FileError {
        FileError::Changed { path: self.path.clone() }
    }
}

fn moment(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn private(name: &str, text: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_private_file_is_read_whole() {
        let (_dir, path) = private("keys", b"flush esp\n");
        let read = read(&path, Origin::Service).unwrap();
        assert_eq!(&*read.contents, b"flush esp\n");
        assert_eq!(read.findings, []);
    }

    #[test]
    fn an_open_file_is_a_finding_not_an_error() {
        let (_dir, path) = private("keys", b"");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let read = read(&path, Origin::Service).unwrap();
        assert_eq!(read.findings, [Finding::Mode { path, mode: 0o644 }]);
    }

    #[test]
    fn links_are_followed_only_by_hand() {
        let (dir, path) = private("keys", b"x");
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(&*read(&link, Origin::ByHand).unwrap().contents, b"x");
        let refused = read(&link, Origin::Service).err().unwrap();
        assert!(refused.to_string().ends_with("is a symbolic link, wanted a regular file"), "{refused}");
    }

    #[test]
    fn what_is_not_a_file_is_named() {
        let (dir, _) = private("keys", b"");
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        for (path, found) in [(dir.path(), "a directory"), (&fifo, "a FIFO"), (Path::new("/dev/null"), "a character device")]
        {
            let error = read(path, Origin::ByHand).err().unwrap();
            assert!(matches!(error, FileError::NotRegular { found: name, .. } if name == found), "{error}");
        }
    }

    /// What is put in the place of the file between the look and the opening is neither followed nor waited for.
    #[test]
    fn what_takes_its_place_before_it_is_opened_is_refused() {
        let (dir, path) = private("keys", b"x");
        let seen = path.symlink_metadata().unwrap();
        let (link, fifo) = (dir.path().join("link"), dir.path().join("fifo"));
        symlink(&path, &link).unwrap();
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for path in [link, fifo, "/dev/null".into()] {
                // Nobody hears of one that comes too late.
                let _ = tell.send(Reader::open_after(&path, Origin::Service, &seen).err().map(|error| error.to_string()));
            }
        });
        for wanted in ["symbolic links", "is a FIFO", "is a character device"] {
            let refused = told.recv_timeout(std::time::Duration::from_secs(5)).expect("it waits for what is no keys file");
            assert!(refused.as_ref().is_some_and(|text| text.contains(wanted)), "{wanted}: {refused:?}");
        }
    }

    #[test]
    fn a_giant_is_refused_before_it_is_read() {
        let (_dir, path) = private("keys", b"");
        OpenOptions::new().write(true).open(&path).unwrap().set_len(MAX_LEN + 1).unwrap();
        assert!(matches!(read(&path, Origin::ByHand), Err(FileError::TooLarge { .. })));
    }

    fn date_later(path: &Path) {
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
        File::options().write(true).open(path).unwrap().set_modified(later).unwrap();
    }

    #[test]
    fn a_file_that_changes_before_it_is_held_is_refused() {
        let (_dir, path) = private("keys", b"flush\n");
        let reader = Reader::open(&path, Origin::ByHand).unwrap();
        date_later(&path);
        assert!(matches!(reader.hold(), Err(FileError::Changed { .. })));
    }

    #[test]
    fn a_file_that_grew_shrank_or_changed_is_refused() {
        let (_dir, path) = private("keys", b"add esp");
        for changed in [&b"add esp spi"[..], b"add", b"add ah "] {
            fs::write(&path, b"add esp").unwrap();
            let mut reader = Reader::open(&path, Origin::ByHand).unwrap();
            fs::write(&path, changed).unwrap();
            // Both writes may have come in one tick of the file system's clock.
            date_later(&path);
            assert!(matches!(reader.read(&mut [0; 100]), Err(FileError::Changed { .. })));
        }
    }

    #[test]
    fn a_missing_file_is_no_matter_of_permission() {
        let error = read(Path::new("/nonexistent/keys"), Origin::Service).err().unwrap();
        assert!(!error.is_permission());
        let denied = FileError::Unreadable { path: "/k".into(), source: io::ErrorKind::PermissionDenied.into() };
        assert!(denied.is_permission());
    }
}
