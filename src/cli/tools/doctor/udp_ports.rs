//! Linux: the programs that hold the UDP ports of SAs with `encap udp`.

use std::collections::{BTreeSet, HashSet};

use super::report::HealthReport;
use crate::policy::PolicySa;
use crate::sa::SaId;
use crate::service::unusable_ike_port;
use crate::sys::net::udp_encap;

/// Reports an IKE daemon that cannot use its port, because the service holds it.
pub(super) fn check_ike(report: &mut HealthReport) {
    if let Some((found, fix)) = unusable_ike_port() {
        report.problem("UDP ports", found, fix);
    }
}

/// Reports the holder of each port that SAs in `own` receive on.
pub(super) fn check(sas: &[PolicySa], own: &HashSet<SaId>, report: &mut HealthReport) {
    let of_own = sas.iter().filter(|sa| own.contains(&sa.id));
    let ports: BTreeSet<(u16, bool)> = of_own.filter_map(|sa| Some((sa.udp_port?, sa.id.dst.is_ipv6()))).collect();
    for (port, is_ipv6) in ports {
        match (udp_encap::is_in_use(port, is_ipv6), udp_encap::holder(port, is_ipv6)) {
            (Ok(true), Some(holder)) => report.ok("UDP ports", format!("port {port} is held by {holder}")),
            (Ok(_), _) => report.problem(
                "UDP ports",
                format!("no program has a socket on port {port}, so that ESP in UDP is not received"),
                "set hold_natt_ports = true for manual-key run, or start a program that sets UDP_ENCAP",
            ),
            (Err(error), _) => report.warn("UDP ports", format!("/proc/net/udp: {error}"), "run `sudo ipseckey doctor`"),
        }
    }
}
