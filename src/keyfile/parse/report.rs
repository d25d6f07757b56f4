//! The diagnostics of a command while it is parsed.

use super::Parser;
use crate::keyfile::diagnostics::{Code, Diagnostic, Severity, Span, citation};
use crate::keyfile::lexer::{QuoteFlaw, QuoteFlawKind, Word, WordSource};
use crate::names::keywords;
use crate::names::keywords::Keyword;

/// Most diagnostics of one command. To cite a word, each of them walks over the command from its start, so that a damaged file
/// of one long line would otherwise take quadratic time.
pub(super) const MAX_DIAGNOSTICS: usize = 50;

impl<'t, W: WordSource<'t> + Clone> Parser<'_, 't, W> {
    /// Whether further problems are dropped.
    fn is_full(&self) -> bool {
        self.diagnostics.len() >= MAX_DIAGNOSTICS
    }

    pub(crate) fn missing_sa_type(&mut self, verb: &str, expected: &str) {
        let message = format!("Unexpected end of command line: {verb} requires an SA type");
        self.report(Severity::Error, Code::UnexpectedEnd, None, message, Some(expected), None);
    }

    /// Reports the second use of a keyword, with the location of the first one.
    pub(crate) fn duplicate(&mut self, row: &'static Keyword, word: Word<'t>) {
        self.failed = true;
        // The walk to the first keyword is not needed for a diagnostic that is dropped.
        if self.is_full() {
            return;
        }
        let mut words = self.from_start.clone();
        let is_same = |word: &Word<'t>| keywords::by_word(word.bytes).is_some_and(|known| known.field == row.field);
        let first = std::iter::from_fn(|| words.next_word()).find(is_same);
        let related = first.map(|first| (self.span(first), "first given here".to_owned()));
        self.error(Code::DuplicateKeyword, word, format!("Can only specify single {}", row.title));
        if let Some(last) = self.diagnostics.last_mut() {
            last.related = related;
        }
    }

    pub(super) fn quote_flaw(&mut self, flaw: QuoteFlaw) {
        let (severity, message, help) = match flaw.kind {
            QuoteFlawKind::TextAfterQuote => {
                (Severity::Warning, "Text after a closing quote is ignored", Some("insert a blank after the quote"))
            }
            QuoteFlawKind::Empty => (Severity::Error, "Empty quotes", None),
            QuoteFlawKind::LoneQuote => (Severity::Warning, "A quote at the end of a command is ignored", None),
            QuoteFlawKind::Unclosed => (Severity::Error, "Missing closing quote", Some("add a quote on the same line")),
            QuoteFlawKind::SpansLines => {
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

    /// `word` in quotes, masked if it may be a key. Empty once the diagnostics are full: the message is dropped anyway.
    pub(crate) fn quoted(&self, word: Word<'t>) -> String {
        if self.is_full() { String::new() } else { citation::quoted(self.from_start.clone(), word) }
    }

    pub(crate) fn error(&mut self, code: Code, word: Word<'t>, message: String) {
        self.report(Severity::Error, code, Some(word), message, None, None);
    }

    pub(crate) fn warning(&mut self, code: Code, word: Word<'t>, message: String) {
        self.report(Severity::Warning, code, Some(word), message, None, None);
    }

    /// Adds a diagnostic at `word`, or after the last word that was read.
    pub(crate) fn report(
        &mut self,
        severity: Severity,
        code: Code,
        word: Option<Word<'t>>,
        message: String,
        expected: Option<&str>,
        help: Option<String>,
    ) {
        // A blank marks the position after the last word, where the value is missing.
        let at = word.unwrap_or(Word { bytes: b" ", offset: self.end });
        // An error that is not kept still makes the command unusable.
        self.failed |= severity == Severity::Error;
        if self.is_full() {
            return;
        }
        let diagnostic = Diagnostic::new(severity, code, self.location, message).at(self.span(at));
        self.diagnostics.push(Diagnostic { expected: expected.map(str::to_owned), help, ..diagnostic });
    }

    /// Reports that `keyword` has no value.
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
