//! The policies that SAs need. A pure function: the same SAs give the same policies.
//!
//! | SA | policies |
//! | --- | --- |
//! | outbound | `out` |
//! | inbound, transport mode | `in` |
//! | inbound, tunnel or BEET mode | `in`, and `fwd` for the network behind this host |
//! | inbound and outbound (multicast; the default of a group without a source) | `in` and `out` |
//! | several SAs that differ in the reqid, too | one policy: `out` with the first reqid, `in` with any |
//! | AH and ESP for the same packets | one policy with the templates of both: ESP inside AH |
//! | several SAs that differ in SPI and keys only | one policy |
//! | inbound, ESP in UDP | also an `in` policy that passes the UDP packets, if another policy would drop them |
//! | the setting `protect` | `in` and `out` policies that drop all other packets of the protocol: see [`Protocols`] |
//! | IPv6, if the selector includes them | also `in` or `out` policies that pass neighbour discovery: see [`neighbours`] |

mod groups;
mod neighbours;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::conflicts::{Bundles, Use};
use super::protocols::Protocols;
use super::{Net, Policy, PolicyAction, PolicyDirection, PolicyId, PolicySa, PortMask, Selector, Template};
use crate::sa::direction::{self, Determined, Directions};
use crate::sa::{Masked, XfrmMode};

const IPPROTO_UDP: u8 = 17;
/// The default of the setting `policy_priority`, the priority of the narrowest selector. Policies of `ip xfrm policy` have 0 by
/// default and take precedence; those of IKE daemons have 300,000 and more.
pub(crate) const DEFAULT_PRIORITY: u32 = 10_000;
/// The difference between the priorities of the widest and the narrowest selector.
pub(crate) const PRIORITY_RANGE: u32 = 8 * 256 + 4 + 2;

/// Why an SA has no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPolicy {
    /// No direction flag, and both addresses are local or neither is.
    #[error("its direction cannot be determined from its addresses; specify inbound or outbound")]
    UnknownDirection,
    /// A tunnel without inner addresses.
    #[error("the tunnel has no inner addresses; specify isrc and idst (0.0.0.0/0 or ::/0 for all)")]
    NoInnerSelector,
    /// An inbound policy would drop the unprotected packets of all other hosts.
    #[error("an inbound policy would match all traffic to this host; specify src or proto")]
    TooBroad,
    /// With packet offload a policy must name the network device as well.
    #[error("it is offloaded to a network device, which needs a policy with the same offload; add it with ip xfrm policy")]
    Offloaded,
    /// The SA at this position has a different template for the same packets.
    #[error("conflicts with the policy of an earlier SA for the same traffic (mode or tunnel endpoints)")]
    Conflict(usize),
}

impl NoPolicy {
    /// Whether both print the same text.
    #[must_use]
    pub(crate) fn has_same_text(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// The settings of manual-key.toml about derived policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rules {
    /// Whether neighbour discovery passes in the clear.
    pub(crate) pass_neighbour_discovery: bool,
    /// The priority of the narrowest selector.
    pub(crate) priority: u32,
    /// Protocols whose packets are dropped unless the policy of an SA matches them.
    pub(crate) protect: Protocols,
}

impl Default for Rules {
    fn default() -> Self {
        Self { pass_neighbour_discovery: true, priority: DEFAULT_PRIORITY, protect: Protocols::default() }
    }
}

/// The result of [`derive`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Derived {
    /// In the order of the SAs that need them first.
    pub(crate) policies: Vec<Policy>,
    /// Positions of the SAs without a policy, and the reasons.
    pub(crate) without: Vec<(usize, NoPolicy)>,
    /// Positions of the SAs that only protect what this host sends to a group: what others send to it is accepted unprotected.
    pub(crate) one_way_groups: Vec<usize>,
    /// Positions of the outbound SAs of IPv4 whose protocol the kernel does not see.
    pub(crate) of_raw_sockets: Vec<usize>,
    /// Positions of the SAs of a group that are never used for sending, since a later one for the same packets is.
    pub(crate) shadowed_groups: Vec<usize>,
    /// Positions of the SAs that are outbound, but not used, since an earlier SA for the same packets has another reqid.
    pub(crate) unused_outbound: Vec<usize>,
    /// Positions of the SAs whose directions depend on addresses that may be configured later.
    pub(crate) provisional: Vec<usize>,
    /// Possible policies of these SAs, which they may have had when the host had other addresses. Installed ones are not removed.
    pub(crate) keep_if_present: Vec<PolicyId>,
}

/// Computes the policies that `sas` need. `is_local`: whether an address belongs to this host.
#[must_use]
pub(crate) fn derive(sas: &[&PolicySa], is_local: &dyn Fn(IpAddr) -> bool, rules: Rules) -> Derived {
    let mut bundles = Bundles::default();
    let mut derived = Derived::default();
    for (position, sa) in sas.iter().enumerate() {
        let added = policy_directions(sa, is_local).and_then(|directions| add(&mut bundles, position, sa, &directions));
        if !has_final_directions(sa, is_local) {
            derived.provisional.push(position);
            let ids = ALL_DIRECTIONS.iter().filter_map(|direction| policy_id(sa, *direction));
            derived.keep_if_present.extend(ids);
        }
        match added {
            Ok(Use::Used) => {}
            Ok(Use::Unused) => derived.unused_outbound.push(position),
            Err(reason) => derived.without.push((position, reason)),
        }
    }
    derived.policies = bundles.into_templates().map(|(id, templates)| allow(id, templates, rules)).collect();
    derived.one_way_groups = groups::one_way(sas, &derived.policies);
    derived.of_raw_sockets = groups::of_raw_sockets(sas, is_local);
    derived.shadowed_groups = groups::shadowed(sas, is_local);
    // Last, because a bypass is needed only where one of these policies matches the UDP packets.
    let bypasses: Vec<Policy> =
        sas.iter().filter_map(|sa| udp_bypass_policy(sa, &derived.policies, is_local, rules)).collect();
    for bypass in bypasses {
        if derived.policies.iter().all(|policy| policy.id != bypass.id) {
            derived.policies.push(bypass);
        }
    }
    if rules.pass_neighbour_discovery {
        let passes = neighbours::missing_passes(&derived.policies);
        derived.policies.extend(passes.into_iter().map(|id| allow(id, Vec::new(), rules)));
        let possible: Vec<PolicyId> = derived.keep_if_present.iter().flat_map(neighbours::passes).collect();
        derived.keep_if_present.extend(possible);
    }
    let blocks: Vec<Policy> = rules.protect.blocks().map(|id| block(id, rules)).collect();
    let is_new = |block: &Policy| derived.policies.iter().all(|policy| policy.id != block.id);
    let new: Vec<Policy> = blocks.into_iter().filter(is_new).collect();
    derived.policies.extend(new);
    derived
}

/// The priority of a policy with this selector; `narrowest` is that of the narrowest one. A narrower selector has a lower number,
/// which takes precedence.
#[must_use]
pub(crate) fn priority(selector: &Selector, narrowest: u32) -> u32 {
    let free_bits = u32::from(selector.src.free_bits()) + u32::from(selector.dst.free_bits());
    let any_port = |ports: PortMask| u32::from(ports == PortMask::ANY);
    let any_proto = if selector.proto == 0 { 4 } else { 0 };
    narrowest + 8 * free_bits + any_proto + any_port(selector.src_ports) + any_port(selector.dst_ports)
}

const ALL_DIRECTIONS: [PolicyDirection; 3] = [PolicyDirection::In, PolicyDirection::Out, PolicyDirection::Forward];

/// The identity of an SA's policy; `None` for a tunnel without inner addresses.
fn policy_id(sa: &PolicySa, direction: PolicyDirection) -> Option<PolicyId> {
    // A mark with an empty mask matches every packet, as no mark does.
    let mark = sa.id.mark.filter(|mark| *mark != Masked::default());
    Some(PolicyId { direction, selector: sa.selector?, mark, if_id: sa.if_id })
}

/// The directions of the policies that an SA needs.
fn policy_directions(sa: &PolicySa, is_local: &dyn Fn(IpAddr) -> bool) -> Result<Vec<PolicyDirection>, NoPolicy> {
    let Directions { inbound, outbound } = directions(sa, is_local).ok_or(NoPolicy::UnknownDirection)?;
    let mut directions = Vec::new();
    if outbound {
        directions.push(PolicyDirection::Out);
    }
    if inbound {
        directions.push(PolicyDirection::In);
        // What leaves the tunnel may be for another host: the kernel checks such packets with `fwd`.
        if sa.mode != XfrmMode::TRANSPORT {
            directions.push(PolicyDirection::Forward);
        }
    }
    Ok(directions)
}

/// The directions of an SA; `None` if they cannot be determined.
#[must_use]
pub(crate) fn directions(sa: &PolicySa, is_local: &dyn Fn(IpAddr) -> bool) -> Option<Directions> {
    determine(sa, is_local).map(|determined| determined.directions)
}

/// Whether the directions of an SA are known, and no address that is configured later can change them.
#[must_use]
pub(crate) fn has_final_directions(sa: &PolicySa, is_local: &dyn Fn(IpAddr) -> bool) -> bool {
    determine(sa, is_local).is_some_and(|determined| determined.is_final)
}

fn determine(sa: &PolicySa, is_local: &dyn Fn(IpAddr) -> bool) -> Option<Determined> {
    direction::directions(sa.declared, sa.src, sa.id.dst, is_local)
}

/// Adds the templates of an SA to the policies of its directions.
fn add(bundles: &mut Bundles, position: usize, sa: &PolicySa, directions: &[PolicyDirection]) -> Result<Use, NoPolicy> {
    let selector = sa.selector.ok_or(NoPolicy::NoInnerSelector)?;
    let is_in = directions.contains(&PolicyDirection::In);
    // In a tunnel such a selector is usual: it applies to decapsulated packets only. That of a group applies to its packets only.
    let is_group = selector.dst.addr().is_multicast();
    if is_in && !is_group && selector.proto == 0 && selector.src.free_bits() > 0 && sa.mode == XfrmMode::TRANSPORT {
        return Err(NoPolicy::TooBroad);
    }
    if sa.is_offloaded {
        return Err(NoPolicy::Offloaded);
    }
    let template = template(sa, &selector);
    let ids = directions.iter().filter_map(|direction| policy_id(sa, *direction));
    let mut uses = Use::Used;
    for id in ids {
        if bundles.add(position, id, template).map_err(NoPolicy::Conflict)? == Use::Unused {
            uses = Use::Unused;
        }
    }
    Ok(uses)
}

fn allow(id: PolicyId, templates: Vec<Template>, rules: Rules) -> Policy {
    Policy { id, action: PolicyAction::Allow, priority: priority(&id.selector, rules.priority), templates }
}

/// A policy that applies to what no policy of an SA matches.
fn block(id: PolicyId, rules: Rules) -> Policy {
    let priority = rules.priority + PRIORITY_RANGE + 1;
    Policy { id, action: PolicyAction::Block, priority, templates: Vec::new() }
}

/// The template that matches `sa`. In transport mode its addresses are unspecified: those of the packets apply.
fn template(sa: &PolicySa, selector: &Selector) -> Template {
    let unspecified = Net::any(selector.dst.addr()).addr();
    let (src, dst) = if sa.mode == XfrmMode::TRANSPORT { (unspecified, unspecified) } else { (sa.src_or_any(), sa.id.dst) };
    // No SPI, so that the policy stays when an SA with new keys replaces this one.
    Template { sa_type: sa.id.sa_type, mode: sa.mode, src, dst, spi: 0, reqid: sa.reqid, optional: false }
}

/// A policy that passes the UDP packets around inbound ESP, if one of `policies` matches them. The kernel checks the policies for
/// the UDP packet first, before the encapsulation socket has it decapsulated (udp_queue_rcv_one_skb in net/ipv4/udp.c).
fn udp_bypass_policy(sa: &PolicySa, policies: &[Policy], is_local: &dyn Fn(IpAddr) -> bool, rules: Rules) -> Option<Policy> {
    let port = sa.udp_port?;
    let Directions { inbound, .. } = directions(sa, is_local)?;
    // Only the destination port: NAT may have changed the source port.
    let src = sa.src.map_or(Net::any(sa.id.dst), Net::host);
    let selector =
        Selector { proto: IPPROTO_UDP, dst_ports: PortMask::exactly(port), ..Selector::between(src, Net::host(sa.id.dst)) };
    let matches_udp = |policy: &Policy| {
        policy.id.direction == PolicyDirection::In && policy.id.if_id == 0 && policy.id.selector.overlaps(&selector)
    };
    let matching = policies.iter().find(|policy| inbound && matches_udp(policy))?;
    let id = PolicyId { direction: PolicyDirection::In, selector, mark: matching.id.mark, if_id: 0 };
    Some(allow(id, Vec::new(), rules))
}

#[cfg(test)]
mod tests;
