//! What manual-key.toml(5) says, word by word.

use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use crate::service::log::masked;
use crate::sys::fs::keys_file::KEYS_FILE;

/// The keys of manual-key.toml with their defaults.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Properties {
    /// The keys file.
    pub(crate) config_file: PathBuf,
    /// Which SADB, in the words of `--sadb`.
    pub(crate) sadb: String,
    /// What comes first in a load.
    pub(crate) refresh: Policy,
    /// What is flushed.
    pub(crate) flush: Scope,
    /// How long sequence numbers are kept.
    pub(crate) carry_sequence: Carry,
    /// Whether the UDP ports of SAs are held.
    pub(crate) hold_natt_ports: bool,
    /// Whose policies are installed.
    pub(crate) policy: PolicySource,
    /// What becomes of them at the end.
    pub(crate) on_stop: OnStop,
}

impl Default for Properties {
    fn default() -> Self {
        Self {
            config_file: PathBuf::from(KEYS_FILE),
            sadb: "auto".to_owned(),
            refresh: Policy::default(),
            flush: Scope::default(),
            carry_sequence: Carry::default(),
            hold_natt_ports: false,
            policy: PolicySource::default(),
            on_stop: OnStop::default(),
        }
    }
}

/// `refresh` in manual-key.toml.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Policy {
    /// Flush, parse, apply.
    #[default]
    Flush,
    /// Parse, flush, apply.
    CheckFirst,
    /// Parse, change what differs.
    Reconcile,
}

/// `flush` in manual-key.toml: every SA, or only those this service added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scope {
    /// Every SA.
    #[default]
    All,
    /// Those that this service has added.
    Owned,
}

impl FromStr for Scope {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, &'static str> {
        match word {
            "all" => Ok(Self::All),
            "owned" => Ok(Self::Owned),
            _ => Err("wanted all or owned"),
        }
    }
}

/// `carry_sequence` in manual-key.toml: how long sequence numbers are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Carry {
    /// Not at all.
    Off,
    /// Until the system boots.
    #[default]
    Run,
    /// Over boots.
    Reboot,
}

/// `policy` in manual-key.toml.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PolicySource {
    /// Nobody's: the service leaves policies alone.
    #[default]
    None,
    /// Those that the SAs ask for.
    FromSas,
}

/// `on_stop` in manual-key.toml.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnStop {
    /// They go with the SAs.
    #[default]
    Open,
    /// They stay, so that nothing is sent in clear.
    Closed,
}

/// Whether `text` could be a manual-key.toml; if not, the line and what is wrong there, in the words of the log.
///
/// # Errors
/// Line and words.
#[cfg(feature = "internals")]
pub fn check_config(text: &str) -> Result<(), (usize, String)> {
    parse(text).map(drop)
}

/// The properties that `text` gives.
///
/// # Errors
/// The line and the words, with anything that could be a key masked: the file named may be a keys file.
pub(crate) fn parse(text: &str) -> Result<Properties, (usize, String)> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        (before.matches('\n').count() + 1, masked(error.message()))
    })
}
