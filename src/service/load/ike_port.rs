//! The port that IKE daemons need for NAT traversal (RFC 7296 section 2.23), while the service has it. A daemon binds its ports once,
//! when it starts: if it finds this one in use, it logs that, and runs on without it.

use crate::sa::NATT_PORT;
use crate::sys::process::key_managers;

/// The port, if it is one of `held` by the service, and the IKE daemons that are running; `None` if there are none.
pub(crate) fn conflict(held: &[u16]) -> Option<(u16, Vec<String>)> {
    let port = *held.iter().find(|port| **port == NATT_PORT)?;
    let running = key_managers::running();
    (!running.is_empty()).then_some((port, running))
}
