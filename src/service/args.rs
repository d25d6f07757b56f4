//! The options of `manual-key`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::links::exposition::Syntax;
use crate::names::times;
use crate::sadb::{SADB_VARIABLE, SadbTarget};
use crate::service::config::properties::{PolicyMode, Scope};
use crate::service::config::supervisor::{Environment, Supervisor};
use crate::service::config::{Overrides, UnsafeFiles};
use crate::sys::process::privilege::Privileges;

/// The methods of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Load the keys file and stay, as a daemon.
    Run,
    /// Load the keys file.
    Start,
    /// Load the keys file again.
    Refresh,
    Stop,
    /// Parse the keys file.
    Check,
    /// Print what `refresh = "reconcile"` would change.
    Plan,
    Status,
}

impl Method {
    /// Whether the method changes the SADB: then a file that other users can read or change is refused. `status` reads no settings.
    fn refuses_unsafe_files(self) -> bool {
        match self {
            Self::Run | Self::Start | Self::Refresh | Self::Stop | Self::Status => true,
            Self::Check | Self::Plan => false,
        }
    }

    fn reads_keys_file(self) -> bool {
        !matches!(self, Self::Stop | Self::Status)
    }
}

/// Word, method, text of `--help`.
const METHODS: &[(&str, Method, &str)] = &[
    (
        "run",
        Method::Run,
        "Flush the SADB, load the keys file and run as a daemon: refresh on request, log expiries, flush at the end",
    ),
    ("start", Method::Start, "Flush the SADB and load the keys file"),
    ("refresh", Method::Refresh, "Load a changed keys file or configuration; if manual-key run is running, it does this"),
    (
        "stop",
        Method::Stop,
        "Flush the SADB; policies of the service remain and drop packets, unless --open or on_stop = \"open\"",
    ),
    ("check", Method::Check, "Parse the keys file and print the lines with errors"),
    ("plan", Method::Plan, "Show the differences between the keys file and the SADB, and change nothing"),
    ("status", Method::Status, "Show service state, keys file, loaded and missing SAs, and the next expiries"),
];

const SADB_HELP: &str = "The SADB: auto, xfrm, pfkey, unix:PATH or model[:linux|:illumos]";

const FLUSH_HELP: &str = "SAs to flush: all, or owned (added by this service)";

const POLICY_HELP: &str =
    "Linux: policies to install: none, or from-sas (those that the SAs need); overrides the configuration";

const EXIT_STATUS: &str = "Exit status: 0 done, 1 some commands refused, 2 usage, 3 traffic may not be protected \
                           (status --check) or differences found (plan), \
                           69 no SADB, 77 permission, 78 configuration; under SMF 0, 95, 96, 99, 100.";

/// Two days: a weekend.
const DEFAULT_WARN: u64 = 2 * 86_400;

/// The command line, parsed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) method: Method,
    pub(crate) overrides: Overrides,
    pub(crate) show: bool,
    pub(crate) json: bool,
    /// `--openmetrics` or `--prometheus`.
    pub(crate) metrics: Option<Syntax>,
    /// `--check`: the exit status depends on the state.
    pub(crate) check: bool,
    /// `--warn`: seconds before an expiry that is a problem.
    pub(crate) warn: u64,
    /// `--at`: the time whose keys are meant, in seconds since 1970; now if `None`.
    pub(crate) at: Option<u64>,
    /// `--open`: the policies are removed, too.
    pub(crate) open: bool,
    /// `--confirm`: seconds until an unconfirmed load is rolled back.
    pub(crate) confirm: Option<u64>,
    pub(crate) instance: Option<String>,
}

impl Args {
    /// Whether a daemon, if there is one, can do this refresh: it has a configuration of its own, so that options rule it out.
    /// Under SMF there is no daemon.
    pub(crate) fn may_use_daemon(&self, supervisor: &Supervisor) -> bool {
        let has_options = self.overrides != Overrides::default() || self.show || self.confirm.is_some();
        !has_options && !matches!(supervisor, Supervisor::Smf { .. })
    }

    /// The privileges that the method needs. A method that changes the SADB has no use for files of other users, which it refuses.
    pub(crate) fn privileges(&self, environment: Environment<'_>) -> Privileges {
        let from_environment = || environment(SADB_VARIABLE)?.to_str()?.parse().ok();
        let is_model = self.overrides.sadb.clone().or_else(from_environment).is_some_and(|sadb: SadbTarget| sadb.is_model());
        let is_strict = self.overrides.unsafe_files == UnsafeFiles::Refuse && self.method != Method::Status;
        if is_strict && !is_model { Privileges::Sadb } else { Privileges::SadbAndFiles }
    }
}

/// Parses the arguments, the program's name first.
///
/// # Errors
/// Those of clap: `--help` and `--version` are errors, too.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(arguments)?;
    let found = matches.subcommand().and_then(|(word, of_method)| {
        METHODS.iter().find(|(known, ..)| *known == word).map(|(_, method, _)| (*method, of_method))
    });
    let Some((method, of_method)) = found else {
        return Err(command.error(clap::error::ErrorKind::MissingSubcommand, "no method is given"));
    };
    let overrides = overrides(method, of_method);
    if method == Method::Status && !overrides.has_only_sadb() {
        let text =
            "status shows the service as it runs: --config, --config-file, --flush and --policy cannot be used with it";
        return Err(command.error(clap::error::ErrorKind::ArgumentConflict, text));
    }
    Ok(Args {
        method,
        overrides,
        show: is_set(of_method, "show"),
        json: is_set(of_method, "json"),
        metrics: metrics(of_method),
        check: is_set(of_method, "check"),
        warn: of_method.try_get_one("warn").ok().flatten().copied().unwrap_or(DEFAULT_WARN),
        at: of_method.try_get_one("at").ok().flatten().copied(),
        open: is_set(of_method, "open"),
        confirm: of_method.try_get_one("confirm").ok().flatten().copied(),
        instance: of_method.try_get_one("instance").ok().flatten().cloned(),
    })
}

/// Whether an option is given. Each method has only its own options: for the others clap returns an error.
fn is_set(matches: &ArgMatches, name: &str) -> bool {
    matches.try_get_one(name).ok().flatten().copied().unwrap_or(false)
}

fn metrics(matches: &ArgMatches) -> Option<Syntax> {
    let syntaxes = [("openmetrics", Syntax::OpenMetrics), ("prometheus", Syntax::Prometheus)];
    syntaxes.into_iter().find(|(option, _)| is_set(matches, option)).map(|(_, syntax)| syntax)
}

fn overrides(method: Method, matches: &ArgMatches) -> Overrides {
    let warns = !method.refuses_unsafe_files() || is_set(matches, "allow-unsafe-file");
    Overrides {
        unsafe_files: if warns { UnsafeFiles::Warn } else { UnsafeFiles::Refuse },
        allow_empty: is_set(matches, "allow-empty"),
        config: matches.get_one("config").cloned(),
        config_file: matches.get_one("config-file").cloned(),
        sadb: matches.get_one("sadb").cloned(),
        flush: matches.get_one("flush").copied(),
        policy: matches.get_one("policy").copied(),
    }
}

pub(crate) fn command() -> Command {
    Command::new("manual-key")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Keeps the security associations of a keys file in the SADB: the service behind ipseckey(1M)")
        .after_help(EXIT_STATUS)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .args([
            path("config", "FILE", "Configuration of the service [default: /etc/inet/manual-key.toml]"),
            path("config-file", "KEYS", "The keys file; overrides the configuration"),
            Arg::new("sadb").long("sadb").value_name("SPEC").global(true).help(SADB_HELP).value_parser(SadbTarget::from_str),
            Arg::new("flush").long("flush").value_name("SCOPE").global(true).help(FLUSH_HELP).value_parser(Scope::from_str),
            Arg::new("policy")
                .long("policy")
                .value_name("POLICY")
                .global(true)
                .help(POLICY_HELP)
                .value_parser(PolicyMode::from_str),
        ])
        .subcommands(METHODS.iter().map(|(word, method, about)| with_options(*method, Command::new(*word).about(*about))))
}

fn path(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).value_parser(value_parser!(PathBuf)).global(true).help(help)
}

fn time(text: &str) -> Result<u64, String> {
    times::parse(text.as_bytes()).ok_or_else(|| format!("expected {}", times::EXPECTED))
}

fn with_options(method: Method, command: Command) -> Command {
    let command = match method {
        Method::Start | Method::Refresh => command.args([
            flag("show", "Print the resulting links, without keys"),
            Arg::new("confirm")
                .long("confirm")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64).range(1..=86_400))
                .help("Roll everything back unless \"yes\" is typed within this time, also if the terminal is gone"),
        ]),
        Method::Plan => command.args([
            flag("json", "Print JSON objects, one per line"),
            Arg::new("at")
                .long("at")
                .value_name("TIME")
                .value_parser(time)
                .help("The keys that are wanted at that time, such as 2027-01-31T02:00:00Z or seconds since 1970"),
        ]),
        Method::Status => command.args([
            flag("json", "Print a JSON object"),
            flag("openmetrics", "Print metrics in the format OpenMetrics").conflicts_with_all([
                "json",
                "check",
                "prometheus",
            ]),
            flag("prometheus", "Print metrics for the textfile collector of node_exporter")
                .conflicts_with_all(["json", "check"]),
            flag(
                "check",
                "Print one line with the worst problem; exit with 3 if there is one, 78 in maintenance, 1 if disabled, 77 \
                 without permission to read the state",
            ),
            Arg::new("warn")
                .long("warn")
                .value_name("TIME")
                .value_parser(seconds)
                .help("Report SAs that expire within this time, such as 12h or 2days [default: 2days]"),
            instance_option(),
        ]),
        Method::Stop => command
            .args([flag("open", "Also remove the policies of the service: packets pass in the clear"), instance_option()]),
        Method::Run | Method::Check => command,
    };
    with_file_options(method, command)
}

fn with_file_options(method: Method, command: Command) -> Command {
    let allows_unsafe = method.refuses_unsafe_files() && method != Method::Status;
    let unsafe_file =
        flag("allow-unsafe-file", "Warn of files that other users can read or change, instead of refusing them");
    let empty = flag("allow-empty", "Accept a keys file without an add command");
    command.args(allows_unsafe.then_some(unsafe_file)).args(method.reads_keys_file().then_some(empty))
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// A duration such as 12h or 2days, or a number of seconds.
fn seconds(text: &str) -> Result<u64, &'static str> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    // Its error cites the text.
    humantime::parse_duration(text).map(|duration| duration.as_secs()).map_err(|_| "expected a time such as 12h or 2days")
}

fn instance_option() -> Arg {
    let arg = Arg::new("instance").long("instance").value_name("NAME").value_parser(instance);
    arg.help("The instance manual-key@NAME.service")
}

/// An instance of the template unit; its runtime directory has the same name.
fn instance(name: &str) -> Result<String, &'static str> {
    let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains('/');
    if is_name { Ok(name.to_owned()) } else { Err("expected the NAME of manual-key@NAME.service") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Args, clap::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn command_passes_the_checks_of_clap() {
        command().debug_assert();
    }

    #[test]
    fn parse_takes_options_before_and_after_the_method() {
        let args = parsed("manual-key --sadb model start --config-file /k --show").unwrap();
        assert_eq!((args.method, args.show), (Method::Start, true));
        assert!(args.overrides.sadb.is_some_and(|sadb| sadb.is_model()));
        assert_eq!(args.overrides.config_file, Some("/k".into()));
        assert_eq!(args.overrides.config, None);
        assert_eq!(parsed("manual-key stop --sadb model").unwrap().method, Method::Stop);
        let args = parsed("manual-key stop --open --instance north").unwrap();
        assert!(args.open && args.instance.as_deref() == Some("north"));
    }

    #[test]
    fn methods_that_change_the_sadb_refuse_unsafe_files_and_need_no_files_of_others() {
        let judged = |line: &str| {
            let args = parsed(line).unwrap();
            (args.overrides.unsafe_files, args.privileges(&|_| None))
        };
        for method in ["run", "start", "refresh", "stop"] {
            assert_eq!(judged(&format!("manual-key {method}")), (UnsafeFiles::Refuse, Privileges::Sadb));
            let allowed = judged(&format!("manual-key {method} --allow-unsafe-file"));
            assert_eq!(allowed, (UnsafeFiles::Warn, Privileges::SadbAndFiles));
            assert_eq!(judged(&format!("manual-key {method} --sadb model")).1, Privileges::SadbAndFiles);
        }
        for method in ["check", "plan"] {
            assert_eq!(judged(&format!("manual-key {method}")), (UnsafeFiles::Warn, Privileges::SadbAndFiles));
        }
        let model = |name: &str| (name == "IPSECKEY_SADB").then(|| "model".into());
        assert_eq!(parsed("manual-key start").unwrap().privileges(&model), Privileges::SadbAndFiles);
        assert_eq!(parsed("manual-key start --sadb xfrm").unwrap().privileges(&model), Privileges::Sadb);
    }

    #[test]
    fn refresh_with_an_option_for_files_does_not_use_the_daemon() {
        let uses = |line: &str| parsed(line).unwrap().may_use_daemon(&Supervisor::None);
        assert!(uses("manual-key refresh"));
        assert!(!uses("manual-key refresh --allow-empty"));
        assert!(!uses("manual-key refresh --allow-unsafe-file"));
    }

    #[test]
    fn parse_rejects_wrong_methods_and_options() {
        for line in [
            "manual-key",
            "manual-key begin",
            "manual-key stop --show",
            "manual-key start --open",
            "manual-key stop --allow-empty",
            "manual-key status --allow-unsafe-file",
            "manual-key check --allow-unsafe-file",
            "manual-key start now",
            "manual-key start --sadb kernel",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
