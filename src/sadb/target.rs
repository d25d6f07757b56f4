//! The values of `--sadb`, and how each SADB is opened.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::pfkey::embedded::Embedded;
use super::unix_socket;
use crate::model::Settings;
use crate::names::{Vocabulary, ipsecalgs};
use crate::redact::{printable, shell_word};
use crate::sadb::linux::af_key::AfKey;
use crate::sadb::{Illumos, Sadb, SadbError, Xfrm};
use crate::sys::net::packet_socket::PacketSocket;
use crate::sys::process::program;
use crate::sys::{IS_ILLUMOS, IS_LINUX};

/// The environment variable that `--sadb` overrides.
pub(crate) const SADB_VARIABLE: &str = "IPSECKEY_SADB";

/// The rules of `--sadb model`: those of this system.
const MODEL_OF_SYSTEM: Vocabulary = if IS_LINUX { Vocabulary::Linux } else { Vocabulary::Illumos };

/// A value of `--sadb`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum SadbTarget {
    /// The system's SADB: XFRM or else PF_KEY on Linux, PF_KEY on illumos. Never the model.
    #[default]
    Auto,
    /// The NETLINK_XFRM interface of Linux.
    Xfrm,
    /// The system's PF_KEY socket, in the system's dialect.
    PfKey,
    /// PF_KEYv2 in the illumos dialect on a Unix SOCK_SEQPACKET socket.
    Unix(PathBuf),
    /// A private in-memory SADB with the rules of Linux XFRM or of illumos. It lives as long as the process.
    Model(Vocabulary),
}

/// An unknown value of `--sadb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an SADB: expected auto, xfrm, pfkey, model, model:linux, model:illumos or unix:PATH")]
pub(crate) struct UnknownTarget;

impl FromStr for SadbTarget {
    type Err = UnknownTarget;

    fn from_str(word: &str) -> Result<Self, UnknownTarget> {
        match word {
            "auto" => Ok(Self::Auto),
            "xfrm" => Ok(Self::Xfrm),
            "pfkey" => Ok(Self::PfKey),
            "model" => Ok(Self::Model(MODEL_OF_SYSTEM)),
            "model:linux" => Ok(Self::Model(Vocabulary::Linux)),
            "model:illumos" => Ok(Self::Model(Vocabulary::Illumos)),
            _ => match word.strip_prefix("unix:") {
                Some(path) if !path.is_empty() => Ok(Self::Unix(PathBuf::from(path))),
                _ => Err(UnknownTarget),
            },
        }
    }
}

/// For messages; [`SadbTarget::to_word`] has the exact path.
impl fmt::Display for SadbTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.to_word().as_bytes()))
    }
}

impl SadbTarget {
    /// The inverse of [`FromStr`].
    pub(crate) fn to_word(&self) -> OsString {
        match self {
            Self::Auto => "auto".into(),
            Self::Xfrm => "xfrm".into(),
            Self::PfKey => "pfkey".into(),
            Self::Unix(path) => [OsStr::new("unix:"), path.as_os_str()].into_iter().collect(),
            Self::Model(vocabulary) if *vocabulary == MODEL_OF_SYSTEM => "model".into(),
            Self::Model(Vocabulary::Linux) => "model:linux".into(),
            Self::Model(Vocabulary::Illumos) => "model:illumos".into(),
        }
    }

    /// Installs the algorithm table of the system's own SADB, for the whole process: on illumos the algorithms that the
    /// administrator has chosen (ipsecalgs(8)), if their table can be read. A program calls it once, when it starts.
    pub(crate) fn install_algorithms(&self) {
        if !IS_ILLUMOS || !matches!(self, Self::Auto | Self::PfKey) {
            return;
        }
        // Without the file the built-in table has the algorithms that illumos ships.
        if let Ok(table) = std::fs::read_to_string(ipsecalgs::PATH) {
            ipsecalgs::install(&table);
        }
    }

    /// Whether it is the SADB of this system, and not a stand-in for it.
    #[must_use]
    pub(crate) fn is_of_system(&self) -> bool {
        matches!(self, Self::Auto | Self::Xfrm | Self::PfKey)
    }

    /// The start of a command line in a message: the program `name` of this package, with the option for this SADB.
    #[must_use]
    pub(crate) fn command(&self, name: &str) -> String {
        let program = program::beside(name);
        match self {
            Self::Auto => program,
            target => format!("{program} --sadb {}", shell_word(Path::new(&target.to_word()))),
        }
    }

    /// Whether it is in the memory of this process.
    #[must_use]
    pub(crate) fn is_model(&self) -> bool {
        matches!(self, Self::Model(_))
    }

    /// The vocabulary of a keys file for this SADB.
    #[must_use]
    pub(crate) fn vocabulary(&self) -> Vocabulary {
        match self {
            Self::Xfrm => Vocabulary::Linux,
            Self::Model(vocabulary) => *vocabulary,
            Self::Auto | Self::PfKey if IS_LINUX => Vocabulary::Linux,
            _ => Vocabulary::Illumos,
        }
    }

    /// Opens the SADB.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] with the missing socket, module or privilege, and how to get it.
    pub(crate) fn open(&self) -> Result<Box<dyn Sadb>, SadbError> {
        match self {
            Self::Model(Vocabulary::Linux) => Ok(Box::new(Xfrm::model()?)),
            Self::Model(Vocabulary::Illumos) => Ok(Box::new(Illumos::new(Embedded::new(Settings::default())))),
            Self::Unix(path) => Ok(Box::new(Illumos::new(unix_socket::connect(path)?))),
            Self::PfKey => open_pfkey(),
            Self::Xfrm => open_xfrm(),
            // On Linux the error of XFRM is the useful one: PF_KEY is deprecated and absent from many kernels.
            Self::Auto => open_xfrm().or_else(|first| open_pfkey().map_err(|second| if IS_LINUX { first } else { second })),
        }
    }
}

fn open_xfrm() -> Result<Box<dyn Sadb>, SadbError> {
    if !IS_LINUX {
        let what = "XFRM exists on Linux only; use --sadb pfkey".to_owned();
        return Err(SadbError::Unavailable { what, source: io::ErrorKind::Unsupported.into() });
    }
    Ok(Box::new(Xfrm::open()?))
}

fn open_pfkey() -> Result<Box<dyn Sadb>, SadbError> {
    let socket = PacketSocket::pf_key().map_err(|source| SadbError::Unavailable { what: pfkey_hint(&source), source })?;
    Ok(if IS_LINUX { Box::new(AfKey::new(socket)) } else { Box::new(Illumos::new(socket)) })
}

/// Why the PF_KEY socket cannot be opened, with a remedy.
fn pfkey_hint(error: &io::Error) -> String {
    let help = match (error.kind(), IS_LINUX) {
        (io::ErrorKind::PermissionDenied, true) => "CAP_NET_ADMIN is needed: run as root",
        (io::ErrorKind::PermissionDenied, false) => "the sys_ip_config privilege is needed: run as root",
        (_, true) => "the kernel has no PF_KEY: run `modprobe af_key`, or use --sadb model to rehearse without it",
        (_, false) => "the kernel has no PF_KEY; use --sadb model to rehearse without it",
    };
    format!("cannot open the PF_KEY socket ({help})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sadb_target_from_str() {
        assert_eq!("auto".parse(), Ok(SadbTarget::Auto));
        assert_eq!("unix:/run/x".parse(), Ok(SadbTarget::Unix("/run/x".into())));
        assert_eq!("unix:".parse::<SadbTarget>(), Err(UnknownTarget));
        assert_eq!("Model".parse::<SadbTarget>(), Err(UnknownTarget));
        assert_eq!("model:illumos".parse(), Ok(SadbTarget::Model(Vocabulary::Illumos)));
        assert_eq!("model:bsd".parse::<SadbTarget>(), Err(UnknownTarget));
        let own: SadbTarget = "model".parse().unwrap();
        assert_eq!(own.vocabulary() == Vocabulary::Linux, IS_LINUX);
        for vocabulary in [Vocabulary::Linux, Vocabulary::Illumos] {
            let model = SadbTarget::Model(vocabulary);
            assert_eq!((model.to_word().to_str().unwrap().parse(), model.vocabulary()), (Ok(model.clone()), vocabulary));
        }
        assert_eq!(SadbTarget::Xfrm.vocabulary(), Vocabulary::Linux);
    }

    /// A path from manual-key.toml or the environment must not add a line to the log.
    #[test]
    fn display_is_one_line_of_visible_characters() {
        let target = SadbTarget::Unix("/tmp/a\u{1b}[31m\nforged: online\u{202e}".into());
        assert_eq!(target.to_string(), r"unix:/tmp/a\u{1b}[31m\nforged: online\u{202e}");
        assert_eq!(target.to_word().to_str().unwrap().parse(), Ok(target));
    }

    #[test]
    fn command_has_the_option_of_the_sadb() {
        assert!(SadbTarget::Auto.command("ipseckey").ends_with("ipseckey"));
        assert!(SadbTarget::Model(MODEL_OF_SYSTEM).command("ipseckey").ends_with("ipseckey --sadb model"));
        // As tests and other programs name their directories.
        let random = SadbTarget::Unix("/tmp/.tmpZXKTzx/sadb".into());
        assert!(random.command("ipseckey").ends_with("--sadb unix:/tmp/.tmpZXKTzx/sadb"));
        assert!(SadbTarget::Unix("/my socket".into()).command("ipseckey").ends_with("--sadb 'unix:/my socket'"));
    }

    #[test]
    fn open_names_a_missing_socket_and_sadb_model() {
        let Err(SadbError::Unavailable { what, .. }) = SadbTarget::Unix("/nonexistent/sadb".into()).open() else {
            panic!("opened a socket that is not there");
        };
        assert!(what.contains("/nonexistent/sadb") && what.contains("sadb-model"));
    }
}
