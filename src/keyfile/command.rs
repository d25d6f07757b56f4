//! What a command means, once its words are understood.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::sa::{Request, SaType};

/// Which of the commands about one SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `add`
    Add,
    /// `update`
    Update,
    /// `update-pair`
    UpdatePair,
    /// `delete`
    Delete,
    /// `delete-pair`
    DeletePair,
    /// `get`
    Get,
}

/// A command of the language.
pub enum Command {
    /// A command about one SA, or about several that differ only in their addresses.
    Sa(SaCommand),
    /// `flush [SA_TYPE]`
    Flush(SaType),
    /// `dump [SA_TYPE]`
    Dump(SaType),
    /// `save SA_TYPE [FILE]`; `None` is standard output.
    Save(SaType, Option<PathBuf>),
    /// `monitor`
    Monitor,
    /// `passive_monitor`, `pmonitor`
    PassiveMonitor,
    /// `help [TOPIC]`, `? [TOPIC]`
    Help(Option<String>),
    /// `quit`, `exit`
    Quit,
}

/// A command about SAs.
pub struct SaCommand {
    /// What to do.
    pub verb: Verb,
    /// Everything but the addresses of `targets`; for a single target it is complete as it stands. Boxed: it goes through many
    /// hands.
    pub request: Box<Request>,
    /// The source and destination addresses to go through, in order; never empty. A command without any address has one
    /// target of two `None`.
    pub targets: Vec<Target>,
}

impl SaCommand {
    /// A second copy, its keys wiped on their own.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self { verb: self.verb, request: Box::new(self.request.duplicate()), targets: self.targets.clone() }
    }
}

/// One pair of outer addresses a command applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Replaces the address of `request.src`.
    pub src: Option<IpAddr>,
    /// Replaces the address of `request.dst`.
    pub dst: Option<IpAddr>,
}
