//! Which SADB to talk to: the words of `--sadb`, and how each is opened.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use super::pfkey::embedded::Embedded;
use crate::model::Settings;
use crate::names::{Vocabulary, algorithms, ipsecalgs};
use crate::redact::shown;
use crate::sadb::linux::af_key::AfKey;
use crate::sadb::{PfKey, Sadb, SadbError, Xfrm};
use crate::sys::net::packet_socket::PacketSocket;
use crate::sys::{IS_ILLUMOS, IS_LINUX};
use crate::wire::pfkey::Dialect;

/// The environment variable that `--sadb` overrides.
pub const SADB_VARIABLE: &str = "IPSECKEY_SADB";

/// What `--sadb` may say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SadbTarget {
    /// The system's own: Linux XFRM, else PF_KEY; illumos PF_KEY. Never the model.
    #[default]
    Auto,
    /// Linux NETLINK_XFRM.
    Xfrm,
    /// The system's PF_KEY socket, in the system's dialect.
    PfKey,
    /// PF_KEYv2 in the illumos dialect on a Unix SOCK_SEQPACKET socket.
    Unix(PathBuf),
    /// A private in-memory SADB that lives as long as the process.
    Model,
}

/// The word is none of `--sadb`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an SADB: want auto, xfrm, pfkey, model or unix:PATH")]
pub struct UnknownTarget;

impl FromStr for SadbTarget {
    type Err = UnknownTarget;

    fn from_str(word: &str) -> Result<Self, UnknownTarget> {
        match word {
            "auto" => Ok(Self::Auto),
            "xfrm" => Ok(Self::Xfrm),
            "pfkey" => Ok(Self::PfKey),
            "model" => Ok(Self::Model),
            _ => match word.strip_prefix("unix:") {
                Some(path) if !path.is_empty() => Ok(Self::Unix(PathBuf::from(path))),
                _ => Err(UnknownTarget),
            },
        }
    }
}

impl fmt::Display for SadbTarget {
    /// The word that [`FromStr`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Xfrm => f.write_str("xfrm"),
            Self::PfKey => f.write_str("pfkey"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Model => f.write_str("model"),
        }
    }
}

impl SadbTarget {
    /// Installs the algorithm table of the system's own SADB, for the whole process: on illumos the algorithms that the
    /// administrator has chosen (ipsecalgs(8)), if their table can be read. A program calls it once, when it starts.
    pub fn install_algorithms(&self) {
        if !IS_ILLUMOS || !matches!(self, Self::Auto | Self::PfKey) {
            return;
        }
        // Without the file the built-in table has the algorithms that illumos ships.
        if let Ok(table) = std::fs::read_to_string(ipsecalgs::PATH) {
            algorithms::install_system_table(&table);
        }
    }

    /// The language of a keys file for this SADB.
    #[must_use]
    pub fn vocabulary(&self) -> Vocabulary {
        match self {
            Self::Xfrm => Vocabulary::Linux,
            Self::Auto | Self::PfKey if IS_LINUX => Vocabulary::Linux,
            _ => Vocabulary::Illumos,
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] with what is missing and how to get it.
    pub fn open(&self) -> Result<Box<dyn Sadb>, SadbError> {
        match self {
            Self::Model => Ok(Box::new(PfKey::new(Embedded::new(Settings::default()), &Dialect::ILLUMOS))),
            Self::Unix(path) => {
                let socket = PacketSocket::connect_unix(path).map_err(|source| SadbError::Unavailable {
                    what: format!("no SADB listens at {} (start one: sadb-model --listen PATH)", shown(path)),
                    source,
                })?;
                Ok(Box::new(PfKey::new(socket, &Dialect::ILLUMOS)))
            }
            Self::PfKey => open_pfkey(),
            Self::Xfrm => open_xfrm(),
            Self::Auto => open_xfrm().or_else(|first| open_pfkey().map_err(|second| if IS_LINUX { first } else { second })),
        }
    }
}

fn open_xfrm() -> Result<Box<dyn Sadb>, SadbError> {
    if !IS_LINUX {
        let what = "XFRM is an interface of Linux; this system's is --sadb pfkey".to_owned();
        return Err(SadbError::Unavailable { what, source: io::ErrorKind::Unsupported.into() });
    }
    Ok(Box::new(Xfrm::open()?))
}

fn open_pfkey() -> Result<Box<dyn Sadb>, SadbError> {
    let socket = PacketSocket::pf_key().map_err(|source| SadbError::Unavailable { what: pfkey_hint(&source), source })?;
    Ok(if IS_LINUX { Box::new(AfKey::new(socket)) } else { Box::new(PfKey::new(socket, &Dialect::ILLUMOS)) })
}

/// What was tried, and what would help.
fn pfkey_hint(error: &io::Error) -> String {
    let help = match (error.kind(), IS_LINUX) {
        (io::ErrorKind::PermissionDenied, true) => "CAP_NET_ADMIN is needed: run as root",
        (io::ErrorKind::PermissionDenied, false) => "the sys_ip_config privilege is needed: run as root",
        (_, true) => "the kernel has no PF_KEY: modprobe af_key, or --sadb model to rehearse without one",
        (_, false) => "the kernel has no PF_KEY; --sadb model rehearses without one",
    };
    format!("cannot open the PF_KEY socket ({help})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_sadb() {
        assert_eq!("auto".parse(), Ok(SadbTarget::Auto));
        assert_eq!("unix:/run/x".parse(), Ok(SadbTarget::Unix("/run/x".into())));
        assert_eq!("unix:".parse::<SadbTarget>(), Err(UnknownTarget));
        assert_eq!("Model".parse::<SadbTarget>(), Err(UnknownTarget));
        assert_eq!(SadbTarget::Model.vocabulary(), Vocabulary::Illumos);
        assert_eq!(SadbTarget::Xfrm.vocabulary(), Vocabulary::Linux);
    }

    #[test]
    fn a_missing_socket_says_what_to_do() {
        let Err(SadbError::Unavailable { what, .. }) = SadbTarget::Unix("/nonexistent/sadb".into()).open() else {
            panic!("opened a socket that is not there");
        };
        assert!(what.contains("/nonexistent/sadb") && what.contains("sadb-model"));
    }
}
