//! Executes a plan as a whole or not at all: when the SADB refuses a step, the earlier steps are rolled back.

use crate::reconcile::compare::Comparison;
use crate::reconcile::live::ActualSa;
use crate::reconcile::sequence::MARGIN;
use crate::reconcile::step::{Plan, SaChange, Step, StepKind};
use crate::sa::{Flags, Request, SaId, SaState};
use crate::sadb::{MAX_BATCH, PairScope, Sadb, SadbError};

/// The error of [`execute`].
#[derive(Debug, thiserror::Error)]
#[error("{}{source}{}", location(*line, *id), rollback_text(not_restored))]
pub(crate) struct ExecuteError {
    /// First line of the command of the failed step.
    pub(crate) line: Option<u32>,
    /// The SA of the failed step.
    pub(crate) id: SaId,
    pub(crate) source: SadbError,
    /// SAs that another program has added since the plan was made. They are not removed.
    pub(crate) foreign: Vec<SaId>,
    /// SAs that the rollback could not restore, and the errors.
    pub(crate) not_restored: Vec<(SaId, SadbError)>,
}

fn location(line: Option<u32>, id: SaId) -> String {
    let line = line.map_or_else(String::new, |line| format!("line {line}: "));
    format!("{line}{id}: ")
}

fn rollback_text(not_restored: &[(SaId, SadbError)]) -> String {
    match not_restored.first() {
        None => "; earlier changes were rolled back".to_owned(),
        Some((id, error)) => {
            format!("; the rollback failed for {} SAs, among them {id}: {error}", not_restored.len())
        }
    }
}

/// Executes `plan`, and calls `each` after every step. If a step fails, the earlier ones are rolled back.
///
/// # Errors
/// The first step that the SADB has refused, and the SAs that could not be restored.
pub(crate) fn execute(plan: Plan, sadb: &mut dyn Sadb, each: &mut dyn FnMut(&Step)) -> Result<(), Box<ExecuteError>> {
    let mut steps = plan.steps;
    let mut done = 0;
    while done < steps.len() {
        // Additions come first in a plan, so most of them go in batches.
        let batch = batch(&steps[done..], sadb);
        let outcomes = if batch.is_empty() { vec![execute_step(&mut steps[done], sadb)] } else { sadb.add_all(&batch) };
        let taken = outcomes.len();
        let foreign = added_by_others(&steps[done..], &outcomes);
        let failure = outcomes.into_iter().enumerate().find_map(|(at, outcome)| Some((at, outcome.err()?)));
        if let Some((at, source)) = failure {
            let (line, id) = (steps[done + at].line, steps[done + at].id());
            // The SADB has processed the whole batch: steps after the refused one may be done.
            steps.truncate(done + taken);
            // The rollback must not delete them.
            steps.retain(|step| !foreign.contains(&step.id()));
            let not_restored = roll_back(&mut steps, sadb);
            return Err(Box::new(ExecuteError { line, id, source, foreign, not_restored }));
        }
        steps[done..done + taken].iter().for_each(&mut *each);
        done += taken;
    }
    Ok(())
}

/// The SAs that could not be added because they exist. They did not when the plan was made, so another program has added them.
fn added_by_others(steps: &[Step], outcomes: &[Result<(), SadbError>]) -> Vec<SaId> {
    let is_foreign = |step: &Step, outcome: &Result<(), SadbError>| {
        step.kind == StepKind::Add && outcome.as_ref().err().is_some_and(SadbError::is_already_present)
    };
    steps.iter().zip(outcomes).filter(|(step, outcome)| is_foreign(step, outcome)).map(|(step, _)| step.id()).collect()
}

/// The requests of the next additions that the SADB accepts in one batch.
fn batch<'s>(steps: &'s [Step], sadb: &dyn Sadb) -> Vec<&'s Request> {
    let addition =
        |step: &'s Step| step.change.request.as_ref().filter(|request| step.kind == StepKind::Add && sadb.batches(request));
    steps.iter().take(MAX_BATCH).map_while(addition).collect()
}

fn execute_step(step: &mut Step, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
    sadb.new_sequence();
    let change = &*step.change;
    match (step.kind, &change.request) {
        (StepKind::Add, Some(request)) => sadb.add(request),
        (StepKind::Update, Some(request)) => sadb.update(request, change.reach()),
        (StepKind::Replace, Some(request)) => sadb.replace(&identifying_request(change), request),
        // An SA that has expired since the dump is removed as well.
        _ => sadb.delete_if_present(&identifying_request(change)).map(drop),
    }
}

/// The request that identifies the SA of a change. illumos needs the direction as well, to find the table.
fn identifying_request(change: &SaChange) -> Request {
    let flags = change.actual.as_ref().map_or(Flags::default(), |actual| actual.request.flags);
    Request { flags: flags & (Flags::INBOUND | Flags::OUTBOUND), ..change.id.request() }
}

/// Undoes `steps`, the last one first. Returns the SAs that could not be restored.
fn roll_back(steps: &mut [Step], sadb: &mut dyn Sadb) -> Vec<(SaId, SadbError)> {
    let mut not_restored = Vec::new();
    // In reverse order: a step may depend on an earlier one, such as a pair on its first SA.
    for step in steps.iter_mut().rev() {
        sadb.new_sequence();
        let change = &mut *step.change;
        let id = change.id;
        let restored = match (step.kind, change.actual.take()) {
            (_, None) => sadb.delete_if_present(&identifying_request(change)).map(drop),
            (StepKind::Update, Some(before)) => undo_update(change, before, sadb),
            (_, Some(before)) => restore(change, before, sadb),
        };
        not_restored.extend(restored.err().map(|error| (id, error)));
    }
    not_restored
}

/// Undoes an update by another update, or restores the SA if the update has set a limit that it did not have before.
fn undo_update(change: &SaChange, before: ActualSa, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
    let Some(update) = &change.request else { return Ok(()) };
    // The SA as the update has left it.
    let mut after = before.request.duplicate();
    (*after.hard, *after.soft, *after.idle) = (*update.hard, *update.soft, *update.idle);
    (*after.natt_local, *after.natt_remote) = (*update.natt_local, *update.natt_remote);
    let linux = &mut after.linux;
    (linux.soft_packets, linux.hard_packets) = (update.linux.soft_packets, update.linux.hard_packets);
    (linux.if_id, linux.output_mark) = (update.linux.if_id, update.linux.output_mark);
    let sas = Comparison { desired: &before.request, actual: &after, backend: before.backend };
    if update.pair_spi.is_none() && sas.can_update(&sas.differing_fields()) {
        let reach = if before.may_have_copy() { PairScope::Pair } else { PairScope::One };
        return sadb.update(&Request { state: SaState::MATURE, ..sas.update_request() }, reach);
    }
    restore(change, before, sadb)
}

/// Removes the SA if it exists, and adds it as it was before.
fn restore(change: &SaChange, before: ActualSa, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
    let mut request = before.request;
    // An unused SA has sent no packet since its counters were read: no margin is needed.
    before.counters.apply_to(&mut request, if before.used.usetime == 0 { 0 } else { MARGIN });
    // A failed replacement may have left the new SA, the old one or none.
    sadb.delete_if_present(&identifying_request_of(change, &request))?;
    request.pair_spi = before.pair;
    match sadb.add(&request) {
        // The peer SA is restored later, and its request makes the pair.
        Err(SadbError::Refused { .. }) if request.pair_spi.take().is_some() => add_if_missing(&request, sadb),
        outcome => outcome,
    }
}

fn add_if_missing(request: &Request, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
    match sadb.add(request) {
        Err(error) if error.is_already_present() => Ok(()),
        outcome => outcome,
    }
}

/// As [`identifying_request`], with the direction of `request`.
fn identifying_request_of(change: &SaChange, request: &Request) -> Request {
    Request { flags: request.flags & (Flags::INBOUND | Flags::OUTBOUND), ..identifying_request(change) }
}
