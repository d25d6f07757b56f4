//! What the service is to do: manual-key.toml, options, environment, SMF property, in one place.

pub(crate) mod dirs;
pub(crate) mod properties;
mod smf;
pub(crate) mod supervisor;

use std::io;
use std::path::{Path, PathBuf};

use crate::policy::ssh_lockout::SshSession;
use crate::redact::{shell_word, shown};
use crate::sadb::{SADB_VARIABLE, SadbTarget, UnknownTarget};
use crate::service::config::properties::{Carry, OnStop, Policy, PolicySource, Properties, Scope, parse};
use crate::service::config::smf::PropertyError;
use crate::service::config::supervisor::{Environment, World};
use crate::service::exit::Reason;
use crate::service::log::masked;
use crate::sys::IS_LINUX;
use crate::sys::fs::keys_file::Origin;
use crate::sys::fs::settings_file;

/// Read if there is no `--config`; it need not exist.
pub(crate) const DEFAULT_FILE: &str = "/etc/inet/manual-key.toml";

/// What is done first when the keys file is loaded, and so what a file that does not parse leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Flush, then parse, then apply: a syntax error leaves an empty SADB (ipseckey(1M)).
    FlushFirst,
    /// Parse, then flush, then apply: a syntax error leaves the SAs in use alone.
    CheckFirst,
    /// Parse, then change what differs.
    Reconcile,
}

/// What is done about policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Protection {
    /// Whether the SAs' policies are installed.
    pub(crate) from_sas: bool,
    /// Whether they stay when the service stops.
    pub(crate) stays: bool,
}

/// Where the numbers are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// Until the next boot.
    pub(crate) runtime: Option<PathBuf>,
    /// For ever.
    pub(crate) lasting: Option<PathBuf>,
}

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    /// `--config`
    pub(crate) config: Option<PathBuf>,
    /// `--config-file`
    pub(crate) config_file: Option<PathBuf>,
    /// `--sadb`
    pub(crate) sadb: Option<SadbTarget>,
    /// `--flush`
    pub(crate) flush: Option<Scope>,
}

impl Overrides {
    /// Whether nothing but an SADB is named.
    pub(crate) fn name_an_sadb_at_most(&self) -> bool {
        *self == Self { sadb: self.sadb.clone(), ..Self::default() }
    }
}

/// The configuration of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Which SADB.
    pub(crate) sadb: SadbTarget,
    /// What comes first.
    pub(crate) order: Order,
    /// Where the service records its own SAs, if no other is to be flushed.
    pub(crate) record: Option<PathBuf>,
    /// Where the state is recorded, for `manual-key status`. What is done to an SADB that is not the system's is no state
    /// of the service, unless the service has a place of its own.
    pub(crate) state: Option<PathBuf>,
    /// Where sequence numbers are kept.
    pub(crate) sequence: Places,
    /// Linux: whether a service that stays holds the UDP ports of its SAs.
    pub(crate) holds_natt_ports: bool,
    /// What is done about policies.
    pub(crate) protection: Protection,
    /// The session over SSH that this comes from, if it does.
    pub(crate) session: Option<SshSession>,
    keys: Keys,
}

/// Where the keys file is named. A property is asked for only when the file is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Keys {
    File(PathBuf, Origin),
    Property { fmri: String },
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// manual-key.toml cannot be read.
    #[error("{}: {source}", shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Others could tell the service what to do.
    #[error("{0} can be changed by others than root: chown root {1}; chmod go-w {1}", shown(path), shell_word(path))]
    OpenToOthers {
        /// The file.
        path: PathBuf,
    },
    /// manual-key.toml is not understood.
    #[error(
        "{}:{line}: {what}; wanted the keys config_file, sadb, refresh, flush, carry_sequence, hold_natt_ports, policy and on_stop, each once",
        shown(path)
    )]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was found there.
        what: String,
    },
    /// This system's policies are loaded by a service of its own.
    #[error(
        "policy = \"from-sas\" is for Linux: here svc:/network/ipsec/policy loads the policies of ipsecinit.conf (ipsecconf(8)); \
         wanted policy = \"none\""
    )]
    PolicyService,
    /// Nobody can install policies through this SADB.
    #[error("policy = \"from-sas\" wants sadb = \"xfrm\": policies are installed through NETLINK_XFRM, and not with {sadb}")]
    PolicySadb {
        /// The SADB.
        sadb: SadbTarget,
    },
    /// There are no policies that could stay.
    #[error("on_stop = \"closed\" keeps the policies, and wants policy = \"from-sas\"")]
    NothingStays,
    /// No SADB is called that.
    #[error("sadb = {word:?}: {source}")]
    Sadb {
        /// What was said.
        word: String,
        /// What was wanted.
        source: UnknownTarget,
    },
    /// The property of the SMF instance cannot be read.
    #[error(transparent)]
    Property(#[from] PropertyError),
}

impl ConfigError {
    /// What the program ends with.
    #[must_use]
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Reason::Permission,
            Self::OpenToOthers { .. } => Reason::Insecure,
            _ => Reason::Configuration,
        }
    }
}

impl Config {
    /// Puts together what `overrides`, the environment and manual-key.toml say; the first of them that says something
    /// wins. Under SMF the instance's property takes the place of `config_file`, under systemd the credential
    /// `ipseckeys`, if the unit loads one.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn load(overrides: &Overrides, environment: Environment<'_>, world: &World) -> Result<Self, ConfigError> {
        let properties = match &overrides.config {
            Some(path) => read(path, world)?,
            None => read_default(Path::new(DEFAULT_FILE), world)?,
        };
        let from_environment = || Some(environment(SADB_VARIABLE)?.to_string_lossy().into_owned());
        let sadb = match overrides.sadb.clone() {
            Some(sadb) => sadb,
            None => select(&from_environment().unwrap_or(properties.sadb))?,
        };
        let directory = dirs::runtime(environment);
        let record = match overrides.flush.unwrap_or(properties.flush) {
            Scope::All => None,
            Scope::Owned => Some(directory.clone()),
        };
        let is_service = match sadb {
            SadbTarget::Auto | SadbTarget::Xfrm | SadbTarget::PfKey => true,
            SadbTarget::Unix(_) => environment(dirs::RUNTIME_VARIABLE).is_some(),
            SadbTarget::Model => false,
        };
        let protection = protection(properties.policy, properties.on_stop, &sadb, IS_LINUX)?;
        Ok(Self {
            sadb,
            order: order(properties.refresh),
            record,
            sequence: places(properties.carry_sequence, is_service.then_some(&directory), environment),
            state: is_service.then_some(directory),
            holds_natt_ports: properties.hold_natt_ports,
            protection,
            session: environment("SSH_CONNECTION").and_then(|value| SshSession::parse(value.to_str()?)),
            keys: keys(overrides, environment, world, properties.config_file),
        })
    }

    /// The keys file, and how it is come by.
    ///
    /// # Errors
    /// [`ConfigError::Property`] if only SMF knows and does not tell.
    pub(crate) fn keys_file(&self) -> Result<(PathBuf, Origin), ConfigError> {
        match &self.keys {
            Keys::File(path, origin) => Ok((path.clone(), *origin)),
            Keys::Property { fmri } => Ok((smf::config_file(fmri)?, Origin::Service)),
        }
    }
}

fn keys(overrides: &Overrides, environment: Environment<'_>, world: &World, configured: PathBuf) -> Keys {
    let origin = if world.is_service() { Origin::Service } else { Origin::User };
    if let Some(path) = &overrides.config_file {
        return Keys::File(path.clone(), origin);
    }
    if let World::Smf { fmri } = world {
        return Keys::Property { fmri: fmri.clone() };
    }
    let credential = environment("CREDENTIALS_DIRECTORY").map(|dir| PathBuf::from(dir).join("ipseckeys"));
    match credential.filter(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Keys::File(path, Origin::Credential),
        None => Keys::File(configured, origin),
    }
}

fn read_default(path: &Path, world: &World) -> Result<Properties, ConfigError> {
    match read(path, world) {
        Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Properties::default()),
        outcome => outcome,
    }
}

fn read(path: &Path, world: &World) -> Result<Properties, ConfigError> {
    let file = settings_file::read(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    if world.is_service() && file.is_writable_by_others {
        return Err(ConfigError::OpenToOthers { path: path.to_owned() });
    }
    parse(&file.text).map_err(|(line, what)| ConfigError::Wrong { path: path.to_owned(), line, what })
}

fn select(word: &str) -> Result<SadbTarget, ConfigError> {
    word.parse().map_err(|source| ConfigError::Sadb { word: masked(word), source })
}

/// What is done to an SADB that is not the system's is not kept, unless the service has a place of its own.
fn places(carry: Carry, directory: Option<&PathBuf>, environment: Environment<'_>) -> Places {
    let Some(directory) = directory.filter(|_| carry != Carry::Off) else { return Places::default() };
    let lasting = (carry == Carry::Reboot).then(|| dirs::state(environment));
    Places { runtime: Some(directory.clone()), lasting }
}

fn protection(policy: PolicySource, on_stop: OnStop, sadb: &SadbTarget, is_linux: bool) -> Result<Protection, ConfigError> {
    match (policy, on_stop) {
        (PolicySource::None, OnStop::Open) => return Ok(Protection::default()),
        (PolicySource::None, OnStop::Closed) => return Err(ConfigError::NothingStays),
        (PolicySource::FromSas, _) => {}
    }
    match sadb {
        _ if !is_linux => Err(ConfigError::PolicyService),
        SadbTarget::Auto | SadbTarget::Xfrm => Ok(Protection { from_sas: true, stays: on_stop == OnStop::Closed }),
        other => Err(ConfigError::PolicySadb { sadb: other.clone() }),
    }
}

fn order(policy: Policy) -> Order {
    match policy {
        Policy::Flush => Order::FlushFirst,
        Policy::CheckFirst => Order::CheckFirst,
        Policy::Reconcile => Order::Reconcile,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn load(text: &str, overrides: Overrides, world: &World) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manual-key.toml");
        fs::write(&path, text).unwrap();
        let overrides = Overrides { config: Some(path), ..overrides };
        Config::load(&overrides, &|_| None, world)
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        let config = load("", Overrides::default(), &World::Plain).unwrap();
        assert_eq!(config.keys_file().unwrap(), (PathBuf::from("/etc/inet/secret/ipseckeys"), Origin::User));
        assert_eq!((config.sadb, config.order), (SadbTarget::Auto, Order::FlushFirst));
    }

    #[test]
    fn every_key_is_read_and_options_win() {
        let text =
            "config_file = \"/k\"\nsadb = \"pfkey\"\nrefresh = \"check-first\"\nflush = \"all\"\nhold_natt_ports = true\n";
        let config = load(text, Overrides::default(), &World::Systemd).unwrap();
        assert_eq!(config.keys_file().unwrap(), (PathBuf::from("/k"), Origin::Service));
        assert!(config.holds_natt_ports);
        assert_eq!((config.sadb, config.order), (SadbTarget::PfKey, Order::CheckFirst));
        let overrides =
            Overrides { config_file: Some("/other".into()), sadb: Some(SadbTarget::Model), ..Overrides::default() };
        let config = load(text, overrides, &World::Plain).unwrap();
        assert_eq!(config.keys_file().unwrap(), (PathBuf::from("/other"), Origin::User));
        assert_eq!(config.sadb, SadbTarget::Model);
    }

    #[test]
    fn policies_want_linux_and_xfrm() {
        let protection = |text: &str| load(text, Overrides::default(), &World::Plain).map(|config| config.protection);
        assert_eq!(protection("on_stop = \"open\"").unwrap(), Protection::default());
        let error = |text: &str| protection(text).unwrap_err().to_string();
        assert!(error("on_stop = \"closed\"").contains("wants policy = \"from-sas\""));
        if IS_LINUX {
            let closed = Protection { from_sas: true, stays: true };
            assert_eq!(protection("policy = \"from-sas\"\non_stop = \"closed\"\nsadb = \"xfrm\"").unwrap(), closed);
            assert!(!protection("policy = \"from-sas\"").unwrap().stays);
            for sadb in ["pfkey", "model", "unix:/s"] {
                let text = format!("policy = \"from-sas\"\nsadb = \"{sadb}\"");
                let error = error(&text);
                assert!(error.contains("wants sadb = \"xfrm\"") && error.ends_with(sadb), "{error}");
            }
        }
    }

    #[test]
    fn elsewhere_another_service_loads_the_policies() {
        let protection =
            |policy| protection(policy, OnStop::Open, &SadbTarget::Auto, false).map_err(|error| error.to_string());
        assert!(protection(PolicySource::FromSas).unwrap_err().contains("svc:/network/ipsec/policy"));
        assert_eq!(protection(PolicySource::None).unwrap(), Protection::default());
    }

    #[test]
    fn the_environment_names_an_sadb_below_the_option() {
        let environment = |name: &str| (name == "IPSECKEY_SADB").then(|| "unix:/s".into());
        let config = Config::load(&Overrides::default(), &environment, &World::Plain).unwrap();
        assert_eq!(config.sadb, SadbTarget::Unix("/s".into()));
    }

    #[test]
    fn a_credential_stands_for_the_keys_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ipseckeys"), "").unwrap();
        let environment = |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| dir.path().into());
        let config = Config::load(&Overrides::default(), &environment, &World::Systemd).unwrap();
        assert_eq!(config.keys_file().unwrap(), (dir.path().join("ipseckeys"), Origin::Credential));
    }

    #[test]
    fn under_smf_the_property_counts() {
        let fmri = "svc:/network/ipsec/manual-key:default".to_owned();
        let config = load("config_file = \"/k\"", Overrides::default(), &World::Smf { fmri: fmri.clone() }).unwrap();
        assert_eq!(config.keys, Keys::Property { fmri });
    }

    #[test]
    fn errors_name_the_line() {
        let error = load("sadb = \"auto\"\nsabd = \"auto\"\n", Overrides::default(), &World::Plain).unwrap_err();
        assert!(matches!(error, ConfigError::Wrong { line: 2, .. }), "{error}");
        assert!(error.to_string().contains("sabd"), "{error}");
        let error = load("\nrefresh = \"sometimes\"\n", Overrides::default(), &World::Plain).unwrap_err();
        assert!(matches!(error, ConfigError::Wrong { line: 2, .. }), "{error}");
    }

    #[test]
    fn a_keys_file_taken_for_the_configuration_is_not_quoted() {
        let text = "bde359723576fdea08e56cbe876e24ad = 1\n";
        let error = load(text, Overrides::default(), &World::Plain).unwrap_err().to_string();
        assert!(!error.contains("bde35972"), "{error}");
    }

    #[test]
    fn a_refresh_may_reconcile() {
        let config = load("refresh = \"reconcile\"", Overrides::default(), &World::Plain).unwrap();
        assert_eq!(config.order, Order::Reconcile);
    }

    #[test]
    fn what_is_owned_is_recorded_in_the_runtime_directory() {
        let config = load("flush = \"owned\"", Overrides::default(), &World::Plain).unwrap();
        assert_eq!(config.record, Some(PathBuf::from("/run/manual-key")));
        let overrides = Overrides { flush: Some(Scope::All), ..Overrides::default() };
        assert_eq!(load("flush = \"owned\"", overrides, &World::Plain).unwrap().record, None);
    }

    #[test]
    fn an_sadb_nobody_knows_is_refused() {
        let error = load("sadb = \"kernel\"", Overrides::default(), &World::Plain).unwrap_err().to_string();
        assert!(error.starts_with("sadb = \"kernel\": "), "{error}");
    }

    #[test]
    fn only_the_default_file_may_be_missing() {
        assert_eq!(read_default(Path::new("/nonexistent/manual-key.toml"), &World::Plain).unwrap(), Properties::default());
        let overrides = Overrides { config: Some("/nonexistent/manual-key.toml".into()), ..Overrides::default() };
        assert!(Config::load(&overrides, &|_| None, &World::Plain).is_err());
    }
}
