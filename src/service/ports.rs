//! `hold_natt_ports`: the UDP ports from which the SAs of the service receive, held so that Linux takes their ESP out of UDP.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::config::Config;
use super::event::Event;
use super::log::Log;
use super::owned::Owned;
use crate::sa::{AddressRole, Flags, Message, SaType};
use crate::sadb::SadbError;
use crate::sys::udp_port::UdpPort;

/// Number, and whether it is of IPv6.
type Port = (u16, bool);

/// The ports that are held now.
#[derive(Default)]
pub(super) struct Ports(BTreeMap<Port, UdpPort>);

impl Ports {
    /// Holds what the SAs want that there are now, and nothing else. A port that cannot be had is logged.
    ///
    /// # Errors
    /// The SADB's.
    pub(super) fn follow(&mut self, config: &Config, log: &mut dyn Log) -> Result<(), SadbError> {
        let wanted = if config.holds_natt_ports { wanted(config)? } else { BTreeSet::new() };
        self.0.retain(|port, _| wanted.contains(port));
        for (port, is_ipv6) in wanted {
            if self.0.contains_key(&(port, is_ipv6)) {
                continue;
            }
            match UdpPort::hold(port, is_ipv6) {
                Ok(held) => {
                    self.0.insert((port, is_ipv6), held);
                    log.event(&Event::Holds { port });
                }
                Err(error) => log.event(&Event::NoPort { port, error: &error }),
            }
        }
        Ok(())
    }
}

/// The ports of the service's own SAs, or of all if all are its to flush.
fn wanted(config: &Config) -> Result<BTreeSet<Port>, SadbError> {
    let owned = config.record.as_deref().map(Owned::read).transpose()?;
    let mut wanted = BTreeSet::new();
    config.sadb.open()?.dump(SaType::ESP, &mut |message| {
        if owned.as_ref().is_none_or(|owned| owned.has(message)) {
            wanted.extend(port(message));
        }
        ControlFlow::Continue(())
    })?;
    Ok(wanted)
}

/// The local UDP port of an SA with `encap udp`.
fn port(message: &Message) -> Option<Port> {
    let association = message.association()?;
    let is_natt = association.flags.has(Flags::NATT_LOC) || association.flags.has(Flags::NATT_REM);
    let local = message.address(AddressRole::NattLocal).filter(|local| is_natt && local.port != 0)?;
    let dst = message.address(AddressRole::Destination)?.addr?;
    Some((local.port, dst.to_canonical().is_ipv6()))
}
