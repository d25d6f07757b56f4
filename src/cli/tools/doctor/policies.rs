//! Linux: SAs without a policy, and policies without an SA.

use std::collections::HashSet;

use super::report::HealthReport;
use crate::cli::session::Session;
use crate::names::sa_types;
use crate::policy::derive::{Derived, Rules, derive};
use crate::policy::protocols::open_protocols;
use crate::policy::unmatched::{UnmatchedPositions, unmatched};
use crate::policy::{Policy, PolicyDirection, PolicySa};
use crate::sa::{SERVICE_REQID, SaId};
use crate::sadb::Spd;
use crate::sys::net::interfaces::local_addresses;
use crate::sys::process::key_managers;

/// Findings of one kind that are printed in full; the rest is only counted.
const LIMIT: usize = 3;

/// Compares the policies of the kernel with `sas`; `own` are those of the keys file, this program and the service.
pub(super) fn check(session: &Session<'_>, sas: &[PolicySa], own: &HashSet<SaId>, report: &mut HealthReport) {
    warn_of_default(session, report);
    match session.open().and_then(|mut sadb| sadb.spd().map(Spd::policies).transpose()) {
        Ok(Some(listed)) => {
            let policies: Vec<&Policy> = listed.iter().map(|listed| &listed.policy).collect();
            let managers = key_managers::running();
            let local = local_addresses().unwrap_or_default();
            let derived = derive(&sas.iter().collect::<Vec<_>>(), &|addr| local.contains(&addr), Rules::default());
            compare(&policies, sas, own, (&managers, &derived), report);
            warn_of_groups(sas, &derived, own, report);
            warn_of_open_protocols(&policies, sas, report);
        }
        // On illumos ipsecconf(8) manages the policies.
        Ok(None) => {}
        Err(error) => report.problem("policies", error.to_string(), "run `sudo ipseckey doctor`"),
    }
}

/// Names the directions in which the kernel drops packets without a policy. An error is that of listing the policies, too.
fn warn_of_default(session: &Session<'_>, report: &mut HealthReport) {
    let blocked = session.open().and_then(|mut sadb| sadb.spd().map(Spd::blocked_by_default).transpose());
    let Ok(Some(blocked)) = blocked else { return };
    if !blocked.is_empty() {
        let names: Vec<String> = blocked.iter().map(PolicyDirection::to_string).collect();
        let found = format!("packets without a policy are dropped (default policy block: {})", names.join(", "));
        let accept: Vec<String> = names.iter().map(|name| format!("{name} accept")).collect();
        report.warn("policies", found, format!("if this is not intended: `ip xfrm policy setdefault {}`", accept.join(" ")));
    }
}

/// `managers` are the IKE daemons that are running, `derived` is what `policy = "from-sas"` makes of `sas`.
fn compare(
    policies: &[&Policy],
    sas: &[PolicySa],
    own: &HashSet<SaId>,
    (managers, derived): (&[String], &Derived),
    report: &mut HealthReport,
) {
    let mut unmatched = unmatched(policies, sas);
    // The other program may install its policy later.
    unmatched.sas.retain(|at| own.contains(&sas[*at].id));
    let negotiated = if managers.is_empty() { Vec::new() } else { take_foreign(policies, &mut unmatched) };
    if !negotiated.is_empty() {
        let found = format!("{} of other programs without an SA; running: {}", negotiated.len(), managers.join(", "));
        report.ok("policies", found);
    }
    // A host with thousands of SAs usually has one cause for all of them.
    for at in unmatched.sas.iter().take(LIMIT) {
        let found = format!(
            "no policy uses the {}: Linux sends packets through an SA only if a policy requires it",
            name(&sas[*at])
        );
        report.problem("policies", found, how_to_protect(*at, derived));
    }
    if unmatched.sas.len() > LIMIT {
        let found = format!("{} more without a policy", unmatched.sas.len() - LIMIT);
        report.problem("policies", found, "as above");
    }
    for policy in unmatched.policies.iter().take(LIMIT).map(|at| policies[*at]) {
        let found = format!("no SA for the policy {}: its packets are dropped", policy.id);
        // Never to delete it: its packets would pass in the clear.
        report.warn("policies", found, "load its SA");
    }
    if unmatched.policies.len() > LIMIT {
        let found = format!("{} more without an SA", unmatched.policies.len() - LIMIT);
        report.warn("policies", found, "as above");
    }
    if unmatched.sas.is_empty() && unmatched.policies.is_empty() {
        let count = |direction| policies.iter().filter(|policy| policy.id.direction == direction).count();
        let (inbound, outbound) = (count(PolicyDirection::In), count(PolicyDirection::Out));
        report.ok(
            "policies",
            format!("{outbound} outbound, {inbound} inbound; every SA has a policy, and every policy has an SA"),
        );
    }
}

/// The remedy for the SA at `position`, for which no policy is installed.
fn how_to_protect(position: usize, derived: &Derived) -> String {
    match derived.without.iter().find(|(at, _)| *at == position) {
        Some((_, reason)) => format!("policy = \"from-sas\" makes no policy for it: {reason}"),
        None => {
            "set policy = \"from-sas\" in manual-key.toml and run manual-key refresh, or run the `ip xfrm policy add` that \
                 `ipseckey generate` prints"
                .to_owned()
        }
    }
}

/// SAs of groups that protect less than they seem to.
fn warn_of_groups(sas: &[PolicySa], derived: &Derived, own: &HashSet<SaId>, report: &mut HealthReport) {
    let some_of = |positions: &[usize]| {
        let own_sas = positions.iter().map(|at| &sas[*at]).filter(|sa| own.contains(&sa.id));
        own_sas.take(LIMIT).collect::<Vec<_>>()
    };
    for sa in some_of(&derived.one_way_groups) {
        let found = format!("the {} is outbound only: what other hosts send to the group is accepted unprotected", name(sa));
        report.warn("policies", found, "remove outbound from its command, or add inbound");
    }
    for sa in some_of(&derived.of_raw_sockets) {
        let found = format!(
            "the {} is limited to a protocol whose daemons write the IPv4 header themselves: Linux does not see it, and sends in the \
             clear",
            name(sa)
        );
        report.warn("policies", found, "remove proto from its command");
    }
    for sa in some_of(&derived.shadowed_groups) {
        let found =
            format!("the {} or another one of this group is never used for sending: Linux takes the newest", name(sa));
        report.warn(
            "policies",
            found,
            "use one SPI and key on all links; to change the keys, give the new SAs another reqid",
        );
    }
}

/// The daemon of a protocol listens on all addresses of the host, also on those without an SA.
fn warn_of_open_protocols(policies: &[&Policy], sas: &[PolicySa], report: &mut HealthReport) {
    for protocol in open_protocols(sas, policies) {
        let name = protocol.name;
        let found = format!(
            "SAs protect {name} to some addresses; its packets to all other addresses of this host are accepted unprotected, \
             from any host"
        );
        report.warn("policies", found, format!("set protect = [\"{name}\"] in manual-key.toml, with policy = \"from-sas\""));
    }
}

/// Takes out the policies without an SA that are not the service's: with an IKE daemon, the first packet of a policy triggers the
/// negotiation of its SA.
fn take_foreign(policies: &[&Policy], unmatched: &mut UnmatchedPositions) -> Vec<usize> {
    let is_own = |at: &usize| policies[*at].templates.iter().any(|template| template.reqid == SERVICE_REQID);
    let (own, foreign) = std::mem::take(&mut unmatched.policies).into_iter().partition(is_own);
    unmatched.policies = own;
    foreign
}

fn name(sa: &PolicySa) -> String {
    let sa_type = sa_types::by_number(sa.id.sa_type).map_or("", |row| row.word);
    format!("{sa_type} SA with spi {} and dst {}", sa.id.spi, sa.id.dst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::report::Level;
    use crate::policy::derive::NoPolicy;
    use crate::policy::{Net, PolicyAction, PolicyId, Selector, Template};
    use crate::sa::{Endpoint, Request, SaType, Spi, XfrmMode};

    fn sa(spi: u32, dst: u8) -> PolicySa {
        let end = |last| Some(Endpoint { addr: [10, 0, 0, last].into(), port: 0, proto: 0 });
        let request = Request { sa_type: SaType::ESP, spi: Spi(spi), src: end(1), dst: end(dst), ..Request::default() };
        PolicySa::of_request(&request).unwrap()
    }

    fn policy(dst: u8) -> Policy {
        let host = |last| Net::host([10, 0, 0, last].into());
        let selector = Selector::between(host(1), host(dst));
        let nowhere = [0; 4].into();
        let mode = XfrmMode::TRANSPORT;
        let esp = Template { sa_type: SaType::ESP, mode, src: nowhere, dst: nowhere, spi: 0, reqid: 0, optional: false };
        let id = PolicyId { direction: PolicyDirection::Out, selector, mark: None, if_id: 0 };
        Policy { id, action: PolicyAction::Allow, priority: 0, templates: vec![esp] }
    }

    fn own(spis: std::ops::RangeInclusive<u32>) -> HashSet<SaId> {
        spis.map(|spi| sa(spi, 2).id).collect()
    }

    #[test]
    fn compare_treats_objects_of_an_ike_daemon_as_information() {
        let mut report = HealthReport::default();
        let own_policy =
            Policy { templates: vec![Template { reqid: SERVICE_REQID, ..policy(4).templates[0] }], ..policy(4) };
        let managers = ["charon (pid 7)".to_owned()];
        compare(&[&policy(3), &own_policy], &[sa(1, 2)], &HashSet::new(), (&managers, &Derived::default()), &mut report);
        assert_eq!(report.words(), [(Level::Ok, "policies"), (Level::Warning, "policies")]);
        assert_eq!(report.findings()[0].found, "1 of other programs without an SA; running: charon (pid 7)");
        assert_eq!(report.findings()[1].fix, "load its SA");
    }

    #[test]
    fn compare_finds_nothing_where_sas_and_policies_match() {
        let mut report = HealthReport::default();
        compare(&[&policy(2)], &[sa(1, 2)], &own(1..=1), (&[], &Derived::default()), &mut report);
        assert_eq!(report.words(), [(Level::Ok, "policies")]);
    }

    #[test]
    fn warn_of_groups_names_them() {
        let derived = Derived { one_way_groups: vec![0], shadowed_groups: vec![1], ..Derived::default() };
        let mut report = HealthReport::default();
        warn_of_groups(&[sa(1, 2), sa(2, 2)], &derived, &own(1..=2), &mut report);
        let [one_way, shadowed] = report.findings() else { panic!("two") };
        assert!(one_way.found.contains("spi 0x1 ") && one_way.fix.contains("outbound"), "{}", one_way.found);
        assert!(shadowed.found.contains("spi 0x2 ") && shadowed.fix.contains("reqid"), "{}", shadowed.found);
    }

    #[test]
    fn compare_reports_sas_and_policies_without_each_other() {
        let mut report = HealthReport::default();
        let sas: Vec<PolicySa> = (1..=5).map(|spi| sa(spi, 2)).collect();
        let derived = Derived { without: vec![(1, NoPolicy::TooBroad)], ..Derived::default() };
        compare(&[&policy(3)], &sas, &own(1..=5), (&[], &derived), &mut report);
        let problem = (Level::Problem, "policies");
        assert_eq!(report.words(), [problem, problem, problem, problem, (Level::Warning, "policies")]);
        let [first, second, _, rest, _] = report.findings() else { panic!("five") };
        assert!(first.found.contains("the esp SA with spi 0x1 and dst 10.0.0.2"), "{}", first.found);
        assert!(
            first.fix.starts_with("set policy = \"from-sas\"") && second.fix.contains("specify src or proto"),
            "{}",
            second.fix
        );
        assert_eq!(rest.found, "2 more without a policy");
    }
}
