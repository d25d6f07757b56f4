//! The commands that this program adds to those of ipseckey(1M). They exist on the shell's command line only: in files and at the
//! prompt the language has no other words than there.

mod algs;
mod doctor;
mod explain;
mod export;
mod failure;
mod generate;
mod genkey;
mod import;
mod load_check;
mod parse_file;
mod policy_lines;
mod private_file;
mod reconcile;
mod show;

use clap::{ArgMatches, Command};

use super::exit::Exit;
use super::session::Session;
use crate::redact;
pub(super) use reconcile::next_key_change;

/// A tool with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Genkey(genkey::Genkey),
    Generate(generate::Generate),
    Algs,
    Import(import::Import),
    Export(export::Export),
    Doctor(doctor::Doctor),
    Explain(explain::Explain),
    Reconcile(reconcile::Reconcile),
    Show(show::Show),
}

/// For the option table of the program.
pub(super) fn commands() -> Vec<Command> {
    vec![
        show::command(),
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

/// A help text if `word`, which is not a command, is similar to the name of a tool.
pub(super) fn nearest(word: &[u8]) -> Option<String> {
    let commands = commands();
    redact::did_you_mean(word, commands.iter().map(Command::get_name))
}

/// The tool called `word`, one of [`commands`], with the arguments in `matches`.
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
        "show" => Tool::Show(show::Show::from(matches)),
        _ => Tool::Algs,
    }
}

impl Tool {
    /// Whether the output holds keys.
    fn writes_keys(&self) -> bool {
        matches!(self, Self::Genkey(_) | Self::Generate(_) | Self::Import(_) | Self::Export(_))
    }

    pub(super) fn run(&self, session: &mut Session<'_>) -> Exit {
        // Refused before any work: the tools write the keys themselves, where the masking of -p has no effect.
        if self.writes_keys() && session.output.paranoid {
            session.output.print_message("this tool prints keys, which -p forbids: omit -p");
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
            Self::Show(show) => ("show", show.run(session)),
            Self::Reconcile(reconcile) => (reconcile.word(), reconcile.run(session)),
        };
        done.unwrap_or_else(|failure| {
            session.output.print_message(&format!("{word}: {failure}"));
            Exit::Failed
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::verbs;

    #[test]
    fn commands_have_no_word_of_the_language() {
        // `show` is one of the prompt, too.
        for command in commands().into_iter().filter(|command| command.get_name() != "show") {
            assert!(verbs::words().all(|word| word != command.get_name()), "{}", command.get_name());
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }

    #[test]
    fn nearest_finds_a_misspelt_tool() {
        assert_eq!(nearest(b"genkye").as_deref(), Some("did you mean \"genkey\"?"));
        assert_eq!(nearest(b"flush"), None);
    }
}
