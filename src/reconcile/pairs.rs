//! What becomes of pairs when some SAs are added anew, and others removed.

use std::collections::{HashMap, HashSet};

use crate::reconcile::goal::{Goal, Wanted, mate};
use crate::reconcile::live::Current;
use crate::reconcile::plan::{Deed, Seen, Step, Subject};
use crate::sa::{SaId, Spi};

/// The SAs that come and go.
pub(crate) struct Pairing<'a> {
    goal: &'a Goal,
    /// SAs that come without a pair, and bring theirs along.
    pub(crate) anew: HashSet<SaId>,
    removed: HashSet<SaId>,
    /// SAs that an update of their mate pairs.
    updated: HashSet<SaId>,
}

impl<'a> Pairing<'a> {
    pub(crate) fn new(goal: &'a Goal, seen: &Seen, unwanted: &[Current]) -> Self {
        Self {
            goal,
            anew: goal.iter().filter(|wanted| !seen.has(wanted)).map(Wanted::id).collect(),
            removed: unwanted.iter().map(|current| current.id).collect(),
            updated: HashSet::new(),
        }
    }

    /// No command ends a pair but the removal of one of its SAs.
    pub(crate) fn must_be_anew(&self, wanted: &Wanted, current: &Current) -> bool {
        let Some(live) = current.pair else { return false };
        let goes = mate(&current.id, &current.request, live).is_some_and(|mate| self.removed.contains(&mate));
        wanted.pair != Some(live) && !(wanted.pair.is_none() && goes)
    }

    /// The pair that an update has to make: with an SA that stays, and is not updated for it itself.
    pub(crate) fn by_update(&mut self, wanted: &Wanted, current: &Current) -> Option<Spi> {
        let spi = wanted.pair.filter(|_| current.pair.is_none())?;
        let mate = mate(&current.id, &wanted.request, spi)?;
        if self.anew.contains(&mate) || self.updated.contains(&current.id) || self.goal.get(&mate).is_none() {
            return None;
        }
        self.updated.insert(mate);
        Some(spi)
    }
}

/// An SA that is added names its pair if that one is there by then; else that one names it.
pub(crate) fn name_pairs(steps: &mut [Step], goal: &Goal) {
    let is_anew = |step: &Step| step.deed == Deed::Add || step.deed == Deed::Replace;
    let to_come: HashMap<SaId, usize> =
        steps.iter().enumerate().filter(|(_, step)| is_anew(step)).map(|(at, step)| (step.id(), at)).collect();
    for (at, step) in steps.iter_mut().enumerate() {
        if !is_anew(step) {
            continue;
        }
        let Subject::Sa(change) = &mut step.subject;
        let (Some(new), Some(wanted)) = (&mut change.new, goal.get(&change.id)) else { continue };
        let mate = wanted.pair.and_then(|spi| mate(&change.id, new, spi));
        new.pair_spi = wanted.pair.filter(|_| mate.is_some_and(|mate| to_come.get(&mate).is_none_or(|other| *other < at)));
    }
}
