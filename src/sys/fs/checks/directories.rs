//! Who could put another file in the place of a keys file: whoever can rename what is in a directory on the way to it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::sys::fs::checks::Finding;

/// As many links as Linux follows on the way to one file (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// What makes the directories on the way to `path` unsafe for the user `me`.
pub(crate) fn judge(path: &Path, me: u32) -> Vec<Finding> {
    let my_group = my_group();
    let facts = on_the_way(path).into_iter().filter_map(|dir| {
        let facts = Facts::of(&dir.metadata().ok()?);
        judge_directory(dir, facts, me, my_group)
    });
    facts.collect()
}

fn my_group() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// The permission bits by which others than its owner write to something of the group `gid`.
pub(crate) fn writers_besides_owner(gid: u32) -> u32 {
    writers_beside(gid, my_group())
}

/// A group that is root's or the caller's own is trusted.
fn writers_beside(gid: u32, my_group: u32) -> u32 {
    if gid == 0 || gid == my_group { 0o002 } else { 0o022 }
}

/// Every directory in which a name is looked up when `path` is opened, links on the way and what they lead to included.
fn on_the_way(path: &Path) -> BTreeSet<PathBuf> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (mut here, mut seen, mut links) = (PathBuf::from("/"), BTreeSet::new(), 0);
    let mut names = reversed(&absolute);
    while let Some(name) = names.pop() {
        if name == ".." {
            here.pop();
            continue;
        }
        seen.insert(here.clone());
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
    seen
}

/// The names in a path, the last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let is_name = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().rev().filter(is_name).map(|part| part.as_os_str().to_owned()).collect()
}

/// What safety depends on.
#[derive(Clone, Copy)]
struct Facts {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Facts {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self { uid: metadata.uid(), gid: metadata.gid(), mode: metadata.mode() & 0o7777 }
    }
}

/// A directory is safe if only root and the caller can rename what is in it. A sticky one protects files from all but its
/// owner.
fn judge_directory(path: PathBuf, facts: Facts, me: u32, my_group: u32) -> Option<Finding> {
    /// How Linux shows a user that has no number in this user namespace; a container's own root directory may be theirs.
    const UNMAPPED: u32 = 65534;
    const STICKY: u32 = 0o1000;
    if facts.mode & STICKY == 0 && facts.mode & writers_beside(facts.gid, my_group) != 0 {
        return Some(Finding::DirectoryMode { path, mode: facts.mode });
    }
    let owner_is_trusted = [0, me, UNMAPPED].contains(&facts.uid);
    (!owner_is_trusted).then_some(Finding::DirectoryOwner { path, uid: facts.uid })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const ME: u32 = 1000;

    fn directory(uid: u32, gid: u32, mode: u32) -> Option<Finding> {
        judge_directory("/d".into(), Facts { uid, gid, mode }, ME, 100)
    }

    #[test]
    fn directories_that_others_can_change() {
        assert_eq!(directory(0, 5, 0o755), None);
        assert_eq!(directory(ME, 5, 0o700), None);
        assert_eq!(directory(0, 5, 0o1777), None);
        assert_eq!(directory(ME, 100, 0o775), None);
        assert!(matches!(directory(0, 5, 0o777), Some(Finding::DirectoryMode { mode: 0o777, .. })));
        assert!(matches!(directory(0, 5, 0o775), Some(Finding::DirectoryMode { mode: 0o775, .. })));
        assert!(matches!(directory(7, 5, 0o755), Some(Finding::DirectoryOwner { uid: 7, .. })));
    }

    #[test]
    fn every_link_on_the_way_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        for name in ["first", "second", "third", "third/deep"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        symlink("../second/link", root.join("first/link")).unwrap();
        symlink(root.join("third"), root.join("second/link")).unwrap();
        fs::write(root.join("third/keys"), "").unwrap();
        let mut wanted: BTreeSet<PathBuf> = root.ancestors().map(Path::to_owned).collect();
        wanted.extend(["first", "second", "third"].map(|name| root.join(name)));
        assert_eq!(on_the_way(&root.join("first/link/deep/../keys")), wanted);
    }

    #[test]
    fn links_in_a_circle_come_to_an_end() {
        let place = tempfile::tempdir().unwrap();
        symlink("circle", place.path().join("circle")).unwrap();
        assert!(on_the_way(&place.path().join("circle/keys")).contains(place.path()));
    }
}
