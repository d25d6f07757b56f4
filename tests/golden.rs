//! Golden text: what `ipseckey -c` says about each file of tests/golden. tests/golden/README.md tells how to add a case.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::Data;

fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|ext| ext == "keys")).collect();
    cases.sort();
    cases
}

/// What `-c` says about a private copy of `file`.
fn check(file: &Path) -> String {
    let directory = tempfile::tempdir().unwrap();
    let name = file.file_name().unwrap();
    let copy = directory.path().join(name);
    fs::copy(file, &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o600)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ipseckey"))
        .env_clear()
        .current_dir(directory.path())
        .args(["--sadb", "model", "-n", "-c"])
        .arg(name)
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "{} prints to standard output", file.display());
    format!("{}exit {}\n", String::from_utf8(output.stderr).unwrap(), output.status.code().unwrap())
}

#[test]
fn checks_say_what_the_golden_files_say() {
    let cases = cases();
    assert!(!cases.is_empty());
    for case in cases {
        snapbox::assert_data_eq!(check(&case), Data::read_from(&case.with_extension("out"), None).raw());
    }
}

/// The longest run of hexadecimal digits in `text`.
fn longest_hex_run(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max().unwrap_or(0)
}

#[test]
fn no_golden_file_shows_key_text() {
    for case in cases() {
        let out = fs::read_to_string(case.with_extension("out")).unwrap();
        assert!(longest_hex_run(&out) < 8, "{} shows a key", case.display());
    }
}
