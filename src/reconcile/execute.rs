//! A plan, carried out as a whole or not at all: when the SADB refuses a step, those before it are taken back.

use crate::reconcile::compare::Both;
use crate::reconcile::live::Current;
use crate::reconcile::plan::{Change, Deed, Plan, Step, Subject};
use crate::reconcile::report::Named;
use crate::reconcile::sequence::MARGIN;
use crate::sa::{Flags, Request, SaId, SaState};
use crate::sadb::{MAX_BATCH, PairScope, Sadb, SadbError};

/// Why a plan was not carried out.
#[derive(Debug, thiserror::Error)]
#[error("{}{source}{}", at(*line, *id), aftermath(undone))]
pub(crate) struct Failed {
    /// First line of the command whose step failed.
    pub(crate) line: Option<u32>,
    /// The SA of that step.
    pub(crate) id: SaId,
    /// What the SADB said.
    pub(crate) source: SadbError,
    /// SAs that somebody else has added meanwhile, under names that the plan found free. They stay.
    pub(crate) theirs: Vec<SaId>,
    /// SAs that could not be put back as they were, with what the SADB said.
    pub(crate) undone: Vec<(SaId, SadbError)>,
}

fn at(line: Option<u32>, id: SaId) -> String {
    let line = line.map_or_else(String::new, |line| format!("line {line}: "));
    format!("{line}{}: ", Named(id))
}

fn aftermath(left: &[(SaId, SadbError)]) -> String {
    match left.first() {
        None => "; what was done before is taken back: the SADB is as it was".to_owned(),
        Some((id, error)) => {
            format!(
                "; what was done before could not be taken back for {} SAs, {} among them: {error}",
                left.len(),
                Named(*id)
            )
        }
    }
}

/// Carries out `plan`; `each` hears of every step that is done.
///
/// # Errors
/// [`Failed`] with the first step that the SADB refused. Those before it are taken back then.
pub(crate) fn carry_out(plan: Plan, sadb: &mut dyn Sadb, each: &mut dyn FnMut(&Step)) -> Result<(), Box<Failed>> {
    let mut steps = plan.steps;
    let mut done = 0;
    while done < steps.len() {
        let batch = batch(&steps[done..], sadb);
        let outcomes = if batch.is_empty() { vec![carry_out_one(&mut steps[done], sadb)] } else { sadb.add_all(&batch) };
        let taken = outcomes.len();
        let theirs = taken_by_others(&steps[done..], &outcomes);
        let failure = outcomes.into_iter().enumerate().find_map(|(at, outcome)| Some((at, outcome.err()?)));
        if let Some((at, source)) = failure {
            let (line, id) = (steps[done + at].line, steps[done + at].id());
            // Of a batch those behind the refused one may be done.
            steps.truncate(done + taken);
            steps.retain(|step| !theirs.contains(&step.id()));
            let undone = take_back(&mut steps, sadb);
            return Err(Box::new(Failed { line, id, source, theirs, undone }));
        }
        steps[done..done + taken].iter().for_each(&mut *each);
        done += taken;
    }
    Ok(())
}

/// The SAs that could not be added because they were there already: the plan has seen none of that name.
fn taken_by_others(steps: &[Step], outcomes: &[Result<(), SadbError>]) -> Vec<SaId> {
    let is_theirs = |step: &Step, outcome: &Result<(), SadbError>| {
        step.deed == Deed::Add && outcome.as_ref().err().is_some_and(SadbError::is_already_present)
    };
    steps.iter().zip(outcomes).filter(|(step, outcome)| is_theirs(step, outcome)).map(|(step, _)| step.id()).collect()
}

/// The requests of the additions that come next and go together.
fn batch<'s>(steps: &'s [Step], sadb: &dyn Sadb) -> Vec<&'s Request> {
    let addition = |step: &'s Step| {
        let Subject::Sa(change) = &step.subject;
        change.new.as_ref().filter(|new| step.deed == Deed::Add && sadb.batches(new))
    };
    steps.iter().take(MAX_BATCH).map_while(addition).collect()
}

fn carry_out_one(step: &mut Step, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
    sadb.new_sequence();
    let Subject::Sa(change) = &step.subject;
    match (step.deed, &change.new) {
        (Deed::Add, Some(new)) => sadb.add(new),
        (Deed::Update, Some(new)) => sadb.update(new, PairScope::One),
        (Deed::Replace, Some(new)) => sadb.replace(&name(change), new),
        _ => sadb.delete_if_present(&name(change)).map(drop),
    }
}

/// The request that names the SA of a change, by all that an SADB may look at.
fn name(change: &Change) -> Request {
    let flags = change.old.as_ref().map_or(Flags::default(), |old| old.request.flags);
    Request { flags: flags & (Flags::INBOUND | Flags::OUTBOUND), ..change.id.request() }
}

/// Puts back what the steps have changed, the last one first; what could not be.
fn take_back(steps: &mut [Step], sadb: &mut dyn Sadb) -> Vec<(SaId, SadbError)> {
    let mut left = Vec::new();
    for step in steps.iter_mut().rev() {
        sadb.new_sequence();
        let Subject::Sa(change) = &mut step.subject;
        let id = change.id;
        let restored = match (step.deed, change.old.take()) {
            (_, None) => sadb.delete_if_present(&name(change)).map(drop),
            (Deed::Update, Some(old)) => change_back(change, old, sadb),
            (_, Some(old)) => put_back(change, old, sadb),
        };
        left.extend(restored.err().map(|error| (id, error)));
    }
    left
}

/// Undoes an update by another, unless it has set a limit where there was none.
fn change_back(change: &Change, old: Current, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
    let Some(new) = &change.new else { return Ok(()) };
    let mut after = old.request.duplicate();
    (*after.hard, *after.soft, *after.idle) = (*new.hard, *new.soft, *new.idle);
    (*after.natt_local, *after.natt_remote) = (*new.natt_local, *new.natt_remote);
    let linux = &mut after.linux;
    (linux.soft_packets, linux.hard_packets) = (new.linux.soft_packets, new.linux.hard_packets);
    (linux.if_id, linux.output_mark) = (new.linux.if_id, new.linux.output_mark);
    let both = Both { wanted: &old.request, live: &after, tongue: old.tongue };
    if new.pair_spi.is_none() && both.changes_in_place(&both.differing()) {
        return sadb.update(&Request { state: SaState::MATURE, ..both.update() }, PairScope::One);
    }
    put_back(change, old, sadb)
}

/// Puts the old SA in the place of whatever there is, or of nothing.
fn put_back(change: &Change, old: Current, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
    let mut request = old.request;
    // One that was never used has sent nothing since its numbers were read.
    old.counters.carry_into(&mut request, if old.used.usetime == 0 { 0 } else { MARGIN });
    sadb.delete_if_present(&name_of(change, &request))?;
    request.pair_spi = old.pair;
    match sadb.add(&request) {
        // Its mate is to come, and will name it.
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

fn name_of(change: &Change, request: &Request) -> Request {
    Request { flags: request.flags & (Flags::INBOUND | Flags::OUTBOUND), ..name(change) }
}
