//! OSPF for IPv6 of FRR, protected by the keys files and settings of docs/ospfv3.md.

use std::process::Command;

use crate::capture::Capture;
use crate::frr::{Link, Router, wait_until};
use crate::guard::Guard;
use crate::space::Space;

const AH: &str = include_str!("../../examples/ospfv3.keys");
/// Without neighbour discovery and reports of group members, which come behind a hop-by-hop header.
const IP6: &str = "ip6 and not icmp6 and not ip6 proto 0";
const SETTINGS: &str = "refresh = \"reconcile\"\nprotect = [\"ospf\"]\n";

#[track_caller]
fn start_service<'a>(router: &'a Router, keys: &str, settings: &str) -> Guard<'a> {
    let service = Guard::new(&router.space, keys, settings);
    let started = service.run("start");
    assert_eq!((started.status, started.err.as_str()), (0, ""), "{}", started.out);
    service
}

/// Routers on a link of their own that run OSPF through the SAs of `keys`, and a capture of what they send.
struct Network {
    link: Link,
    routers: Vec<Router>,
    capture: Capture,
}

impl Network {
    fn start(routers: u8, keys: &str) -> Self {
        let link = Link::new();
        let routers: Vec<Router> = (1..=routers).map(|number| Router::on(&link, number)).collect();
        let capture = Capture::on(&link.0, IP6);
        for router in &routers {
            start_service(router, keys, SETTINGS);
            router.start_ospf6(&["eth0"]);
        }
        Self { link, routers, capture }
    }

    /// Every router has every other one as a neighbour, and only packets that match `protected` have been sent.
    #[track_caller]
    fn assert_protected(self, protected: &str) {
        self.routers.iter().for_each(|router| router.wait_for_full(self.routers.len() - 1));
        for router in &self.routers {
            let doctor = router.space.ipseckey("doctor").out;
            let expected = "every SA has a policy, and every policy has an SA";
            assert!(doctor.contains(expected) && !doctor.contains("  policies: SAs protect"), "{doctor}");
        }
        let packets = self.capture.stop();
        assert_ne!(packets.lines(protected), [""; 0]);
        assert_eq!(packets.lines(&format!("not {protected}")), [""; 0], "packets in clear");
        drop(self.link);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn ospf_with_each_protocol() {
    let esp = AH.replace("add ah", "add esp");
    let null = esp.replace("auth_alg", "encr_alg null auth_alg");
    let aes = esp.replace("auth_alg", "encr_alg aes encrkey 5df1a1fb5b5c1b6a28b7dac7cc4c8b9c auth_alg");
    let third = AH.lines().last().expect("an SA").replace("fe80::2", "fe80::3");
    let started = [(3, AH.to_owned() + &third, "ah"), (2, null, "esp"), (2, aes, "esp")]
        .map(|(routers, keys, protected)| (Network::start(routers, &keys), protected));
    for (network, protected) in started {
        network.assert_protected(protected);
    }
}

/// A host without keys on the link. It sends one hello to each address of the router.
struct Stranger(Space);

impl Stranger {
    const ADDRESSES: [&str; 7] = ["ff02::1", "ff02::5", "ff02::6", "fe80::1", "fe80::aa", "2001:db8:1::1", "2001:db8:2::1"];

    /// Gives `router` the addresses that its SAs are not for.
    fn on(link: &Link, router: &Router) -> Self {
        for addr in ["fe80::aa/64 dev eth0", "2001:db8:1::1/64 dev eth0", "2001:db8:2::1/128 dev lo"] {
            router.space.ip(&format!("addr add {addr} nodad"));
        }
        let space = Space::new();
        link.plug(&space, "eth0", 6);
        space.ip("addr add 2001:db8:1::6/64 dev eth0 nodad");
        space.ip("-6 route add 2001:db8:2::/64 via fe80::1 dev eth0");
        Self(space)
    }

    fn send(&self, addresses: &[&str]) {
        let mut command = Command::new("python3");
        command.args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernel/hello.py"), "eth0"]).args(addresses);
        self.0.run(command).succeeded();
    }
}

fn dropped(router: &Router) -> u64 {
    ["XfrmInPolBlock", "XfrmInTmplMismatch"].iter().map(|counter| router.space.xfrm_stat(counter)).sum()
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn protect_closes_ospf_to_hosts_without_keys() {
    let link = Link::new();
    let router = Router::on(&link, 1);
    let stranger = Stranger::on(&link, &router);
    let service = start_service(&router, AH, "refresh = \"reconcile\"");
    router.start_ospf6(&["eth0"]);
    let has_neighbour = || router.neighbours().contains("6.6.6.6");
    // A designated router listens to ff02::6 as well.
    wait_until("not designated", || router.show("show ipv6 ospf6 interface eth0").contains("State DR"));
    stranger.send(&["ff02::1"]);
    wait_until("without protect no neighbour", has_neighbour);
    let gap = "SAs protect ospf to some addresses";
    let doctor = router.space.ipseckey("doctor").out;
    assert!(doctor.contains(gap) && doctor.contains("set protect = [\"ospf\"]"), "{doctor}");

    service.set(SETTINGS);
    assert_eq!(service.run("refresh").status, 0);
    assert!(!router.space.ipseckey("doctor").out.contains(gap));
    let status = service.query("status");
    assert!(status.contains("protect   ospf\n") && !status.contains("problem"), "{status}");
    wait_until("the neighbour stays", || !has_neighbour());
    let before = dropped(&router);
    stranger.send(&Stranger::ADDRESSES);
    wait_until("the hellos do not arrive", || dropped(&router) - before >= 7);
    assert_eq!((has_neighbour(), dropped(&router) - before), (false, 7));

    service.run("stop").succeeded();
    let blocks = || router.space.ip("xfrm policy list").matches("src ::/0 dst ::/0 proto ospf").count();
    assert_eq!(blocks(), 2, "closed after a stop");
    service.run("stop --open").succeeded();
    assert_eq!(blocks(), 0);
}
