//! `flush = "all"`: SAs that the service has not added are removed and reported, except those of other instances.

use std::ops::ControlFlow;

use super::{Loader, Target};
use crate::reconcile::{Plan, StepKind};
use crate::sa::{Message, SaId, SaState, SaType};
use crate::sadb::{Sadb, SadbError};
use crate::service::config::{Config, dirs};
use crate::service::log::event;
use crate::service::log::event::foreign::ForeignSas;
use crate::service::log::event::load::Existing;
use crate::service::records::owned_sas::OwnedSas;
use crate::sys::process::key_managers;

/// The records of all instances.
pub(super) struct AllRecords {
    /// `None` if it cannot be read: it serves the report only.
    own: Option<OwnedSas>,
    others: Vec<OwnedSas>,
}

impl AllRecords {
    /// `None` for an SADB that is not the system's: it has no instances.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] if the record of another instance cannot be read: which SAs to keep is unknown then.
    pub(super) fn read(config: &Config) -> Result<Option<Self>, SadbError> {
        let Some(directory) = config.state.as_deref() else { return Ok(None) };
        let others = dirs::runtimes_of_others(directory);
        let others: Result<Vec<_>, _> = others.iter().map(|other| OwnedSas::read_other(other)).collect();
        Ok(Some(Self { own: OwnedSas::read(directory).ok(), others: others?.into_iter().flatten().collect() }))
    }

    /// Whether another instance has added the SA `id`, at the second `added`.
    pub(super) fn is_of_another(&self, id: &SaId, added: u64) -> bool {
        self.others.iter().any(|other| other.owns(*id, added))
    }

    fn is_own(&self, id: &SaId, added: u64) -> bool {
        self.own.as_ref().is_some_and(|own| own.owns(*id, added))
    }

    /// The SAs of a type that the service has not added, without those of other instances.
    fn foreign(&self, sa_type: SaType, sadb: &mut dyn Sadb) -> Result<ForeignSas, SadbError> {
        let mut foreign = ForeignSas::default();
        sadb.dump(sa_type, &mut |message| {
            let is_recorded = |id: SaId| self.is_of_another(&id, message.add_time()) || self.is_own(&id, message.add_time());
            if message.id().is_some_and(|id| !is_recorded(id)) {
                add_message(&mut foreign, message);
            }
            ControlFlow::Continue(())
        })?;
        Ok(foreign)
    }

    /// Removes the SAs of a type, except those of other instances; returns those that the service has not added.
    pub(super) fn flush(&self, sa_type: SaType, sadb: &mut dyn Sadb) -> Result<ForeignSas, SadbError> {
        let mut foreign = ForeignSas::default();
        sadb.flush_except(sa_type, &mut |message| {
            let Some(id) = message.id() else { return true };
            let added = message.add_time();
            if self.is_of_another(&id, added) {
                return true;
            }
            if !self.is_own(&id, added) {
                add_message(&mut foreign, message);
            }
            false
        })?;
        Ok(foreign)
    }

    /// The SAs that `plan` removes and the service has not added.
    pub(super) fn removed_by(&self, plan: &Plan) -> ForeignSas {
        let mut foreign = ForeignSas::default();
        for step in plan.steps.iter().filter(|step| step.kind == StepKind::Remove) {
            let Some(actual) = &step.change.actual else { continue };
            if !self.is_own(&actual.id, actual.used.addtime) {
                foreign.add(!actual.is_alive, actual.request.linux.reqid);
            }
        }
        foreign
    }
}

fn add_message(foreign: &mut ForeignSas, message: &Message) {
    let is_larval = message.association().is_some_and(|sa| sa.state == SaState::LARVAL);
    foreign.add(is_larval, message.linux().map_or(0, |linux| linux.extras.reqid));
}

impl Loader<'_> {
    /// Removes the SAs of a type that the service may remove, and reports those that it has not added: before, if an IKE daemon may
    /// have added them.
    ///
    /// # Errors
    /// Those of the dump, of the deletions and of the record.
    pub(super) fn flush_type(&mut self, sa_type: SaType, target: &mut Target) -> Result<(), SadbError> {
        // Only then: a list of all SAs takes its time.
        let managers = if target.records.is_some() { key_managers::running() } else { Vec::new() };
        let is_reported = match &target.records {
            Some(records) if !managers.is_empty() => {
                let foreign = records.foreign(sa_type, &mut *target.sadb)?;
                self.announce_removal(&foreign, &managers);
                true
            }
            _ => false,
        };
        let removed = target.flush(sa_type)?;
        if !is_reported {
            self.report_foreign(&removed);
        }
        Ok(())
    }

    /// Reports SAs that the next step removes.
    pub(super) fn announce_removal(&mut self, foreign: &ForeignSas, managers: &[String]) {
        if foreign.count > 0 {
            self.log.event(&event::foreign::removing_foreign(foreign, managers));
        }
    }

    /// Reports removed SAs.
    pub(super) fn report_foreign(&mut self, removed: &ForeignSas) {
        if removed.count > 0 {
            self.log.event(&event::foreign::removed_foreign(removed));
        }
    }
}

impl Target {
    /// Whether a flush leaves no SA.
    pub(super) fn is_emptied(&self) -> bool {
        self.owned.is_none() && self.records.as_ref().is_none_or(|records| records.others.is_empty())
    }

    /// Removes the SAs of a type that the service may remove; returns those that it has not added.
    /// Which program has added an SA that exists; `None` if that is unknown.
    pub(super) fn existing(&mut self, id: SaId) -> Option<Existing> {
        let added = self.sadb.get(&id.request()).ok()?.add_time();
        let own = self.owned.as_ref().or_else(|| self.records.as_ref()?.own.as_ref())?;
        // Not `owns`: the record has the SAs of this load already, with the time from which they may be added.
        Some(if own.added_at(id) == Some(added) { Existing::Own } else { Existing::Foreign })
    }

    fn flush(&mut self, sa_type: SaType) -> Result<ForeignSas, SadbError> {
        match (&mut self.owned, &self.records) {
            (Some(owned), _) => owned.flush(sa_type, &mut *self.sadb)?,
            (None, Some(records)) => return records.flush(sa_type, &mut *self.sadb),
            (None, None) => self.sadb.flush(sa_type)?,
        }
        Ok(ForeignSas::default())
    }
}
