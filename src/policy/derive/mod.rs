//! Which policies SAs ask for. A pure function: the same SAs, the same policies.
//!
//! | SA | policies |
//! | --- | --- |
//! | outbound | `out` |
//! | inbound, transport mode | `in` |
//! | inbound, tunnel or BEET mode | `in`, and `fwd` for the network behind this host |
//! | inbound and outbound (multicast) | `in` and `out` |
//! | AH and ESP for the same packets | one policy, with the templates of both: ESP inside AH |
//! | several SAs that differ in SPI and keys only | one policy |
//! | inbound, ESP in UDP | besides, an `in` policy that lets the UDP itself pass, if another would not |

use std::collections::HashMap;
use std::net::IpAddr;

use super::{Action, Association, Direction, Net, Policy, PolicyId, Ports, Selector, Template};
use crate::sa::{Masked, SaType, XfrmMode};

/// IPPROTO_UDP.
const UDP: u8 = 17;
/// The priority of a policy that could not be narrower. Those that `ip xfrm policy` adds have 0 and win, those of IKE daemons
/// have some 100,000 and more.
const NARROWEST: u32 = 10_000;

/// Why an SA gets no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Without {
    /// Neither a flag nor an address tells.
    #[error("nothing tells whether its packets come in or go out: say inbound or outbound")]
    Direction,
    /// A tunnel has no inner addresses.
    #[error("it does not say which packets the tunnel is for: say isrc and idst, 0.0.0.0/0 or ::/0 for all")]
    Traffic,
    /// A policy would want everybody's packets protected.
    #[error("it is for all that comes from anywhere, and a policy would shut out everybody else: say src, or proto")]
    Everybody,
    /// A network device handles whole packets, and a policy for it is bound to that device.
    #[error("its packets are left to a network device whole, and so must be its policy: add one by hand")]
    Offloaded,
    /// Packets can go one way only: that of the SA at this position.
    #[error("an SA before it wants the same packets to go another way (mode, reqid or ends of the tunnel), and they do")]
    Taken(usize),
}

impl Without {
    /// Whether both have the same words.
    #[must_use]
    pub fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// Policies, and SAs without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// In the order of the SAs that first ask for them.
    pub policies: Vec<Policy>,
    /// Positions of SAs that get none, and why.
    pub without: Vec<(usize, Without)>,
    /// The policies that SAs may have had when their direction could be told: their addresses come and go.
    pub perhaps: Vec<PolicyId>,
}

/// The policies that `sas` ask for. `is_local` says whether an address is one of this system.
#[must_use]
pub fn derive(sas: &[&Association], is_local: &dyn Fn(IpAddr) -> bool) -> Derived {
    let mut bundles = Bundles::default();
    let mut derived = Derived::default();
    for (at, sa) in sas.iter().enumerate() {
        let placed = directions(sa, is_local).and_then(|directions| bundles.place(at, sa, &directions));
        if placed == Err(Without::Direction) {
            derived.perhaps.extend(DIRECTIONS.iter().filter_map(|direction| name(sa, *direction)));
        }
        derived.without.extend(placed.err().map(|without| (at, without)));
    }
    derived.policies = bundles.list.into_iter().map(Bundle::policy).collect();
    let passes: Vec<Policy> = sas.iter().filter_map(|sa| pass(sa, &derived.policies, is_local)).collect();
    for pass in passes {
        if derived.policies.iter().all(|policy| policy.id != pass.id) {
            derived.policies.push(pass);
        }
    }
    derived
}

/// The priority of a policy: the narrower, the lower, and so the better.
#[must_use]
pub fn priority(selector: &Selector) -> u32 {
    let free_bits = u32::from(selector.src.free_bits()) + u32::from(selector.dst.free_bits());
    let any_port = |ports: Ports| u32::from(ports == Ports::ANY);
    let any_proto = if selector.proto == 0 { 4 } else { 0 };
    NARROWEST + 8 * free_bits + any_proto + any_port(selector.src_ports) + any_port(selector.dst_ports)
}

const DIRECTIONS: [Direction; 3] = [Direction::In, Direction::Out, Direction::Forward];

/// The name of an SA's policy; `None` for a tunnel that does not say what it is for.
fn name(sa: &Association, direction: Direction) -> Option<PolicyId> {
    let mark = sa.id.mark.filter(|mark| *mark != Masked::default());
    Some(PolicyId { direction, selector: sa.traffic?, mark, if_id: sa.if_id })
}

/// Which policies an SA needs, if that can be told.
fn directions(sa: &Association, is_local: &dyn Fn(IpAddr) -> bool) -> Result<Vec<Direction>, Without> {
    let (inbound, outbound) = ways(sa, is_local).ok_or(Without::Direction)?;
    let mut directions = Vec::new();
    if outbound {
        directions.push(Direction::Out);
    }
    if inbound {
        directions.push(Direction::In);
        if sa.mode != XfrmMode::TRANSPORT {
            directions.push(Direction::Forward);
        }
    }
    Ok(directions)
}

/// Whether its packets come in, and whether they go out: as it says, else by which of its addresses is of this system.
#[must_use]
pub fn ways(sa: &Association, is_local: &dyn Fn(IpAddr) -> bool) -> Option<(bool, bool)> {
    if sa.said != (false, false) {
        return Some(sa.said);
    }
    match (sa.src.is_some_and(is_local), is_local(sa.id.dst)) {
        (false, false) | (true, true) => None,
        (from_here, to_here) => Some((to_here, from_here)),
    }
}

/// A policy in the making, with the SA that asked for each template.
struct Bundle {
    name: PolicyId,
    templates: Vec<(usize, Template)>,
}

impl Bundle {
    fn policy(self) -> Policy {
        let mut templates: Vec<Template> = self.templates.into_iter().map(|(_, template)| template).collect();
        // RFC 4301 appendix E, "transport adjacency": what AH protects includes the ESP header.
        templates.sort_by_key(|template| template.sa_type == SaType::AH);
        Policy { id: self.name, action: Action::Allow, priority: priority(&self.name.selector), templates }
    }
}

#[derive(Default)]
struct Bundles {
    list: Vec<Bundle>,
    positions: HashMap<PolicyId, usize>,
}

impl Bundles {
    /// Finds or makes the policies of an SA.
    fn place(&mut self, at: usize, sa: &Association, directions: &[Direction]) -> Result<(), Without> {
        let selector = sa.traffic.ok_or(Without::Traffic)?;
        let is_in = directions.contains(&Direction::In);
        if is_in && selector.proto == 0 && selector.src.free_bits() > 0 && sa.mode == XfrmMode::TRANSPORT {
            return Err(Without::Everybody);
        }
        if sa.is_offloaded {
            return Err(Without::Offloaded);
        }
        let template = template(sa, &selector);
        directions.iter().filter_map(|direction| name(sa, *direction)).try_for_each(|name| self.ask(at, name, template))
    }

    fn ask(&mut self, at: usize, name: PolicyId, template: Template) -> Result<(), Without> {
        let place = *self.positions.entry(name).or_insert_with(|| {
            self.list.push(Bundle { name, templates: Vec::new() });
            self.list.len() - 1
        });
        let templates = &mut self.list[place].templates;
        match templates.iter().find(|(_, other)| other.sa_type == template.sa_type) {
            Some((_, other)) if *other == template => Ok(()),
            Some((first, _)) => Err(Without::Taken(*first)),
            None => {
                templates.push((at, template));
                Ok(())
            }
        }
    }
}

/// What a policy demands of its packets so that they go through `sa`. In transport mode the addresses are the packets' own.
fn template(sa: &Association, selector: &Selector) -> Template {
    let nowhere = Net::any(selector.dst.addr()).addr();
    let ends = if sa.mode == XfrmMode::TRANSPORT { (nowhere, nowhere) } else { (sa.src_or_any(), sa.id.dst) };
    Template { sa_type: sa.id.sa_type, mode: sa.mode, src: ends.0, dst: ends.1, spi: 0, reqid: sa.reqid, optional: false }
}

/// Lets the UDP pass in which ESP comes in, if one of `policies` wants it to have come through an SA: the kernel looks at the
/// UDP first, and at what is in it only when a socket has taken it.
fn pass(sa: &Association, policies: &[Policy], is_local: &dyn Fn(IpAddr) -> bool) -> Option<Policy> {
    let port = sa.udp_port?;
    let (inbound, _) = ways(sa, is_local)?;
    let src = sa.src.map_or(Net::any(sa.id.dst), Net::host);
    let selector = Selector { proto: UDP, dst_ports: Ports::said(port), ..Selector::between(src, Net::host(sa.id.dst)) };
    let is_caught = |policy: &Policy| {
        policy.id.direction == Direction::In && policy.id.if_id == 0 && policy.id.selector.meets(&selector)
    };
    let caught = policies.iter().find(|policy| inbound && is_caught(policy))?;
    let id = PolicyId { direction: Direction::In, selector, mark: caught.id.mark, if_id: 0 };
    Some(Policy { id, action: Action::Allow, priority: priority(&selector), templates: Vec::new() })
}

#[cfg(test)]
mod tests;
