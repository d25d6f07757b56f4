//! Files in /run, in a directory that another user may own: a service with a user of its own owns its runtime directory, and
//! root writes there too. Root does not follow a link that this user creates there, and changes the owner of new files only.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use crate::sys::fs::checks::directories;

/// Creates the directory of `path`, with its parents, if missing.
///
/// # Errors
/// Those of mkdir(2).
pub(crate) fn create_directory_of(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(directory_of(path))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Attempts to open a file that another process creates and deletes.
const TRIES: usize = 100;

/// Opens the file at `path` for reading and writing. A missing file is created with mode 0600, for the owner of the directory.
///
/// # Errors
/// `InvalidInput` for a hard link, a FIFO or a device, ELOOP for a symbolic link; `PermissionDenied` for a file of another user than
/// root, the caller and the owner of the directory; `ResourceBusy` if another process keeps creating
/// and deleting the file; those of open(2).
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    // Not O_CREAT alone: only with O_EXCL it is certain that this process has created the file and may change its owner.
    for _ in 0..TRIES {
        match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return require_plain(opened?).and_then(|file| require_trusted(file, directory_of(path))),
        }
        match options.clone().create_new(true).open(path) {
            // Another process has created it between the two calls.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => {
                let file = created?;
                give_to_owner(&file, directory_of(path))?;
                return Ok(file);
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process keeps creating and deleting it"))
}

/// Opens the file at `path` for reading; `None` if it does not exist.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_to_read(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path) {
        Ok(file) => require_plain(file).and_then(|file| require_trusted(file, directory_of(path))).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A state file that was read whole.
pub(crate) struct StateFile {
    pub(crate) contents: Vec<u8>,
    /// Whether only root and the caller can change or replace the file.
    pub(crate) is_trusted: bool,
}

/// Reads the file at `path`, at most `max_len` bytes; `None` if it does not exist.
///
/// # Errors
/// As [`open`], and those of read(2); `InvalidData` for a longer file.
pub(crate) fn read(path: &Path, max_len: u64) -> io::Result<Option<StateFile>> {
    let Some(file) = open_to_read(path)? else { return Ok(None) };
    let metadata = file.metadata()?;
    let mut contents = Vec::new();
    // Not by the length that fstat(2) returned: the file may grow meanwhile.
    if file.take(max_len + 1).read_to_end(&mut contents)? as u64 > max_len {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("longer than {max_len} bytes: remove it")));
    }
    Ok(Some(StateFile { contents, is_trusted: is_trusted(path, &metadata) }))
}

/// The owner of a directory can put a file of root there under the name of the state file, so that the file's owner says little.
fn is_trusted(path: &Path, metadata: &Metadata) -> bool {
    let me = nix::unistd::geteuid().as_raw();
    let is_own = metadata.uid() == 0 || metadata.uid() == me;
    let is_writable = metadata.mode() & directories::untrusted_write_bits(metadata.gid()) != 0;
    is_own && !is_writable && directories::check(path, me).is_empty()
}

fn require_plain(file: File) -> io::Result<File> {
    let metadata = file.metadata()?;
    // A second hard link would let the directory's owner have root write to any file on the same file system.
    if metadata.is_file() && metadata.nlink() <= 1 {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file with one name: remove it"))
}

/// A file of another user may be locked or changed by it: in a sticky directory every user can create one.
fn require_trusted(file: File, directory: &Path) -> io::Result<File> {
    let owner = file.metadata()?.uid();
    if owner == 0 || owner == nix::unistd::geteuid().as_raw() || owner == directory.metadata()?.uid() {
        return Ok(file);
    }
    let why = format!("belongs to user {owner}, who is neither root nor the owner of the directory: remove it");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Root may create a file before the service does, which must be able to open it later.
fn give_to_owner(file: &File, directory: &Path) -> io::Result<()> {
    let (above, own) = (directory.metadata()?, file.metadata()?);
    // Usually equal, and then no privilege is needed.
    if own.uid() != above.uid() {
        // Only root may change the owner. For other users the call fails, and the file is their own.
        let _ = fchown(file, Some(above.uid()), Some(above.gid()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn open_creates_a_file_once() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run/state");
        create_directory_of(&path).unwrap();
        assert!(read(&path, 4).unwrap().is_none());
        open(&path).unwrap().write_all(b"kept").unwrap();
        drop(open(&path).unwrap());
        let read_file = read(&path, 4).unwrap().unwrap();
        assert!(read_file.contents == b"kept" && read_file.is_trusted);
        assert_eq!(read(&path, 3).err().unwrap().kind(), io::ErrorKind::InvalidData);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn links_and_fifos_are_not_opened() {
        let place = tempfile::tempdir().unwrap();
        let at = |name| place.path().join(name);
        fs::write(at("precious"), "precious").unwrap();
        symlink(at("precious"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        fs::hard_link(at("precious"), at("second")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let (by_kernel, by_check) = ("symbolic link", "not a regular file with one name");
        let cases = [("link", by_kernel), ("dangling", by_kernel), ("second", by_check), ("fifo", by_check)];
        for (name, words) in cases {
            for (open, function) in [(open as fn(&Path) -> io::Result<File>, "open"), (opened_to_read, "open_to_read")] {
                let opened = with_timeout(&at(name), open).unwrap_or_else(|| panic!("{function} waits for {name}"));
                let refused = opened.err().unwrap_or_else(|| panic!("{function} has opened {name}")).to_string();
                assert!(refused.contains(words), "{function} of {name}: {refused}");
            }
        }
        assert_eq!(fs::read(at("precious")).unwrap(), b"precious");
        assert!(!at("nowhere").exists());
    }

    fn opened_to_read(path: &Path) -> io::Result<File> {
        open_to_read(path).map(|file| file.expect("something is there"))
    }

    /// The result of `open`; `None` if it blocks.
    fn with_timeout(path: &Path, open: fn(&Path) -> io::Result<File>) -> Option<io::Result<File>> {
        let (sender, receiver) = mpsc::channel();
        let path = path.to_owned();
        thread::spawn(move || sender.send(open(&path)));
        receiver.recv_timeout(Duration::from_secs(5)).ok()
    }

    #[test]
    fn a_new_file_belongs_to_the_owner_of_its_directory() {
        if !nix::unistd::geteuid().is_root() {
            let _ = writeln!(io::stderr(), "skipped: only root can change the owner of a file");
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let old = place.path().join("old");
        fs::write(&old, "root's").unwrap();
        std::os::unix::fs::chown(place.path(), Some(65534), Some(65534)).unwrap();
        assert_eq!(open(&place.path().join("new")).unwrap().metadata().unwrap().uid(), 65534);
        assert_eq!(open(&old).unwrap().metadata().unwrap().uid(), 0, "an existing file keeps its owner");
    }
}
