//! A link: the SAs of one protocol and mode between two hosts and, for a tunnel, between two networks.

use std::iter;
use std::net::IpAddr;

use super::rates::Rates;
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
    /// Packets and bytes a second, if an earlier listing is known.
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
                ..Self::default()
            };
        }
        self.sas += 1;
        self.packets = self.packets.map(|packets| packets.saturating_add(sa.packets));
        self.bytes = self.bytes.saturating_add(sa.bytes);
        if let Some((packets, bytes)) = rates.map(|rates| rates.of(sa)) {
            let (all_packets, all_bytes) = self.rate.unwrap_or_default();
            self.rate = Some((all_packets.saturating_add(packets), all_bytes.saturating_add(bytes)));
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
