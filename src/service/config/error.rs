//! Errors of the configuration, with what was expected.

use std::io;
use std::path::PathBuf;

use super::smf::PropertyError;
use crate::redact::shown;
use crate::sadb::{SadbTarget, UnknownTarget};
use crate::service::exit::Reason;
use crate::sys::fs::keys_file::PrivacyFinding;

/// An error in the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// manual-key.toml cannot be read.
    #[error("{}: {source}", shown(path))]
    Unreadable { path: PathBuf, source: io::Error },
    /// Other users could change what the service does.
    #[error("{0}")]
    Unsafe(PrivacyFinding),
    /// manual-key.toml cannot be parsed.
    #[error(
        "{}:{line}: {what}; expected the keys config_file, sadb, refresh, flush, carry_sequence, hold_natt_ports, policy, on_stop, protect, policy_priority, pass_neighbour_discovery, repair and allow_empty, each once",
        shown(path)
    )]
    Wrong {
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The error of the parser, masked.
        what: String,
    },
    /// illumos has a service for policies.
    #[error(
        "policy = \"from-sas\" is for Linux: here svc:/network/ipsec/policy loads the policies of ipsecinit.conf (ipsecconf(8)); \
         set policy = \"none\""
    )]
    PolicyService,
    /// This SADB has no policies.
    #[error(
        "policy = \"from-sas\" requires sadb = \"xfrm\": policies are installed through NETLINK_XFRM, which is not used with {}",
        sadb_word(sadb)
    )]
    PolicySadb { sadb: SadbTarget },
    #[error("on_stop = \"closed\" keeps the policies, and requires policy = \"from-sas\"")]
    NoPoliciesToKeep,
    #[error("protect drops what no policy of an SA matches, and requires policy = \"from-sas\"")]
    NoPoliciesToPrecede,
    /// An unknown value of `sadb` or `IPSECKEY_SADB`.
    #[error("sadb = {word:?}: {source}")]
    Sadb { word: String, source: UnknownTarget },
    /// The property of the SMF instance cannot be read.
    #[error(transparent)]
    Property(#[from] PropertyError),
}

/// The SADB as the settings have it, its path as names of files are shown.
fn sadb_word(sadb: &SadbTarget) -> String {
    match sadb {
        SadbTarget::Unix(path) => format!("unix:{}", shown(path)),
        other => other.to_string(),
    }
}

impl ConfigError {
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Reason::Permission,
            Self::Unsafe(_) => Reason::Insecure,
            _ => Reason::Configuration,
        }
    }
}
