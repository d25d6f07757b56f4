//! The completion scripts: clap_complete makes the part with the options and subcommands; what the command language adds for
//! `ipseckey` is in completions/language, with the words of the tables in place of `@NAME@`.
//!
//! `SNAPSHOTS=overwrite cargo test --lib completions` writes them.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_complete::{Shell, generate};
use snapbox::Data;

use crate::names::verbs;
use crate::names::{Vocabulary, keywords, linux};
use crate::{cli, model, service};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/completions");
const HEADER: &str = "# Written by tests/library/completions.rs: SNAPSHOTS=overwrite cargo test --lib completions\n";

/// The name of the script of a program.
fn file_name(shell: Shell, program: &str) -> String {
    match shell {
        Shell::Zsh => format!("_{program}"),
        shell => format!("{program}.{shell}"),
    }
}

/// The part with the options and subcommands.
fn options(shell: Shell, program: &str, mut command: Command) -> String {
    let mut script = Vec::new();
    generate(shell, &mut command, program, &mut script);
    String::from_utf8(script).unwrap().lines().map(|line| tidy(shell, line) + "\n").collect()
}

/// A line without trailing blanks; in bash without `[FILE]` and `<FILE>`, which would be offered as words.
fn tidy(shell: Shell, line: &str) -> String {
    let line = line.trim_end();
    match line.trim_start().strip_prefix("opts=\"").and_then(|rest| rest.strip_suffix('"')) {
        Some(words) if shell == Shell::Bash => {
            let indent = &line[..line.len() - line.trim_start().len()];
            let words: Vec<&str> = words.split(' ').filter(|word| !word.starts_with(['[', '<'])).collect();
            format!("{indent}opts=\"{}\"", words.join(" "))
        }
        _ => line.to_owned(),
    }
}

/// A template with the words of the tables.
fn language(shell: Shell) -> String {
    let template = Path::new(DIRECTORY).join("language").join(file_name(shell, "ipseckey"));
    let vocabulary = Vocabulary::Linux;
    let command = cli::args::command();
    let tools: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    let formats = |tool: &str| {
        let format = command.find_subcommand(tool).unwrap().get_arguments().find(|arg| arg.get_id() == "format").unwrap();
        let names: Vec<String> = format.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        names.join(" ")
    };
    let topics: Vec<&str> = verbs::words().filter(|word| *word != "?").chain(["attr"]).collect();
    let values: [(&str, String); 10] = [
        ("@COMMANDS@", verbs::shell_words().collect::<Vec<_>>().join(" ")),
        ("@TOOLS@", tools.join(" ")),
        ("@KEYWORDS@", keywords::words(vocabulary).collect::<Vec<_>>().join(" ")),
        ("@AUTH@", vocabulary.auth_algs().map(|row| row.names[0]).collect::<Vec<_>>().join(" ")),
        ("@ENCR@", vocabulary.encr_algs().map(|row| row.names[0]).collect::<Vec<_>>().join(" ")),
        ("@MODES@", linux::MODES.iter().map(|row| row.1).collect::<Vec<_>>().join(" ")),
        ("@TOPICS@", topics.join(" ")),
        ("@VALUE_OPTIONS@", value_options(&command).join(" | ")),
        ("@IMPORT@", formats("import")),
        ("@EXPORT@", formats("export")),
    ];
    let text = fs::read_to_string(template).unwrap();
    values.iter().fold(text, |text, (name, words)| text.replace(name, words))
}

/// The options of the program and its tools that take a value.
fn value_options(command: &Command) -> Vec<String> {
    let mut options = Vec::new();
    for arg in std::iter::once(command).chain(command.get_subcommands()).flat_map(Command::get_arguments) {
        if arg.get_action().takes_values() && !arg.is_positional() {
            options.extend(arg.get_short().map(|short| format!("-{short}")));
            options.extend(arg.get_long().map(|long| format!("--{long}")));
        }
    }
    options.sort();
    options.dedup();
    options
}

/// The whole script.
fn script(shell: Shell, program: &str, command: Command) -> String {
    let mut script = options(shell, program, command);
    if program == "ipseckey" {
        if shell != Shell::Fish {
            // The function of clap_complete becomes a part of the one that knows the language too.
            script = script.replace("_ipseckey", "_ipseckey_options");
            let end = script.rfind("\nif [").unwrap();
            script.truncate(end);
        }
        script += &language(shell);
    }
    match script.strip_prefix("#compdef") {
        Some(_) => script.replacen('\n', &format!("\n{HEADER}"), 1),
        None => format!("{HEADER}{script}"),
    }
}

#[test]
fn completions_are_up_to_date() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let programs = [
            ("ipseckey", cli::args::command()),
            ("manual-key", service::args::command()),
            ("sadb-model", model::server::command()),
        ];
        for (program, command) in programs {
            let path = Path::new(DIRECTORY).join(file_name(shell, program));
            snapbox::assert_data_eq!(script(shell, program, command), Data::read_from(&path, None).raw());
        }
    }
}
