//! The words that this program adds to the commands of the man page. They stand on the shell's command line only: in a file and at
//! the prompt the language is what it always was.

mod algs;
mod checked;
mod doctor;
mod explain;
mod export;
mod generate;
mod genkey;
mod import;
mod policy_lines;
mod private_file;
mod reconcile;

use clap::{ArgMatches, Command};

use super::exit::Exit;
use super::session::Session;
use crate::keyfile;

/// One of the words, with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// `genkey ALGORITHM [BITS]`
    Genkey(genkey::Genkey),
    /// `generate SA_TYPE KEYWORD VALUE ...`
    Generate(generate::Generate),
    /// `algs`
    Algs,
    /// `import FORMAT FILE`
    Import(import::Import),
    /// `export FORMAT [FILE]`
    Export(export::Export),
    /// `doctor [FILE]`
    Doctor(doctor::Doctor),
    /// `explain [CODE]`
    Explain(explain::Explain),
    /// `plan FILE`, `reconcile FILE`
    Reconcile(reconcile::Reconcile),
}

/// Why a tool did nothing, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failure(String);

impl Failure {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// One that an error tells.
    #[allow(clippy::needless_pass_by_value, reason = "for map_err")]
    fn of(error: impl ToString) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// The option tables of the tools.
pub(super) fn commands() -> Vec<Command> {
    vec![
        genkey::command(),
        generate::command(),
        algs::command(),
        import::command(),
        export::command(),
        doctor::command(),
        explain::command(),
        reconcile::plan_command(),
        reconcile::reconcile_command(),
    ]
}

/// What to say of `word`, which is no command, if it is nearly the name of a tool.
pub(super) fn nearest(word: &[u8]) -> Option<String> {
    let commands = commands();
    keyfile::nearest(word, commands.iter().map(Command::get_name)).map(|tool| format!("did you mean \"{tool}\"?"))
}

/// What the shell's words after `word` ask for. `word` is the name of one of [`commands`].
pub(super) fn parse(word: &str, matches: &mut ArgMatches) -> Tool {
    match word {
        "genkey" => Tool::Genkey(genkey::Genkey::from(matches)),
        "generate" => Tool::Generate(generate::Generate::from(matches)),
        "import" => Tool::Import(import::Import::from(matches)),
        "export" => Tool::Export(export::Export::from(matches)),
        "doctor" => Tool::Doctor(doctor::Doctor::from(matches)),
        "explain" => Tool::Explain(explain::Explain::from(matches)),
        "plan" => Tool::Reconcile(reconcile::Reconcile::from(matches, true)),
        "reconcile" => Tool::Reconcile(reconcile::Reconcile::from(matches, false)),
        _ => Tool::Algs,
    }
}

impl Tool {
    /// Whether keys are what it writes.
    fn writes_keys(&self) -> bool {
        matches!(self, Self::Genkey(_) | Self::Generate(_) | Self::Import(_) | Self::Export(_))
    }

    /// Does it.
    pub(super) fn run(&self, session: &mut Session<'_>) -> Exit {
        if self.writes_keys() && session.output.paranoid {
            session.output.say("this tool writes keys, which -p hides: leave out -p");
            return Exit::Usage;
        }
        let (word, done) = match self {
            Self::Genkey(genkey) => ("genkey", genkey.run(session)),
            Self::Generate(generate) => ("generate", generate.run(session)),
            Self::Algs => ("algs", algs::run(session)),
            Self::Import(import) => ("import", import.run(session)),
            Self::Export(export) => ("export", export.run(session)),
            Self::Doctor(doctor) => ("doctor", doctor.run(session)),
            Self::Explain(explain) => ("explain", explain.run(session)),
            Self::Reconcile(reconcile) => (reconcile.word(), reconcile.run(session)),
        };
        done.unwrap_or_else(|failure| {
            session.output.say(&format!("{word}: {failure}"));
            Exit::Failed
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::COMMAND_WORDS;

    #[test]
    fn no_tool_takes_a_word_of_the_language() {
        for command in commands() {
            assert!(!COMMAND_WORDS.contains(&command.get_name()), "{}", command.get_name());
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }

    #[test]
    fn a_tool_is_known_by_a_wrong_letter() {
        assert_eq!(nearest(b"genkye").as_deref(), Some("did you mean \"genkey\"?"));
        assert_eq!(nearest(b"flush"), None);
    }
}
