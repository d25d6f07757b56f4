//! For `manual-key plan`: the steps of a load for policies. For `plan`, and before a load: whether a policy would cut off the SSH
//! session of the caller.

use std::io::{self, Write};

use serde::Serialize;

use super::file_sas::{FileSa, derive_policies, file_sas};
use super::outcome::Failure;
use super::prepare::KeysFile;
use super::{Loader, Target, keys};
use crate::policy::Policy;
use crate::reconcile::StepKind;
use crate::service::log::event;
use crate::service::records::owned_policies::OwnedPolicies;
pub(super) use crate::service::records::owned_policies::PolicySteps;
use crate::sys::net::interfaces::local_addresses;

/// A step as a JSON object.
#[derive(Serialize)]
struct JsonStep {
    step: &'static str,
    policy: String,
}

impl Loader<'_> {
    /// The steps for the policies of `sas`, with the warnings of a load.
    pub(super) fn preview_policies(&mut self, sas: &[FileSa], target: &mut Target) -> Result<PolicySteps, Failure> {
        let Some(owned) = self.owned_policies()? else { return Ok(PolicySteps::default()) };
        let from_sas = self.config.protection.from_sas;
        if !from_sas && owned.is_empty() {
            return Ok(PolicySteps::default());
        }
        let desired = self.derive_and_warn(sas)?;
        let installed = match target.sadb.spd() {
            Some(spd) => spd.policies().map_err(|error| self.fail_sadb(&error))?,
            None if from_sas => return Err(self.fail_no_spd()),
            None => return Ok(PolicySteps::default()),
        };
        self.warn_of_shared_reqids(sas, target);
        self.warn_of_shadows(&desired.policies.iter().collect::<Vec<_>>(), &installed, &owned);
        let steps = owned.steps(&desired, &installed);
        steps.conflicts.iter().for_each(|id| self.log.event(&event::policy::conflict(id)));
        self.warn_of_lockout(&desired.policies, &steps);
        Ok(steps)
    }

    /// For a load inside an SSH session, before it changes anything. Errors are left to the load, which finds them again.
    pub(super) fn warn_before_load(&mut self, file: &KeysFile, target: &mut Target) {
        if self.config.session.is_none() || !self.config.protection.from_sas {
            return;
        }
        let Ok(mut commands) = keys::parse(&file.contents, self.config.sadb.vocabulary(), self.config.protection.reqid())
        else {
            return;
        };
        let record = self.config.state.as_deref().map(OwnedPolicies::read);
        let (Ok(local), Some(Ok(owned))) = (local_addresses(), record) else { return };
        let desired = derive_policies(&file_sas(&mut commands), &local, self.config.protection.rules);
        let Some(spd) = target.sadb.spd() else { return };
        let Ok(installed) = spd.policies() else { return };
        self.warn_of_lockout(&desired.policies, &owned.steps(&desired, &installed));
    }

    fn warn_of_lockout(&mut self, desired: &[Policy], steps: &PolicySteps) {
        let Some(session) = self.config.session else { return };
        let Some(policy) = session.blocking_policy(desired) else { return };
        // The session works with the policies that are installed already.
        if steps.add.contains(policy) || steps.replace.contains(policy) {
            self.log.event(&event::policy::locks_out(&policy.id, session.client()));
        }
    }
}

/// Writes a line or a JSON object for each step, in the form of [`crate::reconcile::write_text`].
pub(super) fn write(out: &mut dyn Write, steps: &PolicySteps, json: bool) -> io::Result<()> {
    let with_policy = |kind, policies| {
        std::iter::repeat(kind).zip(policies).map(|(kind, policy): (StepKind, &Policy)| (kind, policy.to_string()))
    };
    let all = with_policy(StepKind::Add, &steps.add)
        .chain(with_policy(StepKind::Replace, &steps.replace))
        .chain(steps.remove.iter().map(|id| (StepKind::Remove, id.to_string())));
    for (kind, policy) in all {
        if json {
            serde_json::to_writer(&mut *out, &JsonStep { step: kind.word(), policy })?;
            writeln!(out)?;
        } else {
            writeln!(out, "{:8}policy {policy}", kind.word())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Net, PolicyAction, PolicyDirection, PolicyId, Selector};

    #[test]
    fn write_has_a_line_for_each_step() {
        let id = |direction| {
            let selector = Selector::between(Net::host([10, 0, 0, 1].into()), Net::host([10, 0, 0, 2].into()));
            PolicyId { direction, selector, mark: None, if_id: 0 }
        };
        let policy =
            Policy { id: id(PolicyDirection::Out), action: PolicyAction::Allow, priority: 3, templates: Vec::new() };
        let steps = PolicySteps { add: vec![policy], remove: vec![id(PolicyDirection::In)], ..PolicySteps::default() };
        let written = |json| {
            let mut out = Vec::new();
            write(&mut out, &steps, json).unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = "add     policy src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 3\n\
                    remove  policy src 10.0.0.1/32 dst 10.0.0.2/32 dir in\n";
        assert_eq!(written(false), text);
        let first = r#"{"step":"add","policy":"src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 3"}"#;
        assert_eq!(written(true).lines().next(), Some(first));
    }
}
