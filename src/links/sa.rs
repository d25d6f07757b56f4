//! An SA of a link, in a compact form: a host may have 50,000 of them, and the links can be formed only after the last one.

use std::cmp::Reverse;
use std::net::IpAddr;

use super::Surroundings;
use crate::policy::{Net, PolicySa, derive};
use crate::sa::direction::{Directions, directions};
use crate::sa::{AddressRole, Extension, Flags, LifetimeKind, Masked, Message, SaState, SaType, Spi, XfrmMode};

/// The networks of a tunnel: of this host's side, and of the peer's.
pub(super) type Nets = (Net, Net);

/// A point in time in seconds since 1970, until 2106; 0 for none.
pub(super) type Moment = u32;

/// The direction of an SA, as seen from the link's local address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Direction {
    Out,
    In,
    /// Of a multicast group.
    Both,
}

/// The properties of an SA that a link is made of. The order of the fields is the order of the links.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkSa {
    pub(super) peer: IpAddr,
    /// The address on this side; unspecified if the SA is for any.
    pub(super) local: IpAddr,
    /// AH or ESP, a number of PF_KEY.
    pub(super) sa_type: u8,
    /// `XFRM_MODE_*`
    pub(super) mode: u8,
    pub(super) nets: Option<Box<Nets>>,
    pub(super) direction: Direction,
    /// When the SA was added, the newest first.
    pub(super) added: Reverse<Moment>,
    pub(super) spi: u32,
    /// Linux: the mark, which is a part of the identity.
    pub(super) mark: Option<Box<Masked>>,
    /// Whether a policy uses it; false also if that is unknown.
    pub(super) is_covered: bool,
    /// Whether packets that it brings to networks behind this host are dropped for lack of a policy.
    pub(super) lacks_forward: bool,
    /// Whether one of its addresses is one of this host; true also if that is unknown.
    pub(super) is_here: bool,
    /// Whether the SADB counts packets, and not only bytes.
    pub(super) counts_packets: bool,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// 0 if it was never used or the SADB does not say it.
    pub(super) last_used: Moment,
    pub(super) soft: Moment,
    pub(super) hard: Moment,
    /// Packets that were replayed, or older than the anti-replay window.
    pub(super) replayed: u32,
    /// Packets with a wrong ICV.
    pub(super) unauthentic: u32,
}

impl LinkSa {
    /// `None` if the message does not describe an SA that can carry packets: a larval SA is the reservation of an SPI.
    pub(super) fn of_message(message: &Message, surroundings: &Surroundings) -> Option<Self> {
        let association = message.association().filter(|sa| sa.state != SaState::LARVAL)?;
        let sa = PolicySa::of_message(message)?;
        let is_local = |addr: IpAddr| surroundings.is_local(addr);
        let known = derive::directions(&sa, &is_local);
        let direction = direction(&sa, &is_local);
        let src = sa.src_or_any();
        let (local, peer) = match direction {
            // Both ends of a link to a group are the group's: any host may send to it.
            Direction::In if !sa.id.dst.is_multicast() => (sa.id.dst, src),
            Direction::Out | Direction::In | Direction::Both => (src, sa.id.dst),
        };
        let local = if peer.is_multicast() { Net::any(peer).addr() } else { local };
        let mode = mode(message, association.flags);
        let current = message.lifetime(LifetimeKind::Current).copied().unwrap_or_default();
        let linux = message.linux();
        let [late, replayed, unauthentic] = linux.map_or([0; 3], |linux| linux.drops);
        let end = |kind| message.expiry(kind).map_or(0, moment);
        Some(Self {
            peer,
            local,
            sa_type: message.sa_type.0,
            mode: mode.0,
            nets: nets(&sa, mode, direction).map(Box::new),
            direction,
            added: Reverse(moment(current.addtime)),
            spi: association.spi.0,
            mark: sa.id.mark.map(Box::new),
            is_covered: surroundings.policies.as_ref().is_some_and(|policies| policies.covers(&sa, known)),
            lacks_forward: surroundings.lacks_forward(&sa, known),
            is_here: surroundings.local.is_none()
                || is_local(sa.id.dst)
                || sa.src.is_none_or(is_local)
                || sa.id.dst.is_multicast(),
            counts_packets: linux.is_some(),
            packets: linux.map_or(0, |linux| linux.packets),
            bytes: current.bytes,
            last_used: linux.map_or(0, |linux| moment(linux.last_used)),
            soft: end(LifetimeKind::Soft),
            hard: end(LifetimeKind::Hard),
            replayed: late.saturating_add(replayed),
            unauthentic,
        })
    }

    pub(super) fn sa_type(&self) -> SaType {
        SaType(self.sa_type)
    }

    pub(super) fn spi(&self) -> Spi {
        Spi(self.spi)
    }

    pub(super) fn is_of_same_link(&self, other: &Self) -> bool {
        let link = |sa: &Self| (sa.peer, sa.local, sa.sa_type, sa.mode);
        link(self) == link(other) && self.nets == other.nets
    }

    /// Whether its peer or the network behind the peer has an address in `net`.
    pub(super) fn is_with(&self, net: Net) -> bool {
        net.covers(Net::host(self.peer)) || self.nets.as_ref().is_some_and(|nets| nets.1.overlaps(net))
    }
}

/// A time after 2106 counts as 2106.
fn moment(seconds: u64) -> Moment {
    Moment::try_from(seconds).unwrap_or(Moment::MAX)
}

fn direction(sa: &PolicySa, is_local: &dyn Fn(IpAddr) -> bool) -> Direction {
    // illumos enters an SA into both tables if neither end is its own. Only packets of a group go both ways.
    let is_undeclared = sa.declared == Directions::BOTH && !sa.id.dst.is_multicast();
    let declared = if is_undeclared { Directions::default() } else { sa.declared };
    let known = directions(declared, sa.src, sa.id.dst, is_local).map(|determined| determined.directions);
    match known.unwrap_or_else(|| assumed(sa)) {
        Directions { inbound: true, outbound: true } => Direction::Both,
        Directions { inbound: true, outbound: false } => Direction::In,
        Directions { inbound: false, .. } => Direction::Out,
    }
}

/// The directions of an SA if neither address says them: as seen from the lower one, so that the two SAs of a link are opposite.
fn assumed(sa: &PolicySa) -> Directions {
    if sa.src_or_any() <= sa.id.dst { Directions::OUTBOUND } else { Directions::INBOUND }
}

fn mode(message: &Message, flags: Flags) -> XfrmMode {
    let of_extension = message.extensions.iter().find_map(|extension| match extension {
        Extension::SecondAssociation { mode, .. } => XfrmMode::from_pf_key(*mode),
        _ => None,
    });
    let is_tunnel = || flags.has(Flags::TUNNEL) || message.address(AddressRole::InnerSource).is_some();
    let of_addresses = || if is_tunnel() { XfrmMode::TUNNEL } else { XfrmMode::TRANSPORT };
    message.linux().and_then(|linux| linux.extras.mode).or(of_extension).unwrap_or_else(of_addresses)
}

/// The networks of a tunnel, this side's first.
fn nets(sa: &PolicySa, mode: XfrmMode, direction: Direction) -> Option<Nets> {
    let selector = sa.selector.filter(|_| mode != XfrmMode::TRANSPORT)?;
    Some(match direction {
        Direction::In => (selector.dst, selector.src),
        Direction::Out | Direction::Both => (selector.src, selector.dst),
    })
}
