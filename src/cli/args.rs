//! The command line of `ipseckey`: the options of ipseckey(1M) and the long ones that this program adds.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, PossibleValuesParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, ValueHint, value_parser};

use super::getopt;
use super::report::Format;
use super::settings::{Color, Settings};
use super::tools::{self, Tool};
use crate::keyfile::DEFAULT_SKEW;
use crate::names::{times, verbs};
use crate::sadb::{SADB_VARIABLE, SadbTarget};

pub(super) struct Args {
    pub(super) settings: Settings,
    pub(super) task: Task,
}

/// The form of the command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// `-c FILE`: report errors and warnings, without an SADB.
    Check(PathBuf),
    /// `-f FILE`: carry out the commands.
    Load(PathBuf),
    /// `-s FILE`, `-` for standard output.
    Save(PathBuf),
    /// The words of one command.
    Words(Vec<Vec<u8>>),
    /// A command that ipseckey(1M) does not have.
    Tool(Tool),
    /// No arguments: commands from standard input.
    Interactive,
}

/// Also for `--help` and the completion scripts.
pub(crate) fn command() -> Command {
    Command::new("ipseckey")
        .version(env!("CARGO_PKG_VERSION"))
        .override_usage("ipseckey [OPTIONS] [-c FILE | -f FILE | -s FILE]\n       ipseckey [OPTIONS] COMMAND...\n       ipseckey TOOL ...")
        .about("Manually manipulate the IPsec security association database (SADB)")
        .after_help(
            "Without FILE or COMMAND, commands are read from standard input. `ipseckey help` lists them.\n\
             Keys are never arguments: add and update are for files and the prompt only.",
        )
        .args(short_options())
        .args(long_options())
        .arg(words())
        // Only one form of the command at a time; `file` is for --sarif, which needs one of its two.
        .group(ArgGroup::new("form").args(["check", "load", "save", "words"]))
        .group(ArgGroup::new("file").args(["check", "load"]))
        // `help` is a command of the language.
        .disable_help_subcommand(true)
        .subcommand_value_name("TOOL")
        .subcommand_help_heading("Tools")
        .subcommands(tools::commands())
}

/// The options of ipseckey(1M).
fn short_options() -> [Arg; 6] {
    let flag =
        |id: &'static str, short: char, help: &'static str| Arg::new(id).short(short).action(ArgAction::SetTrue).help(help);
    let file = |id: &'static str, short: char, help: &'static str| {
        Arg::new(id)
            .short(short)
            .value_name("FILE")
            // Names of files are bytes on Unix; they need not be UTF-8. `-s -` is standard output.
            .value_parser(OsStringValueParser::new())
            .value_hint(ValueHint::FilePath)
            .allow_hyphen_values(true)
            .help(help)
    };
    [
        file("check", 'c', "Check the commands in FILE and change nothing; errors go to standard error"),
        file("load", 'f', "Read commands from FILE"),
        file("save", 's', "Save all SAs to FILE as commands that -f reads; '-' is standard output"),
        flag("numeric", 'n', "Print numbers instead of names, and look up none"),
        flag("paranoid", 'p', "Print X for every digit of a key, also with -s"),
        flag("verbose", 'v', "Show the messages that are sent, and times in seconds"),
    ]
}

fn long_options() -> [Arg; 10] {
    [
        Arg::new("sadb")
            .long("sadb")
            .value_name("SPEC")
            .value_parser(value_parser!(SadbTarget))
            .global(true)
            .help(format!("auto, xfrm, pfkey, model[:linux|:illumos] or unix:PATH [default: ${SADB_VARIABLE}, else auto]")),
        Arg::new("hosts")
            .long("hosts")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Look up host names in FILE (in the format of hosts(5)) only"),
        Arg::new("deny-weak")
            .long("deny-weak")
            .action(ArgAction::SetTrue)
            .help("Treat weak keys and ciphers that are unsafe with static keys as errors, not as warnings"),
        Arg::new("allow-empty")
            .long("allow-empty")
            .action(ArgAction::SetTrue)
            .requires("check")
            .conflicts_with("load")
            .help("Accept a file without an add command (-c)"),
        Arg::new("skew")
            .long("skew")
            .value_name("TIME")
            .value_parser(seconds)
            .requires("check")
            .conflicts_with("load")
            .help("Difference of two clocks that key chains have to bear, such as 30s (-c) [default: 5m]"),
        Arg::new("at")
            .long("at")
            .value_name("TIME")
            .value_parser(time)
            .requires("check")
            .conflicts_with("load")
            .help("Name the SAs of key chains that are wanted at that time, such as 2027-01-31T02:00:00Z (-c)"),
        Arg::new("json").long("json").action(ArgAction::SetTrue).global(true).help("Print JSON, one object a line"),
        Arg::new("sarif")
            .long("sarif")
            .action(ArgAction::SetTrue)
            .requires("file")
            .conflicts_with("json")
            .help("Print the errors and warnings of -c or -f as SARIF, for code scanners"),
        Arg::new("show-keys")
            .long("show-keys")
            .action(ArgAction::SetTrue)
            .global(true)
            .help("Include keys in the output of --json"),
        Arg::new("color")
            .long("color")
            .value_name("WHEN")
            .value_parser(PossibleValuesParser::new(["auto", "always", "never"]))
            .global(true)
            .default_value("auto")
            .help("Colour diagnostics"),
    ]
}

fn seconds(text: &str) -> Result<u64, String> {
    let expected = |_| "expected a duration such as 30s or 5m".to_owned();
    humantime::parse_duration(text).map(|duration| duration.as_secs()).map_err(expected)
}

fn time(text: &str) -> Result<u64, String> {
    times::parse(text.as_bytes()).ok_or_else(|| format!("expected {}", times::EXPECTED))
}

fn words() -> Arg {
    Arg::new("words")
        .value_name("COMMAND")
        .num_args(0..)
        .trailing_var_arg(true)
        // A value may begin with a hyphen, and a command may hold the name of a file.
        .allow_hyphen_values(true)
        .value_parser(OsStringValueParser::new())
        .help(format!("One command: {}", verbs::shell_words().collect::<Vec<_>>().join(", ")))
}

/// `environment` is the value of [`SADB_VARIABLE`].
///
/// # Errors
/// The arguments are not valid, or `--help` or `--version` is among them. The error holds the text to print.
pub(super) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Option<OsString>,
) -> Result<Args, clap::Error> {
    let mut command = command();
    let arguments = getopt::split(&mut command, arguments)?;
    let mut matches = command.try_get_matches_from(arguments)?;
    let sadb = match matches.remove_one("sadb") {
        Some(select) => Some(select),
        None => environment.map(select_from_environment).transpose()?,
    };
    let json = matches.get_flag("json");
    let sarif = matches.get_flag("sarif");
    let task = task(&mut matches);
    let settings = Settings {
        numeric: matches.get_flag("numeric"),
        paranoid: matches.get_flag("paranoid"),
        verbose: matches.get_flag("verbose"),
        deny_weak: matches.get_flag("deny-weak"),
        allow_empty: matches.get_flag("allow-empty"),
        skew: matches.remove_one("skew").unwrap_or(DEFAULT_SKEW),
        at: matches.remove_one("at"),
        json,
        show_keys: matches.get_flag("show-keys"),
        hosts: matches.remove_one("hosts"),
        color: color(&mut matches),
        sadb,
        report: match task {
            Task::Check(_) | Task::Load(_) if sarif => Format::Sarif,
            Task::Check(_) | Task::Load(_) if json => Format::Json,
            _ => Format::Text,
        },
    };
    let mut args = Args { settings, task };
    args.take_trailing_options();
    Ok(args)
}

impl Args {
    /// Takes the options after a command: `ipseckey dump --json` is `ipseckey --json dump`. No word of the language starts with two
    /// dashes.
    fn take_trailing_options(&mut self) {
        let Task::Words(words) = &mut self.task else { return };
        let mut take = |option: &[u8]| {
            let before = words.len();
            // clap gives all words after the first to the command, options included.
            words.retain(|word| word != option);
            words.len() < before
        };
        self.settings.json |= take(b"--json");
        self.settings.show_keys |= take(b"--show-keys");
    }
}

fn select_from_environment(value: OsString) -> Result<SadbTarget, clap::Error> {
    let word = value.to_string_lossy();
    word.parse().map_err(|error| {
        // As an error of clap it gets the usage text, like the same mistake in --sadb.
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
    // The group `form` ensures that at most one of these is there.
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
        Some(words) => Task::Words(help_instead(words.map(OsStringExt::into_vec).collect())),
        None => Task::Interactive,
    }
}

/// `help VERB` for the words `VERB --help` or `VERB -h`; other words as they are.
fn help_instead(words: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    match words.as_slice() {
        [verb, option] if matches!(&**option, b"--help" | b"-h") && verbs::by_word(verb).is_some() => {
            vec![b"help".to_vec(), verb.clone()]
        }
        _ => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_after_a_verb_is_the_help_of_that_verb() {
        for option in ["--help", "-h"] {
            let Task::Words(words) = args(&["dump", option]).unwrap().task else { panic!("no words") };
            assert_eq!(words, [b"help".to_vec(), b"dump".to_vec()]);
        }
        let Task::Words(words) = args(&["bogus", "--help"]).unwrap().task else { panic!("no words") };
        assert_eq!(words[0], b"bogus");
    }

    fn args(words: &[&str]) -> Result<Args, clap::Error> {
        parse(std::iter::once("ipseckey").chain(words.iter().copied()).map(OsString::from), None)
    }

    #[test]
    fn command_is_a_valid_table() {
        command().debug_assert();
    }

    #[test]
    fn parse_recognizes_each_form() {
        let parsed = args(&["-nvp", "-f", "keys"]).unwrap();
        assert!(parsed.settings.numeric && parsed.settings.verbose && parsed.settings.paranoid);
        assert_eq!(parsed.task, Task::Load("keys".into()));
        assert_eq!(args(&["-nfkeys"]).unwrap().task, Task::Load("keys".into()));
        assert_eq!(args(&["-c-keys"]).unwrap().task, Task::Check("-keys".into()));
        assert_eq!(args(&["-s", "-"]).unwrap().task, Task::Save("-".into()));
        assert_eq!(args(&[]).unwrap().task, Task::Interactive);
        let Task::Words(words) = args(&["-n", "delete", "esp", "spi", "-1"]).unwrap().task else { panic!("not words") };
        assert_eq!(words.last().unwrap(), b"-1");
    }

    #[test]
    fn json_may_follow_the_command() {
        let parsed = args(&["dump", "esp", "--json"]).unwrap();
        assert!(parsed.settings.json && !parsed.settings.show_keys);
        assert_eq!(parsed.task, Task::Words(vec![b"dump".to_vec(), b"esp".to_vec()]));
        assert!(args(&["--json", "--show-keys", "dump"]).unwrap().settings.show_keys);
    }

    #[test]
    fn parse_refuses_two_forms_at_once() {
        assert!(args(&["-f", "a", "-s", "b"]).is_err());
        assert!(args(&["-f", "a", "flush"]).is_err());
        assert!(args(&["--sadb", "nonsense"]).is_err());
        assert_eq!(args(&["--sarif", "-c", "a"]).unwrap().settings.report, Format::Sarif);
        assert!(args(&["--sarif", "dump"]).is_err());
        assert!(args(&["--allow-empty", "-c", "a"]).unwrap().settings.allow_empty);
        assert!(args(&["--allow-empty", "-f", "a"]).is_err());
    }

    #[test]
    fn sadb_option_overrides_the_environment() {
        let parsed = parse(["ipseckey", "--sadb", "model"].map(OsString::from), Some("xfrm".into())).unwrap();
        assert!(parsed.settings.sadb.is_some_and(|sadb| sadb.is_model()));
        let parsed = parse(["ipseckey"].map(OsString::from), Some("xfrm".into())).unwrap();
        assert_eq!(parsed.settings.sadb, Some(SadbTarget::Xfrm));
        assert!(parse(["ipseckey"].map(OsString::from), Some("bogus".into())).is_err());
    }
}
