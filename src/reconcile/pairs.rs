//! The pairs of SAs that are added, replaced or removed.

use std::collections::{HashMap, HashSet};

use crate::reconcile::goal::{DesiredSa, Goal, peer_sa};
use crate::reconcile::live::ActualSa;
use crate::reconcile::step::{Step, StepKind};
use crate::sa::{SaId, Spi};

/// The changes that affect pairs.
pub(crate) struct PairChanges<'a> {
    goal: &'a Goal,
    /// SAs that are added or replaced: their own requests make their pairs.
    pub(crate) added: HashSet<SaId>,
    removed: HashSet<SaId>,
    /// SAs that an update of their peer pairs.
    paired: HashSet<SaId>,
}

impl<'a> PairChanges<'a> {
    pub(crate) fn new(goal: &'a Goal, added: HashSet<SaId>, removed: HashSet<SaId>) -> Self {
        Self { goal, added, removed, paired: HashSet::new() }
    }

    /// Whether the pair of an SA can only be changed by replacing the SA: no command ends a pair except the removal of one of the two.
    pub(crate) fn needs_replacement(&self, desired: &DesiredSa, actual: &ActualSa) -> bool {
        let Some(spi) = actual.pair else { return false };
        // The SADB ends a pair when it removes one of the two, so an SA that is to have none needs no step then.
        let peer_is_removed = peer_sa(&actual.id, &actual.request, spi).is_some_and(|peer| self.removed.contains(&peer));
        desired.pair != Some(spi) && !(desired.pair.is_none() && peer_is_removed)
    }

    /// The pair that an update of this SA must make. `None` if the request of its peer makes it.
    pub(crate) fn pair_by_update(&mut self, desired: &DesiredSa, actual: &ActualSa) -> Option<Spi> {
        let spi = desired.pair.filter(|_| actual.pair.is_none())?;
        let peer = peer_sa(&actual.id, &desired.request, spi)?;
        // One request of the two is enough, and a second one would be refused (diagnostic code 75 on illumos).
        if self.added.contains(&peer) || self.paired.contains(&actual.id) || self.goal.get(&peer).is_none() {
            return None;
        }
        self.paired.insert(peer);
        Some(spi)
    }
}

/// Sets `pair_spi` in the requests that add SAs. Of two such requests the later one has it, when its peer exists.
pub(crate) fn set_pairs(steps: &mut [Step], goal: &Goal) {
    let adds = |step: &Step| step.kind == StepKind::Add || step.kind == StepKind::Replace;
    let positions: HashMap<SaId, usize> =
        steps.iter().enumerate().filter(|(_, step)| adds(step)).map(|(position, step)| (step.id(), position)).collect();
    for (position, step) in steps.iter_mut().enumerate() {
        if !adds(step) {
            continue;
        }
        let change = &mut *step.change;
        let (Some(request), Some(desired)) = (&mut change.request, goal.get(&change.id)) else { continue };
        let peer = desired.pair.and_then(|spi| peer_sa(&change.id, request, spi));
        // A request with a `pair_spi` is refused while its peer does not exist.
        let peer_exists = |peer: SaId| positions.get(&peer).is_none_or(|other| *other < position);
        request.pair_spi = desired.pair.filter(|_| peer.is_some_and(peer_exists));
    }
}
