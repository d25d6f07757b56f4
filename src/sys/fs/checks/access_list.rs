//! Access lists that do not show in a file's mode: those of NFSv4 (RFC 7530 section 6.2.1), which ZFS has on illumos (acl(2)) and NFS
//! has on Linux. A POSIX access list shows in the mode, whose group bits are its mask (acl(5)).

use std::fs::File;

/// The numbers of RFC 7530 sections 6.2.1.1 to 6.2.1.4, which are those of illumos' sys/acl.h.
mod number {
    pub(crate) const ALLOW: u32 = 0;
    pub(crate) const INHERIT_ONLY: u32 = 0x8;
    pub(crate) const READ: u32 = 0x1;
    pub(crate) const WRITE: u32 = 0x2;
    pub(crate) const APPEND: u32 = 0x4;
    pub(crate) const DELETE: u32 = 0x1_0000;
    pub(crate) const WRITE_ACL: u32 = 0x4_0000;
    pub(crate) const WRITE_OWNER: u32 = 0x8_0000;
}

/// Whom an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The file's owner.
    Owner,
    /// The file's group, or everybody: what they may read and write is in the mode.
    Mode,
    /// A user; `None` for one that this system has no number for.
    User(Option<u32>),
    /// Another group.
    Group,
}

/// An entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    kind: u32,
    flags: u32,
    rights: u32,
    who: Who,
}

impl Entry {
    /// Whether somebody but root and the user `me` gets at the file by it, and the mode does not tell.
    fn lets_others_in(&self, me: u32) -> bool {
        const TAKE: u32 = number::DELETE | number::WRITE_ACL | number::WRITE_OWNER;
        let refused = match self.who {
            Who::Owner => 0,
            Who::User(Some(user)) if user == 0 || user == me => 0,
            Who::Mode => TAKE,
            Who::User(_) | Who::Group => TAKE | number::READ | number::WRITE | number::APPEND,
        };
        self.kind == number::ALLOW && self.flags & number::INHERIT_ONLY == 0 && self.rights & refused != 0
    }
}

/// Whether an access list lets somebody but root and the user `me` get at `file`, unseen in its mode. A list that cannot be understood
/// does.
pub(crate) fn lets_others_in(file: &File, me: u32) -> bool {
    match system::entries(file) {
        Ok(entries) => entries.iter().any(|entry| entry.lets_others_in(me)),
        Err(NotUnderstood) => true,
    }
}

/// There is a list, but not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NotUnderstood;

/// NFS gives the list as it came from the server (XDR, RFC 4506): a count; then type, flags, rights and a name for each.
#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;

    use rustix::fs::fgetxattr;
    use rustix::io::Errno;

    use super::{Entry, NotUnderstood, Who};

    const NAME: &str = "system.nfs4_acl";
    /// Longer than almost any list, in bytes.
    const USUAL: usize = 1024;
    /// Most that an extended attribute may hold (linux/limits.h).
    const MOST: usize = 64 * 1024;

    pub(crate) fn entries(file: &File) -> Result<Vec<Entry>, NotUnderstood> {
        let found = match list(file, USUAL) {
            Err(Errno::RANGE) => list(file, MOST),
            found => found,
        };
        match found {
            Ok(list) => decode(&list).ok_or(NotUnderstood),
            Err(Errno::RANGE) => Err(NotUnderstood),
            // Not on NFS.
            Err(_) => Ok(Vec::new()),
        }
    }

    /// The list, if it has at most `room` bytes.
    fn list(file: &File, room: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; room];
        let len = fgetxattr(file, NAME, &mut bytes)?;
        bytes.truncate(len);
        Ok(bytes)
    }

    pub(crate) fn decode(mut list: &[u8]) -> Option<Vec<Entry>> {
        let count = number(&mut list)?;
        let entries = (0..count).map(|_| entry(&mut list)).collect::<Option<_>>()?;
        list.is_empty().then_some(entries)
    }

    fn entry(list: &mut &[u8]) -> Option<Entry> {
        let (kind, flags, rights) = (number(list)?, number(list)?, number(list)?);
        let len = usize::try_from(number(list)?).ok()?;
        let name = list.split_off(..len)?;
        list.split_off(..len.next_multiple_of(4) - len)?;
        Some(Entry { kind, flags, rights, who: who(name, flags) })
    }

    fn number(list: &mut &[u8]) -> Option<u32> {
        let (first, rest) = list.split_first_chunk()?;
        *list = rest;
        Some(u32::from_be_bytes(*first))
    }

    /// `OWNER@`, `alice@example.com` or a number. Names of users are the server's: but for root's, they are nobody's here.
    fn who(name: &[u8], flags: u32) -> Who {
        const IDENTIFIER_GROUP: u32 = 0x40;
        match name {
            b"OWNER@" => Who::Owner,
            b"GROUP@" | b"EVERYONE@" => Who::Mode,
            _ if flags & IDENTIFIER_GROUP != 0 => Who::Group,
            _ if name.starts_with(b"root@") => Who::User(Some(0)),
            _ => Who::User(std::str::from_utf8(name).ok().and_then(|name| name.parse().ok())),
        }
    }
}

#[cfg(target_os = "illumos")]
mod system {
    use std::ffi::{c_int, c_void};
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::ptr::null_mut;

    use super::{Entry, NotUnderstood, Who};

    // sys/acl.h
    const GETACLCNT: c_int = 3;
    const ACE_GETACL: c_int = 4;
    const ACE_GETACLCNT: c_int = 6;
    /// Entries of a list of the older kind (UFS) that says no more than a mode.
    const MIN_ACL_ENTRIES: c_int = 4;
    const IDENTIFIER_GROUP: u16 = 0x40;
    const OWNER: u16 = 0x1000;
    const GROUP: u16 = 0x2000;
    const EVERYONE: u16 = 0x4000;
    /// A list that changes while it is read is read again, so many times.
    const TRIES: usize = 10;

    /// `ace_t`.
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Ace {
        who: u32,
        rights: u32,
        flags: u16,
        kind: u16,
    }

    // SAFETY: as sys/acl.h declares it.
    unsafe extern "C" {
        fn facl(fd: c_int, command: c_int, count: c_int, list: *mut c_void) -> c_int;
    }

    pub(crate) fn entries(file: &File) -> Result<Vec<Entry>, NotUnderstood> {
        for _ in 0..TRIES {
            let Ok(count) = usize::try_from(count_of(file, ACE_GETACLCNT)) else {
                return if count_of(file, GETACLCNT) > MIN_ACL_ENTRIES { Err(NotUnderstood) } else { Ok(Vec::new()) };
            };
            let mut list = vec![Ace::default(); count];
            let room = c_int::try_from(count).map_err(|_| NotUnderstood)?;
            // SAFETY: the list has room for as many entries as are said, and each is an `ace_t` whatever its bits.
            let got = unsafe { facl(file.as_raw_fd(), ACE_GETACL, room, list.as_mut_ptr().cast()) };
            if usize::try_from(got) == Ok(count) {
                return Ok(list.into_iter().map(Entry::from).collect());
            }
        }
        Err(NotUnderstood)
    }

    /// How many entries a list has; -1 if the file system has none of that kind.
    fn count_of(file: &File, command: c_int) -> c_int {
        // SAFETY: for these commands nothing is written, and the list may be null.
        unsafe { facl(file.as_raw_fd(), command, 0, null_mut()) }
    }

    impl From<Ace> for Entry {
        fn from(ace: Ace) -> Self {
            let who = match ace.flags {
                flags if flags & OWNER != 0 => Who::Owner,
                flags if flags & (GROUP | EVERYONE) != 0 => Who::Mode,
                flags if flags & IDENTIFIER_GROUP != 0 => Who::Group,
                _ => Who::User(Some(ace.who)),
            };
            Self { kind: ace.kind.into(), flags: ace.flags.into(), rights: ace.rights, who }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "illumos")))]
mod system {
    use std::fs::File;

    use super::{Entry, NotUnderstood};

    pub(crate) fn entries(_: &File) -> Result<Vec<Entry>, NotUnderstood> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1000;
    const ALL: u32 = 0x1f_01ff;

    fn allow(who: Who, rights: u32) -> Entry {
        Entry { kind: number::ALLOW, flags: 0, rights, who }
    }

    #[test]
    fn who_is_let_in() {
        for (who, rights, is_open) in [
            (Who::Owner, ALL, false),
            (Who::User(Some(0)), ALL, false),
            (Who::User(Some(ME)), ALL, false),
            (Who::User(Some(7)), number::READ, true),
            (Who::User(Some(7)), number::APPEND, true),
            (Who::User(None), number::WRITE, true),
            (Who::User(Some(7)), 0x80, false), // its attributes
            (Who::Group, number::READ, true),
            (Who::Group, number::WRITE_OWNER, true),
            (Who::Mode, number::READ | number::WRITE, false),
            (Who::Mode, number::WRITE_ACL, true),
            (Who::Mode, number::DELETE, true),
        ] {
            assert_eq!(allow(who, rights).lets_others_in(ME), is_open, "{who:?} {rights:#x}");
        }
        let deny = Entry { kind: 1, ..allow(Who::Group, ALL) };
        let inherited_only = Entry { flags: number::INHERIT_ONLY, ..allow(Who::Group, ALL) };
        assert!(!deny.lets_others_in(ME) && !inherited_only.lets_others_in(ME));
    }

    #[test]
    fn a_file_of_this_directory_has_no_list() {
        assert!(!lets_others_in(tempfile::NamedTempFile::new().unwrap().as_file(), ME));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_list_of_nfs() {
        let entry = |flags: u32, rights: u32, name: &str| {
            let numbers = [0, flags, rights, u32::try_from(name.len()).unwrap()].map(u32::to_be_bytes).concat();
            [&numbers, name.as_bytes(), &[0; 3][..name.len().next_multiple_of(4) - name.len()]].concat()
        };
        let list = [
            5_u32.to_be_bytes().to_vec(),
            entry(0, ALL, "OWNER@"),
            entry(0, 0x12_0088, "EVERYONE@"),
            entry(0, 1, "root@example.com"),
            entry(0x40, 1, "wheel@example.com"),
            entry(0, 1, "4711"),
        ]
        .concat();
        let whos = [Who::Owner, Who::Mode, Who::User(Some(0)), Who::Group, Who::User(Some(4711))];
        let entries = system::decode(&list).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.who).collect::<Vec<_>>(), whos);
        assert_eq!((entries[1].rights, entries[3].flags), (0x12_0088, 0x40));
        for len in 0..list.len() {
            assert_eq!(system::decode(&list[..len]), None, "cut to {len} bytes");
        }
        assert_eq!(system::decode(&[&list[..], b"more"].concat()), None);
        assert_eq!(system::decode(&[0xff; 4]), None);
        assert_eq!(system::decode(&[0; 4]), Some(Vec::new()));
    }
}
