//! How much memory this process can still get: what is larger is refused before it is read.

use std::fs;
use std::path::Path;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

/// The bytes that the limits of the process, its control group and the system leave at most; `None` if no limit is known.
pub(crate) fn available() -> Option<u64> {
    let limits = [limit(Resource::RLIMIT_AS), limit(Resource::RLIMIT_DATA)];
    limits.into_iter().chain([of_system(), of_control_group()]).flatten().min()
}

fn limit(resource: Resource) -> Option<u64> {
    // Not less what is in use already: that is little, and which part of it counts differs between the limits.
    getrlimit(resource).ok().map(|(soft, _)| soft).filter(|soft| *soft != RLIM_INFINITY)
}

/// Linux: free memory and free swap space (proc(5), /proc/meminfo).
fn of_system() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    Some(meminfo(&text, "MemAvailable:")?.saturating_add(meminfo(&text, "SwapFree:").unwrap_or(0)))
}

/// A field of /proc/meminfo, in bytes.
fn meminfo(text: &str, field: &str) -> Option<u64> {
    let kib = text.lines().find_map(|line| line.strip_prefix(field))?.trim().strip_suffix(" kB")?;
    kib.parse::<u64>().ok()?.checked_mul(1024)
}

/// Linux: the limit of the control group, such as that of a container (cgroups(7), memory.max); the groups above it may have one as well.
fn of_control_group() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let limits = Path::new(own).ancestors().filter_map(|group| {
        // `max` is no number, and the root of all groups has no such file.
        fs::read_to_string(Path::new("/sys/fs/cgroup").join(group).join("memory.max")).ok()?.trim().parse().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_reads_fields_in_bytes() {
        let text = "MemTotal:       16384 kB\nMemAvailable:    8192 kB\nHugePages_Total:       0\n";
        assert_eq!(meminfo(text, "MemAvailable:"), Some(8 << 20));
        assert_eq!(meminfo(text, "SwapFree:"), None);
        assert_eq!(meminfo(text, "HugePages_Total:"), None);
    }

    #[test]
    fn available_is_not_zero() {
        assert_ne!(available(), Some(0));
    }
}
