//! The UDP ports of SAs with `encap udp`. Linux decapsulates ESP in UDP only on ports with a socket that has UDP_ENCAP set:
//! with `hold_natt_ports` the daemon opens them, also later, when another program closes them; without, a port that no program has
//! is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, Instant};

use crate::service::config::Config;
use crate::service::load::encap_ports::{self, EncapPort};
use crate::service::load::ike_port;
use crate::service::log::Log;
use crate::service::log::event;
use crate::sys::net::udp_encap::{self, UdpPort};

/// Time between two attempts to open a port that another program has.
const RETRY: Duration = Duration::from_secs(2);

/// Warns about each of `ports` that no program has a socket on, and names the holders of the others.
pub(crate) fn report_holders(ports: &BTreeSet<EncapPort>, config: &Config, log: &mut dyn Log) {
    if !config.sadb.is_of_system() {
        return;
    }
    encap_ports::unbound(ports, &config.sadb).for_each(|port| log.event(&event::daemon::udp_port_unbound(port)));
    for EncapPort { port, is_ipv6 } in ports {
        if let Some(holder) = udp_encap::holder(*port, *is_ipv6) {
            log.event(&event::daemon::udp_port_held(*port, &holder));
        }
    }
}

/// The ports that the daemon has bound, and those that it waits for.
#[derive(Default)]
pub(super) struct BoundPorts {
    bound: BTreeMap<EncapPort, UdpPort>,
    /// Those that other programs have.
    awaited: BTreeSet<EncapPort>,
    /// The last attempt.
    tried: Option<Instant>,
}

impl BoundPorts {
    /// Binds `ports` and closes all others; with `hold_natt_ports = false` closes all.
    pub(super) fn update(&mut self, ports: &BTreeSet<EncapPort>, config: &Config, log: &mut dyn Log) {
        self.awaited.clear();
        if !config.hold_natt_ports {
            self.bound.clear();
            return report_holders(ports, config, log);
        }
        // A port of the last load stays open, so that no packet is lost during a refresh.
        self.bound.retain(|port, _| ports.contains(port));
        ports.iter().for_each(|port| self.bind(*port, log));
        self.tried = Some(Instant::now());
        if let Some((port, managers)) = ike_port::conflict(&self.held()) {
            log.event(&event::daemon::ike_port_held(port, &managers));
        }
    }

    /// The ports that the daemon has, without repetition.
    pub(super) fn held(&self) -> Vec<u16> {
        self.bound.keys().map(|encap| encap.port).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Time until [`Self::retry`] is due; `Duration::MAX` if no port is awaited.
    pub(super) fn remaining(&self) -> Duration {
        match self.tried {
            Some(tried) if !self.awaited.is_empty() => RETRY.saturating_sub(tried.elapsed()),
            _ => Duration::MAX,
        }
    }

    /// Binds the awaited ports that have become free.
    /// Returns whether there are any.
    pub(super) fn retry(&mut self, log: &mut dyn Log) -> bool {
        let before = self.bound.len();
        self.awaited.clone().into_iter().for_each(|port| self.bind(port, log));
        self.tried = Some(Instant::now());
        self.bound.len() > before
    }

    fn bind(&mut self, encap: EncapPort, log: &mut dyn Log) {
        let EncapPort { port, is_ipv6 } = encap;
        if self.bound.contains_key(&encap) {
            return;
        }
        match UdpPort::bind(port, is_ipv6) {
            Ok(bound) => {
                self.bound.insert(encap, bound);
                self.awaited.remove(&encap);
                log.event(&event::daemon::udp_port_bound(port));
            }
            // Reported once, not at each attempt.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if self.awaited.insert(encap) {
                    let holder = udp_encap::holder(port, is_ipv6);
                    log.event(&event::daemon::udp_port_in_use(port, holder.as_deref()));
                }
            }
            Err(error) => {
                self.awaited.remove(&encap);
                log.event(&event::daemon::udp_port_failed(port, &error));
            }
        }
    }
}
