//! Policies that take the packets of SAs: such as block them, or let them pass in the clear; and the default policy.

use super::LIMIT;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::policy::precedence::shadows;
use crate::policy::{Policy, PolicyAction, PolicyDirection};
use crate::sadb::Spd;

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(policies) = &facts.policies else { return };
    let derived = &facts.derived.policies;
    // By their effect: the policies of another program with the same templates protect as well.
    let is_own = |policy: &&Policy| derived.iter().any(|own| own.id == policy.id && has_same_effect(own, policy));
    let (own, others): (Vec<&Policy>, Vec<&Policy>) = policies.iter().partition(is_own);
    for shadow in shadows(&own, &others).own.iter().filter(|shadow| !protects(shadow.by)).take(LIMIT) {
        let effect = if shadow.by.action == PolicyAction::Block { "drops" } else { "passes in the clear" };
        let found =
            format!("the policy {} with priority {} {effect} packets that SAs are for", shadow.by.id, shadow.by.priority);
        findings
            .problem("policies", found, format!("run `ip xfrm policy delete {}`", shadow.by.id))
            .because(format!("it precedes {}, priority {}", shadow.of.id, shadow.of.priority));
    }
    for policy in others.iter().filter(|policy| derived.iter().any(|own| own.id == policy.id)).take(LIMIT) {
        if policy.action == PolicyAction::Block || policy.templates.is_empty() {
            let effect = if policy.action == PolicyAction::Block { "drops" } else { "passes in the clear" };
            let fix = format!("run `ip xfrm policy delete {}`, then {}", policy.id, super::policies::install(facts));
            findings.problem("policies", format!("the policy {} {effect} packets that SAs are for", policy.id), fix);
        }
    }
    if facts.is_kernel {
        warn_of_default(facts, findings);
    }
}

fn has_same_effect(own: &Policy, policy: &Policy) -> bool {
    own.action == policy.action && own.templates.len() == policy.templates.len()
}

fn protects(policy: &Policy) -> bool {
    policy.action == PolicyAction::Allow && policy.templates.iter().any(|template| !template.optional)
}

/// Names the directions in which the kernel drops packets without a policy.
fn warn_of_default(facts: &Facts<'_>, findings: &mut Findings) {
    let blocked = facts.session.open().and_then(|mut sadb| sadb.spd().map(Spd::blocked_by_default).transpose());
    let Ok(Some(blocked)) = blocked else { return };
    if !blocked.is_empty() {
        let names: Vec<String> = blocked.iter().map(PolicyDirection::to_string).collect();
        let found = format!("packets without a policy are dropped (default policy block: {})", names.join(", "));
        let accept: Vec<String> = names.iter().map(|name| format!("{name} accept")).collect();
        findings.warn(
            "policies",
            found,
            format!("if this is not intended: `ip xfrm policy setdefault {}`", accept.join(" ")),
        );
    }
}
