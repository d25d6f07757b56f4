//! The policies of a source, compared with those that the service derives from the SAs of the new keys file.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::cli::tools::policy_lines::associations;
use crate::convert::ImportedPolicy;
use crate::keyfile::SaCommand;
use crate::policy::derive::{Rules, derive};
use crate::policy::{PolicyDirection, PolicyId, PolicySa};
use crate::redact::{Expected, is_citable};
use crate::sys::net::interfaces::is_local;

/// The messages about `policies`: one about those that the service derives from the SAs of `commands`, one for each other.
pub(super) fn messages(policies: &[ImportedPolicy], commands: &[SaCommand]) -> Vec<(u32, String)> {
    let Some(first) = policies.first() else { return Vec::new() };
    let derived = derived(policies, commands);
    let is_derived = |policy: &&ImportedPolicy| policy.other.is_none() && policy.id.is_some_and(|id| derived.contains(&id));
    let (same, others): (Vec<_>, Vec<_>) = policies.iter().partition(is_derived);
    let mut messages = Vec::new();
    if !same.is_empty() {
        let line = same.first().map_or(first.line, |policy| policy.line);
        let count = match same.len() {
            1 => "1 policy is one".to_owned(),
            count => format!("{count} policies are those"),
        };
        messages.push((line, format!("{count} that the service installs with policy = \"from-sas\"")));
    }
    messages.extend(others.into_iter().map(|policy| (policy.line, other(policy))));
    messages
}

fn other(policy: &ImportedPolicy) -> String {
    let is_shown = |id: &PolicyId| {
        [id.selector.src, id.selector.dst].iter().all(|net| is_citable(net.to_string().as_bytes(), Expected::Address))
    };
    let id = policy.id.filter(is_shown).map_or_else(String::new, |id| format!(" {id}"));
    let reason = policy.other.as_deref().unwrap_or("no SA of this file needs it");
    format!("the policy{id} is not one that policy = \"from-sas\" installs ({reason}): keep it with `ip xfrm policy`")
}

/// The identities of the policies that the service derives, on the host that the policies are for.
fn derived(policies: &[ImportedPolicy], commands: &[SaCommand]) -> HashSet<PolicyId> {
    let own = own_addresses(policies);
    let sas: Vec<PolicySa> = commands.iter().flat_map(associations).collect();
    let is_own = |addr: IpAddr| if own.is_empty() { is_local(addr) } else { own.contains(&addr) };
    let derived = derive(&sas.iter().collect::<Vec<_>>(), &is_own, Rules::default());
    derived.policies.into_iter().map(|policy| policy.id).collect()
}

/// The addresses of the host: a policy for outgoing packets begins there, one for incoming packets ends there.
fn own_addresses(policies: &[ImportedPolicy]) -> HashSet<IpAddr> {
    let mut own = HashSet::new();
    for policy in policies {
        let Some(id) = policy.id else { continue };
        let is_out = id.direction == PolicyDirection::Out;
        let hosts = (id.selector.src, id.selector.dst);
        let net = if is_out { hosts.0 } else { hosts.1 };
        let ends = policy.ends.iter().map(|ends| if is_out { ends.0 } else { ends.1 });
        let tunnels: Vec<IpAddr> = ends.filter(|addr| !addr.is_unspecified()).collect();
        // In transport mode the template has no addresses, and the selector has those of the hosts.
        own.extend(Some(net.addr()).filter(|_| tunnels.is_empty() && net.free_bits() == 0));
        own.extend(tunnels);
    }
    own
}
