//! The UDP ports of SAs with `encap udp`. Linux takes their ESP out of UDP only where some program has a socket on the port:
//! with `hold_natt_ports` a service that stays has; and that nobody has one is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::keyfile::Verb;
use crate::policy::udp_port;
use crate::sadb::SadbTarget;
use crate::service::config::Config;
use crate::service::load::keys::{Action, Numbered};
use crate::service::log::Log;
use crate::service::log::event::Event;
use crate::sys::net::udp_encap::{self, UdpPort};

/// Number, and whether it is of IPv6.
pub(crate) type Port = (u16, bool);

/// The ports from which the SAs that `commands` add receive.
pub(crate) fn asked(commands: &[Numbered]) -> BTreeSet<Port> {
    let mut ports = BTreeSet::new();
    for Numbered { action, .. } in commands {
        let Action::Sa(command) = action else { continue };
        let Some(port) = udp_port(&command.request).filter(|_| command.verb == Verb::Add) else { continue };
        let said = command.request.dst.map(|dst| dst.addr);
        let ends = command.targets.iter().filter_map(|target| target.dst.or(said));
        ports.extend(ends.map(|dst| (port, dst.to_canonical().is_ipv6())));
    }
    ports
}

/// Warns about `ports` from which nothing is received, since no program holds them. Where the system does not tell, one may.
pub(crate) fn warn(ports: &BTreeSet<Port>, config: &Config, log: &mut dyn Log) {
    if !matches!(config.sadb, SadbTarget::Auto | SadbTarget::Xfrm | SadbTarget::PfKey) {
        return;
    }
    for (port, is_ipv6) in ports {
        if matches!(udp_encap::is_in_use(*port, *is_ipv6), Ok(false)) {
            log.event(&Event::NobodyHolds { port: *port });
        }
    }
}

/// The ports that are held now.
#[derive(Default)]
pub(crate) struct Ports(BTreeMap<Port, UdpPort>);

impl Ports {
    /// Holds the `asked` ports, and no others; or none, if they are for others to hold.
    pub(crate) fn follow(&mut self, asked: BTreeSet<Port>, config: &Config, log: &mut dyn Log) {
        if !config.holds_natt_ports {
            self.0.clear();
            return warn(&asked, config, log);
        }
        self.0.retain(|port, _| asked.contains(port));
        for (port, is_ipv6) in asked {
            if self.0.contains_key(&(port, is_ipv6)) {
                continue;
            }
            match UdpPort::bind(port, is_ipv6) {
                Ok(held) => {
                    self.0.insert((port, is_ipv6), held);
                    log.event(&Event::Holds { port });
                }
                Err(error) => log.event(&Event::NoPort { port, error: &error }),
            }
        }
    }
}
