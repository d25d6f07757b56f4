//! A keys file that was just made, or is about to be exported: parsed and checked like any other.

use std::path::Path;

use crate::cli::blocks::Blocks;
use crate::cli::output::Source;
use crate::cli::session::Session;
use crate::keyfile::{Checker, Command, ParsedCommand, SaCommand};
use crate::redact::shown;
use crate::sys::fs::keys_file::FileError;

/// The commands about SAs in `text`, called `name` in messages; `None` if one of them is wrong, which has been said then.
pub(super) fn commands(name: &str, text: &[u8], session: &Session<'_>) -> Option<Vec<SaCommand>> {
    let mut found = Vec::new();
    let all_good = each(name, text, session, true, &mut |_, command| {
        if let Command::Sa(command) = command {
            found.push(command);
        }
    });
    all_good.then_some(found)
}

/// Calls `take` with each good command in `text` and its first line; whether all are good. Without `all_warnings` only those are told
/// that `-f` tells.
pub(super) fn each(
    name: &str,
    text: &[u8],
    session: &Session<'_>,
    all_warnings: bool,
    take: &mut dyn FnMut(u32, Command),
) -> bool {
    let source = Source { name, text, first_line: 1 };
    each_of_block(source, session, all_warnings.then_some(&mut Checker::new()), take)
}

/// The same for the file at `path`, which is not held whole.
///
/// # Errors
/// Those of [`Blocks`]; what `take` got by then is not to be used.
pub(super) fn each_of_file(
    path: &Path,
    session: &Session<'_>,
    all_warnings: bool,
    take: &mut dyn FnMut(u32, Command),
) -> Result<bool, FileError> {
    let mut blocks = Blocks::open(path)?;
    session.output.warn(&blocks.take_findings());
    let name = shown(path);
    let (mut checker, mut all_good) = (Checker::new(), true);
    while let Some((text, first_line)) = blocks.next()? {
        let source = Source { name: &name, text, first_line };
        all_good &= each_of_block(source, session, all_warnings.then_some(&mut checker), take);
    }
    Ok(all_good)
}

fn each_of_block(
    source: Source<'_>,
    session: &Session<'_>,
    mut checker: Option<&mut Checker>,
    take: &mut dyn FnMut(u32, Command),
) -> bool {
    let mut all_good = true;
    let mut watch = |item: &mut ParsedCommand| {
        if let Some(checker) = &mut checker {
            item.diagnostics.append(&mut checker.check(item, source.text));
        }
    };
    session.read(source, &mut watch, &mut |line, command| match command {
        Some(command) => take(line, command),
        None => all_good = false,
    });
    all_good
}
