//! `manual-key status` of a service that runs, is stopped or was killed, for root and other users.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::bench::{self, Bench, program_for_all, secret_windows};
use crate::resident::Running;
use crate::schema::misfit;
use crate::{FIVE_MISTAKES, ONE, THREE, TWO, is_root};

const NOBODY: u32 = 65_534;

impl Bench {
    fn status(&self) -> Value {
        let status = serde_json::from_str(&self.run_bare(&["status", "--json"]).expect(0).stdout).unwrap();
        let schema: Value = serde_json::from_str(include_str!("../../docs/schema.json")).unwrap();
        assert_eq!(misfit(&schema, &schema["$defs"]["status"], &status), None);
        status
    }

    fn check_status(&self, exit: i32) -> String {
        let line = self.run_bare(&["status", "--check"]).expect(exit).stdout;
        assert_eq!(line.lines().count(), 1, "{line}");
        line
    }

    /// Removes the SA with that SPI, as another program would.
    fn lose(&self, spi: u32) {
        let sas = self.sas();
        let lost = sas.iter().find(|sa| bench::spi(sa) == spi).unwrap();
        let [sa_type, spi, dst] = ["sa_type", "spi", "dst"].map(|name| lost[name].as_str().unwrap());
        self.ipseckey(&["delete", sa_type, "spi", spi, "dst", dst]);
    }
}

#[test]
fn status_is_starting_until_the_first_load_has_ended() {
    let bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    // The load waits for its turn.
    let socket = bench.spec().strip_prefix("unix:").unwrap().to_owned();
    let lock = File::create(format!("{socket}.lock")).unwrap();
    let held = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
    let running = Running::start(&bench, &file, &[]);
    let deadline = Instant::now() + Duration::from_secs(10);
    while bench.status()["state"] != "starting" {
        assert!(Instant::now() < deadline, "{}", bench.status());
    }
    let status = bench.status();
    assert_eq!((&status["pid"], &status["missing"]), (&running.child.id().into(), &0.into()), "{status}");
    assert_eq!(bench.check_status(3), "UNKNOWN: the keys file is being loaded\n");
    drop(held);
    running.wait_for("READY=1");
    assert_eq!(bench.status()["state"], "online");
    // A refresh is no start.
    running.refresh().expect(0);
    assert_eq!(bench.status()["state"], "online");
}

#[test]
fn status_of_a_daemon_has_state_file_and_sas() {
    let bench = Bench::with_model();
    let one = ONE.replace('\n', " soft_addtime 1000 hard_addtime 2000\n");
    let file = bench.file("keys", &format!("{one}{TWO}"));
    let running = Running::ready(&bench, &file, &[]);
    let status = bench.status();
    let wanted = [
        ("state", Value::from("online")),
        ("reason", format!("online: 2 SAs from {}", file.display()).into()),
        ("pid", running.child.id().into()),
        ("file", file.to_str().unwrap().into()),
        ("changed", false.into()),
        ("added", 2.into()),
        ("owned", 2.into()),
        ("foreign", 0.into()),
        ("missing", 0.into()),
        ("expiring", 1.into()),
    ];
    wanted.iter().for_each(|(name, value)| assert_eq!(&status[name], value, "{name} in {status}"));
    let [soft, hard] = status["expiries"].as_array().unwrap().as_slice() else { panic!("two in {status}") };
    assert_eq!((&soft["lifetime"], &hard["lifetime"]), (&"soft".into(), &"hard".into()));
    assert_eq!((&hard["spi"], &hard["dst"], &hard["sa_type"]), (&"0x1001".into(), &"192.0.2.2".into(), &"esp".into()));
    assert_eq!(hard["at"].as_u64().unwrap() - soft["at"].as_u64().unwrap(), 1000);
    assert!(status["unknown"].is_null() && status["since"].as_u64() <= status["loaded"].as_u64(), "{status}");
    let line = bench.check_status(3);
    assert!(line.starts_with("WARNING: the next SA expires in 33 min, at "), "{line}");
    let run = bench.run_bare(&["status", "--check", "--warn", "30min"]).expect(0);
    assert_eq!(run.stdout, format!("OK: 2 SAs from {}\n", file.display()));
    bench.run_bare(&["status", "--check", "--warn", "soon"]).expect(2);
    let text = bench.run_bare(&["status"]).expect(0).stdout;
    for line in [
        "state     online since ",
        "SAs       2 owned, 0 foreign, 0 missing\n",
        " (in 16 min): soft lifetime of ESP SPI 0x1001 to 192.0.2.2\n",
        " (in 33 min): hard lifetime of ESP SPI 0x1001 to 192.0.2.2\n",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
}

#[test]
fn status_shows_a_changed_file_until_it_is_loaded() {
    let bench = Bench::with_model();
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    let since = bench.status()["since"].clone();
    bench.file("keys", &format!("{ONE}{THREE}"));
    assert_eq!(bench.status()["changed"], true);
    assert!(bench.run_bare(&["status"]).expect(0).stdout.contains("; changed since then: run manual-key refresh\n"));
    let line = bench.check_status(3);
    assert!(line.starts_with("WARNING: the keys file has changed since it was loaded; to load it: manual-key"), "{line}");
    running.refresh().expect(0);
    assert!(bench.check_status(0).starts_with("OK: 2 SAs from "));
    let status = bench.status();
    assert_eq!((&status["changed"], &status["owned"], &status["since"]), (&false.into(), &2.into(), &since));
}

#[test]
fn status_counts_missing_and_foreign_sas() {
    let bench = Bench::with_model();
    let _running = Running::ready(&bench, &bench.file("keys", &format!("{ONE}{TWO}")), &[]);
    bench.lose(0x1002);
    let mut other = Bench::new();
    other.set("RUNTIME_DIRECTORY", other.path("another").to_str().unwrap());
    let file = other.file("keys", THREE);
    other
        .run_bare(&["start", "--flush", "owned", "--sadb", &bench.spec(), "--config-file", file.to_str().unwrap()])
        .expect(0);
    let status = bench.status();
    assert_eq!((&status["owned"], &status["foreign"], &status["missing"]), (&1.into(), &1.into(), &1.into()), "{status}");
    assert_eq!((&status["state"], &status["reason"]), (&"degraded".into(), &"1 SA is missing in the SADB".into()));
    let line = bench.check_status(3);
    assert_eq!(line, "CRITICAL: 1 SA is missing in the SADB; to add what is missing: manual-key refresh\n");
}

#[test]
fn status_reports_an_sa_with_other_values_than_the_file() {
    let bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    bench.method("start", &file).expect(0);
    let update = bench.file("update", "update esp spi 0x1001 dst 192.0.2.2 hard_addtime 900000\n");
    bench.ipseckey(&["-f", update.to_str().unwrap()]);
    let line = bench.check_status(3);
    assert!(line.starts_with("CRITICAL: an SA differs from the keys file: line 1: esp spi 0x1001 "), "{line}");
    assert!(line.ends_with(" differs in: hard_addtime; to see the differences: manual-key plan\n"), "{line}");
    bench.method("refresh", &file).expect(0);
    bench.check_status(0);
}

#[test]
fn status_reports_expired_sas_and_asks_for_new_keys() {
    let bench = Bench::with_model();
    let file = bench.file("keys", &ONE.replace('\n', " hard_addtime 1\n"));
    bench.method("start", &file).expect(0);
    let line = loop {
        let run = bench.run_bare(&["status", "--check"]).expect(3);
        if run.stdout.starts_with("CRITICAL") {
            break run.stdout;
        }
        assert!(run.stdout.starts_with("WARNING: the next SA expires in 1 s"), "{}", run.stdout);
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert!(line.starts_with("CRITICAL: esp spi 0x1001 dst 192.0.2.2 expired at "), "{line}");
    assert!(line.contains(", hard_addtime 1; replace the keys on both hosts") && !line.contains("refresh"), "{line}");
    assert_eq!(bench.status()["state"], "degraded");
}

#[test]
fn status_in_maintenance_has_the_reason_and_no_text_of_the_file() {
    let bench = Bench::with_model();
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    bench.file("keys", FIVE_MISTAKES);
    running.refresh().expect(78);
    assert_eq!(running.end().0, 78);
    let run = bench.run_bare(&["status"]).expect(0).tells_nothing_of(FIVE_MISTAKES);
    assert!(run.stdout.starts_with("state     maintenance since "), "{}", run.stdout);
    assert!(run.stdout.contains(": errors in 5 of 6 commands, lines 2, 3, 4, 5, 6; "), "{}", run.stdout);
    assert_eq!(bench.status()["pid"], Value::Null);
    bench.check_status(78);
    for name in ["state.json", "loaded.json", "owned.json"] {
        let kept = fs::read_to_string(bench.path("run").join(name)).unwrap().to_lowercase();
        for window in secret_windows(&format!("{ONE}{FIVE_MISTAKES}")) {
            assert!(!kept.contains(&window), "{window} is in {name}: {kept}");
        }
    }
}

#[test]
fn status_before_start_and_after_stop_is_disabled() {
    let bench = Bench::with_model();
    let spec = bench.spec();
    let run = bench.run_bare(&["status", "--sadb", &spec]).expect(0);
    assert_eq!(
        run.stdout,
        "state     disabled\nreason    not started since boot\nSAs       0 owned, 0 foreign, 0 missing\n"
    );
    let run = bench.run_bare(&["status", "--check", "--sadb", &spec]).expect(1);
    assert_eq!(run.stdout, "CRITICAL: not started since boot\n");
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    running.signal(Signal::SIGTERM);
    running.end();
    let status = bench.status();
    assert_eq!((&status["state"], &status["missing"]), (&"disabled".into(), &0.into()), "{status}");
    assert_eq!(status["reason"], "disabled: all SAs are flushed");
    bench.check_status(1);
}

#[test]
fn status_after_a_kill_is_maintenance() {
    let bench = Bench::with_model();
    let mut running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let status = bench.status();
    assert_eq!((&status["state"], &status["owned"]), (&"maintenance".into(), &1.into()), "{status}");
    assert!(status["reason"].as_str().unwrap().contains("exited unexpectedly"), "{status}");
    bench.check_status(78);
}

#[test]
fn status_without_a_daemon_shows_the_last_load() {
    let bench = Bench::with_model();
    let file = bench.file("keys", &format!("{ONE}{ONE}{TWO}"));
    bench.method("start", &file).expect(1);
    let status = bench.status();
    assert_eq!((&status["state"], &status["owned"]), (&"maintenance".into(), &2.into()), "{status}");
    bench.file("keys", TWO);
    bench.method("refresh", &file).expect(0);
    let status = bench.status();
    assert_eq!((&status["state"], &status["owned"], &status["pid"]), (&"online".into(), &1.into(), &Value::Null));
    bench.run(&["stop"]).expect(0);
    assert_eq!(bench.status()["state"], "disabled");
}

#[test]
fn status_of_an_instance() {
    let mut bench = Bench::with_model();
    let place = bench.path("run");
    bench.set("RUNTIME_DIRECTORY", place.join("north").to_str().unwrap());
    let file = bench.file("keys", ONE);
    bench.method("start", &file).expect(0);
    bench.set("RUNTIME_DIRECTORY", place.to_str().unwrap());
    let run = bench.run_bare(&["status", "--instance", "north"]).expect(0);
    assert!(run.stdout.starts_with("state     online since "), "{}", run.stdout);
    for wrong in ["../north", "", ".."] {
        bench.run_bare(&["status", "--instance", wrong]).expect(2);
    }
    bench.run_bare(&["status", "--config-file", "/k"]).expect(2);
}

#[test]
fn status_for_other_users_has_no_secrets() {
    if !is_root() {
        let _ = writeln!(std::io::stderr(), "skipped: only root can become another user");
        return;
    }
    let bench = Bench::with_model();
    let _running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    // A copy: other users may not have access to this directory.
    let program = program_for_all(&bench.path(""), env!("CARGO_BIN_EXE_manual-key"));
    let status = |options: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("status").args(options).env("RUNTIME_DIRECTORY", bench.path("run")).uid(NOBODY).gid(NOBODY);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (exit, text) = status(&[]);
    assert_eq!(exit, Some(0), "{text}");
    assert!(text.starts_with("state     online since "), "{text}");
    assert!(text.contains("reason    online: 1 SA from "), "{text}");
    assert!(text.contains("unknown   whether the keys file has changed: Permission denied"), "{text}");
    assert!(text.contains("unknown   the SAs in the SADB: "), "{text}");
    let (exit, line) = status(&["--check"]);
    assert!(exit == Some(77) && line.starts_with("UNKNOWN: the SAs in the SADB: "), "{line}");
}
