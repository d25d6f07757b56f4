//! Sequence numbers never go back: an SA that is added again with the same key goes on where the old one was.
//!
//! A peer with a replay window takes nothing below what it has seen (RFC 4303 section 3.4.3), so the numbers that go out jump
//! ahead: past what was sent after they were read. Those that came in go on exactly, and what came before counts as seen.

use super::fingerprint::Salt;
use crate::reconcile::compare::keys_fingerprint;
use crate::reconcile::live::Current;
use crate::sa::{Extension, Flags, Message, Request, SaId, XfrmFlags};
use crate::sys::net::interfaces::is_local;

/// How far the numbers of an SA that is added again jump ahead of what was read: more than is sent meanwhile.
pub(crate) const MARGIN: u64 = 4096;

/// How far an SA has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Sequence number last sent.
    pub(crate) sent: u64,
    /// Highest sequence number received.
    pub(crate) received: u64,
}

impl Counters {
    /// What an SADB says of an SA. PF_KEY tells one number, which is that of the SA's direction.
    #[must_use]
    pub(crate) fn of(message: &Message) -> Self {
        if let Some(linux) = message.linux() {
            return Self { sent: linux.sent_seq, received: linux.received_seq };
        }
        let value = message.extensions.iter().find_map(|extension| match extension {
            Extension::ReplayValue { value32, value64 } => Some(u64::from(*value32).max(*value64)),
            _ => None,
        });
        Self { sent: value.unwrap_or(0), received: value.unwrap_or(0) }
    }

    /// Lets `request` go on from here. What the request itself says counts if it is further.
    pub(crate) fn carry_into(self, request: &mut Request, margin: u64) {
        if self == Self::default() {
            return;
        }
        let next = if is_inbound(request) { self.received_by(request) } else { ahead(self.sent, margin, request) };
        if next > request.replay_value.unwrap_or(0) {
            request.replay_value = Some(next);
        }
    }

    /// Without a window nobody looks at what was received.
    fn received_by(self, request: &Request) -> u64 {
        if request.replay == 0 { 0 } else { self.received }
    }
}

/// How far an SA with certain keys has come.
pub(crate) struct Progress {
    /// Its name.
    pub(crate) id: SaId,
    /// Its numbers.
    pub(crate) counters: Counters,
    /// The fingerprint of its keys.
    pub(crate) keys: String,
}

impl Progress {
    /// That of the SA that `message` describes, unless it is at its beginning.
    #[must_use]
    pub(crate) fn of(message: &Message, salt: Salt) -> Option<Self> {
        if Counters::of(message) == Counters::default() {
            return None;
        }
        Some(Self::of_current(&Current::of(message)?, salt))
    }

    pub(super) fn of_current(current: &Current, salt: Salt) -> Self {
        Self { id: current.id, counters: current.counters, keys: keys_fingerprint(&current.request, salt) }
    }
}

/// A number from which there is no way ahead is kept: the SA is at its end, and needs a new key.
fn ahead(sent: u64, margin: u64, request: &Request) -> u64 {
    let last = if request.linux.flags.has(XfrmFlags::ESN) { u64::MAX } else { u64::from(u32::MAX) };
    let next = sent.checked_add(margin).filter(|next| *next <= last).unwrap_or(sent);
    if sent == 0 { 0 } else { next }
}

/// What the request says, else whether its destination is this system.
pub(super) fn is_inbound(request: &Request) -> bool {
    match (request.flags.has(Flags::INBOUND), request.flags.has(Flags::OUTBOUND)) {
        (true, false) => true,
        (false, true) => false,
        _ => request.dst.is_some_and(|dst| is_local(dst.addr.to_canonical())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(counters: Counters, request: Request) -> Option<u64> {
        let mut request = request;
        counters.carry_into(&mut request, MARGIN);
        request.replay_value
    }

    fn outbound() -> Request {
        Request { flags: Flags::OUTBOUND, replay: 32, ..Request::default() }
    }

    const USED: Counters = Counters { sent: 1000, received: 2000 };

    #[test]
    fn what_goes_out_jumps_ahead_and_what_came_in_stays() {
        assert_eq!(carried(USED, outbound()), Some(1000 + MARGIN));
        assert_eq!(carried(USED, Request { flags: Flags::INBOUND, ..outbound() }), Some(2000));
        assert_eq!(carried(USED, Request { flags: Flags::INBOUND, replay: 0, ..outbound() }), None);
        assert_eq!(carried(Counters::default(), outbound()), None);
    }

    #[test]
    fn what_the_file_says_counts_if_it_is_further() {
        let said = |value| Request { replay_value: Some(value), ..outbound() };
        assert_eq!(carried(USED, said(7)), Some(1000 + MARGIN));
        assert_eq!(carried(USED, said(70_000)), Some(70_000));
    }

    #[test]
    fn numbers_end_where_the_sa_does() {
        let near = Counters { sent: u64::from(u32::MAX) - 5, ..USED };
        assert_eq!(carried(near, outbound()), Some(near.sent));
        let mut extended = outbound();
        extended.linux.flags = XfrmFlags::ESN;
        assert_eq!(carried(near, extended), Some(near.sent + MARGIN));
    }
}
