//! Checks of the directories and symbolic links on the path to a file: a user who can rename files in one of the directories, or
//! replace one of the links, can replace the file.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::sys::fs::checks::PrivacyFinding;
use crate::sys::process::user_namespace;

/// Symbolic links that Linux follows in one path resolution (path_resolution(7)).
const MAX_LINKS: usize = 40;
/// The mode bit of a sticky directory.
const STICKY: u32 = 0o1000;

/// Checks every directory and symbolic link that the resolution of `path` uses, for the user `me`.
pub(crate) fn check(path: &Path, me: u32) -> Vec<PrivacyFinding> {
    let trust = Trust { owners: [Some(0), Some(me), user_namespace::unmapped_user()], my_group: my_group() };
    let visited = Visited::on_the_way_to(path);
    let directories = visited.directories.into_iter().filter_map(|directory| {
        // A directory that cannot be examined cannot be searched either: opening the file reports it.
        let attributes = Attributes::of(&directory.metadata().ok()?);
        trust.check_directory(directory, attributes)
    });
    let links = visited.links.into_iter().filter_map(|link| {
        let directory = Attributes::of(&link.parent()?.metadata().ok()?);
        // Not by `metadata`, which would follow the link.
        let uid = link.symlink_metadata().ok()?.uid();
        trust.check_link(link, uid, directory)
    });
    directories.chain(links).collect()
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

/// The places where the kernel looks up a name when a file is opened.
#[derive(Default)]
struct Visited {
    directories: BTreeSet<PathBuf>,
    links: BTreeSet<PathBuf>,
}

impl Visited {
    /// Through all symbolic links.
    fn on_the_way_to(path: &Path) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // Not `canonicalize`: it returns the end of the way, and a directory that holds a link on the way matters as well.
        let (mut here, mut visited, mut links) = (PathBuf::from("/"), Self::default(), 0);
        let mut names = reversed(&absolute);
        while let Some(name) = names.pop() {
            if name == ".." {
                here.pop();
                continue;
            }
            visited.directories.insert(here.clone());
            // Not by `metadata`, which would follow the link.
            let next = here.join(name);
            match next.read_link() {
                Ok(target) if links < MAX_LINKS => {
                    links += 1;
                    names.extend(reversed(&target));
                    if target.is_absolute() {
                        here = PathBuf::from("/");
                    }
                    visited.links.insert(next);
                }
                _ => here = next,
            }
        }
        visited
    }
}

/// The names in a path, last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let is_name = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().rev().filter(is_name).map(|part| part.as_os_str().to_owned()).collect()
}

#[derive(Clone, Copy)]
struct Attributes {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Attributes {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self { uid: metadata.uid(), gid: metadata.gid(), mode: metadata.mode() & 0o7777 }
    }
}

/// The users and the group that may replace the file.
struct Trust {
    /// Root, the caller, and where there is one the user that stands for all who are not mapped: in a container such a user may own
    /// the root directory.
    owners: [Option<u32>; 3],
    my_group: u32,
}

impl Trust {
    /// A directory is safe if only trusted users can rename files in it.
    fn check_directory(&self, path: PathBuf, attributes: Attributes) -> Option<PrivacyFinding> {
        // In a sticky directory only the owners of a file and of the directory can rename the file.
        if attributes.mode & STICKY == 0 && attributes.mode & write_bits(attributes.gid, self.my_group) != 0 {
            return Some(PrivacyFinding::DirectoryMode { path, mode: attributes.mode });
        }
        let uid = attributes.uid;
        (!self.owners.contains(&Some(uid))).then_some(PrivacyFinding::DirectoryOwner { path, uid })
    }

    /// A link cannot be changed, but in a sticky directory its owner can replace it. In any other directory only those can who can
    /// rename files in it, see [`Self::check_directory`].
    fn check_link(&self, path: PathBuf, uid: u32, directory: Attributes) -> Option<PrivacyFinding> {
        let is_unsafe = directory.mode & STICKY != 0 && !self.owners.contains(&Some(uid));
        is_unsafe.then_some(PrivacyFinding::LinkOwner { path, uid })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const ME: u32 = 1000;

    const TRUST: Trust = Trust { owners: [Some(0), Some(ME), None], my_group: 100 };

    fn directory(uid: u32, gid: u32, mode: u32) -> Option<PrivacyFinding> {
        TRUST.check_directory("/d".into(), Attributes { uid, gid, mode })
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
    fn user_65534_is_trusted_only_where_it_is_not_mapped() {
        let attributes = Attributes { uid: 65534, gid: 5, mode: 0o755 };
        assert!(matches!(directory(65534, 5, 0o755), Some(PrivacyFinding::DirectoryOwner { uid: 65534, .. })));
        let in_container = Trust { owners: [Some(0), Some(ME), Some(65534)], ..TRUST };
        assert_eq!(in_container.check_directory("/d".into(), attributes), None);
    }

    #[test]
    fn check_link_finds_links_of_other_users_in_sticky_directories() {
        let link = |uid, mode| TRUST.check_link("/tmp/l".into(), uid, Attributes { uid: 0, gid: 0, mode });
        assert_eq!(link(0, 0o1777), None);
        assert_eq!(link(ME, 0o1777), None);
        assert_eq!(link(7, 0o1777), Some(PrivacyFinding::LinkOwner { path: "/tmp/l".into(), uid: 7 }));
        assert_eq!(link(7, 0o755), None);
    }

    #[test]
    fn visited_has_every_link_and_its_directory() {
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
        let visited = Visited::on_the_way_to(&root.join("first/link/deep/../keys"));
        assert_eq!(visited.directories, expected);
        assert_eq!(visited.links, BTreeSet::from(["first/link", "second/link"].map(|name| root.join(name))));
    }

    #[test]
    fn visited_ends_for_links_in_a_circle() {
        let place = tempfile::tempdir().unwrap();
        symlink("circle", place.path().join("circle")).unwrap();
        assert!(Visited::on_the_way_to(&place.path().join("circle/keys")).directories.contains(place.path()));
    }
}
