//! IPv6 neighbour discovery beside `policy = "from-sas"`: hosts without static neighbour entries.

use std::net::IpAddr;

use crate::capture::Capture;
use crate::guard::Guard;
use crate::hosts::Hosts;
use crate::space::Space;
use crate::traffic::Protection;

const ESP: Protection = Protection { is_ipv6: true, ..Protection::ESP };
/// Behind the router `there`; no SA is for it.
const BEYOND: &str = "2001:db8::2";
/// Echo requests and replies that are not protected.
const ECHO_IN_CLEAR: &str = "icmp6 and (ip6[40] == 128 or ip6[40] == 129)";

fn addr(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Hosts that must resolve each other's addresses. `there` is the router of `here` to [`BEYOND`].
fn hosts() -> Hosts {
    let hosts = Hosts::new();
    hosts.there.ip(&format!("addr add {BEYOND}/128 dev lo nodad"));
    hosts.here.ip(&format!("-6 route add {BEYOND} via fd00::2"));
    forget(&hosts);
    assert!(hosts.ping(addr(BEYOND)), "without the service");
    forget(&hosts);
    hosts
}

/// Empties both neighbour caches.
fn forget(hosts: &Hosts) {
    for host in [&hosts.here, &hosts.there] {
        host.ip("-6 neigh flush all nud all");
    }
}

fn start(host: &Space, keys: &str, settings: &str) {
    let started = Guard::new(host, keys, settings).run("start");
    assert_eq!((started.status, started.err.as_str()), (0, ""), "{}", started.out);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn discovery_reaches_a_router_whose_policies_are_missing() {
    let hosts = hosts();
    start(&hosts.here, &ESP.keys(), "");
    forget(&hosts);
    let capture = Capture::start(&hosts, ECHO_IN_CLEAR);
    assert!(hosts.ping(addr(BEYOND)), "the router does not resolve: {}", hosts.here.ip("-6 neigh"));
    assert!(!hosts.ping(addr("fd00::2")), "it has no SAs");
    let clear = capture.stop().lines("");
    assert!(clear.iter().all(|line| line.contains(BEYOND)), "{clear:?}");

    start(&hosts.there, &ESP.keys(), "");
    forget(&hosts);
    let capture = Capture::start(&hosts, ECHO_IN_CLEAR);
    assert!(hosts.ping(addr("fd00::2")), "both have SAs");
    assert_eq!(capture.stop().lines(""), [""; 0], "packets in clear");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn pass_neighbour_discovery_false_leaves_it_to_the_sas() {
    let hosts = hosts();
    start(&hosts.here, &ESP.keys(), "pass_neighbour_discovery = false");
    forget(&hosts);
    assert!(!hosts.ping(addr(BEYOND)), "the advertisement of the router should be dropped");
    assert_eq!(hosts.here.ip("xfrm policy list").matches("dir ").count(), 2);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn discovery_passes_beside_a_tunnel_for_all_addresses() {
    let hosts = hosts();
    let tunnel = Protection { mode: "tunnel", ..ESP };
    let keys = tunnel.keys().replace("fd01::1", "::/0").replace("fd02::1", "::/0");
    start(&hosts.here, &keys, "");
    start(&hosts.there, &keys, "");
    forget(&hosts);
    let capture = Capture::start(&hosts, "ip6");
    assert!(hosts.ping(addr("fd02::1")), "{}", hosts.here.ip("-6 neigh"));
    // The switch learns from reports which groups a host listens to.
    hosts.here.ip("addr add fd00::77/64 dev cable nodad");
    let packets = capture.stop();
    assert_eq!(packets.lines(ECHO_IN_CLEAR), [""; 0], "packets in clear");
    assert_ne!(packets.lines("esp"), [""; 0]);
    // Behind a hop-by-hop header of 8 bytes.
    assert_ne!(packets.lines("ip6[6] == 0 and ip6[40] == 58 and ip6[48] == 143"), [""; 0], "no report of the new group");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn passes_for_discovery_are_the_services_own() {
    let hosts = hosts();
    let space = &hosts.here;
    let two = ESP.keys() + &ESP.keys().replace("0x1000", "0x1001").replace("0x2000", "0x2001");
    let one = ESP.keys();
    let guard = Guard::new(space, &two, "flush = \"owned\"\nrefresh = \"reconcile\"");
    let passes = || space.ip("xfrm policy list").matches("proto ipv6-icmp type 13").count();
    let planned = guard.run("plan");
    assert_eq!(planned.out.matches("proto 58 type 13").count(), 4, "{}", planned.out);
    assert_eq!((guard.run("start").status, passes()), (0, 4));
    assert_eq!(guard.run("plan").status, 0, "a second plan has no steps");
    assert_eq!(guard.query("status").matches("problem").count(), 0, "{}", guard.query("status"));

    guard.write(&one);
    assert_eq!((guard.run("refresh").status, passes()), (0, 4), "another SA needs them");
    guard.write(&Protection::ESP.keys());
    assert_eq!((guard.run("refresh").status, passes()), (0, 0), "the last SA is gone");

    guard.write(&one);
    assert_eq!((guard.run("refresh").status, passes()), (0, 4));
    space.ip("xfrm policy delete src fd00::1/128 dst fd00::2/128 proto 58 type 135 dir out");
    let status = guard.query("status");
    assert!(
        status.contains("a policy of the service is missing or was changed by another program: src fd00::1"),
        "{status}"
    );
    assert_eq!((guard.run("refresh").status, passes()), (0, 4));
    guard.set("flush = \"owned\"\nrefresh = \"reconcile\"\npass_neighbour_discovery = false");
    assert_eq!((guard.run("refresh").status, passes()), (0, 0), "the setting removes them");
}
