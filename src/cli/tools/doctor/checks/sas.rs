//! The SAs of the file against those of the SADB: missing, expired, of other programs.

use std::collections::HashSet;

use crate::cli::tools::doctor::actual::ActualSas;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::{Findings, counted};
use crate::redact::shell_word;
use crate::sa::SaId;
use crate::service::{ExpiredSa, expired_sas};
use crate::show;

/// The remedy for keys that must not be used again.
pub(super) const NEW_KEYS: &str = "replace the keys on both hosts (`ipseckey generate`), never load the same keys again";

/// The remedies that depend on the settings in force.
struct Remedies {
    reload: String,
    plan: String,
    /// Why the last load of the service was not complete.
    failure: Option<String>,
}

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let (Some(desired), Some(actual)) = (&facts.desired, &facts.actual) else { return };
    let expired = expired_sas(desired.lifetimes.iter().map(|(id, hard)| (*id, *hard)));
    let remedies = Remedies {
        reload: facts.reload(),
        plan: format!("run `ipseckey plan {}` to list them", shell_word(facts.file)),
        failure: facts.in_force.as_ref().and_then(|service| service.failure.clone()),
    };
    compare(&desired.ids, actual, &expired, &remedies, findings);
}

/// `desired` are the SAs of the file, `actual` those of the SADB, `expired` those of the file whose lifetime is over.
fn compare(
    desired: &HashSet<SaId>,
    actual: &ActualSas,
    expired: &[ExpiredSa],
    remedies: &Remedies,
    findings: &mut Findings,
) {
    let gone = expired.iter().filter(|sa| !actual.ids.contains(&sa.id));
    let gone_count = gone.clone().count();
    if let Some(ExpiredSa { id, at, hard_addtime }) = gone.min_by_key(|sa| sa.at) {
        let found = format!(
            "of the file's {}, {gone_count} {} expired, the first {id} at {}, hard_addtime {hard_addtime}",
            counted(desired.len(), "SA"),
            if gone_count == 1 { "has" } else { "have" },
            show::local(*at)
        );
        findings.problem("SAs", found, NEW_KEYS);
    }
    let missing = desired.difference(&actual.ids).count().saturating_sub(gone_count);
    if missing > 0 {
        let found = format!("of the file's {}, {missing} {} not in the SADB", counted(desired.len(), "SA"), are(missing));
        let finding = findings.problem("SAs", found, &*remedies.reload);
        if let Some(failure) = &remedies.failure {
            finding.because(format!("the last load of the service: {failure}"));
        }
    }
    let (own, foreign): (Vec<&SaId>, Vec<&SaId>) = actual.ids.difference(desired).partition(|id| actual.own.contains(id));
    if !own.is_empty() {
        let text = format!("{} of ipseckey or manual-key {} not in the file", counted(own.len(), "SA"), are(own.len()));
        findings.warn("SAs", text, &*remedies.plan);
    }
    // On a host that also runs an IKE daemon, they are normal.
    if !foreign.is_empty() {
        findings.ok("SAs", format!("{} of other programs", counted(foreign.len(), "SA")));
    }
}

fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::finding::Level;
    use crate::sa::{SaType, Spi};

    fn compare(desired: &HashSet<SaId>, actual: &ActualSas, expired: &[ExpiredSa], failure: Option<&str>) -> Findings {
        let words = || "run `x`".to_owned();
        let remedies = Remedies { reload: words(), plan: words(), failure: failure.map(str::to_owned) };
        let mut findings = Findings::default();
        super::compare(desired, actual, expired, &remedies, &mut findings);
        findings
    }

    fn ids(spis: &[u32]) -> HashSet<SaId> {
        let dst = [192, 0, 2, 1].into();
        spis.iter().map(|spi| SaId { sa_type: SaType::ESP, spi: Spi(*spi), dst, mark: None }).collect()
    }

    fn actual(all: &[u32], own: &[u32]) -> ActualSas {
        ActualSas { ids: ids(all), own: ids(own), ..ActualSas::default() }
    }

    #[test]
    fn compare_reports_missing_and_foreign_sas() {
        let report = compare(&ids(&[1, 2]), &actual(&[2, 3, 4, 5], &[2, 3]), &[], Some("maintenance"));
        assert_eq!(report.words(), [(Level::Problem, "SAs"), (Level::Warning, "SAs"), (Level::Ok, "SAs")]);
        assert_eq!(report.findings()[0].found, "of the file's 2 SAs, 1 is not in the SADB");
        assert_eq!(report.findings()[0].cause, "the last load of the service: maintenance");
        assert_eq!(report.findings()[1].found, "1 SA of ipseckey or manual-key is not in the file");
        assert_eq!(report.findings()[2].found, "2 SAs of other programs");
        assert!(compare(&ids(&[1]), &actual(&[1], &[1]), &[], None).words().is_empty());
    }

    #[test]
    fn compare_asks_for_new_keys_after_an_expiry() {
        let expired = ids(&[1]).into_iter().map(|id| ExpiredSa { id, at: 7, hard_addtime: 5 }).collect::<Vec<_>>();
        let report = compare(&ids(&[1]), &actual(&[], &[]), &expired, None);
        assert_eq!(report.words(), [(Level::Problem, "SAs")]);
        let [finding] = report.findings() else { panic!("one") };
        assert!(finding.found.starts_with("of the file's 1 SA, 1 has expired, the first esp spi 0x1 "), "{}", finding.found);
        assert!(finding.fix.contains("never load the same keys again") && !finding.fix.contains("refresh"));
    }
}
