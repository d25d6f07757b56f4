//! For `manual-key status`: the service's SAs without a policy, and its policies without an SA. Only Linux XFRM has policies.

use std::io::{self, Write};

use serde::Serialize;

use crate::policy::unmatched::unmatched;
use crate::policy::{ListedPolicy, Policy, PolicySa};

/// Upper limit of the SAs, and of the policies, that are listed.
const LISTED: usize = 10;

/// Counts, and the first few of each.
#[derive(Default, Serialize)]
pub(crate) struct Unmatched {
    /// Policies of the service.
    pub(super) policies: usize,
    /// SAs without a policy.
    unused: usize,
    unused_sas: Vec<String>,
    /// The service's policies without an SA.
    unserved: usize,
    unserved_policies: Vec<String>,
}

impl Unmatched {
    /// Compares `sas`, the service's own, with the policies in the SPD; `owns`: whether one of these is the service's.
    pub(super) fn among(sas: &[PolicySa], installed: &[ListedPolicy], owns: &dyn Fn(&ListedPolicy) -> bool) -> Self {
        let all: Vec<&Policy> = installed.iter().map(|listed| &listed.policy).collect();
        let found = unmatched(&all, sas);
        let unserved: Vec<&ListedPolicy> =
            found.policies.iter().map(|at| &installed[*at]).filter(|listed| owns(listed)).collect();
        Self {
            policies: installed.iter().filter(|listed| owns(listed)).count(),
            unused: found.sas.len(),
            unused_sas: found.sas.iter().take(LISTED).map(|at| sas[*at].id.to_string()).collect(),
            unserved: unserved.len(),
            unserved_policies: unserved.iter().take(LISTED).map(|listed| listed.policy.id.to_string()).collect(),
        }
    }

    /// Writes a line with the counts, and one for each listed SA and policy.
    pub(crate) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { policies, unused, unused_sas, unserved, unserved_policies } = self;
        writeln!(out, "policies  {policies} owned; {unused} SAs without a policy, {unserved} policies without an SA")?;
        unused_sas.iter().try_for_each(|sa| writeln!(out, "no policy {sa}"))?;
        unserved_policies.iter().try_for_each(|policy| writeln!(out, "no SA     {policy}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::derive::{Rules, derive};
    use crate::sa::{Endpoint, Request, SaType, Spi};

    fn sa(spi: u32, last: u8) -> PolicySa {
        let end = |last| Some(Endpoint { addr: [10, 0, 0, last].into(), port: 0, proto: 0 });
        let request = Request { sa_type: SaType::ESP, spi: Spi(spi), src: end(1), dst: end(last), ..Request::default() };
        PolicySa::of_request(&request).unwrap()
    }

    #[test]
    fn unmatched_counts_and_lists_sas_and_own_policies() {
        let local = |addr| addr == std::net::IpAddr::from([10, 0, 0, 1]);
        let policies = derive(&[&sa(1, 2), &sa(1, 3), &sa(1, 4)], &local, Rules::default()).policies;
        let installed: Vec<ListedPolicy> = policies.into_iter().map(|policy| ListedPolicy { policy, added: 7 }).collect();
        let unmatched = Unmatched::among(&[sa(1, 2), sa(0x99, 9)], &installed, &|one| *one != installed[2]);
        let mut text = Vec::new();
        unmatched.write_text(&mut text).unwrap();
        let expected = "policies  2 owned; 1 SAs without a policy, 1 policies without an SA\n\
                        no policy esp spi 0x99 dst 10.0.0.9\n\
                        no SA     src 10.0.0.1/32 dst 10.0.0.3/32 dir out\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
