//! The service beside a real IKE daemon, strongSwan: an IKE tunnel between the networks behind two hosts, manual SAs between the
//! hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::capture::Capture;
use crate::guard::{Guard, stop_daemon};
use crate::hosts::Hosts;
use crate::service::wait_until;
use crate::space::{Ran, Space, private_file};
use crate::traffic::Protection;

const PLUGINS: &str =
    "random nonce aes sha1 sha2 hmac kdf gmp openssl pem pkcs1 x509 pubkey vici kernel-netlink socket-default drbg";

/// The daemon of one host, with its own configuration and control socket.
pub struct Charon<'a> {
    host: &'a Space,
    child: Child,
    directory: TempDir,
}

/// A configuration of swanctl for a host: `own` is the last part of its address. The child SA `net` is a tunnel between the networks,
/// `host` protects all packets between the hosts. `extra` is a further line of the connection.
fn connections(own: u8, extra: &str) -> String {
    let other = 3 - own;
    format!(
        "connections {{\n peer {{\n  version = 2\n  mobike = no\n  {extra}\n  local_addrs = 10.0.0.{own}\n  remote_addrs = 10.0.0.{other}\n  \
         proposals = aes128-sha256-modp2048\n  local {{\n   auth = psk\n   id = host{own}\n  }}\n  remote {{\n   auth = psk\n   \
         id = host{other}\n  }}\n  children {{\n   net {{\n    local_ts = 10.{own}.0.0/16\n    remote_ts = 10.{other}.0.0/16\n    \
         esp_proposals = aes128-sha256\n    }}\n   host {{\n    mode = transport\n    esp_proposals = \
         aes128-sha256\n   }}\n  }}\n }}\n}}\nsecrets {{\n ike-1 {{\n  secret = not-a-secret\n }}\n}}\n"
    )
}

impl<'a> Charon<'a> {
    pub fn start(host: &'a Space, own: u8) -> Self {
        Self::start_with(host, own, "")
    }

    /// `extra` is a line of the connection.
    pub fn start_with(host: &'a Space, own: u8, extra: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("swanctl")).expect("creates");
        let socket = path("vici");
        let settings = format!(
            "charon-systemd {{\n load = {PLUGINS}\n plugins {{\n  vici {{\n   socket = unix://{}\n  }}\n }}\n filelog {{\n  log {{\n   \
             path = {}\n   default = 1\n   flush_line = yes\n  }}\n }}\n}}\nswanctl {{\n load = {PLUGINS}\n socket = unix://{}\n}}\n",
            socket.display(),
            path("log").display(),
            socket.display()
        );
        fs::write(path("strongswan.conf"), settings).expect("writes");
        fs::write(path("swanctl/swanctl.conf"), connections(own, extra)).expect("writes");
        fs::set_permissions(path("swanctl/swanctl.conf"), fs::Permissions::from_mode(0o600)).expect("is permitted");
        let mut command = Command::new("charon-systemd");
        command.env("STRONGSWAN_CONF", path("strongswan.conf"));
        let child = host.spawn(command);
        let daemon = Self { host, child, directory };
        wait_until(|| daemon.path("vici").exists());
        daemon.swanctl("--load-all").succeeded();
        daemon
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn swanctl(&self, words: &str) -> Ran {
        let mut command = Command::new("swanctl");
        command.args(words.split_whitespace());
        command.env("STRONGSWAN_CONF", self.path("strongswan.conf")).env("SWANCTL_DIR", self.path("swanctl"));
        self.host.run(command)
    }

    #[track_caller]
    pub fn initiate(&self, child: &str) {
        let ran = self.swanctl(&format!("--initiate --child {child} --timeout 20"));
        assert_eq!(ran.status, 0, "{ran:?}\n{}", self.log());
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Ends it as systemd does: it removes its SAs and policies.
    pub fn stop(mut self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Charon<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two hosts with an established IKE tunnel between 10.1/16 and 10.2/16.
pub struct Tunnel<'a> {
    hosts: &'a Hosts,
    pub here: Charon<'a>,
    pub there: Charon<'a>,
}

/// The SPIs of charon's tunnel: the SAs with its first request ID.
pub fn ike_spis(host: &Space) -> usize {
    host.ip("xfrm state list").matches(" reqid 1 mode tunnel").count()
}

impl<'a> Tunnel<'a> {
    pub fn new(hosts: &'a Hosts) -> Self {
        let there = Charon::start(&hosts.there, 2);
        let here = Charon::start(&hosts.here, 1);
        let tunnel = Self { hosts, here, there };
        tunnel.here.initiate("net");
        tunnel
    }

    /// After the SAs were removed.
    fn establish_again(&self) {
        for daemon in [&self.here, &self.there] {
            // The other daemon learns of it, or has no such IKE SA.
            daemon.swanctl("--terminate --ike peer --force");
        }
        wait_until(|| {
            [&self.hosts.here, &self.hosts.there]
                .iter()
                .all(|host| host.ip("xfrm policy list").matches("10.1.0.0/16").count() == 0)
        });
        self.here.initiate("net");
    }
}

/// 300 pings, one every 10 ms.
fn pings(host: &Space, from: &str, to: &str) -> Child {
    let mut command = Command::new("ping");
    command.args(["-n", "-q", "-i", "0.01", "-c", "300", "-W", "5", "-I", from, to]);
    host.spawn(command)
}

#[track_caller]
fn assert_none_lost(pings: Child, what: &str) {
    let output = pings.wait_with_output().expect("ping runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("300 packets transmitted, 300 received, 0% packet loss"), "{what}: {text}");
}

fn rotated() -> String {
    Protection::ESP.keys().replace("spi 0x", "spi 0x7").replace("0001", "a701")
}

/// Adds or deletes the policies that the service installs with `policy = "from-sas"`.
fn change_policies(host: &Space, own: u8, verb: &str) {
    let other = 3 - own;
    let rest = if verb == "add" { "priority 10000 tmpl proto esp mode transport" } else { "" };
    for (src, dst, dir) in [(own, other, "out"), (other, own, "in")] {
        host.ip(&format!("xfrm policy {verb} src 10.0.0.{src} dst 10.0.0.{dst} dir {dir} {rest}"));
    }
}

/// Changes the keys as docs/guide.md says.
fn change_keys(hosts: &Hosts, both: &[Guard<'_>; 2]) {
    let file = private_file(&rotated());
    for step in ["reconcile --inbound", "reconcile --keep-others"] {
        for host in [&hosts.here, &hosts.there] {
            host.ipseckey(&format!("{step} {}", file.display())).succeeded();
        }
    }
    for service in both {
        service.write(&rotated());
        service.run("refresh").succeeded();
    }
}

/// Each combination of flush, refresh and policy beside an established IKE tunnel.
fn combination(tunnel: &Tunnel<'_>, flush: &str, refresh: &str, policy: &str) {
    let hosts = tunnel.hosts;
    let what = format!("flush {flush}, refresh {refresh}, policy {policy}");
    let settings = format!("flush = \"{flush}\"\nrefresh = \"{refresh}\"\npolicy = \"{policy}\"");
    let both = [(&hosts.here, 1), (&hosts.there, 2)].map(|(host, own)| {
        let service = Guard::new(host, &Protection::ESP.keys(), "");
        service.set_all(&settings);
        if policy == "none" {
            change_policies(host, own, "add");
        }
        service
    });
    let ike = ike_spis(&hosts.here);
    assert!(ike >= 2, "{what}: {}", hosts.here.ip("xfrm state list"));
    let started = both.each_ref().map(|service| service.run("start"));
    for ran in started {
        assert_eq!(ran.status, 0, "{what}: {ran:?}");
        let names =
            ran.err.contains("SAs that this service has not added") && ran.err.contains("; running: charon-systemd (pid ");
        assert_eq!(names, flush == "all", "{what}: {}", ran.err);
    }
    if flush == "all" {
        assert_eq!(ike_spis(&hosts.here), 0, "{what}");
    } else {
        let capture = Capture::start(hosts, "icmp");
        let (by_ike, manual) = (pings(&hosts.here, "10.1.0.1", "10.2.0.1"), pings(&hosts.here, "10.0.0.1", "10.0.0.2"));
        tunnel.here.swanctl("--rekey --child net").succeeded();
        change_keys(hosts, &both);
        assert_none_lost(by_ike, &format!("{what}, by IKE"));
        assert_none_lost(manual, &format!("{what}, manual"));
        assert_eq!(capture.stop().lines(""), [""; 0], "{what}: packets in the clear");
        assert!(ike_spis(&hosts.here) >= 2, "{what}");
        let status = both[0].query("status");
        assert!(status.contains("2 owned") && status.contains("0 missing"), "{what}: {status}");
    }
    for service in &both {
        service.run("stop --open").succeeded();
    }
    if policy == "none" {
        for (host, own) in [(&hosts.here, 1), (&hosts.there, 2)] {
            change_policies(host, own, "delete");
        }
    }
    if flush == "all" {
        tunnel.establish_again();
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn ike_tunnels_survive_with_flush_owned_and_are_named_with_flush_all() {
    let hosts = Hosts::new();
    let tunnel = Tunnel::new(&hosts);
    for policy in ["from-sas", "none"] {
        for refresh in ["flush", "check-first", "reconcile"] {
            combination(&tunnel, "owned", refresh, policy);
        }
    }
    let long = std::env::var_os("KERNEL_TESTS_LONG").is_some();
    for policy in ["from-sas", "none"] {
        for refresh in ["flush", "check-first", "reconcile"] {
            if long || (policy, refresh) == ("from-sas", "flush") {
                combination(&tunnel, "all", refresh, policy);
            }
        }
    }
}

/// Rows of tests: charon takes the place of the service's policies and deletes them; the stop script of libreswan flushes everything.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policies_that_an_ike_daemon_removes_are_restored() {
    let hosts = Hosts::new();
    let tunnel = Tunnel::new(&hosts);
    let keys = Protection::ESP.keys();
    let both = [&hosts.here, &hosts.there].map(|host| {
        let service = Guard::new(host, &keys, "flush = \"owned\"");
        let daemon = service.start_daemon();
        (service, daemon)
    });
    let state = |at: usize| fs::read_to_string(both[at].0.path("run/state.json")).expect("a state");
    let online = || (0..2).all(|at| state(at).contains("\"state\":\"online\""));
    wait_until(online);
    // A policy of the same second counts as the service's.
    thread::sleep(Duration::from_millis(1100));
    tunnel.here.initiate("host");
    wait_until(|| state(0).contains("\"state\":\"degraded\"") && state(1).contains("\"state\":\"degraded\""));
    tunnel.here.swanctl("--terminate --child host").succeeded();
    wait_until(online);
    let capture = Capture::start(&hosts, "icmp");
    assert!(hosts.ping([10, 0, 0, 2].into()));
    assert_eq!(capture.stop().lines(""), [""; 0], "packets in the clear");
    // The ExecStartPre and ExecStopPost of Debian's libreswan.
    hosts.here.ip("xfrm policy flush");
    hosts.here.ip("xfrm state flush");
    wait_until(|| hosts.here.ip("xfrm policy list").matches("dir ").count() >= 2 && hosts.here.states().len() >= 2);
    wait_until(online);
    let capture = Capture::start(&hosts, "icmp");
    assert!(hosts.ping([10, 0, 0, 2].into()));
    assert_eq!(capture.stop().lines(""), [""; 0], "packets in the clear");
    for (service, daemon) in both {
        let printed = stop_daemon(daemon);
        assert!(printed.contains("removed or changed 2 policies of the service: restored"), "{printed}");
        drop(service);
    }
}
