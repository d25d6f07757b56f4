//! The users of this user namespace (user_namespaces(7)).

/// The user that stat(2) shows for all users without a mapping here; `None` if that number is a user of its own, as on every host.
#[cfg(target_os = "linux")]
pub(crate) fn unmapped_user() -> Option<u32> {
    let read = |path| std::fs::read_to_string(path).ok();
    let overflow = read("/proc/sys/kernel/overflowuid").and_then(|text| text.trim().parse().ok()).unwrap_or(65534);
    // Without /proc it is not known whether the user is mapped.
    let map = read("/proc/self/uid_map")?;
    (!maps(&map, overflow)).then_some(overflow)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn unmapped_user() -> Option<u32> {
    None
}

/// Whether a line of `map` (first user inside, first user outside, number of users) contains `user`. A line that cannot be parsed
/// counts as one that does.
#[cfg(any(target_os = "linux", test))]
fn maps(map: &str, user: u32) -> bool {
    map.lines().any(|line| {
        let numbers: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let &[inside, _, count] = numbers.as_slice() else { return true };
        (inside..inside.saturating_add(count)).contains(&u64::from(user))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_all_users_of_a_host_and_few_of_a_container() {
        assert!(maps("         0          0 4294967295\n", 65534));
        assert!(!maps("0 1000 1\n", 65534));
        assert!(!maps("0 1000 1\n1 100000 65533\n", 65534));
        assert!(maps("0 1000 1\n1 100000 65535\n", 65534));
        assert!(maps("unknown\n", 65534));
    }
}
