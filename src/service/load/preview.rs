//! For `manual-key plan`: what a load would do about policies, and whether that cuts off the one who asks.

use std::io::{self, Write};

use serde::Serialize;

use crate::policy::Policy;
use crate::reconcile::StepKind;
use crate::sadb::Sadb;
use crate::service::exit::Reason;
use crate::service::load::Service;
use crate::service::log::event::Event;
use crate::service::log::policy_event::PolicyEvent;
use crate::service::records::owned_policies::{Asked, Steps};

/// A step as an object.
#[derive(Serialize)]
struct Object {
    step: &'static str,
    policy: String,
}

impl Service<'_> {
    /// The steps for the policies of `asked`, and warnings about them.
    pub(crate) fn foresee(&mut self, asked: &[Asked], sadb: &mut dyn Sadb) -> Result<Steps, Reason> {
        let Some(own) = self.own_policies()? else { return Ok(Steps::default()) };
        let from_sas = self.config.protection.from_sas;
        if !from_sas && own.is_empty() {
            return Ok(Steps::default());
        }
        let wanted = self.wanted(asked)?;
        let there = match sadb.spd() {
            Some(spd) => spd.policies().map_err(|error| self.no_sadb(&error))?,
            None if from_sas => return Err(self.no_spd()),
            None => return Ok(Steps::default()),
        };
        let steps = own.steps(&wanted, &there);
        steps.taken.iter().for_each(|name| self.log.event(&Event::Policy(PolicyEvent::Taken(name))));
        self.warn_of_lockout(&wanted.policies, &steps);
        Ok(steps)
    }

    /// A policy that is there already has not cut anybody off.
    fn warn_of_lockout(&mut self, wanted: &[Policy], steps: &Steps) {
        let Some(session) = self.config.session else { return };
        let Some(policy) = session.blocking_policy(wanted) else { return };
        if steps.add.contains(policy) || steps.replace.contains(policy) {
            self.log.event(&Event::Policy(PolicyEvent::CutsOff { name: &policy.id, peer: session.client() }));
        }
    }
}

/// Writes a line for each step, in the words or objects of a plan.
///
/// # Errors
/// The writer's.
pub(crate) fn write(out: &mut dyn Write, steps: &Steps, json: bool) -> io::Result<()> {
    let new = |deed, policies| {
        std::iter::repeat(deed).zip(policies).map(|(deed, policy): (StepKind, &Policy)| (deed, policy.to_string()))
    };
    let told = new(StepKind::Add, &steps.add)
        .chain(new(StepKind::Replace, &steps.replace))
        .chain(steps.remove.iter().map(|name| (StepKind::Remove, name.to_string())));
    for (deed, policy) in told {
        if json {
            serde_json::to_writer(&mut *out, &Object { step: deed.word(), policy })?;
            writeln!(out)?;
        } else {
            writeln!(out, "{:8}policy {policy}", deed.word())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Action, Direction, Net, PolicyId, Selector};

    #[test]
    fn a_line_for_each_step() {
        let name = |direction| {
            let selector = Selector::between(Net::host([10, 0, 0, 1].into()), Net::host([10, 0, 0, 2].into()));
            PolicyId { direction, selector, mark: None, if_id: 0 }
        };
        let policy = Policy { id: name(Direction::Out), action: Action::Allow, priority: 3, templates: Vec::new() };
        let steps = Steps { add: vec![policy], remove: vec![name(Direction::In)], ..Steps::default() };
        let told = |json| {
            let mut out = Vec::new();
            write(&mut out, &steps, json).unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = "add     policy src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 3\n\
                    remove  policy src 10.0.0.1/32 dst 10.0.0.2/32 dir in\n";
        assert_eq!(told(false), text);
        let first = r#"{"step":"add","policy":"src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 3"}"#;
        assert_eq!(told(true).lines().next(), Some(first));
    }
}
