//! PF_KEY of Linux, whose end is announced: "PFKEY is deprecated and scheduled to be removed in 2027" (kernel log of Linux 7.0).

use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::sadb::SadbTarget;

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    warn_of(facts.session.target(), findings);
}

fn warn_of(target: &SadbTarget, findings: &mut Findings) {
    if *target == SadbTarget::PfKey {
        findings.warn(
            "PF_KEY",
            "in use; Linux 7.0 announces that it will be removed in 2027",
            "use --sadb xfrm, and sadb = \"xfrm\" in manual-key.toml; the keys files remain the same",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::finding::Level;

    #[test]
    fn pf_key_of_linux_is_warned_of() {
        for (target, expected) in [(SadbTarget::PfKey, &[(Level::Warning, "PF_KEY")][..]), (SadbTarget::Xfrm, &[])] {
            let mut findings = Findings::default();
            warn_of(&target, &mut findings);
            assert_eq!(findings.words(), expected);
        }
    }
}
