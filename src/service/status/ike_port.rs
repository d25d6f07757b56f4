//! The port for NAT traversal of IKE, for `doctor`.

use super::state::StateRecord;
use crate::service::config::dirs;
use crate::service::load::ike_port;
use crate::service::log::event::daemon;

/// Text and remedy, if an IKE daemon runs that cannot use its port, because the service has it. None if the state cannot be
/// read.
pub(crate) fn unusable_ike_port() -> Option<(String, &'static str)> {
    let record = StateRecord::read(&dirs::runtime(&|name| std::env::var_os(name))).ok()??;
    let (port, managers) = ike_port::conflict(&record.held_ports)?;
    Some(daemon::unusable_ike_port(port, &managers))
}
