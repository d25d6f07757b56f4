//! The options of `ipseckey`: those of the man page, and the long ones this program adds.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, PossibleValuesParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};

use super::tools::{self, Tool};
use crate::sadb::{SADB_VARIABLE, SadbTarget};

/// What was typed, understood.
pub(super) struct Args {
    /// `-n`: no names in output, and only numeric addresses in input.
    pub(super) numeric: bool,
    /// `-p`: no key digit in any output.
    pub(super) paranoid: bool,
    /// `-v`: show what is sent; raw times.
    pub(super) verbose: bool,
    /// What to do.
    pub(super) task: Task,
    /// `--sadb`, or the environment's choice.
    pub(super) sadb: Option<SadbTarget>,
    /// `--hosts FILE`: names come from this file alone.
    pub(super) hosts: Option<PathBuf>,
    /// `--deny-weak`: warnings about weak keys and unsafe ciphers are errors.
    pub(super) deny_weak: bool,
    /// `--json`: one object a line on standard output.
    pub(super) json: bool,
    /// `--sarif`: what `-c` and `-f` say, as one SARIF document.
    pub(super) sarif: bool,
    /// `--show-keys`: keys in what `--json` prints.
    pub(super) show_keys: bool,
    /// `--color`.
    pub(super) color: Color,
}

/// Which of the command's forms was used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// `-c FILE`
    Check(PathBuf),
    /// `-f FILE`
    Load(PathBuf),
    /// `-s FILE`, `-` for standard output.
    Save(PathBuf),
    /// Words of one command.
    Words(Vec<Vec<u8>>),
    /// One of the words that this program adds to the man page's.
    Tool(Tool),
    /// Nothing: commands from standard input.
    Interactive,
}

/// When to colour diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The option table; also what --help prints.
pub(super) fn command() -> Command {
    Command::new("ipseckey")
        .version(env!("CARGO_PKG_VERSION"))
        .override_usage("ipseckey [OPTIONS] [-c FILE | -f FILE | -s FILE | COMMAND... | TOOL ...]")
        .about("Manually manipulate the IPsec security association database (SADB)")
        .after_help(
            "Without FILE or COMMAND, commands of the language are read from standard input. `ipseckey help` lists them.\n\
             Keys are never arguments: add and update work in a file or at the prompt only.",
        )
        .args(short_options())
        .args(long_options())
        .arg(words())
        .group(ArgGroup::new("form").args(["check", "load", "save", "words"]))
        .group(ArgGroup::new("file").args(["check", "load"]))
        .disable_help_subcommand(true)
        .subcommand_value_name("TOOL")
        .subcommand_help_heading("Tools")
        .subcommands(tools::commands())
}

/// The options of the man page.
fn short_options() -> [Arg; 6] {
    let flag =
        |id: &'static str, short: char, help: &'static str| Arg::new(id).short(short).action(ArgAction::SetTrue).help(help);
    let file = |id: &'static str, short: char, help: &'static str| {
        Arg::new(id)
            .short(short)
            .value_name("FILE")
            .value_parser(OsStringValueParser::new())
            .allow_hyphen_values(true)
            .help(help)
    };
    [
        file("check", 'c', "Check the commands in FILE, change nothing; errors go to standard error"),
        file("load", 'f', "Read commands from FILE"),
        file("save", 's', "Save all SAs to FILE as commands that -f reads; '-' is standard output"),
        flag("numeric", 'n', "Numbers, no names: nothing is looked up"),
        flag("paranoid", 'p', "Print an X for every digit of a key, even when saving"),
        flag("verbose", 'v', "Show the messages being sent, and raw seconds of times"),
    ]
}

/// The others.
fn long_options() -> [Arg; 7] {
    [
        Arg::new("sadb")
            .long("sadb")
            .value_name("SPEC")
            .value_parser(value_parser!(SadbTarget))
            .global(true)
            .help(format!("auto, xfrm, pfkey, model or unix:PATH [default: ${SADB_VARIABLE}, else auto]")),
        Arg::new("hosts")
            .long("hosts")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Look names up in FILE (hosts(5) format) and nowhere else"),
        Arg::new("deny-weak")
            .long("deny-weak")
            .action(ArgAction::SetTrue)
            .help("Refuse weak keys and ciphers that static keys make unsafe, instead of warning about them"),
        Arg::new("json").long("json").action(ArgAction::SetTrue).global(true).help("Print JSON, one object a line"),
        Arg::new("sarif")
            .long("sarif")
            .action(ArgAction::SetTrue)
            .requires("file")
            .conflicts_with("json")
            .help("Print what -c or -f says as SARIF, for code scanners"),
        Arg::new("show-keys").long("show-keys").action(ArgAction::SetTrue).global(true).help("Print keys in JSON too"),
        Arg::new("color")
            .long("color")
            .value_name("WHEN")
            .value_parser(PossibleValuesParser::new(["auto", "always", "never"]))
            .global(true)
            .default_value("auto")
            .help("Colour diagnostics"),
    ]
}

/// The command that may stand among the arguments.
fn words() -> Arg {
    Arg::new("words")
        .value_name("COMMAND")
        .num_args(0..)
        .trailing_var_arg(true)
        .allow_hyphen_values(true)
        .value_parser(OsStringValueParser::new())
        .help("One command: delete, delete-pair, get, flush, dump, save, monitor, passive_monitor, pmonitor, help")
}

/// Understands the arguments of the process.
///
/// # Errors
/// clap's, to be printed as it is; --help and --version are among them.
pub(super) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Option<OsString>,
) -> Result<Args, clap::Error> {
    let mut matches = command().try_get_matches_from(arguments)?;
    let sadb = match matches.remove_one("sadb") {
        Some(select) => Some(select),
        None => environment.map(from_environment).transpose()?,
    };
    let mut args = Args {
        numeric: matches.get_flag("numeric"),
        paranoid: matches.get_flag("paranoid"),
        verbose: matches.get_flag("verbose"),
        deny_weak: matches.get_flag("deny-weak"),
        json: matches.get_flag("json"),
        sarif: matches.get_flag("sarif"),
        show_keys: matches.get_flag("show-keys"),
        hosts: matches.remove_one("hosts"),
        color: color(&mut matches),
        sadb,
        task: task(&mut matches),
    };
    args.take_options_behind_the_command();
    Ok(args)
}

impl Args {
    /// `ipseckey dump --json` means what `ipseckey --json dump` does: no word of the language starts with two dashes.
    fn take_options_behind_the_command(&mut self) {
        let Task::Words(words) = &mut self.task else { return };
        let mut take = |option: &[u8]| {
            let before = words.len();
            words.retain(|word| word != option);
            words.len() < before
        };
        self.json |= take(b"--json");
        self.show_keys |= take(b"--show-keys");
    }
}

fn from_environment(value: OsString) -> Result<SadbTarget, clap::Error> {
    let word = value.to_string_lossy();
    word.parse().map_err(|error| {
        let text = format!("${SADB_VARIABLE}: {error}\n");
        command().error(ErrorKind::InvalidValue, text)
    })
}

fn color(matches: &mut ArgMatches) -> Color {
    match matches.remove_one::<String>("color").as_deref() {
        Some("always") => Color::Always,
        Some("never") => Color::Never,
        _ => Color::Auto,
    }
}

fn task(matches: &mut ArgMatches) -> Task {
    if let Some((word, mut matches)) = matches.remove_subcommand() {
        return Task::Tool(tools::parse(&word, &mut matches));
    }
    if let Some(file) = matches.remove_one::<OsString>("check") {
        return Task::Check(file.into());
    }
    if let Some(file) = matches.remove_one::<OsString>("load") {
        return Task::Load(file.into());
    }
    if let Some(file) = matches.remove_one::<OsString>("save") {
        return Task::Save(file.into());
    }
    match matches.remove_many::<OsString>("words") {
        Some(words) => Task::Words(words.map(OsStringExt::into_vec).collect()),
        None => Task::Interactive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Result<Args, clap::Error> {
        parse(std::iter::once("ipseckey").chain(words.iter().copied()).map(OsString::from), None)
    }

    #[test]
    fn the_table_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn forms_of_the_command() {
        let parsed = args(&["-nvp", "-f", "keys"]).unwrap();
        assert!(parsed.numeric && parsed.verbose && parsed.paranoid);
        assert_eq!(parsed.task, Task::Load("keys".into()));
        assert_eq!(args(&["-s", "-"]).unwrap().task, Task::Save("-".into()));
        assert_eq!(args(&[]).unwrap().task, Task::Interactive);
        let Task::Words(words) = args(&["-n", "delete", "esp", "spi", "-1"]).unwrap().task else { panic!("not words") };
        assert_eq!(words.last().unwrap(), b"-1");
    }

    #[test]
    fn json_may_stand_behind_the_command() {
        let parsed = args(&["dump", "esp", "--json"]).unwrap();
        assert!(parsed.json && !parsed.show_keys);
        assert_eq!(parsed.task, Task::Words(vec![b"dump".to_vec(), b"esp".to_vec()]));
        assert!(args(&["--json", "--show-keys", "dump"]).unwrap().show_keys);
    }

    #[test]
    fn two_forms_at_once_are_refused() {
        assert!(args(&["-f", "a", "-s", "b"]).is_err());
        assert!(args(&["-f", "a", "flush"]).is_err());
        assert!(args(&["--sadb", "nonsense"]).is_err());
        assert!(args(&["--sarif", "-c", "a"]).unwrap().sarif && args(&["--sarif", "dump"]).is_err());
    }

    #[test]
    fn the_environment_is_second_to_the_option() {
        let parsed = parse(["ipseckey", "--sadb", "model"].map(OsString::from), Some("xfrm".into())).unwrap();
        assert_eq!(parsed.sadb, Some(SadbTarget::Model));
        let parsed = parse(["ipseckey"].map(OsString::from), Some("xfrm".into())).unwrap();
        assert_eq!(parsed.sadb, Some(SadbTarget::Xfrm));
        assert!(parse(["ipseckey"].map(OsString::from), Some("bogus".into())).is_err());
    }
}
