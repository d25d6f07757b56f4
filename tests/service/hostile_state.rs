//! `manual-key status` with a state file that the service's own user, or an attacker who controls it, has written.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::resident::Running;
use crate::{ONE, is_root};

const NOBODY: u32 = 65_534;
const REASON: &str = "ok\u{1b}]0;PWNED\u{7}\u{1b}[2J\u{9b}2J\u{202e}\u{200b}\u{2028}\nstate     online since forever";

/// A change of an owner or a mode, and of what.
type Change<'a> = (fn(&Path) -> io::Result<()>, &'a Path);

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

impl Bench {
    /// Writes the state file, as it is after a load except for `changes`.
    fn forge(&self, changes: &[(&str, Value)]) {
        let mut state = json!({
            "state": "online", "since": 1, "reason": "online: 1 SA", "file": null, "loaded": 1, "added": 1,
            "sadb": self.spec(), "pid": null, "from_sas": false, "namespace": null,
        });
        if let Ok(target) = fs::read_link("/proc/self/ns/net") {
            let digits: String = target.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
            state["namespace"] = digits.parse::<u64>().unwrap().into();
        }
        changes.iter().for_each(|(name, value)| state[*name] = value.clone());
        fs::create_dir_all(self.path("run")).unwrap();
        fs::write(self.path("run/state.json"), state.to_string()).unwrap();
    }
}

/// No control character, and no Unicode character that acts upon others, in any form of the output.
#[test]
fn status_escapes_the_texts_of_the_state_file() {
    let bench = Bench::with_model();
    bench.forge(&[("reason", REASON.into()), ("file", format!("/keys{REASON}").into())]);
    for words in [&["status"][..], &["status", "--json"], &["status", "--check"]] {
        let run = bench.run_bare(words);
        let printed = format!("{}{}", run.stdout, run.stderr);
        let bad = printed.chars().find(|c| (c.is_control() && *c != '\n') || "\u{202e}\u{200b}\u{2028}".contains(*c));
        assert_eq!(bad, None, "{words:?}: {printed:?}");
        assert!(!printed.lines().any(|line| line.starts_with("state     online since forever")), "{printed}");
    }
    let text = bench.run_bare(&["status"]).stdout;
    assert!(text.contains(r"reason    ok\u{1b}]0;PWNED\u{7}"), "{text}");
}

#[test]
fn status_refuses_a_state_file_of_more_than_one_mebibyte() {
    let bench = Bench::with_model();
    bench.forge(&[("reason", "x".repeat(1 << 20).into())]);
    let run = bench.run_bare(&["status", "--json"]);
    let status: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(status["unknown"].to_string().contains("longer than 1048576 bytes"), "{status}");
}

/// The digest of a file tells whether a guess of its content is right.
#[test]
fn status_opens_no_file_that_the_state_of_another_user_names() {
    if !is_root() {
        return;
    }
    let bench = Bench::with_model();
    let _running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    let status = || -> Value { serde_json::from_str(&bench.run_bare(&["status", "--json"]).stdout).unwrap() };
    assert_eq!((&status()["changed"], &status()["unknown"]), (&false.into(), &Value::Null));
    let (directory, file) = (bench.path("run"), bench.path("run/state.json"));
    let private = |path: &Path| set_mode(path, 0o755);
    let open = |path: &Path| set_mode(path, 0o777);
    let to_nobody = |path: &Path| chown(path, Some(NOBODY), None);
    let to_root = |path: &Path| chown(path, Some(0), None);
    // The file of the service's user; a file of root that the directory's owner has moved there; modes that let others write.
    let ways: [(&[Change], &[Change]); 4] = [
        (&[(to_nobody, &directory), (to_nobody, &file)], &[(to_root, &directory), (to_root, &file)]),
        (&[(to_nobody, &directory)], &[(to_root, &directory)]),
        (&[(open, &directory)], &[(private, &directory)]),
        (&[(open, &file)], &[(private, &file)]),
    ];
    for (way, (change, back)) in ways.into_iter().enumerate() {
        change.iter().for_each(|(change, path)| change(path).unwrap());
        // The socket is not the system's SADB: root does not connect to it because a state file says so.
        let status = status();
        assert!(status["changed"].is_null() && status["owned"].is_null(), "{way}: {status}");
        let unknown = status["unknown"].to_string();
        assert!(unknown.contains("no file that it names is opened") && unknown.contains("names unix:"), "{way}: {status}");
        back.iter().for_each(|(change, path)| change(path).unwrap());
    }
    assert_eq!((&status()["changed"], &status()["unknown"]), (&false.into(), &Value::Null));
    to_nobody(&file).unwrap();
    to_nobody(&directory).unwrap();
    let named: Value = serde_json::from_str(&bench.run_bare(&["status", "--json", "--sadb", &bench.spec()]).stdout).unwrap();
    assert!(named["changed"].is_null() && named["owned"] == 1, "{named}");
}
