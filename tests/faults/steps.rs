//! Signals at every step of a load: the program is traced, and receives a signal at each system call in turn.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::packet_socket::PacketSocket;
use super::standin::{Plan, StandIn};
use super::{MESSAGES, expect, is_long_form, keys_file, loaded, made_by, manual_key, program, report, spis_from};

/// Signals that another process may send.
const SIGNALS: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGKILL];

/// How a traced program ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It exited before the system call with that index.
    Exited(i32),
    /// By the signal.
    Struck,
}

/// The same command, which stops itself (SIGSTOP) before it executes the program.
fn stopped(command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", "kill -STOP $$; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    shell.envs(set).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    shell
}

/// Runs `command` until it enters system call number `step`, then sends `signal`. Without a signal, counts its calls.
fn strike(command: &Command, step: usize, signal: Option<Signal>) -> (End, usize) {
    let mut child = stopped(command).spawn().unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    assert!(matches!(waitpid(pid, Some(WaitPidFlag::WUNTRACED)), Ok(WaitStatus::Stopped(..))));
    let options = [Options::PTRACE_O_TRACESYSGOOD, Options::PTRACE_O_TRACEEXEC, Options::PTRACE_O_EXITKILL];
    ptrace::seize(pid, options.into_iter().collect()).unwrap();
    kill(pid, Signal::SIGCONT).unwrap();
    // Counts from the exec; each call stops twice, at entry and at exit.
    let (mut stops, mut has_begun) = (0, false);
    loop {
        let deliver = match waitpid(pid, None).unwrap() {
            WaitStatus::PtraceEvent(_, _, nix::libc::PTRACE_EVENT_EXEC) => {
                (stops, has_begun) = (0, true);
                None
            }
            WaitStatus::PtraceSyscall(_) => {
                stops += usize::from(has_begun);
                if let Some(signal) = signal.filter(|_| stops == 2 * step) {
                    kill(pid, signal).unwrap();
                }
                None
            }
            WaitStatus::Stopped(_, signal) => Some(signal),
            WaitStatus::PtraceEvent(..) => None,
            WaitStatus::Exited(_, code) => {
                drop(child.try_wait());
                return (End::Exited(code), stops / 2);
            }
            WaitStatus::Signaled(..) => return (End::Struck, stops / 2),
            other => panic!("{other:?}"),
        };
        // ESRCH: the signal has killed it.
        let _ = ptrace::syscall(pid, deliver.filter(|signal| !matches!(signal, Signal::SIGTRAP | Signal::SIGCONT)));
    }
}

/// The steps at which a signal is sent: all in the long form (`FAULTS_SLOW`), else a selection that differs for each signal.
fn steps(number: usize) -> impl Iterator<Item = usize> {
    let stride = if is_long_form() { 1 } else { 28 };
    (1 + number * stride / SIGNALS.len()..).step_by(stride)
}

/// The SADB has the old SAs, or those of a first part of the file.
#[track_caller]
fn expect_beginning(sadb: &StandIn, what: &str) {
    let left = sadb.spis();
    let is_beginning = (1..=MESSAGES).any(|messages| left == made_by(messages));
    assert!(is_beginning || left == spis_from(0x1000), "{what}: {left:x?}");
}

#[test]
fn refresh_signalled_at_any_system_call_leaves_old_or_prefix() {
    let sadb = loaded();
    let (mut strikes, mut found_old, mut found_new) = (0, false, false);
    for (number, signal) in SIGNALS.into_iter().enumerate() {
        for step in steps(number) {
            let load = manual_key(&sadb, "refresh", 0x2000);
            let (end, count) = strike(&load, step, Some(signal));
            let what = format!("{signal} at step {step}");
            if end != End::Struck {
                assert!(end == End::Exited(0) && count > 50, "{what}: {end:?} after {count} steps");
                break;
            }
            strikes += 1;
            expect_beginning(&sadb, &what);
            (found_old, found_new) =
                (found_old || sadb.spis() == spis_from(0x1000), found_new || sadb.spis() == spis_from(0x2000));
            expect(manual_key(&sadb, "refresh", 0x1000), 0);
            assert_eq!(sadb.spis(), spis_from(0x1000), "{what}: the next refresh");
        }
    }
    assert!(strikes > 15 && found_old && found_new, "{strikes} strikes, old {found_old}, new {found_new}");
    report(strikes, "signals at steps of a refresh");
}

/// The file has no name until it is complete. SIGKILL before the rename, which replaces the old file, is the only signal that leaves
/// another file: a complete one, as private as the target.
#[test]
fn save_killed_at_any_system_call_leaves_old_or_new_file() {
    let sadb = loaded();
    let directory = sadb.path("there");
    fs::create_dir(&directory).unwrap();
    let target = directory.join("saved");
    let save = || program(env!("CARGO_BIN_EXE_ipseckey"), &sadb, &["--sadb", &sadb.spec(), "-s", target.to_str().unwrap()]);
    expect(save(), 0);
    let whole = fs::read_to_string(&target).unwrap();
    assert_eq!(whole.matches("\nadd esp").count(), 5);
    let (mut strikes, mut found_old, mut found_new, mut left_over) = (0, false, false, 0);
    for (number, signal) in SIGNALS.into_iter().enumerate() {
        // Few calls follow the rename.
        for step in (1 + number % 3..).step_by(if is_long_form() { 1 } else { 3 }) {
            fs::remove_file(&target).unwrap();
            fs::write(&target, "old\n").unwrap();
            let (end, _) = strike(&save(), step, Some(signal));
            if end != End::Struck {
                break;
            }
            strikes += 1;
            let left = fs::read_to_string(&target).unwrap();
            assert!(left == "old\n" || left == whole, "{signal} at step {step}: {left}");
            (found_old, found_new) = (found_old || left == "old\n", found_new || left == whole);
            for entry in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap()).filter(|entry| entry.path() != target)
            {
                assert_eq!(signal, Signal::SIGKILL, "step {step} leaves {:?}", entry.file_name());
                assert_eq!(fs::read_to_string(entry.path()).unwrap(), whole, "step {step}");
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o7777, 0o400, "step {step}");
                left_over += 1;
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
    assert!(strikes > 80 && found_old && found_new, "{strikes} strikes, old {found_old}, new {found_new}");
    // The rename, and calls for memory before it.
    assert!(left_over <= 3, "{left_over} steps leave a file");
    report(strikes, "signals at steps of a save");
}

/// Without an old file the new one gets its name in one call: no signal leaves any other file.
#[test]
fn save_of_a_new_file_killed_at_any_system_call_leaves_that_file_or_none() {
    let sadb = loaded();
    let directory = sadb.path("there");
    fs::create_dir(&directory).unwrap();
    let target = directory.join("saved");
    let save = || program(env!("CARGO_BIN_EXE_ipseckey"), &sadb, &["--sadb", &sadb.spec(), "-s", target.to_str().unwrap()]);
    let (mut found_none, mut found_new) = (false, false);
    for step in (1..).step_by(if is_long_form() { 1 } else { 2 }) {
        let (end, _) = strike(&save(), step, Some(Signal::SIGKILL));
        let names: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        if end != End::Struck {
            break;
        }
        assert!(names.is_empty() || names == [&*target], "step {step}: {names:?}");
        (found_none, found_new) = (found_none || names.is_empty(), found_new || !names.is_empty());
        let _ = fs::remove_file(&target);
    }
    assert!(found_none && found_new, "none {found_none}, new {found_new}");
}

/// The SADB has exactly the SAs with these SPIs within 20 seconds.
#[track_caller]
fn expect_soon(sadb: &StandIn, spis: &[u32], what: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while sadb.spis() != spis {
        assert!(Instant::now() < deadline, "{what}: {:x?}", sadb.spis());
        sleep(Duration::from_millis(5));
    }
}

/// A running service with SAs from 0x1000, and a new file with SAs from 0x2000.
fn service(sadb: &StandIn) -> Child {
    let file = keys_file(sadb, "", 0x1000);
    let child = manual_key(sadb, "run", 0x1000).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    // The file of the socket exists shortly before the service listens on it.
    while PacketSocket::connect(&sadb.path("run/refresh")).is_err() || sadb.spis() != spis_from(0x1000) {
        assert!(Instant::now() < deadline, "it does not start");
        sleep(Duration::from_millis(5));
    }
    // Its reply arrives after the first load.
    expect(program(env!("CARGO_BIN_EXE_manual-key"), sadb, &["refresh"]), 0);
    fs::rename(keys_file(sadb, "", 0x2000), file).unwrap();
    sadb.plan(Plan::Obey);
    child
}

/// Requests a refresh, and signals the service when its working thread enters system call number `step`; returns whether it did.
fn strike_service(sadb: &StandIn, child: &Child, step: usize, signal: Signal) -> bool {
    let pid = Pid::from_raw(child.id().cast_signed());
    ptrace::seize(pid, Options::PTRACE_O_TRACESYSGOOD).unwrap();
    ptrace::interrupt(pid).unwrap();
    let mut stops = 0;
    let mut last = Instant::now();
    kill(pid, Signal::SIGHUP).unwrap();
    while stops < 2 * step {
        match waitpid(pid, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)).unwrap() {
            WaitStatus::StillAlive if sadb.received().len() >= MESSAGES && last.elapsed() > Duration::from_millis(250) => {
                break;
            }
            WaitStatus::StillAlive => {
                sleep(Duration::from_micros(50));
                continue;
            }
            WaitStatus::PtraceSyscall(_) => stops += 1,
            _ => {}
        }
        last = Instant::now();
        if stops < 2 * step {
            ptrace::syscall(pid, None).unwrap();
        }
    }
    let is_struck = stops >= 2 * step;
    if !is_struck {
        // The thread blocks in a call; it must stop before the tracer can detach.
        ptrace::interrupt(pid).unwrap();
        waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap();
    }
    kill(pid, signal).unwrap();
    // ESRCH: the signal has killed it.
    let _ = ptrace::detach(pid, None);
    is_struck
}

/// The exit code; `None` if a signal ended it.
fn end(mut child: Child) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(Instant::now() < deadline, "it does not end");
        sleep(Duration::from_millis(5));
    }
}

/// A service completes a load before it handles a signal; only SIGKILL leaves it incomplete.
#[test]
fn run_signalled_at_any_system_call_of_refresh() {
    if !nix::unistd::geteuid().is_root() {
        let _ = writeln!(std::io::stderr(), "skipped: only root can trace a service");
        return;
    }
    let mut strikes = 0;
    for (number, signal) in SIGNALS.into_iter().enumerate() {
        for step in steps(number) {
            let sadb = loaded();
            let child = service(&sadb);
            let process = child.id();
            let is_last = !strike_service(&sadb, &child, step, signal);
            let what = format!("{signal} at step {step}");
            strikes += 1;
            match signal {
                Signal::SIGKILL => {
                    assert_eq!(end(child), None, "{what}");
                    expect_beginning(&sadb, &what);
                    expect(manual_key(&sadb, "refresh", 0x3000), 0);
                    assert_eq!(sadb.spis(), spis_from(0x3000), "{what}: the next refresh");
                }
                Signal::SIGHUP => {
                    expect(program(env!("CARGO_BIN_EXE_manual-key"), &sadb, &["refresh"]), 0);
                    // The load of the second SIGHUP may come after the load of the request.
                    expect_soon(&sadb, &spis_from(0x2000), &what);
                    kill(Pid::from_raw(process.cast_signed()), Signal::SIGTERM).unwrap();
                    assert_eq!(end(child), Some(0), "{what}");
                }
                _ => {
                    assert_eq!(end(child), Some(0), "{what}");
                    assert!(sadb.spis().is_empty(), "{what}: {:x?}", sadb.spis());
                }
            }
            if is_last {
                break;
            }
        }
    }
    assert!(strikes > 8, "{strikes} strikes");
    report(strikes, "signals at steps of a service's refresh");
}
