//! Checks of the directories above a keys file: a user who can rename files in one of them can replace the keys file.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::sys::fs::checks::PrivacyFinding;

/// Symbolic links that Linux follows in one path resolution (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// Checks every directory that the resolution of `path` uses, for the user `me`.
pub(crate) fn check(path: &Path, me: u32) -> Vec<PrivacyFinding> {
    let my_group = my_group();
    let findings = visited_directories(path).into_iter().filter_map(|directory| {
        // A directory that cannot be examined cannot be searched either: opening the file reports it.
        let attributes = DirectoryAttributes::of(&directory.metadata().ok()?);
        check_directory(directory, attributes, me, my_group)
    });
    findings.collect()
}

fn my_group() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// The permission bits that let untrusted users write to a file of the group `gid`.
pub(crate) fn untrusted_write_bits(gid: u32) -> u32 {
    write_bits(gid, my_group())
}

/// The group of root and that of the caller are trusted.
fn write_bits(gid: u32, my_group: u32) -> u32 {
    // Members of the group of root can act as root in other ways.
    if gid == 0 || gid == my_group { 0o002 } else { 0o022 }
}

/// Every directory in which the kernel looks up a name when `path` is opened, through all symbolic links.
fn visited_directories(path: &Path) -> BTreeSet<PathBuf> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // Not `canonicalize`: it returns the end of the way, and a directory that holds a link on the way matters as well.
    let (mut here, mut visited, mut links) = (PathBuf::from("/"), BTreeSet::new(), 0);
    let mut names = reversed(&absolute);
    while let Some(name) = names.pop() {
        if name == ".." {
            here.pop();
            continue;
        }
        visited.insert(here.clone());
        // Not by `metadata`, which would follow the link.
        let next = here.join(name);
        match next.read_link() {
            Ok(target) if links < MAX_LINKS => {
                links += 1;
                names.extend(reversed(&target));
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
            }
            _ => here = next,
        }
    }
    visited
}

/// The names in a path, last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let is_name = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().rev().filter(is_name).map(|part| part.as_os_str().to_owned()).collect()
}

#[derive(Clone, Copy)]
struct DirectoryAttributes {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl DirectoryAttributes {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self { uid: metadata.uid(), gid: metadata.gid(), mode: metadata.mode() & 0o7777 }
    }
}

/// A directory is safe if only root and the caller can rename files in it.
fn check_directory(path: PathBuf, attributes: DirectoryAttributes, me: u32, my_group: u32) -> Option<PrivacyFinding> {
    /// How Linux shows a user without a mapping in this user namespace (user_namespaces(7)). In a container such a user may own /.
    const UNMAPPED: u32 = 65534;
    const STICKY: u32 = 0o1000;
    // In a sticky directory only the owners of a file and of the directory can rename the file.
    if attributes.mode & STICKY == 0 && attributes.mode & write_bits(attributes.gid, my_group) != 0 {
        return Some(PrivacyFinding::DirectoryMode { path, mode: attributes.mode });
    }
    let owner_is_trusted = [0, me, UNMAPPED].contains(&attributes.uid);
    (!owner_is_trusted).then_some(PrivacyFinding::DirectoryOwner { path, uid: attributes.uid })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const ME: u32 = 1000;

    fn directory(uid: u32, gid: u32, mode: u32) -> Option<PrivacyFinding> {
        check_directory("/d".into(), DirectoryAttributes { uid, gid, mode }, ME, 100)
    }

    #[test]
    fn check_directory_finds_directories_that_others_can_change() {
        assert_eq!(directory(0, 5, 0o755), None);
        assert_eq!(directory(ME, 5, 0o700), None);
        assert_eq!(directory(0, 5, 0o1777), None);
        assert_eq!(directory(ME, 100, 0o775), None);
        assert!(matches!(directory(0, 5, 0o777), Some(PrivacyFinding::DirectoryMode { mode: 0o777, .. })));
        assert!(matches!(directory(0, 5, 0o775), Some(PrivacyFinding::DirectoryMode { mode: 0o775, .. })));
        assert!(matches!(directory(7, 5, 0o755), Some(PrivacyFinding::DirectoryOwner { uid: 7, .. })));
    }

    #[test]
    fn visited_directories_follows_every_link() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        for name in ["first", "second", "third", "third/deep"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        symlink("../second/link", root.join("first/link")).unwrap();
        symlink(root.join("third"), root.join("second/link")).unwrap();
        fs::write(root.join("third/keys"), "").unwrap();
        let mut expected: BTreeSet<PathBuf> = root.ancestors().map(Path::to_owned).collect();
        expected.extend(["first", "second", "third"].map(|name| root.join(name)));
        assert_eq!(visited_directories(&root.join("first/link/deep/../keys")), expected);
    }

    #[test]
    fn visited_directories_ends_for_links_in_a_circle() {
        let place = tempfile::tempdir().unwrap();
        symlink("circle", place.path().join("circle")).unwrap();
        assert!(visited_directories(&place.path().join("circle/keys")).contains(place.path()));
    }
}
