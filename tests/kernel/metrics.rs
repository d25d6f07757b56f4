//! Metrics of a real kernel: the reference parser and promtool accept them, and in each broken state the alert rules of
//! examples/monitoring fire. tests/monitoring/alerts compares.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::guard::Guard;
use crate::hosts::Hosts;
use crate::traffic::Protection;

const ALERTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/monitoring/alerts");

/// A service whose metrics are compared over time.
struct Monitored<'a> {
    hosts: &'a Hosts,
    service: Guard<'a>,
}

impl Monitored<'_> {
    fn status(&self, option: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
        command.args(["status", option]).env("RUNTIME_DIRECTORY", self.service.path("run"));
        self.hosts.here.run(command).succeeded()
    }

    /// The metrics, in a file.
    fn snapshot(&self, name: &str) -> PathBuf {
        let path = PathBuf::from(self.service.path(name));
        fs::write(&path, self.status("--openmetrics")).expect("writes");
        path
    }

    /// Exactly `alerts` fire after `work`.
    #[track_caller]
    fn expect(&self, alerts: &[&str], work: impl FnOnce()) {
        let before = self.snapshot("before");
        work();
        let after = self.snapshot("after");
        let output = Command::new(ALERTS).args([&before, &after]).args(alerts).output().expect("runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{alerts:?}: {}{text}", String::from_utf8_lossy(&output.stdout));
    }

    fn ping(&self) -> bool {
        self.hosts.ping([10, 0, 0, 2].into())
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn alert_rules_fire_in_broken_states_only() {
    let hosts = Hosts::new();
    let keys = Protection::ESP.keys();
    let service = Guard::new(&hosts.here, &keys, "refresh = \"reconcile\"");
    let monitored = Monitored { hosts: &hosts, service };
    let here = &monitored.service;
    here.run("start").succeeded();

    // The peer has no SA.
    monitored.expect(&["IpsecNothingBack"], || assert!(!monitored.ping()));
    let there = Guard::new(&hosts.there, &keys, "");
    there.run("start").succeeded();
    monitored.expect(&[], || assert!(monitored.ping()));

    monitored.expect(&["IpsecKeysFileChanged"], || here.write(&format!("# changed\n{keys}")));
    here.write(&keys);
    monitored.expect(&["IpsecNotOnline", "IpsecUnprotected"], || drop(hosts.here.ip("xfrm policy flush")));
    here.run("refresh").succeeded();
    monitored.expect(&["IpsecMissingSas", "IpsecNotOnline", "IpsecOneDirection", "IpsecPacketsDropped"], || {
        hosts.here.ip("xfrm state delete src 10.0.0.2 dst 10.0.0.1 proto esp spi 0x2000");
        assert!(!monitored.ping());
    });
    here.run("refresh").succeeded();

    there.write(&keys.replace("2acebd65", "2acebd66"));
    there.run("refresh").succeeded();
    // A ping of the peer arrives with another ICV. The inbound SA is new, and has received nothing.
    let mut ping = Command::new("ping");
    ping.args(["-n", "-c", "2", "-i", "0.2", "-W", "1", "10.0.0.1"]);
    monitored.expect(&["IpsecAuthenticationFailures", "IpsecNothingBack", "IpsecPacketsDropped"], || {
        assert_ne!(hosts.there.run(ping).status, 0);
    });

    there.write(&keys);
    there.run("refresh").succeeded();
    here.write(&keys.replace("replay 32", "replay 32 hard_addtime 3600"));
    here.run("refresh").succeeded();
    monitored.expect(&["IpsecExpiring"], || assert!(monitored.ping()));
    monitored.expect(&["IpsecNotOnline"], || drop(here.run("stop").succeeded()));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn metrics_pass_the_checks_of_promtool_and_hold_no_key() {
    let hosts = Hosts::new();
    let service = Guard::new(&hosts.here, &Protection::ESP.keys(), "");
    service.run("start").succeeded();
    let monitored = Monitored { hosts: &hosts, service };
    let shown = hosts.here.ipseckey("show --prometheus").succeeded();
    for text in [monitored.status("--prometheus"), shown] {
        assert!(text.contains("ipsec_sa_packets_total{peer=\"10.0.0.2\"") && !text.contains("2acebd65"), "{text}");
        let mut promtool = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).spawn().expect("runs");
        std::io::Write::write_all(&mut promtool.stdin.take().expect("a pipe"), text.as_bytes()).expect("reads");
        assert!(promtool.wait().expect("ends").success());
    }
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/monitoring/alerts.yml");
    assert!(Command::new("promtool").args(["check", "rules", rules]).status().expect("runs").success());
}
