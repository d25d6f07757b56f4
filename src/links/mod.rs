//! Links: the SAs between two hosts, both directions together, with what looks wrong.
//!
//! - [`Links`]: the SAs of an SADB in a compact form (`sa`), sorted by link;
//! - [`Link`]: one link, a sum of its SAs; [`problem`]: the conditions under which it is not healthy;
//! - [`table`] and [`json`]: links as text and as objects; `units`: short numbers;
//! - [`metrics`]: metrics of SAs and links; [`exposition`]: their syntax.
//!
//! No key is read, and nothing here can hold one.
#![forbid(unsafe_code)]

pub(crate) mod exposition;
pub(crate) mod json;
mod link;
pub(crate) mod metrics;
mod problem;
mod rates;
mod sa;
mod store;
pub(crate) mod table;
mod units;

use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::ControlFlow;

use crate::policy::coverage::PolicyIndex;
use crate::policy::{ListedPolicy, Net, PolicySa};
use crate::sa::direction::Directions;
use crate::sa::{SaType, XfrmMode};
use crate::sadb::{Sadb, SadbError, Spd};
pub(crate) use link::{Ends, Link};
pub(crate) use problem::Problem;
use rates::Rates;
pub(crate) use rates::{Counters, Moved};
use sa::LinkSa;
use store::Store;

const IPV4_FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";
const IPV6_FORWARDING: &str = "/proc/sys/net/ipv6/conf/all/forwarding";

/// What the SAs of a listing are compared with.
pub(crate) struct Surroundings {
    /// The addresses of this host; `None` for a stand-in for the system's SADB, which has no addresses.
    local: Option<HashSet<IpAddr>>,
    /// `None` if the SADB has no SPD that can be listed.
    policies: Option<PolicyIndex>,
    /// Whether this host forwards packets, of IPv4 and of IPv6.
    forwards: [bool; 2],
}

impl Surroundings {
    fn is_local(&self, addr: IpAddr) -> bool {
        // All of 127.0.0.0/8 is local, but only 127.0.0.1 is listed.
        self.local.as_ref().is_some_and(|local| addr.is_loopback() || local.contains(&addr))
    }

    /// Whether packets from the tunnel `sa` to networks behind this host are dropped, because no policy `dir fwd` uses it.
    fn lacks_forward(&self, sa: &PolicySa, directions: Option<Directions>) -> bool {
        let is_inbound = directions.is_some_and(|directions| directions.inbound && !directions.outbound);
        let inner = sa.selector.map(|selector| selector.dst).filter(|_| is_inbound && sa.mode != XfrmMode::TRANSPORT);
        let Some(inner) = inner else { return false };
        let is_for_others = inner.free_bits() > 0 || !self.is_local(inner.addr());
        let is_router = self.forwards[usize::from(inner.addr().is_ipv6())];
        is_for_others && is_router && self.policies.as_ref().is_some_and(|policies| !policies.forwards(sa))
    }
}

/// The SAs of an SADB, sorted by link. About 100 bytes for each SA, so that an SADB with 50,000 SAs needs few megabytes.
pub(crate) struct Links {
    sas: Store<LinkSa>,
    /// Positions in `sas`, sorted.
    order: Vec<u32>,
    /// Whether policies use the SAs is known.
    has_policies: bool,
    /// Seconds since 1970.
    now: u64,
    /// To show rates instead of sums.
    rates: Option<Rates>,
}

impl Links {
    /// Lists the SAs of `sadb`; `local` are the addresses of this host, `None` for a stand-in for the system's SADB.
    ///
    /// # Errors
    /// Those of listing policies and SAs.
    pub(crate) fn read(sadb: &mut dyn Sadb, local: Option<HashSet<IpAddr>>, now: u64) -> Result<Self, SadbError> {
        // Before the SAs: for each of them only the answer is kept.
        let listed = sadb.spd().map(Spd::policies).transpose()?;
        let policies = listed.map(|listed| PolicyIndex::new(listed.into_iter().map(of_listed).collect()));
        // The settings of this host say nothing about the SAs of a stand-in.
        let forwards = [IPV4_FORWARDING, IPV6_FORWARDING].map(|file| local.is_some() && is_on(file));
        let surroundings = Surroundings { local, policies, forwards };
        let mut sas = Store::new();
        sadb.dump(SaType::UNSPEC, &mut |message| {
            LinkSa::of_message(message, &surroundings).into_iter().for_each(|sa| sas.push(sa));
            ControlFlow::Continue(())
        })?;
        Ok(Self::new(sas, surroundings.policies.is_some(), now))
    }

    fn new(sas: Store<LinkSa>, has_policies: bool, now: u64) -> Self {
        let mut order: Vec<u32> = (0..).take(sas.len()).collect();
        order.sort_unstable_by_key(|at| sas.get(*at));
        Self { sas, order, has_policies, now, rates: None }
    }

    /// Keeps only the links with `net`: with a peer inside it, or with a tunnel to a network that has an address in common with it.
    pub(crate) fn retain(&mut self, net: Net) {
        self.order.retain(|at| self.sas.get(*at).is_with(net));
    }

    /// The links, in the order of the addresses of their peers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Link> {
        let is_same = |one: &u32, other: &u32| self.sas.get(*one).is_of_same_link(self.sas.get(*other));
        self.order.chunk_by(is_same).filter_map(move |link| {
            let sas = link.iter().map(|at| self.sas.get(*at));
            Link::of_sas(sas, self.now, self.rates.as_ref())
        })
    }

    /// The counters, to compare a later listing with.
    pub(crate) fn counters(&self) -> Counters {
        Counters::new(self.sas())
    }

    /// Makes the table show rates since the listing of `before`.
    pub(crate) fn compare(&mut self, before: Counters) {
        self.rates = Some(Rates::since(before));
    }

    /// The SAs, in the order of their links.
    fn sas(&self) -> impl Iterator<Item = &LinkSa> {
        self.order.iter().map(|at| self.sas.get(*at))
    }

    /// Whether there is no SA.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// The text of /proc/net/xfrm_stat; empty if the system has none.
pub(crate) fn xfrm_stat() -> String {
    std::fs::read_to_string("/proc/net/xfrm_stat").unwrap_or_default()
}

/// Whether the switch of sysctl(8) is on; false if the system has none.
fn is_on(file: &str) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| text.trim() != "0")
}

fn of_listed(listed: ListedPolicy) -> crate::policy::Policy {
    listed.policy
}

#[cfg(test)]
mod tests;
