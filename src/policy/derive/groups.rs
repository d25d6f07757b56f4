//! SAs of multicast groups and routing protocols that do not protect what their keys file seems to say.

use std::collections::HashMap;
use std::net::IpAddr;

use super::directions;
use crate::names::protocols::uses_raw_sockets;
use crate::policy::{Net, Policy, PolicyDirection, PolicySa, Selector};
use crate::sa::XfrmMode;
use crate::sa::direction::Directions;

/// Positions of the SAs that are outbound for a group and any source, while no policy protects inbound packets to the group.
pub(super) fn one_way(sas: &[&PolicySa], policies: &[Policy]) -> Vec<usize> {
    let is_for_group = |sa: &PolicySa| sa.declared == Directions::OUTBOUND && sa.id.dst.is_multicast() && sa.src.is_none();
    let is_inbound = |policy: &Policy, sa: &PolicySa| {
        let Selector { dst, proto, .. } = policy.id.selector;
        let is_same = sa.selector.is_some_and(|selector| selector.proto == proto);
        policy.id.direction == PolicyDirection::In && dst == Net::host(sa.id.dst) && is_same
    };
    let is_one_way = |sa: &PolicySa| is_for_group(sa) && !policies.iter().any(|policy| is_inbound(policy, sa));
    sas.iter().enumerate().filter(|(_, sa)| is_one_way(sa)).map(|(position, _)| position).collect()
}

/// Positions of the outbound SAs of a group that another one with another SPI takes all packets of: with the same reqid the kernel
/// sends through the newest only (`xfrm_state_look_at` in net/xfrm/xfrm_state.c), whatever the interface is.
pub(super) fn shadowed(sas: &[&PolicySa], is_local: &dyn Fn(IpAddr) -> bool) -> Vec<usize> {
    let mut newest = HashMap::new();
    let mut found = Vec::new();
    for (position, sa) in sas.iter().enumerate().filter(|(_, sa)| sa.id.dst.is_multicast()) {
        if directions(sa, is_local).is_some_and(|directions| directions.outbound) {
            let traffic = (sa.id.sa_type, sa.selector, sa.reqid, sa.id.mark, sa.if_id, sa.mode);
            found.extend(newest.insert(traffic, position));
        }
    }
    found
}

/// Positions of the outbound SAs of IPv4 that are limited to a protocol whose daemons write the IP header themselves. For such a
/// socket (IP_HDRINCL) the kernel looks up policies and SAs with the protocol 255 (`raw_sendmsg` in net/ipv4/raw.c).
pub(super) fn of_raw_sockets(sas: &[&PolicySa], is_local: &dyn Fn(IpAddr) -> bool) -> Vec<usize> {
    let is_limited = |sa: &PolicySa| {
        sa.id.dst.is_ipv4() && sa.mode == XfrmMode::TRANSPORT && sa.selector.is_some_and(|sel| uses_raw_sockets(sel.proto))
    };
    let is_outbound = |sa: &PolicySa| directions(sa, is_local).is_some_and(|directions| directions.outbound);
    let found = sas.iter().enumerate().filter(|(_, sa)| is_limited(sa) && is_outbound(sa));
    found.map(|(position, _)| position).collect()
}
