//! The options of `manual-key`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::sadb::SadbTarget;
use crate::service::config::Overrides;
use crate::service::config::properties::Scope;
use crate::service::config::supervisor::World;

/// What `manual-key` is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Load the keys file and stay, as a service.
    Run,
    /// Load the keys file.
    Start,
    /// Load it again.
    Refresh,
    /// Empty the SADB.
    Stop,
    /// Only parse the keys file.
    Check,
    /// Tell what a reconciling refresh would do.
    Plan,
    /// Tell the state.
    Status,
}

impl Method {
    /// Whether how it ends is the state of the service.
    pub(crate) fn changes_state(self) -> bool {
        matches!(self, Self::Run | Self::Start | Self::Refresh | Self::Stop)
    }
}

/// The methods: word, method, what `--help` says.
const METHODS: &[(&str, Method, &str)] = &[
    (
        "run",
        Method::Run,
        "Flush the SADB, load the keys file and stay: refresh when asked, tell of expiries, flush at the end",
    ),
    ("start", Method::Start, "Flush the SADB and load the keys file"),
    (
        "refresh",
        Method::Refresh,
        "The same again, after the file or the configuration has changed; a running service does it",
    ),
    ("stop", Method::Stop, "Flush the SADB"),
    ("check", Method::Check, "Parse the keys file and say how many commands are wrong, and in which lines"),
    ("plan", Method::Plan, "Tell what differs between the keys file and the SADB, and change nothing"),
    ("status", Method::Status, "Tell the state, the keys file, the SAs that are there or missing, and what expires next"),
];

const SADB_HELP: &str = "Which SADB: auto, xfrm, pfkey, unix:PATH or model";

const FLUSH_HELP: &str = "What is flushed: all SAs, or owned, those that this service has added";

const EXIT_STATUS: &str = "Exit status: 0 done, 1 some commands refused, 2 usage, 3 SAs missing (status --check) \
                           or something to do (plan), \
                           69 no SADB, 77 permission, 78 configuration; under SMF 0, 95, 96, 99, 100.";

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) method: Method,
    pub(crate) overrides: Overrides,
    pub(crate) show: bool,
    /// `--json`
    pub(crate) json: bool,
    /// `--check`: the exit status tells.
    pub(crate) judge: bool,
    /// `--instance`
    pub(crate) instance: Option<String>,
}

impl Args {
    /// Whether this is a refresh that a running service can do: one with options of its own is not.
    pub(crate) fn leaves_it_to_the_service(&self, world: &World) -> bool {
        let says_nothing = self.overrides == Overrides::default() && !self.show;
        self.method == Method::Refresh && says_nothing && !matches!(world, World::Smf { .. })
    }
}

/// Understands the arguments, the program's name first.
///
/// # Errors
/// clap's error, which also stands for `--help` and `--version`.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(arguments)?;
    let found = matches.subcommand().and_then(|(word, of_method)| {
        METHODS.iter().find(|(known, ..)| *known == word).map(|(_, method, _)| (*method, of_method))
    });
    let Some((method, of_method)) = found else {
        return Err(command.error(clap::error::ErrorKind::MissingSubcommand, "no method is named"));
    };
    let overrides = overrides(of_method);
    if method == Method::Status && !overrides.name_an_sadb_at_most() {
        let words = "status tells of the service as it runs: --config, --config-file and --flush are not for it";
        return Err(command.error(clap::error::ErrorKind::ArgumentConflict, words));
    }
    let is_set = |name: &str| of_method.try_get_one(name).ok().flatten().copied().unwrap_or(false);
    Ok(Args {
        method,
        overrides,
        show: is_set("show"),
        json: is_set("json"),
        judge: is_set("check"),
        instance: of_method.try_get_one("instance").ok().flatten().cloned(),
    })
}

fn overrides(matches: &ArgMatches) -> Overrides {
    Overrides {
        config: matches.get_one("config").cloned(),
        config_file: matches.get_one("config-file").cloned(),
        sadb: matches.get_one("sadb").cloned(),
        flush: matches.get_one("flush").copied(),
    }
}

fn command() -> Command {
    Command::new("manual-key")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Keeps the security associations of a keys file in the SADB: the service behind ipseckey(1M)")
        .after_help(EXIT_STATUS)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .args([
            path("config", "FILE", "Properties of the service [default: /etc/inet/manual-key.toml]"),
            path("config-file", "KEYS", "The keys file, whatever the properties say"),
            Arg::new("sadb").long("sadb").value_name("SPEC").global(true).help(SADB_HELP).value_parser(SadbTarget::from_str),
            Arg::new("flush").long("flush").value_name("SCOPE").global(true).help(FLUSH_HELP).value_parser(Scope::from_str),
        ])
        .subcommands(METHODS.iter().map(|(word, method, about)| with_options(*method, Command::new(*word).about(*about))))
}

fn path(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).value_parser(value_parser!(PathBuf)).global(true).help(help)
}

fn with_options(method: Method, command: Command) -> Command {
    match method {
        Method::Start | Method::Refresh => command.arg(flag("show", "Print the resulting SAs, keys masked")),
        Method::Plan => command.arg(flag("json", "Tell it as JSON objects, one a line")),
        Method::Status => command.args([
            flag("json", "Tell it as a JSON object"),
            flag("check", "Exit with 3 if SAs are missing, 78 in maintenance, 1 if disabled, 77 if it cannot be known"),
            Arg::new("instance")
                .long("instance")
                .value_name("NAME")
                .value_parser(instance)
                .help("Of manual-key@NAME.service"),
        ]),
        Method::Run | Method::Stop | Method::Check => command,
    }
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// The name of an instance, which is also that of a directory.
fn instance(name: &str) -> Result<String, &'static str> {
    let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains('/');
    if is_name { Ok(name.to_owned()) } else { Err("wanted the NAME of a manual-key@NAME.service") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Args, clap::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_option_table_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after_the_method() {
        let args = parsed("manual-key --sadb model start --config-file /k --show").unwrap();
        assert_eq!((args.method, args.show), (Method::Start, true));
        assert_eq!(args.overrides.sadb, Some(SadbTarget::Model));
        assert_eq!(args.overrides.config_file, Some("/k".into()));
        assert_eq!(args.overrides.config, None);
        assert_eq!(parsed("manual-key stop --sadb model").unwrap().method, Method::Stop);
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        for line in [
            "manual-key",
            "manual-key begin",
            "manual-key stop --show",
            "manual-key start now",
            "manual-key start --sadb kernel",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
