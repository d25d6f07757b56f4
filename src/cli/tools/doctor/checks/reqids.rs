//! Request IDs that SAs of the file share with SAs of other programs.

use std::collections::HashSet;

use super::LIMIT;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::policy::PolicySa;
use crate::policy::reqid::shared;
use crate::sa::SaId;

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    if let (Some(desired), Some(actual)) = (&facts.desired, &facts.actual) {
        compare(&desired.ids, &actual.policy_sas, findings);
    }
}

/// Reports SAs of the file that share their reqid with others, `actual` being all SAs of the SADB.
fn compare(desired: &HashSet<SaId>, actual: &[PolicySa], findings: &mut Findings) {
    let (own, others): (Vec<&PolicySa>, Vec<&PolicySa>) = actual.iter().partition(|sa| desired.contains(&sa.id));
    for (at, other) in shared(&own, others.into_iter()).into_iter().take(LIMIT) {
        let found = format!(
            "{} has reqid {}, as {other} has, which is not in the file, and the same addresses and mode: packets of one may \
             pass through the other",
            own[at].id, own[at].reqid
        );
        findings.warn(
            "SAs",
            found,
            "remove reqid from the command: with policy = \"from-sas\" the service sets one of its own",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::finding::Level;
    use crate::sa::{Endpoint, LinuxExtras, Request, SaType, Spi};

    fn ids(spis: &[u32]) -> HashSet<SaId> {
        let dst = [192, 0, 2, 1].into();
        spis.iter().map(|spi| SaId { sa_type: SaType::ESP, spi: Spi(*spi), dst, mark: None }).collect()
    }

    #[test]
    fn compare_reqids_reports_sas_of_other_programs() {
        let sa = |spi: u32, reqid: u32| {
            let end = |last| Some(Endpoint { addr: [192, 0, 2, last].into(), port: 0, proto: 0 });
            let linux = LinuxExtras { reqid, ..LinuxExtras::default() }.into();
            let sa_type = SaType::ESP;
            let request = Request { sa_type, spi: Spi(spi), src: end(2), dst: end(1), linux, ..Request::default() };
            PolicySa::of_request(&request).unwrap()
        };
        let mut findings = Findings::default();
        compare(&ids(&[1]), &[sa(1, 7), sa(2, 7), sa(3, 8)], &mut findings);
        assert_eq!(findings.words(), [(Level::Warning, "SAs")]);
        let found = &findings.findings()[0].found;
        assert!(found.starts_with("esp spi 0x1 dst 192.0.2.1 has reqid 7, as esp spi 0x2 "), "{found}");
        let mut apart = Findings::default();
        compare(&ids(&[1, 2]), &[sa(1, 7), sa(2, 7), sa(3, 8)], &mut apart);
        assert!(apart.words().is_empty());
    }
}
