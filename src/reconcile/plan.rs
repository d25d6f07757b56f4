//! Computes the steps from the actual to the desired state. Their order keeps traffic flowing: new SAs before changed ones, inbound
//! before outbound, and removals at the end.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::reconcile::compare;
use crate::reconcile::compare::{ComparedField, Comparison};
use crate::reconcile::fingerprint::FingerprintKey;
use crate::reconcile::goal::{DesiredSa, Goal};
use crate::reconcile::live::{ActualSa, Backend};
use crate::reconcile::pairs::{PairChanges, set_pairs};
use crate::reconcile::sequence::{Counters, MARGIN, is_inbound};
use crate::reconcile::step::{Difference, Plan, SaChange, Step, StepKind};
use crate::sa::{Flags, Request, SERVICE_REQID, SaId, SaType, Spi};
use crate::sadb::{Sadb, SadbError};
use crate::sys::time::unix_now;

/// The SAs that a plan may remove, of those that the file does not define.
#[derive(Clone, Copy)]
pub(crate) enum PlanScope<'a> {
    All,
    /// None: only SAs of the file are changed.
    Named,
    /// Those for which the function returns true. SAs of the file are changed in any case.
    RemoveOwned(&'a dyn Fn(&ActualSa) -> bool),
    /// Those for which the function returns true, by identity and time of addition. No other SA is changed either.
    Owned(&'a dyn Fn(&SaId, u64) -> bool),
}

impl PlanScope<'_> {
    fn may_change(&self, actual: &ActualSa) -> bool {
        match self {
            Self::All | Self::Named | Self::RemoveOwned(_) => true,
            Self::Owned(owns) => owns(&actual.id, actual.used.addtime),
        }
    }

    fn may_remove(&self, actual: &ActualSa) -> bool {
        match self {
            Self::Named => false,
            Self::RemoveOwned(owns) => owns(actual),
            Self::All | Self::Owned(_) => self.may_change(actual),
        }
    }
}

/// The options of [`plan`].
pub(crate) struct PlanOptions<'a> {
    pub(crate) scope: PlanScope<'a>,
    pub(crate) fingerprint_key: FingerprintKey,
    /// The sequence numbers of a former SA with the identity and the keys of this request.
    pub(crate) saved_counters: &'a dyn Fn(&SaId, &Request) -> Option<Counters>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    Sadb(#[from] SadbError),
    /// Another program has added an SA with the same identity and different values.
    #[error("line {line}: {id} exists with other values than the file has, and was not added by this service")]
    Foreign {
        /// First line of the command that defines the SA.
        line: u32,
        id: SaId,
    },
}

/// Compares `goal` with a dump of `sadb`.
///
/// # Errors
/// If the dump fails, or an SA of the file exists with other values and is out of scope.
pub(crate) fn plan(goal: &Goal, sadb: &mut dyn Sadb, options: &PlanOptions<'_>) -> Result<Plan, PlanError> {
    let mut planner = Planner::new(goal, options);
    sadb.dump(SaType::UNSPEC, &mut |message| {
        // A description without an identity, such as of a larval SA, cannot match a command.
        if let Some(actual) = ActualSa::of(message) {
            planner.visit(actual);
        }
        ControlFlow::Continue(())
    })?;
    // After the dump: its messages and the replies to other requests come through the same socket.
    for listed in std::mem::take(&mut planner.in_both_tables) {
        let other = inbound_copy(&listed, sadb)?;
        planner.compare_copies(listed, other);
    }
    let plan = planner.finish()?;
    check_removals(&plan, sadb)?;
    Ok(plan)
}

/// Refuses a plan that removes an SA which the kernel cannot remove without harm.
fn check_removals(plan: &Plan, sadb: &mut dyn Sadb) -> Result<(), SadbError> {
    let removed = plan.steps.iter().filter(|step| matches!(step.kind, StepKind::Remove | StepKind::Replace));
    for actual in removed.filter_map(|step| step.change.actual.as_ref()).filter(|actual| actual.backend == Backend::PfKey) {
        let ActualSa { id, request: Request { encr_alg, flags, src, .. }, pair, .. } = actual;
        sadb.new_sequence();
        sadb.check_removal(&Request {
            encr_alg: *encr_alg,
            flags: *flags,
            src: src.map(compare::whole_end),
            pair_spi: *pair,
            ..id.request()
        })?;
    }
    Ok(())
}

/// The copy in illumos' inbound table. A dump lists an SA once that is in both tables, from the outbound one (`sadb_dump` in
/// sadb.c). `None` if the SA has expired since.
fn inbound_copy(listed: &ActualSa, sadb: &mut dyn Sadb) -> Result<Option<ActualSa>, SadbError> {
    sadb.new_sequence();
    match sadb.get(&Request { flags: Flags::INBOUND, ..listed.id.request() }) {
        Err(error) if error.is_missing() => Ok(None),
        found => Ok(ActualSa::of(&found?)),
    }
}

/// The differences that are left after a plan for `goal` was executed. Ignores SAs that the file does not define.
///
/// # Errors
/// If the dump fails.
pub(crate) fn verify(goal: &Goal, sadb: &mut dyn Sadb, fingerprint_key: FingerprintKey) -> Result<Vec<Step>, SadbError> {
    let options = PlanOptions { scope: PlanScope::Named, fingerprint_key, saved_counters: &|_, _| None };
    match plan(goal, sadb, &options) {
        Ok(plan) => Ok(plan.steps),
        Err(PlanError::Sadb(error)) => Err(error),
        Err(PlanError::Foreign { .. }) => unreachable!("every SA may be changed in this scope"),
    }
}

/// An SA of the file that exists and may need a step.
struct Candidate<'a> {
    desired: &'a DesiredSa,
    actual: ActualSa,
    differing: Vec<&'static ComparedField>,
}

/// Whether the SA is that of the file, but for the reqid of the service: it may be replaced, whichever program has added it.
fn lacks_reqid(desired: &DesiredSa, actual: &ActualSa, differing: &[&ComparedField]) -> bool {
    let is_only_difference = matches!(differing, [field] if field.word == "reqid") && desired.pair == actual.pair;
    is_only_difference && (actual.request.linux.reqid, desired.request.linux.reqid) == (0, SERVICE_REQID)
}

/// The SAs that the dump has listed.
struct VisitedSas {
    /// SAs of the file, by position.
    desired: Vec<bool>,
    others: HashSet<SaId>,
}

impl VisitedSas {
    /// False if the SA was listed before.
    fn insert(&mut self, desired: Option<&DesiredSa>, id: &SaId) -> bool {
        match desired.and_then(|desired| self.desired.get_mut(desired.position)) {
            Some(is_visited) => !std::mem::replace(is_visited, true),
            None => self.others.insert(*id),
        }
    }

    fn has(&self, desired: &DesiredSa) -> bool {
        self.desired.get(desired.position) == Some(&true)
    }
}

struct Planner<'a> {
    goal: &'a Goal,
    options: &'a PlanOptions<'a>,
    now: u64,
    visited: VisitedSas,
    candidates: Vec<Candidate<'a>>,
    /// SAs of the file that illumos may keep in both of its tables.
    in_both_tables: Vec<ActualSa>,
    /// SAs to be removed.
    surplus: Vec<ActualSa>,
    kept: usize,
    foreign: usize,
    error: Option<PlanError>,
}

impl<'a> Planner<'a> {
    fn new(goal: &'a Goal, options: &'a PlanOptions<'a>) -> Self {
        Self {
            goal,
            options,
            now: unix_now(),
            visited: VisitedSas { desired: vec![false; goal.position_count()], others: HashSet::new() },
            candidates: Vec::new(),
            in_both_tables: Vec::new(),
            surplus: Vec::new(),
            kept: 0,
            foreign: 0,
            error: None,
        }
    }

    /// Handles the next SA of the dump.
    fn visit(&mut self, actual: ActualSa) {
        let desired = self.goal.get(&actual.id);
        // An SA in both tables of illumos is one SA, and must not give two steps.
        if !self.visited.insert(desired, &actual.id) {
            return;
        }
        let Some(desired) = desired else {
            if self.options.scope.may_remove(&actual) {
                self.surplus.push(actual);
            } else {
                self.foreign += 1;
            }
            return;
        };
        if actual.may_have_copy() && !declares_table(&desired.request) {
            self.in_both_tables.push(actual);
        } else {
            self.compare(desired, actual);
        }
    }

    /// Compares the two copies of an SA with the desired one. They live on separately: an update may have changed one only.
    fn compare_copies(&mut self, listed: ActualSa, other: Option<ActualSa>) {
        let Some(desired) = self.goal.get(&listed.id) else { return };
        let is_changed = |other: &ActualSa| !other.is_alive || !comparison(desired, other).differing_fields().is_empty();
        // One step changes both copies, so the plan needs only one that differs.
        self.compare(desired, other.filter(is_changed).unwrap_or(listed));
    }

    fn compare(&mut self, desired: &'a DesiredSa, actual: ActualSa) {
        let mut differing = comparison(desired, &actual).differing_fields();
        if self.goal.has_surplus_reqid(desired, &actual.request) && self.options.scope.may_change(&actual) {
            differing.extend(compare::FIELDS.iter().filter(|field| field.word == "reqid"));
        }
        // A dead or larval SA has the identity, but protects no packet.
        let is_usable = actual.is_alive && !actual.has_unknown_algorithm;
        let may_change = self.options.scope.may_change(&actual) || (is_usable && lacks_reqid(desired, &actual, &differing));
        if differing.is_empty() && is_usable && desired.pair == actual.pair {
            self.kept += 1;
        } else if !may_change {
            // Kept for `finish`: the dump is read to its end, and the first error is reported.
            self.error.get_or_insert(PlanError::Foreign { line: desired.line, id: actual.id });
        } else {
            self.candidates.push(Candidate { desired, actual, differing });
        }
    }

    fn finish(mut self) -> Result<Plan, PlanError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let candidates = std::mem::take(&mut self.candidates);
        let missing = self.goal.iter().filter(|desired| !self.visited.has(desired)).map(DesiredSa::id).collect();
        let mut pairs = PairChanges::new(self.goal, missing, self.surplus.iter().map(|actual| actual.id).collect());
        // The replacements first: whether an update must make a pair depends on them.
        let (replaced, updated): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|candidate| self.needs_replacement(candidate, &pairs));
        pairs.added.extend(replaced.iter().map(|candidate| candidate.actual.id));
        let mut steps: Vec<Step> = replaced.into_iter().map(|candidate| self.replacement(candidate)).collect();
        for candidate in updated {
            match update(&candidate, &mut pairs) {
                Some(update) => steps.push(self.step(StepKind::Update, candidate, Some(update))),
                // Only the pair differs, and the request of the peer SA makes it.
                None => self.kept += 1,
            }
        }
        steps.extend(self.goal.iter().filter(|desired| !self.visited.has(desired)).map(|desired| self.addition(desired)));
        steps.extend(self.surplus.drain(..).map(removal));
        steps.sort_by_cached_key(Step::order);
        // After the sort: the pair belongs into the later one of two requests.
        set_pairs(&mut steps, self.goal);
        Ok(Plan { steps, kept: self.kept, foreign: self.foreign })
    }

    fn needs_replacement(&self, candidate: &Candidate<'_>, pairs: &PairChanges<'_>) -> bool {
        let Candidate { desired, actual, differing } = candidate;
        !actual.is_alive
            || actual.has_unknown_algorithm
            || !comparison(desired, actual).can_update(differing)
            || (!differing.is_empty() && self.exceeds_new_limits(desired, actual))
            || pairs.needs_replacement(desired, actual)
    }

    /// Whether the SA has already reached a desired limit: an update would make it expire at once.
    fn exceeds_new_limits(&self, desired: &DesiredSa, actual: &ActualSa) -> bool {
        let hard = desired.request.hard.unwrap_or_default();
        let used = actual.used;
        // usetime has no start until the first packet.
        let past = |start: u64, limit: u64| limit != 0 && start != 0 && self.now >= start.saturating_add(limit);
        let reached = |count: u64, limit: u64| limit != 0 && count >= limit;
        past(used.addtime, hard.addtime)
            || past(used.usetime, hard.usetime)
            || reached(used.bytes, hard.bytes)
            || reached(actual.packets, desired.request.linux.hard_packets)
    }

    fn addition(&self, desired: &DesiredSa) -> Step {
        let id = desired.id();
        let mut request = desired.request.duplicate();
        // The SA may have existed before a reboot or a refresh, with the same keys.
        if let Some(counters) = (self.options.saved_counters)(&id, &request) {
            counters.apply_to(&mut request, MARGIN);
        }
        let is_inbound = is_inbound(&request);
        let change = SaChange { id, differences: Vec::new(), is_inbound, request: Some(request), actual: None };
        Step { kind: StepKind::Add, line: Some(desired.line), change: Box::new(change) }
    }

    fn replacement(&self, candidate: Candidate<'_>) -> Step {
        let mut request = candidate.desired.request.duplicate();
        // With a new key the sequence numbers start again; with the old one they must not (RFC 4303 section 3.3.3).
        if compare::same_keys(&comparison(candidate.desired, &candidate.actual)) {
            candidate.actual.counters.apply_to(&mut request, MARGIN);
        }
        self.step(StepKind::Replace, candidate, Some(request))
    }

    fn step(&self, kind: StepKind, candidate: Candidate<'_>, request: Option<Request>) -> Step {
        let Candidate { desired, actual, differing } = candidate;
        let key = self.options.fingerprint_key;
        let mut differences: Vec<Difference> = differing
            .iter()
            .map(|field| Difference {
                field: field.word,
                from: field.describe(&actual.request, key),
                to: field.describe(&desired.request, key),
            })
            .collect();
        let describe = |spi: Option<Spi>| spi.map_or_else(|| "none".to_owned(), |spi| spi.to_string());
        if desired.pair != actual.pair {
            differences.push(Difference { field: "pair-spi", from: describe(actual.pair), to: describe(desired.pair) });
        }
        if actual.has_unknown_algorithm {
            differences.push(Difference { field: "algorithm", from: "unknown".to_owned(), to: "known".to_owned() });
        }
        let is_inbound = is_inbound(&desired.request);
        let change = SaChange { id: actual.id, differences, is_inbound, request, actual: Some(actual) };
        Step { kind, line: Some(desired.line), change: Box::new(change) }
    }
}

/// The update of an SA; `None` if only its pair differs and the request of its peer makes the pair.
fn update(candidate: &Candidate<'_>, pairs: &mut PairChanges<'_>) -> Option<Request> {
    let pair = pairs.pair_by_update(candidate.desired, &candidate.actual);
    if pair.is_none() && candidate.differing.is_empty() {
        return None;
    }
    let update = comparison(candidate.desired, &candidate.actual).update_request();
    Some(Request { pair_spi: pair, ..update })
}

/// Whether a request names one of illumos' two tables.
fn declares_table(request: &Request) -> bool {
    request.flags.has(Flags::INBOUND) != request.flags.has(Flags::OUTBOUND)
}

fn comparison<'a>(desired: &'a DesiredSa, actual: &'a ActualSa) -> Comparison<'a> {
    Comparison { desired: &desired.request, actual: &actual.request, backend: actual.backend }
}

fn removal(actual: ActualSa) -> Step {
    let is_inbound = is_inbound(&actual.request);
    let change = SaChange { id: actual.id, differences: Vec::new(), is_inbound, request: None, actual: Some(actual) };
    Step { kind: StepKind::Remove, line: None, change: Box::new(change) }
}
