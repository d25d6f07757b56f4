//! `refresh = "reconcile"` and `manual-key plan`: only the differences between the keys file and the SADB are changed, all of
//! them or none.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;

use super::file_sas::file_sas;
use super::keys::{FileCommand, goal};
use super::outcome::{Applied, Failure, LoadOutcome};
use super::{Loader, Target, adopt, preview};
use crate::reconcile::{
    self, FingerprintKey, Goal, Plan, PlanError, PlanOptions, PlanScope, SequenceSnapshot, Step, Summary,
};
use crate::sa::{Request, SaId};
use crate::service::exit::Reason;
use crate::service::log::check_written;
use crate::service::log::event;
use crate::service::log::event::load::SadbState;
use crate::sys::process::key_managers;

impl Loader<'_> {
    /// Changes the SADB to match `goal`, with the fewest steps.
    pub(super) fn reconcile(&mut self, goal: Goal, file: &Path, target: &mut Target) -> Result<Applied, Failure> {
        let plan = self.differences(&goal, target)?;
        let summary = Summary::of(&plan);
        let foreign = target.records.as_ref().map(|records| records.removed_by(&plan)).unwrap_or_default();
        let adopted = adopt::unrecorded(&goal, &plan, target.owned.as_ref());
        let is_changed = !plan.steps.is_empty() || !adopted.is_empty();
        if let Some(owned) = target.owned.as_mut().filter(|_| is_changed) {
            // As for additions: recorded before they happen.
            let ids = plan.steps.iter().map(Step::id).chain(adopted.iter().copied());
            owned.intend_steps(ids).map_err(|error| self.fail_sadb(&error))?;
        }
        self.save_removed_sequence_numbers(&plan, target);
        let managers = if foreign.count == 0 { Vec::new() } else { key_managers::running() };
        if !managers.is_empty() {
            self.announce_removal(&foreign, &managers);
        }
        // Before the plan is consumed.
        let mut touched: HashSet<SaId> = plan.steps.iter().map(Step::id).collect();
        let failed = reconcile::execute(plan, &mut *target.sadb, &mut |_| self.log.progress()).err();
        if failed.is_none() && managers.is_empty() {
            self.report_foreign(&foreign);
        }
        target.sadb.take_warnings().iter().for_each(|note| self.log.event(&event::load::sadb_warning(note)));
        // Another program added these meanwhile: they were the reason for the failure.
        touched.retain(|id| failed.as_ref().is_none_or(|failed| !failed.foreign.contains(id)));
        touched.extend(adopted);
        // With flush = "all" the record is replaced, so it needs all SAs of the file.
        let ids = if target.owned.is_some() { touched } else { goal.ids().collect() };
        Ok(Applied {
            ids: is_changed.then_some(ids),
            failed,
            sas: goal.len(),
            refused: Vec::new(),
            result: event::load::reconciled(summary, goal.len(), file),
            goal: is_changed.then_some(goal),
        })
    }

    /// Fails if the reconciliation was rolled back.
    pub(super) fn check_rollback(&mut self, applied: &Applied, file: &Path) -> Result<(), Failure> {
        applied.failed.as_ref().map_or(Ok(()), |failed| {
            Err(self.fail(Reason::of_sadb_error(&failed.source), &event::load::rolled_back(file, failed)))
        })
    }

    /// `manual-key plan`, for the keys that are wanted at `time`, in seconds since 1970: prints the steps of [`Self::reconcile`], and of the policies.
    ///
    /// # Errors
    /// [`Reason::Drift`] if there are any; those of reading, parsing and comparing.
    pub(crate) fn plan(&mut self, json: bool, time: u64) -> Result<(), Reason> {
        let (plan, policies) = self.run_plan(time).map_err(|failure| failure.reason)?;
        let mut out = io::stdout().lock();
        let write_plan: fn(&mut dyn Write, &Plan) -> io::Result<()> =
            if json { reconcile::write_json } else { reconcile::write_text };
        let written = preview::write(&mut out, &policies, json).and_then(|()| write_plan(&mut out, &plan));
        check_written(written.and_then(|()| out.flush()))?;
        if plan.steps.is_empty() && policies.is_empty() { Ok(()) } else { Err(Reason::Drift) }
    }

    fn run_plan(&mut self, time: u64) -> Result<(Plan, super::preview::PolicySteps), Failure> {
        let mut outcome = LoadOutcome::default();
        let file = self.read(&mut outcome)?;
        let mut commands = self.parse(&file, SadbState::NotOpened, &mut outcome)?;
        // Keys stay in memory no longer than necessary.
        drop(file.contents);
        let sas = if self.config.protection.from_sas { file_sas(&mut commands) } else { Vec::new() };
        let commands = self.at(commands, time, &file.path, &mut outcome)?;
        let goal = self.goal(&file.path, commands)?;
        let mut target = self.open()?;
        let plan = self.differences(&goal, &mut target)?;
        let foreign = target.records.as_ref().map(|records| records.removed_by(&plan)).unwrap_or_default();
        self.announce_removal(&foreign, &key_managers::running());
        let policies = self.preview_policies(&sas, &mut target)?;
        Ok((plan, policies))
    }

    pub(super) fn goal(&mut self, file: &Path, commands: Vec<FileCommand>) -> Result<Goal, Failure> {
        let goal = goal(commands);
        let goal = goal.map_err(|error| self.fail(Reason::Configuration, &event::load::not_reconcilable(file, &error)))?;
        Ok(if self.config.protection.from_sas { goal } else { goal.without_service_reqid() })
    }

    /// A key for the fingerprints of this comparison only.
    pub(super) fn fingerprint_key(&mut self) -> Result<FingerprintKey, Failure> {
        FingerprintKey::random().map_err(|error| self.fail(Reason::Other, &event::load::no_random_numbers(&error)))
    }

    fn differences(&mut self, goal: &Goal, target: &mut Target) -> Result<Plan, Failure> {
        let fingerprint_key = self.fingerprint_key()?;
        let Target { sadb, owned, records, sequence } = target;
        let owns = |id: &SaId, added| match (&owned, &records) {
            (Some(owned), _) => owned.owns(*id, added),
            (None, Some(records)) => !records.is_of_another(id, added),
            (None, None) => true,
        };
        let scope = PlanScope::Owned(&owns);
        let saved_counters = |id: &SaId, request: &Request| sequence.as_ref()?.lookup(id, request);
        let options = PlanOptions { scope, fingerprint_key, saved_counters: &saved_counters };
        reconcile::plan(goal, &mut **sadb, &options).map_err(|obstacle| match obstacle {
            PlanError::Sadb(error) => self.fail_sadb(&error),
            PlanError::Foreign { .. } => self.fail(Reason::Refused, &event::load::foreign_sa(&obstacle)),
        })
    }

    fn save_removed_sequence_numbers(&mut self, plan: &Plan, target: &mut Target) {
        let Some(sequence) = &mut target.sequence else { return };
        let removed: Vec<SequenceSnapshot> = plan.removed(sequence.fingerprint_key()).collect();
        if !removed.is_empty() {
            let saved = sequence.save(removed);
            self.warn_without_sequence_numbers(saved);
        }
    }
}
