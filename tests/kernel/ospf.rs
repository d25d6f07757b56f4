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

/// The SPI of a generated file.
fn spi_of(keys: &str) -> &str {
    value_of(keys, "spi")
}

/// The word after `name` in a generated file.
fn value_of<'a>(keys: &'a str, name: &str) -> &'a str {
    keys.split_whitespace().skip_while(|word| *word != name).nth(1).expect("a value")
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

    #[track_caller]
    fn assert_protected(self, protected: &str) {
        assert_protects(self.capture, protected);
        drop(self.link);
    }
}

/// Only packets that match `protected` have been sent.
#[track_caller]
fn assert_protects(capture: Capture, protected: &str) {
    let packets = capture.stop();
    assert_ne!(packets.lines(protected), [""; 0]);
    assert_eq!(packets.lines(&format!("not {protected}")), [""; 0], "packets in clear");
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
            let doctor = router.space.ipseckey("doctor --for 0").out;
            let expected = "every SA has a policy, and every policy has an SA";
            assert!(doctor.contains(expected) && !doctor.contains("  policies: SAs protect"), "{doctor}");
        }
        network.assert_protected(protected);
    }
}

/// The keys file of a router on two links, and a neighbour on each.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn ospf_on_two_links() {
    let [first, second] = [Link::new(), Link::new()];
    let routers = [Router::on(&first, 1), Router::on(&first, 2), Router::on(&second, 3)];
    second.plug(&routers[0].space, "eth1", 1);
    let captures = [&first, &second].map(|link| Capture::on(&link.0, IP6));
    let shared = keys("The keys file").remove(0);
    for router in &routers {
        start_service(router, &shared, &settings());
    }
    routers[0].start_ospf6(&["eth0", "eth1"]);
    routers[1..].iter().for_each(|router| router.start_ospf6(&["eth0"]));
    for (router, neighbours) in routers.iter().zip([2, 1, 1]) {
        router.wait_for_full(neighbours);
    }
    for capture in captures {
        assert_protects(capture, "esp");
    }
    // A key for each link: the links would share the SA that was added last.
    let other = shared.replace(spi_of(&shared), "0x1001");
    let router = Router::new(4);
    let service = service(&router, &(shared + &other), &settings());
    let printed = service.run("plan").err;
    let checked = service.shell("ipseckey -c /etc/inet/secret/ipseckeys").err;
    assert!(printed.contains("a later SA for the same group has another SPI"), "{printed}");
    assert!(checked.contains("warning[IK060]"), "{checked}");
}

/// A key for each link, with the policies that the page adds by hand: each link sends through its own SAs.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn ospf_on_two_links_with_a_key_each() {
    let [first, second] = [Link::new(), Link::new()];
    let routers = [Router::on(&first, 1), Router::on(&first, 2), Router::on(&second, 3)];
    second.plug(&routers[0].space, "eth1", 1);
    let captures = [&first, &second].map(|link| Capture::on(&link.0, IP6));
    let files = [keys("The keys file").remove(0), keys("The keys file").remove(0)];
    assert_ne!(value_of(&files[0], "reqid"), value_of(&files[1], "reqid"));
    let [outbound, inbound] = &blocks("A router on several links", "sh")[..] else { panic!("two blocks") };
    let run = |router: &Router, commands: &str| {
        commands.lines().for_each(|line| drop(router.space.ip(line.strip_prefix("ip ").expect("a command of ip"))));
    };
    let links: [&[_]; 3] = [&[("eth0", 0), ("eth1", 1)], &[("eth0", 0)], &[("eth0", 1)]];
    for (router, links) in routers.iter().zip(links) {
        let loaded: String = links.iter().map(|(_, file)| files[*file].as_str()).collect();
        for (device, file) in links {
            let of_link = outbound.replace("eth0", device).replace("REQID", value_of(&files[*file], "reqid"));
            run(router, &of_link);
        }
        run(router, inbound);
        let started = service(router, &loaded, "flush = \"owned\"").run("start");
        assert_eq!(started.status, 0, "{started:?}");
    }
    routers[0].start_ospf6(&["eth0", "eth1"]);
    routers[1..].iter().for_each(|router| router.start_ospf6(&["eth0"]));
    for (router, neighbours) in routers.iter().zip([2, 1, 1]) {
        router.wait_for_full(neighbours);
    }
    for (capture, keys) in captures.into_iter().zip(&files) {
        assert_protects(capture, &format!("esp and ip6[40:4] = {}", spi_of(keys)));
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn ripng_and_pim_with_the_files_of_the_page() {
    let network = Network::new(2);
    let pim = Capture::on(&network.link.0, "ip and not igmp");
    let settings = settings().replace("[\"ospf\"]", "[\"ripng\", \"pim-ipv4\"]");
    network.routers[0].space.ip("addr add 2001:db8:1::1/64 dev lo nodad");
    let of_pim = blocks("OSPF and PIM for IPv4", "keys").concat();
    let shared = keys("RIPng and PIM").remove(0) + &of_pim;
    for router in &network.routers {
        start_service(router, &shared, &settings);
        router.start("zebra", "");
        router.start("ripngd", "router ripng\n network eth0\n redistribute connected\n timers basic 5 15 10\n");
        router.start("pimd", "interface eth0\n ip pim\n ip pim hello 1 4\n");
    }
    wait_until("no route", || network.routers[1].show("show ipv6 ripng").contains("2001:db8:1::/64"));
    for (router, other) in network.routers.iter().zip(["10.0.0.2", "10.0.0.1"]) {
        wait_until("no neighbour", || router.show("show ip pim neighbor").contains(other));
    }
    assert_protects(pim, "esp");
    let router = Router::new(3);
    let limited = service(&router, &of_pim.replace("13 reqid", "13 proto 103 reqid"), &settings);
    let printed = limited.run("plan").err;
    let checked = limited.shell("ipseckey -c /etc/inet/secret/ipseckeys").err;
    assert!(printed.contains("Linux does not see the protocol; remove proto"), "{printed}");
    assert!(checked.contains("warning[IK061]"), "{checked}");
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
            let states = router.space.ip("xfrm state list");
            assert_eq!((states.matches("spi ").count(), states.matches(spi_of(&new)).count()), (4, 4), "{states}");
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
    let doctor = router.space.ipseckey("doctor --for 0").out;
    assert!(doctor.contains(gap) && doctor.contains("set protect = [\"ospf\"]"), "{doctor}");

    service.set_all(&settings());
    assert_eq!(service.run("refresh").status, 0);
    assert!(!router.space.ipseckey("doctor --for 0").out.contains(gap));
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
