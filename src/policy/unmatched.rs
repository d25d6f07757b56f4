//! SAs without a policy, and policies without an SA. A policy uses an SA by the rules of the kernel: `xfrm_state_find` (outbound)
//! and `xfrm_state_ok` (inbound) of `net/xfrm`.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::policy::{Policy, PolicyAction, PolicyDirection, PolicySa, Template};
use crate::sa::XfrmMode;
use crate::sa::direction::Directions;

/// The result of [`unmatched`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnmatchedPositions {
    /// Positions of SAs that no policy uses.
    pub(crate) sas: Vec<usize>,
    /// Positions of policies with a template that no SA matches.
    pub(crate) policies: Vec<usize>,
}

/// Finds the SAs that none of `policies` uses, and the policies that lack one of `sas`.
#[must_use]
pub(crate) fn unmatched(policies: &[&Policy], sas: &[PolicySa]) -> UnmatchedPositions {
    let mut is_used = vec![false; sas.len()];
    let mut with_other_reqid: Vec<usize> = Vec::new();
    let mut found = UnmatchedPositions::default();
    // A host may have 100,000 SAs and as many policies: most templates name a destination, and an index avoids the product.
    let mut by_dst: HashMap<IpAddr, Vec<usize>> = HashMap::new();
    sas.iter().enumerate().for_each(|(at, sa)| by_dst.entry(sa.id.dst).or_default().push(at));
    // For templates with any destination.
    let all: Vec<usize> = (0..sas.len()).collect();
    for (at, policy) in policies.iter().enumerate().filter(|(_, policy)| policy.action == PolicyAction::Allow) {
        let mut is_complete = true;
        for template in &policy.templates {
            let mut is_matched = template.optional;
            let candidates = match destination(policy, template) {
                Some(dst) => by_dst.get(&dst).map_or(&[][..], Vec::as_slice),
                None => &all,
            };
            with_other_reqid.clear();
            for sa in candidates {
                match service(policy, template, &sas[*sa]) {
                    Service::Serves => (is_used[*sa], is_matched) = (true, true),
                    Service::WithOtherReqid => with_other_reqid.push(*sa),
                    Service::None => {}
                }
            }
            if is_matched && !template.optional {
                with_other_reqid.iter().for_each(|sa| is_used[*sa] = true);
            }
            is_complete &= is_matched;
        }
        if !is_complete {
            found.policies.push(at);
        }
    }
    found.sas = is_used.iter().enumerate().filter(|(_, is_used)| !**is_used).map(|(at, _)| at).collect();
    found
}

/// The destination that an SA for `template` must have; `None` if more than one is possible.
pub(super) fn destination(policy: &Policy, template: &Template) -> Option<IpAddr> {
    let dst = policy.id.selector.dst;
    match template.mode {
        XfrmMode::TRANSPORT => (dst.free_bits() == 0).then(|| dst.addr()),
        _ => Some(template.dst).filter(|dst| !dst.is_unspecified()),
    }
}

/// Whether an SA can serve a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Serves,
    /// It would, outbound, with another request ID. If another SA serves the template, this one is the next or the last of shared
    /// keys that are being changed; see docs/ospfv3.md.
    WithOtherReqid,
    None,
}

/// Whether `sa` can serve `template` of `policy`.
#[must_use]
pub(super) fn service(policy: &Policy, template: &Template, sa: &PolicySa) -> Service {
    let matches_rest =
        matches_type_and_mode(template, sa) && matches_direction(policy, sa) && matches_addresses(policy, template, sa);
    if matches_rest && matches_reqid_and_mark(policy, template, sa) {
        return Service::Serves;
    }
    let numbered = Template { reqid: sa.reqid, ..*template };
    let is_same_traffic = policy.id.direction == PolicyDirection::Out && sa.selector == Some(policy.id.selector);
    if matches_rest && is_same_traffic && matches_reqid_and_mark(policy, &numbered, sa) {
        return Service::WithOtherReqid;
    }
    Service::None
}

fn matches_type_and_mode(template: &Template, sa: &PolicySa) -> bool {
    template.sa_type == sa.id.sa_type && template.mode == sa.mode && (template.spi == 0 || template.spi == sa.id.spi.0)
}

/// Outbound, reqid and if_id of the SA must equal those of the policy; inbound, 0 in the policy matches any SA.
fn matches_reqid_and_mark(policy: &Policy, template: &Template, sa: &PolicySa) -> bool {
    let is_out = policy.id.direction == PolicyDirection::Out;
    let mark = policy.id.mark.unwrap_or_default();
    // `xfrm_state_find` looks up with the mark of the policy.
    let matches_mark = sa.id.mark.is_none_or(|own| mark.value & mark.mask & own.mask == own.value);
    let same = |policy: u32, sa: u32| policy == sa || (!is_out && policy == 0);
    same(template.reqid, sa.reqid) && same(policy.id.if_id, sa.if_id) && (!is_out || matches_mark)
}

fn matches_direction(policy: &Policy, sa: &PolicySa) -> bool {
    let opposite = match policy.id.direction {
        PolicyDirection::Out => Directions::INBOUND,
        PolicyDirection::In | PolicyDirection::Forward => Directions::OUTBOUND,
    };
    sa.declared != opposite
}

fn matches_addresses(policy: &Policy, template: &Template, sa: &PolicySa) -> bool {
    let selector = &policy.id.selector;
    let is_same = |template: IpAddr, own: IpAddr| template == own || template.is_unspecified() || own.is_unspecified();
    let ends = match template.mode {
        XfrmMode::TRANSPORT => true,
        _ => is_same(template.src, sa.src_or_any()) && is_same(template.dst, sa.id.dst),
    };
    ends && sa.selector.as_ref().is_none_or(|own| selector.overlaps(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Net, PolicyId, Selector};
    use crate::sa::{Endpoint, Flags, InnerEndpoint, LinuxExtras, Masked, Request, SaType, Spi};

    fn end(last: u8) -> Option<Endpoint> {
        Some(Endpoint { addr: [10, 0, 0, last].into(), port: 0, proto: 0 })
    }

    fn request(spi: u32) -> Request {
        Request { sa_type: SaType::ESP, spi: Spi(spi), src: end(1), dst: end(2), ..Request::default() }
    }

    fn sa(request: &Request) -> PolicySa {
        PolicySa::of_request(request).unwrap()
    }

    fn marked(mark: u32) -> PolicySa {
        let linux = LinuxExtras { mark: Some(Masked { value: mark, mask: 0xff }), ..LinuxExtras::default() };
        sa(&Request { linux: linux.into(), ..request(1) })
    }

    fn inner(last: u8) -> Option<InnerEndpoint> {
        Some(InnerEndpoint { addr: [10, last, 0, 0].into(), prefix_len: 16, port: 0, proto: 0 })
    }

    fn policy(direction: PolicyDirection) -> Policy {
        let host = |last| Net::host([10, 0, 0, last].into());
        let id = PolicyId { direction, selector: Selector::between(host(1), host(2)), mark: None, if_id: 0 };
        let unspecified = IpAddr::from([0; 4]);
        let mode = XfrmMode::TRANSPORT;
        let esp =
            Template { sa_type: SaType::ESP, mode, src: unspecified, dst: unspecified, spi: 0, reqid: 0, optional: false };
        Policy { id, action: PolicyAction::Allow, priority: 0, templates: vec![esp] }
    }

    fn is_used(policy: &Policy, sa: &PolicySa) -> bool {
        service(policy, &policy.templates[0], sa) == Service::Serves
    }

    #[test]
    fn uses_compares_reqid_and_if_id() {
        let numbered = sa(&Request { linux: LinuxExtras { reqid: 7, ..LinuxExtras::default() }.into(), ..request(1) });
        assert!(is_used(&policy(PolicyDirection::Out), &sa(&request(1))));
        assert!(!is_used(&policy(PolicyDirection::Out), &numbered));
        assert!(is_used(&policy(PolicyDirection::In), &numbered), "0 matches any inbound SA");
        let mut strict = policy(PolicyDirection::In);
        strict.templates[0].reqid = 8;
        assert!(!is_used(&strict, &numbered) && !is_used(&strict, &sa(&request(1))));
        let interface = sa(&Request { linux: LinuxExtras { if_id: 3, ..LinuxExtras::default() }.into(), ..request(1) });
        assert!(!is_used(&policy(PolicyDirection::Out), &interface));
    }

    #[test]
    fn unmatched_has_no_sa_whose_packets_pass_through_another_reqid() {
        let numbered = |spi, reqid| {
            let linux = LinuxExtras { reqid, ..LinuxExtras::default() };
            sa(&Request { linux: linux.into(), ..request(spi) })
        };
        let mut policy = policy(PolicyDirection::Out);
        policy.templates[0].reqid = 1;
        assert_eq!(unmatched(&[&policy], &[numbered(1, 1), numbered(2, 2)]), UnmatchedPositions::default());
        let found = unmatched(&[&policy], &[numbered(2, 2)]);
        assert_eq!(found, UnmatchedPositions { sas: vec![0], policies: vec![0] });
    }

    #[test]
    fn uses_compares_outbound_marks() {
        let mut policy = policy(PolicyDirection::Out);
        assert!(!is_used(&policy, &marked(1)));
        policy.id.mark = Some(Masked { value: 1, mask: 0xff });
        assert!(is_used(&policy, &marked(1)) && !is_used(&policy, &marked(2)));
    }

    #[test]
    fn uses_compares_type_mode_and_direction() {
        let policy = policy(PolicyDirection::Out);
        assert!(!is_used(&policy, &sa(&Request { sa_type: SaType::AH, ..request(1) })));
        let tunnel = Request { inner_src: inner(1).into(), inner_dst: inner(2).into(), ..request(1) };
        assert!(!is_used(&policy, &sa(&tunnel)));
        assert!(!is_used(&policy, &sa(&Request { flags: Flags::INBOUND, ..request(1) })));
        assert!(is_used(&policy, &sa(&Request { flags: Flags::OUTBOUND, ..request(1) })));
        assert!(!is_used(&policy, &sa(&Request { dst: end(3), ..request(1) })), "another host");
    }

    #[test]
    fn uses_compares_endpoints_and_networks_of_a_tunnel() {
        let sa = sa(&Request { inner_src: inner(1).into(), inner_dst: inner(2).into(), ..request(1) });
        let mut policy = policy(PolicyDirection::Forward);
        policy.id.selector = sa.selector.unwrap();
        let template = &mut policy.templates[0];
        (template.mode, template.src, template.dst) = (XfrmMode::TUNNEL, [10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        assert!(is_used(&policy, &sa));
        policy.templates[0].dst = [10, 0, 0, 3].into();
        assert!(!is_used(&policy, &sa));
    }

    #[test]
    fn unmatched_finds_sas_and_policies() {
        let (out, blocked) =
            (policy(PolicyDirection::Out), Policy { action: PolicyAction::Block, ..policy(PolicyDirection::In) });
        let mut bundle = policy(PolicyDirection::Out);
        bundle.templates.push(Template { sa_type: SaType::AH, ..bundle.templates[0] });
        let sas = [sa(&request(1)), sa(&Request { dst: end(9), ..request(2) })];
        let found = unmatched(&[&out, &blocked, &bundle], &sas);
        assert_eq!(found, UnmatchedPositions { sas: vec![1], policies: vec![2] });
        bundle.templates[1].optional = true;
        assert!(unmatched(&[&bundle], &sas).policies.is_empty());
    }
}
