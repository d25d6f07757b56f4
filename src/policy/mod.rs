//! Security policies (RFC 4301 section 4.4.1) in the form of Linux XFRM: which packets need which SAs.
//!
//! Pure values and functions. [`derive`](mod@derive) computes the policies that SAs need, [`unmatched`](mod@unmatched) finds SAs
//! without a policy and policies without an SA, [`coverage`] names the peers whose traffic no policy protects, [`ssh_lockout`]
//! tests whether a policy would cut off an SSH session.
#![forbid(unsafe_code)]

mod association;
mod conflicts;
pub(crate) mod coverage;
pub(crate) mod derive;
mod id;
pub(crate) mod precedence;
pub(crate) mod protocols;
pub(crate) mod reqid;
mod selector;
pub(crate) mod ssh_lockout;
mod text;
pub(crate) mod unmatched;

use std::net::IpAddr;

pub(crate) use association::{PolicySa, udp_port};
pub(crate) use id::PolicyId;
pub(crate) use selector::{Net, PortMask, Selector};

use serde::{Deserialize, Serialize};

use crate::sa::{SaType, XfrmMode};

/// The packets that a policy is looked up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PolicyDirection {
    /// Packets for this host.
    In,
    /// Packets that leave this host.
    Out,
    /// Packets that this host forwards. Only inbound SAs need such policies: an outbound packet uses `Out`.
    #[serde(rename = "fwd")]
    Forward,
}

/// The processing of packets that match a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PolicyAction {
    /// Protected by the SAs of the templates, or passed in the clear if there are none.
    Allow,
    /// The packet is dropped.
    Block,
}

/// The requirement of a policy for one SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Template {
    /// The protocol: AH or ESP.
    pub(crate) sa_type: SaType,
    /// Transport, tunnel or BEET.
    pub(crate) mode: XfrmMode,
    /// Source of the outer header; unspecified in transport mode.
    pub(crate) src: IpAddr,
    /// Destination of the outer header; unspecified in transport mode.
    pub(crate) dst: IpAddr,
    /// Security parameters index, 0 for any.
    pub(crate) spi: u32,
    /// The SAs with this request ID. 0 matches any inbound SA, and outbound SAs with 0.
    pub(crate) reqid: u32,
    /// Packets may pass without the SA (`level use` of ip-xfrm(8)).
    pub(crate) optional: bool,
}

/// A policy: an entry of the SPD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Selector, direction, mark and if_id.
    pub(crate) id: PolicyId,
    /// The processing of matching packets.
    pub(crate) action: PolicyAction,
    /// Of the policies that match a packet, the one with the lowest number applies.
    pub(crate) priority: u32,
    /// In the order of outbound processing: the innermost SA first.
    pub(crate) templates: Vec<Template>,
}

/// A policy in the SPD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedPolicy {
    /// The policy without its counters.
    pub(crate) policy: Policy,
    /// Time of addition in seconds since 1970.
    pub(crate) added: u64,
}
