//! `flush = "owned"`: SAs of the keys file that another program has added, exactly as the file says, become the service's. So
//! ends a change of keys that `ipseckey reconcile` has prepared.

use std::collections::HashSet;

use super::keys::{Action, FileCommand, ids};
use super::outcome::Failure;
use super::{Loader, Target};
use crate::keyfile::Verb;
use crate::reconcile::{self, Goal, Plan, Step};
use crate::sa::SaId;
use crate::service::records::owned_sas::OwnedSas;

impl Loader<'_> {
    /// The SAs of `goal` that the SADB has already; none with `flush = "all"`, which has removed them.
    pub(super) fn adoptable(&mut self, goal: Option<&Goal>, target: &mut Target) -> Result<HashSet<SaId>, Failure> {
        let Some(goal) = goal.filter(|_| target.owned.is_some()) else { return Ok(HashSet::new()) };
        let key = self.fingerprint_key()?;
        let steps = reconcile::verify(goal, &mut *target.sadb, key).map_err(|error| self.fail_sadb(&error))?;
        let differing: HashSet<SaId> = steps.iter().map(Step::id).collect();
        Ok(goal.ids().filter(|id| !differing.contains(id)).collect())
    }
}

/// The SAs of `goal` for which `plan` has no step, and which are not recorded.
pub(super) fn unrecorded(goal: &Goal, plan: &Plan, owned: Option<&OwnedSas>) -> HashSet<SaId> {
    let Some(owned) = owned else { return HashSet::new() };
    let changed: HashSet<SaId> = plan.steps.iter().map(Step::id).collect();
    goal.ids().filter(|id| !owned.contains(*id) && !changed.contains(id)).collect()
}

/// Takes the additions of SAs that exist out of `commands`. A file that also changes or removes SAs is applied as it is: its
/// commands depend on each other.
pub(super) fn without(commands: Vec<FileCommand>, existing: &HashSet<SaId>) -> Vec<FileCommand> {
    let adds = |command: &FileCommand| matches!(&command.action, Action::Sa(sa) if sa.verb == Verb::Add);
    if existing.is_empty() || !commands.iter().all(adds) {
        return commands;
    }
    let exists = |command: &FileCommand| {
        let Action::Sa(sa) = &command.action else { return false };
        ids(sa).all(|id| existing.contains(&id))
    };
    commands.into_iter().filter(|command| !exists(command)).collect()
}

/// The additions of at least one of `wanted`.
pub(super) fn only(commands: Vec<FileCommand>, wanted: &HashSet<SaId>) -> Vec<FileCommand> {
    let adds = |command: &FileCommand| match &command.action {
        Action::Sa(sa) => sa.verb == Verb::Add && ids(sa).any(|id| wanted.contains(&id)),
        Action::Flush(_) => false,
    };
    commands.into_iter().filter(adds).collect()
}
