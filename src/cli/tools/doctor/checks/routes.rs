//! The route to each peer and to the network behind it: whether there is one, its source address, and the size of its packets.

use std::collections::HashSet;
use std::net::IpAddr;

use super::size::largest_packet;
use crate::cli::tools::doctor::actual::Details;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::policy::derive::directions;
use crate::policy::{Net, PolicySa};
use crate::sa::XfrmMode;
use crate::sa::direction::Directions;
use crate::sadb::{Route, route_to};

/// Outbound SAs whose routes are looked up.
const LINKS: usize = 64;
/// RFC 8200 section 5: the smallest MTU of IPv6.
const LEAST_MTU: u32 = 1280;

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(actual) = &facts.actual else { return };
    let mut seen = HashSet::new();
    let is_outbound = |sa: &PolicySa| directions(sa, &|addr| facts.is_local(addr)) == Some(Directions::OUTBOUND);
    let own = actual.iter().filter(|(sa, _)| facts.own.contains(&sa.id) && is_outbound(sa) && !sa.id.dst.is_multicast());
    for (sa, details) in own {
        if seen.len() < LINKS && seen.insert((sa.id.dst, sa.mode, sa.selector)) {
            check_sa(facts, sa, details, findings);
        }
    }
}

fn check_sa(facts: &Facts<'_>, sa: &PolicySa, details: &Details, findings: &mut Findings) {
    let Some(own) = &facts.local else { return };
    let peer = sa.id.dst;
    let local = sa.src_or_any();
    match route_to(peer) {
        Err(error) => {
            let fix = format!("add a route to {peer}: `ip route add {peer} via GATEWAY`");
            findings.problem("route", format!("none to {peer}: {error}"), fix).on(local, peer);
            return;
        }
        Ok(route) => {
            judge(sa, details, &route, findings);
            if sa.mode == XfrmMode::TRANSPORT {
                judge_source(sa, &route, Net::host(local), own, findings);
            }
        }
    }
    let Some(selector) = sa.selector.filter(|_| sa.mode != XfrmMode::TRANSPORT) else { return };
    let inner = first_host(selector.dst);
    match route_to(inner) {
        Err(error) => {
            let own = own.iter().filter(|addr| selector.src.covers(Net::host(**addr))).min();
            let src = own.map(|addr| format!(" src {addr}")).unwrap_or_default();
            let fix = format!("run `ip route add {} via {peer}{src}`, or the same over the gateway to {peer}", selector.dst);
            let cause = "packets are routed before a policy is looked up";
            let found = format!("none to {}, behind the tunnel: {error}", selector.dst);
            findings.problem("route", found, fix).on(local, peer).because(cause);
        }
        Ok(route) => judge_source(sa, &route, selector.src, own, findings),
    }
}

/// An address of the network that a host may have.
fn first_host(net: Net) -> IpAddr {
    match net.addr() {
        addr if net.free_bits() < 2 => addr,
        IpAddr::V4(addr) => std::net::Ipv4Addr::from_bits(addr.to_bits() | 1).into(),
        IpAddr::V6(addr) => std::net::Ipv6Addr::from_bits(addr.to_bits() | 1).into(),
    }
}

/// The interface and the sizes.
fn judge(sa: &PolicySa, details: &Details, route: &Route, findings: &mut Findings) {
    let (local, peer) = (sa.src_or_any(), sa.id.dst);
    let Route { interface, mtu, .. } = route;
    if !route.is_up {
        let fix = format!("check the cable, then run `ip link set {interface} up`");
        findings.problem("route", format!("{interface}, the interface to {peer}, is down"), fix).on(local, peer);
        return;
    }
    let largest = largest_packet(sa, details, *mtu);
    let via = route.gateway.map(|gateway| format!(" over {gateway}")).unwrap_or_default();
    let found = format!("{peer}{via} via {interface}, MTU {mtu}: packets of up to {largest} bytes fit");
    let is_ipv6 = sa.selector.map_or(peer, |selector| selector.dst.addr()).is_ipv6();
    if is_ipv6 && largest < LEAST_MTU {
        let fix =
            format!("raise the MTU of {interface} to {} at least: `ip link set {interface} mtu`", LEAST_MTU + mtu - largest);
        findings.problem("route", found, fix).on(local, peer).because("IPv6 needs packets of 1280 bytes");
    } else {
        findings.ok("route", found).on(local, peer);
    }
}

/// Packets of this host with another source address do not match the policy.
fn judge_source(sa: &PolicySa, route: &Route, protected: Net, own: &HashSet<IpAddr>, findings: &mut Findings) {
    let Some(source) = route.source.filter(|source| !protected.covers(Net::host(*source))) else { return };
    let peer = sa.selector.map_or(Net::host(sa.id.dst), |selector| selector.dst);
    // A gateway without an address in its own network only forwards.
    let Some(better) = own.iter().filter(|addr| protected.covers(Net::host(**addr))).min() else { return };
    let found =
        format!("packets of this host to {peer} have the source {source}, which is not in {protected}: no SA protects them");
    let to = route.gateway.map(|gateway| format!("via {gateway}")).unwrap_or_else(|| format!("dev {}", route.interface));
    let fix = format!("run `ip route replace {peer} {to} src {better}`");
    findings.warn("route", found, fix).on(sa.src_or_any(), sa.id.dst);
}
