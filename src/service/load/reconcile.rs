//! `refresh = "reconcile"`, and `manual-key plan`: only what differs between the keys file and the SADB is touched, all of it or
//! nothing.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;

use crate::reconcile::{
    self, ExecuteError, FingerprintKey, Goal, GoalError, Plan, PlanError, PlanOptions, PlanScope, SequenceSnapshot, Step,
    Summary,
};
use crate::sa::{Request, SaId};
use crate::sadb::Sadb;
use crate::service::exit::Reason;
use crate::service::load::keys::{Action, Numbered};
use crate::service::load::preview;
use crate::service::load::{Service, reason_of};
use crate::service::log::answered;
use crate::service::log::event::{Event, Left};
use crate::service::records::owned_sas::{Name, Owned};

impl Service<'_> {
    /// Makes the SADB what the keys file asks for.
    pub(crate) fn reconcile(&mut self, file: &Path, mut commands: Vec<Numbered>, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        let asked = self.asked(&mut commands);
        let goal = self.goal(file, commands)?;
        let raised = self.raise_for(asked, sadb)?;
        // If it fails, the SAs that were there are there again, and keep their policies.
        self.converge(file, &goal, sadb)?;
        self.lower(raised, sadb)
    }

    fn converge(&mut self, file: &Path, goal: &Goal, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        let salt = self.salt()?;
        let plan = self.find(goal, salt, sadb)?;
        let (summary, is_idle) = (Summary::of(&plan), plan.steps.is_empty());
        if let Some(owned) = self.owned.as_mut().filter(|_| !is_idle) {
            owned.intend_steps(plan.steps.iter().map(Step::id)).map_err(|error| self.no_sadb(&error))?;
        }
        self.keep_numbers(&plan);
        let mut touched: HashSet<Name> = plan.steps.iter().map(|step| Name::from(step.id())).collect();
        let done = reconcile::execute(plan, sadb, &mut |_| self.log.progress());
        for note in sadb.take_warnings() {
            self.log.event(&Event::Remark(&note));
        }
        if let Err(failed) = &done {
            touched.retain(|name| !failed.foreign.iter().any(|id| Name::from(*id) == *name));
        }
        if !is_idle {
            let wanted = if self.owned.is_some() { touched } else { goal.ids().map(Name::from).collect() };
            self.record(&wanted, sadb)?;
        }
        done.map_err(|failed| self.not_reconciled(file, &failed))?;
        if !is_idle {
            self.verify(goal, salt, sadb)?;
        }
        self.log.event(&Event::Reconciled { summary, sas: goal.len(), file });
        Ok(())
    }

    /// `manual-key plan`: tells what [`Self::reconcile`] would do.
    pub(crate) fn plan(&mut self, json: bool) -> Result<(), Reason> {
        let (file, text) = self.read()?;
        let mut commands = self.parse(&file, &text, Left::Unasked)?;
        drop(text);
        let asked = self.asked(&mut commands);
        let goal = self.goal(&file, commands)?;
        let mut sadb = self.open()?;
        let salt = self.salt()?;
        let plan = self.find(&goal, salt, &mut *sadb)?;
        let policies = self.foresee(&asked, &mut *sadb)?;
        let mut out = io::stdout().lock();
        let write_plan: fn(&mut dyn Write, &Plan) -> io::Result<()> =
            if json { reconcile::write_json } else { reconcile::write_text };
        let written = preview::write(&mut out, &policies, json).and_then(|()| write_plan(&mut out, &plan));
        answered(written.and_then(|()| out.flush()))?;
        if plan.steps.is_empty() && policies.is_empty() { Ok(()) } else { Err(Reason::Drift) }
    }

    fn goal(&mut self, file: &Path, commands: Vec<Numbered>) -> Result<Goal, Reason> {
        goal(commands).map_err(|unfit| {
            self.log.event(&Event::Unfit { file, unfit: &unfit });
            Reason::Configuration
        })
    }

    pub(crate) fn salt(&mut self) -> Result<FingerprintKey, Reason> {
        FingerprintKey::random().map_err(|error| {
            self.log.event(&Event::NoRandom(&error.to_string()));
            Reason::Other
        })
    }

    fn find(&mut self, goal: &Goal, salt: FingerprintKey, sadb: &mut dyn Sadb) -> Result<Plan, Reason> {
        let owns = |id: &SaId, added| self.owned.as_ref().is_some_and(|owned: &Owned| owned.owns(*id, added));
        let scope = if self.owned.is_some() { PlanScope::Owned(&owns) } else { PlanScope::All };
        let carried = |id: &SaId, request: &Request| self.sequence.as_ref()?.of(id, request);
        let options = PlanOptions { scope, fingerprint_key: salt, saved_counters: &carried };
        reconcile::plan(goal, sadb, &options).map_err(|obstacle| match obstacle {
            PlanError::Sadb(error) => self.no_sadb(&error),
            PlanError::Foreign { .. } => {
                self.log.event(&Event::Foreign(&obstacle));
                Reason::Refused
            }
        })
    }

    fn not_reconciled(&mut self, file: &Path, failed: &ExecuteError) -> Reason {
        self.log.event(&Event::NotReconciled { file, failed });
        reason_of(&failed.source)
    }

    /// Writes down how far the SAs have come that are removed.
    fn keep_numbers(&mut self, plan: &Plan) {
        let Some(sequence) = &mut self.sequence else { return };
        let removed: Vec<SequenceSnapshot> = plan.removed(sequence.salt()).collect();
        if !removed.is_empty() {
            let kept = sequence.keep(removed);
            self.note_numbers(kept);
        }
    }

    /// Reads every SA of the file back.
    pub(crate) fn verify(&mut self, goal: &Goal, salt: FingerprintKey, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        let wrong = reconcile::verify(goal, sadb, salt).map_err(|error| self.no_sadb(&error))?;
        wrong.iter().for_each(|step| self.log.event(&Event::Differs(step)));
        if wrong.is_empty() { Ok(()) } else { Err(Reason::Refused) }
    }
}

/// What the commands ask for.
pub(crate) fn goal(commands: impl IntoIterator<Item = Numbered>) -> Result<Goal, GoalError> {
    let mut goal = Goal::default();
    for Numbered { line, action } in commands {
        match action {
            Action::Sa(command) => goal.take(line, command)?,
            Action::Flush(sa_type) => goal.flush(sa_type),
        }
    }
    goal.finish()
}
