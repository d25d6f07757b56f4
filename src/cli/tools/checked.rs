//! A keys file that was just made, or is about to be exported: parsed and checked like any other.

use crate::cli::output::Source;
use crate::cli::session::Session;
use crate::lang::{self, Checker, Command, SaCommand, Setting};

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
    let resolver = session.resolver();
    let options = session.options(Setting::File, &*resolver);
    let mut checker = Checker::new();
    let mut all_good = true;
    for mut item in lang::commands(text, &options) {
        if all_warnings {
            item.diagnostics.append(&mut checker.check(&item, text));
        }
        match session.accept(item.outcome.ok(), &item.diagnostics, source) {
            Some(command) => take(item.place.line, command),
            None => all_good = false,
        }
    }
    all_good
}
