//! The steps from what there is to what is wanted, in the order in which traffic always has an SA: what comes in before what
//! goes out, new SAs before changed ones, and removals at the end.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::reconcile::compare;
use crate::reconcile::compare::{Both, Field};
use crate::reconcile::fingerprint::Salt;
use crate::reconcile::goal::{Goal, Wanted};
use crate::reconcile::live::Current;
use crate::reconcile::pairs::{Pairing, name_pairs};
use crate::reconcile::sequence::{Counters, MARGIN, Progress, is_inbound};
use crate::sa::{Request, SaId, SaType, Spi};
use crate::sadb::{Sadb, SadbError};
use crate::sys::time::unix_now;

/// What a step does. The order is that of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// Adds what is not there.
    Add,
    /// Changes in place.
    Update,
    /// Removes and adds anew, in one go where the SADB can: what cannot be changed in place.
    Replace,
    /// Removes what nobody wants.
    Remove,
}

/// A value that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The keyword.
    pub(crate) field: &'static str,
    /// The value there is; of a key its fingerprint.
    pub(crate) from: String,
    /// The value that is wanted.
    pub(crate) to: String,
}

/// One step of a plan.
pub(crate) struct Step {
    /// What it does.
    pub(crate) deed: Deed,
    /// First line of the command that wants it.
    pub(crate) line: Option<u32>,
    /// What it is about.
    pub(crate) subject: Subject,
}

/// What a step is about.
pub(crate) enum Subject {
    /// A security association.
    Sa(Box<Change>),
}

/// A change of an SA.
pub(crate) struct Change {
    /// Which one.
    pub(crate) id: SaId,
    /// What is not as it should be.
    pub(crate) differences: Vec<Difference>,
    /// Whether its packets come in.
    pub(crate) inbound: bool,
    /// What is sent: the addition or the update. Nothing for a removal.
    pub(crate) new: Option<Request>,
    /// What is there.
    pub(crate) old: Option<Current>,
}

/// What is to be done.
#[derive(Default)]
pub(crate) struct Plan {
    /// The steps in order.
    pub(crate) steps: Vec<Step>,
    /// SAs that are as they should be.
    pub(crate) kept: usize,
    /// SAs that are somebody else's and left alone.
    pub(crate) foreign: usize,
}

/// Which of the SAs that a file does not name are removed.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// All of them.
    All,
    /// None.
    Named,
    /// Those of which this says yes, by name and moment of addition. No other SA is changed either.
    Owned(&'a dyn Fn(&SaId, u64) -> bool),
}

impl Scope<'_> {
    fn may_change(&self, current: &Current) -> bool {
        match self {
            Self::All | Self::Named => true,
            Self::Owned(owns) => owns(&current.id, current.used.addtime),
        }
    }

    fn may_remove(&self, current: &Current) -> bool {
        !matches!(self, Self::Named) && self.may_change(current)
    }
}

/// What else a plan goes by.
pub(crate) struct Terms<'a> {
    /// Which SAs are in its reach.
    pub(crate) scope: Scope<'a>,
    /// What the fingerprints depend on.
    pub(crate) salt: Salt,
    /// How far an SA had come that is not there any more, and is to be added with these keys.
    pub(crate) carried: &'a dyn Fn(&SaId, &Request) -> Option<Counters>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Obstacle {
    /// The SADB does not tell what it holds.
    #[error(transparent)]
    Sadb(#[from] SadbError),
    /// Somebody else has put something else there.
    #[error("line {line}: {} is there already, otherwise than the file says, and not this service's to change", crate::reconcile::report::Named(*id))]
    Foreign {
        /// First line of the command.
        line: u32,
        /// The SA.
        id: SaId,
    },
}

/// Compares `goal` with what is in `sadb`, which is asked for nothing but a dump.
///
/// # Errors
/// [`Obstacle`].
pub(crate) fn plan(goal: &Goal, sadb: &mut dyn Sadb, terms: &Terms<'_>) -> Result<Plan, Obstacle> {
    let mut search = Search::new(goal, terms);
    sadb.dump(SaType::UNSPEC, &mut |message| {
        if let Some(current) = Current::of(message) {
            search.see(current);
        }
        ControlFlow::Continue(())
    })?;
    search.finish()
}

/// What of `goal` is not so in `sadb`, after it was carried out. SAs that the file does not name are not looked at.
///
/// # Errors
/// The SADB's.
pub(crate) fn verify(goal: &Goal, sadb: &mut dyn Sadb, salt: Salt) -> Result<Vec<Step>, SadbError> {
    let terms = Terms { scope: Scope::Named, salt, carried: &|_, _| None };
    match plan(goal, sadb, &terms) {
        Ok(plan) => Ok(plan.steps),
        Err(Obstacle::Sadb(error)) => Err(error),
        Err(Obstacle::Foreign { .. }) => unreachable!("nothing is foreign in this scope"),
    }
}

/// An SA of the file that is there, though perhaps not as it should be.
struct Found<'a> {
    wanted: &'a Wanted,
    current: Current,
    differing: Vec<&'static Field>,
}

/// The SAs that the dump has listed: it may list one twice that is in two tables.
pub(crate) struct Seen {
    /// By their places, those of the file.
    wanted: Vec<bool>,
    others: HashSet<SaId>,
}

impl Seen {
    /// Whether it was not listed before.
    fn insert(&mut self, wanted: Option<&Wanted>, id: &SaId) -> bool {
        match wanted.and_then(|wanted| self.wanted.get_mut(wanted.place)) {
            Some(seen) => !std::mem::replace(seen, true),
            None => self.others.insert(*id),
        }
    }

    /// Whether an SA of the file was.
    pub(crate) fn has(&self, wanted: &Wanted) -> bool {
        self.wanted.get(wanted.place) == Some(&true)
    }
}

struct Search<'a> {
    goal: &'a Goal,
    terms: &'a Terms<'a>,
    now: u64,
    seen: Seen,
    found: Vec<Found<'a>>,
    unwanted: Vec<Current>,
    kept: usize,
    foreign: usize,
    obstacle: Option<Obstacle>,
}

impl<'a> Search<'a> {
    fn new(goal: &'a Goal, terms: &'a Terms<'a>) -> Self {
        Self {
            goal,
            terms,
            now: unix_now(),
            seen: Seen { wanted: vec![false; goal.places()], others: HashSet::new() },
            found: Vec::new(),
            unwanted: Vec::new(),
            kept: 0,
            foreign: 0,
            obstacle: None,
        }
    }

    /// Takes the next SA of the dump.
    fn see(&mut self, current: Current) {
        let wanted = self.goal.get(&current.id);
        if !self.seen.insert(wanted, &current.id) {
            return;
        }
        let Some(wanted) = wanted else {
            if self.terms.scope.may_remove(&current) {
                self.unwanted.push(current);
            } else {
                self.foreign += 1;
            }
            return;
        };
        let differing = both(wanted, &current).differing();
        let is_sound = current.is_alive && !current.is_strange;
        if differing.is_empty() && is_sound && wanted.pair == current.pair {
            self.kept += 1;
        } else if !self.terms.scope.may_change(&current) {
            let foreign = Obstacle::Foreign { line: wanted.line, id: current.id };
            self.obstacle.get_or_insert(foreign);
        } else {
            self.found.push(Found { wanted, current, differing });
        }
    }

    fn finish(mut self) -> Result<Plan, Obstacle> {
        if let Some(obstacle) = self.obstacle {
            return Err(obstacle);
        }
        let found = std::mem::take(&mut self.found);
        let mut pairing = Pairing::new(self.goal, &self.seen, &self.unwanted);
        let (anew, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| self.must_be_anew(found, &pairing));
        pairing.anew.extend(anew.iter().map(|found| found.current.id));
        let mut steps: Vec<Step> = anew.into_iter().map(|found| self.replacement(found)).collect();
        for found in others {
            match self.update(&found, &mut pairing) {
                Some(update) => steps.push(self.step(Deed::Update, found, Some(update))),
                None => self.kept += 1,
            }
        }
        steps.extend(self.goal.iter().filter(|wanted| !self.seen.has(wanted)).map(|wanted| self.addition(wanted)));
        steps.extend(self.unwanted.drain(..).map(removal));
        steps.sort_by_cached_key(Step::order);
        name_pairs(&mut steps, self.goal);
        Ok(Plan { steps, kept: self.kept, foreign: self.foreign })
    }

    fn must_be_anew(&self, found: &Found<'_>, pairing: &Pairing<'_>) -> bool {
        let Found { wanted, current, differing } = found;
        !current.is_alive
            || current.is_strange
            || !both(wanted, current).changes_in_place(differing)
            || (!differing.is_empty() && self.has_outlived(wanted, current))
            || pairing.must_be_anew(wanted, current)
    }

    /// Whether a limit that is set now would end the SA at once.
    fn has_outlived(&self, wanted: &Wanted, current: &Current) -> bool {
        let hard = wanted.request.hard.unwrap_or_default();
        let used = current.used;
        let past = |start: u64, limit: u64| limit != 0 && start != 0 && self.now >= start.saturating_add(limit);
        let reached = |count: u64, limit: u64| limit != 0 && count >= limit;
        past(used.addtime, hard.addtime)
            || past(used.usetime, hard.usetime)
            || reached(used.bytes, hard.bytes)
            || reached(current.packets, wanted.request.linux.hard_packets)
    }

    fn addition(&self, wanted: &Wanted) -> Step {
        let id = wanted.id();
        let mut new = wanted.request.duplicate();
        if let Some(counters) = (self.terms.carried)(&id, &new) {
            counters.carry_into(&mut new, MARGIN);
        }
        let change = Change { id, differences: Vec::new(), inbound: is_inbound(&new), new: Some(new), old: None };
        Step { deed: Deed::Add, line: Some(wanted.line), subject: Subject::Sa(Box::new(change)) }
    }

    fn replacement(&self, found: Found<'_>) -> Step {
        let mut new = found.wanted.request.duplicate();
        if compare::same_keys(&both(found.wanted, &found.current)) {
            found.current.counters.carry_into(&mut new, MARGIN);
        }
        self.step(Deed::Replace, found, Some(new))
    }

    /// The request that makes it right in place; `None` if nothing is left to do, because its pair comes to it.
    fn update(&self, found: &Found<'_>, pairing: &mut Pairing<'_>) -> Option<Request> {
        let pair = pairing.by_update(found.wanted, &found.current);
        if pair.is_none() && found.differing.is_empty() {
            return None;
        }
        let update = both(found.wanted, &found.current).update();
        Some(Request { pair_spi: pair, ..update })
    }

    fn step(&self, deed: Deed, found: Found<'_>, new: Option<Request>) -> Step {
        let Found { wanted, current, differing } = found;
        let (salt, live) = (self.terms.salt, &current.request);
        let mut differences: Vec<Difference> = differing
            .iter()
            .map(|field| Difference { field: field.word, from: field.say(live, salt), to: field.say(&wanted.request, salt) })
            .collect();
        let say = |spi: Option<Spi>| spi.map_or_else(|| "none".to_owned(), |spi| spi.to_string());
        if wanted.pair != current.pair {
            differences.push(Difference { field: "pair-spi", from: say(current.pair), to: say(wanted.pair) });
        }
        if current.is_strange {
            differences.push(Difference { field: "algorithm", from: "unknown".to_owned(), to: "known".to_owned() });
        }
        let inbound = is_inbound(&wanted.request);
        let change = Change { id: current.id, differences, inbound, new, old: Some(current) };
        Step { deed, line: Some(wanted.line), subject: Subject::Sa(Box::new(change)) }
    }
}

fn both<'a>(wanted: &'a Wanted, current: &'a Current) -> Both<'a> {
    Both { wanted: &wanted.request, live: &current.request, tongue: current.tongue }
}

fn removal(current: Current) -> Step {
    let inbound = is_inbound(&current.request);
    let change = Change { id: current.id, differences: Vec::new(), inbound, new: None, old: Some(current) };
    Step { deed: Deed::Remove, line: None, subject: Subject::Sa(Box::new(change)) }
}

impl Step {
    /// What goes out stops before what comes in does: a peer may still be sending.
    fn order(&self) -> (Deed, bool, Option<u32>, SaType, Spi, String) {
        let Subject::Sa(change) = &self.subject;
        let later = if self.deed == Deed::Remove { change.inbound } else { !change.inbound };
        let SaId { sa_type, spi, dst, .. } = change.id;
        (self.deed, later, self.line, sa_type, spi, dst.to_string())
    }
}

impl Plan {
    /// How far the SAs have come that are removed.
    pub(crate) fn removed(&self, salt: Salt) -> impl Iterator<Item = Progress> {
        self.steps.iter().filter(|step| step.deed == Deed::Remove).filter_map(move |step| {
            let Subject::Sa(change) = &step.subject;
            let old = change.old.as_ref().filter(|old| old.counters != Counters::default())?;
            Some(Progress::of_current(old, salt))
        })
    }
}

impl Step {
    /// The SA that it is about.
    #[must_use]
    pub(crate) fn id(&self) -> SaId {
        let Subject::Sa(change) = &self.subject;
        change.id
    }
}
