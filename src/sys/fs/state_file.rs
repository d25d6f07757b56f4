//! Files that last until the next boot, in a directory that may be another user's: a service with a user of its own owns
//! its runtime directory, and root writes there too. Whatever that user puts in the place of such a file, root neither follows nor
//! gives away.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// The directory of `path`, made if need be.
///
/// # Errors
/// The system's.
pub fn make_directory_of(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(directory_of(path))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// How often a file that comes and goes is looked for.
const TRIES: usize = 100;

/// Opens the file at `path` for reading and writing, its owner's only. One that is not there is made, for the owner of the directory.
///
/// # Errors
/// `InvalidInput` if something else is there: a link of either kind, a FIFO, a device; `ResourceBusy` if somebody puts it there and
/// takes it away all the time; the system's.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    for _ in 0..TRIES {
        match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return require_plain(found?),
        }
        match options.clone().create_new(true).open(path) {
            // Somebody else has made it between the two looks.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                let file = made?;
                give_to_owner(&file, directory_of(path))?;
                return Ok(file);
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "somebody makes and removes it all the time"))
}

/// Opens the file at `path` for reading; `None` if there is none.
///
/// # Errors
/// As [`open`].
pub fn open_to_read(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path) {
        Ok(file) => require_plain(file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// All of the file at `path`; `None` if there is none.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let Some(mut file) = open_to_read(path)? else { return Ok(None) };
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(Some(text))
}

fn require_plain(file: File) -> io::Result<File> {
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.nlink() <= 1 {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file with one name: remove it"))
}

/// Whoever comes first: root, or a service with a user of its own.
fn give_to_owner(file: &File, directory: &Path) -> io::Result<()> {
    let (above, own) = (directory.metadata()?, file.metadata()?);
    if own.uid() != above.uid() {
        // Only root can, and only root needs to.
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
    fn a_file_is_made_once_and_found_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run/state");
        make_directory_of(&path).unwrap();
        assert_eq!(read(&path).unwrap(), None);
        open(&path).unwrap().write_all(b"kept").unwrap();
        drop(open(&path).unwrap());
        assert_eq!(read(&path).unwrap().as_deref(), Some(&b"kept"[..]));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_another_put_there_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let at = |name| place.path().join(name);
        fs::write(at("precious"), "precious").unwrap();
        symlink(at("precious"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        fs::hard_link(at("precious"), at("second")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let (by_the_system, by_us) = ("symbolic link", "not a regular file with one name");
        for (name, words) in [("link", by_the_system), ("dangling", by_the_system), ("second", by_us), ("fifo", by_us)] {
            for (open, way) in [(open as fn(&Path) -> io::Result<File>, "open"), (opened_to_read, "open_to_read")] {
                let found = at_once(&at(name), open).unwrap_or_else(|| panic!("{way} waits for {name}"));
                let refused = found.err().unwrap_or_else(|| panic!("{way} has opened {name}")).to_string();
                assert!(refused.contains(words), "{way} of {name}: {refused}");
            }
        }
        assert_eq!(fs::read(at("precious")).unwrap(), b"precious");
        assert!(!at("nowhere").exists());
    }

    fn opened_to_read(path: &Path) -> io::Result<File> {
        open_to_read(path).map(|file| file.expect("something is there"))
    }

    /// What `open` says; `None` if it has not for seconds.
    fn at_once(path: &Path, open: fn(&Path) -> io::Result<File>) -> Option<io::Result<File>> {
        let (tell, told) = mpsc::channel();
        let path = path.to_owned();
        // Nobody hears of one that comes too late.
        thread::spawn(move || tell.send(open(&path)));
        told.recv_timeout(Duration::from_secs(5)).ok()
    }

    #[test]
    fn a_new_file_belongs_to_the_owner_of_its_directory() {
        if !nix::unistd::geteuid().is_root() {
            let _ = writeln!(io::stderr(), "skipped: only root can give files away");
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let old = place.path().join("old");
        fs::write(&old, "root's").unwrap();
        std::os::unix::fs::chown(place.path(), Some(65534), Some(65534)).unwrap();
        assert_eq!(open(&place.path().join("new")).unwrap().metadata().unwrap().uid(), 65534);
        assert_eq!(open(&old).unwrap().metadata().unwrap().uid(), 0, "what was there stays whose it was");
    }
}
