//! The loop over commands: a source gives text block by block; each command in it is checked and goes to a handler.

use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::expected_refusals::ExpectedRefusals;
use super::output::Output;
use super::report::Excerpt;
use super::session::Session;
use crate::keyfile::{self, Checker, Code, Diagnostic, DuplicateTupleCounter, Options, ParsedCommand, Resolver, Setting};
use crate::names::Vocabulary;
use crate::sys::fs::keys_file::FileError;

/// The source cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("standard input: {0}")]
    StandardInput(#[from] io::Error),
}

/// Gives whole commands, some at a time.
pub(super) trait CommandSource {
    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// [`InputError`]
    fn next_block(&mut self) -> Result<Option<Excerpt<'_>>, InputError>;

    /// All commands of the last block have been handled.
    fn block_done(&mut self, _outcome: Outcome) {}
}

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// The reason has been printed.
    Failed,
    /// Queued, to be sent to the SADB together with others.
    Queued,
    /// The command was `quit`.
    Quit,
}

impl From<bool> for Outcome {
    fn from(done: bool) -> Self {
        if done { Self::Done } else { Self::Failed }
    }
}

/// Receives the commands of a source.
pub(super) trait Handler {
    /// `Break` ends the loop.
    fn command(&mut self, item: ParsedCommand, text: Excerpt<'_>) -> ControlFlow<()>;

    /// The text of the block is about to be overwritten: whatever refers to it must be finished. `rest` are warnings about the
    /// text after the last command. Returns the outcome of the block's last command.
    fn end_block(&mut self, rest: &[Diagnostic], text: Excerpt<'_>) -> Outcome;

    /// The last command has been handled. `lints` has what is to be said about the text as a whole.
    fn end_file(&mut self, _lints: &mut Lints) {}
}

/// Warnings about commands that are well-formed, and errors about those that the SADB will refuse.
#[derive(Default)]
pub(super) struct Lints {
    checker: Option<Checker>,
    tuple_counter: Option<DuplicateTupleCounter>,
    refusals: Option<ExpectedRefusals>,
}

impl Lints {
    /// All warnings about one command.
    pub(super) fn all(session: &Session<'_>) -> Self {
        let checker = Checker::new(session.vocabulary()).with_skew(session.skew());
        Self { checker: Some(checker), ..Self::default() }
    }

    /// The warnings about the text as a whole, after its last command.
    pub(super) fn finish(&mut self) -> Vec<Diagnostic> {
        self.checker.as_mut().map(Checker::finish).unwrap_or_default()
    }

    /// First lines of the SAs of key chains that are accepted or sent with at `time`, in seconds since 1970.
    pub(super) fn chain_lines_at(&self, time: u64) -> Vec<u32> {
        self.checker.as_ref().map(|checker| checker.chain_lines_at(time)).unwrap_or_default()
    }

    /// When the first key chain of the text ends, in seconds since 1970.
    pub(super) fn chain_end(&self) -> Option<u64> {
        self.checker.as_ref()?.chain_end()
    }

    /// Those that are errors under `--deny-weak`; without that option none, as the SADB decides.
    pub(super) fn denied(session: &Session<'_>) -> Self {
        if session.denies_weak_keys() { Self::all(session) } else { Self::default() }
    }

    /// Also warns about too many SAs of the same addresses, which Linux keeps in one list.
    pub(super) fn and_many_sas_per_tuple(self, session: &Session<'_>) -> Self {
        Self { tuple_counter: (session.vocabulary() == Vocabulary::Linux).then(DuplicateTupleCounter::default), ..self }
    }

    /// Also rejects the commands that the SADB will refuse.
    pub(super) fn and_refusals(self, session: &Session<'_>) -> Self {
        Self { refusals: Some(ExpectedRefusals::new(session.target())), ..self }
    }

    fn check(&mut self, item: &mut ParsedCommand, text: &[u8]) {
        if let Some(checker) = &mut self.checker {
            // After those of the parser: a warning about a command makes sense only if the command is understood.
            item.diagnostics.append(&mut checker.check(item, text));
        }
        if let Some(tuple_counter) = &mut self.tuple_counter {
            item.diagnostics.extend(tuple_counter.check(item));
        }
        // Last: an error drops the command, which the others look at.
        if let Some(refusals) = &mut self.refusals {
            refusals.check(item);
        }
    }

    /// At the prompt an earlier line says nothing about the SAs that are there now.
    fn begin_block(&mut self, setting: Setting, vocabulary: Vocabulary) {
        if setting == Setting::Prompt && self.checker.is_some() {
            self.checker = Some(Checker::new(vocabulary));
        }
    }
}

pub(super) struct CommandLoop {
    vocabulary: Vocabulary,
    numeric: bool,
    resolver: Rc<dyn Resolver>,
    output: Output,
    lints: Lints,
    /// Whether the warning about anti-replay has been given.
    has_warned_of_replay: bool,
    commands: usize,
    /// Bytes of the blocks that are finished.
    finished_len: u64,
}

impl CommandLoop {
    pub(super) fn new(session: &Session<'_>, lints: Lints) -> Self {
        let resolver = session.resolver();
        let Options { vocabulary, numeric, .. } = session.options(Setting::File, &*resolver);
        let output = session.output.clone();
        Self { vocabulary, numeric, resolver, output, lints, has_warned_of_replay: false, commands: 0, finished_len: 0 }
    }

    /// Gives the commands of `source` to `handler`, until the end or until the handler breaks.
    ///
    /// # Errors
    /// [`InputError`]; the handler has had the commands before it.
    pub(super) fn run(mut self, source: &mut dyn CommandSource, handler: &mut dyn Handler) -> Result<(), InputError> {
        while let Some(text) = source.next_block()? {
            // After `quit` the rest is not even read: it may be no commands at all.
            let ControlFlow::Continue(outcome) = self.block(text, handler) else { break };
            source.block_done(outcome);
        }
        handler.end_file(&mut self.lints);
        Ok(())
    }

    fn block(&mut self, text: Excerpt<'_>, handler: &mut dyn Handler) -> ControlFlow<(), Outcome> {
        self.lints.begin_block(text.setting, self.vocabulary);
        // The parser borrows the resolver while `self` is changed.
        let resolver = Rc::clone(&self.resolver);
        let (vocabulary, numeric, setting) = (self.vocabulary, self.numeric, text.setting);
        let options = Options { vocabulary, numeric, setting, resolver: &*resolver };
        let mut commands = keyfile::commands(text.text, &options).starting_at_line(text.first_line);
        for mut item in commands.by_ref() {
            // Counted also if the command has an error, because progress is about the text.
            self.commands += 1;
            self.output.progress().step(self.commands, self.finished_len + item.location.start as u64);
            self.lints.check(&mut item, text.text);
            self.drop_repeated(&mut item, setting);
            handler.command(item, text)?;
        }
        // `location.start` counts from the start of the block.
        self.finished_len += text.text.len() as u64;
        ControlFlow::Continue(handler.end_block(&commands.take_trailing_warnings(), text))
    }
    /// Drops the warning about anti-replay after the first one of a file: it is about all SAs with a window alike.
    fn drop_repeated(&mut self, item: &mut ParsedCommand, setting: Setting) {
        if setting == Setting::Prompt {
            return;
        }
        item.diagnostics.retain(|diagnostic| {
            let is_repeated = self.has_warned_of_replay && diagnostic.code == Code::ReplayWithManualKey;
            self.has_warned_of_replay |= diagnostic.code == Code::ReplayWithManualKey;
            !is_repeated
        });
    }
}
