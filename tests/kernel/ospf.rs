//! OSPF for IPv6 of FRR, protected by the keys files and settings of docs/ospfv3.md.

use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::capture::Capture;
use crate::frr::{Link, Router, wait_until};
use crate::guard::{Guard, stop_daemon};
use crate::space::Space;

const PAGE: &str = include_str!("../../docs/ospfv3.md");
const AH: &str = include_str!("../../examples/ospfv3.keys");
/// Without neighbour discovery and reports of group members, which come behind a hop-by-hop header.
const IP6: &str = "ip6 and not icmp6 and not ip6 proto 0";

/// The blocks of a language in a section of the page.
fn blocks(section: &str, language: &str) -> Vec<String> {
    let (_, text) = PAGE.split_once(&format!("\n## {section}\n")).expect("the section");
    let text = text.split("\n## ").next().expect("its text");
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1);
    parts
        .map(|part| part.split("```").next().expect("an end").lines().map(|line| format!("{}\n", line.trim())).collect())
        .collect()
}

fn settings() -> String {
    blocks("The settings", "toml").concat()
}

/// The keys files that the commands of a section make.
fn keys(section: &str) -> Vec<String> {
    let commands = blocks(section, "sh").concat();
    let space = Space::new();
    let generate = |line: &str| {
        let words = line.split(" -o ").next()?.strip_prefix("ipseckey ")?;
        Some(space.ipseckey(words).succeeded())
    };
    commands.lines().filter_map(generate).collect()
}

/// A service with the properties `settings`, without the `policy` that [`Guard`] has.
fn service<'a>(router: &'a Router, keys: &str, settings: &str) -> Guard<'a> {
    let service = Guard::new(&router.space, keys, "");
    service.set_all(settings);
    service
}

#[track_caller]
fn start_service<'a>(router: &'a Router, keys: &str, settings: &str) -> Guard<'a> {
    let service = service(router, keys, settings);
    let started = service.run("start");
    assert_eq!((started.status, started.err.as_str()), (0, ""), "{}", started.out);
    service
}

/// Routers on a link of their own, and a capture of what they send.
struct Network {
    link: Link,
    routers: Vec<Router>,
    capture: Capture,
}

impl Network {
    fn new(routers: u8) -> Self {
        let link = Link::new();
        let routers = (1..=routers).map(|number| Router::on(&link, number)).collect();
        Self { capture: Capture::on(&link.0, IP6), link, routers }
    }

    /// The routers run OSPF through the SAs of `keys`.
    fn start(routers: u8, keys: &str) -> Self {
        let network = Self::new(routers);
        for router in &network.routers {
            start_service(router, keys, &settings());
            router.start_ospf6(&["eth0"]);
        }
        network
    }

    #[track_caller]
    fn wait_for_full(&self) {
        self.routers.iter().for_each(|router| router.wait_for_full(self.routers.len() - 1));
    }

    /// Only packets that match `protected` have been sent.
    #[track_caller]
    fn assert_protected(self, protected: &str) {
        let packets = self.capture.stop();
        assert_ne!(packets.lines(protected), [""; 0]);
        assert_eq!(packets.lines(&format!("not {protected}")), [""; 0], "packets in clear");
        drop(self.link);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn ospf_with_each_protocol() {
    let [null, aes, ah] = &keys("The keys file")[..] else { panic!("three commands") };
    let started = [(3, null, "esp"), (2, aes, "esp"), (2, ah, "ah")]
        .map(|(routers, keys, protected)| (Network::start(routers, keys), protected));
    for (network, protected) in started {
        network.wait_for_full();
        for router in &network.routers {
            let doctor = router.space.ipseckey("doctor").out;
            let expected = "every SA has a policy, and every policy has an SA";
            assert!(doctor.contains(expected) && !doctor.contains("  policies: SAs protect"), "{doctor}");
        }
        network.assert_protected(protected);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn ripng_with_a_generated_file() {
    let network = Network::new(2);
    let settings = settings().replace("ospf", "ripng");
    network.routers[0].space.ip("addr add 2001:db8:1::1/64 dev lo nodad");
    let shared = keys("RIPng and PIM").remove(0);
    for router in &network.routers {
        start_service(router, &shared, &settings);
        router.start("zebra", "");
        router.start("ripngd", "router ripng\n network eth0\n redistribute connected\n timers basic 5 15 10\n");
    }
    wait_until("no route", || network.routers[1].show("show ipv6 ripng").contains("2001:db8:1::/64"));
    network.assert_protected("esp");
}

/// Packets that came in and were dropped for IPsec.
fn lost(router: &Router) -> u64 {
    let counters = ["XfrmInNoStates", "XfrmInTmplMismatch", "XfrmInPolBlock", "XfrmInStateProtoError", "XfrmOutNoStates"];
    counters.iter().map(|counter| router.space.xfrm_stat(counter)).sum()
}

/// More than the hello interval; OSPF_ROLLOVERS gives the number of rollovers, and then it is more than the dead interval.
const PAUSE: [Duration; 2] = [Duration::from_millis(1200), Duration::from_secs(5)];

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn new_keys_lose_no_neighbour_of_ospf() {
    let rollovers = std::env::var("OSPF_ROLLOVERS").ok().and_then(|count| count.parse().ok());
    let (rollovers, pause) = (rollovers.unwrap_or(3), PAUSE[usize::from(rollovers.is_some())]);
    let network = Network::new(2);
    let first = keys("The keys file").remove(1);
    let services: Vec<Guard> = network.routers.iter().map(|router| service(router, &first, &settings())).collect();
    let daemons: Vec<_> = services.iter().map(Guard::start_daemon).collect();
    network.routers.iter().for_each(|router| router.start_ospf6(&["eth0"]));
    network.wait_for_full();
    let before: Vec<u64> = network.routers.iter().map(lost).collect();
    for _ in 0..rollovers {
        let new = keys("The keys file").remove(1);
        for service in &services {
            service.write_as("keys.new", &new);
        }
        for step in blocks("New keys", "sh") {
            let [one, other] = &services[..] else { panic!("two routers") };
            one.shell(&step).succeeded();
            // Only one of the routers has done the step.
            thread::sleep(pause);
            other.shell(&step).succeeded();
            let check = one.shell("manual-key status --check").out;
            assert!(check.starts_with("OK: "), "{step}{check}");
        }
        for router in &network.routers {
            let spi = new.split_whitespace().skip_while(|word| *word != "spi").nth(1).expect("an SPI");
            let states = router.space.ip("xfrm state list");
            assert_eq!((states.matches("spi ").count(), states.matches(spi).count()), (4, 4), "{states}");
        }
    }
    let lost: Vec<u64> = network.routers.iter().zip(before).map(|(router, before)| lost(router) - before).collect();
    let flaps: Vec<usize> = network.routers.iter().map(Router::flaps).collect();
    assert_eq!((flaps, lost), (vec![0, 0], vec![0, 0]), "flaps and lost packets of {rollovers} rollovers");
    for daemon in daemons {
        stop_daemon(daemon);
    }
    network.assert_protected("esp");
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
    let service = start_service(&router, AH, &settings().replace("protect", "#"));
    router.start_ospf6(&["eth0"]);
    let has_neighbour = || router.neighbours().contains("6.6.6.6");
    // A designated router listens to ff02::6 as well.
    wait_until("not designated", || router.show("show ipv6 ospf6 interface eth0").contains("State DR"));
    stranger.send(&["ff02::1"]);
    wait_until("without protect no neighbour", has_neighbour);
    let gap = "SAs protect ospf to some addresses";
    let doctor = router.space.ipseckey("doctor").out;
    assert!(doctor.contains(gap) && doctor.contains("set protect = [\"ospf\"]"), "{doctor}");

    service.set_all(&settings());
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
