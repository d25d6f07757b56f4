//! Parsed commands.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::names::verbs::Verb;
use crate::sa::{Request, SaType};

/// A command of ipseckey(1M).
pub(crate) enum Command {
    /// A command about one SA, or about several that differ only in their addresses.
    Sa(SaCommand),
    /// `flush [SA_TYPE]`; without a type, every SA.
    Flush(SaType),
    /// `dump [SA_TYPE]`; without a type, every SA.
    Dump(SaType),
    /// `show [PEER]`, the words as typed.
    Show(Option<String>),
    /// `save SA_TYPE [FILE]`; `None` is standard output.
    Save(SaType, Option<PathBuf>),
    Monitor,
    PassiveMonitor,
    /// `help [TOPIC]`, `? [TOPIC]`
    Help(Option<String>),
    Quit,
}

/// A command about SAs.
pub(crate) struct SaCommand {
    pub(crate) verb: Verb,
    /// Everything but the addresses of `targets`; complete if there is a single target. Boxed, because it is moved often and a
    /// move would leave copies of it on the stack.
    pub(crate) request: Box<Request>,
    /// The source and destination addresses that the command applies to, in order; never empty. Without any address it has one
    /// target of two `None`.
    pub(crate) targets: Vec<Target>,
}

impl SaCommand {
    /// A deep copy, keys included. Written out, since copies of keys should be easy to find.
    #[must_use]
    pub(crate) fn duplicate(&self) -> Self {
        Self { verb: self.verb, request: Box::new(self.request.duplicate()), targets: self.targets.clone() }
    }
}

/// A pair of outer addresses that a command applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Replaces the address of `request.src`.
    pub(crate) src: Option<IpAddr>,
    /// Replaces the address of `request.dst`.
    pub(crate) dst: Option<IpAddr>,
}
