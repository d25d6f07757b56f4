//! A file that gets its name when it is complete. Until then it has no name at all (O_TMPFILE of open(2)), so that the kernel removes it
//! with the process, whatever ends that. File systems without such files (NFS, FAT) and other systems than Linux get a file
//! `.ipseckey-*`, which a signal leaves behind.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// The names of temporary files begin with this.
const PREFIX: &str = ".ipseckey-";

/// A new file in a directory.
pub(super) struct NewFile {
    file: File,
    directory: PathBuf,
    /// The temporary name, where a file needs one. It is removed when this is dropped.
    name: Option<TempPath>,
}

impl NewFile {
    /// Creates a file with `mode` in `directory`. The mode is set at creation, so that the file is never readable by others.
    ///
    /// # Errors
    /// Those of open(2).
    pub(super) fn create(directory: &Path, mode: u32) -> io::Result<Self> {
        match system::create_unnamed(directory, mode) {
            Some(file) => Ok(Self { file, directory: directory.to_owned(), name: None }),
            None => Self::create_named(directory, mode),
        }
    }

    /// With a temporary name from the start.
    ///
    /// # Errors
    /// Those of open(2).
    pub(super) fn create_named(directory: &Path, mode: u32) -> io::Result<Self> {
        // In the same directory: rename(2) does not cross file systems.
        let mut builder = tempfile::Builder::new();
        let (file, name) =
            builder.prefix(PREFIX).permissions(Permissions::from_mode(mode)).tempfile_in(directory)?.into_parts();
        Ok(Self { file, directory: directory.to_owned(), name: Some(name) })
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives the file the name `path`.
    ///
    /// # Errors
    /// `AlreadyExists` if there is a file of any kind; those of link(2).
    pub(super) fn name(self, path: &Path) -> io::Result<()> {
        match self.name {
            // By link(2), which fails if the name exists. A check before a rename would be a race.
            Some(name) => name.persist_noclobber(path).map_err(|error| error.error),
            None => system::link(&self.file, path),
        }
    }

    /// Gives the file the name `path`, and removes the file that has it.
    ///
    /// # Errors
    /// Those of link(2) and rename(2); the old file is unchanged.
    pub(super) fn replace(self, path: &Path) -> io::Result<()> {
        let Self { file, directory, name } = self;
        if let Some(name) = name {
            return Ok(name.persist(path)?);
        }
        match system::link(&file, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => return linked,
        }
        // link(2) replaces no file, and rename(2) needs a name. Only kill -9 can end the process between the two calls.
        let _blocked = system::BlockedSignals::new();
        let mut builder = tempfile::Builder::new();
        let linked = builder.prefix(PREFIX).make_in(directory, |name| system::link(&file, name))?;
        Ok(linked.into_temp_path().persist(path)?)
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::Path;

    use nix::sys::signal::SigSet;
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};

    /// A file without a name; `None` if this file system has none, or if there is no /proc to name it by later.
    pub(super) fn create_unnamed(directory: &Path, mode: u32) -> Option<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        // Another error than that of a missing feature occurs again when a named file is created, which reports it.
        let file = File::from(open(directory, flags, Mode::from_raw_mode(mode)).ok()?);
        Path::new(&descriptor(&file)).exists().then_some(file)
    }

    /// open(2), O_TMPFILE: the link of the descriptor is followed to the file. AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH.
    pub(super) fn link(file: &File, path: &Path) -> io::Result<()> {
        Ok(linkat(CWD, descriptor(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }

    fn descriptor(file: &File) -> String {
        format!("/proc/self/fd/{}", file.as_raw_fd())
    }

    /// While this lives, signals to this thread wait. Best effort: without the mask only the time of two calls is unprotected.
    pub(super) struct BlockedSignals(Option<SigSet>);

    impl BlockedSignals {
        pub(super) fn new() -> Self {
            let old = SigSet::thread_get_mask().ok();
            let _ = SigSet::all().thread_block();
            Self(old)
        }
    }

    impl Drop for BlockedSignals {
        fn drop(&mut self) {
            let _ = self.0.map(|old| old.thread_set_mask());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn create_unnamed(_: &Path, _: u32) -> Option<File> {
        None
    }

    pub(super) fn link(_: &File, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) struct BlockedSignals;

    impl BlockedSignals {
        pub(super) fn new() -> Self {
            Self
        }
    }
}
