//! Which version of a file was read: what stat(2) shows of a change.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// A change is noticed if it happens later than this after the one before. The kernel's clock for files has ticks of up to 10 ms
/// (CONFIG_HZ), and a write sets the times before it copies its data.
const RESOLUTION: Duration = Duration::from_millis(50);

/// Identity, length and times of a file. Two equal ones are the same version, unless [`Self::may_change_unnoticed`] was true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileVersion {
    device: u64,
    inode: u64,
    /// In bytes.
    pub(crate) len: u64,
    /// In seconds and nanoseconds.
    mtime: (i64, i64),
    /// Like `mtime`. No system call sets it, so that a writer cannot restore it.
    ctime: (i64, i64),
}

impl FileVersion {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the last change is so recent that a further one may have the same times.
    pub(crate) fn may_change_unnoticed(&self) -> bool {
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(self.ctime.0), u32::try_from(self.ctime.1)) else { return false };
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        // An error is a time in the future, of a server with another clock: waiting would not help.
        changed.elapsed().is_ok_and(|age| age < RESOLUTION)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread::sleep;

    use super::*;

    #[test]
    fn may_change_unnoticed_right_after_a_change_only() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "x").unwrap();
        let version = FileVersion::of(&file.path().metadata().unwrap());
        sleep(2 * RESOLUTION);
        assert!(!version.may_change_unnoticed());
        fs::write(file.path(), "y").unwrap();
        let later = FileVersion::of(&file.path().metadata().unwrap());
        assert_ne!(later, version);
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let just_now = (i64::try_from(now.as_secs()).unwrap(), i64::from(now.subsec_nanos()));
        assert!(FileVersion { ctime: just_now, ..later }.may_change_unnoticed());
        assert!(!FileVersion { ctime: (just_now.0 + 100, 0), ..later }.may_change_unnoticed());
        assert!(!FileVersion { ctime: (-1, 0), ..later }.may_change_unnoticed());
    }
}
