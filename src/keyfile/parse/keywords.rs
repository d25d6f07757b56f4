//! The keywords of a command about an SA: which are allowed, and how often.

use crate::keyfile::command::SaCommand;
use crate::keyfile::diagnostics::{Code, Severity};
use crate::keyfile::lexer::{Word, WordSource};
use crate::keyfile::parse::Parser;
use crate::keyfile::parse::draft::CommandDraft;
use crate::names::Vocabulary;
use crate::names::keywords;
use crate::names::keywords::{Keyword, Usage, Value};
use crate::names::verbs::{Setting, Verb};
use crate::redact;
use crate::sa::SaType;

impl<'t, W: WordSource<'t> + Clone> Parser<'_, 't, W> {
    /// Parses a command about an SA after its verb.
    pub(crate) fn sa_command(&mut self, verb: Verb, word: Word<'t>) -> Option<SaCommand> {
        let sa_type = self.single_sa_type(verb);
        let mut draft = CommandDraft::new(verb, word);
        draft.request.sa_type = sa_type.unwrap_or_default();
        self.keywords(&mut draft);
        self.finish(draft)
    }

    /// Parses the SA type, which must not be `all`.
    fn single_sa_type(&mut self, verb: Verb) -> Option<SaType> {
        let Some(word) = self.peek() else {
            self.missing_sa_type(verb.word(), "ah or esp");
            return None;
        };
        // The type was forgotten. The keyword is parsed as one, so that the errors after it are found too.
        if keywords::by_word(word.bytes).is_some() {
            let message = format!("Unknown SA type {}", self.quoted(word));
            self.report(Severity::Error, Code::UnknownSaType, Some(word), message, Some("ah or esp"), None);
            return None;
        }
        self.next();
        let sa_type = self.sa_type(word)?;
        if sa_type == SaType::UNSPEC {
            let message = format!("{} requires a single SA type, found {}", verb.word(), self.quoted(word));
            self.report(Severity::Error, Code::UnknownSaType, Some(word), message, Some("ah or esp"), None);
            return None;
        }
        Some(sa_type)
    }

    fn keywords(&mut self, draft: &mut CommandDraft<'t>) {
        while let Some(word) = self.next() {
            match keywords::by_word(word.bytes) {
                Some(row) => self.keyword(row, word, draft),
                None => self.unknown_keyword(word),
            }
        }
    }

    fn keyword(&mut self, row: &'static Keyword, word: Word<'t>, draft: &mut CommandDraft<'t>) {
        let allowed = match row.usage {
            Usage::Any => true,
            Usage::Change => draft.verb.changes(),
            Usage::AddInFile => draft.verb == Verb::Add,
            Usage::Reserved => false,
        };
        if !allowed {
            let message = format!("Don't use extension {} for {}", row.word, draft.verb.word());
            self.error(Code::NotAllowedForCommand, word, message);
            self.skip_values(row);
            return;
        }
        if row.usage == Usage::AddInFile && self.options.setting != Setting::File {
            let message = format!("{} is for keys files: their SAs change at set times (docs/key-chains.md)", row.word);
            self.error(Code::NotAllowedForCommand, word, message);
            self.skip_values(row);
            return;
        }
        if row.only_linux && self.options.vocabulary != Vocabulary::Linux {
            let message = format!("{} is for Linux XFRM; this SADB does not support it", row.word);
            self.error(Code::UnsupportedBySadb, word, message);
            self.skip_values(row);
            return;
        }
        // Recorded even if the value is invalid, so that it is not reported as missing.
        if draft.record(row.field) {
            self.duplicate(row, word);
            self.skip_values(row);
            return;
        }
        self.value(row, word, draft);
    }

    /// Skips the values of a rejected keyword.
    fn skip_values(&mut self, row: &Keyword) {
        let count = match row.value {
            Value::Nothing => 0,
            Value::Identity => 2,
            _ => 1,
        };
        for _ in 0..count {
            self.next_value();
        }
    }

    fn unknown_keyword(&mut self, word: Word<'t>) {
        let message = format!("Unknown extension field {}", self.quoted(word));
        // A comment after a command and a blank after a backslash are common in files written by hand.
        let help = if word.bytes.starts_with(b"#") {
            Some("# starts a comment only at the beginning of a command".to_owned())
        } else if word.bytes == b"\\" {
            Some("a backslash continues a line only as its last byte; here a blank or carriage return follows".to_owned())
        } else {
            redact::did_you_mean(word.bytes, keywords::TABLE.iter().map(|row| row.word))
        };
        self.report(Severity::Error, Code::UnknownKeyword, Some(word), message, Some("a keyword"), help);
        // What follows is probably its value. Reported as unknown keywords, it would hide the cause.
        while self.next_value().is_some() {}
    }
}
