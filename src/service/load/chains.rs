//! Key chains: the part of a keys file that holds at a time.

use std::path::Path;

use super::Loader;
use super::keys::{self, AtTime, FileCommand};
use super::outcome::{Failure, LoadOutcome};
use crate::service::exit::Reason;
use crate::service::log::event;

impl Loader<'_> {
    /// The commands that hold at `time`, in seconds since 1970; `outcome` gets the time of the next change.
    pub(super) fn at(
        &mut self,
        commands: Vec<FileCommand>,
        time: u64,
        file: &Path,
        outcome: &mut LoadOutcome,
    ) -> Result<Vec<FileCommand>, Failure> {
        let AtTime { commands, next_change, .. } = keys::at(commands, time)
            .map_err(|error| self.fail(Reason::Configuration, &event::load::not_reconcilable(file, &error)))?;
        outcome.next_change = next_change;
        Ok(commands)
    }

    /// Logs when the keys change next, and what has to happen then.
    pub(super) fn announce_key_change(&mut self, outcome: &LoadOutcome) {
        if let Some(time) = outcome.next_change {
            self.log.event(&event::load::next_key_change(time, self.is_daemon));
        }
    }
}
