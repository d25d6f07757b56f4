//! The state of the SADB after a fault during a load, and that the next load corrects it. docs/behaviour.md, "After a fault",
//! describes what these tests check.

#[path = "../support/packet_socket.rs"]
#[allow(dead_code, reason = "each test program uses its own part of it")]
mod packet_socket;
mod reconcile;
mod standin;
#[cfg(target_os = "linux")]
mod steps;

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use standin::{Plan, StandIn};

/// SAs in a file.
const COUNT: u32 = 5;
/// Messages of a load by the service: a flush and the additions.
const MESSAGES: usize = 1 + COUNT as usize;
/// EEXIST of illumos.
const EEXIST: u8 = 17;
/// SADB_ADD.
const ADD: u8 = 3;
/// SADB_FLUSH.
const FLUSH: u8 = 9;

fn spis_from(first: u32) -> Vec<u32> {
    (first..first + COUNT).collect()
}

/// A private keys file: `head`, then SAs with SPIs from `first`.
fn keys_file(sadb: &StandIn, head: &str, first: u32) -> PathBuf {
    let add = |spi| {
        format!("add esp spi {spi} src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey {spi:08x}2d3c4b5a69788796a5b4c3d2\n")
    };
    let path = sadb.path(&format!("{}keys-{first:x}", head.trim_end()));
    fs::write(&path, head.to_owned() + &spis_from(first).into_iter().map(add).collect::<String>()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

fn program(path: &str, sadb: &StandIn, arguments: &[&str]) -> Command {
    let mut command = Command::new(path);
    command.env_clear().env("RUNTIME_DIRECTORY", sadb.path("run"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `manual-key METHOD` with a file of SPIs from `first`.
fn manual_key(sadb: &StandIn, method: &str, first: u32) -> Command {
    let file = keys_file(sadb, "", first);
    let arguments = [method, "--sadb", &sadb.spec(), "--config-file", file.to_str().unwrap()];
    program(env!("CARGO_BIN_EXE_manual-key"), sadb, &arguments)
}

/// `ipseckey -f` with a file that flushes and then adds SPIs from `first`.
fn ipseckey(sadb: &StandIn, first: u32) -> Command {
    let file = keys_file(sadb, "flush\n", first);
    program(env!("CARGO_BIN_EXE_ipseckey"), sadb, &["--sadb", &sadb.spec(), "-n", "-f", file.to_str().unwrap()])
}

#[track_caller]
fn expect(mut command: Command, code: i32) -> Output {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{printed}\n{}", String::from_utf8_lossy(&output.stdout));
    output
}

/// An SADB with the SAs of an earlier load.
fn loaded() -> StandIn {
    let sadb = StandIn::start();
    expect(manual_key(&sadb, "start", 0x1000), 0);
    sadb
}

/// Whether the long form is enabled (`FAULTS_SLOW`).
fn is_long_form() -> bool {
    std::env::var_os("FAULTS_SLOW").is_some()
}

/// Prints how much a test has tried (visible with `--nocapture`).
fn report(count: usize, what: &str) {
    let _ = writeln!(std::io::stderr(), "{count} {what}");
}

/// The next refresh after any fault leads to the desired state.
#[track_caller]
fn expect_recovery(sadb: &StandIn) {
    sadb.plan(Plan::Obey);
    expect(manual_key(sadb, "refresh", 0x3000), 0);
    assert_eq!(sadb.spis(), spis_from(0x3000));
}

/// The SAs of the new file after the first `messages` messages of its load.
fn made_by(messages: usize) -> Vec<u32> {
    spis_from(0x2000).into_iter().take(messages.saturating_sub(1)).collect()
}

#[test]
fn refresh_with_refused_flush_changes_nothing() {
    let sadb = loaded();
    sadb.plan(Plan::Refuse(1, EEXIST));
    expect(manual_key(&sadb, "refresh", 0x2000), 1);
    assert_eq!(sadb.spis(), spis_from(0x1000));
    expect_recovery(&sadb);
    report(1, "flush refused");
}

#[test]
fn load_with_refused_add_skips_only_that_sa() {
    let sadb = loaded();
    for nth in 2..=MESSAGES {
        for load in [manual_key(&sadb, "refresh", 0x2000), ipseckey(&sadb, 0x2000)] {
            sadb.plan(Plan::Refuse(nth, EEXIST));
            expect(load, 1);
            let mut others = spis_from(0x2000);
            others.remove(nth - 2);
            assert_eq!(sadb.spis(), others);
        }
        expect_recovery(&sadb);
    }
    report(2 * (MESSAGES - 1), "additions refused");
}

#[test]
fn refresh_after_sadb_loss_keeps_acknowledged_sas() {
    let sadb = loaded();
    for nth in 1..=MESSAGES {
        let before = if nth == 1 { sadb.spis() } else { made_by(nth - 1) };
        sadb.plan(Plan::Die(nth));
        expect(manual_key(&sadb, "refresh", 0x2000), 69);
        assert_eq!(sadb.spis(), before, "message {nth}");
        expect_recovery(&sadb);
    }
    report(MESSAGES, "deaths of the SADB");
}

#[test]
fn load_ignores_replies_to_other_processes() {
    let sadb = loaded();
    for load in [manual_key(&sadb, "refresh", 0x2000), ipseckey(&sadb, 0x2000)] {
        sadb.plan(Plan::Foreign);
        expect(load, 0);
        assert_eq!(sadb.spis(), spis_from(0x2000));
    }
    report(2 * 2 * MESSAGES, "replies to other processes");
}

/// Takes ten seconds, the timeout for a reply of the SADB.
#[test]
fn refresh_times_out_without_a_reply() {
    if !has_time() {
        return;
    }
    let sadb = loaded();
    sadb.plan(Plan::Swallow(3));
    let started = Instant::now();
    let load = manual_key(&sadb, "refresh", 0x2000).spawn().unwrap();
    let reported = in_time(load, Duration::from_secs(20)).expect("it waits for a reply forever");
    assert_eq!(reported.status.code(), Some(69), "{}", String::from_utf8_lossy(&reported.stderr));
    assert!((9..20).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    assert!(String::from_utf8_lossy(&reported.stderr).contains("10 seconds"));
    assert_eq!(sadb.spis(), made_by(3));
    expect_recovery(&sadb);
    report(1, "lost reply");
}

/// The exit status of a program; `None` if it does not end and has to be killed.
fn in_time(mut child: Child, most: Duration) -> Option<Output> {
    let deadline = Instant::now() + most;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        sleep(Duration::from_millis(20));
    }
    Some(child.wait_with_output().unwrap())
}

/// Whether tests that only wait are enabled.
fn has_time() -> bool {
    let has_time = is_long_form();
    if !has_time {
        let _ = writeln!(std::io::stderr(), "skipped: FAULTS_SLOW is not set");
    }
    has_time
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
}

#[test]
fn refresh_signalled_at_any_message_leaves_a_prefix_of_the_file() {
    let sadb = loaded();
    let (signals, at) = ([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGKILL], [1, 2, MESSAGES - 1, MESSAGES]);
    for signal in signals {
        for nth in at {
            sadb.plan(Plan::Slow(Duration::from_millis(15)));
            let child = manual_key(&sadb, "refresh", 0x2000).spawn().unwrap();
            sadb.wait_until_received(nth);
            send(&child, signal);
            child.wait_with_output().unwrap();
            let received = sadb.received().len();
            let left = sadb.spis();
            assert!((nth..=MESSAGES).contains(&received), "{received} messages");
            assert_eq!(left, made_by(received), "{signal} at message {nth} of {received}");
            expect_recovery(&sadb);
        }
    }
    report(signals.len() * at.len(), "signals at messages of a load");
}

/// The parts of `received` by client, in order.
fn turns(received: &[(usize, u8)]) -> Vec<Vec<u8>> {
    received.chunk_by(|one, other| one.0 == other.0).map(|turn| turn.iter().map(|(_, kind)| *kind).collect()).collect()
}

#[test]
fn load_lock_serializes_concurrent_loads() {
    let sadb = StandIn::start();
    for round in 0..3 {
        let firsts = [0x2000, 0x3000, 0x4000, 0x5000];
        sadb.plan(Plan::Slow(Duration::from_millis(3)));
        let mut loads: Vec<Command> = firsts[..3].iter().map(|first| manual_key(&sadb, "refresh", *first)).collect();
        loads.push(ipseckey(&sadb, firsts[3]));
        let children: Vec<Child> = loads.into_iter().map(|mut load| load.spawn().unwrap()).collect();
        for child in children {
            assert!(child.wait_with_output().unwrap().status.success());
        }
        let whole = [&[FLUSH][..], &[ADD; COUNT as usize]].concat();
        assert_eq!(turns(&sadb.received()), vec![whole; 4], "round {round}");
        let left = sadb.spis();
        assert!(firsts.iter().any(|first| left == spis_from(*first)), "{left:x?}");
    }
    report(3 * 4, "concurrent loads");
}

#[test]
fn load_lock_is_released_when_its_holder_is_killed() {
    let sadb = loaded();
    sadb.plan(Plan::Slow(Duration::from_millis(50)));
    let mut hung = manual_key(&sadb, "refresh", 0x2000).spawn().unwrap();
    sadb.wait_until_received(2);
    send(&hung, Signal::SIGKILL);
    hung.wait().unwrap();
    let started = Instant::now();
    expect_recovery(&sadb);
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Takes fifteen seconds, the timeout for the load lock.
#[test]
fn load_lock_times_out_after_15_seconds() {
    if !has_time() {
        return;
    }
    let sadb = loaded();
    let file = OpenOptions::new().mode(0o600).write(true).create(true).truncate(false).open(sadb.path("sadb.lock")).unwrap();
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
    let mut waiting = ipseckey(&sadb, 0x2000).spawn().unwrap();
    let reported = expect(manual_key(&sadb, "refresh", 0x2000), 1);
    assert!(String::from_utf8_lossy(&reported.stderr).contains("waiting for the load lock"));
    assert_eq!(waiting.wait().unwrap().code(), Some(1));
    assert_eq!(sadb.spis(), spis_from(0x1000));
    drop(held);
    expect_recovery(&sadb);
}
