//! The `ipseckey> ` prompt on a terminal: editing, Tab completion, continuation lines; a history that never holds a key.

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Context, Editor, Helper};

use super::commands::COMMAND_WORDS;
use crate::names::keywords::{self, Value};
use crate::names::{Vocabulary, linux};
use crate::secret::Buffer;

const PROMPT: &str = "ipseckey> ";

/// A line editor on the terminal.
pub(super) struct Prompt {
    editor: Editor<Words, MemHistory>,
}

/// What the user did at the prompt.
pub(super) enum Typed {
    /// A command, continuation lines included, ending in a newline.
    Line(Buffer),
    /// Ctrl-C: this line is dropped.
    Interrupted,
    /// Ctrl-D.
    End,
}

impl Prompt {
    /// Takes over the terminal for editing.
    ///
    /// # Errors
    /// The terminal's.
    pub(super) fn new(vocabulary: Vocabulary) -> Result<Self, ReadlineError> {
        let config = Config::builder().auto_add_history(false).build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history)?;
        editor.set_helper(Some(Words { vocabulary }));
        Ok(Self { editor })
    }

    /// Reads one command.
    ///
    /// # Errors
    /// The terminal's.
    pub(super) fn read(&mut self) -> Result<Typed, ReadlineError> {
        match self.editor.readline(PROMPT) {
            Ok(line) => {
                let mut text = Buffer::with_capacity(line.len() + 1);
                // The capacity is exactly what is appended.
                text.append(line.as_bytes()).and_then(|()| text.append(b"\n")).map_err(std::io::Error::other)?;
                drop(zeroize::Zeroizing::new(line));
                Ok(Typed::Line(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Interrupted),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(error),
        }
    }

    /// Remembers `line` for the arrow keys. The caller has seen that it is a whole command without a key.
    pub(super) fn remember(&mut self, line: &[u8]) {
        if let Ok(line) = std::str::from_utf8(line) {
            // A history in memory that is full or refuses a line is no reason to stop.
            let _ = self.editor.add_history_entry(line.trim_end());
        }
    }
}

/// Completion by the words of the language.
struct Words {
    vocabulary: Vocabulary,
}

/// Words that may stand where the cursor is, by what stands before it.
fn candidates(before: &str, vocabulary: Vocabulary) -> Vec<&'static str> {
    let words: Vec<&str> = before.split_whitespace().collect();
    match words.as_slice() {
        [] => COMMAND_WORDS.to_vec(),
        ["help" | "?"] => COMMAND_WORDS.iter().copied().chain(["attr"]).collect(),
        ["flush" | "dump" | "save"] => vec!["ah", "esp", "all"],
        [_] => vec!["ah", "esp"],
        [.., "auth_alg" | "authalg"] => vocabulary.auth_algs().flat_map(|row| row.names).copied().collect(),
        [.., "encr_alg" | "encralg"] => vocabulary.encr_algs().flat_map(|row| row.names).copied().collect(),
        [.., "state"] => vec!["larval", "mature", "dying", "dead"],
        [.., "encap"] => vec!["udp"],
        [.., "mode"] if takes_value("mode", vocabulary) => linux::MODES.iter().map(|row| row.1).collect(),
        [.., "flag"] if takes_value("flag", vocabulary) => linux::FLAGS.iter().map(|row| row.1).collect(),
        [.., "srcidtype" | "dstidtype"] => vec!["prefix", "fqdn", "domain", "user_fqdn", "mailbox"],
        [.., last] if takes_value(last, vocabulary) => Vec::new(),
        _ => keywords::words(vocabulary).collect(),
    }
}

fn takes_value(word: &str, vocabulary: Vocabulary) -> bool {
    let row = keywords::by_word(word.as_bytes()).filter(|row| row.value != Value::Nothing);
    row.is_some() && keywords::words(vocabulary).any(|keyword| keyword == word)
}

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<String>), ReadlineError> {
        let typed = line.get(..pos).unwrap_or(line);
        let start = typed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let (before, word) = typed.split_at(start);
        let matching = candidates(before, self.vocabulary).into_iter().filter(|candidate| candidate.starts_with(word));
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

    fn words(before: &str) -> Vec<&'static str> {
        candidates(before, Vocabulary::Illumos)
    }

    #[test]
    fn completion_follows_the_grammar() {
        assert!(words("").contains(&"delete-pair"));
        assert_eq!(words("add "), ["ah", "esp"]);
        assert_eq!(words("flush "), ["ah", "esp", "all"]);
        assert!(words("add esp ").contains(&"encr_alg"));
        assert!(words("add esp encr_alg ").contains(&"aes-gcm16"));
        assert!(words("add esp spi ").is_empty());
        assert!(words("add esp encrkey ").is_empty());
        assert!(words("add esp inbound ").contains(&"spi"));
        assert!(words("add esp mode ").contains(&"spi"), "no keyword of this SADB");
        let linux = |before| candidates(before, Vocabulary::Linux);
        assert_eq!(linux("add esp mode "), ["transport", "tunnel", "beet"]);
        assert!(linux("add esp flag ").contains(&"esn") && linux("add esp esn ").contains(&"spi"));
    }
}
