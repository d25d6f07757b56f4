//! docs/nat-t.md: a host, a NAT and a peer behind it.

use std::fs;
use std::process::Command;

use super::machine::Machine;
use super::page::Page;
use super::{KEYS, assert_protected, reaches};
use crate::capture::Capture;
use crate::space::Space;

struct Network {
    host: Machine,
    peer: Machine,
    nat: Space,
    internet: Space,
}

impl Network {
    fn new() -> Self {
        let network = Self { host: Machine::new(), peer: Machine::new(), nat: Space::new(), internet: Space::new() };
        let Self { host, peer, nat, internet } = &network;
        connect(internet, "port1", "198.51.100.254/24", &host.space, "198.51.100.1/24");
        connect(internet, "port2", "203.0.113.254/24", nat, "203.0.113.7/24");
        connect(nat, "inside", "10.0.0.254/24", &peer.space, "10.0.0.7/24");
        host.space.ip("route add default via 198.51.100.254");
        nat.ip("route add default via 203.0.113.254");
        peer.space.ip("route add default via 10.0.0.254");
        for router in [nat, internet] {
            router.inside(|| fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("forwards"));
        }
        for rule in
            ["POSTROUTING -o eth0 -j MASQUERADE", "PREROUTING -i eth0 -p udp --dport 4500 -j DNAT --to 10.0.0.7:4500"]
        {
            let mut command = Command::new("iptables-legacy");
            command.args(["-t", "nat", "-A"]).args(rule.split(' '));
            nat.run(command).succeeded();
        }
        network
    }
}

/// Connects a router, with the interface `port`, and a host, with the interface eth0.
fn connect(router: &Space, port: &str, router_address: &str, host: &Space, address: &str) {
    host.ip(&format!("link add eth0 type veth peer name {port} netns {}", router.path()));
    for (space, device, address) in [(router, port, router_address), (host, "eth0", address)] {
        space.ip(&format!("addr add {address} dev {device}"));
        space.ip(&format!("link set {device} up"));
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_nat() {
    let (network, page) = (Network::new(), Page::new("nat-t.md", 5));
    let Network { host, peer, internet, .. } = &network;
    host.run(page.block(1)).succeeded();
    host.run(page.block(2)).succeeded();
    fs::create_dir_all(peer.file("/etc/inet/secret")).expect("a directory");
    fs::copy(host.file("/etc/inet/secret/peer.keys"), peer.file(KEYS)).expect("the file is copied");
    for (machine, route) in [(host, 4), (peer, 5)] {
        let shown = machine.run(page.block(3)).succeeded();
        assert!(shown.contains("1 link, 2 SAs, all with policies"), "{shown}");
        machine.run(page.block(route)).succeeded();
    }
    let capture = Capture::on(internet, "ip");
    assert!(reaches(&peer.space, "10.9.0.1"), "through the NAT");
    assert!(reaches(&host.space, "10.9.0.2"), "through the NAT");
    assert_protected(capture, "udp port 4500");
}
