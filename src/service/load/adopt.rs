//! `flush = "owned"`: SAs of the keys file that another program has added, exactly as the file says (or without a reqid), become the service's. So
//! ends a change of keys that `ipseckey reconcile` has prepared.

use std::collections::HashSet;

use super::keys::{FileCommand, ids};
use super::outcome::Failure;
use super::{Loader, Target};
use crate::keyfile::SaCommand;
use crate::reconcile::{self, Goal, Plan, Step};
use crate::sa::SaId;
use crate::service::records::owned_sas::OwnedSas;

impl Loader<'_> {
    /// The SAs of `goal` that the SADB has already; none with `flush = "all"`, which has removed them.
    pub(super) fn adoptable(&mut self, goal: Option<&Goal>, target: &mut Target) -> Result<HashSet<SaId>, Failure> {
        let Some(goal) = goal.filter(|_| target.owned.is_some()) else { return Ok(HashSet::new()) };
        let key = self.fingerprint_key()?;
        let steps = reconcile::verify(goal, &mut *target.sadb, key).map_err(|error| self.fail_sadb(&error))?;
        let (lacking, differing): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|step| step.change.lacks_reqid());
        let mut differing: HashSet<SaId> = differing.iter().map(Step::id).collect();
        let ids: Vec<SaId> = lacking.iter().map(Step::id).collect();
        // They would not serve the policies. If they cannot be replaced, their addition fails with the reason.
        if !ids.is_empty() && reconcile::execute(Plan::of(lacking), &mut *target.sadb, &mut |_| {}).is_err() {
            differing.extend(ids);
        }
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
pub(super) fn without(mut commands: Vec<FileCommand>, existing: &HashSet<SaId>) -> Vec<FileCommand> {
    if !existing.is_empty() && commands.iter().all(FileCommand::is_addition) {
        let exists = |command: &SaCommand| ids(command).all(|id| existing.contains(&id));
        commands.retain(|command| !command.addition().is_some_and(exists));
    }
    commands
}

/// The additions of at least one of `wanted`.
pub(super) fn only(mut commands: Vec<FileCommand>, wanted: &HashSet<SaId>) -> Vec<FileCommand> {
    let adds = |command: &SaCommand| ids(command).any(|id| wanted.contains(&id));
    commands.retain(|command| command.addition().is_some_and(adds));
    commands
}
