//! NFSv4 access lists (RFC 7530 section 6.2.1), which the mode of a file does not show: ZFS has them on illumos (acl(2)), NFS has them
//! on Linux. POSIX access lists need no check of their own: the group bits of the mode are their mask (acl(5)).

use std::fs::File;

/// The constants of RFC 7530 sections 6.2.1.1 to 6.2.1.4. illumos' sys/acl.h has the same.
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

/// The subject of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Owner,
    /// The file's group, or everyone: the mode shows whether they may read and write.
    Mode,
    /// A user; `None` if the name has no user ID on this system.
    User(Option<u32>),
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ace {
    kind: u32,
    flags: u32,
    rights: u32,
    who: Who,
}

impl Ace {
    /// True if the entry grants access that the mode does not show to a user besides root and `me`.
    fn grants_access(&self, me: u32) -> bool {
        // With these rights a user can replace the file or give itself all others.
        const TAKE_OVER: u32 = number::DELETE | number::WRITE_ACL | number::WRITE_OWNER;
        let refused = match self.who {
            Who::Owner => 0,
            Who::User(Some(user)) if user == 0 || user == me => 0,
            Who::Mode => TAKE_OVER,
            Who::User(_) | Who::Group => TAKE_OVER | number::READ | number::WRITE | number::APPEND,
        };
        self.kind == number::ALLOW && self.flags & number::INHERIT_ONLY == 0 && self.rights & refused != 0
    }
}

/// True if an access list grants access that the mode does not show to a user besides root and `me`.
pub(crate) fn grants_access(file: &File, me: u32) -> bool {
    match system::entries(file) {
        Ok(entries) => entries.iter().any(|entry| entry.grants_access(me)),
        // Fail closed: a list that cannot be decoded may grant anything.
        Err(Malformed) => true,
    }
}

/// A list that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

/// The kernel passes the server's list through (XDR, RFC 4506): a count; then type, flags, rights and a name for each entry.
#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;

    use rustix::fs::fgetxattr;
    use rustix::io::Errno;

    use super::{Ace, Malformed, Who};

    const NAME: &str = "system.nfs4_acl";
    /// Bytes of the first attempt, enough for almost any list.
    const FIRST_LEN: usize = 1024;
    /// `XATTR_SIZE_MAX` (linux/limits.h).
    const MAX_LEN: usize = 64 * 1024;

    pub(crate) fn entries(file: &File) -> Result<Vec<Ace>, Malformed> {
        let list = match read_list(file, FIRST_LEN) {
            Err(Errno::RANGE) => read_list(file, MAX_LEN),
            list => list,
        };
        match list {
            Ok(list) => decode(&list).ok_or(Malformed),
            // Not a file on NFSv4, or a kernel without extended attributes.
            Err(Errno::OPNOTSUPP | Errno::NODATA | Errno::NOSYS) => Ok(Vec::new()),
            // EIO or EACCES, for example: there may be a list.
            Err(_) => Err(Malformed),
        }
    }

    /// Fails with ERANGE if the list is longer than `capacity` bytes.
    fn read_list(file: &File, capacity: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; capacity];
        let len = fgetxattr(file, NAME, &mut bytes)?;
        bytes.truncate(len);
        Ok(bytes)
    }

    pub(crate) fn decode(mut list: &[u8]) -> Option<Vec<Ace>> {
        let count = number(&mut list)?;
        let entries = (0..count).map(|_| entry(&mut list)).collect::<Option<_>>()?;
        // Bytes after the last entry: not a list of this form.
        list.is_empty().then_some(entries)
    }

    fn entry(list: &mut &[u8]) -> Option<Ace> {
        let (kind, flags, rights) = (number(list)?, number(list)?, number(list)?);
        let len = usize::try_from(number(list)?).ok()?;
        let name = list.split_off(..len)?;
        // XDR pads strings to four bytes.
        list.split_off(..len.next_multiple_of(4) - len)?;
        Some(Ace { kind, flags, rights, who: who(name, flags) })
    }

    fn number(list: &mut &[u8]) -> Option<u32> {
        let (first, rest) = list.split_first_chunk()?;
        *list = rest;
        Some(u32::from_be_bytes(*first))
    }

    /// Decodes `OWNER@`, `alice@example.com` or a user ID. The server's user names, except root, have no meaning on this system.
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
    use std::ffi::c_int;
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::ptr::null_mut;

    use super::{Ace, Malformed, Who};
    use crate::sys::illumos::acl::{
        ACE_EVERYONE, ACE_GETACL, ACE_GETACLCNT, ACE_GROUP, ACE_IDENTIFIER_GROUP, ACE_OWNER, GETACLCNT, MIN_ACL_ENTRIES,
        RawAce, facl,
    };

    /// Attempts to read a list that another process is changing.
    const TRIES: usize = 10;

    pub(crate) fn entries(file: &File) -> Result<Vec<Ace>, Malformed> {
        for _ in 0..TRIES {
            let Ok(count) = usize::try_from(count_of(file, ACE_GETACLCNT)) else {
                return if count_of(file, GETACLCNT) > MIN_ACL_ENTRIES { Err(Malformed) } else { Ok(Vec::new()) };
            };
            let mut list = vec![RawAce::default(); count];
            let capacity = c_int::try_from(count).map_err(|_| Malformed)?;
            // SAFETY: the list has `capacity` entries, and any bits are a valid `ace_t`.
            let got = unsafe { facl(file.as_raw_fd(), ACE_GETACL, capacity, list.as_mut_ptr().cast()) };
            // Otherwise another process has changed the list between the two calls.
            if usize::try_from(got) == Ok(count) {
                return Ok(list.into_iter().map(Ace::from).collect());
            }
        }
        Err(Malformed)
    }

    /// The number of entries; -1 if the file system has no lists of that kind.
    fn count_of(file: &File, command: c_int) -> c_int {
        // SAFETY: these commands write nothing, and accept a null list.
        unsafe { facl(file.as_raw_fd(), command, 0, null_mut()) }
    }

    impl From<RawAce> for Ace {
        fn from(ace: RawAce) -> Self {
            let who = match ace.flags {
                flags if flags & ACE_OWNER != 0 => Who::Owner,
                flags if flags & (ACE_GROUP | ACE_EVERYONE) != 0 => Who::Mode,
                flags if flags & ACE_IDENTIFIER_GROUP != 0 => Who::Group,
                _ => Who::User(Some(ace.who)),
            };
            Self { kind: ace.kind.into(), flags: ace.flags.into(), rights: ace.rights, who }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "illumos")))]
mod system {
    use std::fs::File;

    use super::{Ace, Malformed};

    pub(crate) fn entries(_: &File) -> Result<Vec<Ace>, Malformed> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1000;
    const ALL: u32 = 0x1f_01ff;

    fn allow(who: Who, rights: u32) -> Ace {
        Ace { kind: number::ALLOW, flags: 0, rights, who }
    }

    #[test]
    fn grants_access_depends_on_subject_and_rights() {
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
            assert_eq!(allow(who, rights).grants_access(ME), is_open, "{who:?} {rights:#x}");
        }
        let deny = Ace { kind: 1, ..allow(Who::Group, ALL) };
        let inherited_only = Ace { flags: number::INHERIT_ONLY, ..allow(Who::Group, ALL) };
        assert!(!deny.grants_access(ME) && !inherited_only.grants_access(ME));
    }

    #[test]
    fn a_file_without_a_list_grants_no_access() {
        assert!(!grants_access(tempfile::NamedTempFile::new().unwrap().as_file(), ME));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn decode_reads_a_list_of_nfs() {
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
