//! `explain`: a long explanation of an error or warning.

use std::io::{self, Write};

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::failure::Failure;
use crate::cli::exit::Exit;
use crate::cli::report::json;
use crate::cli::session::Session;
use crate::keyfile::{Explanation, explanations};
use crate::redact::{Expected, citable};

#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Explain {
    code: Option<String>,
}

pub(super) fn command() -> Command {
    Command::new("explain")
        .about("Explain an error or warning by its code, such as IK003")
        .after_help("Example: ipseckey explain IK003\n\nWithout CODE all codes are listed.")
        .arg(Arg::new("code").value_name("CODE").help("The code in the brackets of the message"))
}

impl From<&mut ArgMatches> for Explain {
    fn from(matches: &mut ArgMatches) -> Self {
        Self { code: matches.remove_one("code") }
    }
}

/// An explanation as `--json` prints it.
#[derive(Serialize)]
struct Object {
    code: String,
    title: &'static str,
    text: &'static str,
}

impl Explain {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<Exit, Failure> {
        let found = match &self.code {
            None => explanations(),
            Some(code) => std::slice::from_ref(find(code)?),
        };
        let mut out = io::stdout().lock();
        let written = found.iter().try_for_each(|row| match (session.json(), &self.code) {
            (true, _) => {
                let object = Object { code: row.code.to_string(), title: row.code.title(), text: row.text };
                json::write_object(&mut out, &object)
            }
            (false, None) => writeln!(out, "{}  {}", row.code, row.code.title()),
            (false, Some(_)) => write!(out, "{row}"),
        });
        let _ = session.output.note_write_error(written);
        Ok(Exit::Done)
    }
}

/// Takes `IK003` also in brackets, in lower case, or without `IK`.
fn find(code: &str) -> Result<&'static Explanation, Failure> {
    let word = code.trim_matches(['[', ']']).to_ascii_uppercase();
    let number = word.strip_prefix("IK").unwrap_or(&word).parse::<u16>().ok();
    explanations().iter().find(|row| Some(row.code as u16) == number).ok_or_else(|| Failure::new(unknown_code(&word)))
}

/// The message for a code that is not in the table.
fn unknown_code(word: &str) -> String {
    let number = citable(word.strip_prefix("IK").unwrap_or(word), Expected::Number);
    format!("unknown code IK{number}: `ipseckey explain` lists all")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::Code;

    #[test]
    fn find_takes_a_code_in_several_spellings() {
        for word in ["IK003", "ik003", "3", "[IK003]"] {
            assert_eq!(find(word).map(|row| row.code).ok(), Some(Code::UnknownKeyword), "{word}");
        }
        assert!(find("IK999").is_err_and(|failure| failure.to_string().contains("lists all")));
        assert!(find("").is_err());
    }
}
