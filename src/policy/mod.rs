//! Security policies (RFC 4301 section 4.4.1) in the form of Linux XFRM: which packets need which SAs.
//!
//! Pure values and functions. [`derive`](mod@derive) computes the policies that SAs need, [`unmatched`](mod@unmatched) finds SAs
//! without a policy and policies without an SA, [`ssh_lockout`] tests whether a policy would cut off an SSH session.
#![forbid(unsafe_code)]

mod association;
mod conflicts;
pub mod derive;
mod id;
mod selector;
pub mod ssh_lockout;
mod text;
pub mod unmatched;

use std::net::IpAddr;

pub use association::{Directions, PolicySa, udp_port};
pub use id::PolicyId;
pub use selector::{Net, PortMask, Selector};

use serde::{Deserialize, Serialize};

use crate::sa::{SaType, XfrmMode};

/// The packets that a policy is looked up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyDirection {
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
pub enum PolicyAction {
    /// Protected by the SAs of the templates, or passed in clear if there are none.
    Allow,
    /// The packet is dropped.
    Block,
}

/// The requirement of a policy for one SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    /// The protocol: AH or ESP.
    pub sa_type: SaType,
    /// Transport, tunnel or BEET.
    pub mode: XfrmMode,
    /// Source of the outer header; unspecified in transport mode.
    pub src: IpAddr,
    /// Destination of the outer header; unspecified in transport mode.
    pub dst: IpAddr,
    /// Security parameters index, 0 for any.
    pub spi: u32,
    /// The SAs with this request ID. 0 matches any inbound SA, and outbound SAs with 0.
    pub reqid: u32,
    /// Packets may pass without the SA (`level use` of ip-xfrm(8)).
    pub optional: bool,
}

/// A policy: an entry of the SPD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Selector, direction, mark and if_id.
    pub id: PolicyId,
    /// The processing of matching packets.
    pub action: PolicyAction,
    /// Of the policies that match a packet, the one with the lowest number applies.
    pub priority: u32,
    /// In the order of outbound processing: the innermost SA first.
    pub templates: Vec<Template>,
}

/// A policy in the SPD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPolicy {
    /// The policy without its counters.
    pub policy: Policy,
    /// Time of addition in seconds since 1970.
    pub added: u64,
}
