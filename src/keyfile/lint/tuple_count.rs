//! Many SAs with the same source, destination and `reqid`, which are slow to load on Linux.
//!
//! When an SA is added, the kernel makes every SA of the same tuple look up its route again (`__xfrm_state_bump_genids` in
//! net/xfrm/xfrm_state.c), so adding N of them takes N * N steps: 10 s for 20,000 SAs.

use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use crate::keyfile::ParsedCommand;
use crate::keyfile::command::{Command, SaCommand};
use crate::keyfile::diagnostics::{Code, Diagnostic, Severity};
use crate::names::verbs::Verb;

/// From this many SAs on, the load is noticeably slower.
const MANY: u16 = 2000;

/// Number of counters, a power of two. Tuples share counters by their hash. A file holds at most some 5 million SAs, so
/// with distinct tuples each counter gets about 600 of them, well below [`MANY`].
const COUNTERS: usize = 1 << 13;

/// Counts the SAs of a text by tuple, in constant memory.
#[derive(Default)]
pub(crate) struct DuplicateTupleCounter {
    counters: Vec<u16>,
    has_warned: bool,
}

impl DuplicateTupleCounter {
    /// Returns a warning, at most once, if the SAs of `item` bring a tuple to [`MANY`].
    #[must_use]
    pub(crate) fn check(&mut self, item: &ParsedCommand) -> Option<Diagnostic> {
        let Ok(Command::Sa(command)) = &item.outcome else { return None };
        if command.verb != Verb::Add || self.has_warned || !self.reaches_limit(command) {
            return None;
        }
        self.has_warned = true;
        let message = format!("{MANY} SAs have the same src, dst and reqid");
        let help = "on Linux the load time is quadratic in their number, about 10 s for 20,000: use different reqids unless a \
                    policy needs them to be the same";
        Some(Diagnostic::new(Severity::Warning, Code::ManySasPerTuple, item.location, message).help(help))
    }

    fn reaches_limit(&mut self, command: &SaCommand) -> bool {
        // Allocated at the first add: most files never need it.
        self.counters.resize(COUNTERS, 0);
        let reqid = command.request.linux.reqid;
        command.targets.iter().any(|target| {
            let slot = FxBuildHasher.hash_one((target.src, target.dst, reqid)) as usize % COUNTERS;
            let Some(counter) = self.counters.get_mut(slot) else { return false };
            *counter += 1;
            *counter >= MANY
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::{HostsFile, Options, Setting, commands};
    use crate::names::Vocabulary;

    fn warned(line: impl Fn(u32) -> String) -> Vec<u32> {
        let text: String = (0..5000).map(line).collect();
        let hosts = HostsFile::default();
        let options = Options { vocabulary: Vocabulary::Linux, numeric: true, setting: Setting::File, resolver: &hosts };
        let items: Vec<ParsedCommand> = commands(text.as_bytes(), &options).collect();
        assert!(items.iter().all(|item| item.outcome.is_ok()));
        let mut counter = DuplicateTupleCounter::default();
        items.iter().filter_map(|item| counter.check(item)).map(|diagnostic| diagnostic.span.line).collect()
    }

    fn add(at: u32, src: &str, reqid: u32) -> String {
        format!(
            "add esp spi {} src {src} dst 192.0.2.9 reqid {reqid} encr_alg null auth_alg sha1 authkey {at:040x}\n",
            256 + at
        )
    }

    #[test]
    fn duplicate_tuples_are_reported_once() {
        assert_eq!(warned(|at| add(at, "192.0.2.1", 7)), [2000]);
    }

    #[test]
    fn distinct_tuples_are_not_reported() {
        assert!(warned(|at| add(at, "192.0.2.1", at)).is_empty());
        assert!(warned(|at| add(at, &format!("10.0.{}.{}", at / 250, at % 250), 7)).is_empty());
    }
}
