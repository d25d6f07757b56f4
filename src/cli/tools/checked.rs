//! A keys file that was just made, or is about to be exported: parsed and checked like any other.

use crate::cli::output::Source;
use crate::cli::session::Session;
use crate::lang::{self, Checker, Command, SaCommand, Setting};

/// The commands about SAs in `text`, called `name` in messages; `None` if one of them is wrong, which has been said then.
pub(super) fn commands(name: &str, text: &[u8], session: &Session<'_>) -> Option<Vec<SaCommand>> {
    let all = numbered(name, text, session, true)?.into_iter();
    Some(all.filter_map(|(_, command)| if let Command::Sa(command) = command { Some(command) } else { None }).collect())
}

/// All commands in `text` with their first lines, as [`commands`]. Without `all_warnings` only those that `-f` has.
pub(super) fn numbered(name: &str, text: &[u8], session: &Session<'_>, all_warnings: bool) -> Option<Vec<(u32, Command)>> {
    let source = Source { name, text, first_line: 1 };
    let resolver = session.resolver();
    let options = session.options(Setting::File, &*resolver);
    let mut checker = Checker::new();
    let mut found = Vec::new();
    let mut all_good = true;
    for mut item in lang::commands(text, &options) {
        if all_warnings {
            item.diagnostics.append(&mut checker.check(&item, text));
        }
        match session.accept(item.outcome.ok(), &item.diagnostics, source) {
            Some(command) => found.push((item.place.line, command)),
            None => all_good = false,
        }
    }
    all_good.then_some(found)
}
