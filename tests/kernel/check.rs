//! `manual-key status --check`: each way in which traffic is not protected, and the remedy.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::capture::Capture;
use crate::guard::{Guard, stop_daemon};
use crate::hosts::Hosts;
use crate::service::wait_until;
use crate::space::{Ran, Space, private_file};
use crate::traffic::Protection;

/// A service whose status is asked for.
struct Checked<'a> {
    host: &'a Space,
    service: Guard<'a>,
}

impl<'a> Checked<'a> {
    /// Loads the keys file, with the remaining settings of manual-key.toml.
    fn started(host: &'a Space, keys: &str, settings: &str) -> Self {
        let checked = Self { host, service: Guard::new(host, keys, settings) };
        checked.service.run("start").succeeded();
        checked
    }

    fn from_sas(host: &'a Space) -> Self {
        let checked = Self::started(host, &Protection::ESP.keys(), "refresh = \"reconcile\"");
        checked.expect_good();
        checked
    }

    /// Replaces the settings, without `policy = "from-sas"`.
    fn set_all(&self, settings: &str) {
        let text = format!("config_file = \"{}\"\n{settings}\n", self.service.path("keys"));
        fs::write(self.service.path("toml"), text).expect("writes");
    }

    fn ask(&self, options: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
        command.args(["status", "--check"]).args(options.split_whitespace());
        command.env("RUNTIME_DIRECTORY", self.service.path("run"));
        self.host.run(command)
    }

    /// The line of `status --check`, whatever its exit status is.
    fn line(&self, options: &str) -> String {
        self.ask(options).out
    }

    /// The line of `status --check`, which must end with `status`.
    #[track_caller]
    fn check(&self, status: i32, options: &str) -> String {
        let ran = self.ask(options);
        assert_eq!(ran.status, status, "{ran:?}");
        assert_eq!(ran.out.lines().count(), 1, "{ran:?}");
        ran.out
    }

    #[track_caller]
    fn expect_good(&self) {
        let line = self.check(0, "");
        assert!(line.starts_with("OK: 2 SAs from "), "{line}");
    }

    #[track_caller]
    fn expect(&self, status: i32, start: &str) {
        let line = self.check(status, "");
        assert!(line.starts_with(start), "{line}");
    }

    #[track_caller]
    fn refresh(&self) {
        self.service.run("refresh").succeeded();
        self.expect_good();
    }
}

const UNPROTECTED: &str = "CRITICAL: no policy uses these 2 SAs: traffic to 10.0.0.2 is NOT protected";

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_finds_traffic_in_the_clear_with_the_default_settings() {
    let hosts = Hosts::new();
    let service = Guard::new(&hosts.here, &Protection::ESP.keys(), "");
    let checked = Checked { host: &hosts.here, service };
    checked.set_all("");
    let started = checked.service.run("start");
    assert_eq!(started.status, 0, "{started:?}");
    let warning = "warning: no policy uses these 2 SAs: traffic to 10.0.0.2 is NOT protected; to protect it: set policy = ";
    assert!(started.err.contains("degraded: 2 SAs from ") && started.err.contains(warning), "{started:?}");
    assert!(!started.out.contains("online"), "{started:?}");
    // It is true: the ping passes in the clear.
    let capture = Capture::start(&hosts, "icmp");
    assert!(hosts.ping([10, 0, 0, 2].into()));
    assert!(!capture.stop().lines("").is_empty());
    checked.expect(3, &format!("{UNPROTECTED}; to protect it: set policy = \"from-sas\" in manual-key.toml"));
    let text = checked.service.query("status");
    assert!(text.starts_with("state     degraded since ") && !text.contains("online"), "{text}");
    // The remedy that the message names.
    checked.service.set("");
    checked.refresh();
    // Policies by hand are as good as those of the service.
    checked.set_all("");
    checked.service.run("refresh").succeeded();
    checked.expect(3, UNPROTECTED);
    for (direction, src, dst) in [("out", "10.0.0.1", "10.0.0.2"), ("in", "10.0.0.2", "10.0.0.1")] {
        checked.expect(3, "CRITICAL: no policy uses ");
        hosts.here.ip(&format!("xfrm policy add src {src} dst {dst} dir {direction} tmpl proto esp mode transport"));
    }
    checked.expect_good();
    let text = checked.service.query("status");
    assert!(text.starts_with("state     online since ") && !text.contains("degraded"), "{text}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_finds_lost_policies() {
    let hosts = Hosts::new();
    let checked = Checked::from_sas(&hosts.here);
    hosts.here.ip("xfrm policy flush");
    checked.expect(3, UNPROTECTED);
    checked.refresh();
    hosts.here.ip("xfrm policy delete src 10.0.0.2 dst 10.0.0.1 dir in");
    checked.expect(3, "CRITICAL: no policy uses 1 of the 2 SAs: traffic to 10.0.0.2 is NOT protected");
    checked.refresh();
    // A second later: the add time tells the policy of another program from that of the service.
    thread::sleep(Duration::from_millis(1100));
    let changed = "src 10.0.0.1/32 dst 10.0.0.2/32 dir out";
    for with in ["action block", "tmpl proto esp mode transport level use"] {
        hosts.here.ip(&format!("xfrm policy update {changed} priority 10004 {with}"));
        let line = checked.check(3, "");
        assert!(line.contains(changed) || line.contains("NOT protected"), "{line}");
        hosts.here.ip(&format!("xfrm policy delete {changed}"));
        checked.refresh();
        thread::sleep(Duration::from_millis(1100));
    }
    let optional = "tmpl proto esp reqid 1835728896 mode transport level use";
    hosts.here.ip(&format!("xfrm policy update {changed} {optional}"));
    let fix = format!("to install them again: ip xfrm policy delete {changed}, then manual-key refresh");
    let line = checked.check(3, "");
    assert!(line.contains("was changed by another program: ") && line.contains(&fix), "{line}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_finds_missing_and_different_sas() {
    let hosts = Hosts::new();
    let checked = Checked::from_sas(&hosts.here);
    let sa = "src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x1000";
    hosts.here.ip("xfrm state delete dst 10.0.0.2 proto esp spi 0x1000");
    checked.expect(3, "CRITICAL: 1 SA is missing in the SADB; to add what is missing: manual-key refresh");
    checked.refresh();
    let key = |name: &str| {
        let keys = Protection::ESP.keys();
        let words: Vec<&str> = keys.split_whitespace().collect();
        let at = words.iter().position(|word| *word == name).expect("the keyword");
        format!("0x{}", words[at + 1])
    };
    let (authkey, encrkey) = (key("authkey"), key("encrkey"));
    hosts.here.ip(&format!(
        "xfrm state update {sa} mode transport enc aes {encrkey} auth-trunc hmac(sha256) {authkey} 128 \
                            limit time-hard 99999"
    ));
    let line = checked.check(3, "");
    assert!(
        line.starts_with("CRITICAL: an SA differs from the keys file: line ") && line.contains("hard_addtime"),
        "{line}"
    );
    checked.refresh();
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_finds_expiries() {
    let hosts = Hosts::new();
    let short = Protection::ESP.keys().replace("replay", "soft_addtime 8 hard_addtime 14 replay");
    let checked = Checked::started(&hosts.here, &short, "");
    checked.expect(3, "WARNING: the next SA expires in ");
    let line = checked.check(0, "--warn 0");
    assert!(line.starts_with("OK: 2 SAs"), "{line}");
    wait_until(|| {
        checked.line("--warn 0").starts_with("WARNING: the soft lifetimes of 2 SAs have expired; replace the keys")
    });
    wait_until(|| checked.line("").starts_with("CRITICAL: 2 SAs have expired, the first at "));
    let line = checked.check(3, "");
    assert!(line.contains(", hard_addtime 14; replace the keys on both hosts") && !line.contains("refresh"), "{line}");
    assert!(checked.service.query("status").starts_with("state     degraded since "));
    // The kernel's clock removes them a moment later.
    wait_until(|| checked.host.states().is_empty());
    let mut doctor = checked.host.command(&format!("doctor --for 0 {}", checked.service.path("keys")));
    doctor.env("RUNTIME_DIRECTORY", checked.service.path("run"));
    let found = checked.host.run(doctor).out;
    let expired = "of the file's 2 SAs, 2 have expired, the first ";
    assert!(found.contains(expired) && found.contains("never load the same keys again"), "{found}");
    assert!(!found.contains("not in the SADB"), "{found}");
    // New keys, as the message asks.
    checked.service.write(&Protection::ESP.keys());
    checked.refresh();
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_finds_a_file_that_is_changed_wrong_or_of_another_host() {
    let hosts = Hosts::new();
    let checked = Checked::from_sas(&hosts.here);
    let keys = Protection::ESP.keys();
    checked.service.write(&(keys.clone() + "# a comment\n"));
    checked.expect(3, "WARNING: the keys file has changed since it was loaded; to load it: manual-key refresh");
    checked.service.write(&keys.replacen("add esp", "add epp", 1));
    assert_eq!(checked.service.run("refresh").status, 78);
    checked.expect(78, "CRITICAL: maintenance: ");
    checked.service.write(&keys);
    checked.refresh();
    checked.service.write(&keys.replace("10.0.0.", "10.7.0."));
    let refreshed = checked.service.run("refresh");
    let elsewhere = "the keys file is for another host: 2 SAs have no address of this host (the first from 10.7.0.";
    assert!(refreshed.status == 0 && refreshed.err.contains(&format!("warning: {elsewhere}")), "{refreshed:?}");
    checked.expect(3, &format!("CRITICAL: {elsewhere}"));
    let text = checked.service.query("status");
    assert!(text.contains("problem   no policy uses these 2 SAs: traffic to 10.7.0."), "{text}");
    // With directions there are policies, but this host still has none of the addresses.
    let directed = keys.replace("10.0.0.", "10.7.0.").replacen("add esp", "add esp outbound", 1);
    checked.service.write(&directed.replacen("\nadd esp ", "\nadd esp inbound ", 1));
    checked.service.run("refresh").succeeded();
    checked.expect(3, &format!("CRITICAL: {elsewhere}"));
    checked.service.write(&keys);
    checked.refresh();
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_finds_a_udp_port_that_no_program_has() {
    let hosts = Hosts::new();
    let natt = Protection { natt: true, ..Protection::ESP };
    let checked = Checked::started(&hosts.here, &natt.keys(), "");
    checked.expect(3, "CRITICAL: no program has a socket on UDP port 4500, so that ESP in UDP is not received");
    checked.service.set("hold_natt_ports = true");
    let daemon = checked.service.start_daemon();
    checked.expect_good();
    stop_daemon(daemon);
    checked.expect(1, "CRITICAL: disabled: ");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_of_a_group_without_direction() {
    let hosts = Hosts::new();
    let key = "00112233445566778899aabbccddeeff00112233";
    let keys = format!("add ah spi 0x100 dst ff02::5 proto 89 auth_alg sha1 authkey {key}\n");
    let service = Guard::new(&hosts.here, &keys, "");
    let started = service.run("start");
    assert_eq!((started.status, started.err.as_str()), (0, ""));
    let directions = |service: &Guard<'_>| {
        service.run("refresh").succeeded();
        ["dir in", "dir out"].map(|direction| hosts.here.ip("xfrm policy list").matches(direction).count())
    };
    assert_eq!(directions(&service), [1, 1]);
    let checked = Checked { host: &hosts.here, service };
    let line = checked.check(0, "");
    assert!(line.starts_with("OK: 1 SA from "), "{line}");
    checked.service.write(&keys.replace("add ah", "add ah outbound"));
    let planned = checked.service.run("plan").err;
    let warning = "line 1: warning: outbound alone for the group of ah spi 0x100 dst ff02::5: packets that other hosts send";
    assert!(planned.contains(warning), "{planned}");
    assert_eq!(directions(&checked.service), [0, 1]);
    // A sender's own SA, and that of another one.
    for (src, expected) in [("fd00::1", [0, 1]), ("fd00::2", [1, 0])] {
        checked.service.write(&keys.replace("dst ff02::5", &format!("src {src} dst ff02::5")));
        assert_eq!(directions(&checked.service), expected, "{src}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn load_warns_of_sas_that_no_policy_uses() {
    for sadb in ["xfrm", "pfkey"] {
        let hosts = Hosts::new();
        // PF_KEY warns of SHA-256, and ipseckey(1M) of replay.
        let keys = Protection::AH.keys().replace("replay 32 ", "");
        let file = private_file(&keys);
        let load = |file: &Path| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
            command.args(["-n", "--sadb", sadb, "-f"]).arg(file);
            let loaded = hosts.here.run(command);
            assert_eq!(loaded.status, 0, "{sadb}: {loaded:?}");
            loaded.err
        };
        let warning = "warning: no policy uses these 2 SAs: traffic to 10.0.0.2 is NOT protected; to protect it: manual-key start \
                       --policy from-sas --config-file ";
        let said = load(&file);
        assert!(said.contains(&format!("{warning}{}\n", file.display())), "{sadb}: {said}");
        // The command of the message.
        let service = Guard::new(&hosts.here, &keys, "");
        let checked = Checked { host: &hosts.here, service };
        checked.set_all("");
        checked.service.run(&format!("start --policy from-sas --config-file {}", file.display())).succeeded();
        checked.expect_good();
        hosts.here.ipseckey("flush").succeeded();
        assert_eq!(load(&file), "", "{sadb}");
        // What the file removes again does not count.
        hosts.here.ipseckey("flush").succeeded();
        let removed = format!("{keys}{ADD}delete ah spi 0x3000 dst 10.5.0.9\n");
        assert_eq!(load(&private_file(&removed)), "", "{sadb}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_is_good_after_the_keys_are_changed_as_the_guide_says() {
    let keys = Protection::ESP.keys();
    for refresh in ["flush", "check-first", "reconcile"] {
        for flush in ["all", "owned"] {
            let hosts = Hosts::new();
            let settings = format!("refresh = \"{refresh}\"\nflush = \"{flush}\"");
            let both = [&hosts.here, &hosts.there].map(|host| Checked::started(host, &keys, &settings));
            assert!(hosts.ping([10, 0, 0, 2].into()), "{settings}");
            let capture = Capture::start(&hosts, "icmp");
            let file = private_file(&rotated());
            for step in ["reconcile --inbound", "reconcile --keep-others"] {
                for checked in &both {
                    checked.host.ipseckey(&format!("{step} {}", file.display())).succeeded();
                    assert!(hosts.ping([10, 0, 0, 2].into()), "{settings}, {step}");
                }
            }
            for checked in &both {
                checked.service.write(&rotated());
                checked.service.run("refresh").succeeded();
                checked.expect_good();
                let text = checked.service.query("status");
                assert!(text.contains("SAs       2 owned, 0 foreign, 0 missing\n"), "{settings}: {text}");
            }
            assert!(hosts.ping([10, 0, 0, 2].into()), "{settings}");
            assert_eq!(capture.stop().lines(""), [""; 0], "{settings}: packets in the clear");
            // The service owns the new SAs: nothing is left after it has stopped.
            both.iter().for_each(|checked| drop(checked.service.run("stop").succeeded()));
            assert_eq!(hosts.here.ip("xfrm state list"), "", "{settings}");
        }
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_is_good_with_the_example_of_ospf() {
    let hosts = Hosts::new();
    let checked = Checked::started(&hosts.here, include_str!("../../examples/ospfv3.keys"), "");
    let line = checked.check(0, "");
    assert!(line.starts_with("OK: 4 SAs from "), "{line}");
    // Two for each group, and one for each of two other routers.
    assert_eq!(hosts.here.ip("xfrm policy list").matches("dir ").count(), 6);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn generated_policies_of_a_tunnel_pass_forwarded_traffic() {
    let hosts = Hosts::new();
    let inside = hosts.behind();
    let generate = "generate esp src 10.0.0.1 dst 10.0.0.2 isrc 10.1.0.0/16 idst 10.2.0.0/16";
    let keys = hosts.here.ipseckey(generate).succeeded();
    // The commands of the comment, for each host.
    let mut host = None;
    for line in keys.lines() {
        match line.strip_prefix("# On ") {
            Some("10.0.0.1:") => host = Some(&hosts.here),
            Some("10.0.0.2:") => host = Some(&hosts.there),
            _ => {}
        }
        if let (Some(command), Some(host)) = (line.strip_prefix("#   ip "), host) {
            host.ip(command);
        }
    }
    hosts.here.load(&keys);
    hosts.there.load(&keys);
    let capture = Capture::start(&hosts, "icmp");
    let far = [10, 2, 5, 2].into();
    assert!((0..5).any(|_| inside.ping(far)), "no reply from behind the peer");
    assert_eq!(capture.stop().lines(""), [""; 0], "packets in the clear");
}

/// The keys file with other SPIs and keys.
fn rotated() -> String {
    let keys = Protection::ESP.keys().replace("0x1000", "0x1111").replace("0x2000", "0x2222");
    let turned = |(at, word): (usize, &str)| {
        let is_key = at > 0 && word.len() > 30 && word.chars().all(|c| c.is_ascii_hexdigit());
        if is_key { word.chars().rev().collect() } else { word.to_owned() }
    };
    let line = |line: &str| line.split(' ').enumerate().map(turned).collect::<Vec<String>>().join(" ") + "\n";
    keys.lines().map(line).collect()
}

/// An SA that no policy uses.
const ADD: &str =
    "add ah spi 0x3000 src 10.5.0.1 dst 10.5.0.9 auth_alg sha1 authkey 000102030405060708090a0b0c0d0e0f10111213\n";
