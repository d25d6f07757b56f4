//! Sequence numbers never decrease: an SA that replaces one with the same key continues its sequence numbers.
//!
//! The anti-replay window of the peer drops sequence numbers below it (RFC 4303 section 3.4.3). The counter of an outbound SA
//! therefore skips [`MARGIN`], for packets that were sent after the counter was read. That of an inbound SA continues exactly, and
//! older packets count as received.

use crate::sa::{Extension, Message, Request, XfrmFlags, direction};
use crate::sys::net::interfaces::is_local;

/// Sequence numbers that an outbound SA skips: more than the number of packets sent between reading the counter and the
/// replacement.
pub(crate) const MARGIN: u64 = 4096;

/// The sequence number state of an SA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// The last sequence number sent.
    pub(crate) sent: u64,
    /// The highest sequence number received.
    pub(crate) received: u64,
}

impl Counters {
    /// The counters that an SADB reports. PF_KEY has one counter, for the direction of the SA.
    #[must_use]
    pub(crate) fn of(message: &Message) -> Self {
        if let Some(linux) = message.linux() {
            return Self { sent: linux.sent_seq, received: linux.received_seq };
        }
        // Only one of the two is set, depending on ESN.
        let value = message.extensions.iter().find_map(|extension| match extension {
            Extension::ReplayValue { value32, value64 } => Some(u64::from(*value32).max(*value64)),
            _ => None,
        });
        Self { sent: value.unwrap_or(0), received: value.unwrap_or(0) }
    }

    /// Makes the SA of `request` continue from these counters, unless the request has a higher start value itself.
    pub(crate) fn apply_to(self, request: &mut Request, margin: u64) {
        // Never used: the SA starts at its own value.
        if self == Self::default() {
            return;
        }
        let next =
            if is_inbound(request) { self.effective_received(request) } else { next_to_send(self.sent, margin, request) };
        if next > request.replay_value.unwrap_or(0) {
            request.replay_value = Some(next);
        }
    }

    /// 0 without an anti-replay window, which alone uses the number.
    fn effective_received(self, request: &Request) -> u64 {
        if request.replay == 0 { 0 } else { self.received }
    }
}

/// `sent` plus `margin`. At the end of the number space `sent` is kept: the SA is exhausted and needs a new key.
fn next_to_send(sent: u64, margin: u64, request: &Request) -> u64 {
    let last = if request.linux.flags.has(XfrmFlags::ESN) { u64::MAX } else { u64::from(u32::MAX) };
    let next = sent.checked_add(margin).filter(|next| *next <= last).unwrap_or(sent);
    if sent == 0 { 0 } else { next }
}

/// Whether the SA that `request` adds is inbound only.
pub(crate) fn is_inbound(request: &Request) -> bool {
    direction::is_inbound(request, &is_local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::Flags;

    fn start_value(counters: Counters, request: Request) -> Option<u64> {
        let mut request = request;
        counters.apply_to(&mut request, MARGIN);
        request.replay_value
    }

    fn outbound() -> Request {
        Request { flags: Flags::OUTBOUND, replay: 32, ..Request::default() }
    }

    const USED: Counters = Counters { sent: 1000, received: 2000 };

    #[test]
    fn apply_to_skips_a_margin_for_outbound_sas_only() {
        assert_eq!(start_value(USED, outbound()), Some(1000 + MARGIN));
        assert_eq!(start_value(USED, Request { flags: Flags::INBOUND, ..outbound() }), Some(2000));
        assert_eq!(start_value(USED, Request { flags: Flags::INBOUND, replay: 0, ..outbound() }), None);
        assert_eq!(start_value(Counters::default(), outbound()), None);
    }

    #[test]
    fn apply_to_keeps_a_higher_replay_value_of_the_file() {
        let with_replay_value = |value| Request { replay_value: Some(value), ..outbound() };
        assert_eq!(start_value(USED, with_replay_value(7)), Some(1000 + MARGIN));
        assert_eq!(start_value(USED, with_replay_value(70_000)), Some(70_000));
    }

    #[test]
    fn apply_to_does_not_exceed_the_number_space() {
        let near = Counters { sent: u64::from(u32::MAX) - 5, ..USED };
        assert_eq!(start_value(near, outbound()), Some(near.sent));
        let mut extended = outbound();
        extended.linux.flags = XfrmFlags::ESN;
        assert_eq!(start_value(near, extended), Some(near.sent + MARGIN));
    }
}
