//! `help`: prints the table of commands, one command, or the keywords.

use std::io::{self, Write};

use crate::names::Vocabulary;
use crate::names::keywords;
use crate::names::verbs::{self, Row};

/// Prints the list of commands, or the help about `topic`. Returns false if the topic is unknown.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn print(out: &mut dyn Write, topic: Option<&str>, vocabulary: Vocabulary) -> io::Result<bool> {
    match topic {
        None => list(out).map(|()| true),
        Some("attr") => attributes(out, vocabulary).map(|()| true),
        Some(word) => match verbs::by_word(word.as_bytes()) {
            Some(row) => command(out, row).map(|()| true),
            None => Ok(false),
        },
    }
}

fn list(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Commands")?;
    for row in verbs::TABLE {
        writeln!(out, "  {:<28} {}", row.words.join(", "), first_sentence(row.about))?;
    }
    writeln!(out, "\nSA types: ah, esp; all for flush, dump and save.")?;
    writeln!(out, "`help COMMAND` shows the form of a command, `help attr` the keywords of an SA.")
}

fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or(text).trim_end()
}

fn command(out: &mut dyn Write, row: &Row) -> io::Result<()> {
    writeln!(out, "{}\n  {}\n  Example: {}", row.form, row.about, row.example)
}

fn attributes(out: &mut dyn Write, vocabulary: Vocabulary) -> io::Result<()> {
    writeln!(out, "Keywords (attributes) of an SA, each followed by its value:")?;
    let words: Vec<&str> = keywords::words(vocabulary).collect();
    for row in words.chunks(4) {
        let line: String = row.iter().map(|word| format!("  {word:<17}")).collect();
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(topic: Option<&str>) -> (bool, String) {
        let mut out = Vec::new();
        let known = print(&mut out, topic, Vocabulary::Illumos).unwrap();
        (known, String::from_utf8(out).unwrap())
    }

    #[test]
    fn print_lists_every_command() {
        let (_, text) = help(None);
        for word in verbs::words() {
            assert!(text.contains(word), "{word} missing");
        }
    }

    #[test]
    fn print_knows_commands_and_attr() {
        assert!(help(Some("delete-pair")).1.starts_with("delete-pair SA_TYPE"));
        assert!(help(Some("attr")).1.contains("encrkey"));
        assert_eq!(help(Some("ADD")), (false, String::new()));
    }
}
