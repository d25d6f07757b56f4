//! A link: the SAs of one protocol and mode between two hosts and, for a tunnel, between two networks.

use std::iter;
use std::net::IpAddr;

use super::Links;
use super::problem::{self, Problem};
use super::rates::{Moved, Rates};
use super::sa::{Direction, LinkSa, Moment, Nets};
use crate::names::linux::mode_word;
use crate::names::sa_types::type_word;
use crate::sa::{SaType, Spi, XfrmMode};

/// The SAs of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    /// The number of SAs: more than one while keys are changed.
    pub(super) sas: usize,
    /// Of the newest SA.
    pub(super) spi: Spi,
    /// Of all SAs of the direction; `None` if the SADB does not count packets.
    pub(super) packets: Option<u64>,
    /// Of all SAs of the direction.
    pub(super) bytes: u64,
    /// The differences to an earlier listing, if one is known.
    pub(super) moved: Option<Moved>,
    /// Packets and bytes a second, likewise.
    pub(super) rate: Option<(u64, u64)>,
    /// The latest use; 0 if never or unknown.
    pub(super) last_used: Moment,
    /// Of the newest SA; 0 if unknown.
    pub(super) added: Moment,
    /// Of the newest SA; 0 for no limit.
    pub(super) soft: Moment,
    /// Of the newest SA; 0 for no limit.
    pub(super) hard: Moment,
    /// Whether a policy uses the newest SA.
    pub(super) is_covered: bool,
    /// Whether packets for networks behind this host need a policy that is missing.
    pub(super) lacks_forward: bool,
    pub(super) replayed: u64,
    pub(super) unauthentic: u64,
}

impl Flow {
    fn add(&mut self, sa: &LinkSa, rates: Option<&Rates>) {
        // The newest SA is the first of its direction.
        if self.sas == 0 {
            *self = Self {
                spi: sa.spi(),
                packets: sa.counts_packets.then_some(0),
                added: sa.added.0,
                soft: sa.soft,
                hard: sa.hard,
                is_covered: sa.is_covered,
                lacks_forward: sa.lacks_forward,
                ..Self::default()
            };
        }
        self.sas += 1;
        self.packets = self.packets.map(|packets| packets.saturating_add(sa.packets));
        self.bytes = self.bytes.saturating_add(sa.bytes);
        if let Some(rates) = rates {
            let moved = self.moved.unwrap_or_default().plus(rates.of(sa));
            self.rate = Some((rates.a_second(moved.packets), rates.a_second(moved.bytes)));
            self.moved = Some(moved);
        }
        self.last_used = self.last_used.max(sa.last_used);
        self.replayed += u64::from(sa.replayed);
        self.unauthentic += u64::from(sa.unauthentic);
    }

    /// Whether the direction has carried a packet.
    pub(super) fn is_used(&self) -> bool {
        self.bytes > 0 || self.packets.is_some_and(|packets| packets > 0)
    }
}

/// The two hosts of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) local: IpAddr,
    pub(crate) peer: IpAddr,
    /// Whether there is an SA for each direction.
    pub(crate) has_both: bool,
}

/// One link.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(super) peer: IpAddr,
    pub(super) local: IpAddr,
    pub(super) sa_type: SaType,
    pub(super) mode: XfrmMode,
    pub(super) nets: Option<Nets>,
    /// SAs of both directions at once, of a multicast group, are in `out` only.
    pub(super) out: Flow,
    pub(super) inbound: Flow,
    /// Whether the SAs are for both directions at once.
    pub(super) is_group: bool,
    pub(super) is_here: bool,
    pub(super) now: u64,
}

impl Link {
    /// Sums up the SAs of a link, which are sorted. `None` without an SA.
    pub(super) fn of_sas<'a>(mut sas: impl Iterator<Item = &'a LinkSa>, now: u64, rates: Option<&Rates>) -> Option<Self> {
        let first = sas.next()?;
        let (mut out, mut inbound) = (Flow::default(), Flow::default());
        let (mut is_group, mut is_here) = (false, false);
        for sa in iter::once(first).chain(sas) {
            let flow = if sa.direction == Direction::In { &mut inbound } else { &mut out };
            flow.add(sa, rates);
            is_group |= sa.direction == Direction::Both;
            is_here |= sa.is_here;
        }
        Some(Self {
            peer: first.peer,
            local: first.local,
            sa_type: first.sa_type(),
            mode: XfrmMode(first.mode),
            nets: first.nets.as_deref().copied(),
            out,
            inbound,
            is_group,
            is_here,
            now,
        })
    }

    /// The directions that have an SA.
    pub(super) fn flows(&self) -> impl Iterator<Item = &Flow> {
        [&self.out, &self.inbound].into_iter().filter(|flow| flow.sas > 0)
    }

    /// What has moved since the earlier listing, outbound and inbound; `None` if there is no earlier one.
    pub(crate) fn moved(&self) -> Option<[Moved; 2]> {
        let of = |flow: &Flow| flow.moved.unwrap_or_default();
        self.flows().any(|flow| flow.moved.is_some()).then(|| [of(&self.out), of(&self.inbound)])
    }

    pub(crate) fn ends(&self) -> Ends {
        Ends { local: self.local, peer: self.peer, has_both: self.out.sas > 0 && self.inbound.sas > 0 }
    }

    /// What looks wrong with it; `links` is the listing that it is of.
    pub(crate) fn problems(&self, links: &Links) -> Vec<Problem> {
        problem::find(self, links.has_policies)
    }

    /// The number of its SAs.
    pub(crate) fn sas(&self) -> usize {
        self.out.sas + self.inbound.sas
    }

    /// Whether policies use its SAs, in each direction that has one.
    pub(crate) fn is_covered(&self) -> bool {
        self.flows().all(|flow| flow.is_covered)
    }

    /// When its first SA in use expires; `None` without a limit.
    pub(super) fn expires(&self) -> Option<Moment> {
        self.flows().map(|flow| flow.hard).filter(|at| *at != 0).min()
    }

    /// The protocol and the mode: `esp transport`.
    pub(super) fn protocol(&self) -> String {
        format!("{} {}", type_word(self.sa_type), self.mode_word())
    }

    pub(super) fn mode_word(&self) -> &'static str {
        mode_word(self.mode).unwrap_or("unknown")
    }
}
