//! The configuration of one run, from manual-key.toml, options, environment and SMF properties.

pub(crate) mod dirs;
mod error;
pub(crate) mod properties;
mod smf;
pub(crate) mod supervisor;

use std::io;
use std::path::{Path, PathBuf};

use crate::policy::derive::Rules;
use crate::policy::ssh_lockout::SshSession;
use crate::redact::mask;
use crate::sa::SERVICE_REQID;
use crate::sadb::{SADB_VARIABLE, SadbTarget};
use crate::service::config::properties::{CarrySequence, OnStop, PolicyMode, Properties, RefreshMode, Scope, parse};
use crate::service::config::supervisor::{Environment, Supervisor};
use crate::sys::IS_LINUX;
use crate::sys::fs::keys_file::{FileOrigin, PrivacyFinding};
use crate::sys::fs::settings_file;
pub(crate) use error::ConfigError;

/// Read without `--config`; it need not exist.
pub(crate) const DEFAULT_FILE: &str = "/etc/inet/manual-key.toml";

/// What it means that other users can read, change or replace the keys file, or change manual-key.toml.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UnsafeFiles {
    /// The file is not used.
    #[default]
    Refuse,
    /// A warning.
    Warn,
}

/// How policies are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Protection {
    /// Whether the policies of SAs are installed.
    pub(crate) from_sas: bool,
    /// Whether they remain after a stop.
    pub(crate) keep_on_stop: bool,
    pub(crate) rules: Rules,
}

impl Protection {
    /// The request ID of SAs whose command has none; 0 for none.
    pub(crate) fn reqid(&self) -> u32 {
        service_reqid(self.from_sas)
    }
}

/// With policies of its own the service has a request ID of its own: a template then means its SAs only.
pub(crate) fn service_reqid(from_sas: bool) -> u32 {
    if from_sas { SERVICE_REQID } else { 0 }
}

/// Where sequence numbers are saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SequenceDirs {
    /// Lost at the next boot.
    pub(crate) runtime: Option<PathBuf>,
    /// Survives a boot.
    pub(crate) state: Option<PathBuf>,
}

impl SequenceDirs {
    /// How long sequence numbers are preserved; not at all for an SADB whose state is not saved.
    pub(crate) fn carried(&self) -> CarrySequence {
        match self {
            Self { state: Some(_), .. } => CarrySequence::Reboot,
            Self { runtime: Some(_), .. } => CarrySequence::Run,
            _ => CarrySequence::Off,
        }
    }
}

/// The options of the command line that override the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    pub(crate) config: Option<PathBuf>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) sadb: Option<SadbTarget>,
    pub(crate) flush: Option<Scope>,
    pub(crate) policy: Option<PolicyMode>,
    /// By method and `--allow-unsafe-file`.
    pub(crate) unsafe_files: UnsafeFiles,
    pub(crate) allow_empty: bool,
}

impl Overrides {
    /// Whether no option but `--sadb` is given.
    pub(crate) fn has_only_sadb(&self) -> bool {
        *self == Self { sadb: self.sadb.clone(), ..Self::default() }
    }
}

/// The configuration of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) sadb: SadbTarget,
    pub(crate) refresh: RefreshMode,
    /// Directory of the record of the service's SAs; `None` with `flush = "all"`.
    pub(crate) record: Option<PathBuf>,
    /// Directory of the state file. `None` with `--sadb model`; with `unix:` only if RUNTIME_DIRECTORY is set.
    pub(crate) state: Option<PathBuf>,
    pub(crate) sequence: SequenceDirs,
    /// Linux: whether the daemon binds the UDP ports of its SAs.
    pub(crate) hold_natt_ports: bool,
    pub(crate) protection: Protection,
    /// Linux: whether the daemon restores SAs and policies that another program removes.
    pub(crate) repair: bool,
    /// The SSH session of the caller.
    pub(crate) session: Option<SshSession>,
    /// Always [`UnsafeFiles::Warn`] with `--sadb model`, which has no secrets to protect.
    pub(crate) unsafe_files: UnsafeFiles,
    /// Whether a keys file without an `add` is loaded.
    pub(crate) allow_empty: bool,
    /// Why other users can change manual-key.toml.
    pub(crate) findings: Vec<PrivacyFinding>,
    keys: Keys,
}

/// The keys file. The SMF property is read only when the file is needed: `stop` works without it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Keys {
    File(PathBuf, FileOrigin),
    Property { fmri: String },
}

impl Config {
    /// The first of `overrides`, the environment and manual-key.toml that sets a value wins. Under SMF the instance's property
    /// replaces `config_file`; under systemd the credential `ipseckeys`, if the unit loads one.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn load(
        overrides: &Overrides,
        environment: Environment<'_>,
        supervisor: &Supervisor,
    ) -> Result<Self, ConfigError> {
        let from_environment = environment(SADB_VARIABLE).map(|word| word.to_string_lossy().into_owned());
        let sadb = match &overrides.sadb {
            Some(sadb) => Some(sadb.clone()),
            None => from_environment.as_deref().map(select).transpose()?,
        };
        // A file that is named must exist; the default one is optional.
        let unsafe_files = unsafe_files(overrides, sadb.as_ref());
        let (properties, findings) = match &overrides.config {
            Some(path) => read(path, unsafe_files)?,
            None => read_default(Path::new(DEFAULT_FILE), unsafe_files)?,
        };
        let sadb = sadb.map_or_else(|| select(&properties.sadb), Ok)?;
        let unsafe_files = self::unsafe_files(overrides, Some(&sadb));
        let directory = dirs::runtime(environment);
        let record = match overrides.flush.unwrap_or(properties.flush) {
            Scope::All => None,
            Scope::Owned => Some(directory.clone()),
        };
        // Tests and trials with a model must not replace the state of the real service.
        let is_served = matches!(sadb, SadbTarget::Unix(_)) && environment(dirs::RUNTIME_VARIABLE).is_some();
        let is_service = sadb.is_of_system() || is_served;
        // The file is about the system: a test with a stand-in for its SADB has no traffic to protect.
        let is_test = !sadb.is_of_system() && (overrides.sadb.is_some() || environment(SADB_VARIABLE).is_some());
        let protection = match overrides.policy {
            None if is_test => Protection::default(),
            policy => protection(policy.unwrap_or(properties.policy), &properties, &sadb, IS_LINUX)?,
        };
        Ok(Self {
            sadb,
            refresh: properties.refresh,
            record,
            sequence: sequence_dirs(properties.carry_sequence, is_service.then_some(&directory), environment),
            state: is_service.then_some(directory),
            hold_natt_ports: properties.hold_natt_ports,
            protection,
            repair: properties.repair,
            session: environment("SSH_CONNECTION").and_then(|value| SshSession::parse(value.to_str()?)),
            unsafe_files,
            allow_empty: overrides.allow_empty || properties.allow_empty,
            findings,
            keys: keys(overrides, environment, supervisor, origin(unsafe_files), properties.config_file),
        })
    }

    /// The keys file, and where its name comes from.
    ///
    /// # Errors
    /// [`ConfigError::Property`] if the SMF property cannot be read.
    pub(crate) fn keys_file(&self) -> Result<(PathBuf, FileOrigin), ConfigError> {
        match &self.keys {
            Keys::File(path, origin) => Ok((path.clone(), *origin)),
            Keys::Property { fmri } => Ok((smf::config_file(fmri)?, origin(self.unsafe_files))),
        }
    }
}

fn unsafe_files(overrides: &Overrides, sadb: Option<&SadbTarget>) -> UnsafeFiles {
    if sadb.is_some_and(SadbTarget::is_model) { UnsafeFiles::Warn } else { overrides.unsafe_files }
}

/// A service refuses symbolic links.
fn origin(unsafe_files: UnsafeFiles) -> FileOrigin {
    match unsafe_files {
        UnsafeFiles::Refuse => FileOrigin::Service,
        UnsafeFiles::Warn => FileOrigin::User,
    }
}

fn keys(
    overrides: &Overrides,
    environment: Environment<'_>,
    supervisor: &Supervisor,
    origin: FileOrigin,
    configured: PathBuf,
) -> Keys {
    // An option is explicit, so it also overrides the property and the credential.
    if let Some(path) = &overrides.config_file {
        return Keys::File(path.clone(), origin);
    }
    if let Supervisor::Smf { fmri } = supervisor {
        return Keys::Property { fmri: fmri.clone() };
    }
    let credential = environment("CREDENTIALS_DIRECTORY").map(|dir| PathBuf::from(dir).join("ipseckeys"));
    // Without following links: keys_file::read checks the file itself when it opens it.
    match credential.filter(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Keys::File(path, FileOrigin::Credential),
        None => Keys::File(configured, origin),
    }
}

fn read_default(path: &Path, unsafe_files: UnsafeFiles) -> Result<(Properties, Vec<PrivacyFinding>), ConfigError> {
    match read(path, unsafe_files) {
        Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Default::default()),
        outcome => outcome,
    }
}

fn read(path: &Path, unsafe_files: UnsafeFiles) -> Result<(Properties, Vec<PrivacyFinding>), ConfigError> {
    let file = settings_file::read(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    if let (UnsafeFiles::Refuse, [first, ..]) = (unsafe_files, file.findings.as_slice()) {
        return Err(ConfigError::Unsafe(first.clone()));
    }
    let properties = parse(&file.text).map_err(|(line, what)| ConfigError::Wrong { path: path.to_owned(), line, what })?;
    Ok((properties, file.findings))
}

fn select(word: &str) -> Result<SadbTarget, ConfigError> {
    word.parse().map_err(|source| ConfigError::Sadb { word: mask(word.chars().count()), source })
}

/// `runtime` is the directory of the state file: without a state file nothing is saved.
fn sequence_dirs(carry: CarrySequence, directory: Option<&PathBuf>, environment: Environment<'_>) -> SequenceDirs {
    let Some(directory) = directory.filter(|_| carry != CarrySequence::Off) else { return SequenceDirs::default() };
    let state = (carry == CarrySequence::Reboot).then(|| dirs::state(environment));
    SequenceDirs { runtime: Some(directory.clone()), state }
}

fn protection(
    policy: PolicyMode,
    properties: &Properties,
    sadb: &SadbTarget,
    is_linux: bool,
) -> Result<Protection, ConfigError> {
    let on_stop = properties.on_stop;
    match (policy, on_stop) {
        (PolicyMode::None, _) if !properties.protect.is_empty() => return Err(ConfigError::NoPoliciesToPrecede),
        (PolicyMode::None, None | Some(OnStop::Open)) => return Ok(Protection::default()),
        (PolicyMode::None, Some(OnStop::Closed)) => return Err(ConfigError::NoPoliciesToKeep),
        (PolicyMode::FromSas, _) => {}
    }
    // A restart is a stop and a start: in between nothing may pass in the clear, unless an administrator wants it.
    let keep_on_stop = on_stop != Some(OnStop::Open);
    match sadb {
        _ if !is_linux => Err(ConfigError::PolicyService),
        SadbTarget::Auto | SadbTarget::Xfrm => Ok(Protection { from_sas: true, keep_on_stop, rules: rules(properties) }),
        other => Err(ConfigError::PolicySadb { sadb: other.clone() }),
    }
}

fn rules(properties: &Properties) -> Rules {
    Rules {
        pass_neighbour_discovery: properties.pass_neighbour_discovery,
        priority: properties.policy_priority.0,
        protect: properties.protect,
    }
}

#[cfg(test)]
mod tests {
    use crate::names::Vocabulary;
    use std::fs;

    use super::*;

    fn load(text: &str, overrides: Overrides, supervisor: &Supervisor) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manual-key.toml");
        fs::write(&path, text).unwrap();
        let overrides = Overrides { config: Some(path), ..overrides };
        Config::load(&overrides, &|_| None, supervisor)
    }

    #[test]
    fn load_of_an_empty_file_has_the_defaults() {
        let config = load("", Overrides::default(), &Supervisor::None).unwrap();
        assert_eq!(config.keys_file().unwrap(), (PathBuf::from("/etc/inet/secret/ipseckeys"), FileOrigin::Service));
        assert_eq!((config.unsafe_files, config.allow_empty), (UnsafeFiles::Refuse, false));
        assert_eq!((config.sadb, config.refresh), (SadbTarget::Auto, RefreshMode::Flush));
    }

    #[test]
    fn load_reads_every_key_and_overrides_win() {
        let text =
            "config_file = \"/k\"\nsadb = \"pfkey\"\nrefresh = \"check-first\"\nflush = \"all\"\nhold_natt_ports = true\n";
        let config = load(text, Overrides::default(), &Supervisor::Systemd).unwrap();
        assert_eq!(config.keys_file().unwrap(), (PathBuf::from("/k"), FileOrigin::Service));
        assert!(config.hold_natt_ports);
        assert_eq!((config.sadb, config.refresh), (SadbTarget::PfKey, RefreshMode::CheckFirst));
        let overrides = Overrides {
            config_file: Some("/other".into()),
            sadb: Some(SadbTarget::Model(Vocabulary::Illumos)),
            ..Overrides::default()
        };
        let config = load(text, overrides, &Supervisor::None).unwrap();
        assert_eq!(config.keys_file().unwrap(), (PathBuf::from("/other"), FileOrigin::User));
        assert_eq!(config.sadb, SadbTarget::Model(Vocabulary::Illumos));
    }

    #[test]
    fn unsafe_files_are_refused_under_every_supervisor() {
        let fmri = "svc:/network/ipsec/manual-key:default".to_owned();
        let warn = Overrides { unsafe_files: UnsafeFiles::Warn, ..Overrides::default() };
        let model = Overrides { sadb: Some(SadbTarget::Model(Vocabulary::Illumos)), ..Overrides::default() };
        for supervisor in [Supervisor::None, Supervisor::Systemd, Supervisor::Smf { fmri }] {
            let unsafe_files = |overrides: &Overrides| load("", overrides.clone(), &supervisor).unwrap().unsafe_files;
            assert_eq!(unsafe_files(&Overrides::default()), UnsafeFiles::Refuse);
            assert_eq!(unsafe_files(&warn), UnsafeFiles::Warn);
            assert_eq!(unsafe_files(&model), UnsafeFiles::Warn);
        }
    }

    #[test]
    fn load_reports_a_changeable_file_that_it_does_not_refuse() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o666)).unwrap();
        let load = |unsafe_files| {
            let overrides = Overrides { config: Some(file.path().to_owned()), unsafe_files, ..Overrides::default() };
            Config::load(&overrides, &|_| None, &Supervisor::None)
        };
        assert!(matches!(load(UnsafeFiles::Refuse), Err(ConfigError::Unsafe(PrivacyFinding::Changeable { .. }))));
        assert!(matches!(*load(UnsafeFiles::Warn).unwrap().findings, [PrivacyFinding::Changeable { mode: 0o666, .. }]));
    }

    #[test]
    fn protection_requires_linux_and_xfrm() {
        let protection = |text: &str| load(text, Overrides::default(), &Supervisor::None).map(|config| config.protection);
        assert_eq!(protection("on_stop = \"open\"").unwrap(), Protection::default());
        let error = |text: &str| protection(text).unwrap_err().to_string();
        assert!(error("on_stop = \"closed\"").contains("requires policy = \"from-sas\""));
        if IS_LINUX {
            let closed = Protection { from_sas: true, keep_on_stop: true, rules: Rules::default() };
            assert_eq!(protection("policy = \"from-sas\"\non_stop = \"closed\"\nsadb = \"xfrm\"").unwrap(), closed);
            assert_eq!(protection("policy = \"from-sas\"").unwrap(), closed, "the default");
            assert!(!protection("policy = \"from-sas\"\non_stop = \"open\"").unwrap().keep_on_stop);
            let rules = protection("policy = \"from-sas\"\npass_neighbour_discovery = false").unwrap().rules;
            assert!(!rules.pass_neighbour_discovery && rules.priority == 10_000);
            assert_eq!(protection("policy = \"from-sas\"\npolicy_priority = 500000").unwrap().rules.priority, 500_000);
            let protect = protection("policy = \"from-sas\"\nprotect = [\"ripng\", \"ospf\"]").unwrap().rules.protect;
            assert_eq!(protect.names(), ["ospf", "ripng"]);
            assert!(error("protect = [\"ospf\"]").contains("requires policy = \"from-sas\""));
            assert!(error("policy = \"from-sas\"\nprotect = [\"bgp\"]").contains("expected a list of \"ospf\""));
            for wrong in ["4000000001", "-1", "\"low\""] {
                let error = protection(&format!("policy_priority = {wrong}")).unwrap_err().to_string();
                assert!(error.contains("manual-key.toml:1: "), "{error}");
            }
            for sadb in ["pfkey", "model", "unix:/s"] {
                let text = format!("policy = \"from-sas\"\nsadb = \"{sadb}\"");
                let error = error(&text);
                assert!(error.contains("requires sadb = \"xfrm\"") && error.ends_with(sadb), "{error}");
            }
        }
    }

    #[test]
    fn protection_is_none_with_a_stand_in_by_option() {
        let load = |sadb| {
            let overrides = Overrides { sadb: Some(sadb), ..Overrides::default() };
            load("policy = \"from-sas\"\non_stop = \"closed\"", overrides, &Supervisor::None)
        };
        assert_eq!(load(SadbTarget::Model(Vocabulary::Illumos)).unwrap().protection, Protection::default());
        assert_eq!(load(SadbTarget::Unix("/s".into())).unwrap().protection, Protection::default());
        assert!(load(SadbTarget::PfKey).is_err(), "of the system");
    }

    #[test]
    fn protection_fails_off_linux() {
        let protection =
            |policy| protection(policy, &Properties::default(), &SadbTarget::Auto, false).map_err(|error| error.to_string());
        assert!(protection(PolicyMode::FromSas).unwrap_err().contains("svc:/network/ipsec/policy"));
        assert_eq!(protection(PolicyMode::None).unwrap(), Protection::default());
    }

    #[test]
    fn load_reads_the_sadb_from_the_environment() {
        let environment = |name: &str| (name == "IPSECKEY_SADB").then(|| "unix:/s".into());
        let config = Config::load(&Overrides::default(), &environment, &Supervisor::None).unwrap();
        assert_eq!(config.sadb, SadbTarget::Unix("/s".into()));
    }

    #[test]
    fn keys_file_is_the_credential() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ipseckeys"), "").unwrap();
        let environment = |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| dir.path().into());
        let config = Config::load(&Overrides::default(), &environment, &Supervisor::Systemd).unwrap();
        assert_eq!(config.keys_file().unwrap(), (dir.path().join("ipseckeys"), FileOrigin::Credential));
    }

    #[test]
    fn keys_file_is_the_property_under_smf() {
        let fmri = "svc:/network/ipsec/manual-key:default".to_owned();
        let config = load("config_file = \"/k\"", Overrides::default(), &Supervisor::Smf { fmri: fmri.clone() }).unwrap();
        assert_eq!(config.keys, Keys::Property { fmri });
    }

    #[test]
    fn load_errors_have_the_line() {
        let error = load("sadb = \"auto\"\nsabd = \"auto\"\n", Overrides::default(), &Supervisor::None).unwrap_err();
        assert!(matches!(error, ConfigError::Wrong { line: 2, .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(":2: unknown key; expected the keys config_file, sadb") && !text.contains("sabd"), "{text}");
        let error = load("\nrefresh = \"sometimes\"\n", Overrides::default(), &Supervisor::None).unwrap_err();
        assert!(matches!(error, ConfigError::Wrong { line: 2, .. }), "{error}");
    }

    #[test]
    fn load_of_a_keys_file_does_not_quote_it() {
        let text = "bde359723576fdea08e56cbe876e24ad = 1\n";
        let error = load(text, Overrides::default(), &Supervisor::None).unwrap_err().to_string();
        assert!(!error.contains("bde35972"), "{error}");
    }

    #[test]
    fn load_reads_the_refresh_mode() {
        let config = load("refresh = \"reconcile\"", Overrides::default(), &Supervisor::None).unwrap();
        assert_eq!(config.refresh, RefreshMode::Reconcile);
    }

    #[test]
    fn load_with_flush_owned_has_a_record() {
        let config = load("flush = \"owned\"", Overrides::default(), &Supervisor::None).unwrap();
        assert_eq!(config.record, Some(PathBuf::from("/run/manual-key")));
        let overrides = Overrides { flush: Some(Scope::All), ..Overrides::default() };
        assert_eq!(load("flush = \"owned\"", overrides, &Supervisor::None).unwrap().record, None);
    }

    #[test]
    fn load_rejects_an_unknown_sadb() {
        let error = load("sadb = \"kernel\"", Overrides::default(), &Supervisor::None).unwrap_err().to_string();
        assert!(error.starts_with("sadb = \"XXXXXX\": "), "{error}");
    }

    #[test]
    fn load_requires_the_file_of_config_only() {
        assert_eq!(
            read_default(Path::new("/nonexistent/manual-key.toml"), UnsafeFiles::Refuse).unwrap(),
            (Properties::default(), Vec::new())
        );
        let overrides = Overrides { config: Some("/nonexistent/manual-key.toml".into()), ..Overrides::default() };
        assert!(Config::load(&overrides, &|_| None, &Supervisor::None).is_err());
    }
}
