//! Completion with Tab at the prompt: the words of the language that fit after the words before the cursor, and the SPIs and
//! addresses of the SAs in the SADB.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::rc::Rc;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use zeroize::Zeroizing;

use crate::cli::connection::Connection;
use crate::cli::session::Session;
use crate::names::keywords::{self, Field, Usage, Value};
use crate::names::{Vocabulary, linux, sa_types, verbs};
use crate::sa::{SaId, SaType};

pub(super) struct Completion {
    vocabulary: Vocabulary,
    /// Shared with the commands; `None` under `-v`.
    connection: Option<Rc<Connection>>,
    /// The lines of the command before the one that is edited. They may hold a key.
    lines_before: Zeroizing<String>,
}

impl Completion {
    pub(super) fn new(session: &Session<'_>) -> Self {
        Self {
            vocabulary: session.vocabulary(),
            connection: session.connection_for_completion(),
            lines_before: Zeroizing::default(),
        }
    }

    /// Sets the lines of the command before the one that is edited.
    pub(super) fn set_lines_before(&mut self, lines: &[u8]) {
        self.lines_before = Zeroizing::new(String::from_utf8_lossy(lines).into_owned());
    }

    /// The SAs of a type; none if the SADB refuses, as the next command will report.
    fn ids(&self, sa_type: SaType) -> Vec<SaId> {
        let mut found = Vec::new();
        if let Some(Ok(mut sadb)) = self.connection.as_ref().map(|connection| connection.open()) {
            // A dump that fails has listed some SAs before, which are still worth offering.
            let _ = sadb.dump(sa_type, &mut |sa| {
                found.extend(sa.id());
                ControlFlow::Continue(())
            });
        }
        found
    }
}

/// Without `?`, which is as long as its completion.
fn command_words() -> impl Iterator<Item = &'static str> {
    verbs::words().filter(|word| *word != "?")
}

/// The words of the language that may follow `words`.
fn candidates(words: &[&str], vocabulary: Vocabulary) -> Vec<&'static str> {
    match words {
        [] => command_words().collect(),
        ["help" | "?"] => command_words().chain(["attr"]).collect(),
        ["flush" | "dump" | "save"] => vec!["ah", "esp", "all"],
        ["help" | "?" | "flush" | "dump" | "save" | "monitor" | "passive_monitor" | "pmonitor" | "quit" | "exit", ..]
        | ["show" | "list" | "ls" | "status", ..] => vec![],
        [_] => vec!["ah", "esp"],
        [.., "auth_alg" | "authalg"] => vocabulary.auth_algs().flat_map(|row| row.names).copied().collect(),
        [.., "encr_alg" | "encralg"] => vocabulary.encr_algs().flat_map(|row| row.names).copied().collect(),
        [.., "state"] => vec!["larval", "mature", "dying", "dead"],
        [.., "encap"] => vec!["udp"],
        // Only Linux has these keywords; elsewhere the word is a value or a mistake.
        [.., "mode"] if takes_value("mode", vocabulary) => linux::MODES.iter().map(|row| row.1).collect(),
        [.., "flag"] if takes_value("flag", vocabulary) => linux::FLAGS.iter().map(|row| row.1).collect(),
        [.., "srcidtype" | "dstidtype"] => vec!["prefix", "fqdn", "domain", "user_fqdn", "mailbox"],
        // Any other value, such as a key, is the user's: offering the keywords here would be wrong.
        [.., last] if takes_value(last, vocabulary) => vec![],
        [verb, _, given @ ..] => unused_keywords(verb, given, vocabulary),
    }
}

fn takes_value(word: &str, vocabulary: Vocabulary) -> bool {
    let row = keywords::by_word(word.as_bytes()).filter(|row| row.value != Value::Nothing);
    row.is_some() && keywords::words(vocabulary).any(|keyword| keyword == word)
}

/// The keywords that `verb` takes, without those of a field that `given` has set.
fn unused_keywords(verb: &str, given: &[&str], vocabulary: Vocabulary) -> Vec<&'static str> {
    let changes = verb.starts_with("add") || verb.starts_with("update");
    let set: Vec<Field> = given.iter().filter_map(|word| keywords::by_word(word.as_bytes())).map(|row| row.field).collect();
    // At the prompt there is no keys file, which a key chain needs.
    let is_usable = |usage| usage == Usage::Any || (changes && usage == Usage::Change);
    let fits = |row: &keywords::Keyword| is_usable(row.usage) && !set.contains(&row.field);
    keywords::words(vocabulary).filter(|word| keywords::by_word(word.as_bytes()).is_some_and(fits)).collect()
}

/// A part of the identity of an SA, whose values come from the SADB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdPart {
    Spi,
    Dst,
}

/// The part of the identity of an SA in the SADB that follows `words`, and the type of the SA. After `add` there is none: its SA is
/// new, only the paired SA is not.
fn completion_target(words: &[&str]) -> Option<(IdPart, SaType)> {
    let [verb, sa_type, .., last] = words else { return None };
    let part = match keywords::by_word(last.as_bytes())?.field {
        Field::PairSpi => IdPart::Spi,
        Field::Spi if *verb != "add" => IdPart::Spi,
        Field::Dst if *verb != "add" => IdPart::Dst,
        _ => return None,
    };
    sa_types::TABLE.iter().find(|row| row.word == *sa_type).map(|row| (part, row.number))
}

/// That part of each of `ids`. If `words` have an SPI, only the addresses of the SAs with this SPI.
fn parts(part: IdPart, words: &[&str], ids: &[SaId]) -> Vec<String> {
    let spi = words.iter().position(|word| *word == "spi").and_then(|at| words.get(at + 1));
    let found: BTreeSet<String> = match part {
        IdPart::Spi => ids.iter().map(|id| id.spi.to_string()).collect(),
        IdPart::Dst => {
            let of_spi = |id: &&SaId| spi.is_none_or(|spi| id.spi.to_string() == *spi);
            ids.iter().filter(of_spi).map(|id| id.dst.to_string()).collect()
        }
    };
    found.into_iter().collect()
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<String>), ReadlineError> {
        let typed = line.get(..pos).unwrap_or(line);
        let start = typed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let (before, word) = typed.split_at(start);
        let lines = [self.lines_before.as_str(), before];
        let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).filter(|word| *word != "\\").collect();
        let found = match completion_target(&words) {
            Some((part, sa_type)) => parts(part, &words, &self.ids(sa_type)),
            None => candidates(&words, self.vocabulary).into_iter().map(str::to_owned).collect(),
        };
        let matching = found.into_iter().filter(|candidate| candidate.starts_with(word));
        Ok((start, matching.map(|candidate| format!("{candidate} ")).collect()))
    }
}

impl Validator for Completion {}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::Spi;

    fn split(line: &str) -> Vec<&str> {
        line.split_whitespace().collect()
    }

    fn words(before: &str) -> Vec<&'static str> {
        candidates(&split(before), Vocabulary::Illumos)
    }

    #[test]
    fn candidates_follow_the_grammar() {
        assert!(words("").contains(&"delete-pair"));
        assert_eq!(words("add "), ["ah", "esp"]);
        assert_eq!(words("flush "), ["ah", "esp", "all"]);
        assert!(words("flush esp ").is_empty() && words("help add ").is_empty() && words("quit ").is_empty());
        assert!(words("add esp ").contains(&"encr_alg"));
        assert!(words("add esp encr_alg ").contains(&"aes-gcm16"));
        assert!(words("add esp spi ").is_empty());
        assert!(words("add esp encrkey ").is_empty());
        assert!(words("add esp inbound ").contains(&"spi"));
        assert!(words("add esp mode ").contains(&"spi"), "not a keyword of this SADB");
        let linux = |before| candidates(&split(before), Vocabulary::Linux);
        assert_eq!(linux("add esp mode "), ["transport", "tunnel", "beet"]);
        assert!(linux("add esp flag ").contains(&"esn") && linux("add esp esn ").contains(&"spi"));
    }

    #[test]
    fn candidates_have_each_keyword_once_and_where_it_is_used() {
        let left = words("add esp spi 0x1000 daddr 192.0.2.1 ");
        assert!(!left.contains(&"spi") && !left.contains(&"dst") && left.contains(&"src"), "{left:?}");
        let left = words("get esp ");
        assert!(left.contains(&"spi") && !left.contains(&"encrkey"), "{left:?}");
    }

    #[test]
    fn completion_target_is_a_part_of_the_identity() {
        let of = |line| completion_target(&split(line));
        assert_eq!(of("get esp spi "), Some((IdPart::Spi, SaType::ESP)));
        assert_eq!(of("add ah spi 0x1000 pair-spi "), Some((IdPart::Spi, SaType::AH)));
        assert_eq!(of("delete esp daddr "), Some((IdPart::Dst, SaType::ESP)));
        assert_eq!(of("add esp spi "), None, "the SA is new");
        assert_eq!(of("get esp src "), None);
        let id = |spi, dst: &str| SaId { sa_type: SaType::ESP, spi: Spi(spi), dst: dst.parse().unwrap(), mark: None };
        let ids = [id(0x1000, "192.0.2.2"), id(0x1000, "192.0.2.1"), id(0x1001, "192.0.2.3")];
        assert_eq!(parts(IdPart::Spi, &split("get esp spi"), &ids), ["0x1000", "0x1001"]);
        assert_eq!(parts(IdPart::Dst, &split("get esp spi 0x1000 dst"), &ids), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(parts(IdPart::Dst, &split("get esp dst"), &ids).len(), 3);
    }
}
