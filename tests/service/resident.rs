//! `manual-key run` from outside: what it tells systemd, how it refreshes, how it ends.

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

/// A service that runs, with a stand-in for systemd that hears what it tells.
pub(crate) struct Running<'a> {
    bench: &'a Bench,
    pub(crate) child: Child,
    /// Read by a thread of its own: a full socket would hold the service up.
    notices: Receiver<String>,
}

impl<'a> Running<'a> {
    /// Starts it with `options` on the bench's SADB, and `file` as its keys file.
    fn start(bench: &'a Bench, file: &Path, options: &[&str]) -> Self {
        let socket = bench.path("notify");
        let _ = fs::remove_file(&socket);
        let notices = read_all(UnixDatagram::bind(&socket).unwrap());
        let (spec, file) = (bench.spec(), file.to_str().unwrap());
        let arguments = [&["run", "--sadb", &spec, "--config-file", file], options].concat();
        let child = bench.unit(&arguments).env("NOTIFY_SOCKET", &socket).stdout(Stdio::null()).spawn().unwrap();
        Self { bench, child, notices }
    }

    /// The same, once it is ready.
    pub(crate) fn ready(bench: &'a Bench, file: &Path, options: &[&str]) -> Self {
        let running = Self::start(bench, file, options);
        running.hear("READY=1");
        running
    }

    /// The first notice from now on that has a line `wanted`, all of it.
    #[track_caller]
    fn hear(&self, wanted: &str) -> String {
        loop {
            let notice = self.notices.recv_timeout(LONG);
            let notice = notice.unwrap_or_else(|error| panic!("no {wanted}: {error}: {}", self.log()));
            if notice.lines().any(|line| line == wanted) {
                return notice;
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.bench.path("journal")).unwrap()
    }

    /// Waits until the log has `words`.
    #[track_caller]
    pub(crate) fn logs(&self, words: &str) {
        let deadline = Instant::now() + LONG;
        while !self.log().contains(words) {
            assert!(Instant::now() < deadline, "no {words:?} in {}", self.log());
            sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// `manual-key refresh` beside it.
    pub(crate) fn refresh(&self) -> Run {
        self.bench.run_bare(&["refresh"])
    }

    /// Its exit code, and everything it logged.
    #[track_caller]
    pub(crate) fn end(mut self) -> (i32, String) {
        let deadline = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.signal(), None, "{}", self.log());
                return (status.code().unwrap(), self.log());
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.log());
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
fn it_loads_tells_that_it_is_ready_and_flushes_at_the_end() {
    let bench = Bench::with_model();
    bench.method("start", &bench.file("old", THREE)).expect(0);
    let file = bench.file("keys", &format!("{ONE}{TWO}"));
    let running = Running::start(&bench, &file, &[]);
    let notice = running.hear("READY=1");
    assert!(notice.contains(&format!("STATUS=online: 2 SAs from {}\n", file.display())), "{notice}");
    assert_eq!(bench.spis(), [0x1001, 0x1002]);
    running.signal(Signal::SIGTERM);
    running.hear("STOPPING=1");
    let (exit, log) = running.end();
    assert_eq!(exit, 0);
    assert!(log.ends_with("<6>disabled: all SAs are flushed\n"), "{log}");
    assert!(bench.spis().is_empty());
    assert!(!bench.path("run/refresh").exists());
}

#[test]
fn a_refresh_is_done_by_the_service_and_told_to_who_asked() {
    let bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    let running = Running::ready(&bench, &file, &[]);
    bench.file("keys", THREE);
    let run = running.refresh().expect(0);
    assert_eq!(run.stdout, format!("online: 1 SA from {}\n", file.display()));
    assert_eq!(bench.spis(), [0x1003]);
    let notice = running.hear("RELOADING=1");
    assert!(notice.lines().any(|line| line.starts_with("MONOTONIC_USEC=")), "{notice}");
    running.hear("READY=1");
}

#[test]
fn a_hangup_refreshes_too() {
    let bench = Bench::with_model();
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    bench.file("keys", TWO);
    running.signal(Signal::SIGHUP);
    running.hear("RELOADING=1");
    running.hear("READY=1");
    assert_eq!(bench.spis(), [0x1002]);
}

#[test]
fn a_bad_file_ends_it_in_maintenance() {
    let bench = Bench::with_model();
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    let file = bench.file("keys", FIVE_MISTAKES);
    let run = running.refresh().expect(78).tells_nothing_of(FIVE_MISTAKES);
    let told = format!("maintenance: {}: errors in 5 of 6 commands, lines 2, 3, 4, 5, 6", file.display());
    assert!(run.stderr.starts_with(&format!("manual-key: {told}")), "{}", run.stderr);
    running.hear("RELOADING=1");
    let notice = running.hear("STOPPING=1");
    assert!(notice.contains(&format!("STATUS={told}")), "{notice}");
    let (exit, log) = running.end();
    assert_eq!(exit, 78);
    assert!(log.contains(&format!("ipseckey -c {}\n", file.display())), "{log}");
    Run { exit: Some(exit), stdout: log, stderr: notice }.tells_nothing_of(FIVE_MISTAKES);
    assert!(bench.spis().is_empty());
}

#[test]
fn a_bad_file_at_the_start_is_never_ready() {
    let bench = Bench::with_model();
    let running = Running::start(&bench, &bench.file("keys", "bogus\n"), &[]);
    let notice = running.hear("STOPPING=1");
    assert!(notice.contains("STATUS=maintenance: "), "{notice}");
    assert_eq!(running.end().0, 78);
}

#[test]
fn properties_changed_meanwhile_count_at_the_next_refresh() {
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
fn refreshes_side_by_side_are_all_served() {
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
fn everybody_who_waits_hears_of_a_failure() {
    let bench = Bench::with_model();
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    let missing = bench.path("keys");
    fs::remove_file(&missing).unwrap();
    // The first one ends the service; the others wait in the queue, or find nobody and fail at the same file themselves.
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
fn lifetimes_that_run_out_are_logged() {
    let bench = Bench::with_model();
    let soft = ONE.replace('\n', " soft_addtime 1 hard_addtime 900\n");
    let hard = TWO.replace('\n', " hard_addtime 1\n");
    let running = Running::ready(&bench, &bench.file("keys", &format!("{soft}{hard}")), &[]);
    running.logs("<4>the soft lifetime of the ESP SA with SPI 0x1001 to 192.0.2.2 has expired");
    running.logs("<3>the hard lifetime of the AH SA with SPI 0x1002 to 192.0.2.2 has expired: it is removed");
}

#[test]
fn the_watchdog_is_fed() {
    let mut bench = Bench::with_model();
    bench.set("WATCHDOG_USEC", "200000");
    let running = Running::ready(&bench, &bench.file("keys", ONE), &[]);
    (0..3).for_each(|_| drop(running.hear("WATCHDOG=1")));
}

#[test]
fn an_sadb_that_goes_away_ends_it() {
    let mut bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    let mut model = bench.take_model();
    let running = Running::ready(&bench, &file, &[]);
    model.kill().unwrap();
    model.wait().unwrap();
    assert_eq!(running.end().0, 69);
}

#[test]
fn a_second_service_in_the_same_place_is_refused() {
    let bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    let running = Running::ready(&bench, &file, &[]);
    let run = bench.method("run", &file).expect(1);
    assert!(run.stderr.contains("another program listens there"), "{}", run.stderr);
    running.refresh().expect(0);
}

#[test]
fn after_a_kill_a_new_one_takes_its_place() {
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
fn without_a_service_refresh_does_it_itself() {
    let mut bench = Bench::with_model();
    let spec = bench.spec();
    let config = bench.file("manual-key.toml", &format!("config_file = {:?}\n", bench.file("keys", ONE)));
    let run = bench.set("IPSECKEY_SADB", &spec).run_bare(&["refresh", "--config", config.to_str().unwrap()]).expect(0);
    assert!(run.stdout.contains("online: 1 SA"), "{}", run.stdout);
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn a_socket_that_may_not_be_used_is_a_matter_of_permission() {
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
