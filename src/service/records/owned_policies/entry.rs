//! An entry of the record of policies.

use serde::{Deserialize, Serialize};

use super::Added;
use crate::policy::{ListedPolicy, PolicyId};

/// The properties by which a listed policy is recognised as the service's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RecordedPolicy {
    added: Added,
    /// The policy as the kernel listed it, in the syntax of ip-xfrm(8); `None` while it is being added or replaced. The time
    /// alone does not distinguish it from a policy that replaced it within the same second.
    values: Option<String>,
}

impl RecordedPolicy {
    /// Of a policy with any values.
    pub(super) fn added(added: Added) -> Self {
        Self { added, values: None }
    }

    /// Of an installed policy.
    pub(super) fn installed(listed: &ListedPolicy) -> Self {
        Self { added: Added::At(listed.added), values: Some(listed.policy.to_string()) }
    }

    /// Of one that is about to be replaced: with its old values or new ones.
    pub(super) fn again(&self) -> Self {
        Self::added(self.added.again())
    }

    /// Whether `listed`, a policy with the identity of this entry, may be the recorded one.
    pub(super) fn fits(&self, listed: &ListedPolicy) -> bool {
        self.added.fits(listed.added) && self.values.as_ref().is_none_or(|values| *values == listed.policy.to_string())
    }
}

/// An entry of the file.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Entry {
    Policy(PolicyId, RecordedPolicy),
    /// In files of versions that recorded times only.
    Time(PolicyId, Added),
}

impl Entry {
    pub(super) fn into_pair(self) -> (PolicyId, RecordedPolicy) {
        match self {
            Self::Policy(id, recorded) => (id, recorded),
            Self::Time(id, added) => (id, RecordedPolicy::added(added)),
        }
    }
}
