//! `policy = "from-sas"`: no packet in clear from before the start until after the stop, for each form of
//! SA; foreign policies and SAs stay.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::capture::Capture;
use crate::guard::{Guard, stop_daemon};
use crate::hosts::Hosts;
use crate::space::Space;
use crate::traffic::{Protection, open_encapsulation_sockets};

/// A foreign policy and a foreign SA.
const FOREIGN_POLICY: &str = "src 10.0.0.1/32 dst 10.77.0.0/16 dir out priority 5 tmpl proto esp reqid 77 mode transport";
const FOREIGN_SA: &str = "add esp spi 0x77 src 10.0.0.1 dst 10.77.0.1 reqid 77 encr_alg null auth_alg sha1 \
                          authkey 53e0b4ed29b1a2e0e4a5d9c2f4a7b6c8d1e3f507
";

/// Every form of SA between two hosts, each for different packets.
fn every_form() -> String {
    let (esp, ah) = (Protection::ESP, Protection::AH);
    let six = Protection { is_ipv6: true, ..Protection::ESP };
    let natt = Protection { natt: true, ..Protection::ESP };
    let networks = esp.keys_of_networks() + &six.keys_of_networks();
    [
        esp.keys() + &ah.keys(),
        six.keys(),
        // The tunnel endpoints are the hosts above.
        networks.replace("0x1000", "0x1100").replace("0x2000", "0x2100"),
        esp.keys_of_port(8080).replace("10.0.0.", "10.4.0."),
        natt.keys().replace("10.0.0.", "10.6.0."),
    ]
    .concat()
}

/// Packets that must be protected, as a pcap-filter(7). Link-local IPv6 traffic does not count.
const IN_CLEAR: &str = "(ip or ip6) and not ip multicast and not ip6 multicast and not src net fe80::/10 \
    and not (ip proto 51 and net 10.0.0.0/24) \
    and not (ip proto 50 and net 10.0.0.0/24 and (ip[20:4] = 0x1100 or ip[20:4] = 0x2100)) \
    and not ip6 proto 50 \
    and not (ip proto 50 and net 10.4.0.0/24) and not (net 10.4.0.0/24 and not tcp port 8080) \
    and not (net 10.6.0.0/24 and udp port 4500 and (udp[8:4] = 0x1000 or udp[8:4] = 0x2000))";

/// Destinations of each host: the other host, and the hosts behind it. A port is protected at one host only.
const FAR: [&str; 4] = ["10.0.0.2:9", "[fd00::2]:9", "10.4.0.2:8080", "10.6.0.2:9"];
const NEAR: [&str; 3] = ["10.0.0.1:9", "[fd00::1]:9", "10.6.0.1:9"];
const FAR_INSIDE: [&str; 2] = ["10.2.5.2:9", "[fd02:0:5::2]:9"];
const NEAR_INSIDE: [&str; 2] = ["10.1.5.2:9", "[fd01:0:5::2]:9"];

/// Configures the addresses of the last two forms on both hosts.
fn add_addresses(hosts: &Hosts) {
    for net in ["10.4.0", "10.6.0"] {
        for (host, own, other) in [(&hosts.here, 1, 2), (&hosts.there, 2, 1)] {
            host.ip(&format!("addr add {net}.{own}/24 dev cable"));
            host.ip(&format!("neigh add {net}.{other} lladdr 02:00:00:00:00:0{other} dev cable nud permanent"));
        }
    }
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().expect("an address and a port")).collect()
}

/// Sends until `stop` is set: datagrams and connections, alternately, whether there is a reply or not.
fn talk(space: &Space, to: &[&str], stop: &AtomicBool) {
    space.inside(|| {
        let sockets = ["0.0.0.0:0", "[::]:0"].map(|any| UdpSocket::bind(any).expect("binds"));
        let to = addresses(to);
        while !stop.load(Ordering::Relaxed) {
            for to in &to {
                // An unprotected packet causes an error here, or is lost: both are correct.
                let _ = sockets[usize::from(to.is_ipv6())].send_to(b"in clear?", to);
                let _ = TcpStream::connect_timeout(to, Duration::from_millis(3));
            }
            thread::sleep(Duration::from_millis(2));
        }
    });
}

/// Sets a flag when dropped, so threads that wait for it end even if the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The remote addresses that cannot be reached.
fn unreached(hosts: &Hosts, inside: &Hosts) -> Vec<SocketAddr> {
    let reaches = |from: &Hosts, to: &SocketAddr| match to.port() {
        // No process listens: the reply is a reset, which also needs an SA.
        8080 => from.here.inside(|| {
            let connected = TcpStream::connect_timeout(to, Duration::from_secs(2));
            connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        }),
        _ => from.ping(to.ip()),
    };
    let all = |from: &Hosts, to: &[&str]| addresses(to).into_iter().filter(|to| !reaches(from, to)).collect::<Vec<_>>();
    [all(hosts, &FAR), all(inside, &FAR_INSIDE)].concat()
}

/// Refreshes of each kind.
const REFRESHES: usize = 20;

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_from_sas_leaks_nothing_through_refresh_crash_and_stop() {
    let hosts = Hosts::new();
    let inside = hosts.behind();
    add_addresses(&hosts);
    let natt: [IpAddr; 2] = [[10, 6, 0, 1].into(), [10, 6, 0, 2].into()];
    let _sockets = open_encapsulation_sockets(&hosts, natt.into());
    hosts.here.ip(&format!("xfrm policy add {FOREIGN_POLICY}"));
    hosts.here.load(FOREIGN_SA);
    let assert_foreign_stay = || {
        assert!(hosts.here.ip("xfrm policy list").contains("10.77.0.0/16"));
        assert!(hosts.here.ip("xfrm state list").contains("0x00000077"));
    };
    let keys = every_form();
    let closed = "flush = \"owned\"\n";
    let one = Guard::new(&hosts.here, &keys, closed);
    let other = Guard::new(&hosts.there, &keys, closed);
    let reach_each_other = |when: &str| assert_eq!(unreached(&hosts, &inside), [], "{when}");

    let (capture, stop) = (Capture::start(&hosts, IN_CLEAR), AtomicBool::new(false));
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        one.run("start").succeeded();
        scope.spawn(|| talk(&hosts.here, &FAR, &stop));
        scope.spawn(|| talk(&inside.here, &FAR_INSIDE, &stop));
        other.run("start").succeeded();
        scope.spawn(|| talk(&hosts.there, &NEAR, &stop));
        scope.spawn(|| talk(&inside.there, &NEAR_INSIDE, &stop));
        for kind in ["flush", "check-first", "reconcile"] {
            let settings = format!("{closed}refresh = \"{kind}\"\n");
            one.set(&settings);
            other.set(&settings);
            for number in 0..REFRESHES {
                let guard = if number % 2 == 0 { &one } else { &other };
                guard.run("refresh").succeeded();
            }
            // A file with errors, and then without.
            one.write("add esp spi\n");
            assert_eq!(one.run("refresh").status, 78);
            one.write(&keys);
            one.run("refresh").succeeded();
            other.run("refresh").succeeded();
            reach_each_other(kind);
        }
        let mut daemon = one.start_daemon();
        daemon.kill().expect("kill -9");
        daemon.wait().expect("exits");
        let daemon = one.start_daemon();
        for _ in 0..REFRESHES {
            one.query("refresh");
            other.run("refresh").succeeded();
        }
        reach_each_other("after the crash");
        stop_daemon(daemon);
        other.run("stop").succeeded();
        assert_eq!(unreached(&hosts, &inside).len(), FAR.len() + FAR_INSIDE.len(), "stopped, and closed");
        one.run("start").succeeded();
        other.run("start").succeeded();
        reach_each_other("after a stop and a start");
        one.run("stop").succeeded();
        other.run("stop").succeeded();
    });
    assert_eq!(capture.stop().lines(""), [""; 0], "packets in clear");
    assert_foreign_stay();
    // Both forms of open remove the policies of the service, and no others.
    one.set("flush = \"owned\"\non_stop = \"open\"\n");
    one.run("stop").succeeded();
    other.run("stop --open").succeeded();
    reach_each_other("in clear, as configured");
    let left = hosts.here.ip("xfrm policy list");
    assert_eq!(left.matches("dir ").count(), 1, "{left}");
    assert_foreign_stay();
}
