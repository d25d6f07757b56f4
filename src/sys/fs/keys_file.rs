//! Reading a keys file: once, through one descriptor, with a list of findings about its privacy.
//!
//! The caller decides what a [`PrivacyFinding`] means: a service refuses the file, a program started by a user warns (ipseckey(1M),
//! SECURITY, point 2).
//!
//! A file that another process is still writing is not read: a read lease shows that a process has it open for writing. Without
//! leases (another user's file, illumos, some file systems) a change is noticed by what stat(2) returns around the read.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use crate::secret::Buffer;
use crate::sys::fs::checks::{FileAttributes, check_access_list, check_file, directories};
use crate::sys::fs::file_version::FileVersion;
use crate::sys::fs::lease::{self, Lease};
use crate::sys::process::{hardening, memory};

pub(crate) use crate::sys::fs::checks::{FileOrigin, PrivacyFinding};
pub(crate) use crate::sys::fs::file_error::{FileError, MAX_LEN};

/// The default keys file (ipseckey(1M), FILES).
pub(crate) const KEYS_FILE: &str = "/etc/inet/secret/ipseckeys";

/// A keys file that was read whole.
pub(crate) struct FileContents {
    /// All bytes of the file.
    pub(crate) contents: Buffer,
    /// Empty if only root and the caller can read or replace the file.
    pub(crate) findings: Vec<PrivacyFinding>,
}

/// How long a process that writes to the file has time to finish.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Reads the keys file at `path`. A process that writes to it gets two seconds to finish.
///
/// # Errors
/// As [`KeysFileReader::open_locked`] and [`KeysFileReader::read`].
pub(crate) fn read(path: &Path, origin: FileOrigin) -> Result<FileContents, FileError> {
    retry_while_written(|| {
        let mut reader = KeysFileReader::open(path, origin)?;
        reader.lock_against_writers()?;
        reader.require_memory()?;
        let mut contents = Buffer::try_zeroed(reader.remaining).map_err(|error| reader.failed(error))?;
        // Before the keys are in it.
        hardening::lock(&contents);
        reader.read(&mut contents)?;
        Ok(FileContents { contents, findings: reader.take_findings() })
    })
}

/// Repeats `attempt` for [`PATIENCE`] while another process writes to the file.
fn retry_while_written<T>(mut attempt: impl FnMut() -> Result<T, FileError>) -> Result<T, FileError> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(FileError::OpenForWriting { .. } | FileError::Changed { .. }) if start.elapsed() < PATIENCE => sleep(PAUSE),
            result => return result,
        }
    }
}

/// The metadata before the file is opened: opening a device can have side effects.
fn stat(path: &Path, origin: FileOrigin) -> io::Result<Metadata> {
    match origin {
        FileOrigin::User => path.metadata(),
        FileOrigin::Service | FileOrigin::Credential => path.symlink_metadata(),
    }
}

fn open(path: &Path, origin: FileOrigin) -> io::Result<File> {
    // O_NONBLOCK: between `stat` and this call a FIFO may have taken the name, and opening one waits for a writer.
    let follow = if origin == FileOrigin::User { 0 } else { O_NOFOLLOW };
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

/// A keys file that is read in pieces. Its length must be the one that fstat(2) returned after it was opened; a different one means
/// that another process is writing to it.
pub(crate) struct KeysFileReader {
    path: PathBuf,
    file: File,
    origin: FileOrigin,
    opened: FileVersion,
    remaining: usize,
    is_done: bool,
    findings: Vec<PrivacyFinding>,
}

impl KeysFileReader {
    /// Opens the file without blocking and checks it through its descriptor. The directories above it are checked by name.
    ///
    /// # Errors
    /// [`FileError`]; a file that is not private is a [`PrivacyFinding`], not an error.
    pub(crate) fn open(path: &Path, origin: FileOrigin) -> Result<Self, FileError> {
        let before = stat(path, origin).map_err(|source| FileError::Unreadable { path: path.to_owned(), source })?;
        require_regular(path, &before)?;
        Self::open_after(path, origin, &before)
    }

    /// Opens the file with the metadata `before`. Another file may have replaced it since, so everything is checked again.
    fn open_after(path: &Path, origin: FileOrigin, before: &Metadata) -> Result<Self, FileError> {
        let failed = |source| FileError::Unreadable { path: path.to_owned(), source };
        let me = nix::unistd::geteuid().as_raw();
        let file = open(path, origin).map_err(|error| match error.kind() {
            // A service without CAP_DAC_OVERRIDE cannot open another user's file, not even as root.
            io::ErrorKind::PermissionDenied if ![0, me].contains(&before.uid()) => {
                FileError::Foreign { path: path.to_owned(), uid: before.uid() }
            }
            _ => failed(error),
        })?;
        // By the descriptor: no later rename can change the answer.
        let opened = file.metadata().map_err(failed)?;
        require_regular(path, &opened)?;
        let too_large = || FileError::TooLarge { path: path.to_owned(), len: opened.len() };
        let remaining = usize::try_from(opened.len()).ok().filter(|_| opened.len() <= MAX_LEN).ok_or_else(too_large)?;
        let mut findings = check_file(path, FileAttributes::of(&opened), origin, me);
        findings.extend(check_access_list(path, &file, me));
        findings.extend(directories::check(path, me));
        let opened = FileVersion::of(&opened);
        Ok(Self { path: path.to_owned(), file, origin, opened, remaining, is_done: false, findings })
    }

    /// Opens the file as [`Self::open`] does, and makes writers wait until this reader is dropped, where the system has file leases;
    /// see [`Self::is_locked`]. A process that has the file open for writing gets two seconds to close it.
    ///
    /// # Errors
    /// Those of [`Self::open`]; [`FileError::OpenForWriting`]; [`FileError::Changed`] if it changes all the time.
    pub(crate) fn open_locked(path: &Path, origin: FileOrigin) -> Result<Self, FileError> {
        retry_while_written(|| {
            let reader = Self::open(path, origin)?;
            reader.lock_against_writers().map(|()| reader)
        })
    }

    /// The length of the file in bytes.
    #[must_use]
    pub(crate) fn file_len(&self) -> u64 {
        self.opened.len
    }

    /// Before the whole file is read: a page of it that the system cannot provide would end the process.
    ///
    /// # Errors
    /// [`FileError::NoMemory`].
    pub(crate) fn require_memory(&self) -> Result<(), FileError> {
        match memory::available() {
            Some(available) if available < self.file_len() => {
                Err(FileError::NoMemory { path: self.path.clone(), len: self.file_len(), available })
            }
            _ => Ok(()),
        }
    }

    /// Bytes that are not read yet.
    #[must_use]
    pub(crate) fn remaining(&self) -> usize {
        self.remaining
    }

    /// Takes a lease, if there are leases here, and checks that the file is as it was opened.
    ///
    /// # Errors
    /// [`FileError::OpenForWriting`]; [`FileError::Changed`] if the file has changed since it was opened; [`FileError::Unreadable`].
    fn lock_against_writers(&self) -> Result<(), FileError> {
        match lease::take(&self.file) {
            Lease::Held => {}
            Lease::OpenForWriting => return Err(FileError::OpenForWriting { path: self.path.clone() }),
            // A write at this moment would leave the times as they are.
            Lease::Unavailable if self.opened.may_change_unnoticed() => return Err(self.changed()),
            Lease::Unavailable => {}
        }
        // Changes before the lease was granted; later ones wait for it.
        if self.is_unchanged()? { Ok(()) } else { Err(self.changed()) }
    }

    /// True if no process could write to the file since [`Self::open_locked`] and none waits to.
    #[must_use]
    pub(crate) fn is_locked(&self) -> bool {
        lease::is_intact(&self.file)
    }

    /// The findings of [`Self::open`].
    pub(crate) fn take_findings(&mut self) -> Vec<PrivacyFinding> {
        std::mem::take(&mut self.findings)
    }

    /// Makes the next read begin at the start of the file again.
    ///
    /// # Errors
    /// [`FileError::Unreadable`].
    pub(crate) fn rewind(&mut self) -> Result<(), FileError> {
        self.file.rewind().map_err(|error| self.failed(error))?;
        // The length at the first read: `read` notices another one.
        self.remaining = usize::try_from(self.opened.len).unwrap_or(usize::MAX);
        self.is_done = false;
        Ok(())
    }

    /// Fills `buffer` with the next bytes of the file, completely unless the file ends. Returns their number.
    ///
    /// # Errors
    /// [`FileError::Changed`], [`FileError::Unreadable`].
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FileError> {
        if self.is_done {
            return Ok(0);
        }
        let len = buffer.len().min(self.remaining);
        let part = buffer.get_mut(..len).unwrap_or_default();
        self.file.read_exact(part).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.changed(),
            _ => self.failed(error),
        })?;
        self.remaining -= len;
        // Before the last part is used: a file that has grown must not be applied in part.
        if self.remaining == 0 {
            self.require_end()?;
            self.is_done = true;
        }
        Ok(len)
    }

    fn require_end(&mut self) -> Result<(), FileError> {
        let beyond = self.file.read(&mut [0]).map_err(|error| self.failed(error))?;
        // Under the lease a changed time is no write: utimensat(2) does not break a lease.
        if beyond == 0 && (self.is_locked() || self.is_unchanged()?) { Ok(()) } else { Err(self.changed()) }
    }

    /// Whether the open file, and the file that has its name now, are as they were when it was opened.
    fn is_unchanged(&self) -> Result<bool, FileError> {
        let open = self.file.metadata().map_err(|error| self.failed(error))?;
        // A file without this name any more has been replaced.
        let named = stat(&self.path, self.origin).ok();
        Ok([Some(open), named].iter().all(|now| now.as_ref().map(FileVersion::of) == Some(self.opened)))
    }

    fn failed(&self, source: io::Error) -> FileError {
        FileError::Unreadable { path: self.path.clone(), source }
    }

    fn changed(&self) -> FileError {
        FileError::Changed { path: self.path.clone() }
    }
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
    fn read_returns_all_bytes_of_a_private_file() {
        let (_dir, path) = private("keys", b"flush esp\n");
        let read = read(&path, FileOrigin::Service).unwrap();
        assert_eq!(&*read.contents, b"flush esp\n");
        assert_eq!(read.findings, []);
    }

    #[test]
    fn a_readable_mode_is_a_finding_not_an_error() {
        let (_dir, path) = private("keys", b"");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let read = read(&path, FileOrigin::Service).unwrap();
        assert_eq!(read.findings, [PrivacyFinding::Mode { path, mode: 0o644 }]);
    }

    #[test]
    fn symbolic_links_are_followed_for_users_only() {
        let (dir, path) = private("keys", b"x");
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(&*read(&link, FileOrigin::User).unwrap().contents, b"x");
        let refused = read(&link, FileOrigin::Service).err().unwrap();
        assert!(refused.to_string().ends_with("is a symbolic link, expected a regular file"), "{refused}");
    }

    #[test]
    fn the_error_names_the_kind_of_a_special_file() {
        let (dir, _) = private("keys", b"");
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        for (path, found) in [(dir.path(), "a directory"), (&fifo, "a FIFO"), (Path::new("/dev/null"), "a character device")]
        {
            let error = read(path, FileOrigin::User).err().unwrap();
            assert!(matches!(error, FileError::NotRegular { found: name, .. } if name == found), "{error}");
        }
    }

    /// A link or FIFO that replaces the file between stat and open is neither followed nor waited for.
    #[test]
    fn a_file_replaced_between_stat_and_open_is_refused() {
        let (dir, path) = private("keys", b"x");
        let before = path.symlink_metadata().unwrap();
        let (link, fifo) = (dir.path().join("link"), dir.path().join("fifo"));
        symlink(&path, &link).unwrap();
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for path in [link, fifo, "/dev/null".into()] {
                let opened = KeysFileReader::open_after(&path, FileOrigin::Service, &before);
                // Fails if the test has timed out.
                let _ = sender.send(opened.err().map(|error| error.to_string()));
            }
        });
        for expected in ["symbolic links", "is a FIFO", "is a character device"] {
            let refused = receiver.recv_timeout(std::time::Duration::from_secs(5)).expect("open does not block");
            assert!(refused.as_ref().is_some_and(|text| text.contains(expected)), "{expected}: {refused:?}");
        }
    }

    #[test]
    fn a_file_above_the_limit_is_refused_before_it_is_read() {
        let (_dir, path) = private("keys", b"");
        OpenOptions::new().write(true).open(&path).unwrap().set_len(MAX_LEN + 1).unwrap();
        assert!(matches!(read(&path, FileOrigin::User), Err(FileError::TooLarge { .. })));
    }

    fn set_later_mtime(path: &Path) {
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
        File::options().write(true).open(path).unwrap().set_modified(later).unwrap();
    }

    /// On file systems without leases this shows nothing.
    #[test]
    fn a_file_that_is_open_for_writing_is_refused_until_it_is_closed() {
        let (_dir, path) = private("keys", b"add esp\n");
        if !KeysFileReader::open_locked(&path, FileOrigin::User).unwrap().is_locked() {
            return;
        }
        let writer = OpenOptions::new().append(true).open(&path).unwrap();
        for refused in [read(&path, FileOrigin::Service).err(), KeysFileReader::open_locked(&path, FileOrigin::User).err()] {
            assert!(matches!(refused, Some(FileError::OpenForWriting { .. })), "{refused:?}");
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                sleep(Duration::from_millis(300));
                drop(writer);
            });
            assert_eq!(&*read(&path, FileOrigin::Service).unwrap().contents, b"add esp\n");
        });
    }

    #[test]
    fn a_file_of_another_name_is_a_change() {
        let (dir, path) = private("keys", b"add esp\n");
        let reader = KeysFileReader::open(&path, FileOrigin::User).unwrap();
        assert!(reader.is_unchanged().unwrap());
        fs::rename(&path, dir.path().join("other")).unwrap();
        assert!(!reader.is_unchanged().unwrap());
        fs::copy(dir.path().join("other"), &path).unwrap();
        assert!(!reader.is_unchanged().unwrap());
    }

    #[test]
    fn lock_against_writers_refuses_a_file_that_has_changed() {
        let (_dir, path) = private("keys", b"flush\n");
        let reader = KeysFileReader::open(&path, FileOrigin::User).unwrap();
        set_later_mtime(&path);
        assert!(matches!(reader.lock_against_writers(), Err(FileError::Changed { .. })));
    }

    #[test]
    fn a_file_that_grew_shrank_or_changed_is_refused() {
        let (_dir, path) = private("keys", b"add esp");
        for changed in [&b"add esp spi"[..], b"add", b"add ah "] {
            fs::write(&path, b"add esp").unwrap();
            let mut reader = KeysFileReader::open(&path, FileOrigin::User).unwrap();
            fs::write(&path, changed).unwrap();
            // Both writes may have happened in one tick of the file system's clock.
            set_later_mtime(&path);
            assert!(matches!(reader.read(&mut [0; 100]), Err(FileError::Changed { .. })));
        }
    }

    #[test]
    fn is_permission_is_false_for_a_missing_file() {
        let error = read(Path::new("/nonexistent/keys"), FileOrigin::Service).err().unwrap();
        assert!(!error.is_permission());
        let denied = FileError::Unreadable { path: "/k".into(), source: io::ErrorKind::PermissionDenied.into() };
        assert!(denied.is_permission());
    }
}
