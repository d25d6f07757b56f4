//! Request IDs: which SAs the service's policies mean, and which SAs of several programs share one.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::{ListedPolicy, PolicySa, Selector};
use crate::sa::{Masked, SERVICE_REQID, SaId, SaType, XfrmMode};

/// The installed policies that require SAs with [`SERVICE_REQID`].
#[derive(Default)]
pub(crate) struct ServicePolicies(HashSet<Traffic>);

/// The packets of a policy, and the SA type of one of its templates.
type Traffic = (SaType, Selector, Option<Masked>, u32);

impl ServicePolicies {
    pub(crate) fn among(installed: &[ListedPolicy]) -> Self {
        let traffic = installed.iter().flat_map(|ListedPolicy { policy, .. }| {
            let own = policy.templates.iter().filter(|template| template.reqid == SERVICE_REQID);
            own.map(|template| (template.sa_type, policy.id.selector, policy.id.mark, policy.id.if_id))
        });
        Self(traffic.collect())
    }

    /// The request ID that `sa` needs if its command has none: an SA that is added beside the service, as in a change of keys, would
    /// not serve the service's policies otherwise.
    pub(crate) fn reqid_of(&self, sa: &PolicySa) -> u32 {
        let mark = sa.id.mark.filter(|mark| *mark != Masked::default());
        let is_served = sa.selector.is_some_and(|selector| self.0.contains(&(sa.id.sa_type, selector, mark, sa.if_id)));
        if is_served { SERVICE_REQID } else { 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the kernel compares to find an SA for a template without an SPI (`xfrm_state_find` in net/xfrm/xfrm_state.c).
type Found = (SaType, XfrmMode, u32, IpAddr, IpAddr);

fn found_by(sa: &PolicySa) -> Found {
    (sa.id.sa_type, sa.mode, sa.reqid, sa.src_or_any(), sa.id.dst)
}

/// The positions in `own` of SAs that share a reqid with one of `others`, which is given, so that the kernel may send packets of one
/// through the other. SAs without a reqid, and those with that of the service, are not compared.
pub(crate) fn shared<'a>(own: &[&PolicySa], others: impl Iterator<Item = &'a PolicySa>) -> Vec<(usize, SaId)> {
    let mut by_template: HashMap<Found, SaId> = HashMap::new();
    for other in others.filter(|other| may_share(other)) {
        by_template.entry(found_by(other)).or_insert(other.id);
    }
    let positions = own.iter().enumerate().filter(|(_, sa)| may_share(sa));
    positions.filter_map(|(at, sa)| Some((at, *by_template.get(&found_by(sa))?))).collect()
}

/// Whether another program may have the reqid of `sa` as well.
pub(crate) fn may_share(sa: &PolicySa) -> bool {
    !matches!(sa.reqid, 0 | SERVICE_REQID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::derive::{Rules, derive};
    use crate::sa::{Endpoint, LinuxExtras, Request, Spi};

    fn sa(spi: u32, dst: u8, reqid: u32) -> PolicySa {
        let end = |last| Some(Endpoint { addr: [10, 0, 0, last].into(), port: 0, proto: 0 });
        let linux = LinuxExtras { reqid, ..LinuxExtras::default() }.into();
        let request =
            Request { sa_type: SaType::ESP, spi: Spi(spi), src: end(1), dst: end(dst), linux, ..Request::default() };
        PolicySa::of_request(&request).unwrap()
    }

    fn installed(sas: &[PolicySa]) -> Vec<ListedPolicy> {
        let derived = derive(&sas.iter().collect::<Vec<_>>(), &|addr| addr == IpAddr::from([10, 0, 0, 1]), Rules::default());
        derived.policies.into_iter().map(|policy| ListedPolicy { policy, added: 0 }).collect()
    }

    #[test]
    fn reqid_of_is_the_services_for_packets_of_its_policies() {
        let policies = ServicePolicies::among(&installed(&[sa(1, 2, SERVICE_REQID), sa(2, 3, 7)]));
        assert_eq!(policies.reqid_of(&sa(9, 2, 0)), SERVICE_REQID);
        assert_eq!(policies.reqid_of(&sa(9, 3, 0)), 0, "a policy with another reqid");
        assert_eq!(policies.reqid_of(&sa(9, 4, 0)), 0, "no policy");
        let ah = PolicySa { id: SaId { sa_type: SaType::AH, ..sa(9, 2, 0).id }, ..sa(9, 2, 0) };
        assert_eq!(policies.reqid_of(&ah), 0, "no template for AH");
        assert!(ServicePolicies::among(&installed(&[sa(2, 3, 7)])).is_empty());
    }

    #[test]
    fn shared_compares_ends_mode_and_reqid() {
        let own = [sa(1, 2, 1), sa(2, 3, 2), sa(3, 4, 0), sa(4, 5, SERVICE_REQID)];
        let others = [sa(11, 2, 1), sa(12, 3, 1), sa(13, 4, 0), sa(14, 5, SERVICE_REQID)];
        assert_eq!(shared(&own.each_ref(), others.iter()), [(0, others[0].id)]);
        let tunnel = PolicySa { mode: XfrmMode::TUNNEL, ..sa(11, 2, 1) };
        assert_eq!(shared(&own.each_ref(), [tunnel].iter()), []);
    }
}
