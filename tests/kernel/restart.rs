//! A stop, a start, a restart, a refresh and a crash let no packet pass in the clear, with the properties that packages install;
//! `manual-key stop --open` does.

use std::process::{Child, Command};

use crate::capture::Capture;
use crate::guard::{Guard, stop_daemon};
use crate::hosts::Hosts;
use crate::traffic::Protection;

/// The file that packages install as /etc/inet/manual-key.toml.
const INSTALLED: &str = include_str!("../../systemd/manual-key.toml");
const COMMENTED: &str = "#refresh = \"reconcile\"";
/// How often each method runs.
const TIMES: usize = 20;

/// Its properties, and the same with the recommended line.
fn installed_properties() -> [String; 2] {
    assert!(INSTALLED.contains(COMMENTED), "the file has the line {COMMENTED}");
    [INSTALLED.to_owned(), INSTALLED.replace(COMMENTED, &COMMENTED[1..])]
}

/// Pings in both directions every 20 ms; ends when dropped.
struct Pings([Child; 2]);

impl Pings {
    fn start(hosts: &Hosts) -> Self {
        let (here, there) = Protection::ESP.outer();
        Self([(&hosts.here, there), (&hosts.there, here)].map(|(host, to)| {
            let mut command = Command::new("ping");
            command.args(["-n", "-q", "-i", "0.02", &to.to_string()]);
            host.spawn(command)
        }))
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        for ping in &mut self.0 {
            let _ = ping.kill();
            let _ = ping.wait();
        }
    }
}

/// Pings continue while `methods` runs [`TIMES`] times on each host; no packet is in the clear.
#[track_caller]
fn assert_nothing_in_the_clear(what: &str, properties: &str, methods: impl Fn(&Guard<'_>)) {
    assert_eq!(packets_in_the_clear(what, properties, methods), [""; 0], "{what}: packets in the clear");
}

/// The packets in the clear while pings continue and `methods` runs [`TIMES`] times on each host, which reach each other afterwards.
#[track_caller]
fn packets_in_the_clear(what: &str, properties: &str, methods: impl Fn(&Guard<'_>)) -> Vec<String> {
    let hosts = Hosts::new();
    let keys = Protection::ESP.keys();
    let guards = [&hosts.here, &hosts.there].map(|host| Guard::new(host, &keys, ""));
    for guard in &guards {
        guard.set_all(properties);
        guard.run("start").succeeded();
    }
    let capture = Capture::start(&hosts, "ip or ip6");
    let pings = Pings::start(&hosts);
    for _ in 0..TIMES {
        guards.iter().for_each(&methods);
    }
    assert!(hosts.ping(Protection::ESP.outer().1), "{what}: no reply at the end");
    drop(pings);
    let packets = capture.stop();
    let protected = packets.lines("ip proto 50").len();
    assert!(protected > TIMES, "{what}: {protected} packets of ESP");
    packets.lines(&Protection::ESP.in_clear())
}

/// That the capture would show it.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn stop_and_start_with_on_stop_open_leak() {
    let properties = INSTALLED.replace("#on_stop = \"closed\"", "on_stop = \"open\"");
    let packets = packets_in_the_clear("open", &properties, |guard| {
        guard.run("stop").succeeded();
        guard.run("start").succeeded();
    });
    assert!(packets.len() >= TIMES, "{packets:?}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn stop_and_start_leak_nothing() {
    for properties in installed_properties() {
        assert_nothing_in_the_clear("stop and start", &properties, |guard| {
            guard.run("stop").succeeded();
            guard.run("start").succeeded();
        });
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn refresh_leaks_nothing() {
    for properties in installed_properties() {
        assert_nothing_in_the_clear("refresh", &properties, |guard| drop(guard.run("refresh").succeeded()));
        assert_nothing_in_the_clear("refresh of the daemon", &properties, |guard| {
            let daemon = guard.start_daemon();
            guard.query("refresh");
            stop_daemon(daemon);
            guard.run("start").succeeded();
        });
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn restart_of_run_leaks_nothing() {
    for properties in installed_properties() {
        assert_nothing_in_the_clear("SIGTERM, and run again", &properties, |guard| {
            stop_daemon(guard.start_daemon());
            stop_daemon(guard.start_daemon());
            guard.run("start").succeeded();
        });
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn crash_of_run_leaks_nothing() {
    for properties in installed_properties() {
        assert_nothing_in_the_clear("kill -9, and run again", &properties, |guard| {
            let mut daemon = guard.start_daemon();
            daemon.kill().expect("kill -9");
            daemon.wait().expect("exits");
            let mut again = guard.start_daemon();
            again.kill().expect("kill -9");
            again.wait().expect("exits");
        });
    }
}

/// The number of policies of a host.
fn policies(hosts: &Hosts) -> usize {
    hosts.here.ip("xfrm policy list").matches("dir ").count()
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn stop_open_removes_policies_before_and_after_a_stop() {
    let hosts = Hosts::new();
    let (_, there) = Protection::ESP.outer();
    let service = Guard::new(&hosts.here, &Protection::ESP.keys(), "flush = \"owned\"\n");
    // A start, then either form of a stop, each with the text that tells what happens to packets.
    let open = "the policies are removed: their packets pass in the clear";
    let kept = "the policies remain: their packets are dropped; to let them pass in the clear: manual-key stop --open";
    service.run("start").succeeded();
    let stopped = service.run("stop").succeeded();
    assert!(stopped.contains(kept), "{stopped}");
    assert_eq!(policies(&hosts), 2);
    assert!(service.query("status").contains(kept));
    assert!(!hosts.ping(there), "closed");
    let stopped = service.run("stop --open").succeeded();
    assert!(stopped.contains(open), "{stopped}");
    assert_eq!(policies(&hosts), 0);
    assert!(hosts.ping(there), "open");
    let again = service.run("stop --open").succeeded();
    assert!(again.ends_with("disabled: the service's own SAs are flushed\n"), "{again}");

    service.run("start").succeeded();
    assert_eq!(policies(&hosts), 2);
    service.run("stop --open").succeeded();
    assert_eq!((policies(&hosts), hosts.here.states().len()), (0, 0));

    service.set("flush = \"owned\"\non_stop = \"open\"\n");
    service.run("start").succeeded();
    let stopped = service.run("stop").succeeded();
    assert!(stopped.contains(open), "{stopped}");
    assert_eq!(policies(&hosts), 0);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn stop_open_is_refused_while_run_keeps_the_policies() {
    let hosts = Hosts::new();
    let service = Guard::new(&hosts.here, &Protection::ESP.keys(), "flush = \"owned\"\n");
    let daemon = service.start_daemon();
    let refused = service.run("stop --open");
    let expected = "manual-key: --open: manual-key run is running and keeps its policies; stop it first: systemctl stop \
                    manual-key\n";
    assert_eq!((refused.status, refused.err.as_str()), (1, expected));
    assert_eq!((policies(&hosts), hosts.here.states().len()), (2, 2));
    stop_daemon(daemon);
    assert_eq!(policies(&hosts), 2, "SIGTERM keeps them");
    service.run("stop --open").succeeded();
    assert_eq!(policies(&hosts), 0);
}
