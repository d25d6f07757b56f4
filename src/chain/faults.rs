//! What is wrong with the windows of key chains.

use std::collections::BTreeMap;

use super::{Chains, Entry};
use crate::sa::Window;

/// A fault of a chain. Positions are numbers of requests; times are in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// From `from` until the SA at `position` begins at `until`, no SA of its chain is sent with or accepted.
    Gap { position: usize, from: u64, until: u64 },
    /// A host whose clock is fast by the skew sends with this SA before the other one accepts it.
    AcceptedLate { position: usize },
    /// A host whose clock is slow by the skew sends with this SA after the other one has ceased to accept it.
    AcceptedShort { position: usize },
    /// The next SA of an inbound chain, that at `position`, is accepted too late for a change without loss.
    ShortOverlap { position: usize },
}

/// A span in which one SA of a chain is in use.
struct Span {
    window: Window,
    entry: Entry,
}

impl Chains {
    /// The faults of the chains, if the clocks of two hosts differ by up to `skew` seconds.
    #[must_use]
    pub(crate) fn faults(&self, skew: u64) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (link, entries) in self.by_link() {
            if entries.iter().any(|entry| entry.directions.outbound) {
                check_sending(&self.spans(link), skew, &mut faults);
            } else {
                check_accepting(entries, skew, &mut faults);
            }
        }
        faults
    }

    /// When the first of the chains ends: from then on nothing is sent or accepted. `None` if none ends.
    #[must_use]
    pub(crate) fn end(&self) -> Option<u64> {
        let end_of = |entries: Vec<Entry>| {
            let is_sent = entries.iter().any(|entry| entry.directions.outbound);
            let window = |entry: &Entry| if is_sent { entry.windows.send } else { entry.windows.accept };
            // `None` is the greatest: it does not end.
            entries.iter().map(|entry| window(entry).until.unwrap_or(u64::MAX)).max()
        };
        self.by_link().into_values().filter_map(end_of).min().filter(|end| *end != u64::MAX)
    }

    /// The number of the newest key that has begun by `time`, from 1, and the number of keys: of the chain that ends first. 0 if none
    /// has begun; `None` without a chain.
    #[must_use]
    pub(crate) fn progress(&self, time: u64) -> Option<(usize, usize)> {
        let of_chain = |entries: Vec<Entry>| {
            let is_sent = entries.iter().any(|entry| entry.directions.outbound);
            let window = |entry: &Entry| if is_sent { entry.windows.send } else { entry.windows.accept };
            let end = entries.iter().map(|entry| window(entry).until.unwrap_or(u64::MAX)).max();
            let begun = entries.iter().filter(|entry| window(entry).from.is_none_or(|from| from <= time)).count();
            (end, begun, entries.len())
        };
        self.by_link().into_values().map(of_chain).min().map(|(_, begun, count)| (begun, count))
    }

    /// For each chain the position of the key that ends last, in the order of the file.
    #[must_use]
    pub(crate) fn last_of_each(&self) -> Vec<usize> {
        let end = |entry: &Entry| (entry.windows.send.until.unwrap_or(u64::MAX), entry.position);
        let last = |entries: Vec<Entry>| entries.into_iter().max_by_key(end).map(|entry| entry.position);
        let mut positions: Vec<usize> = self.by_link().into_values().filter_map(last).collect();
        positions.sort_unstable();
        positions
    }

    fn by_link(&self) -> BTreeMap<usize, Vec<Entry>> {
        let mut links: BTreeMap<usize, Vec<Entry>> = BTreeMap::new();
        self.entries.iter().for_each(|entry| links.entry(entry.link).or_default().push(*entry));
        links
    }

    /// The spans in which the SAs of `link` are sent with, in order.
    fn spans(&self, link: usize) -> Vec<Span> {
        let entries = self.entries.iter().filter(|entry| entry.link == link).copied().collect();
        let chain = Self { entries, ..Self::default() };
        let edges = chain.edges();
        let starts = [None].into_iter().chain(edges.iter().copied().map(Some));
        let mut spans: Vec<Span> = Vec::new();
        for start in starts {
            let until = edges.range(start.map_or(0, |start| start + 1)..).next().copied();
            // Before the first edge, any time is as good as the start of 1970.
            let sent = chain.newest(start.unwrap_or_else(|| edges.first().map_or(0, |first| first.saturating_sub(1))));
            let Some(entry) = sent.get(&link).and_then(|at| chain.entries.iter().find(|entry| entry.position == *at)) else {
                continue;
            };
            match spans.last_mut() {
                Some(last) if last.entry.position == entry.position && last.window.until == start => {
                    last.window.until = until;
                }
                _ => spans.push(Span { window: Window { from: start, until }, entry: *entry }),
            }
        }
        spans
    }
}

fn check_sending(spans: &[Span], skew: u64, faults: &mut Vec<Fault>) {
    for pair in spans.windows(2) {
        if let [
            Span { window: Window { until: Some(end), .. }, .. },
            Span { window: Window { from: Some(from), .. }, entry },
        ] = pair
            && end < from
        {
            faults.push(Fault::Gap { position: entry.position, from: *end, until: *from });
        }
    }
    for Span { window, entry } in spans.iter().filter(|span| span.entry.directions.inbound) {
        let Window { from, until } = entry.windows.accept;
        if from.is_some_and(|from| window.from.is_none_or(|start| from.saturating_add(skew) > start)) {
            faults.push(Fault::AcceptedLate { position: entry.position });
        }
        if until.is_some_and(|until| window.until.is_none_or(|end| end.saturating_add(skew) > until)) {
            faults.push(Fault::AcceptedShort { position: entry.position });
        }
    }
}

/// Checks the SAs of an inbound chain. The other host changes keys at a time that both SAs have to be accepted at, for each clock.
fn check_accepting(mut entries: Vec<Entry>, skew: u64, faults: &mut Vec<Fault>) {
    entries.sort_by_key(|entry| (entry.windows.accept.from, entry.windows.accept.until.unwrap_or(u64::MAX)));
    let mut end = entries.first().map_or(0, |entry| entry.windows.accept.until.unwrap_or(u64::MAX));
    for entry in entries.iter().skip(1) {
        let Window { from, until } = entry.windows.accept;
        let (from, position) = (from.unwrap_or(0), entry.position);
        if end < from {
            faults.push(Fault::Gap { position, from: end, until: from });
        } else if end < from.saturating_add(2 * skew) {
            faults.push(Fault::ShortOverlap { position });
        }
        end = end.max(until.unwrap_or(u64::MAX));
    }
}
