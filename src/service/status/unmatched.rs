//! For `manual-key status`: the service's SAs that no policy uses, and its policies that no SA serves. Elsewhere than on Linux XFRM
//! an SADB has no policies, and there is nothing to tell.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::policy::unmatched::unmatched;
use crate::policy::{ListedPolicy, Policy, PolicySa};
use crate::sadb::{SadbError, Spd};
use crate::service::records::owned_policies::Policies;

/// So many of each are named.
const TOLD: usize = 10;

/// What stands alone.
#[derive(Default, Serialize)]
pub(crate) struct Lone {
    /// The service's own policies.
    policies: usize,
    /// SAs that no policy uses.
    unused: usize,
    unused_sas: Vec<String>,
    /// The service's policies that no SA serves.
    unserved: usize,
    unserved_policies: Vec<String>,
}

impl Lone {
    /// What stands alone of `sas`, the service's own, and of its policies in `spd`; `directory` has the record of them.
    ///
    /// # Errors
    /// The SADB's; [`SadbError::Unavailable`] if the record cannot be read.
    pub(crate) fn find(sas: &[PolicySa], spd: &mut dyn Spd, directory: &Path) -> Result<Self, SadbError> {
        let own = Policies::read(directory)?;
        Ok(Self::among(sas, &spd.policies()?, &|listed| own.owns(listed)))
    }

    fn among(sas: &[PolicySa], listed: &[ListedPolicy], owns: &dyn Fn(&ListedPolicy) -> bool) -> Self {
        let all: Vec<&Policy> = listed.iter().map(|listed| &listed.policy).collect();
        let alone = unmatched(&all, sas);
        let unserved: Vec<&ListedPolicy> =
            alone.policies.iter().map(|at| &listed[*at]).filter(|listed| owns(listed)).collect();
        Self {
            policies: listed.iter().filter(|listed| owns(listed)).count(),
            unused: alone.sas.len(),
            unused_sas: alone.sas.iter().take(TOLD).map(|at| sas[*at].id.to_string()).collect(),
            unserved: unserved.len(),
            unserved_policies: unserved.iter().take(TOLD).map(|listed| listed.policy.id.to_string()).collect(),
        }
    }

    /// Writes a line with the numbers, and one for each that is named.
    ///
    /// # Errors
    /// The writer's.
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
    use crate::policy::derive::derive;
    use crate::sa::{Endpoint, Request, SaType, Spi};

    fn sa(spi: u32, last: u8) -> PolicySa {
        let end = |last| Some(Endpoint { addr: [10, 0, 0, last].into(), port: 0, proto: 0 });
        let request = Request { sa_type: SaType::ESP, spi: Spi(spi), src: end(1), dst: end(last), ..Request::default() };
        PolicySa::of_request(&request).unwrap()
    }

    #[test]
    fn what_stands_alone_is_counted_and_named() {
        let local = |addr| addr == std::net::IpAddr::from([10, 0, 0, 1]);
        let policies = derive(&[&sa(1, 2), &sa(1, 3), &sa(1, 4)], &local).policies;
        let listed: Vec<ListedPolicy> = policies.into_iter().map(|policy| ListedPolicy { policy, added: 7 }).collect();
        let lone = Lone::among(&[sa(1, 2), sa(0x99, 9)], &listed, &|one| *one != listed[2]);
        let mut text = Vec::new();
        lone.write_text(&mut text).unwrap();
        let wanted = "policies  2 owned; 1 SAs without a policy, 1 policies without an SA\n\
                      no policy esp spi 0x99 dst 10.0.0.9\n\
                      no SA     src 10.0.0.1/32 dst 10.0.0.3/32 dir out\n";
        assert_eq!(String::from_utf8(text).unwrap(), wanted);
    }
}
