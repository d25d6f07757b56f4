//! The networks of the documents: two hosts, and a network behind each.

use std::fs;

use super::machine::Machine;
use crate::capture::Capture;
use crate::space::Space;

/// Two hosts, 192.0.2.1 and 192.0.2.2, with the interface eth0 on one cable, and their default routes to each other.
pub struct Site {
    pub here: Machine,
    pub there: Machine,
    /// The cable, where everything between the two can be captured.
    pub switch: Space,
}

impl Site {
    pub fn new() -> Self {
        let site = Self { here: Machine::new(), there: Machine::new(), switch: Space::new() };
        site.switch.ip("link add switch up type bridge mcast_snooping 0");
        for (machine, own, other) in [(&site.here, 1, 2), (&site.there, 2, 1)] {
            plug(&site.switch, &machine.space, "eth0", own, &format!("192.0.2.{own}/24"));
            machine.space.ip(&format!("route add default via 192.0.2.{other}"));
        }
        site
    }

    /// A host behind each: 10.1.0.7 here and 10.2.0.7 there, with eth1 of the two hosts as their gateways 10.1.0.1 and
    /// 10.2.0.1.
    pub fn inside(&self) -> [Space; 2] {
        [(&self.here, 1), (&self.there, 2)].map(|(gateway, net)| {
            let host = Space::new();
            gateway.space.ip(&format!("link add eth1 type veth peer name eth0 netns {}", host.path()));
            gateway.space.ip(&format!("addr add 10.{net}.0.1/24 dev eth1"));
            gateway.space.ip("link set eth1 up");
            host.ip(&format!("addr add 10.{net}.0.7/24 dev eth0"));
            host.ip("link set eth0 up");
            host.ip(&format!("route add default via 10.{net}.0.1"));
            host
        })
    }

    /// Captures packets between the two hosts.
    pub fn capture(&self, filter: &str) -> Capture {
        Capture::on(&self.switch, filter)
    }

    /// Copies a file from one host to the same path of the other, as `scp -p` does.
    pub fn copy(&self, path: &str) {
        let target = self.there.file(path);
        fs::create_dir_all(target.parent().expect("a directory")).expect("a directory");
        fs::copy(self.here.file(path), target).expect("the file is copied");
    }
}

/// Connects `space` to port `number` of a switch with an interface.
pub fn plug(switch: &Space, space: &Space, device: &str, number: u8, address: &str) {
    space.ip(&format!("link add {device} type veth peer name port{number} netns {}", switch.path()));
    switch.ip(&format!("link set port{number} up master switch"));
    space.ip(&format!("addr add {address} dev {device}"));
    space.ip(&format!("link set {device} up"));
}
