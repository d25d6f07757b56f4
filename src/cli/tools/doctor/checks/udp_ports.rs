//! Linux: the programs that hold the UDP ports of SAs with `encap udp`.

use std::collections::BTreeSet;

use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::service::unusable_ike_port;
use crate::sys::net::udp_encap;

/// Reports an IKE daemon that cannot use its port, because the service holds it.
fn check_ike(findings: &mut Findings) {
    if let Some((found, fix)) = unusable_ike_port() {
        findings.problem("UDP ports", found, fix);
    }
}

/// Reports the holder of each port that own SAs receive on.
pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    check_ike(findings);
    let Some(actual) = &facts.actual else { return };
    let of_own = actual.policy_sas.iter().filter(|sa| facts.own.contains(&sa.id));
    let ports: BTreeSet<(u16, bool)> = of_own.filter_map(|sa| Some((sa.udp_port?, sa.id.dst.is_ipv6()))).collect();
    for (port, is_ipv6) in ports {
        match (udp_encap::is_in_use(port, is_ipv6), udp_encap::holder(port, is_ipv6)) {
            (Ok(true), Some(holder)) => findings.ok("UDP ports", format!("port {port} is held by {holder}")),
            (Ok(_), _) => findings.problem(
                "UDP ports",
                format!("no program has a socket on port {port}, so that ESP in UDP is not received"),
                "set hold_natt_ports = true for manual-key run, or start a program that sets UDP_ENCAP",
            ),
            (Err(error), _) => findings.warn("UDP ports", format!("/proc/net/udp: {error}"), "run `sudo ipseckey doctor`"),
        };
    }
}
