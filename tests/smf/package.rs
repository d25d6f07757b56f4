//! The IPS manifest: it delivers no path of the base system, and every source exists.

use std::collections::HashSet;
use std::path::Path;

const MANIFEST: &str = include_str!("../../smf/ipseckey.p5m");

/// Paths of SUNWcs and its successors that this package must not deliver.
const OF_THE_BASE_SYSTEM: &[&str] = &[
    "usr/sbin/ipseckey",
    "usr/sbin/manual-key",
    "lib/svc/manifest/network/ipsec/manual-key.xml",
    "etc/inet/secret",
    "etc/inet/secret/ipseckeys",
    "usr/share/man/man8/ipseckey.8",
];

/// The value of that attribute in each action of that kind.
fn attribute<'a>(kind: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let actions = MANIFEST.lines().filter(move |line| line.split(' ').next() == Some(kind));
    actions.filter_map(move |line| line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')))
}

#[test]
fn package_delivers_no_path_of_the_base_system_and_none_twice() {
    let mut seen = HashSet::new();
    for path in attribute("file", "path").chain(attribute("dir", "path")) {
        assert!(seen.insert(path), "{path} twice");
        assert!(!OF_THE_BASE_SYSTEM.contains(&path), "{path}");
        assert!(path.starts_with("opt/ipseckey") || path.starts_with("etc/security/exec_attr.d/"), "{path}");
    }
}

#[test]
fn every_source_is_in_the_tree_or_built() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources: Vec<&str> = MANIFEST.lines().filter_map(|line| line.strip_prefix("file ")?.split(' ').next()).collect();
    assert!(sources.len() > 5);
    for source in sources {
        let is_built = source.starts_with("target/");
        assert!(is_built || top.join(source).is_file(), "{source}");
    }
    for license in MANIFEST.lines().filter_map(|line| line.strip_prefix("license ")?.split(' ').next()) {
        assert!(top.join(license).is_file(), "{license}");
    }
}

#[test]
fn programs_are_executable_and_no_keys_file_is_delivered() {
    for line in MANIFEST.lines().filter(|line| line.starts_with("file target/")) {
        assert!(line.contains(" mode=0555"), "{line}");
    }
    assert!(!MANIFEST.contains("inet/secret"));
}

/// With a user ID of root the profile would let its users read and replace every file that they name. The kernel asks for the privilege
/// alone.
#[test]
fn profile_gives_the_privilege_for_sas_and_no_user_id() {
    let line = include_str!("../../smf/exec_attr").trim_end();
    let [profile, policy, kind, _, _, program, attributes] = line.split(':').collect::<Vec<_>>()[..] else {
        panic!("{line}")
    };
    assert_eq!((profile, policy, kind), ("Network IPsec Management", "solaris", "cmd"));
    assert_eq!((program, attributes), ("/opt/ipseckey/sbin/ipseckey", "privs=sys_ip_config"));
}
