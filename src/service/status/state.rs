//! The state files of the service, for `manual-key status`: state.json, which any user may read, and loaded.json with the digest
//! of the keys file, for root. Neither contains a key. Best effort: write errors are ignored.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::policy::derive::Rules;
use crate::service::config::Config;
use crate::service::load::outcome::{LoadOutcome, State};
use crate::service::records::file_digest::FileDigest;
use crate::service::records::runtime_file::{self, Readers};
use crate::sys::net::interfaces::network_namespace;
use crate::sys::time::unix_now;

const STATE: &str = "state.json";
const LOADED: &str = "loaded.json";
/// A longer file is not read.
const MAX_LEN: u64 = 1 << 20;

/// The content of state.json.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateRecord {
    pub(crate) state: State,
    /// Start of this state, in seconds since 1970.
    pub(crate) since: u64,
    /// The log line with the result of the load.
    pub(crate) reason: String,
    pub(crate) file: Option<String>,
    /// When a keys file was applied last, in seconds since 1970.
    pub(crate) loaded: Option<u64>,
    /// SAs added by that load.
    pub(crate) added: Option<usize>,
    /// A value of `--sadb`.
    pub(crate) sadb: String,
    /// The daemon's process ID, while it is online.
    pub(crate) pid: Option<u32>,
    /// Whether the service installs policies.
    #[serde(default)]
    pub(crate) from_sas: bool,
    /// Those of the policies that it installs.
    #[serde(default)]
    pub(crate) rules: Rules,
    /// UDP ports that the daemon has bound.
    #[serde(default)]
    pub(crate) held_ports: Vec<u16>,
    /// Inode of the network namespace; `None` on systems without namespaces.
    pub(crate) namespace: Option<u64>,
    /// Whether only root and the caller can have written the file. Otherwise nothing that it names is opened.
    #[serde(skip)]
    pub(crate) is_trusted: bool,
}

impl StateRecord {
    /// The record in `directory`; `None` if there is none.
    ///
    /// # Errors
    /// Those of reading the file; `InvalidData` if it cannot be parsed.
    pub(crate) fn read(directory: &Path) -> io::Result<Option<Self>> {
        let read = runtime_file::read_up_to(directory, STATE, MAX_LEN)?;
        Ok(read.map(|(record, is_trusted)| Self { is_trusted, ..record }))
    }

    fn new(config: &Config, outcome: &LoadOutcome, pid: Option<u32>, previous: Option<&Self>) -> Self {
        let now = unix_now();
        let state = outcome.state;
        // After a failure the daemon exits.
        let pid = pid.filter(|_| matches!(state, State::Starting | State::Online | State::Degraded));
        let file = outcome.file.as_ref().map(|file| file.to_string_lossy().into_owned());
        // A restart begins a new state, even with the same result.
        let same = previous.filter(|previous| previous.state == state && previous.pid == pid);
        Self {
            state,
            since: same.map_or(now, |previous| previous.since),
            reason: outcome.text.clone(),
            file: file.or_else(|| previous.filter(|_| state == State::Starting)?.file.clone()),
            loaded: if outcome.is_applied { Some(now) } else { previous.and_then(|previous| previous.loaded) },
            added: outcome.sas,
            sadb: config.sadb.to_word().to_string_lossy().into_owned(),
            pid,
            from_sas: config.protection.from_sas,
            rules: config.protection.rules,
            held_ports: if pid.is_some() { outcome.held_ports.clone() } else { Vec::new() },
            namespace: network_namespace(),
            is_trusted: true,
        }
    }
}

/// The digest of the keys file that was applied last.
///
/// # Errors
/// Those of reading the file: only root may.
pub(crate) fn loaded_digest(directory: &Path) -> io::Result<Option<FileDigest>> {
    Ok(runtime_file::read_up_to(directory, LOADED, MAX_LEN)?.map(|(digest, _)| digest))
}

/// Parses a state file and serializes it again; `None` if it cannot be parsed.
#[cfg(feature = "internals")]
#[must_use]
pub(crate) fn rewrite_state_record(text: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec(&serde_json::from_slice::<StateRecord>(text).ok()?).ok()
}

/// Writes the state files after a load or a stop; `pid` is the daemon's process ID.
pub(crate) fn save(config: &Config, outcome: &LoadOutcome, pid: Option<u32>) {
    let Some(directory) = &config.state else { return };
    // An unreadable record is replaced.
    let previous = StateRecord::read(directory).ok().flatten();
    let record = StateRecord::new(config, outcome, pid, previous.as_ref());
    let _ = runtime_file::write(directory, STATE, Readers::All, &record);
    if let (true, Some(digest)) = (outcome.is_applied, &outcome.digest) {
        let _ = runtime_file::write(directory, LOADED, Readers::Owner, digest);
    }
}
