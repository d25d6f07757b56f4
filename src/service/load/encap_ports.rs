//! The UDP ports of SAs with `encap udp`.

use std::collections::BTreeSet;

use super::keys::{FileCommand, ids};
use crate::keyfile::SaCommand;
use crate::policy::udp_port;
use crate::sadb::SadbTarget;
use crate::sys::net::udp_encap;

/// A local UDP port on which SAs receive ESP in UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EncapPort {
    pub(crate) port: u16,
    pub(crate) is_ipv6: bool,
}

/// The ports on which the SAs that `commands` add receive.
pub(crate) fn encap_ports(commands: &[FileCommand]) -> BTreeSet<EncapPort> {
    commands.iter().filter_map(FileCommand::addition).flat_map(ports_of).collect()
}

fn ports_of(command: &SaCommand) -> impl Iterator<Item = EncapPort> {
    let port = udp_port(&command.request);
    ids(command).filter_map(move |id| Some(EncapPort { port: port?, is_ipv6: id.dst.is_ipv6() }))
}

/// Those of `ports` that no program has a socket on; none if the system does not say.
pub(crate) fn unbound(ports: &BTreeSet<EncapPort>, sadb: &SadbTarget) -> impl Iterator<Item = u16> {
    let is_system = sadb.is_of_system();
    let is_unbound = |encap: &&EncapPort| matches!(udp_encap::is_in_use(encap.port, encap.is_ipv6), Ok(false));
    ports.iter().filter(move |_| is_system).filter(is_unbound).map(|encap| encap.port)
}
