//! The record of the policies that the service has installed for `policy = "from-sas"`, one for each network namespace.
//!
//! A policy is the service's if the kernel has one with its identity and its values that was added at the recorded second. A
//! policy that existed before, or that another program installed since, is never changed. Identities are recorded before the
//! policies are added, values after it.

mod entry;
mod read_back;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use entry::{Entry, RecordedPolicy};

use super::added::Added;
use super::runtime_file::{self, Readers};
use crate::policy::derive::Derived;
use crate::policy::{ListedPolicy, Policy, PolicyId};
use crate::redact::shown;
use crate::sadb::{SadbError, Spd};
use crate::sys::net::interfaces::network_namespace;

/// ENOENT: another program has removed the policy already.
const NO_SUCH_POLICY: i32 = 2;

/// The steps from the installed to the desired policies.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicySteps {
    pub(crate) add: Vec<Policy>,
    /// New versions of the service's own policies.
    pub(crate) replace: Vec<Policy>,
    /// The service's own that are not desired any more.
    pub(crate) remove: Vec<PolicyId>,
    /// Number of desired policies that are installed.
    pub(crate) kept: usize,
    /// Desired policies that cannot be added: a different, foreign policy has the identity.
    pub(crate) conflicts: Vec<PolicyId>,
}

impl PolicySteps {
    /// Whether there are no steps.
    pub(crate) fn is_empty(&self) -> bool {
        self.add.is_empty() && self.replace.is_empty() && self.remove.is_empty()
    }
}

/// The outcome of [`OwnedPolicies::install`].
#[derive(Debug, Default)]
pub(crate) struct Installation {
    pub(crate) steps: PolicySteps,
    /// Policies that the kernel refused.
    pub(crate) refused: Vec<(PolicyId, SadbError)>,
    /// Policies that the kernel accepted, and that another program has removed or replaced since.
    pub(crate) missing: Vec<PolicyId>,
    /// Policies that the kernel has not understood as they were meant, and that were removed again.
    pub(crate) misread: Vec<PolicyId>,
    /// What the kernel made of misread policies, if it could not be removed.
    pub(crate) left: Vec<PolicyId>,
}

impl Installation {
    /// Number of desired policies that are not installed.
    pub(crate) fn failures(&self) -> usize {
        self.steps.conflicts.len() + self.refused.len() + self.missing.len() + self.misread.len()
    }
}

/// A policy of the service that is not installed any more, or not as the service installed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LostPolicy {
    pub(crate) id: PolicyId,
    /// Whether a different policy of another program has its identity.
    pub(crate) is_replaced: bool,
}

/// The service's policies in this network namespace.
pub(crate) struct OwnedPolicies {
    directory: PathBuf,
    file: String,
    record: HashMap<PolicyId, RecordedPolicy>,
}

impl OwnedPolicies {
    /// The record in `directory`; empty if there is none yet.
    ///
    /// # Errors
    /// [`SadbError::Unavailable`] if it cannot be read or parsed.
    pub(crate) fn read(directory: &Path) -> Result<Self, SadbError> {
        // One file for each namespace: several may share /run.
        let file = format!("policies-{}.json", network_namespace().unwrap_or(0));
        let record: Option<Vec<Entry>> =
            runtime_file::read(directory, &file).map_err(|source| unusable(directory, &file, source))?;
        let record = record.unwrap_or_default().into_iter().map(Entry::into_pair).collect();
        Ok(Self { directory: directory.to_owned(), file, record })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.record.is_empty()
    }

    /// Whether an installed policy is the service's.
    pub(crate) fn owns(&self, listed: &ListedPolicy) -> bool {
        self.record.get(&listed.policy.id).is_some_and(|recorded| recorded.fits(listed))
    }

    /// The steps after which the service's policies are the desired ones. A policy whose SA may need it, depending on addresses
    /// that come and go, is neither added nor removed.
    pub(crate) fn steps(&self, desired: &Derived, installed: &[ListedPolicy]) -> PolicySteps {
        let by_id: HashMap<&PolicyId, &ListedPolicy> = installed.iter().map(|listed| (&listed.policy.id, listed)).collect();
        let to_keep: HashSet<&PolicyId> =
            desired.policies.iter().map(|policy| &policy.id).chain(&desired.keep_if_present).collect();
        let mut steps = PolicySteps::default();
        for policy in &desired.policies {
            match by_id.get(&policy.id) {
                None => steps.add.push(policy.clone()),
                Some(listed) if is_equivalent(&listed.policy, policy, self.owns(listed)) => steps.kept += 1,
                Some(listed) if self.owns(listed) => steps.replace.push(policy.clone()),
                Some(_) => steps.conflicts.push(policy.id),
            }
        }
        // Only what the kernel lists: entries of policies that another program removed need no step.
        let own = installed.iter().filter(|listed| self.owns(listed)).map(|listed| listed.policy.id);
        steps.remove = own.filter(|id| !to_keep.contains(id)).collect();
        steps
    }

    /// The desired policies that are not installed, or have other values than the service gave them.
    pub(crate) fn lost(&self, desired: &Derived, installed: &[ListedPolicy]) -> Vec<LostPolicy> {
        let PolicySteps { add, replace, conflicts, .. } = self.steps(desired, installed);
        let lost = add.iter().chain(&replace).map(|policy| LostPolicy { id: policy.id, is_replaced: false });
        lost.chain(conflicts.into_iter().map(|id| LostPolicy { id, is_replaced: true })).collect()
    }

    /// The recorded policies that are not installed, or not as they were recorded.
    pub(crate) fn unlisted(&self, installed: &[ListedPolicy]) -> Vec<LostPolicy> {
        let by_id: HashMap<&PolicyId, &ListedPolicy> = installed.iter().map(|listed| (&listed.policy.id, listed)).collect();
        let lost = |id: &PolicyId| match by_id.get(id) {
            Some(listed) if self.owns(listed) => None,
            other => Some(LostPolicy { id: *id, is_replaced: other.is_some() }),
        };
        self.record.keys().filter_map(lost).collect()
    }

    /// Adds and replaces policies, so that all desired ones are installed; removes none.
    ///
    /// # Errors
    /// Those of listing policies; [`SadbError::Unavailable`] if the record cannot be written.
    pub(crate) fn install(&mut self, desired: &Derived, spd: &mut dyn Spd) -> Result<Installation, SadbError> {
        let before = spd.policies()?;
        let steps = self.steps(desired, &before);
        if steps.add.is_empty() && steps.replace.is_empty() {
            return Ok(Installation { steps, ..Installation::default() });
        }
        self.intend(&steps)?;
        let new = || steps.add.iter().chain(&steps.replace);
        // insert fails if the policy exists, so a foreign one added meanwhile is not replaced.
        let mut outcomes = spd.insert(&steps.add);
        outcomes.extend(spd.replace(&steps.replace));
        let failed = new().zip(outcomes).filter_map(|(policy, outcome)| Some((policy.id, outcome.err()?)));
        let refused: Vec<(PolicyId, SadbError)> = failed.collect();
        // Listed again: a kernel may ignore an attribute that it does not support, or have another layout of the structures.
        let after = spd.policies()?;
        let accepted = new().filter(|policy| refused.iter().all(|(id, _)| *id != policy.id));
        let differing = read_back::compare(accepted, &after);
        let left = read_back::remove(&differing.misread, &before, desired, spd)?;
        self.confirm(spd)?;
        let misread = differing.misread.iter().map(|policy| policy.id).collect();
        let missing = differing.replaced;
        Ok(Installation { steps, refused, missing, misread, left })
    }

    /// Removes the service's policies that are not desired, and returns their number.
    ///
    /// # Errors
    /// Those of listing and removing policies; [`SadbError::Unavailable`] if the record cannot be written.
    pub(crate) fn remove_stale(&mut self, desired: &Derived, spd: &mut dyn Spd) -> Result<usize, SadbError> {
        let remove = self.steps(desired, &spd.policies()?).remove;
        for outcome in spd.remove(&remove) {
            match outcome {
                Ok(()) | Err(SadbError::Refused { errno: NO_SUCH_POLICY, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // The record may also have entries of policies that another program removed.
        if !remove.is_empty() || (desired.policies.is_empty() && !self.is_empty()) {
            self.confirm(spd)?;
        }
        Ok(remove.len())
    }

    /// Records what is about to be added. A policy to replace stays the service's until then.
    fn intend(&mut self, steps: &PolicySteps) -> Result<(), SadbError> {
        let soon = RecordedPolicy::added(Added::soon());
        self.record.extend(steps.add.iter().map(|policy| (policy.id, soon.clone())));
        for policy in &steps.replace {
            self.record.entry(policy.id).and_modify(|recorded| *recorded = recorded.again());
        }
        self.write()
    }

    /// Records the add times and values of the service's policies.
    fn confirm(&mut self, spd: &mut dyn Spd) -> Result<(), SadbError> {
        let installed = spd.policies()?;
        let own = installed.iter().filter(|listed| self.owns(listed));
        // Refused and vanished policies are not in the list, and leave the record here.
        self.record = own.map(|listed| (listed.policy.id, RecordedPolicy::installed(listed))).collect();
        self.write()
    }

    fn write(&self) -> Result<(), SadbError> {
        let record: Vec<(&PolicyId, &RecordedPolicy)> = self.record.iter().collect();
        runtime_file::write(&self.directory, &self.file, Readers::Owner, &record)
            .map_err(|source| unusable(&self.directory, &self.file, source))
    }
}

/// Whether `installed` has the effect of `desired`. A foreign policy may have another priority: its owner decides.
fn is_equivalent(installed: &Policy, desired: &Policy, is_own: bool) -> bool {
    (installed.action, &installed.templates) == (desired.action, &desired.templates)
        && (!is_own || installed.priority == desired.priority)
}

fn unusable(directory: &Path, file: &str, source: std::io::Error) -> SadbError {
    let path = directory.join(file);
    SadbError::Unavailable { what: format!("{}: the record of the service's own policies", shown(&path)), source }
}

#[cfg(test)]
mod tests;
