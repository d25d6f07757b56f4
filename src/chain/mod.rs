//! Key chains: which SAs of a keys file are wanted at a time, and when that changes (RFC 8177 has such chains for routers).
//!
//! An SA with a window is wanted
//!
//! | direction | while |
//! | --- | --- |
//! | inbound | it is accepted |
//! | outbound | it is sent with, and no SA for the same packets with a later `send_from` is |
//!
//! If the direction cannot be determined, the SA is wanted while either rule wants it. An SA without windows is wanted always.
#![forbid(unsafe_code)]

pub(crate) mod faults;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use crate::sa::direction::{Directions, directions};
use crate::sa::{Endpoint, InnerEndpoint, Masked, Request, SaType, Windows, XfrmMode};

/// What decides which packets an outbound SA can be used for: SAs that agree in it are the keys of one chain.
#[derive(PartialEq, Eq, Hash)]
struct Link {
    sa_type: SaType,
    src: Option<Endpoint>,
    dst: Option<Endpoint>,
    inner_src: Option<InnerEndpoint>,
    inner_dst: Option<InnerEndpoint>,
    mode: XfrmMode,
    reqid: u32,
    mark: Option<Masked>,
    if_id: u32,
}

impl Link {
    fn of(request: &Request) -> Self {
        Self {
            sa_type: request.sa_type,
            src: request.src,
            dst: request.dst,
            inner_src: *request.inner_src,
            inner_dst: *request.inner_dst,
            mode: request.mode(),
            reqid: request.linux.reqid,
            mark: request.linux.mark,
            if_id: request.linux.if_id,
        }
    }
}

/// An SA with a window.
#[derive(Clone, Copy)]
struct Entry {
    /// Its number among the requests.
    position: usize,
    /// The number of its [`Link`].
    link: usize,
    directions: Directions,
    windows: Windows,
}

/// The SAs of a keys file that have a window. They contain no key.
#[derive(Default)]
pub(crate) struct Chains {
    entries: Vec<Entry>,
    links: HashMap<Link, usize>,
    /// The requests so far.
    count: usize,
}

impl Chains {
    /// Those among `requests`, the additions of a keys file in order. `is_local` says whether an address is one of this host.
    #[must_use]
    pub(crate) fn new<'r>(requests: impl IntoIterator<Item = &'r Request>, is_local: &dyn Fn(IpAddr) -> bool) -> Self {
        let mut chains = Self::default();
        requests.into_iter().for_each(|request| chains.push(request, is_local));
        chains
    }

    /// Appends the next addition of the file.
    pub(crate) fn push(&mut self, request: &Request, is_local: &dyn Fn(IpAddr) -> bool) {
        self.push_with(request, || directions_of(request, is_local));
    }

    /// Appends the next addition of a file that several hosts may use: only its own words determine directions.
    pub(crate) fn push_for_any_host(&mut self, request: &Request) {
        let declared = Directions::declared(request.flags);
        self.push_with(request, || if declared == Directions::default() { Directions::BOTH } else { declared });
    }

    fn push_with(&mut self, request: &Request, directions: impl FnOnce() -> Directions) {
        let position = self.count;
        self.count += 1;
        if !request.windows.are_limited() {
            return;
        }
        let next = self.links.len();
        let link = *self.links.entry(Link::of(request)).or_insert(next);
        self.entries.push(Entry { position, link, directions: directions(), windows: *request.windows });
    }

    /// Whether the request with this number has the windows that `request` has.
    #[must_use]
    pub(crate) fn matches(&self, position: usize, request: &Request) -> bool {
        let known = self.entries.binary_search_by_key(&position, |entry| entry.position);
        let windows = known.ok().and_then(|at| self.entries.get(at)).map(|entry| entry.windows).unwrap_or_default();
        position < self.count && windows == *request.windows
    }

    /// Whether no SA has a window.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The numbers of the requests that are not wanted at `time`, in seconds since 1970.
    #[must_use]
    pub(crate) fn unwanted(&self, time: u64) -> HashSet<usize> {
        let newest = self.newest(time);
        let is_wanted = |entry: &Entry| {
            let is_accepted = entry.directions.inbound && entry.windows.accept.contains(time);
            is_accepted || newest.get(&entry.link) == Some(&entry.position)
        };
        self.entries.iter().filter(|entry| !is_wanted(entry)).map(|entry| entry.position).collect()
    }

    /// When the SAs that are wanted change next after `time`; `None` if they do not.
    #[must_use]
    pub(crate) fn next_change(&self, time: u64) -> Option<u64> {
        let now = self.unwanted(time);
        self.edges().range(time.checked_add(1)?..).copied().find(|edge| self.unwanted(*edge) != now)
    }

    /// For each link, the position of the SA that is sent with at `time`. The last of several with the same `send_from` wins.
    fn newest(&self, time: u64) -> HashMap<usize, usize> {
        let mut newest: HashMap<usize, &Entry> = HashMap::new();
        for entry in self.entries.iter().filter(|entry| entry.directions.outbound && entry.windows.send.contains(time)) {
            let known = newest.entry(entry.link).or_insert(entry);
            if known.windows.send.from <= entry.windows.send.from {
                *known = entry;
            }
        }
        newest.into_iter().map(|(link, entry)| (link, entry.position)).collect()
    }

    /// The times at which a window of an SA begins or ends, if its direction has that window.
    fn edges(&self) -> BTreeSet<u64> {
        let of_entry = |entry: &Entry| {
            let accept = entry.windows.accept.edges().filter(|_| entry.directions.inbound);
            let send = entry.windows.send.edges().filter(|_| entry.directions.outbound);
            accept.chain(send).collect::<Vec<u64>>()
        };
        self.entries.iter().flat_map(of_entry).collect()
    }
}

/// The directions of an SA; both if they cannot be determined.
fn directions_of(request: &Request, is_local: &dyn Fn(IpAddr) -> bool) -> Directions {
    let Some(dst) = request.dst.map(|dst| dst.addr.to_canonical()) else { return Directions::BOTH };
    let src = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified());
    let determined = directions(Directions::declared(request.flags), src, dst, is_local);
    determined.map_or(Directions::BOTH, |determined| determined.directions)
}
