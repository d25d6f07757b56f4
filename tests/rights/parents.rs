//! The service under parents that are neither systemd nor SMF: its files are judged, and its capabilities dropped, as under these.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::{NET_ADMIN, ONE, capabilities, fields, is_root};

/// Name, and the script that starts the program (`"$0" "$@"`) and exits with its status.
const PARENTS: &[(&str, &str)] = &[
    ("a shell", "\"$0\" \"$@\"; exit $?"),
    ("a shell that is replaced", "exec \"$0\" \"$@\""),
    // start-stop-daemon --background: a session of its own, no open files, an empty environment.
    ("OpenRC", "cd /; setsid env -i \"RUNTIME_DIRECTORY=$RUNTIME_DIRECTORY\" \"$0\" \"$@\" <&- >&- 2>&- & wait $!; exit $?"),
    // chpst -P: a session of its own, standard output to the logger.
    ("runit", "exec setsid -w \"$0\" \"$@\" 2>&1 | cat >/dev/null; exit ${PIPESTATUS[0]}"),
    ("a unit whose command is a shell", "INVOCATION_ID=0123 SYSTEMD_EXEC_PID=1 \"$0\" \"$@\"; exit $?"),
    ("cron", "nice env -i PATH=/usr/bin:/bin HOME=/ \"RUNTIME_DIRECTORY=$RUNTIME_DIRECTORY\" \"$0\" \"$@\"; exit $?"),
];

/// Kills the service, and waits for its parent.
struct Started {
    parent: Child,
    directory: std::path::PathBuf,
}

impl Started {
    fn new(bench: &Bench, script: &str, file: &Path) -> Self {
        // PIPESTATUS is an array of bash.
        let mut command = Command::new("/bin/bash");
        command.args(["-c", script, env!("CARGO_BIN_EXE_manual-key"), "run", "--sadb", &bench.spec(), "--config-file"]);
        command
            .arg(file)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("RUNTIME_DIRECTORY", bench.path("run"));
        let parent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { parent, directory: bench.path("run") }
    }

    /// The process ID of the service, once it is online.
    fn service(&self) -> Option<u32> {
        let state: serde_json::Value = serde_json::from_slice(&fs::read(self.directory.join("state.json")).ok()?).ok()?;
        (state["state"] == "online").then(|| state["pid"].as_u64().unwrap().try_into().unwrap())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(process) = self.service().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), nix::sys::signal::Signal::SIGTERM);
        } else {
            let _ = self.parent.kill();
        }
        let _ = self.parent.wait();
    }
}

#[test]
fn run_refuses_a_readable_file_under_every_parent() {
    for (parent, script) in PARENTS {
        let bench = Bench::with_model();
        let file = bench.file("keys", ONE);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let mut started = Started::new(&bench, script, &file);
        let status = started.parent.wait().unwrap();
        assert_eq!(status.code(), Some(77), "{parent}");
        assert!(bench.spis().is_empty(), "{parent}");
        assert_eq!(started.service(), None, "{parent}");
    }
}

#[test]
fn run_keeps_only_cap_net_admin_under_every_parent() {
    for (parent, script) in PARENTS {
        let bench = Bench::with_model();
        let started = Started::new(&bench, script, &bench.file("keys", ONE));
        let deadline = Instant::now() + Duration::from_secs(20);
        let process = loop {
            if let Some(process) = started.service() {
                break process;
            }
            assert!(Instant::now() < deadline, "{parent}: the service does not start");
            sleep(Duration::from_millis(5));
        };
        let expected = if is_root("have capabilities to give up") { NET_ADMIN } else { 0 };
        for set in ["CapPrm:", "CapEff:"] {
            assert_eq!(capabilities(process, set) & !expected, 0, "{parent}: {set}");
        }
        assert_eq!(capabilities(process, "CapInh:") | capabilities(process, "CapAmb:"), 0, "{parent}");
        assert!(fields(process, "NoNewPrivs:").iter().all(|field| field == "1"), "{parent}");
        if expected != 0 {
            assert_eq!(capabilities(process, "CapEff:"), NET_ADMIN, "{parent}");
            assert_eq!(capabilities(process, "CapBnd:"), NET_ADMIN, "{parent}");
        }
        assert_eq!(bench.spis(), [0x1001], "{parent}");
    }
}

/// The methods that change nothing may read the files of other users, and so may a trial in memory.
#[test]
fn root_checks_a_file_of_another_user_and_loads_it_into_a_model() {
    if !is_root("read files of other users") {
        return;
    }
    let bench = Bench::with_model();
    let file = bench.file("foreign", ONE);
    std::os::unix::fs::chown(&file, Some(crate::NOBODY), None).unwrap();
    let name = file.to_str().unwrap();
    for arguments in
        [&["check"][..], &["start", "--sadb", "model"], &["start", "--allow-unsafe-file", "--sadb", &bench.spec()]]
    {
        let run = bench.run_bare(&[arguments, &["--config-file", name]].concat()).expect(0);
        assert!(run.stderr.contains("warning: ") && run.stderr.contains("belongs to user 65534"), "{}", run.stderr);
    }
    let run = bench.run_bare(&["start", "--sadb", &bench.spec(), "--config-file", name]).expect(77);
    assert!(
        run.stderr.contains(&format!("install -m 600 -o root {name} {name}.new && mv {name}.new {name}")),
        "{}",
        run.stderr
    );
}
