//! `help`: prints the table of commands, one command, or the keywords.

use std::io::{self, Write};

use crate::names::Vocabulary;
use crate::names::keywords::{self, Keyword};
use crate::names::verbs::{self, Row};

/// Prints the list of commands, or the help about `topic`. Returns false if the topic is unknown.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn print(out: &mut dyn Write, topic: Option<&str>, vocabulary: Vocabulary, width: usize) -> io::Result<bool> {
    match topic {
        None => list(out, width).map(|()| true),
        Some("attr") => attributes(out, vocabulary, width).map(|()| true),
        Some(word) => match verbs::by_word(word.as_bytes()) {
            Some(row) => command(out, row, width).map(|()| true),
            None => Ok(false),
        },
    }
}

fn list(out: &mut dyn Write, width: usize) -> io::Result<()> {
    writeln!(out, "Commands")?;
    for row in verbs::TABLE {
        write_row(out, &row.words.join(", "), 28, first_sentence(row.about), width)?;
    }
    writeln!(out)?;
    write_wrapped(out, "SA types: ah, esp; all for flush, dump and save.", 0, width)?;
    write_wrapped(out, "`help COMMAND` shows the form of a command, `help attr` the keywords of an SA.", 0, width)
}

fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or(text).trim_end()
}

fn command(out: &mut dyn Write, row: &Row, width: usize) -> io::Result<()> {
    for (text, indent) in [(row.form, 0), (row.about, 2), (&*format!("Example: {}", row.example), 2)] {
        write_wrapped(out, text, indent, width)?;
    }
    Ok(())
}

/// A line for each property: its keywords, the value and the meaning.
fn attributes(out: &mut dyn Write, vocabulary: Vocabulary, width: usize) -> io::Result<()> {
    write_wrapped(out, "Keywords (attributes) of an SA, each followed by its value:", 0, width)?;
    let mut done = Vec::new();
    let known: Vec<&Keyword> = keywords::usable(vocabulary).collect();
    for row in &known {
        if done.contains(&row.field) {
            continue;
        }
        done.push(row.field);
        let words: Vec<&str> = known.iter().filter(|other| other.field == row.field).map(|row| row.word).collect();
        let form = format!("{} {}", words.join(", "), row.value.synopsis());
        write_row(out, form.trim_end(), 37, row.title, width)?;
    }
    Ok(())
}

/// `left`, and `right` in the column after `left_width`; in a narrow terminal below it.
fn write_row(out: &mut dyn Write, left: &str, left_width: usize, right: &str, width: usize) -> io::Result<()> {
    if left.len() <= left_width && left_width + 3 + right.len() <= width {
        return writeln!(out, "  {left:<left_width$} {right}");
    }
    write_wrapped(out, left, 2, width)?;
    write_wrapped(out, right, 6, width)
}

/// `text` with line breaks between words, so that it fits into `width`; each line is indented.
fn write_wrapped(out: &mut dyn Write, text: &str, indent: usize, width: usize) -> io::Result<()> {
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && indent + line.len() + 1 + word.len() > width {
            writeln!(out, "{:indent$}{line}", "")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{:indent$}{line}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(topic: Option<&str>) -> (bool, String) {
        help_in(topic, 80)
    }

    fn help_in(topic: Option<&str>, width: usize) -> (bool, String) {
        let mut out = Vec::new();
        let known = print(&mut out, topic, Vocabulary::Linux, width).unwrap();
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
    #[test]
    fn print_fits_into_the_terminal() {
        let topics = verbs::words().map(Some).chain([None, Some("attr")]);
        for (topic, width) in topics.flat_map(|topic| [40, 80, 120].map(|width| (topic, width))) {
            let (_, text) = help_in(topic, width);
            let longest = |line: &&str| line.len() > width && line.trim_start().contains(' ');
            assert_eq!(text.lines().find(longest), None, "{topic:?} at {width} columns");
        }
    }

    #[test]
    fn attributes_have_a_line_with_value_and_meaning_each() {
        let (_, text) = help(Some("attr"));
        for line in ["auth_alg, authalg ALGORITHM", "hard_bytes BYTES", "encrkey HEX[/BITS]", "esn"] {
            assert!(text.lines().any(|found| found.trim_start().starts_with(line)), "{line}: {text}");
        }
        assert!(text.contains("spi NUMBER") && text.contains("SPI value"), "{text}");
    }
}
