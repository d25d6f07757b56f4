//! `manual-key run`: notifications to systemd, refreshes, exits.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{scope, sleep, spawn};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Bench, Run};
use crate::{FIVE_MISTAKES, ONE, THREE, TWO, is_root};

const LONG: Duration = Duration::from_secs(20);

/// A running daemon, and a socket that replaces systemd's notification socket.
pub(crate) struct Running<'a> {
    bench: &'a Bench,
    pub(crate) child: Child,
    /// Received by a thread: a full socket would block the daemon.
    notices: Receiver<String>,
}

impl<'a> Running<'a> {
    /// Starts the daemon with `options` on the bench's SADB and the keys file `file`.
    pub(crate) fn start(bench: &'a Bench, file: &Path, options: &[&str]) -> Self {
        let socket = bench.path("notify");
        let _ = fs::remove_file(&socket);
        let notices = read_all(UnixDatagram::bind(&socket).unwrap());
        let (spec, file) = (bench.spec(), file.to_str().unwrap());
        let arguments = [&["run", "--sadb", &spec, "--config-file", file], options].concat();
        let child = bench.unit(&arguments).env("NOTIFY_SOCKET", &socket).stdout(Stdio::null()).spawn().unwrap();
        Self { bench, child, notices }
    }

    /// Starts the daemon and waits until it is ready.
    pub(crate) fn ready(bench: &'a Bench, file: &Path, options: &[&str]) -> Self {
        let running = Self::start(bench, file, options);
        running.wait_for("READY=1");
        running
    }

    /// The next notification with the line `line`.
    #[track_caller]
    pub(crate) fn wait_for(&self, line: &str) -> String {
        loop {
            let notice = self.notices.recv_timeout(LONG);
            let notice = notice.unwrap_or_else(|error| panic!("no {line}: {error}: {}", self.log()));
            if notice.lines().any(|found| found == line) {
                return notice;
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.bench.path("journal")).unwrap()
    }

    /// Waits until the log contains `text`.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + LONG;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} in {}", self.log());
            sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Runs `manual-key refresh`.
    pub(crate) fn refresh(&self) -> Run {
        self.bench.run_bare(&["refresh"])
    }

    /// Waits until it exits; its exit code and log.
    #[track_caller]
    pub(crate) fn end(mut self) -> (i32, String) {
        let deadline = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.signal(), None, "{}", self.log());
                return (status.code().unwrap(), self.log());
            }
            assert!(Instant::now() < deadline, "it does not exit: {}", self.log());
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(socket: UnixDatagram) -> Receiver<String> {
    let (send, notices) = channel();
    spawn(move || {
        let mut room = [0; 4096];
        while let Ok(len) = socket.recv(&mut room) {
            if send.send(String::from_utf8(room[..len].to_vec()).unwrap()).is_err() {
                return;
            }
        }
    });
    notices
}

fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

#[test]
fn run_loads_notifies_readiness_and_flushes_on_sigterm() {
    let bench = Bench::with_model();
    bench.method("start", &bench.file("old", THREE)).expect(0);
    let file = bench.file("keys", &format!("{ONE}{TWO}"));
    let running = Running::start(&bench, &file, &[]);
    let notice = running.wait_for("READY=1");
    assert!(notice.contains(&format!("STATUS=online: 2 SAs from {}\n", file.display())), "{notice}");
    assert_eq!(bench.spis(), [0x1001, 0x1002]);
    running.signal(Signal::SIGTERM);
    running.wait_for("STOPPING=1");
    let (exit, log) = running.end();
    assert_eq!(exit, 0);
    assert!(log.ends_with("<6>disabled: all SAs are flushed\n"), "{log}");
    assert!(bench.spis().is_empty());
    assert!(!bench.path("run/refresh").exists());
}

#[test]
fn refresh_is_done_by_the_daemon_and_prints_its_reply() {
    let bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    let running = Running::ready(&bench, &file, &[]);
    bench.file("keys", THREE);
    let run = running.refresh().expect(0);
    assert_eq!(run.stdout, format!("online: 1 SA from {}\n", file.display()));
    assert_eq!(bench.spis(), [0x1003]);
    let notice = running.wait_for("RELOADING=1");
    assert!(notice.lines().any(|line| line.starts_with("MONOTONIC_USEC=")), "{notice}");
    running.wait_for("READY=1");
}

#[test]
fn run_refreshes_on_sighup() {
    let bench = Bench::with_model();
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    bench.file("keys", TWO);
    running.signal(Signal::SIGHUP);
    running.wait_for("RELOADING=1");
    running.wait_for("READY=1");
    assert_eq!(bench.spis(), [0x1002]);
}

#[test]
fn run_exits_if_a_refresh_finds_errors() {
    let bench = Bench::with_model();
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    let file = bench.file("keys", FIVE_MISTAKES);
    let run = running.refresh().expect(78).tells_nothing_of(FIVE_MISTAKES);
    let expected = format!("maintenance: {}: errors in 5 of 6 commands, lines 2, 3, 4, 5, 6", file.display());
    assert!(run.stderr.starts_with(&format!("manual-key: {expected}")), "{}", run.stderr);
    running.wait_for("RELOADING=1");
    let notice = running.wait_for("STOPPING=1");
    assert!(notice.contains(&format!("STATUS={expected}")), "{notice}");
    let (exit, log) = running.end();
    assert_eq!(exit, 78);
    assert!(log.contains(&format!(" -c {}\n", file.display())), "{log}");
    Run { exit: Some(exit), stdout: log, stderr: notice }.tells_nothing_of(FIVE_MISTAKES);
    assert!(bench.spis().is_empty());
}

#[test]
fn run_with_an_invalid_file_is_never_ready() {
    let bench = Bench::with_model();
    let running = Running::start(&bench, &bench.file("keys", "bogus\n"), &[]);
    let notice = running.wait_for("STOPPING=1");
    assert!(notice.contains("STATUS=maintenance: "), "{notice}");
    assert_eq!(running.end().0, 78);
}

#[test]
fn refresh_reads_the_changed_configuration() {
    let bench = Bench::with_model();
    let config = bench.file("manual-key.toml", "");
    let running = Running::ready(&bench, &bench.file("keys", ONE), &["--config", config.to_str().unwrap()]);
    bench.file("manual-key.toml", "refresh = \"check-first\"\n");
    bench.file("keys", "bogus\n");
    let run = running.refresh().expect(78);
    assert!(run.stderr.contains("the SAs in use are unchanged"), "{}", run.stderr);
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn run_serves_concurrent_refreshes() {
    let bench = Bench::with_model();
    let running = Running::ready(&bench, &bench.file("keys", &format!("{ONE}{TWO}")), &[]);
    let before = descriptors(running.child.id());
    scope(|side| {
        let runs: Vec<_> = (0..20).map(|_| side.spawn(|| bench.run_bare(&["refresh"]))).collect();
        runs.into_iter().for_each(|run| drop(run.join().unwrap().expect(0)));
    });
    assert_eq!(running.log().matches("online: 2 SAs").count(), 21, "{}", running.log());
    assert_eq!(bench.spis(), [0x1001, 0x1002]);
    let deadline = Instant::now() + LONG;
    while descriptors(running.child.id()) > before {
        assert!(Instant::now() < deadline, "descriptors stay open");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn run_replies_to_all_waiting_refreshes_on_failure() {
    let bench = Bench::with_model();
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    let missing = bench.path("keys");
    fs::remove_file(&missing).unwrap();
    // The first refresh makes the daemon exit; the others are in its queue, or find no daemon and fail with the same file.
    let by_hand = ["refresh", "--sadb", "model", "--config-file", missing.to_str().unwrap()];
    scope(|side| {
        let runs: Vec<_> = (0..4).map(|_| side.spawn(|| bench.run_bare(&["refresh"]))).collect();
        let failed = runs.into_iter().map(|run| run.join().unwrap().exit.unwrap()).collect::<Vec<_>>();
        assert!(failed.contains(&78) && !failed.contains(&0), "{failed:?}");
    });
    bench.run_bare(&by_hand).expect(78);
    assert_eq!(running.end().0, 78);
}

#[test]
fn run_logs_expired_lifetimes() {
    let bench = Bench::with_model();
    let soft = ONE.replace('\n', " soft_addtime 1 hard_addtime 900\n");
    let hard = TWO.replace('\n', " hard_addtime 1\n");
    let running = Running::ready(&bench, &bench.file("keys", &format!("{soft}{hard}")), &[]);
    running.wait_for_log("<4>the soft lifetime of the ESP SA with SPI 0x1001 to 192.0.2.2 has expired");
    running.wait_for_log("<3>the hard lifetime of the AH SA with SPI 0x1002 to 192.0.2.2 has expired: it is removed");
}

/// illumos reports an idle SA at each pass of its ager, every 8 seconds. Of two passes the second one is that of the hard lifetime.
#[test]
fn run_logs_an_idle_sa_once() {
    let bench = Bench::with_model();
    let idle = TWO.replace('\n', " idle_addtime 1\n");
    let hard = ONE.replace('\n', " hard_addtime 9\n");
    let running = Running::ready(&bench, &bench.file("keys", &format!("{idle}{hard}")), &[]);
    running.wait_for_log("the hard lifetime of the ESP SA with SPI 0x1001 to 192.0.2.2 has expired");
    let log = running.log();
    assert_eq!(log.matches("the idle lifetime of the AH SA with SPI 0x1002 to 192.0.2.2 has expired").count(), 1, "{log}");
}

#[test]
fn run_pings_the_watchdog() {
    let mut bench = Bench::with_model();
    bench.set("WATCHDOG_USEC", "200000");
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    (0..3).for_each(|_| drop(running.wait_for("WATCHDOG=1")));
}

#[test]
fn run_exits_without_its_sadb() {
    let mut bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    let mut model = bench.take_model();
    let running = Running::ready(&bench, &file, &[]);
    model.kill().unwrap();
    model.wait().unwrap();
    assert_eq!(running.end().0, 69);
}

#[test]
fn run_refuses_a_second_daemon_in_one_directory() {
    let bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    let running = Running::ready(&bench, &file, &[]);
    let run = bench.method("run", &file).expect(1);
    assert!(run.stderr.contains("another program listens there"), "{}", run.stderr);
    running.refresh().expect(0);
}

#[test]
fn run_replaces_the_socket_of_a_killed_daemon() {
    let bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    let mut running = Running::ready(&bench, &file, &[]);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    drop(running);
    assert!(bench.path("run/refresh").exists());
    Running::ready(&bench, &file, &[]).refresh().expect(0);
}

#[test]
fn refresh_without_a_daemon_loads_the_file() {
    let mut bench = Bench::with_model();
    let spec = bench.spec();
    let config = bench.file("manual-key.toml", &format!("config_file = {:?}\n", bench.file("keys", ONE)));
    let run = bench.set("IPSECKEY_SADB", &spec).run_bare(&["refresh", "--config", config.to_str().unwrap()]).expect(0);
    assert!(run.stdout.contains("online: 1 SA"), "{}", run.stdout);
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn refresh_without_permission_for_the_socket_exits_77() {
    use std::os::unix::fs::PermissionsExt;
    if is_root() {
        let _ = writeln!(std::io::stderr(), "skipped: root may use every socket");
        return;
    }
    let bench = Bench::with_model();
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    fs::set_permissions(bench.path("run/refresh"), fs::Permissions::from_mode(0o000)).unwrap();
    running.refresh().expect(77);
}
