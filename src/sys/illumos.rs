//! Constants and layouts of illumos that the crate libc does not have. tests/library/illumos.rs compares them, and those of libc that the
//! programs depend on, with the headers.

/// `PF_KEY` of sys/socket.h.
pub(crate) const PF_KEY: i32 = 27;

/// facl(2) and its lists: sys/acl.h.
#[cfg(target_os = "illumos")]
pub(crate) mod acl {
    use std::ffi::{c_int, c_void};

    pub(crate) const GETACLCNT: c_int = 3;
    pub(crate) const ACE_GETACL: c_int = 4;
    pub(crate) const ACE_GETACLCNT: c_int = 6;
    /// Entries of a POSIX-draft list (UFS) that is equivalent to a mode.
    pub(crate) const MIN_ACL_ENTRIES: c_int = 4;
    pub(crate) const ACE_IDENTIFIER_GROUP: u16 = 0x40;
    pub(crate) const ACE_OWNER: u16 = 0x1000;
    pub(crate) const ACE_GROUP: u16 = 0x2000;
    pub(crate) const ACE_EVERYONE: u16 = 0x4000;

    /// `ace_t`.
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    pub(crate) struct RawAce {
        pub(crate) who: u32,
        pub(crate) rights: u32,
        pub(crate) flags: u16,
        pub(crate) kind: u16,
    }

    // SAFETY: as sys/acl.h declares it.
    unsafe extern "C" {
        pub(crate) fn facl(fd: c_int, command: c_int, count: c_int, list: *mut c_void) -> c_int;
    }
}

#[cfg(target_os = "illumos")]
// SAFETY: as unistd.h declares it.
unsafe extern "C" {
    /// issetugid(2).
    pub(crate) fn issetugid() -> std::ffi::c_int;
}
