//! Key chains for `-f`: which additions of the file are wanted now. A file without them is not parsed twice.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::command_loop::{CommandLoop, CommandSource, Handler, InputError, Lints, Outcome};
use super::input_blocks::InputBlocks;
use super::report::Excerpt;
use super::session::Session;
use super::tools::next_key_change;
use crate::chain::Chains;
use crate::keyfile::{Command, Diagnostic, ParsedCommand, SaCommand, Verb};
use crate::sys::net::interfaces::is_local;
use crate::sys::time::unix_now;

/// The ends of the keywords of key chains. No other keyword has them.
const MARKS: [&[u8]; 2] = [b"_from", b"_until"];

/// The additions of a file with key chains, in order.
pub(super) struct WantedNow {
    chains: Chains,
    unwanted: HashSet<usize>,
    next_change: Option<u64>,
    /// The additions so far.
    count: usize,
}

/// What to do with an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Now,
    /// At another time.
    Later,
    /// The file is not the one that was read first.
    Changed,
}

impl WantedNow {
    /// The next addition of the file.
    pub(super) fn next(&mut self, command: &SaCommand) -> Wanted {
        let position = self.count;
        self.count += 1;
        if !self.chains.matches(position, &command.request) {
            return Wanted::Changed;
        }
        if self.unwanted.contains(&position) { Wanted::Later } else { Wanted::Now }
    }

    /// The message about the next change of keys.
    pub(super) fn announcement(&self) -> Option<String> {
        self.next_change.map(next_key_change)
    }
}

/// The key chains of the file that `blocks` are of; `None` if it has none. Afterwards `blocks` begin again.
///
/// # Errors
/// Those of reading the file.
pub(super) fn of_file(blocks: &mut InputBlocks, session: &Session<'_>) -> Result<Option<WantedNow>, InputError> {
    let mentions = mentions_chains(blocks)?;
    blocks.rewind()?;
    if !mentions {
        return Ok(None);
    }
    let mut found = Found { chains: Chains::default() };
    CommandLoop::new(session, Lints::default()).run(blocks, &mut found)?;
    blocks.rewind()?;
    let now = unix_now();
    let Found { chains } = found;
    let (unwanted, next_change) = (chains.unwanted(now), chains.next_change(now));
    Ok((!chains.is_empty()).then_some(WantedNow { chains, unwanted, next_change, count: 0 }))
}

fn mentions_chains(blocks: &mut dyn CommandSource) -> Result<bool, InputError> {
    while let Some(block) = blocks.next_block()? {
        if MARKS.iter().any(|mark| memchr::memmem::find(block.text, mark).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Collects the additions. Diagnostics are printed by the load itself.
struct Found {
    chains: Chains,
}

impl Handler for Found {
    fn command(&mut self, item: ParsedCommand, _: Excerpt<'_>) -> ControlFlow<()> {
        match item.outcome {
            Ok(Command::Sa(command)) if command.verb == Verb::Add => self.chains.push(&command.request, &is_local),
            Ok(Command::Quit) => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn end_block(&mut self, _: &[Diagnostic], _: Excerpt<'_>) -> Outcome {
        Outcome::Done
    }
}
