//! The outcome of a load or a stop, and of its steps.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::encap_ports::EncapPort;
use super::pending::LoadedSas;
use crate::policy::coverage::UnprotectedSas;
use crate::reconcile::{ExecuteError, Goal};
use crate::sa::SaId;
use crate::service::exit::Reason;
use crate::service::log::event::Event;
use crate::service::records::file_digest::FileDigest;

/// The states of a service, in the terms of SMF (smf(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// The first load has not ended.
    Starting,
    /// The keys file is loaded, and policies use its SAs.
    Online,
    /// The keys file is loaded, but traffic that it is intended for may pass in the clear or be lost.
    Degraded,
    /// An administrator has to act.
    Maintenance,
    /// Stopped, or not started since boot.
    #[default]
    Disabled,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Online => "online",
            Self::Degraded => "degraded",
            Self::Maintenance => "maintenance",
            Self::Disabled => "disabled",
        }
    }
}

/// What a load or a stop returns. State file, notification to systemd, reply to a refresh client and exit code are all made from
/// it.
#[derive(Default)]
pub(crate) struct LoadOutcome {
    pub(crate) state: State,
    /// Why it failed; `None` if it succeeded.
    pub(crate) failure: Option<Reason>,
    /// The log line with the result.
    pub(crate) text: String,
    /// The keys file, as soon as its name is known.
    pub(crate) file: Option<PathBuf>,
    /// Digest of the keys file; `None` if it was not read, or the system has no random numbers.
    pub(crate) digest: Option<FileDigest>,
    /// Whether the file was applied, completely or in part.
    pub(crate) is_applied: bool,
    /// SAs added, or for a reconciliation SAs of the file; `None` unless the file was applied completely.
    pub(crate) sas: Option<usize>,
    /// First lines of the commands that the SADB refused.
    pub(crate) refused: Vec<u32>,
    /// UDP ports on which SAs of the file receive.
    pub(crate) encap_ports: BTreeSet<EncapPort>,
    /// UDP ports that the daemon has bound.
    pub(crate) held_ports: Vec<u16>,
    /// The SAs of the file, to watch.
    pub(crate) loaded: LoadedSas,
    /// When the SAs of the key chains change next, in seconds since 1970; `None` without such a change.
    pub(crate) next_change: Option<u64>,
    /// SAs that no policy uses; `None` if there are none, or the SADB has no policies.
    pub(crate) unprotected: Option<UnprotectedSas>,
}

impl LoadOutcome {
    /// The outcome of a load that failed before it reached the keys file.
    pub(crate) fn failed(failure: Failure) -> Self {
        let mut outcome = Self::default();
        outcome.fail(failure);
        outcome
    }

    /// The outcome of a stop that logged `text`.
    pub(crate) fn stopped(text: String) -> Self {
        Self { state: State::Disabled, text, ..Self::default() }
    }

    /// Before the first load of the daemon.
    pub(crate) fn starting() -> Self {
        Self { state: State::Starting, text: "the keys file is being loaded".to_owned(), ..Self::default() }
    }

    /// Sets state, text and reason by the result of the load.
    pub(super) fn finish(mut self, result: Result<(), Failure>) -> Self {
        match result {
            Ok(()) => self.state = self.loaded_state(),
            Err(failure) => self.fail(failure),
        }
        self
    }

    /// The state after a load without a failure.
    pub(super) fn loaded_state(&self) -> State {
        if self.unprotected.is_some() || !self.loaded.occupied.is_empty() { State::Degraded } else { State::Online }
    }

    /// For a daemon whose SAs or policies another program has removed.
    pub(crate) fn degrade(&mut self, event: &Event) {
        self.state = State::Degraded;
        self.text = format!("degraded: {event}");
    }

    /// For a daemon that fails after its load: the keys file is not in use as loaded any more.
    pub(crate) fn fail_after_load(&mut self, failure: Failure) {
        self.is_applied = false;
        self.sas = None;
        self.fail(failure);
    }

    fn fail(&mut self, failure: Failure) {
        self.state = State::Maintenance;
        self.failure = Some(failure.reason);
        self.text = failure.text.unwrap_or_else(|| std::mem::take(&mut self.text));
    }

    /// The exit status in form of a result.
    pub(crate) fn result(&self) -> Result<(), Reason> {
        self.failure.map_or(Ok(()), Err)
    }
}

/// Why a load or a stop failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    /// The log line; `None` if the line of the result remains, as for SAs that are loaded without all of their policies.
    pub(crate) text: Option<String>,
}

/// What applying or reconciling has changed.
pub(super) struct Applied {
    /// The SAs to record as the service's; `None` if nothing changed.
    pub(super) ids: Option<HashSet<SaId>>,
    /// The desired state to compare with; `None` if there is nothing to compare.
    pub(super) goal: Option<Goal>,
    /// A reconciliation that was rolled back.
    pub(super) failed: Option<Box<ExecuteError>>,
    pub(super) sas: usize,
    /// First lines of the refused commands.
    pub(super) refused: Vec<u32>,
    /// The result to log, unless the comparison with the keys file fails.
    pub(super) result: Event,
}
