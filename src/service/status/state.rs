//! What the service is doing, for `manual-key status`: a file in its runtime directory that everybody may read, and one
//! that tells a changed keys file, for root. Neither holds a key. They are no more than news: failing to write them is no
//! failure.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::service::config::Config;
use crate::service::exit::Reason;
use crate::service::log::witness::Witness;
use crate::service::records::file_digest::Fingerprint;
use crate::service::records::runtime_file::{self, Readers};
use crate::sys::net::interfaces::network_namespace;

const STATE: &str = "state.json";
const LOADED: &str = "loaded.json";

/// The states of a service, in the words of SMF (smf(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// The keys file is in use.
    Online,
    /// Somebody has to mend something.
    Maintenance,
    /// It was stopped, or never started since the system was.
    Disabled,
}

impl State {
    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Maintenance => "maintenance",
            Self::Disabled => "disabled",
        }
    }
}

/// The state and how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) state: State,
    /// Since when, in seconds since 1970.
    pub(crate) since: u64,
    /// The line of the log.
    pub(crate) reason: String,
    /// The keys file.
    pub(crate) file: Option<String>,
    /// When a keys file was applied last.
    pub(crate) loaded: Option<u64>,
    /// SAs added then.
    pub(crate) added: Option<usize>,
    /// Which SADB, in the words of `--sadb`.
    pub(crate) sadb: String,
    /// The process that stays, if one does.
    pub(crate) pid: Option<u32>,
    /// The network namespace, by its inode, where there are any.
    pub(crate) namespace: Option<u64>,
}

impl Record {
    /// The record in `directory`, if there is one.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn read(directory: &Path) -> io::Result<Option<Self>> {
        runtime_file::read(directory, STATE)
    }
}

/// The fingerprint of the keys file that was applied last.
///
/// # Errors
/// The system's: it is for root only.
pub(crate) fn loaded(directory: &Path) -> io::Result<Option<Fingerprint>> {
    runtime_file::read(directory, LOADED)
}

/// A state file with this text, as it would be written again; `None` if it is not understood.
#[must_use]
#[cfg(feature = "internals")]
pub fn rewritten_news(text: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec(&serde_json::from_slice::<Record>(text).ok()?).ok()
}

/// Records how a load or a stop has ended; `pid` is the process that stays.
pub(crate) fn keep(config: &Config, said: &Witness<'_>, stopped: bool, outcome: Result<(), Reason>, pid: Option<u32>) {
    let Some(directory) = &config.state else { return };
    let state = match (outcome, stopped) {
        (Err(_), _) => State::Maintenance,
        (Ok(()), true) => State::Disabled,
        (Ok(()), false) => State::Online,
    };
    let before = Record::read(directory).ok().flatten();
    let _ = runtime_file::write(directory, STATE, Readers::All, &record(config, said, state, pid, before));
    if let (true, Some(fingerprint)) = (said.is_applied, &said.fingerprint) {
        let _ = runtime_file::write(directory, LOADED, Readers::Owner, fingerprint);
    }
}

fn record(config: &Config, said: &Witness<'_>, state: State, pid: Option<u32>, before: Option<Record>) -> Record {
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs());
    let pid = pid.filter(|_| state == State::Online);
    let same = before.as_ref().filter(|before| before.state == state && before.pid == pid);
    Record {
        state,
        since: same.map_or(now, |before| before.since),
        reason: said.last.clone(),
        file: said.file.as_ref().map(|file| file.to_string_lossy().into_owned()),
        loaded: if said.is_applied { Some(now) } else { before.as_ref().and_then(|before| before.loaded) },
        added: said.added,
        sadb: config.sadb.to_string(),
        pid,
        namespace: network_namespace(),
    }
}
