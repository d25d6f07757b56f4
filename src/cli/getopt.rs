//! Option words as getopt(3C) reads them: letters may share a word, and the value of the last one may follow it there, as in
//! `-nfFILE`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::Command;
use clap::error::ErrorKind;

/// Gives each letter and each value in the option words before the first command a word of its own. clap would take `-fFILE` for a
/// command, since the words of a command may begin with a hyphen.
///
/// # Errors
/// A letter is not an option.
pub(super) fn split(
    command: &mut Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Vec<OsString>, clap::Error> {
    // Adds the letters of --help and --version.
    command.build();
    let mut arguments = arguments.into_iter();
    // The name of the program.
    let mut words: Vec<OsString> = arguments.next().into_iter().collect();
    while let Some(word) = arguments.next() {
        let value_follows = match word.as_bytes() {
            [b'-', b'-', name @ ..] if !name.is_empty() => {
                let value_follows = takes_value(command, name);
                words.push(word);
                value_follows
            }
            [b'-', letters @ ..] if !letters.is_empty() && letters != b"-" => split_letters(command, letters, &mut words)?,
            // A command, or `--` before one.
            _ => {
                words.push(word);
                words.extend(arguments);
                break;
            }
        };
        if value_follows {
            words.extend(arguments.next());
        }
    }
    Ok(words)
}

/// Whether the value of a long option is the next word.
fn takes_value(command: &Command, name: &[u8]) -> bool {
    let is_it = |long: &str| long.as_bytes() == name;
    command.get_arguments().any(|arg| arg.get_long().is_some_and(is_it) && arg.get_action().takes_values())
}

/// Adds the options of `letters` to `words`. Returns whether the last one has its value in the next word.
fn split_letters(command: &Command, letters: &[u8], words: &mut Vec<OsString>) -> Result<bool, clap::Error> {
    for (index, letter) in letters.iter().enumerate() {
        let is_it = |arg: &&clap::Arg| arg.get_short() == Some(char::from(*letter));
        let Some(arg) = command.get_arguments().find(is_it) else {
            return Err(unknown(command, *letter));
        };
        words.push(OsString::from_vec(vec![b'-', *letter]));
        if !arg.get_action().takes_values() {
            continue;
        }
        let value = &letters[index + 1..];
        if value.is_empty() {
            return Ok(true);
        }
        words.push(OsStr::from_bytes(value).to_owned());
        return Ok(false);
    }
    Ok(false)
}

/// Names the letter only: a word after a hyphen may be anything, a key among others.
fn unknown(command: &Command, letter: u8) -> clap::Error {
    let name =
        if letter.is_ascii_alphabetic() { format!("-{}", char::from(letter)) } else { "one of the letters".to_owned() };
    let text = format!("{name} is no option");
    command.clone().error(ErrorKind::UnknownArgument, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::command;

    fn words(arguments: &[&str]) -> Result<Vec<String>, clap::Error> {
        let arguments = std::iter::once("ipseckey").chain(arguments.iter().copied()).map(OsString::from);
        let words = split(&mut command(), arguments)?;
        Ok(words.into_iter().skip(1).map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn split_takes_attached_values() {
        assert_eq!(words(&["-fkeys"]).unwrap(), ["-f", "keys"]);
        assert_eq!(words(&["-nfkeys"]).unwrap(), ["-n", "-f", "keys"]);
        assert_eq!(words(&["-pvn", "-ckeys"]).unwrap(), ["-p", "-v", "-n", "-c", "keys"]);
        assert_eq!(words(&["-s-"]).unwrap(), ["-s", "-"]);
        // A value is everything after the letter, and everything in the next word.
        assert_eq!(words(&["-f=x"]).unwrap(), ["-f", "=x"]);
        assert_eq!(words(&["-fnv"]).unwrap(), ["-f", "nv"]);
        assert_eq!(words(&["-nf", "-v", "-v"]).unwrap(), ["-n", "-f", "-v", "-v"]);
        assert_eq!(words(&["--sadb", "model", "-nfkeys"]).unwrap(), ["--sadb", "model", "-n", "-f", "keys"]);
        assert_eq!(words(&["--sadb=model", "-fkeys"]).unwrap(), ["--sadb=model", "-f", "keys"]);
        assert_eq!(words(&["--json", "-fkeys"]).unwrap(), ["--json", "-f", "keys"]);
    }

    #[test]
    fn split_ends_at_a_command() {
        for line in [&["-n", "delete", "esp", "spi", "-12"][..], &["--", "-nv"], &["-", "-nv"], &["plan", "-xkeys"]] {
            assert_eq!(words(line).unwrap(), line);
        }
        assert_eq!(words(&[]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn split_names_an_unknown_letter_only() {
        let error = words(&["-nx0f1e2d3c"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownArgument);
        assert!(error.to_string().contains("-x") && !error.to_string().contains("0f1e"), "{error}");
        assert!(!words(&["-\u{e9}secret"]).unwrap_err().to_string().contains("secret"));
    }
}
