//! The capability to read and change SAs.

use std::fs;

use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;

/// Number of CAP_NET_ADMIN, `linux/capability.h`.
const NET_ADMIN: u32 = 12;

pub(super) fn check(_: &Facts<'_>, findings: &mut Findings) {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        privileges(&status, findings);
    }
}

fn privileges(status: &str, findings: &mut Findings) {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(effective) = effective.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()) else { return };
    // The effective set, not the user ID: root in a container may lack the capability.
    if effective >> NET_ADMIN & 1 == 1 {
        findings.ok("privileges", "CAP_NET_ADMIN is effective");
    } else {
        findings.problem("privileges", "cannot read or change SAs without CAP_NET_ADMIN", "run `sudo ipseckey doctor`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::finding::Level;

    fn findings_of(check: impl FnOnce(&mut Findings)) -> Findings {
        let mut findings = Findings::default();
        check(&mut findings);
        findings
    }

    #[test]
    fn privileges_need_cap_net_admin() {
        let level = |status: &str| findings_of(|findings| privileges(status, findings)).words().first().map(|words| words.0);
        assert_eq!(level("Name:\tx\nCapEff:\t0000000000001000\n"), Some(Level::Ok));
        assert_eq!(level("CapEff:\t000001ffffffefff\n"), Some(Level::Problem));
        assert_eq!(level(""), None);
    }
}
