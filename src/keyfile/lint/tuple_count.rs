//! Many SAs alike, which the Linux kernel is slow with.
//!
//! An SA that is added there makes every other one with its source, destination and `reqid` look for its route again
//! (`__xfrm_state_bump_genids` in net/xfrm/xfrm_state.c), so adding N of them takes a time that grows with N * N: 10 s for 20,000.

use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use crate::keyfile::Item;
use crate::keyfile::command::{Command, SaCommand, Verb};
use crate::keyfile::diagnostics::{Code, Diagnostic, Severity};

/// As many make a load noticeably slower.
const CROWD: u16 = 2000;
/// Counters; a power of two. SAs that are alike share one, and of the most SAs that a file holds, some 5 million, about 600 that
/// are not alike do.
const COUNTERS: usize = 1 << 13;

/// Counts the SAs of a text that are alike, in a memory that does not grow.
#[derive(Default)]
pub struct Crowds {
    counters: Vec<u16>,
    is_told: bool,
}

impl Crowds {
    /// A warning, once, if `item` makes the SAs alike too many.
    #[must_use]
    pub fn check(&mut self, item: &Item) -> Option<Diagnostic> {
        let Ok(Command::Sa(command)) = &item.outcome else { return None };
        if command.verb != Verb::Add || self.is_told || !self.is_crowd(command) {
            return None;
        }
        self.is_told = true;
        let message = format!("With this one, {CROWD} SAs have the same src, dst and reqid");
        let help = "the Linux kernel takes a time for them that grows with the square of their number, 10 s for 20,000: give \
                    them different reqids if no policy needs them the same";
        let place = item.place;
        Some(Diagnostic::new(Severity::Warning, Code::Crowd, place, message).help(help))
    }

    fn is_crowd(&mut self, command: &SaCommand) -> bool {
        self.counters.resize(COUNTERS, 0);
        let reqid = command.request.linux.reqid;
        command.targets.iter().any(|target| {
            let place = FxBuildHasher.hash_one((target.src, target.dst, reqid)) as usize % COUNTERS;
            let Some(counter) = self.counters.get_mut(place) else { return false };
            *counter += 1;
            *counter >= CROWD
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
        let items: Vec<Item> = commands(text.as_bytes(), &options).collect();
        assert!(items.iter().all(|item| item.outcome.is_ok()));
        let mut crowds = Crowds::default();
        items.iter().filter_map(|item| crowds.check(item)).map(|diagnostic| diagnostic.span.line).collect()
    }

    fn add(at: u32, src: &str, reqid: u32) -> String {
        format!(
            "add esp spi {} src {src} dst 192.0.2.9 reqid {reqid} encr_alg null auth_alg sha1 authkey {at:040x}\n",
            256 + at
        )
    }

    #[test]
    fn many_alike_are_told_once() {
        assert_eq!(warned(|at| add(at, "192.0.2.1", 7)), [2000]);
    }

    #[test]
    fn those_that_differ_in_anything_are_no_crowd() {
        assert!(warned(|at| add(at, "192.0.2.1", at)).is_empty());
        assert!(warned(|at| add(at, &format!("10.0.{}.{}", at / 250, at % 250), 7)).is_empty());
    }
}
