//! SAs of the file without an address of this host.

use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::policy::coverage::NotLocalSas;

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let (Some(desired), Some(_)) = (&facts.desired, &facts.local) else { return };
    let elsewhere = NotLocalSas::among(&desired.policy_sas, &|addr| facts.is_local(addr));
    if elsewhere.count == 0 {
        return;
    }
    let fix = "load the keys file of this host, or configure the address: `ip address` lists those that it has";
    if elsewhere.are_all() {
        findings.problem("addresses", elsewhere.to_string(), fix);
    } else {
        findings.warn("addresses", elsewhere.to_string(), fix);
    }
}
