//! The UDP ports of SAs with `encap udp`. Linux decapsulates ESP in UDP only on ports with a socket that has UDP_ENCAP set:
//! with `hold_natt_ports` the daemon opens them; without, a port that no program has is reported.

use std::collections::{BTreeMap, BTreeSet};

use crate::service::config::Config;
use crate::service::load::encap_ports::{self, EncapPort};
use crate::service::log::Log;
use crate::service::log::event;
use crate::sys::net::udp_encap::UdpPort;

/// Warns about each of `ports` that no program has a socket on.
pub(crate) fn warn_unbound(ports: &BTreeSet<EncapPort>, config: &Config, log: &mut dyn Log) {
    encap_ports::unbound(ports, &config.sadb).for_each(|port| log.event(&event::daemon::udp_port_unbound(port)));
}

/// The ports that the daemon has bound.
#[derive(Default)]
pub(super) struct BoundPorts(BTreeMap<EncapPort, UdpPort>);

impl BoundPorts {
    /// Binds `ports` and closes all others; with `hold_natt_ports = false` closes all.
    pub(super) fn update(&mut self, ports: &BTreeSet<EncapPort>, config: &Config, log: &mut dyn Log) {
        if !config.hold_natt_ports {
            self.0.clear();
            return warn_unbound(ports, config, log);
        }
        // A port of the last load stays open, so that no packet is lost during a refresh.
        self.0.retain(|port, _| ports.contains(port));
        for encap @ EncapPort { port, is_ipv6 } in ports {
            if self.0.contains_key(encap) {
                continue;
            }
            match UdpPort::bind(*port, *is_ipv6) {
                Ok(bound) => {
                    self.0.insert(*encap, bound);
                    log.event(&event::daemon::udp_port_bound(*port));
                }
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                    log.event(&event::daemon::udp_port_in_use(*port));
                }
                Err(error) => log.event(&event::daemon::udp_port_failed(*port, &error)),
            }
        }
    }
}
