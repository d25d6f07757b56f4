//! Applies the commands of a keys file, records the added SAs, and reports.

use std::collections::HashSet;
use std::path::Path;

use super::keys::{self, Action, FileCommand, goal};
use super::outcome::{Applied, Failure, LoadOutcome};
use super::{Loader, Target, adopt};
use crate::apply::{self, Outcome, Queue};
use crate::keyfile::Verb;
use crate::reconcile::Goal;
use crate::sa::{Request, SaId};
use crate::sadb::SadbError;
use crate::service::exit::Reason;
use crate::service::log::event::load::Existing;
use crate::service::log::event::{self, Event};
use crate::service::records::owned_sas::OwnedSas;

/// Counts while commands are applied.
#[derive(Default)]
struct Progress {
    added: usize,
    ids: HashSet<SaId>,
    refused: Vec<u32>,
}

/// A request that the SADB has refused.
struct Refusal {
    id: Option<SaId>,
    error: SadbError,
}

impl Refusal {
    fn of(error: SadbError) -> Self {
        Self { id: None, error }
    }
}

impl Progress {
    fn count(&mut self, added: &Request) {
        self.added += 1;
        self.ids.extend(added.id());
    }
}

impl Loader<'_> {
    /// Applies all commands. A command that the SADB refuses does not stop the others: their peers depend on them.
    pub(super) fn apply(
        &mut self,
        commands: Vec<FileCommand>,
        file: &Path,
        target: &mut Target,
    ) -> Result<Applied, Failure> {
        let count = commands.len();
        if let Some(owned) = &mut target.owned {
            // Before the first addition: a crash in between must not leave SAs that no record has.
            owned.intend(keys::added_ids(&commands)).map_err(|error| self.fail_sadb(&error))?;
        }
        let goal = self.goal_to_verify(&commands);
        let adopted = self.adoptable(goal.as_ref(), target)?;
        let Progress { mut added, mut ids, refused } = self.apply_all(adopt::without(commands, &adopted), target)?;
        added += adopted.len();
        ids.extend(adopted);
        let result = if refused.is_empty() {
            event::load::online(added, file)
        } else {
            event::load::partly_applied(file, count, &refused)
        };
        // After a refusal the SADB differs from the file anyway.
        let goal = goal.filter(|_| refused.is_empty());
        Ok(Applied { ids: Some(ids), goal, failed: None, sas: added, refused, result })
    }

    /// Only the system's SADB is compared: a stand-in for it need not report what it holds. A file that cannot be used for
    /// reconcile has no desired state to compare with.
    fn goal_to_verify(&self, commands: &[FileCommand]) -> Option<Goal> {
        self.config.state.as_ref().and_then(|_| goal(commands.iter().map(FileCommand::duplicate)).ok())
    }

    /// # Errors
    /// Only those that make further commands useless: the SADB is gone, or this process may not use it.
    fn apply_all(&mut self, commands: Vec<FileCommand>, target: &mut Target) -> Result<Progress, Failure> {
        let mut progress = Progress::default();
        // Additions in a row go to the kernel in batches.
        let mut queue = Queue::default();
        // Before batching: a command with several targets may become several commands.
        let with_sequence = |command| with_preserved_sequence(command, target);
        let commands: Vec<FileCommand> = commands.into_iter().flat_map(with_sequence).collect();
        for FileCommand { line, action } in commands {
            if queue.is_full() {
                self.settle(&mut queue, target, &mut progress)?;
            }
            let action = match action {
                Action::Sa(command) => queue.offer(line, command, &*target.sadb).map(Action::Sa),
                flush @ Action::Flush(_) => Some(flush),
            };
            if let Some(action) = action {
                // In the order of the file: a deletion may be about an SA that is still in the queue.
                self.settle(&mut queue, target, &mut progress)?;
                self.apply_one(line, action, target, &mut progress)?;
            }
            self.log.progress();
        }
        self.settle(&mut queue, target, &mut progress)?;
        Ok(progress)
    }

    fn apply_one(&mut self, line: u32, action: Action, target: &mut Target, progress: &mut Progress) -> Result<(), Failure> {
        let mut failures = Vec::new();
        match action {
            Action::Flush(sa_type) => failures.extend(self.flush_type(sa_type, target).err().map(Refusal::of)),
            Action::Sa(command) => {
                let adds = command.verb == Verb::Add;
                apply::apply(command, &mut *target.sadb, &mut |request, outcome| match outcome {
                    Outcome::Failed(error) => failures.push(Refusal { id: request.id(), error }),
                    Outcome::Done if adds => progress.count(request),
                    Outcome::Done | Outcome::Described(_) => {}
                });
            }
        }
        // Read after each command, to report them with its line.
        for note in target.sadb.take_warnings() {
            self.log.event(&event::load::limitation(line, &note));
        }
        self.note_failures(line, &failures, target, progress)
    }

    /// Applies the additions in the queue.
    fn settle(&mut self, queue: &mut Queue<u32>, target: &mut Target, progress: &mut Progress) -> Result<(), Failure> {
        let mut failures = Vec::new();
        queue.flush(&mut *target.sadb, &mut |line, request, outcome| match outcome {
            Outcome::Failed(error) => failures.push((line, Refusal { id: request.id(), error })),
            Outcome::Done | Outcome::Described(_) => progress.count(request),
        });
        failures.into_iter().try_for_each(|(line, refusal)| self.note_failures(line, &[refusal], target, progress))
    }

    /// Logs the failures of one command, and counts its line once: a command may have several targets.
    fn note_failures(
        &mut self,
        line: u32,
        failures: &[Refusal],
        target: &mut Target,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let mut errors = failures.iter().map(|refusal| &refusal.error);
        if let Some(fatal) = errors.find(|error| Reason::of_sadb_error(error) != Reason::Refused) {
            return Err(self.fail_sadb(fatal));
        }
        if !failures.is_empty() && progress.refused.last() != Some(&line) {
            progress.refused.push(line);
        }
        for Refusal { id, error } in failures {
            let existing = id.filter(|_| error.is_already_present()).and_then(|id| {
                // Of this load: the file adds it twice.
                if progress.ids.contains(&id) { Some(Existing::Own) } else { target.existing(id) }
            });
            self.log.event(&event::load::command_refused(line, error, existing));
        }
        Ok(())
    }

    /// Records which SAs are the service's. With `flush = "all"` the record only serves `manual-key status`, which counts missing
    /// SAs by it, so that a failure to write it is ignored.
    pub(super) fn record(&mut self, applied: &Applied, target: &mut Target) -> Result<(), Failure> {
        let Some(ids) = &applied.ids else { return Ok(()) };
        match (&mut target.owned, &self.config.state) {
            (Some(owned), _) => owned.confirm(ids, &mut *target.sadb).map_err(|error| self.fail_sadb(&error))?,
            (None, Some(directory)) => drop(OwnedSas::replacing(directory, ids).confirm(ids, &mut *target.sadb)),
            (None, None) => {}
        }
        Ok(())
    }

    /// Empties the record after a stop with `flush = "all"`, so that a daemon does not restore what was removed on purpose.
    pub(super) fn forget_sas(&self, target: &Target) {
        if let (None, Some(directory)) = (&target.owned, &self.config.state) {
            // As in `record`: without it only the status is less exact.
            let _ = OwnedSas::replacing(directory, &HashSet::new()).write();
        }
    }

    /// Logs the result of a load and enters it into the outcome.
    pub(super) fn report(&mut self, applied: Applied, outcome: &mut LoadOutcome) -> Result<(), Failure> {
        let Applied { sas, refused, result, .. } = applied;
        let result = if refused.is_empty() { self.with_state(result, outcome) } else { result };
        self.log.event(&result);
        // Also with refused commands: the file is in use, in part.
        outcome.is_applied = true;
        outcome.text = result.to_string();
        outcome.refused = refused;
        if !outcome.refused.is_empty() {
            return Err(Failure { reason: Reason::Refused, text: None });
        }
        outcome.sas = Some(sas);
        Ok(())
    }

    /// Logs the state of a loaded file again, whose policies have changed, and enters it into the outcome.
    pub(crate) fn report_state(&mut self, outcome: &mut LoadOutcome) {
        let (Some(sas), Some(file)) = (outcome.sas, &outcome.file) else { return };
        let event = self.with_state(event::load::online(sas, file), outcome);
        self.log.event(&event);
        outcome.text = event.to_string();
        outcome.state = outcome.loaded_state();
    }

    /// The result `loaded` of a load, which says so if no policy uses some of the SAs.
    fn with_state(&self, loaded: Event, outcome: &LoadOutcome) -> Event {
        match &outcome.unprotected {
            Some(unprotected) => event::load::degraded(&loaded, unprotected, self.config.protection.from_sas),
            None => loaded,
        }
    }
}

/// The command with the sequence numbers of the SAs that it replaces. One with several targets may become several commands.
fn with_preserved_sequence(FileCommand { line, action }: FileCommand, target: &Target) -> Vec<FileCommand> {
    match (action, &target.sequence) {
        (Action::Sa(command), Some(sequence)) => {
            let commands = sequence.apply_to(command).into_iter();
            commands.map(|command| FileCommand { line, action: Action::Sa(command) }).collect()
        }
        (action, _) => vec![FileCommand { line, action }],
    }
}
