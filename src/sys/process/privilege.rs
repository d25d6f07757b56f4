//! Privileges, dropped before the first key is read: capabilities (capabilities(7)), the ways to regain them, and the environment
//! of an untrusted user.

/// The privileges that a program needs for its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privileges {
    /// Access to the SADB. A service reads and writes only files of its own user.
    Sadb,
    /// Access to the SADB, and to any file that root may read and write.
    SadbAndFiles,
}

/// Drops all capabilities that `need` does not include, permanently. Call it while the process has one thread.
///
/// Best effort: a process without capabilities has none to drop.
pub(crate) fn keep_only(need: Privileges) {
    system::keep_only(need);
}

/// Clears the environment if the process has more privileges than the user who started it: set-user-ID, or capabilities of its
/// file (secure_getenv(3)). Call it while the process has one thread.
pub(crate) fn distrust_environment() {
    if system::is_privileged_exec() {
        clear_environment();
    }
}

/// Removes all variables but TERM.
fn clear_environment() {
    /// A directory with an entry for each thread.
    const THREADS: &str = if crate::sys::IS_ILLUMOS { "/proc/self/lwp" } else { "/proc/self/task" };
    let threads = std::fs::read_dir(THREADS).map_or(0, Iterator::count);
    assert_eq!(threads, 1, "the environment is cleared before other threads start");
    // Collected first: removing a variable while iterating would invalidate the iterator.
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).filter(|name| name != "TERM").collect();
    for name in names {
        // SAFETY: no other thread can read the environment meanwhile; the assertion above has checked it.
        unsafe { std::env::remove_var(name) };
    }
}

#[cfg(target_os = "linux")]
mod system {
    use nix::libc::{AT_SECURE, getauxval};
    use rustix::thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
        set_capabilities, set_no_new_privs,
    };

    use super::Privileges;

    /// For files of other users, and to give a state file to the owner of its directory.
    const FILES: CapabilitySet = CapabilitySet::DAC_OVERRIDE
        .union(CapabilitySet::DAC_READ_SEARCH)
        .union(CapabilitySet::CHOWN)
        .union(CapabilitySet::FOWNER);

    pub(crate) fn keep_only(need: Privileges) {
        let kept = match need {
            Privileges::Sadb => CapabilitySet::NET_ADMIN,
            Privileges::SadbAndFiles => CapabilitySet::NET_ADMIN.union(FILES),
        };
        // A program that is executed later gains no privileges from its file (set-user-ID, file capabilities).
        let _ = set_no_new_privs(true);
        let _ = clear_ambient_capability_set();
        // The bounding set first: removing from it needs CAP_SETPCAP, which the last step drops.
        for number in 0..u64::BITS {
            let one = CapabilitySet::from_bits_retain(1 << number);
            // EPERM holds for every capability, and EINVAL for all numbers above the kernel's last one.
            if !kept.contains(one) && remove_capability_from_bounding_set(one).is_err() {
                break;
            }
        }
        let Ok(has) = capabilities(None) else { return };
        let sets = CapabilitySets {
            effective: has.effective & kept,
            permitted: has.permitted & kept,
            inheritable: CapabilitySet::empty(),
        };
        let _ = set_capabilities(None, sets);
    }

    pub(crate) fn is_privileged_exec() -> bool {
        // SAFETY: getauxval(3) takes a number and reads the auxiliary vector, which the kernel has set at exec.
        unsafe { getauxval(AT_SECURE) != 0 }
    }
}

/// On illumos the SMF manifest sets the privileges of the method (smf_method(7)).
#[cfg(not(target_os = "linux"))]
mod system {
    use super::Privileges;

    pub(crate) fn keep_only(_: Privileges) {}

    /// issetugid(2) also knows of privileges that a rights profile has added (pfexec(1)), which the user IDs do not show: `gexec` in
    /// exec.c sets the flag for PRIV_INCREASE, too.
    #[cfg(target_os = "illumos")]
    pub(crate) fn is_privileged_exec() -> bool {
        // SAFETY: it takes no arguments, and reads a flag of the process.
        unsafe { crate::sys::illumos::issetugid() != 0 }
    }

    #[cfg(not(target_os = "illumos"))]
    pub(crate) fn is_privileged_exec() -> bool {
        use nix::unistd::{getegid, geteuid, getgid, getuid};
        getuid() != geteuid() || getgid() != getegid()
    }
}
