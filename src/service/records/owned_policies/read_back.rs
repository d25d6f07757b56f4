//! New policies are read back from the kernel. A policy without its template lets packets pass in the clear, so what the kernel has
//! not understood is removed again.
//!
//! Seen with 32-bit programs on 64-bit x86 (the template is lost: `struct xfrm_userpolicy_info` has another length), and on Linux
//! 4.18, which ignores `XFRMA_IF_ID` without an error.

use std::collections::{HashMap, HashSet};

use crate::policy::derive::Derived;
use crate::policy::{ListedPolicy, Policy, PolicyAction, PolicyId, Template};
use crate::sadb::{SadbError, Spd};

/// New policies that the kernel does not list as they were sent.
#[derive(Default)]
pub(super) struct Differing<'p> {
    /// Not listed, or with less protection.
    pub(super) misread: Vec<&'p Policy>,
    /// Another policy has the identity, which protects as much: another program has replaced it.
    pub(super) replaced: Vec<PolicyId>,
}

/// Compares the policies that the kernel has `accepted` with those that it lists.
pub(super) fn compare<'p>(accepted: impl Iterator<Item = &'p Policy>, listed: &[ListedPolicy]) -> Differing<'p> {
    let by_id: HashMap<&PolicyId, &Policy> = listed.iter().map(|listed| (&listed.policy.id, &listed.policy)).collect();
    let mut differing = Differing::default();
    for policy in accepted {
        match by_id.get(&policy.id) {
            Some(found) if *found == policy => {}
            Some(found) if !is_weaker(found, policy) => differing.replaced.push(policy.id),
            _ => differing.misread.push(policy),
        }
    }
    differing
}

/// Whether `found` lets packets pass that `policy` protects or drops.
fn is_weaker(found: &Policy, policy: &Policy) -> bool {
    let required = |policy: &Policy| policy.templates.iter().filter(|template: &&Template| !template.optional).count();
    let is_open = policy.action == PolicyAction::Block || required(found) < required(policy);
    found.action == PolicyAction::Allow && is_open
}

/// Removes the `misread` policies, and returns the identities of those that are still there. `before`: the policies before any was
/// added.
///
/// # Errors
/// Those of listing policies.
pub(super) fn remove(
    misread: &[&Policy],
    before: &[ListedPolicy],
    desired: &Derived,
    spd: &mut dyn Spd,
) -> Result<Vec<PolicyId>, SadbError> {
    if misread.is_empty() {
        return Ok(Vec::new());
    }
    // A kernel that misreads the selector of a request to add a policy misreads it in the same way in one to remove it. An error
    // has no consequence: the list shows what is left.
    let ids: Vec<PolicyId> = misread.iter().map(|policy| policy.id).collect();
    spd.remove(&ids);
    // Without its mark or its XFRM interface it has another identity.
    let known: HashSet<&PolicyId> =
        before.iter().map(|listed| &listed.policy.id).chain(desired.policies.iter().map(|policy| &policy.id)).collect();
    let is_trace = |id: &PolicyId| {
        let has_selector = |own: &PolicyId| (own.direction, own.selector) == (id.direction, id.selector);
        ids.contains(id) || !known.contains(id) && ids.iter().any(has_selector)
    };
    let traces = |listed: Vec<ListedPolicy>| listed.into_iter().map(|listed| listed.policy.id).filter(is_trace).collect();
    let rest: Vec<PolicyId> = traces(spd.policies()?);
    if rest.is_empty() {
        return Ok(rest);
    }
    spd.remove(&rest);
    Ok(traces(spd.policies()?))
}
