//! The policies that follow the service's SAs, for `policy = "from-sas"`; and which policies are its own: a record beside its
//! socket, one for each network namespace.
//!
//! A policy is the service's while the kernel has one of that name that was added at the recorded second. What somebody has
//! put in its place since, and what was there before, is not, and is never touched. Names are recorded before they are added.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::apply::aim_at;
use crate::keyfile::Verb;
use crate::policy::derive::{Derived, derive};
use crate::policy::{ListedPolicy, Policy, PolicyId, PolicySa};
use crate::redact::shown;
use crate::sa::SaType;
use crate::sadb::{SadbError, Spd};
use crate::service::load::keys::{Action, Numbered};
use crate::service::records::added::Added;
use crate::service::records::recorded::Recorded;
use crate::service::records::runtime_file::{self, Readers};
use crate::sys::net::interfaces::network_namespace;

/// ENOENT: somebody has removed it already.
const NO_SUCH_POLICY: i32 = 2;

/// An SA of the keys file, with the first line of its command.
pub(crate) type Asked = (u32, PolicySa);

/// The SAs that there are once `commands` are done, in the order of their lines.
pub(crate) fn asked(commands: &mut [Numbered]) -> Vec<Asked> {
    let mut sas: Vec<Asked> = Vec::new();
    for Numbered { line, action } in commands {
        match action {
            Action::Flush(sa_type) => sas.retain(|(_, sa)| *sa_type != SaType::UNSPEC && sa.id.sa_type != *sa_type),
            Action::Sa(command) => {
                let said = (command.request.src, command.request.dst);
                for target in &command.targets {
                    aim_at(&mut command.request, *target);
                    let Some(sa) = PolicySa::of_request(&command.request) else { continue };
                    match command.verb {
                        Verb::Add => sas.push((*line, sa)),
                        Verb::Delete | Verb::DeletePair => sas.retain(|(_, other)| other.id != sa.id),
                        Verb::Update | Verb::UpdatePair | Verb::Get => {}
                    }
                }
                (command.request.src, command.request.dst) = said;
            }
        }
    }
    sas
}

/// The policies that SAs of a keys file ask for. `local` are the addresses of this system.
pub(crate) fn wanted(asked: &[Asked], local: &HashSet<IpAddr>) -> Derived {
    let sas: Vec<&PolicySa> = asked.iter().map(|(_, sa)| sa).collect();
    derive(&sas, &|addr| local.contains(&addr))
}

/// What is to be done about policies.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    /// To be added.
    pub(crate) add: Vec<Policy>,
    /// To be put in the place of the service's own of that name.
    pub(crate) replace: Vec<Policy>,
    /// The service's own that nobody wants any more.
    pub(crate) remove: Vec<PolicyId>,
    /// As it should be.
    pub(crate) kept: usize,
    /// Wanted, but another policy for these packets is there that is not the service's and says something else.
    pub(crate) taken: Vec<PolicyId>,
}

impl Steps {
    /// Whether there is nothing to be done.
    pub(crate) fn is_empty(&self) -> bool {
        self.add.is_empty() && self.replace.is_empty() && self.remove.is_empty()
    }
}

/// What came of the additions.
#[derive(Debug, Default)]
pub(crate) struct Raised {
    /// What there was to be done.
    pub(crate) steps: Steps,
    /// What the kernel has refused.
    pub(crate) refused: Vec<(PolicyId, SadbError)>,
    /// What was not refused, and is not there or is otherwise than asked for.
    pub(crate) missing: Vec<PolicyId>,
}

impl Raised {
    /// Whether every policy that is wanted is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.steps.taken.is_empty() && self.refused.is_empty() && self.missing.is_empty()
    }
}

/// The service's own policies in this network namespace.
pub(crate) struct Policies {
    directory: PathBuf,
    file: String,
    record: HashMap<PolicyId, Added>,
}

impl Policies {
    /// The record in `directory`; empty if there is none yet.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] if it cannot be read or understood.
    pub(crate) fn read(directory: &Path) -> Result<Self, SadbError> {
        let file = format!("policies-{}.json", network_namespace().unwrap_or(0));
        let record: Option<Vec<(Recorded, Added)>> =
            runtime_file::read(directory, &file).map_err(|source| unusable(directory, &file, source))?;
        let record = record.unwrap_or_default().into_iter().map(|(name, when)| (name.into(), when)).collect();
        Ok(Self { directory: directory.to_owned(), file, record })
    }

    /// Whether none is recorded.
    pub(crate) fn is_empty(&self) -> bool {
        self.record.is_empty()
    }

    /// Whether a policy that the kernel has is the service's.
    pub(crate) fn owns(&self, listed: &ListedPolicy) -> bool {
        self.record.get(&listed.policy.id).is_some_and(|when| when.fits(listed.added))
    }

    /// What is to be done so that of the service's policies exactly the `wanted` ones are `there`, but for those that may be.
    pub(crate) fn steps(&self, wanted: &Derived, there: &[ListedPolicy]) -> Steps {
        let by_name: HashMap<&PolicyId, &ListedPolicy> = there.iter().map(|listed| (&listed.policy.id, listed)).collect();
        let names: HashSet<&PolicyId> =
            wanted.policies.iter().map(|policy| &policy.id).chain(&wanted.keep_if_present).collect();
        let mut steps = Steps::default();
        for policy in &wanted.policies {
            match by_name.get(&policy.id) {
                None => steps.add.push(policy.clone()),
                Some(listed) if does_it(&listed.policy, policy, self.owns(listed)) => steps.kept += 1,
                Some(listed) if self.owns(listed) => steps.replace.push(policy.clone()),
                Some(_) => steps.taken.push(policy.id),
            }
        }
        let own = there.iter().filter(|listed| self.owns(listed)).map(|listed| listed.policy.id);
        steps.remove = own.filter(|name| !names.contains(name)).collect();
        steps
    }

    /// Adds and replaces, so that all `wanted` policies are there; removes none.
    ///
    /// # Errors
    /// The SADB's; [`SadbError::Unavailable`] if the record cannot be written.
    pub(crate) fn raise(&mut self, wanted: &Derived, spd: &mut dyn Spd) -> Result<Raised, SadbError> {
        let there = spd.policies()?;
        let steps = self.steps(wanted, &there);
        if steps.add.is_empty() && steps.replace.is_empty() {
            return Ok(Raised { steps, ..Raised::default() });
        }
        self.intend(&steps)?;
        let new = || steps.add.iter().chain(&steps.replace);
        let mut outcomes = spd.insert(&steps.add);
        outcomes.extend(spd.replace(&steps.replace));
        let failed = new().zip(outcomes).filter_map(|(policy, outcome)| Some((policy.id, outcome.err()?)));
        let refused: Vec<(PolicyId, SadbError)> = failed.collect();
        let there = self.confirm(spd)?;
        let is_there = |policy: &Policy| there.get(&policy.id).is_some_and(|found| found == policy);
        let is_refused = |policy: &Policy| refused.iter().any(|(name, _)| *name == policy.id);
        let missing = new().filter(|policy| !is_there(policy) && !is_refused(policy)).map(|policy| policy.id).collect();
        Ok(Raised { steps, refused, missing })
    }

    /// Removes the service's policies that are not `wanted`, nor may be; how many those were.
    ///
    /// # Errors
    /// As [`Self::raise`].
    pub(crate) fn lower(&mut self, wanted: &Derived, spd: &mut dyn Spd) -> Result<usize, SadbError> {
        let remove = self.steps(wanted, &spd.policies()?).remove;
        for outcome in spd.remove(&remove) {
            match outcome {
                Ok(()) | Err(SadbError::Refused { errno: NO_SUCH_POLICY, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if !remove.is_empty() || (wanted.policies.is_empty() && !self.is_empty()) {
            self.confirm(spd)?;
        }
        Ok(remove.len())
    }

    /// Records what is about to be added. What is replaced stays the service's until it is.
    fn intend(&mut self, steps: &Steps) -> Result<(), SadbError> {
        let soon = Added::soon();
        self.record.extend(steps.add.iter().map(|policy| (policy.id, soon)));
        for policy in &steps.replace {
            self.record.entry(policy.id).and_modify(|when| *when = when.again());
        }
        self.write()
    }

    /// Records which of the service's policies are there, and returns all that are.
    fn confirm(&mut self, spd: &mut dyn Spd) -> Result<HashMap<PolicyId, Policy>, SadbError> {
        let there = spd.policies()?;
        let own = there.iter().filter(|listed| self.owns(listed));
        self.record = own.map(|listed| (listed.policy.id, Added::At(listed.added))).collect();
        self.write()?;
        Ok(there.into_iter().map(|listed| (listed.policy.id, listed.policy)).collect())
    }

    fn write(&self) -> Result<(), SadbError> {
        let record: Vec<(Recorded, Added)> = self.record.iter().map(|(name, when)| (name.into(), *when)).collect();
        runtime_file::write(&self.directory, &self.file, Readers::Owner, &record)
            .map_err(|source| unusable(&self.directory, &self.file, source))
    }
}

/// Whether `found` does what `wanted` asks. Somebody else's may have another priority.
fn does_it(found: &Policy, wanted: &Policy, is_own: bool) -> bool {
    (found.action, &found.templates) == (wanted.action, &wanted.templates) && (!is_own || found.priority == wanted.priority)
}

fn unusable(directory: &Path, file: &str, source: std::io::Error) -> SadbError {
    let path = directory.join(file);
    SadbError::Unavailable { what: format!("{}: the record of the service's own policies", shown(&path)), source }
}

#[cfg(test)]
mod tests;
