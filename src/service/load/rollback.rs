//! Undoes a whole load: SAs, policies and records become those of before (`start --confirm`).

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use super::outcome::Failure;
use super::{Loader, Target};
use crate::keyfile::{SaCommand, Target as CommandTarget, Verb};
use crate::policy::Policy;
use crate::policy::derive::Derived;
use crate::reconcile::{self, ActualSa, Counters, Goal, PlanOptions, PlanScope};
use crate::sa::{Request, SaId, SaType};
use crate::service::exit::Reason;
use crate::service::log::event;
use crate::service::records::owned_sas::OwnedSas;

/// What a load may change, as it was before.
pub(crate) struct Snapshot {
    /// All SAs, with their keys.
    sas: Goal,
    counters: HashMap<SaId, Counters>,
    /// Of these, the service's.
    owned: HashSet<SaId>,
    /// The service's policies.
    policies: Vec<Policy>,
}

impl Loader<'_> {
    /// Reads what a load may change.
    ///
    /// # Errors
    /// Those of opening and listing; [`Reason::Refused`] if an SA could not be added again.
    pub(crate) fn snapshot(&mut self) -> Result<Snapshot, Failure> {
        let _lock = self.lock()?;
        let mut target = self.open()?;
        let recorded = self.recorded()?;
        let mut found = Vec::new();
        let mut owned = HashSet::new();
        let dumped = target.sadb.dump(SaType::UNSPEC, &mut |message| {
            if let Some(actual) = ActualSa::of(message).filter(|actual| actual.is_alive) {
                if recorded.as_ref().is_some_and(|recorded| recorded.owns(actual.id, actual.used.addtime)) {
                    owned.insert(actual.id);
                }
                found.push(actual);
            }
            ControlFlow::Continue(())
        });
        dumped.map_err(|error| self.fail_sadb(&error))?;
        let counters = found.iter().map(|actual| (actual.id, actual.counters)).collect();
        let sas = self.goal_of(found)?;
        let policies = self.own_policies(&mut target)?;
        Ok(Snapshot { sas, counters, owned, policies })
    }

    /// The record of the service's SAs; `None` for an SADB that has no runtime directory.
    fn recorded(&mut self) -> Result<Option<OwnedSas>, Failure> {
        let recorded = self.config.state.as_deref().map(OwnedSas::read).transpose();
        recorded.map_err(|error| self.fail_sadb(&error))
    }

    /// The SAs as a desired state.
    fn goal_of(&mut self, found: Vec<ActualSa>) -> Result<Goal, Failure> {
        let mut goal = Goal::default();
        for (line, actual) in (1..).zip(found) {
            if actual.has_unknown_algorithm {
                return Err(self.fail(Reason::Refused, &event::confirm::cannot_roll_back(&actual.id)));
            }
            let ActualSa { id, mut request, pair, .. } = actual;
            request.pair_spi = pair;
            let targets = vec![CommandTarget { src: request.src.map(|src| src.addr), dst: Some(id.dst) }];
            let command = SaCommand { verb: Verb::Add, request: Box::new(request), targets };
            goal.take(line, command).map_err(|_| self.fail(Reason::Refused, &event::confirm::cannot_roll_back(&id)))?;
        }
        goal.finish().map_err(|error| self.fail(Reason::Other, &event::confirm::rollback_failed(&error)))
    }

    fn own_policies(&mut self, target: &mut Target) -> Result<Vec<Policy>, Failure> {
        let Some(owned) = self.owned_policies()? else { return Ok(Vec::new()) };
        let Some(spd) = target.sadb.spd() else { return Ok(Vec::new()) };
        let listed = spd.policies().map_err(|error| self.fail_sadb(&error))?;
        Ok(listed.into_iter().filter(|listed| owned.owns(listed)).map(|listed| listed.policy).collect())
    }

    /// Makes SAs, policies and records those of `snapshot`. SAs that another program has added since stay. The state file is
    /// written after a load that was confirmed, and so is still that of before.
    ///
    /// # Errors
    /// If something could not be restored, which is logged.
    pub(crate) fn roll_back(&mut self, snapshot: Snapshot) -> Result<(), Failure> {
        let _lock = self.lock()?;
        let mut target = self.open()?;
        let Snapshot { sas, counters, owned, policies } = snapshot;
        // Policies before the SAs, as in a load.
        let installed = self.install(Derived { policies, ..Derived::default() }, &mut target)?;
        let restored = self.restore_sas(&sas, &counters, &mut target);
        self.remove_stale_policies(installed, &mut target)?;
        self.restore_record(&owned, &mut target)?;
        restored?;
        self.log.event(&event::confirm::not_confirmed());
        Ok(())
    }

    fn restore_sas(&mut self, sas: &Goal, counters: &HashMap<SaId, Counters>, target: &mut Target) -> Result<(), Failure> {
        let recorded = self.recorded()?;
        let fingerprint_key = self.fingerprint_key()?;
        let is_recorded = |id: &SaId, added| recorded.as_ref().is_some_and(|recorded| recorded.owns(*id, added));
        let owns = |id: &SaId, added| is_recorded(id, added) || sas.get(id).is_some();
        let saved_counters = |id: &SaId, _: &Request| counters.get(id).copied();
        let options = PlanOptions { scope: PlanScope::Owned(&owns), fingerprint_key, saved_counters: &saved_counters };
        let failed = |error: &dyn std::fmt::Display| event::confirm::rollback_failed(error);
        let plan =
            reconcile::plan(sas, &mut *target.sadb, &options).map_err(|error| self.fail(Reason::Other, &failed(&error)))?;
        let executed = reconcile::execute(plan, &mut *target.sadb, &mut |_| {});
        target.sadb.take_warnings();
        executed.map_err(|error| self.fail(Reason::Other, &failed(&error)))
    }

    /// The record gets the new add times of SAs that were added again.
    fn restore_record(&mut self, owned: &HashSet<SaId>, target: &mut Target) -> Result<(), Failure> {
        let Some(directory) = &self.config.state else { return Ok(()) };
        let confirmed = OwnedSas::replacing(directory, owned).confirm(owned, &mut *target.sadb);
        confirmed.map_err(|error| self.fail_sadb(&error))
    }
}
