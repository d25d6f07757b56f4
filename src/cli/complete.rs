//! What Tab offers at the prompt: the words of the language, by what stands before the cursor, and the SAs there are.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::commands::COMMAND_WORDS;
use super::session::Session;
use crate::names::keywords::{self, Field, Usage, Value};
use crate::names::{Vocabulary, linux, sa_types};
use crate::sa::{SaId, SaType};
use crate::sadb::{Sadb, SadbTarget};

/// Completion of a line.
pub(super) struct Words {
    vocabulary: Vocabulary,
    /// Where the SAs are; `None` if asking would be seen (`-v`).
    select: Option<SadbTarget>,
    sadb: RefCell<Option<Box<dyn Sadb>>>,
}

impl Words {
    pub(super) fn new(session: &Session<'_>) -> Self {
        Self { vocabulary: session.vocabulary(), select: session.asks_unseen(), sadb: RefCell::default() }
    }

    /// Takes the SADB of `session` for the time of a line, if that has one already.
    pub(super) fn borrow_sadb(&mut self, session: &mut Session<'_>) {
        if self.select.is_some() {
            self.sadb.replace(session.lend());
        }
    }

    /// Gives it back, or the one that completion has opened.
    pub(super) fn give_back_sadb(&mut self, session: &mut Session<'_>) {
        if let Some(sadb) = self.sadb.take() {
            session.take_back(sadb);
        }
    }

    /// The SAs of a type; none if the SADB does not say, which the next command will tell.
    fn ids(&self, sa_type: SaType) -> Vec<SaId> {
        let mut held = self.sadb.borrow_mut();
        if held.is_none() {
            *held = self.select.as_ref().and_then(|select| select.open().ok());
        }
        let mut found = Vec::new();
        if let Some(sadb) = held.as_mut() {
            // What was listed before it failed is there all the same.
            let _ = sadb.dump(sa_type, &mut |sa| {
                found.extend(sa.id());
                ControlFlow::Continue(())
            });
        }
        found
    }
}

/// Words of the language that may stand where the cursor is, by what stands before it.
fn candidates(words: &[&str], vocabulary: Vocabulary) -> Vec<&'static str> {
    match words {
        [] => COMMAND_WORDS.to_vec(),
        ["help" | "?"] => COMMAND_WORDS.iter().copied().chain(["attr"]).collect(),
        ["flush" | "dump" | "save"] => vec!["ah", "esp", "all"],
        ["help" | "?" | "flush" | "dump" | "save" | "monitor" | "passive_monitor" | "pmonitor" | "quit" | "exit", ..] => {
            vec![]
        }
        [_] => vec!["ah", "esp"],
        [.., "auth_alg" | "authalg"] => vocabulary.auth_algs().flat_map(|row| row.names).copied().collect(),
        [.., "encr_alg" | "encralg"] => vocabulary.encr_algs().flat_map(|row| row.names).copied().collect(),
        [.., "state"] => vec!["larval", "mature", "dying", "dead"],
        [.., "encap"] => vec!["udp"],
        [.., "mode"] if takes_value("mode", vocabulary) => linux::MODES.iter().map(|row| row.1).collect(),
        [.., "flag"] if takes_value("flag", vocabulary) => linux::FLAGS.iter().map(|row| row.1).collect(),
        [.., "srcidtype" | "dstidtype"] => vec!["prefix", "fqdn", "domain", "user_fqdn", "mailbox"],
        [.., last] if takes_value(last, vocabulary) => vec![],
        [verb, _, given @ ..] => unused_keywords(verb, given, vocabulary),
    }
}

fn takes_value(word: &str, vocabulary: Vocabulary) -> bool {
    let row = keywords::by_word(word.as_bytes()).filter(|row| row.value != Value::Nothing);
    row.is_some() && keywords::words(vocabulary).any(|keyword| keyword == word)
}

/// The keywords that `verb` has a use for and that do not say again what `given` has said.
fn unused_keywords(verb: &str, given: &[&str], vocabulary: Vocabulary) -> Vec<&'static str> {
    let changes = verb.starts_with("add") || verb.starts_with("update");
    let said: Vec<Field> = given.iter().filter_map(|word| keywords::by_word(word.as_bytes())).map(|row| row.field).collect();
    let fits = |row: &keywords::Keyword| (changes || row.usage == Usage::Any) && !said.contains(&row.field);
    keywords::words(vocabulary).filter(|word| keywords::by_word(word.as_bytes()).is_some_and(fits)).collect()
}

/// What names an SA that is there already, and so is worth a question to the SADB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    Spi,
    Dst,
}

/// Which part of an SA's name is to be typed behind `words`, and of what type of SA.
fn naming(words: &[&str]) -> Option<(Naming, SaType)> {
    let [verb, sa_type, .., last] = words else { return None };
    let part = match keywords::by_word(last.as_bytes())?.field {
        Field::PairSpi => Naming::Spi,
        Field::Spi if *verb != "add" => Naming::Spi,
        Field::Dst if *verb != "add" => Naming::Dst,
        _ => return None,
    };
    sa_types::TABLE.iter().find(|row| row.word == *sa_type).map(|row| (part, row.number))
}

/// That part of each of `ids`; the addresses only of the SAs whose SPI stands in the line.
fn parts(part: Naming, words: &[&str], ids: &[SaId]) -> Vec<String> {
    let spi = words.iter().position(|word| *word == "spi").and_then(|at| words.get(at + 1));
    let found: BTreeSet<String> = match part {
        Naming::Spi => ids.iter().map(|id| id.spi.to_string()).collect(),
        Naming::Dst => {
            let of_spi = |id: &&SaId| spi.is_none_or(|spi| id.spi.to_string() == *spi);
            ids.iter().filter(of_spi).map(|id| id.dst.to_string()).collect()
        }
    };
    found.into_iter().collect()
}

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<String>), ReadlineError> {
        let typed = line.get(..pos).unwrap_or(line);
        let start = typed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let (before, word) = typed.split_at(start);
        let words: Vec<&str> = before.split_whitespace().filter(|word| *word != "\\").collect();
        let found = match naming(&words) {
            Some((part, sa_type)) => parts(part, &words, &self.ids(sa_type)),
            None => candidates(&words, self.vocabulary).into_iter().map(str::to_owned).collect(),
        };
        let matching = found.into_iter().filter(|candidate| candidate.starts_with(word));
        Ok((start, matching.map(|candidate| format!("{candidate} ")).collect()))
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult, ReadlineError> {
        Ok(match context.input().ends_with('\\') {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Helper for Words {}

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
    fn completion_follows_the_grammar() {
        assert!(words("").contains(&"delete-pair"));
        assert_eq!(words("add "), ["ah", "esp"]);
        assert_eq!(words("flush "), ["ah", "esp", "all"]);
        assert!(words("flush esp ").is_empty() && words("help add ").is_empty() && words("quit ").is_empty());
        assert!(words("add esp ").contains(&"encr_alg"));
        assert!(words("add esp encr_alg ").contains(&"aes-gcm16"));
        assert!(words("add esp spi ").is_empty());
        assert!(words("add esp encrkey ").is_empty());
        assert!(words("add esp inbound ").contains(&"spi"));
        assert!(words("add esp mode ").contains(&"spi"), "no keyword of this SADB");
        let linux = |before| candidates(&split(before), Vocabulary::Linux);
        assert_eq!(linux("add esp mode "), ["transport", "tunnel", "beet"]);
        assert!(linux("add esp flag ").contains(&"esn") && linux("add esp esn ").contains(&"spi"));
    }

    #[test]
    fn a_keyword_is_offered_where_it_is_of_use() {
        let left = words("add esp spi 0x1000 daddr 192.0.2.1 ");
        assert!(!left.contains(&"spi") && !left.contains(&"dst") && left.contains(&"src"), "{left:?}");
        let left = words("get esp ");
        assert!(left.contains(&"spi") && !left.contains(&"encrkey"), "{left:?}");
    }

    #[test]
    fn what_names_an_sa_comes_from_the_sadb() {
        let of = |line| naming(&split(line));
        assert_eq!(of("get esp spi "), Some((Naming::Spi, SaType::ESP)));
        assert_eq!(of("add ah spi 0x1000 pair-spi "), Some((Naming::Spi, SaType::AH)));
        assert_eq!(of("delete esp daddr "), Some((Naming::Dst, SaType::ESP)));
        assert_eq!(of("add esp spi "), None, "a new one is wanted");
        assert_eq!(of("get esp src "), None);
        let id = |spi, dst: &str| SaId { sa_type: SaType::ESP, spi: Spi(spi), dst: dst.parse().unwrap(), mark: None };
        let ids = [id(0x1000, "192.0.2.2"), id(0x1000, "192.0.2.1"), id(0x1001, "192.0.2.3")];
        assert_eq!(parts(Naming::Spi, &split("get esp spi"), &ids), ["0x1000", "0x1001"]);
        assert_eq!(parts(Naming::Dst, &split("get esp spi 0x1000 dst"), &ids), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(parts(Naming::Dst, &split("get esp dst"), &ids).len(), 3);
    }
}
