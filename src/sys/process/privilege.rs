//! What these programs do not need is given up before the first key is read: capabilities (capabilities(7)), the way to get
//! them back, and the words of an environment that somebody else has chosen.

/// What a program goes on to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Talk to the SADB. A service reads and writes files of its own user only.
    Sadb,
    /// Talk to the SADB, and read and write whatever file the user names, as root may.
    SadbAndFiles,
}

/// Gives up everything that is not needed for `need`, for good; to be called while the process has one thread.
///
/// All of it is best effort: who has no capabilities has none to give up.
pub fn keep_only(need: Need) {
    system::keep_only(need);
}

/// Forgets the environment if the process may do more than the user who started it (secure_getenv(3)): set-user-ID, or with
/// capabilities of its file. To be called while the process has one thread.
pub fn distrust_environment() {
    if system::has_more_rights_than_its_user() {
        forget_environment();
    }
}

/// All but what the terminal needs.
fn forget_environment() {
    /// Has an entry for each thread.
    const THREADS: &str = if crate::sys::IS_ILLUMOS { "/proc/self/lwp" } else { "/proc/self/task" };
    let threads = std::fs::read_dir(THREADS).map_or(0, Iterator::count);
    assert_eq!(threads, 1, "the environment is forgotten before there are threads");
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).filter(|name| name != "TERM").collect();
    for name in names {
        // SAFETY: there is no other thread that could read the environment meanwhile, as was asked of the system just now.
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

    use super::Need;

    /// To read and write files of others, and to leave a state file to the owner of its directory.
    const FILES: CapabilitySet = CapabilitySet::DAC_OVERRIDE
        .union(CapabilitySet::DAC_READ_SEARCH)
        .union(CapabilitySet::CHOWN)
        .union(CapabilitySet::FOWNER);

    pub(crate) fn keep_only(need: Need) {
        let kept = match need {
            Need::Sadb => CapabilitySet::NET_ADMIN,
            Need::SadbAndFiles => CapabilitySet::NET_ADMIN.union(FILES),
        };
        let _ = set_no_new_privs(true);
        let _ = clear_ambient_capability_set();
        // The bounding set first: to make it smaller is itself a privilege.
        for number in 0..u64::BITS {
            let one = CapabilitySet::from_bits_retain(1 << number);
            // Who may not do it with one may not with any, and above the last one that the kernel knows there is none.
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

    pub(crate) fn has_more_rights_than_its_user() -> bool {
        // SAFETY: getauxval(3) takes a number and reads what the kernel has put before the program.
        unsafe { getauxval(AT_SECURE) != 0 }
    }
}

/// On illumos the manifest gives the method its privileges (smf_method(7)).
#[cfg(not(target_os = "linux"))]
mod system {
    use nix::unistd::{getegid, geteuid, getgid, getuid};

    use super::Need;

    /// Gives up nothing.
    pub(crate) fn keep_only(_: Need) {}

    pub(crate) fn has_more_rights_than_its_user() -> bool {
        getuid() != geteuid() || getgid() != getegid()
    }
}
