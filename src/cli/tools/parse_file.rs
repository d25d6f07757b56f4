//! Parses and checks the commands of a keys file, or of a text that is about to become one, and prints the diagnostics.

use std::ops::ControlFlow;
use std::path::Path;

use crate::cli::command_loop::{CommandLoop, CommandSource, Handler, InputError, Lints, Outcome};
use crate::cli::input_blocks::InputBlocks;
use crate::cli::report::Excerpt;
use crate::cli::session::Session;
use crate::keyfile::{self, Command, Diagnostic, ParsedCommand, SaCommand, Setting};
use crate::secret::Buffer;
use crate::sys::fs::keys_file::{self, FileError, FileOrigin};

/// The content of the file at `path`, a keys file or one of another program; why it is not private is a warning.
///
/// # Errors
/// The file cannot be read, or has a longer line than any program writes.
pub(super) fn read_whole(path: &Path, session: &Session<'_>) -> Result<Buffer, FileError> {
    let file = keys_file::read(path, FileOrigin::User)?;
    session.output.warn_of_findings(&file.findings);
    match keyfile::long_command(&file.contents, 1) {
        Some(line) => Err(FileError::LongCommand { path: path.to_owned(), line }),
        None => Ok(file.contents),
    }
}

/// The commands about SAs in `text`, which is called `name` in messages. `None` if a command has an error.
pub(super) fn parse_text(name: &str, text: &[u8], session: &Session<'_>) -> Option<Vec<SaCommand>> {
    let mut found = Vec::new();
    let mut take = |_, command| {
        if let Command::Sa(command) = command {
            found.push(command);
        }
    };
    let mut collector = Collector { session, take: &mut take, all_good: true };
    let block = Excerpt { name, text, first_line: 1, setting: Setting::File };
    let parsed = CommandLoop::new(session, Lints::all(session)).run(&mut OneBlock(Some(block)), &mut collector);
    (parsed.is_ok() && collector.all_good).then_some(found)
}

/// Calls `take` with each command of the file at `path` that has no error, and with its first line. Returns whether all commands are
/// without errors.
///
/// # Errors
/// The file cannot be read to its end; what `take` has received is then of no use.
pub(super) fn parse_file(
    path: &Path,
    session: &Session<'_>,
    take: &mut dyn FnMut(u32, Command),
) -> Result<bool, InputError> {
    // Locked: what the caller does with a file must not depend on how far another process has written it.
    let mut blocks = InputBlocks::open_locked(path)?;
    session.output.warn_of_findings(&blocks.take_findings());
    let mut collector = Collector { session, take, all_good: true };
    CommandLoop::new(session, Lints::denied(session)).run(&mut blocks, &mut collector)?;
    Ok(collector.all_good)
}

/// A text in memory.
struct OneBlock<'t>(Option<Excerpt<'t>>);

impl CommandSource for OneBlock<'_> {
    fn next_block(&mut self) -> Result<Option<Excerpt<'_>>, InputError> {
        Ok(self.0.take())
    }
}

/// Prints the diagnostics and passes the good commands on.
struct Collector<'s, 'f> {
    session: &'s Session<'s>,
    take: &'f mut dyn FnMut(u32, Command),
    all_good: bool,
}

impl Handler for Collector<'_, '_> {
    fn command(&mut self, item: ParsedCommand, text: Excerpt<'_>) -> ControlFlow<()> {
        match self.session.accept(item.outcome.ok(), &item.diagnostics, text) {
            Some(command) => (self.take)(item.location.line, command),
            None => self.all_good = false,
        }
        ControlFlow::Continue(())
    }

    fn end_block(&mut self, rest: &[Diagnostic], text: Excerpt<'_>) -> Outcome {
        // These warnings belong to no command, so none is dropped.
        let _ = self.session.accept(Some(()), rest, text);
        Outcome::Done
    }
}
