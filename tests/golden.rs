//! Golden text: what `ipseckey -c` says about each file of tests/golden. tests/golden/README.md tells how to add a case.

mod support;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use snapbox::Data;
use support::model::Model;

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
        .args(["--sadb", "model:illumos", "--hosts", &format!("{GOLDEN}/hosts"), option])
        .arg(name)
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "{} prints to standard output", file.display());
    format!("{}exit {}\n", String::from_utf8(output.stderr).unwrap(), output.status.code().unwrap())
}

/// Compares the messages about each file of a directory with the golden file beside it.
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
    // IK055 takes thousands of lines: tests/files.rs has them. IK060 and IK061 are rules of Linux: tests/kernel has them.
    for code in codes.into_iter().filter(|code| !["IK055", "IK060", "IK061"].contains(code)) {
        let directory = if code == "IK030" { "refused" } else { "" };
        let text = fs::read_to_string(Path::new(GOLDEN).join(directory).join(format!("{code}.out"))).unwrap();
        assert!(text.contains(&format!("[{code}]: ")), "{code}");
    }
}

/// The words in front of the descriptions that `--help` lists below `heading`.
fn listed(help: &str, heading: &str) -> Vec<String> {
    let Some(part) = help.split(&format!("\n{heading}:\n")).nth(1) else { return Vec::new() };
    let lines = part.split("\n\n").next().unwrap().lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// Compares with the golden file of that name below tests/golden.
fn compare_text(said: String, name: &str) {
    snapbox::assert_data_eq!(said, Data::read_from(&Path::new(GOLDEN).join(name), None).raw());
}

#[test]
fn help_says_what_the_golden_files_say() {
    let programs = [
        ("ipseckey", env!("CARGO_BIN_EXE_ipseckey"), "Tools"),
        ("manual-key", env!("CARGO_BIN_EXE_manual-key"), "Commands"),
        ("sadb-model", env!("CARGO_BIN_EXE_sadb-model"), "Commands"),
    ];
    for (name, program, heading) in programs {
        let help = |words: &[&str]| {
            let output = Command::new(program).env_clear().env("COLUMNS", "500").args(words).arg("--help").output().unwrap();
            assert!(output.status.success(), "{name} {words:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let whole = help(&[]);
        let words = listed(&whole, heading);
        assert_eq!(words.is_empty(), name == "sadb-model", "{whole}");
        for word in words {
            compare_text(help(&[&word]), &format!("help/{name}-{word}.txt"));
        }
        compare_text(whole, &format!("help/{name}.txt"));
    }
}

/// `text` without what differs from run to run: moments, and the version.
fn steady(text: &str) -> String {
    let version = |version: &str| format!("\"version\": \"{version}\"");
    let mut text = text.replace(&version(env!("CARGO_PKG_VERSION")), &version("[VERSION]"));
    for name in ["timestamp", "current_addtime", "since", "loaded", "at"] {
        let title = format!("\"{name}\":");
        let mut parts = text.split(&title);
        let first = parts.next().unwrap().to_owned();
        text = parts.fold(first, |done, part| {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            assert!(part.len() - rest.len() >= 10, "{name} is no moment");
            format!("{done}{title}[TIME]{rest}")
        });
    }
    text
}

/// What answers in JSON, and the arguments; `monitor` has a test of its own below.
const JSON: &[(&str, &[&str])] = &[
    ("dump", &["--json", "dump"]),
    ("dump-keys", &["--json", "--show-keys", "dump", "ah"]),
    ("get", &["--json", "get", "esp", "spi", "0x1000", "dst", "198.51.100.7"]),
    ("save", &["--json", "save", "all"]),
    ("check", &["--json", "-c", "mistakes"]),
    ("load", &["--json", "-f", "keys"]),
    ("sarif", &["--sarif", "-c", "mistakes"]),
    ("algs", &["--json", "algs"]),
    ("doctor", &["--json", "doctor", "keys"]),
    ("explain", &["--json", "explain", "IK003"]),
    ("plan", &["--json", "plan", "changed"]),
];

/// A model with some SAs, and two files beside it: one with mistakes, and that of the SAs with something changed.
fn model() -> Model {
    let model = Model::start(&["192.0.2.1"]);
    let sas = include_str!("golden/json/sas");
    support::model::succeeded(model.load(sas));
    let changed = sas.replace("0x1002", "0x1003").replace("hard_addtime 28800", "hard_addtime 60");
    for (name, text) in [("mistakes", include_str!("golden/five-mistakes.keys")), ("changed", &changed)] {
        let path = model.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    model
}

#[test]
fn json_is_what_the_golden_files_say() {
    let model = model();
    for (name, arguments) in JSON {
        let output = model.ipseckey(arguments).current_dir(model.path("")).output().unwrap();
        assert!(output.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        compare_text(steady(std::str::from_utf8(&output.stdout).unwrap()), &format!("json/{name}.json"));
    }
}

#[test]
fn the_status_of_the_service_is_what_its_golden_file_says() {
    let model = model();
    let service = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
        command.env_clear().env("RUNTIME_DIRECTORY", model.path("run")).current_dir(model.path(""));
        support::model::succeeded(command.args(words).args(["--sadb", &model.spec()]).output().unwrap())
    };
    fs::create_dir(model.path("run")).unwrap();
    service(&["start", "--config-file", "keys"]);
    let said = steady(&service(&["status", "--json", "--warn", "0"]));
    compare_text(said.replace(model.path("").to_str().unwrap(), "[DIRECTORY]/"), "json/status.json");
}

#[test]
fn a_monitor_says_what_its_golden_file_says() {
    let model = model();
    let mut child = model.ipseckey(&["--json", "pmonitor"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut heard = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::thread::scope(|scope| {
        let hears = scope.spawn(|| heard.read_line(&mut line).unwrap());
        // It may not listen yet when the first flush comes.
        while !hears.is_finished() {
            model.ok(&["flush", "ah"]);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    child.kill().unwrap();
    child.wait().unwrap();
    compare_text(steady(&line), "json/monitor.json");
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
