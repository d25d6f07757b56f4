//! Words to a command.
//!
//! ```text
//! command   = verb [sa-type] { extension }          add, update, update-pair, delete, delete-pair, get
//!           | ("flush" | "dump") [sa-type]
//!           | "save" sa-type [file]
//!           | "monitor" | "passive_monitor" | "help" [topic] | "quit"
//! extension = keyword { value }                     names::keywords says which and how many
//! ```
//!
//! A problem does not end the reading: the rest of the command is read too, so that one run reports all problems.

pub(crate) mod address;
pub(crate) mod complete;
pub(crate) mod draft;
pub(crate) mod extensions;
pub(crate) mod key;
pub(crate) mod linux;
pub(crate) mod number;
pub(crate) mod resolve;
pub(crate) mod targets;
pub(crate) mod values;
pub(crate) mod verb;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::keyfile::command::Command;
use crate::keyfile::diagnostics::{Code, Diagnostic, Severity, Span};
use crate::keyfile::diagnostics::{citation, suggest};
use crate::keyfile::lexer::{Flaw, FlawKind, Word, Words};
use crate::keyfile::parse::verb::Action;
use crate::keyfile::source::Location;
use crate::keyfile::{Options, ParsedCommand, Rejected, Setting};
use crate::names::keywords;
use crate::names::keywords::Row;
use crate::sa::SaType;

/// Problems reported of one command. Each costs a walk over the command, and nobody reads more.
const MOST_DIAGNOSTICS: usize = 50;

/// Reads one command.
pub(crate) struct Parser<'o, 't, W> {
    pub(crate) options: &'o Options<'o>,
    /// The whole text, for line numbers; empty for shell arguments.
    text: &'t [u8],
    location: Location,
    words: W,
    /// The words from the start, to see a word in its context when a message quotes it.
    origin: W,
    ahead: Option<Word<'t>>,
    /// The end of the last word taken.
    end: usize,
    failed: bool,
    /// Whether a name was looked up, or would have been.
    pub(crate) has_names: bool,
    diagnostics: Vec<Diagnostic>,
}

/// What became of a logical line.
pub(crate) struct Reading {
    /// Whether there was anything to read.
    pub(crate) is_command: bool,
    pub(crate) item: ParsedCommand,
}

impl<'o, 't, W: Words<'t> + Clone> Parser<'o, 't, W> {
    pub(crate) fn new(options: &'o Options<'o>, text: &'t [u8], location: Location, words: W) -> Self {
        let origin = words.clone();
        let diagnostics = Vec::new();
        Self {
            options,
            text,
            location,
            words,
            origin,
            ahead: None,
            end: location.start,
            failed: false,
            has_names: false,
            diagnostics,
        }
    }

    /// Reads the command to its end.
    pub(crate) fn run(mut self) -> Reading {
        let word = self.next();
        let command = word.and_then(|word| self.command(word));
        while self.next().is_some() {}
        for flaw in self.words.take_flaws() {
            self.flaw(flaw);
        }
        self.diagnostics.sort_by_key(|diagnostic| (diagnostic.span.line, diagnostic.span.column));
        let outcome = command.filter(|_| !self.failed).ok_or(Rejected);
        let item =
            ParsedCommand { location: self.location, outcome, diagnostics: self.diagnostics, has_names: self.has_names };
        Reading { is_command: word.is_some() || self.failed, item }
    }

    /// Whether no more problems are reported.
    pub(crate) fn is_full(&self) -> bool {
        self.diagnostics.len() >= MOST_DIAGNOSTICS
    }

    /// Whether an error was found so far.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn next(&mut self) -> Option<Word<'t>> {
        let word = self.ahead.take().or_else(|| self.words.next_word())?;
        self.end = word.offset + word.bytes.len();
        Some(word)
    }

    pub(crate) fn peek(&mut self) -> Option<Word<'t>> {
        if self.ahead.is_none() {
            self.ahead = self.words.next_word();
        }
        self.ahead
    }

    /// The next word, unless it is a keyword: then a value was forgotten, and the keyword is read as one.
    pub(crate) fn next_value(&mut self) -> Option<Word<'t>> {
        self.peek().filter(|word| keywords::by_word(word.bytes).is_none())?;
        self.next()
    }

    fn command(&mut self, word: Word<'t>) -> Option<Command> {
        let Some(action) = verb::by_word(word.bytes) else {
            self.unknown_command(word);
            return None;
        };
        if let Some(why) = self.unfit(action) {
            let message = format!("{} cannot be used {why}", self.quoted(word));
            self.error(Code::NotAllowedHere, word, message);
            while self.next().is_some() {}
            return None;
        }
        match action {
            Action::Sa(verb) => self.sa_command(verb, word).map(Command::Sa),
            Action::Flush => self.only_sa_type(word).map(Command::Flush),
            Action::Dump => self.only_sa_type(word).map(Command::Dump),
            Action::Save => self.save(word),
            Action::Monitor => self.finished(word, Command::Monitor),
            Action::PassiveMonitor => self.finished(word, Command::PassiveMonitor),
            Action::Help => Some(self.help()),
            Action::Quit => self.finished(word, Command::Quit),
        }
    }

    /// Why a command cannot be used here, if so.
    fn unfit(&self, action: Action) -> Option<&'static str> {
        match (self.options.setting, action) {
            (Setting::Shell, Action::Sa(verb)) if verb.changes() => {
                Some("from the shell, where ps(1) would show its keys; use the prompt or -f")
            }
            (Setting::File, Action::Dump | Action::Save | Action::Monitor | Action::PassiveMonitor | Action::Help) => {
                Some("in a file")
            }
            _ => None,
        }
    }

    fn unknown_command(&mut self, word: Word<'t>) {
        let message = format!("Unknown command {}", self.quoted(word));
        let words = || verb::TABLE.iter().map(|row| row.word);
        let help = if word.bytes.starts_with(b"\xef\xbb\xbf") {
            "the file begins with a byte order mark; save it without one".to_owned()
        } else if word.bytes.contains(&0) {
            "the file contains NUL bytes, as UTF-16 text does; save it as UTF-8".to_owned()
        } else if keywords::by_word(word.bytes).is_some() {
            "this is a keyword: the backslash of the previous line may be missing, or a blank follows it".to_owned()
        } else if let Some(known) = self.suggestion(word, words()) {
            format!("did you mean \"{known}\"?")
        } else {
            match self.options.setting {
                Setting::File => "a command continues on the next line only if a backslash is the last byte of the line",
                Setting::Prompt => "`help` lists the commands",
                Setting::Shell => "`ipseckey --help` lists the commands and tools",
            }
            .to_owned()
        };
        let expected = match self.options.setting {
            Setting::File => "add, update, update-pair, delete, delete-pair, get or flush",
            Setting::Prompt => {
                "add, update, update-pair, delete, delete-pair, get, flush, dump, save, monitor, help or quit"
            }
            Setting::Shell => "delete, delete-pair, get, flush, dump, save, monitor, help or a tool",
        };
        self.report(Severity::Error, Code::UnknownCommand, Some(word), message, Some(expected), Some(help));
        while self.next().is_some() {}
    }

    /// The nearest known word, if the word itself may be shown.
    pub(crate) fn suggestion(&self, word: Word<'t>, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
        if self.is_shown(word) { suggest::nearest(word.bytes, known) } else { None }
    }

    /// `flush` and `dump`: an SA type or nothing.
    fn only_sa_type(&mut self, verb: Word<'t>) -> Option<SaType> {
        let sa_type = match self.next() {
            Some(word) => self.sa_type(word),
            None => Some(SaType::UNSPEC),
        };
        self.finished(verb, sa_type?)
    }

    fn save(&mut self, verb: Word<'t>) -> Option<Command> {
        let Some(word) = self.next() else {
            self.missing_sa_type("save", "all, ah or esp");
            return None;
        };
        let sa_type = self.sa_type(word);
        let file = self.next().map(|word| Path::new(OsStr::from_bytes(word.bytes)).to_owned());
        self.finished(verb, Command::Save(sa_type?, file))
    }

    /// Words behind the topic are not looked at.
    fn help(&mut self) -> Command {
        let topic = self.next().map(|word| String::from_utf8_lossy(word.bytes).into_owned());
        while self.next().is_some() {}
        Command::Help(topic)
    }

    /// Gives `value` if no more words follow.
    fn finished<T>(&mut self, verb: Word<'t>, value: T) -> Option<T> {
        let Some(extra) = self.next() else { return Some(value) };
        let message = format!("Too many arguments for {}: {}", self.quoted(verb), self.quoted(extra));
        self.error(Code::TooManyArguments, extra, message);
        while self.next().is_some() {}
        None
    }

    /// Reads an SA type: a word in any case, or a number up to 255.
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
        let help =
            self.suggestion(word, WORDS.iter().map(|(name, _)| *name)).map(|known| format!("did you mean \"{known}\"?"));
        self.report(Severity::Error, Code::UnknownSaType, Some(word), message, Some("ah or esp"), help);
        None
    }

    pub(crate) fn missing_sa_type(&mut self, verb: &str, expected: &str) {
        let message = format!("Unexpected end of command line: {verb} requires an SA type");
        self.report(Severity::Error, Code::UnexpectedEnd, None, message, Some(expected), None);
    }

    /// Reports a second use of a keyword, and where first given here is.
    pub(crate) fn duplicate(&mut self, row: &'static Row, word: Word<'t>) {
        self.failed = true;
        if self.is_full() {
            return;
        }
        let mut words = self.origin.clone();
        let mut first = None;
        while let Some(known) = words.next_word() {
            if keywords::by_word(known.bytes).is_some_and(|known| known.field == row.field) {
                first = Some(known);
                break;
            }
        }
        let related = first.map(|first| (self.span(first), "first given here".to_owned()));
        self.error(Code::DuplicateKeyword, word, format!("Can only specify single {}", row.title));
        if let Some(last) = self.diagnostics.last_mut() {
            last.related = related;
        }
    }

    fn flaw(&mut self, flaw: Flaw) {
        let (severity, message, help) = match flaw.kind {
            FlawKind::Glued => {
                (Severity::Warning, "Text after a closing quote is ignored", Some("insert a blank after the quote"))
            }
            FlawKind::Empty => (Severity::Error, "Empty quotes", None),
            FlawKind::Lone => (Severity::Warning, "A quote at the end of a command is ignored", None),
            FlawKind::Unclosed => (Severity::Error, "Missing closing quote", Some("add a quote on the same line")),
            FlawKind::Split => {
                (Severity::Error, "Quotes cannot extend over several lines", Some("close them on the same line"))
            }
        };
        self.failed |= severity == Severity::Error;
        if self.is_full() {
            return;
        }
        let span = Span::locate(self.text, self.location, flaw.offset, flaw.len);
        let diagnostic = Diagnostic::new(severity, Code::BadQuotes, self.location, message).at(span);
        self.diagnostics.push(Diagnostic { help: help.map(str::to_owned), ..diagnostic });
    }

    pub(crate) fn span(&self, word: Word<'t>) -> Span {
        Span::locate(self.text, self.location, word.offset, word.bytes.len())
    }

    /// A word in quotes, masked if it must not be shown.
    pub(crate) fn quoted(&self, word: Word<'t>) -> String {
        if self.is_full() { String::new() } else { citation::quoted(self.origin.clone(), word) }
    }

    fn is_shown(&self, word: Word<'t>) -> bool {
        !self.is_full() && citation::is_shown(self.origin.clone(), word)
    }

    pub(crate) fn error(&mut self, code: Code, word: Word<'t>, message: String) {
        self.report(Severity::Error, code, Some(word), message, None, None);
    }

    pub(crate) fn warning(&mut self, code: Code, word: Word<'t>, message: String) {
        self.report(Severity::Warning, code, Some(word), message, None, None);
    }

    /// Adds a diagnostic at `word`, or at the end of what was read.
    pub(crate) fn report(
        &mut self,
        severity: Severity,
        code: Code,
        word: Option<Word<'t>>,
        message: String,
        expected: Option<&str>,
        help: Option<String>,
    ) {
        let at = word.unwrap_or(Word { bytes: b" ", offset: self.end });
        self.failed |= severity == Severity::Error;
        if self.is_full() {
            return;
        }
        let diagnostic = Diagnostic::new(severity, code, self.location, message).at(self.span(at));
        self.diagnostics.push(Diagnostic { expected: expected.map(str::to_owned), help, ..diagnostic });
    }

    /// Reports that a value is missing behind `keyword`.
    pub(crate) fn missing_value(&mut self, keyword: &str, expected: &str) {
        if let Some(found) = self.peek() {
            let message = format!("{keyword} has no value: {} is a keyword", self.quoted(found));
            self.report(Severity::Error, Code::MissingArgument, Some(found), message, Some(expected), None);
        } else {
            let message = format!("Unexpected end of command line after {keyword}");
            self.report(Severity::Error, Code::UnexpectedEnd, None, message, Some(expected), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::testing::{KEYS, codes, items, said};
    use crate::sa::Spi;

    fn message(text: &str) -> String {
        said(text).remove(0).message
    }

    #[test]
    fn plain_commands() {
        let read = |text: &str| items(text, Setting::Prompt, true).remove(0).outcome.ok();
        assert!(matches!(read("flush"), Some(Command::Flush(SaType::UNSPEC))));
        assert!(matches!(read("flush AH"), Some(Command::Flush(SaType::AH))));
        assert!(matches!(read("dump 255"), Some(Command::Dump(SaType(255)))));
        assert!(matches!(read("save all"), Some(Command::Save(SaType::UNSPEC, None))));
        assert!(matches!(read("monitor"), Some(Command::Monitor)));
        assert!(matches!(read("pmonitor"), Some(Command::PassiveMonitor)));
        assert!(matches!(read("? add more"), Some(Command::Help(Some(topic))) if topic == "add"));
        assert!(matches!(read("exit"), Some(Command::Quit)));
        for bad in ["flush esp now", "quit now", "save esp a b", "save", "flush epp", "flush 256", "dump -1", "monitor all"]
        {
            assert!(read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn commands_have_their_settings() {
        for word in ["dump", "save all", "monitor", "passive_monitor", "help", "?"] {
            assert_eq!(codes(word), [Code::NotAllowedHere], "{word}");
        }
        for word in ["add", "update esp", "update-pair foo"] {
            let item = items(word, Setting::Shell, true).remove(0);
            assert!(item.outcome.is_err() && item.diagnostics[0].code == Code::NotAllowedHere, "{word}");
        }
        assert!(items("delete esp spi 1", Setting::Shell, true)[0].outcome.is_ok());
    }

    #[test]
    fn all_errors_of_a_command_are_reported_in_order() {
        let text = format!("add esp spi abc src 10.0.0.300 bogus 5 spi 6 state gone dst 10.0.0.2 {KEYS} hard_bytes\n");
        let found = said(&text);
        let codes: Vec<_> = found.iter().map(|diagnostic| diagnostic.code).collect();
        let expected = [
            Code::NotANumber,
            Code::UnknownAddress,
            Code::UnknownKeyword,
            Code::DuplicateKeyword,
            Code::UnknownState,
            Code::UnexpectedEnd,
        ];
        assert_eq!(codes, expected);
        assert!(found.is_sorted_by_key(|diagnostic| diagnostic.span.column));
    }

    #[test]
    fn a_forgotten_value_does_not_eat_the_next_keyword() {
        assert_eq!(codes(&format!("add esp spi dst 10.0.0.2 {KEYS}")), [Code::MissingArgument]);
        assert_eq!(codes("get spi 5 dst 10.0.0.2"), [Code::UnknownSaType]);
    }

    #[test]
    fn the_wording_of_the_man_page() {
        for (text, expected) in [
            ("add esp spi", "Unexpected end of command line after spi"),
            ("bogus esp", "Unknown command \"bogus\""),
            ("get esp spi 5 bogus", "Unknown extension field \"bogus\""),
            ("get esp spi 5 spi 6", "Can only specify single SPI value"),
            ("get esp spi 5 authalg md5", "Don't use extension authalg for get"),
            ("add esp spi 5 flags 1", "Don't use extension flags for add"),
            ("0123456789abcdef", "Unknown command \"XXXXXXXXXXXXXXXX\""),
        ] {
            let found = said(text);
            assert!(found.iter().any(|diagnostic| diagnostic.message == expected), "{text}: {found:?}");
        }
        assert_eq!(
            message("add esp authkey ab cd"),
            "Missing for this add: the SPI value, the destination address, at least one algorithm"
        );
    }

    #[test]
    fn help_for_typing_errors() {
        let help = |text: &str| said(text).remove(0).help.unwrap_or_default();
        assert_eq!(help("ad esp"), "did you mean \"add\"?");
        assert_eq!(help("get esp spy 5 spi 6"), "did you mean \"spi\"?");
        assert!(help("\u{feff}flush").contains("byte order mark"));
        assert!(help("f\0l\0u\0s\0h\0").contains("UTF-16"));
        assert!(help("src 10.0.0.1").contains("backslash"));
        assert!(help("get esp spi 5 # mine").contains("comment"));
        assert!(help("get esp spi 5 \\\r\n").contains("carriage return"));
    }

    #[test]
    fn a_command_full_of_errors_stays_readable() {
        let text = "get esp ".to_owned() + &"bogus \"\" spi 1 ".repeat(20_000);
        assert_eq!(codes(&text).len(), MOST_DIAGNOSTICS);
        assert!(items(&text, Setting::File, true)[0].outcome.is_err());
    }

    #[test]
    fn directions_may_be_repeated() {
        let item = items("get esp spi 5 inbound inbound outbound", Setting::File, true).remove(0);
        let Ok(Command::Sa(command)) = item.outcome else { panic!("{:?}", item.diagnostics) };
        assert_eq!((command.request.spi, command.request.flags.0), (Spi(5), 0xc000));
    }

    #[test]
    fn quotes_that_lose_text() {
        assert_eq!(codes(&format!("add esp spi 256 dst 10.0.0.2 {KEYS} srcidtype fqdn \"ab\"cd")), [Code::BadQuotes]);
        assert_eq!(codes("flush \"\""), [Code::BadQuotes]);
        assert!(items("flush \"\"", Setting::File, true)[0].outcome.is_err());
        assert!(items("\"", Setting::File, true).is_empty());
    }
}
