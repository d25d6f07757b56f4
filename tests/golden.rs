//! Golden text: what `ipseckey -c` says about each file of tests/golden. tests/golden/README.md tells how to add a case.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::Data;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// The keys files of a directory below tests/golden.
fn cases(directory: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(Path::new(GOLDEN).join(directory)).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|ext| ext == "keys")).collect();
    cases.sort();
    cases
}

/// What `-c` or `-f` says about a private copy of `file`.
fn said(option: &str, file: &Path) -> String {
    let directory = tempfile::tempdir().unwrap();
    let name = file.file_name().unwrap();
    let copy = directory.path().join(name);
    fs::copy(file, &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o600)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ipseckey"))
        .env_clear()
        .current_dir(directory.path())
        .args(["--sadb", "model", "--hosts", &format!("{GOLDEN}/hosts"), option])
        .arg(name)
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "{} prints to standard output", file.display());
    format!("{}exit {}\n", String::from_utf8(output.stderr).unwrap(), output.status.code().unwrap())
}

/// Compares what is said about each file of a directory with the golden file beside it.
fn compare(option: &str, directory: &str) {
    let cases = cases(directory);
    assert!(!cases.is_empty());
    for case in cases {
        snapbox::assert_data_eq!(said(option, &case), Data::read_from(&case.with_extension("out"), None).raw());
    }
}

#[test]
fn checks_say_what_the_golden_files_say() {
    compare("-c", "");
}

#[test]
fn refusals_say_what_the_golden_files_say() {
    compare("-f", "refused");
}

#[test]
fn every_code_has_a_golden_file_that_shows_it() {
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/messages.md")).unwrap();
    let codes: Vec<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |")).map(|row| row.0).collect();
    let codes: Vec<&str> = codes.into_iter().filter(|code| code.starts_with("IK")).collect();
    assert!(codes.len() > 30);
    for code in codes {
        let directory = if code == "IK030" { "refused" } else { "" };
        let text = fs::read_to_string(Path::new(GOLDEN).join(directory).join(format!("{code}.out"))).unwrap();
        assert!(text.contains(&format!("[{code}]: ")), "{code}");
    }
}

#[test]
fn help_says_what_the_golden_files_say() {
    let help = |tool: &str| {
        let arguments = [tool, "--help"].into_iter().filter(|word| !word.is_empty());
        let output = Command::new(env!("CARGO_BIN_EXE_ipseckey")).env_clear().args(arguments).output().unwrap();
        assert!(output.status.success(), "{tool}");
        String::from_utf8(output.stdout).unwrap()
    };
    let whole = help("");
    let tools = whole.split("\nTools:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for tool in tools.lines().map(|line| line.split_whitespace().next().unwrap()) {
        snapbox::assert_data_eq!(
            help(tool),
            Data::read_from(&Path::new(GOLDEN).join(format!("help/{tool}.txt")), None).raw()
        );
    }
    snapbox::assert_data_eq!(whole, Data::read_from(&Path::new(GOLDEN).join("help/ipseckey.txt"), None).raw());
}

/// The longest run of hexadecimal digits in `text`.
fn longest_hex_run(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max().unwrap_or(0)
}

#[test]
fn no_golden_file_shows_key_text() {
    for case in [cases(""), cases("refused")].concat() {
        let out = fs::read_to_string(case.with_extension("out")).unwrap();
        assert!(longest_hex_run(&out) < 8, "{} shows a key", case.display());
    }
}
