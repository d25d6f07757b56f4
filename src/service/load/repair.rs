//! Restores SAs and policies of the loaded keys file that another program has removed or replaced (`manual-key run`).
//!
//! Policies first: until they are back, packets pass in the clear. SAs need the keys file, which is read again under the checks of
//! a load, and only if its content is still the loaded one.

use std::collections::HashSet;

use super::adopt;
use super::file_sas::derive_policies;
use super::keys::{self, FileCommand};
use super::outcome::{Failure, LoadOutcome};
use super::{Loader, Target};
use crate::names::algorithms::encr_by_number;
use crate::policy::derive::Derived;
use crate::reconcile::{
    self, Counters, DesiredSa, Goal, PlanError, PlanOptions, PlanScope, SequenceSnapshot, Step, StepKind,
};
use crate::sa::{Message, Request, SaId};
use crate::service::log::event::daemon::Repaired;
use crate::service::records::owned_sas::OwnedSas;

/// Added to the sequence number of a flushed SA, whose last number is unknown: a peer with an anti-replay window accepts a jump, and
/// no packet of an SA that has sent less is repeated.
const FLUSH_MARGIN: u64 = 1 << 24;

/// What other programs have done since the last repair.
#[derive(Default)]
pub(crate) struct Damage {
    /// SAs with their last sequence numbers.
    pub(crate) removed: Vec<Message>,
    /// SAs that have expired: their keys are not loaded again.
    pub(crate) expired: HashSet<SaId>,
}

impl Loader<'_> {
    /// Compares the SADB with the SAs and policies of the last load, and restores what is gone; with `is_dry` it only counts.
    ///
    /// # Errors
    /// Those of a load that are not about a single SA or policy.
    pub(crate) fn repair(&mut self, outcome: &mut LoadOutcome, damage: &Damage, is_dry: bool) -> Result<Repaired, Failure> {
        let Some(directory) = self.config.state.clone() else { return Ok(Repaired::default()) };
        let _lock = self.lock()?;
        let mut target = self.open()?;
        let owned = OwnedSas::read(&directory).map_err(|error| self.fail_sadb(&error))?;
        self.save_last_numbers(&damage.removed, &mut target);
        let mut repaired = Repaired::default();
        self.repair_policies(outcome, &mut target, is_dry, &mut repaired)?;
        self.repair_sas(outcome, damage, owned, &mut target, is_dry, &mut repaired)?;
        if repaired != Repaired::default() {
            outcome.unprotected = self.assess(&outcome.loaded.sas, &mut target)?;
        }
        Ok(repaired)
    }

    fn save_last_numbers(&mut self, removed: &[Message], target: &mut Target) {
        let Some(sequence) = &mut target.sequence else { return };
        let key = sequence.fingerprint_key();
        let last: Vec<SequenceSnapshot> = removed.iter().filter_map(|message| SequenceSnapshot::of(message, key)).collect();
        if !last.is_empty() {
            let saved = sequence.save(last);
            self.warn_without_sequence_numbers(saved);
        }
    }

    /// Only policies that are recorded: those that `manual-key stop` has removed by hand are not in the record any more.
    fn repair_policies(
        &mut self,
        outcome: &LoadOutcome,
        target: &mut Target,
        is_dry: bool,
        repaired: &mut Repaired,
    ) -> Result<(), Failure> {
        let (true, Some(mut owned)) = (self.config.protection.from_sas, self.owned_policies()?) else { return Ok(()) };
        let Some(spd) = target.sadb.spd() else { return Ok(()) };
        let installed = spd.policies().map_err(|error| self.fail_sadb(&error))?;
        let lost = owned.unlisted(&installed);
        repaired.lost_policies = lost.len();
        if lost.is_empty() || is_dry {
            return Ok(());
        }
        let local = self.local_addresses()?;
        let lost_ids: HashSet<_> = lost.iter().map(|policy| policy.id).collect();
        let mut desired: Derived = derive_policies(&outcome.loaded.sas, &local, self.config.protection.rules);
        desired.policies.retain(|policy| lost_ids.contains(&policy.id));
        let installation = owned.install(&desired, spd).map_err(|error| self.fail_sadb(&error))?;
        if let Some(id) = installation.steps.conflicts.first() {
            repaired.obstacle(installation.steps.conflicts.len(), format!("another program's policy has the place of {id}"));
        }
        if let Some((id, error)) = installation.refused.first() {
            repaired.obstacle(installation.refused.len(), format!("policy {id}: {error}"));
        }
        Ok(())
    }

    fn repair_sas(
        &mut self,
        outcome: &LoadOutcome,
        damage: &Damage,
        mut owned: OwnedSas,
        target: &mut Target,
        is_dry: bool,
        repaired: &mut Repaired,
    ) -> Result<(), Failure> {
        let wanted: HashSet<SaId> = outcome.loaded.sas.iter().map(|(_, sa)| sa.id).collect();
        let (mut present, mut foreign) = (HashSet::new(), HashSet::new());
        owned
            .visit(&mut *target.sadb, &mut |id, is_own| {
                if wanted.contains(&id) {
                    if is_own { &mut present } else { &mut foreign }.insert(id);
                }
            })
            .map_err(|error| self.fail_sadb(&error))?;
        // Not recorded any more: removed by `manual-key stop` by hand. Expired: the keys are worn out.
        let is_lost = |id: &SaId| owned.contains(*id) && !present.contains(id) && !damage.expired.contains(id);
        let lost: HashSet<SaId> = wanted.into_iter().filter(is_lost).collect();
        repaired.lost_sas = lost.len();
        if lost.is_empty() || is_dry {
            return Ok(());
        }
        let (taken, mut lost): (HashSet<SaId>, HashSet<SaId>) = lost.into_iter().partition(|id| foreign.contains(id));
        if let Some(id) = taken.iter().next() {
            repaired.obstacle(taken.len(), format!("another program's SA has the place of {id}"));
        }
        if lost.is_empty() {
            return Ok(());
        }
        let Ok(commands) = self.lost_commands(outcome, &lost) else {
            // Logged. An editor may have the file open: the daemon stays, with the policies.
            repaired.obstacle(lost.len(), "the keys file cannot be read: run manual-key refresh");
            return Ok(());
        };
        let Some(commands) = commands else {
            repaired.obstacle(lost.len(), "the keys file has changed since it was loaded: run manual-key refresh");
            return Ok(());
        };
        let Ok(goal) = keys::goal(commands) else {
            repaired.obstacle(lost.len(), "the keys file has commands other than add: run manual-key refresh");
            return Ok(());
        };
        let removed: HashSet<SaId> = damage.removed.iter().filter_map(Message::id).collect();
        let unsafe_ids: HashSet<SaId> =
            goal.iter().filter(|sa| !removed.contains(&sa.id()) && repeats_nonces(&sa.request)).map(DesiredSa::id).collect();
        if let Some(id) = unsafe_ids.iter().next() {
            let why =
                format!("the last sequence number of {id} is unknown, and its cipher must not repeat one: replace the keys");
            repaired.obstacle(unsafe_ids.len(), why);
            lost.retain(|id| !unsafe_ids.contains(id));
        }
        self.add_lost(&goal, &lost, &removed, &mut owned, target, repaired)
    }

    /// The commands that add the SAs `lost`; `None` if the keys file is not the loaded one any more.
    fn lost_commands(&mut self, outcome: &LoadOutcome, lost: &HashSet<SaId>) -> Result<Option<Vec<FileCommand>>, Failure> {
        let file = self.read(&mut LoadOutcome::default())?;
        if !outcome.digest.as_ref().is_some_and(|digest| digest.matches(&file.contents)) {
            return Ok(None);
        }
        let commands = keys::parse(&file.contents, self.config.sadb.vocabulary(), self.config.protection.reqid()).ok();
        Ok(commands.map(|commands| adopt::only(commands, lost)))
    }

    /// Adds the SAs `lost` of `goal`. Those of `removed` continue their sequence numbers.
    fn add_lost(
        &mut self,
        goal: &Goal,
        lost: &HashSet<SaId>,
        removed: &HashSet<SaId>,
        owned: &mut OwnedSas,
        target: &mut Target,
        repaired: &mut Repaired,
    ) -> Result<(), Failure> {
        let fingerprint_key = self.fingerprint_key()?;
        let Target { sadb, sequence, .. } = target;
        let saved_counters = |id: &SaId, request: &Request| {
            let known = sequence.as_ref().and_then(|sequence| sequence.lookup(id, request));
            if removed.contains(id) { known } else { Some(after_flush(known.unwrap_or_default())) }
        };
        let options = PlanOptions { scope: PlanScope::Named, fingerprint_key, saved_counters: &saved_counters };
        let mut plan = match reconcile::plan(goal, &mut **sadb, &options) {
            Ok(plan) => plan,
            Err(PlanError::Sadb(error)) => return Err(self.fail_sadb(&error)),
            Err(obstacle @ PlanError::Foreign { .. }) => {
                repaired.obstacle(lost.len(), obstacle.to_string());
                return Ok(());
            }
        };
        plan.steps.retain(|step| step.kind == StepKind::Add && lost.contains(&step.id()));
        let ids: HashSet<SaId> = plan.steps.iter().map(Step::id).collect();
        owned.intend_steps(ids.iter().copied()).map_err(|error| self.fail_sadb(&error))?;
        if let Err(error) = reconcile::execute(plan, &mut **sadb, &mut |_| {}) {
            repaired.obstacle(ids.len(), error.to_string());
        }
        sadb.take_warnings();
        owned.confirm(&ids, &mut **sadb).map_err(|error| self.fail_sadb(&error))
    }
}

/// The counters of an SA that was flushed; `saved` are those of its last load.
fn after_flush(saved: Counters) -> Counters {
    Counters { sent: saved.sent.saturating_add(FLUSH_MARGIN), ..saved }
}

/// Whether packets of the SA would be broken if a sequence number occurred twice: the nonces of counter modes are made of it.
fn repeats_nonces(request: &Request) -> bool {
    let is_counter_mode = encr_by_number(request.encr_alg).is_some_and(|row| row.counter_mode);
    is_counter_mode && !reconcile::is_inbound(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::algorithms::ENCR;
    use crate::sa::{EncrAlg, Endpoint, Flags};

    #[test]
    fn after_flush_skips_more_than_an_sa_sends_between_loads() {
        assert_eq!(after_flush(Counters { sent: 5, received: 7 }), Counters { sent: 5 + FLUSH_MARGIN, received: 7 });
    }

    #[test]
    fn repeats_nonces_is_about_outbound_counter_modes() {
        let request = |encr_alg, flags| {
            // Of no host that a test runs on.
            let dst = Some(Endpoint { addr: [203, 0, 113, 7].into(), port: 0, proto: 0 });
            Request { encr_alg: EncrAlg(encr_alg), flags, dst, ..Request::default() }
        };
        let aes_gcm = ENCR.iter().find(|row| row.names[0] == "aes-gcm").unwrap().number.0;
        assert!(repeats_nonces(&request(aes_gcm, Flags::OUTBOUND)) && repeats_nonces(&request(aes_gcm, Flags::default())));
        assert!(!repeats_nonces(&request(aes_gcm, Flags::INBOUND)) && !repeats_nonces(&request(12, Flags::OUTBOUND)));
    }
}
