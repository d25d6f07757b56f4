//! `manual-key start --confirm`: kept after "yes", rolled back in every other case.

use std::io::Write;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::guard::Guard;
use crate::hosts::Hosts;
use crate::service::wait_until;
use crate::space::{Ran, Space, without_times};
use crate::traffic::Protection;

/// An SA of another program, which a load with `flush = "all"` removes.
const FOREIGN: &str = "xfrm state add src 10.0.0.1 dst 10.0.0.9 proto esp spi 0xc0ffee01 reqid 7 mode transport \
                       auth-trunc hmac(sha256) 0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 128 \
                       enc cbc(aes) 0x000102030405060708090a0b0c0d0e0f";

/// SAs and policies without times and sequence numbers, which continue.
fn everything(host: &Space) -> Vec<String> {
    let states = host.states().into_iter().map(|sa| without_times(&sa));
    let steady = |line: &&str| !["anti-replay", "lastused", "replay"].iter().any(|word| line.contains(word));
    let mut lines: Vec<String> = states.map(|sa| sa.lines().filter(steady).collect::<Vec<_>>().join("\n")).collect();
    lines.sort();
    lines.push(host.ip("xfrm policy list"));
    lines
}

/// Starts the load, and waits until the new file is in use.
fn start(host: &Space, service: &Guard<'_>, seconds: u32) -> Child {
    let mut command = service.command(&format!("start --confirm {seconds}"));
    let child = host.inside(move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")
    });
    wait_until(|| host.ip("xfrm state list").contains("0x00001111"));
    child
}

fn end(child: Child) -> Ran {
    let output = child.wait_with_output().expect("it ends");
    Ran::new("start --confirm".to_owned(), output)
}

struct Case<'a> {
    host: &'a Space,
    service: Guard<'a>,
    before: Vec<String>,
}

impl<'a> Case<'a> {
    /// A service that runs with one file, while another one is about to be loaded.
    fn new(host: &'a Space, settings: &str) -> Self {
        let service = Guard::new(host, &Protection::ESP.keys(), settings);
        service.run("start").succeeded();
        host.ip(FOREIGN);
        let before = everything(host);
        let wider = Protection::ESP.keys() + &Protection { is_ipv6: true, ..Protection::ESP }.keys();
        service.write(&wider.replacen("0x1000", "0x1111", 1));
        Self { host, service, before }
    }

    #[track_caller]
    fn expect_rolled_back(&self) {
        wait_until(|| everything(self.host) == self.before);
        let status = self.service.query("status");
        assert!(
            status.contains("SAs       2 owned, 1 foreign, 0 missing") && status.contains("; changed since"),
            "{status}"
        );
        assert!(status.starts_with("state     online since "), "{status}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn confirm_keeps_the_load_after_yes() {
    let hosts = Hosts::new();
    let case = Case::new(&hosts.here, "flush = \"owned\"");
    let mut child = start(&hosts.here, &case.service, 30);
    child.stdin.take().expect("a pipe").write_all(b"yes\n").expect("writes");
    let ran = end(child);
    assert!(ran.status == 0 && ran.err.contains("type yes and press Enter within 30 s"), "{ran:?}");
    assert!(ran.out.contains("confirmed: the new SAs and policies are kept"), "{ran:?}");
    thread::sleep(Duration::from_millis(1500));
    assert!(everything(&hosts.here) != case.before);
    let status = case.service.query("status");
    assert!(status.contains("SAs       4 owned, 1 foreign, 0 missing") && !status.contains("changed since"), "{status}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn confirm_rolls_back_in_every_other_case() {
    for settings in ["flush = \"owned\"", "flush = \"all\"", "flush = \"owned\"\nrefresh = \"reconcile\""] {
        let hosts = Hosts::new();
        let case = Case::new(&hosts.here, settings);
        // The time is over.
        let ran = end({
            let mut child = start(&hosts.here, &case.service, 1);
            let input = child.stdin.take();
            thread::sleep(Duration::from_millis(1300));
            drop(input);
            child
        });
        assert!(
            ran.status == 1 && ran.err.contains("not confirmed: the SAs and policies of before are restored"),
            "{ran:?}"
        );
        case.expect_rolled_back();
        // Another answer, and the end of the input.
        for answer in [&b"no\n"[..], b""] {
            let mut child = start(&hosts.here, &case.service, 30);
            child.stdin.take().expect("a pipe").write_all(answer).expect("writes");
            assert_eq!(end(child).status, 1);
            case.expect_rolled_back();
        }
        // The terminal is gone, or the program is killed: the time does not matter.
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
            let mut child = start(&hosts.here, &case.service, 60);
            let _input = child.stdin.take();
            kill(Pid::from_raw(child.id().cast_signed()), signal).expect("it runs");
            assert_eq!(end(child).status, -1, "{signal}");
            case.expect_rolled_back();
        }
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn confirm_rolls_back_a_load_that_fails() {
    let hosts = Hosts::new();
    let case = Case::new(&hosts.here, "");
    case.service.write("add epp spi 1 dst 10.0.0.2\n");
    let ran = case.service.run("start --confirm 60");
    assert!(ran.status == 1 && ran.err.contains("errors in 1 of 1 command") && !ran.err.contains("type yes"), "{ran:?}");
    case.expect_rolled_back();
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn confirm_is_refused_while_the_daemon_runs() {
    let hosts = Hosts::new();
    let service = Guard::new(&hosts.here, &Protection::ESP.keys(), "");
    let daemon = service.start_daemon();
    let before = everything(&hosts.here);
    let ran = service.run("refresh --confirm 5");
    assert!(ran.status == 1 && ran.err.contains("--confirm: manual-key run is running; stop it first"), "{ran:?}");
    assert_eq!(everything(&hosts.here), before);
    crate::guard::stop_daemon(daemon);
}
