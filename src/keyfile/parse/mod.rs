//! From words to a command.
//!
//! ```text
//! command   = verb [sa-type] { extension }          add, update, update-pair, delete, delete-pair, get
//!           | ("flush" | "dump") [sa-type]
//!           | "save" sa-type [file]
//!           | "monitor" | "passive_monitor" | "help" [topic] | "quit"
//! extension = keyword { value }                     see names::keywords
//! ```
//!
//! After a problem the rest of the command is parsed too, so that one run reports all problems.

pub(crate) mod addresses;
pub(crate) mod complete;
pub(crate) mod draft;
pub(crate) mod keys;
pub(crate) mod keywords;
pub(crate) mod linux;
mod report;
pub(crate) mod resolve;
pub(crate) mod targets;
#[cfg(test)]
mod tests;
pub(crate) mod values;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::keyfile::command::Command;
use crate::keyfile::diagnostics::{Code, Diagnostic, Severity};
use crate::keyfile::lexer::{Word, WordSource};
use crate::keyfile::literals::number;
use crate::keyfile::source::Location;
use crate::keyfile::{Options, ParsedCommand, Rejected, Setting};
use crate::names;
use crate::names::verbs::{self, Action};
use crate::redact;
use crate::sa::SaType;

/// Parses one command: the words of a logical line, or the arguments of a shell command.
pub(crate) struct Parser<'o, 't, W> {
    pub(crate) options: &'o Options<'o>,
    /// The whole text, for line numbers; empty for shell arguments.
    text: &'t [u8],
    location: Location,
    words: W,
    /// The words from the start of the command: whether a word may be cited depends on those before it.
    from_start: W,
    ahead: Option<Word<'t>>,
    /// Offset of the end of the last word that was read.
    end: usize,
    failed: bool,
    /// Whether the command has a host name.
    pub(crate) has_names: bool,
    diagnostics: Vec<Diagnostic>,
}

/// A parsed logical line.
pub(crate) struct ParsedLine {
    /// False for a line of empty quotes and the like, which is no command but may have warnings.
    pub(crate) is_command: bool,
    pub(crate) command: ParsedCommand,
}

impl<'o, 't, W: WordSource<'t> + Clone> Parser<'o, 't, W> {
    pub(crate) fn new(options: &'o Options<'o>, text: &'t [u8], location: Location, words: W) -> Self {
        let from_start = words.clone();
        let diagnostics = Vec::new();
        Self {
            options,
            text,
            location,
            words,
            from_start,
            ahead: None,
            end: location.start,
            failed: false,
            has_names: false,
            diagnostics,
        }
    }

    pub(crate) fn run(mut self) -> ParsedLine {
        let word = self.next();
        let command = word.and_then(|word| self.command(word));
        // The lexer finds problems with quotes as it goes, so it has to reach the end of the command.
        while self.next().is_some() {}
        for flaw in self.words.take_flaws() {
            self.quote_flaw(flaw);
        }
        // Conflicts and missing keywords are found at the end, but belong to the verb; quotes are reported last.
        self.diagnostics.sort_by_key(|diagnostic| (diagnostic.span.line, diagnostic.span.column));
        let outcome = command.filter(|_| !self.failed).ok_or(Rejected);
        let command =
            ParsedCommand { location: self.location, outcome, diagnostics: self.diagnostics, has_names: self.has_names };
        ParsedLine { is_command: word.is_some() || self.failed, command }
    }

    /// Whether an error was reported.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn next(&mut self) -> Option<Word<'t>> {
        let word = self.ahead.take().or_else(|| self.words.next_word())?;
        self.end = word.offset + word.bytes.len();
        Some(word)
    }

    pub(crate) fn peek(&mut self) -> Option<Word<'t>> {
        // The lexer cannot go back, so the word that was looked at is kept.
        if self.ahead.is_none() {
            self.ahead = self.words.next_word();
        }
        self.ahead
    }

    /// The next word, unless it is a keyword: then a value is missing, and the keyword is parsed as one.
    pub(crate) fn next_value(&mut self) -> Option<Word<'t>> {
        self.peek().filter(|word| names::keywords::by_word(word.bytes).is_none())?;
        self.next()
    }

    fn command(&mut self, word: Word<'t>) -> Option<Command> {
        let Some(row) = verbs::by_word(word.bytes) else {
            self.unknown_command(word);
            return None;
        };
        // Checked before the keywords are parsed, since errors in them would hide the cause.
        if !row.allowed.contains(&self.options.setting) {
            let why = match self.options.setting {
                Setting::Shell => "from the shell, where ps(1) would show its keys; use the prompt or -f",
                Setting::File => "in a file",
                Setting::Prompt => "at the prompt",
            };
            let message = format!("{} cannot be used {why}", self.quoted(word));
            self.error(Code::NotAllowedHere, word, message);
            while self.next().is_some() {}
            return None;
        }
        match row.action {
            Action::Sa(verb) => self.sa_command(verb, word).map(Command::Sa),
            Action::Flush => self.only_sa_type(word).map(Command::Flush),
            Action::Dump => self.only_sa_type(word).map(Command::Dump),
            Action::Show => self.show(word),
            Action::Save => self.save(word),
            Action::Monitor => self.at_end(word, Command::Monitor),
            Action::PassiveMonitor => self.at_end(word, Command::PassiveMonitor),
            Action::Help => Some(self.help()),
            Action::Quit => self.at_end(word, Command::Quit),
        }
    }

    fn unknown_command(&mut self, word: Word<'t>) {
        let message = format!("Unknown command {}", self.quoted(word));
        // The usual causes of an unknown first word come before a guess: an editor's byte order mark, UTF-16, and a lost backslash.
        let help = if word.bytes.starts_with(b"\xef\xbb\xbf") {
            "the file begins with a byte order mark; save it without one".to_owned()
        } else if word.bytes.contains(&0) {
            "the file contains NUL bytes, as UTF-16 text does; save it as UTF-8".to_owned()
        } else if names::keywords::by_word(word.bytes).is_some() {
            "this is a keyword: the backslash of the previous line may be missing, or a blank follows it".to_owned()
        } else if let Some(advice) = redact::did_you_mean(word.bytes, verbs::words()) {
            advice
        } else {
            match self.options.setting {
                Setting::File => "a command continues on the next line only if a backslash is the last byte of the line",
                Setting::Prompt => "`help` lists the commands",
                Setting::Shell => "`ipseckey --help` lists the commands and tools",
            }
            .to_owned()
        };
        let expected = verbs::expected(self.options.setting);
        self.report(Severity::Error, Code::UnknownCommand, Some(word), message, Some(&expected), Some(help));
        while self.next().is_some() {}
    }

    /// `flush` and `dump`: an SA type or nothing.
    fn only_sa_type(&mut self, verb: Word<'t>) -> Option<SaType> {
        let sa_type = match self.next() {
            Some(word) => self.sa_type(word),
            None => Some(SaType::UNSPEC),
        };
        self.at_end(verb, sa_type?)
    }

    fn save(&mut self, verb: Word<'t>) -> Option<Command> {
        let Some(word) = self.next() else {
            self.missing_sa_type("save", "all, ah or esp");
            return None;
        };
        let sa_type = self.sa_type(word);
        let file = self.next().map(|word| Path::new(OsStr::from_bytes(word.bytes)).to_owned());
        self.at_end(verb, Command::Save(sa_type?, file))
    }

    fn show(&mut self, verb: Word<'t>) -> Option<Command> {
        // An address is ASCII, so bytes that are not UTF-8 can be replaced.
        let peer = self.next().map(|word| String::from_utf8_lossy(word.bytes).into_owned());
        self.at_end(verb, Command::Show(peer))
    }

    /// Words after the topic are ignored.
    fn help(&mut self) -> Command {
        // A topic is only compared with names, so bytes that are not UTF-8 can be replaced.
        let topic = self.next().map(|word| String::from_utf8_lossy(word.bytes).into_owned());
        while self.next().is_some() {}
        Command::Help(topic)
    }

    /// Returns `value` if no more words follow.
    fn at_end<T>(&mut self, verb: Word<'t>, value: T) -> Option<T> {
        let Some(extra) = self.next() else { return Some(value) };
        let message = format!("Too many arguments for {}: {}", self.quoted(verb), self.quoted(extra));
        self.error(Code::TooManyArguments, extra, message);
        while self.next().is_some() {}
        None
    }

    /// Parses an SA type: a word in any case, or a number up to 255.
    pub(crate) fn sa_type(&mut self, word: Word<'t>) -> Option<SaType> {
        const WORDS: &[(&str, SaType)] = &[("all", SaType::UNSPEC), ("ah", SaType::AH), ("esp", SaType::ESP)];
        if let Some((_, sa_type)) = WORDS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word.bytes)) {
            return Some(*sa_type);
        }
        if let Some(number) = number::parse(word.bytes, u64::from(u8::MAX)).ok().and_then(|number| u8::try_from(number).ok())
        {
            return Some(SaType(number));
        }
        let message = format!("Unknown SA type {}", self.quoted(word));
        let help = redact::did_you_mean(word.bytes, WORDS.iter().map(|(name, _)| *name));
        self.report(Severity::Error, Code::UnknownSaType, Some(word), message, Some("ah or esp"), help);
        None
    }
}
