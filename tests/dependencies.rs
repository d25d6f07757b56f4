//! Licences, sources, versions and denied crates of the dependencies, against deny.toml. Needs no network.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn words(list: &toml::Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

/// Every package of a build for this machine, including tests, from `cargo metadata`.
fn packages() -> Vec<Value> {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", host]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().clone();
    assert!(packages.len() > 50);
    packages
}

/// Whether the SPDX expression, alternatives joined by AND, has an allowed licence in each. Refuses an expression that is nested deeper.
fn is_allowed(licence: &str, allowed: &BTreeSet<&str>) -> bool {
    let any = |part: &str| part.split(" OR ").any(|word| allowed.contains(word.trim_matches(['(', ')', ' '])));
    licence.replace('/', " OR ").split(" AND ").all(any)
}

#[test]
fn deny_toml_allows_licences_sources_and_crates() {
    let policy: toml::Value = toml::from_str(&read("deny.toml")).unwrap();
    let allowed = words(&policy["licenses"]["allow"]);
    let denied: Vec<&str> =
        policy["bans"]["deny"].as_array().unwrap().iter().map(|row| row["crate"].as_str().unwrap()).collect();
    let mut names = BTreeSet::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap().to_owned();
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(is_allowed(licence, &allowed), "{name} has the licence {licence}");
        let source = package["source"].as_str().unwrap_or("own");
        let is_own = source == "own" && name == env!("CARGO_PKG_NAME");
        assert!(is_own || source == "registry+https://github.com/rust-lang/crates.io-index", "{name} comes from {source}");
        assert!(!denied.contains(&name.as_str()), "{name} is denied");
        assert!(names.insert(name.clone()), "{name} has two versions");
    }
}

#[test]
fn is_allowed_reads_spdx_expressions() {
    let allowed = BTreeSet::from(["MIT", "Unicode-3.0"]);
    for licence in ["MIT", "Apache-2.0/MIT", "(MIT OR Apache-2.0) AND Unicode-3.0", "Unlicense OR MIT"] {
        assert!(is_allowed(licence, &allowed), "{licence}");
    }
    for licence in ["none", "GPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR Apache-2.0) AND MIT", "Apache-2.0 WITH MIT"] {
        assert!(!is_allowed(licence, &allowed), "{licence}");
    }
}

#[test]
fn cargo_lock_has_a_checksum_for_every_registry_package() {
    let lock: toml::Value = toml::from_str(&read("Cargo.lock")).unwrap();
    for package in lock["package"].as_array().unwrap() {
        assert_eq!(package.get("source").is_some(), package.get("checksum").is_some(), "{package:?}");
    }
}

#[test]
fn cargo_toml_has_a_reason_for_every_dependency() {
    let manifest = read("Cargo.toml");
    let lines: Vec<&str> = manifest.lines().collect();
    let mut inside = false;
    let mut count = 0;
    for pair in lines.windows(2) {
        let [before, line] = pair else { unreachable!() };
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && line.contains(" = ") {
            assert!(before.starts_with("# "), "no reason for {line}");
            count += 1;
        }
    }
    assert!(count > 15, "{count}");
}

/// The contacts of package.metadata.contact are in each document that repeats them.
#[test]
fn contacts_are_those_of_cargo_toml() {
    let manifest: toml::Value = toml::from_str(&read("Cargo.toml")).unwrap();
    let contact = |name: &str| manifest["package"]["metadata"]["contact"][name].as_str().unwrap().to_owned();
    for (document, name) in
        [("SECURITY.md", "security"), ("packaging/debian/changelog", "maintainers"), ("Cargo.toml", "maintainers")]
    {
        let address = contact(name);
        assert!(read(document).matches(&address).count() > usize::from(document == "Cargo.toml"), "{document}: {address}");
    }
}
