//! What looks wrong with a link, from the SADB and the policies of this host alone.

use std::fmt;

use super::link::{Flow, Link};
use super::units::Duration;

/// A use of the outbound SA that is this many seconds later than that of the inbound one is without an answer: longer than a
/// TCP connection waits between two attempts.
const SILENCE: u64 = 120;

/// A condition under which a link is not healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Neither address is one of this host.
    NotLocal,
    /// No policy sends packets through the outbound SA.
    NoPolicy,
    /// No policy requires the inbound SA.
    NoInboundPolicy,
    /// No policy `dir fwd` lets packets of a tunnel pass to networks behind this host.
    NoForwardPolicy,
    NoInboundSa,
    NoOutboundSa,
    /// A hard lifetime is over, and the SADB is about to remove the SA.
    Expired,
    /// Packets were sent, and none has come back; for that many seconds, 0 for ever.
    NothingBack(u64),
    /// Packets were received, and none was sent.
    NothingSent,
    /// Received packets with a wrong ICV.
    Unauthentic(u64),
    /// Received packets that were replayed, or older than the anti-replay window.
    Replayed(u64),
    SoftExpired,
    /// Seconds until an SA expires, less than a tenth of its lifetime.
    Expiring(u64),
}

impl Problem {
    /// The word of the condition in JSON and metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotLocal => "not_local",
            Self::NoPolicy => "no_policy",
            Self::NoInboundPolicy => "no_inbound_policy",
            Self::NoForwardPolicy => "no_forward_policy",
            Self::NoInboundSa => "no_inbound_sa",
            Self::NoOutboundSa => "no_outbound_sa",
            Self::Expired => "expired",
            Self::NothingBack(_) => "nothing_back",
            Self::NothingSent => "nothing_sent",
            Self::Unauthentic(_) => "unauthentic",
            Self::Replayed(_) => "replayed",
            Self::SoftExpired => "soft_expired",
            Self::Expiring(_) => "expiring",
        }
    }

    /// Whether traffic is not protected, or lost, now.
    pub(crate) fn is_critical(self) -> bool {
        !matches!(self, Self::NothingSent | Self::Replayed(_) | Self::SoftExpired | Self::Expiring(_))
    }
}

/// A sentence without a full stop.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLocal => f.write_str("neither end is an address of this host"),
            Self::NoPolicy => f.write_str("no policy: traffic in the clear"),
            Self::NoInboundPolicy => f.write_str("no inbound policy: unprotected packets are accepted"),
            Self::NoForwardPolicy => f.write_str("no fwd policy: packets for the network behind this host are dropped"),
            Self::NoInboundSa => f.write_str("only one direction has an SA: none for inbound packets"),
            Self::NoOutboundSa => f.write_str("only one direction has an SA: none for outbound packets"),
            Self::Expired => f.write_str("expired: replace the keys on both hosts"),
            Self::NothingBack(0) => f.write_str("sends, nothing comes back"),
            Self::NothingBack(since) => write!(f, "sends, nothing comes back for {}", Duration(*since)),
            Self::NothingSent => f.write_str("receives, nothing is sent"),
            Self::Unauthentic(count) => write!(f, "{count} packets failed authentication: compare the keys"),
            Self::Replayed(count) => write!(f, "{count} packets were replayed or late"),
            Self::SoftExpired => f.write_str("soft lifetime is over: replace the keys"),
            Self::Expiring(left) => write!(f, "expires in {}: replace the keys", Duration(*left)),
        }
    }
}

/// The problems of `link`, the worst first; `has_policies`: whether it is known if policies use its SAs.
pub(super) fn find(link: &Link, has_policies: bool) -> Vec<Problem> {
    let Link { out, inbound, .. } = link;
    let has_both = out.sas > 0 && inbound.sas > 0;
    // A group may have senders only, and receivers only.
    let is_alone = !has_both && !link.is_group && !link.peer.is_multicast();
    let lacks_policy = |flow: &Flow| has_policies && flow.sas > 0 && !flow.is_covered;
    let conditions = [
        (!link.is_here).then_some(Problem::NotLocal),
        lacks_policy(out).then_some(Problem::NoPolicy),
        (lacks_policy(inbound) && !lacks_policy(out)).then_some(Problem::NoInboundPolicy),
        (inbound.lacks_forward && inbound.is_covered).then_some(Problem::NoForwardPolicy),
        (is_alone && inbound.sas == 0).then_some(Problem::NoInboundSa),
        (is_alone && out.sas == 0).then_some(Problem::NoOutboundSa),
        hard_left(link).filter(|left| *left == 0).map(|_| Problem::Expired),
        has_both.then(|| unanswered(out, inbound)).flatten().map(Problem::NothingBack),
        (has_both && inbound.is_used() && !out.is_used()).then_some(Problem::NothingSent),
        Some(inbound.unauthentic + out.unauthentic).filter(|count| *count > 0).map(Problem::Unauthentic),
        Some(inbound.replayed + out.replayed).filter(|count| *count > 0).map(Problem::Replayed),
        soft_is_over(link).then_some(Problem::SoftExpired),
        expiring(link).map(Problem::Expiring),
    ];
    conditions.into_iter().flatten().collect()
}

/// How many seconds packets have been sent without one that came back; 0 if none has ever come back.
fn unanswered(out: &Flow, inbound: &Flow) -> Option<u64> {
    if out.is_used() && !inbound.is_used() {
        return Some(0);
    }
    // Before Linux 6.2 the last use of an inbound SA is not known.
    let is_known = inbound.last_used != 0 && out.last_used != 0;
    let since = u64::from(out.last_used.saturating_sub(inbound.last_used));
    (is_known && since > SILENCE).then_some(since)
}

/// Seconds until the first hard lifetime is over.
fn hard_left(link: &Link) -> Option<u64> {
    link.expires().map(|at| u64::from(at).saturating_sub(link.now))
}

fn soft_is_over(link: &Link) -> bool {
    let is_over = link.flows().any(|flow| flow.soft != 0 && u64::from(flow.soft) <= link.now);
    is_over && hard_left(link) != Some(0)
}

fn expiring(link: &Link) -> Option<u64> {
    let is_near = |flow: &&Flow| {
        let left = u64::from(flow.hard).saturating_sub(link.now);
        flow.hard != 0 && left > 0 && left < u64::from(flow.hard.saturating_sub(flow.added)) / 10
    };
    // The soft lifetime is there to say it.
    let has_soft = link.flows().any(|flow| flow.soft != 0);
    link.flows().find(is_near).filter(|_| !has_soft).and_then(|_| hard_left(link))
}
