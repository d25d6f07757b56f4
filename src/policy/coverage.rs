//! Whether policies send packets through SAs: an SA that no policy uses protects nothing on Linux.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use super::derive::directions;
use super::unmatched::{Service, destination, service};
use super::{Net, Policy, PolicyAction, PolicyDirection, PolicySa, Selector};
use crate::sa::SaId;
use crate::sa::direction::Directions;

/// Upper limit of the peers that a message names.
const NAMED_PEERS: usize = 3;
/// Upper limit of the SAs that are kept by name.
const NAMED_SAS: usize = 10;

/// Policies, by the destination that an SA for them must have: a host may have 100,000 policies and as many SAs.
pub(crate) struct PolicyIndex {
    policies: Vec<Policy>,
    by_dst: HashMap<IpAddr, Vec<usize>>,
    /// Those that SAs with several destinations can serve.
    others: Vec<usize>,
}

impl PolicyIndex {
    pub(crate) fn new(policies: Vec<Policy>) -> Self {
        let mut index = Self { policies: Vec::new(), by_dst: HashMap::new(), others: Vec::new() };
        for (at, policy) in policies.iter().enumerate().filter(|(_, policy)| policy.action == PolicyAction::Allow) {
            for template in &policy.templates {
                match destination(policy, template) {
                    Some(dst) => index.by_dst.entry(dst).or_default().push(at),
                    None => index.others.push(at),
                }
            }
        }
        index.policies = policies;
        index
    }

    /// Whether a policy uses `sa` for each of its directions; for any direction if they are unknown.
    pub(crate) fn covers(&self, sa: &PolicySa, directions: Option<Directions>) -> bool {
        let Some(directions) = directions else { return self.is_used(sa, &|_| true) };
        let sends = !directions.outbound || self.is_used(sa, &|direction| direction == PolicyDirection::Out);
        sends && self.covers_inbound(sa, directions)
    }

    /// Whether a policy lets packets pass that `sa`, an inbound tunnel, has brought for other hosts.
    pub(crate) fn forwards(&self, sa: &PolicySa) -> bool {
        self.is_used(sa, &|direction| direction == PolicyDirection::Forward)
    }

    fn covers_inbound(&self, sa: &PolicySa, directions: Directions) -> bool {
        // A tunnel may be for this host alone, so that `fwd` is not required.
        !directions.inbound || self.is_used(sa, &|direction| direction != PolicyDirection::Out)
    }

    /// The position of a policy that sends through SAs with another request ID instead, if `sa` is covered otherwise.
    fn sends_otherwise(&self, sa: &PolicySa, directions: Option<Directions>) -> Option<usize> {
        let directions = directions.filter(|directions| directions.outbound && self.covers_inbound(sa, *directions));
        directions.and_then(|_| self.with(sa, Service::WithOtherReqid).next())
    }

    fn is_used(&self, sa: &PolicySa, is_wanted: &dyn Fn(PolicyDirection) -> bool) -> bool {
        self.with(sa, Service::Serves).any(|at| is_wanted(self.policies[at].id.direction))
    }

    /// The positions of the policies for which `sa` is of that service.
    fn with(&self, sa: &PolicySa, wanted: Service) -> impl Iterator<Item = usize> {
        let candidates = self.by_dst.get(&sa.id.dst).map_or(&[][..], Vec::as_slice).iter().chain(&self.others);
        candidates.copied().filter(move |at| {
            let policy = &self.policies[*at];
            policy.templates.iter().any(|template| service(policy, template, sa) == wanted)
        })
    }
}

/// Collects the SAs that no policy uses, and those without an address of this host.
pub(crate) struct Coverage {
    policies: PolicyIndex,
    local: HashSet<IpAddr>,
    /// Positions of the policies that send through one of the SAs.
    served: HashSet<usize>,
    /// SAs that no policy uses, each with the position of one that sends through SAs with another request ID.
    with_other_reqid: Vec<(usize, PolicySa)>,
    unprotected: UnprotectedSas,
    not_local: NotLocalSas,
}

impl Coverage {
    /// `local` are the addresses of this host.
    pub(crate) fn new(policies: Vec<Policy>, local: HashSet<IpAddr>) -> Self {
        Self {
            policies: PolicyIndex::new(policies),
            local,
            served: HashSet::new(),
            with_other_reqid: Vec::new(),
            unprotected: UnprotectedSas::default(),
            not_local: NotLocalSas::default(),
        }
    }

    pub(crate) fn note(&mut self, sa: &PolicySa) {
        let is_local = |addr: IpAddr| addr.is_loopback() || self.local.contains(&addr);
        let directions = directions(sa, &is_local);
        self.unprotected.total += 1;
        self.served.extend(self.policies.with(sa, Service::Serves));
        if !self.policies.covers(sa, directions) {
            match self.policies.sends_otherwise(sa, directions) {
                Some(policy) => self.with_other_reqid.push((policy, sa.clone())),
                None => self.unprotected.add(sa, directions),
            }
        }
        self.not_local.add(sa, &is_local);
    }

    /// The SAs that no policy uses, and those without an address of this host, when all are noted.
    pub(crate) fn finish(mut self) -> (UnprotectedSas, NotLocalSas) {
        for (policy, sa) in &self.with_other_reqid {
            if !self.served.contains(policy) {
                self.unprotected.add(sa, Some(Directions::OUTBOUND));
            }
        }
        (self.unprotected, self.not_local)
    }
}

/// SAs that no policy uses: their number, and some of them and of their peers by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnprotectedSas {
    pub(crate) count: usize,
    /// All SAs, those with a policy included.
    total: usize,
    /// The first few.
    pub(crate) named: Vec<SaId>,
    /// Hosts or networks.
    peers: Vec<String>,
    has_more_peers: bool,
}

impl UnprotectedSas {
    fn add(&mut self, sa: &PolicySa, directions: Option<Directions>) {
        self.count += 1;
        if self.named.len() < NAMED_SAS {
            self.named.push(sa.id);
        }
        let is_inbound = directions.is_some_and(|directions| directions.inbound && !directions.outbound);
        self.add_peer(peer(sa, is_inbound));
    }

    fn add_peer(&mut self, peer: String) {
        if self.peers.contains(&peer) {
            return;
        }
        if self.peers.len() == NAMED_PEERS {
            self.has_more_peers = true;
        } else {
            self.peers.push(peer);
        }
    }
}

/// The sentence of a warning, without the remedy.
impl fmt::Display for UnprotectedSas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.count, self.total) {
            (1, 1) => f.write_str("no policy uses this SA")?,
            (count, total) if count == total => write!(f, "no policy uses these {count} SAs")?,
            (count, total) => write!(f, "no policy uses {count} of the {total} SAs")?,
        }
        write!(f, ": traffic to {}", self.peers.join(", "))?;
        f.write_str(if self.has_more_peers { " and others is NOT protected" } else { " is NOT protected" })
    }
}

/// The other end of the packets that `sa` is for.
fn peer(sa: &PolicySa, is_inbound: bool) -> String {
    let end = |selector: &Selector| if is_inbound { selector.src } else { selector.dst };
    let outer = || if is_inbound { sa.src_or_any() } else { sa.id.dst };
    net_text(sa.selector.as_ref().map_or_else(|| Net::host(outer()), end))
}

fn net_text(net: Net) -> String {
    if net.free_bits() == 0 { net.addr().to_string() } else { net.to_string() }
}

/// SAs of which neither address is one of this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NotLocalSas {
    pub(crate) count: usize,
    /// The first of them: source and destination.
    first: Option<(IpAddr, IpAddr)>,
    /// All SAs that could be judged.
    judged: usize,
}

impl NotLocalSas {
    /// Those of `sas`.
    pub(crate) fn among(sas: &[PolicySa], is_local: &dyn Fn(IpAddr) -> bool) -> Self {
        let mut found = Self::default();
        sas.iter().for_each(|sa| found.add(sa, is_local));
        found
    }

    fn add(&mut self, sa: &PolicySa, is_local: &dyn Fn(IpAddr) -> bool) {
        // Any host may send from an unspecified source, and receive what is sent to a group.
        let (Some(src), dst) = (sa.src, sa.id.dst) else { return };
        if dst.is_multicast() {
            return;
        }
        self.judged += 1;
        if !is_local(src) && !is_local(dst) {
            self.count += 1;
            self.first.get_or_insert((src, dst));
        }
    }

    /// Whether the keys file looks like that of another host.
    pub(crate) fn are_all(&self) -> bool {
        self.count > 0 && self.count == self.judged
    }
}

impl fmt::Display for NotLocalSas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((src, dst)) = self.first else { return Ok(()) };
        if self.are_all() {
            f.write_str("the keys file is for another host: ")?;
        }
        let sas = if self.count == 1 { "1 SA has".to_owned() } else { format!("{} SAs have", self.count) };
        let first = if self.count == 1 { "" } else { "the first " };
        write!(f, "{sas} no address of this host ({first}from {src} to {dst})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::derive::{Rules, derive};
    use crate::sa::{Endpoint, Flags, InnerEndpoint, Request, SaType, Spi};

    fn addr(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn request(spi: u32, src: u8, dst: u8) -> Request {
        let end = |last| Some(Endpoint { addr: addr(last), port: 0, proto: 0 });
        Request { sa_type: SaType::ESP, spi: Spi(spi), src: end(src), dst: end(dst), ..Request::default() }
    }

    fn sa(spi: u32, src: u8, dst: u8) -> PolicySa {
        PolicySa::of_request(&request(spi, src, dst)).unwrap()
    }

    fn coverage(policies: Vec<Policy>, sas: &[PolicySa]) -> (UnprotectedSas, NotLocalSas) {
        let mut coverage = Coverage::new(policies, HashSet::from([addr(1)]));
        sas.iter().for_each(|sa| coverage.note(sa));
        coverage.finish()
    }

    fn policies(sas: &[PolicySa]) -> Vec<Policy> {
        derive(&sas.iter().collect::<Vec<_>>(), &|ip| ip == addr(1), Rules::default()).policies
    }

    #[test]
    fn note_counts_sas_without_a_policy_and_names_their_peers() {
        let sas = [sa(1, 1, 2), sa(2, 2, 1)];
        assert_eq!(coverage(policies(&sas), &sas).0.count, 0);
        let none = coverage(Vec::new(), &sas).0;
        assert_eq!(none.to_string(), "no policy uses these 2 SAs: traffic to 192.0.2.2 is NOT protected");
        assert_eq!(none.named, [sas[0].id, sas[1].id]);
        let many: Vec<PolicySa> = (2..=5).map(|last| sa(9, 1, last)).collect();
        let text = coverage(policies(&many[..0]), &many).0.to_string();
        assert_eq!(
            text,
            "no policy uses these 4 SAs: traffic to 192.0.2.2, 192.0.2.3, 192.0.2.4 and others is NOT protected"
        );
        let one = coverage(policies(&many[..3]), &many).0.to_string();
        assert_eq!(one, "no policy uses 1 of the 4 SAs: traffic to 192.0.2.5 is NOT protected");
    }

    #[test]
    fn covers_requires_a_policy_for_each_direction() {
        let both = Flags(Flags::INBOUND.0 | Flags::OUTBOUND.0);
        let group = PolicySa::of_request(&Request { flags: both, ..request(1, 1, 9) }).unwrap();
        let mut of_group = policies(std::slice::from_ref(&group));
        assert_eq!(of_group.len(), 2);
        assert_eq!(coverage(of_group.clone(), std::slice::from_ref(&group)).0.count, 0);
        of_group.pop();
        assert_eq!(coverage(of_group, std::slice::from_ref(&group)).0.count, 1);
    }

    #[test]
    fn covers_an_sa_whose_packets_pass_through_another_reqid() {
        let numbered = |spi, reqid| PolicySa { reqid, ..sa(spi, 1, 2) };
        let old = policies(&[numbered(1, 1)]);
        assert_eq!(coverage(old.clone(), &[numbered(2, 2), numbered(1, 1)]).0.count, 0);
        assert_eq!(coverage(old.clone(), &[numbered(2, 2)]).0.count, 1, "no SA for the policy");
        let both = Directions { inbound: true, outbound: true };
        let both = [numbered(1, 1), PolicySa { declared: both, ..numbered(2, 2) }];
        assert_eq!(coverage(old, &both).0.count, 1, "nothing requires it for packets that come in");
    }

    #[test]
    fn covers_ignores_policies_that_block() {
        let sas = [sa(1, 1, 2)];
        let blocking = policies(&sas).into_iter().map(|policy| Policy { action: PolicyAction::Block, ..policy });
        assert_eq!(coverage(blocking.collect(), &sas).0.count, 1);
    }

    #[test]
    fn peer_of_a_tunnel_is_its_network() {
        let inner = |net: u8| Some(InnerEndpoint { addr: [10, net, 0, 0].into(), prefix_len: 16, port: 0, proto: 0 });
        let tunnel = |src, dst, from, to| {
            let request = Request { inner_src: inner(from).into(), inner_dst: inner(to).into(), ..request(1, src, dst) };
            PolicySa::of_request(&request).unwrap()
        };
        let sas = [tunnel(1, 2, 1, 2), tunnel(2, 1, 2, 1)];
        let text = coverage(Vec::new(), &sas).0.to_string();
        assert_eq!(text, "no policy uses these 2 SAs: traffic to 10.2.0.0/16 is NOT protected");
        // Without `fwd` the tunnel protects what is for this host.
        let mut in_and_out = policies(&sas);
        in_and_out.retain(|policy| policy.id.direction != PolicyDirection::Forward);
        assert_eq!(coverage(in_and_out.clone(), &sas).0.count, 0);
        assert!(PolicyIndex::new(policies(&sas)).forwards(&sas[1]) && !PolicyIndex::new(in_and_out).forwards(&sas[1]));
    }

    #[test]
    fn not_local_finds_a_file_for_another_host() {
        let here = coverage(Vec::new(), &[sa(1, 1, 2), sa(2, 2, 1)]).1;
        assert_eq!((here.count, here.are_all()), (0, false));
        let mixed = coverage(Vec::new(), &[sa(1, 1, 2), sa(2, 3, 4), sa(3, 4, 3)]).1;
        assert_eq!(mixed.to_string(), "2 SAs have no address of this host (the first from 192.0.2.3 to 192.0.2.4)");
        let other = coverage(Vec::new(), &[sa(2, 3, 4)]).1;
        let text = "the keys file is for another host: 1 SA has no address of this host (from 192.0.2.3 to 192.0.2.4)";
        assert_eq!(other.to_string(), text);
        let group = PolicySa { id: SaId { dst: [224, 0, 0, 5].into(), ..sa(1, 3, 4).id }, ..sa(1, 3, 4) };
        let open = PolicySa { src: None, ..sa(1, 3, 4) };
        assert_eq!(coverage(Vec::new(), &[group, open]).1, NotLocalSas::default());
    }
}
