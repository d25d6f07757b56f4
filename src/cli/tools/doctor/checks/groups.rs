//! SAs of multicast groups, and of protocols whose daemons listen on all addresses.

use std::collections::HashSet;

use super::LIMIT;
use super::policies::name;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::policy::derive::Derived;
use crate::policy::protocols::open_protocols;
use crate::policy::{Policy, PolicySa};
use crate::sa::SaId;

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let (Some(actual), Some(policies)) = (&facts.actual, &facts.policies) else { return };
    warn_of_groups(&actual.policy_sas, &facts.derived, &facts.own, findings);
    warn_of_open_protocols(&policies.iter().collect::<Vec<_>>(), &actual.policy_sas, findings);
}

/// SAs of groups that protect less than they seem to.
fn warn_of_groups(sas: &[PolicySa], derived: &Derived, own: &HashSet<SaId>, findings: &mut Findings) {
    let some_of = |positions: &[usize]| {
        let own_sas = positions.iter().map(|at| &sas[*at]).filter(|sa| own.contains(&sa.id));
        own_sas.take(LIMIT).collect::<Vec<_>>()
    };
    for sa in some_of(&derived.one_way_groups) {
        let found = format!("the {} is outbound only: what other hosts send to the group is accepted unprotected", name(sa));
        findings.warn("policies", found, "remove outbound from its command, or add inbound");
    }
    for sa in some_of(&derived.of_raw_sockets) {
        let found = format!(
            "the {} is limited to a protocol whose daemons write the IPv4 header themselves: Linux does not see it, and sends in the \
             clear",
            name(sa)
        );
        findings.warn("policies", found, "remove proto from its command");
    }
    for sa in some_of(&derived.shadowed_groups) {
        let found =
            format!("the {} or another one of this group is never used for sending: Linux takes the newest", name(sa));
        findings.warn(
            "policies",
            found,
            "use one SPI and key on all links; to change the keys, give the new SAs another reqid",
        );
    }
}

/// The daemon of a protocol listens on all addresses of the host, also on those without an SA.
fn warn_of_open_protocols(policies: &[&Policy], sas: &[PolicySa], findings: &mut Findings) {
    for protocol in open_protocols(sas, policies) {
        let name = protocol.name;
        let found = format!(
            "SAs protect {name} to some addresses; its packets to all other addresses of this host are accepted unprotected, \
             from any host"
        );
        findings.warn(
            "policies",
            found,
            format!("set protect = [\"{name}\"] in manual-key.toml, with policy = \"from-sas\""),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{Endpoint, Request, SaType, Spi};

    fn sa(spi: u32, dst: u8) -> PolicySa {
        let end = |last| Some(Endpoint { addr: [10, 0, 0, last].into(), port: 0, proto: 0 });
        let request = Request { sa_type: SaType::ESP, spi: Spi(spi), src: end(1), dst: end(dst), ..Request::default() };
        PolicySa::of_request(&request).unwrap()
    }

    #[test]
    fn warn_of_groups_names_them() {
        let derived = Derived { one_way_groups: vec![0], shadowed_groups: vec![1], ..Derived::default() };
        let mut findings = Findings::default();
        warn_of_groups(&[sa(1, 2), sa(2, 2)], &derived, &(1..=2).map(|spi| sa(spi, 2).id).collect(), &mut findings);
        let [one_way, shadowed] = findings.findings() else { panic!("two") };
        assert!(one_way.found.contains("spi 0x1 ") && one_way.fix.contains("outbound"), "{}", one_way.found);
        assert!(shadowed.found.contains("spi 0x2 ") && shadowed.fix.contains("reqid"), "{}", shadowed.found);
    }
}
