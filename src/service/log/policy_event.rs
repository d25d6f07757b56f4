//! What the service can say about policies. Of policies there are names, which have no secrets.

use std::fmt;
use std::io;
use std::net::IpAddr;

use crate::policy::PolicyId;
use crate::policy::derive::NoPolicy;
use crate::sadb::SadbError;
use crate::service::log::event::Lines;
use crate::service::log::{Severity, masked};

/// What happened.
pub(crate) enum PolicyEvent<'a> {
    /// SAs get no policy.
    Unprotected {
        /// The first lines of the commands.
        lines: &'a [u32],
        /// Why.
        why: NoPolicy,
        /// Whether somebody waits for what is missing.
        waits: bool,
    },
    /// A policy was not installed.
    Refused {
        /// Which one.
        name: &'a PolicyId,
        /// What the SADB said.
        error: &'a SadbError,
    },
    /// A policy was not installed, since another is in its place.
    Taken(&'a PolicyId),
    /// A policy is not there although the SADB has taken it, or is another.
    Missing(&'a PolicyId),
    /// A policy would cut off the session from which it is asked for.
    CutsOff {
        /// Which one.
        name: &'a PolicyId,
        /// Who is cut off.
        peer: IpAddr,
    },
    /// Policies are installed, before the SAs.
    Up {
        /// New ones.
        added: usize,
        /// The service's own that are changed.
        replaced: usize,
        /// Those that are as they should be.
        kept: usize,
    },
    /// Policies that nobody wants any more are removed, after the SAs.
    Down(usize),
    /// The service ends, and its policies stay.
    Stay,
    /// The system does not say which addresses it has.
    NoAddresses(&'a io::Error),
}

impl PolicyEvent<'_> {
    /// How much it matters.
    #[must_use]
    pub(crate) fn severity(&self) -> Severity {
        match self {
            Self::Up { .. } | Self::Down(_) | Self::Stay => Severity::Info,
            Self::Unprotected { .. } | Self::CutsOff { .. } => Severity::Warning,
            Self::Refused { .. } | Self::Taken(_) | Self::Missing(_) | Self::NoAddresses(_) => Severity::Error,
        }
    }
}

impl fmt::Display for PolicyEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unprotected { lines, why, waits } => {
                let these = if lines.len() == 1 { "this SA" } else { "these SAs; of each" };
                let later = match (why, waits) {
                    (NoPolicy::UnknownDirection, true) => "; it has one as soon as one of its addresses is of this system",
                    (NoPolicy::UnknownDirection, false) => {
                        ", or once one of its addresses is of this system: manual-key refresh"
                    }
                    _ => "",
                };
                write!(f, "{}: warning: no policy is installed for {these}: {why}{later}", Lines(lines))
            }
            Self::Refused { name, error } => write!(f, "policy {name}: the SADB: {}", masked(&error.to_string())),
            Self::Taken(name) => write!(
                f,
                "policy {name}: another one is in its place and stays; to have the service's: ip xfrm policy delete {name}, then \
                 refresh"
            ),
            Self::Missing(name) => {
                write!(f, "policy {name}: the SADB took it, and has it not: does somebody else change it?")
            }
            Self::CutsOff { name, peer } => write!(
                f,
                "warning: policy {name}: this session over SSH from {peer} would be cut off, unless {peer} has the SAs too; have another \
                 way in, or narrow the SA by proto, sport and dport"
            ),
            Self::Up { added, replaced, kept } => {
                write!(f, "policies: {added} added, {replaced} changed, {kept} kept")
            }
            Self::Down(removed) => write!(f, "policies: {removed} removed"),
            Self::Stay => f.write_str("the policies stay: what they protect does not pass in clear (on_stop = closed)"),
            Self::NoAddresses(error) => write!(f, "this system's addresses: {error}"),
        }
    }
}
