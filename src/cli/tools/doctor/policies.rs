//! Linux: SAs that no policy uses, and policies that want an SA which is not there.

use super::chart::Chart;
use crate::cli::session::Session;
use crate::names::sa_types;
use crate::policy::unmatched::unmatched;
use crate::policy::{Policy, PolicyDirection, PolicySa};
use crate::sadb::Spd;

/// Each that stands alone is told up to this many; then only how many there are.
const TOLD: usize = 3;

/// Looks at the policies beside `sas`.
pub(super) fn look(session: &mut Session<'_>, sas: &[PolicySa], chart: &mut Chart) {
    match session.open().and_then(|sadb| sadb.spd().map(Spd::policies).transpose()) {
        Ok(Some(listed)) => {
            let policies: Vec<&Policy> = listed.iter().map(|listed| &listed.policy).collect();
            compare(&policies, sas, chart);
        }
        // Elsewhere the system's own tools keep them.
        Ok(None) => {}
        Err(error) => chart.problem("policies", error.to_string(), "sudo ipseckey doctor"),
    }
}

fn compare(policies: &[&Policy], sas: &[PolicySa], chart: &mut Chart) {
    let alone = unmatched(policies, sas);
    for sa in alone.sas.iter().take(TOLD).map(|at| &sas[*at]) {
        let found = format!("no policy sends packets through the {}: Linux uses an SA where a policy says so", name(sa));
        chart.problem(
            "policies",
            found,
            "policy = \"from-sas\" in manual-key.toml installs them; or `ip xfrm policy add`: `ipseckey generate` writes the commands",
        );
    }
    if alone.sas.len() > TOLD {
        let found = format!("{} more without a policy", alone.sas.len() - TOLD);
        chart.problem("policies", found, "the same for each");
    }
    for policy in alone.policies.iter().take(TOLD).map(|at| policies[*at]) {
        let found = format!("no SA serves the policy {}: its packets are dropped", policy.id);
        let fix = format!("load its SA, or `ip xfrm policy delete {}`; a key manager may be about to add it", policy.id);
        chart.warn("policies", found, fix);
    }
    if alone.policies.len() > TOLD {
        let found = format!("{} more without an SA", alone.policies.len() - TOLD);
        chart.warn("policies", found, "the same for each");
    }
    if alone.sas.is_empty() && alone.policies.is_empty() {
        let count = |direction| policies.iter().filter(|policy| policy.id.direction == direction).count();
        let (inbound, outbound) = (count(PolicyDirection::In), count(PolicyDirection::Out));
        chart.ok("policies", format!("{outbound} outbound, {inbound} inbound; all SAs and policies fit"));
    }
}

/// An SA, as one says it.
fn name(sa: &PolicySa) -> String {
    let sa_type = sa_types::by_number(sa.id.sa_type).map_or("", |row| row.word);
    format!("{sa_type} SA with spi {} and dst {}", sa.id.spi, sa.id.dst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::chart::Level;
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
        let name = PolicyId { direction: PolicyDirection::Out, selector, mark: None, if_id: 0 };
        Policy { id: name, action: PolicyAction::Allow, priority: 0, templates: vec![esp] }
    }

    #[test]
    fn what_fits_is_well() {
        let mut chart = Chart::default();
        compare(&[&policy(2)], &[sa(1, 2)], &mut chart);
        assert_eq!(chart.words(), [(Level::Ok, "policies")]);
    }

    #[test]
    fn what_stands_alone_is_named_with_what_mends_it() {
        let mut chart = Chart::default();
        let sas: Vec<PolicySa> = (1..=5).map(|spi| sa(spi, 2)).collect();
        compare(&[&policy(3)], &sas, &mut chart);
        let problem = (Level::Problem, "policies");
        assert_eq!(chart.words(), [problem, problem, problem, problem, (Level::Warning, "policies")]);
        let [first, _, _, rest, lonely] = chart.findings() else { panic!("five") };
        assert!(first.found.contains("the esp SA with spi 0x1 and dst 10.0.0.2"), "{}", first.found);
        assert_eq!(rest.found, "2 more without a policy");
        assert!(lonely.fix.contains("`ip xfrm policy delete src 10.0.0.1/32 dst 10.0.0.3/32 dir out`"), "{}", lonely.fix);
    }
}
