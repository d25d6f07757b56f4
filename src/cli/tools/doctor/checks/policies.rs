//! Linux: SAs without a policy, policies without an SA, and SAs that lack the policy of one direction.

use std::collections::HashSet;

use super::LIMIT;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::names::sa_types;
use crate::policy::derive::{Derived, directions};
use crate::policy::unmatched::{UnmatchedPositions, unmatched};
use crate::policy::{Policy, PolicyDirection, PolicySa};
use crate::sa::{SERVICE_REQID, SaId};
use crate::sys::process::key_managers;

/// What the policies are compared with.
struct Compared<'a> {
    /// The SAs of the SADB.
    sas: &'a [PolicySa],
    /// Those of the keys file, this program and the service, without those of another host.
    own: &'a HashSet<SaId>,
    /// IKE daemons that are running.
    managers: &'a [String],
    /// What `policy = "from-sas"` makes of `sas`.
    derived: &'a Derived,
    /// Whether the service installs policies.
    is_from_sas: bool,
    /// The remedy for policies that are not installed.
    install: &'a str,
}

/// On illumos ipsecconf(8) manages the policies.
pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let (Some(actual), Some(policies)) = (&facts.actual, &facts.policies) else { return };
    let policies: Vec<&Policy> = policies.iter().collect();
    let managers = key_managers::running();
    let is_here = |sa: &&PolicySa| facts.local.is_none() || directions(sa, &|addr| facts.is_local(addr)).is_some();
    let elsewhere: HashSet<SaId> = actual.policy_sas.iter().filter(|sa| !is_here(sa)).map(|sa| sa.id).collect();
    let compared = Compared {
        sas: &actual.policy_sas,
        own: &facts.own.difference(&elsewhere).copied().collect(),
        managers: &managers,
        derived: &facts.derived,
        is_from_sas: facts.is_from_sas(),
        install: &install(facts),
    };
    compare(&policies, &compared, findings);
    compare_directions(&policies, &compared, findings);
}

/// How to install the policies of SAs.
pub(super) fn install(facts: &Facts<'_>) -> String {
    match &facts.in_force {
        Some(service) if service.from_sas => service.command("refresh"),
        _ => "set policy = \"from-sas\" in manual-key.toml and run `manual-key refresh`, or run the `ip xfrm policy add` that \
              `ipseckey generate` prints"
            .to_owned(),
    }
}

fn compare(policies: &[&Policy], compared: &Compared<'_>, findings: &mut Findings) {
    let Compared { sas, own, managers, .. } = *compared;
    let mut unmatched = unmatched(policies, sas);
    // The other program may install its policy later.
    unmatched.sas.retain(|at| own.contains(&sas[*at].id));
    let negotiated = if managers.is_empty() { Vec::new() } else { take_foreign(policies, &mut unmatched) };
    if !negotiated.is_empty() {
        let found = format!("{} of other programs without an SA; running: {}", negotiated.len(), managers.join(", "));
        findings.ok("policies", found);
    }
    // A host with thousands of SAs usually has one cause for all of them.
    for at in unmatched.sas.iter().take(LIMIT) {
        let found = format!(
            "no policy uses the {}: Linux sends packets through an SA only if a policy requires it",
            name(&sas[*at])
        );
        findings.problem("policies", found, how_to_protect(*at, compared));
    }
    if unmatched.sas.len() > LIMIT {
        let found = format!("{} more without a policy", unmatched.sas.len() - LIMIT);
        findings.problem("policies", found, "as above");
    }
    for policy in unmatched.policies.iter().take(LIMIT).map(|at| policies[*at]) {
        let found = format!("no SA for the policy {}: its packets are dropped", policy.id);
        // Never to delete it: its packets would pass in the clear.
        findings.warn("policies", found, "load its SA");
    }
    if unmatched.policies.len() > LIMIT {
        let found = format!("{} more without an SA", unmatched.policies.len() - LIMIT);
        findings.warn("policies", found, "as above");
    }
    if unmatched.sas.is_empty() && unmatched.policies.is_empty() {
        let count = |direction| policies.iter().filter(|policy| policy.id.direction == direction).count();
        let (inbound, outbound) = (count(PolicyDirection::In), count(PolicyDirection::Out));
        findings.ok(
            "policies",
            format!("{outbound} outbound, {inbound} inbound; every SA has a policy, and every policy has an SA"),
        );
    }
}

/// The remedy for the SA at `position`, for which no policy is installed.
fn how_to_protect(position: usize, compared: &Compared<'_>) -> String {
    match compared.derived.without.iter().find(|(at, _)| *at == position) {
        Some((_, reason)) => format!("policy = \"from-sas\" makes no policy for it: {reason}"),
        None => compared.install.to_owned(),
    }
}

/// SAs with the policy of one direction, that lack another one: `dir fwd` of a tunnel, most often.
fn compare_directions(policies: &[&Policy], compared: &Compared<'_>, findings: &mut Findings) {
    let Compared { sas, own, derived, is_from_sas, install, .. } = *compared;
    let own: Vec<PolicySa> = sas.iter().filter(|sa| own.contains(&sa.id)).cloned().collect();
    let is_installed = |wanted: &Policy| policies.iter().any(|policy| policy.id == wanted.id);
    let serves = |wanted: &Policy| unmatched(&[wanted], &own).sas.len() < own.len();
    // An SA that no policy uses at all is reported already.
    let unused: Vec<PolicySa> = unmatched(policies, sas).sas.iter().map(|at| sas[*at].clone()).collect();
    let is_reported = |wanted: &Policy| unmatched(&[wanted], &unused).sas.len() < unused.len();
    let missing = derived.policies.iter().filter(|wanted| !wanted.templates.is_empty() && !is_installed(wanted));
    for wanted in missing.filter(|wanted| serves(wanted) && !is_reported(wanted)).take(LIMIT) {
        // Without the service other policies may do the same: only what nothing else does is a problem.
        let is_forward = wanted.id.direction == PolicyDirection::Forward;
        let is_replaced = policies
            .iter()
            .any(|policy| policy.id.direction == wanted.id.direction && policy.id.selector.overlaps(&wanted.id.selector));
        if (is_from_sas || is_forward) && !is_replaced {
            let what = if is_forward { "packets for the network behind this host are dropped" } else { "it is missing" };
            let fix = if is_from_sas { install.to_owned() } else { format!("run `ip xfrm policy add {wanted}`") };
            findings.problem("policies", format!("no policy {}: {what}", wanted.id), fix);
        }
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

pub(super) fn name(sa: &PolicySa) -> String {
    let sa_type = sa_types::by_number(sa.id.sa_type).map_or("", |row| row.word);
    format!("{sa_type} SA with spi {} and dst {}", sa.id.spi, sa.id.dst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::finding::Level;
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

    fn compared<'a>(sas: &'a [PolicySa], own: &'a HashSet<SaId>) -> Compared<'a> {
        static NONE: Derived = Derived {
            policies: Vec::new(),
            without: Vec::new(),
            one_way_groups: Vec::new(),
            of_raw_sockets: Vec::new(),
            shadowed_groups: Vec::new(),
            unused_outbound: Vec::new(),
            provisional: Vec::new(),
            keep_if_present: Vec::new(),
        };
        Compared { sas, own, managers: &[], derived: &NONE, is_from_sas: false, install: "install" }
    }

    #[test]
    fn compare_treats_objects_of_an_ike_daemon_as_information() {
        let mut findings = Findings::default();
        let own_policy =
            Policy { templates: vec![Template { reqid: SERVICE_REQID, ..policy(4).templates[0] }], ..policy(4) };
        let managers = ["charon (pid 7)".to_owned()];
        let none = HashSet::new();
        compare(
            &[&policy(3), &own_policy],
            &Compared { managers: &managers, ..compared(&[sa(1, 2)], &none) },
            &mut findings,
        );
        assert_eq!(findings.words(), [(Level::Ok, "policies"), (Level::Warning, "policies")]);
        assert_eq!(findings.findings()[0].found, "1 of other programs without an SA; running: charon (pid 7)");
        assert_eq!(findings.findings()[1].fix, "load its SA");
    }

    #[test]
    fn compare_finds_nothing_where_sas_and_policies_match() {
        let mut findings = Findings::default();
        compare(&[&policy(2)], &compared(&[sa(1, 2)], &own(1..=1)), &mut findings);
        assert_eq!(findings.words(), [(Level::Ok, "policies")]);
    }

    #[test]
    fn compare_reports_sas_and_policies_without_each_other() {
        let mut findings = Findings::default();
        let sas: Vec<PolicySa> = (1..=5).map(|spi| sa(spi, 2)).collect();
        let derived = Derived { without: vec![(1, NoPolicy::TooBroad)], ..Derived::default() };
        compare(&[&policy(3)], &Compared { derived: &derived, ..compared(&sas, &own(1..=5)) }, &mut findings);
        let problem = (Level::Problem, "policies");
        assert_eq!(findings.words(), [problem, problem, problem, problem, (Level::Warning, "policies")]);
        let [first, second, _, rest, _] = findings.findings() else { panic!("five") };
        assert!(first.found.contains("the esp SA with spi 0x1 and dst 10.0.0.2"), "{}", first.found);
        assert!(first.fix == "install" && second.fix.contains("specify src or proto"), "{}", second.fix);
        assert_eq!(rest.found, "2 more without a policy");
    }
}
