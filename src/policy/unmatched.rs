//! Which SAs a policy uses, as the kernel decides it (`xfrm_state_find`, `xfrm_state_ok` of `net/xfrm`), and which of both
//! stand alone.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::policy::{Action, Association, Direction, Policy, Template};
use crate::sa::XfrmMode;

/// What stands alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmatched {
    /// Positions of SAs that no policy sends packets through.
    pub sas: Vec<usize>,
    /// Positions of policies that want an SA which is not there.
    pub policies: Vec<usize>,
}

/// What stands alone among `policies` and `sas`.
#[must_use]
pub fn unmatched(policies: &[&Policy], sas: &[Association]) -> Unmatched {
    let mut is_used = vec![false; sas.len()];
    let mut found = Unmatched::default();
    let mut by_dst: HashMap<IpAddr, Vec<usize>> = HashMap::new();
    sas.iter().enumerate().for_each(|(at, sa)| by_dst.entry(sa.id.dst).or_default().push(at));
    let all: Vec<usize> = (0..sas.len()).collect();
    for (at, policy) in policies.iter().enumerate().filter(|(_, policy)| policy.action == Action::Allow) {
        let mut is_whole = true;
        for template in &policy.templates {
            let mut is_served = template.optional;
            let candidates = match destination(policy, template) {
                Some(dst) => by_dst.get(&dst).map_or(&[][..], Vec::as_slice),
                None => &all,
            };
            for sa in candidates.iter().filter(|sa| uses(policy, template, &sas[**sa])) {
                (is_used[*sa], is_served) = (true, true);
            }
            is_whole &= is_served;
        }
        if !is_whole {
            found.policies.push(at);
        }
    }
    found.sas = is_used.iter().enumerate().filter(|(_, is_used)| !**is_used).map(|(at, _)| at).collect();
    found
}

/// The destination that an SA of `template` must have, if there is one only.
fn destination(policy: &Policy, template: &Template) -> Option<IpAddr> {
    let dst = policy.id.selector.dst;
    match template.mode {
        XfrmMode::TRANSPORT => (dst.free_bits() == 0).then(|| dst.addr()),
        _ => Some(template.dst).filter(|dst| !dst.is_unspecified()),
    }
}

/// Whether packets of `policy` may go through `sa` where it says `template`.
#[must_use]
pub fn uses(policy: &Policy, template: &Template, sa: &Association) -> bool {
    is_kind(template, sa)
        && fits_key(policy, template, sa)
        && fits_direction(policy, sa)
        && fits_addresses(policy, template, sa)
}

fn is_kind(template: &Template, sa: &Association) -> bool {
    template.sa_type == sa.id.sa_type && template.mode == sa.mode && (template.spi == 0 || template.spi == sa.id.spi.0)
}

/// Packets that leave go through SAs that have the very same numbers; of those that come in an open number takes any.
fn fits_key(policy: &Policy, template: &Template, sa: &Association) -> bool {
    let is_out = policy.id.direction == Direction::Out;
    let mark = policy.id.mark.unwrap_or_default();
    let fits_mark = sa.id.mark.is_none_or(|wanted| mark.value & mark.mask & wanted.mask == wanted.value);
    let same = |policy: u32, sa: u32| policy == sa || (!is_out && policy == 0);
    same(template.reqid, sa.reqid) && same(policy.id.if_id, sa.if_id) && (!is_out || fits_mark)
}

fn fits_direction(policy: &Policy, sa: &Association) -> bool {
    let other = match policy.id.direction {
        Direction::Out => (true, false),
        Direction::In | Direction::Forward => (false, true),
    };
    sa.said != other
}

fn fits_addresses(policy: &Policy, template: &Template, sa: &Association) -> bool {
    let selector = &policy.id.selector;
    let is_same = |said: IpAddr, own: IpAddr| said == own || said.is_unspecified() || own.is_unspecified();
    let ends = match template.mode {
        XfrmMode::TRANSPORT => true,
        _ => is_same(template.src, sa.src_or_any()) && is_same(template.dst, sa.id.dst),
    };
    ends && sa.traffic.as_ref().is_none_or(|traffic| selector.meets(traffic))
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

    fn sa(request: &Request) -> Association {
        Association::of_request(request).unwrap()
    }

    fn marked(mark: u32) -> Association {
        let linux = LinuxExtras { mark: Some(Masked { value: mark, mask: 0xff }), ..LinuxExtras::default() };
        sa(&Request { linux: linux.into(), ..request(1) })
    }

    fn inner(last: u8) -> Option<InnerEndpoint> {
        Some(InnerEndpoint { addr: [10, last, 0, 0].into(), prefix_len: 16, port: 0, proto: 0 })
    }

    fn policy(direction: Direction) -> Policy {
        let host = |last| Net::host([10, 0, 0, last].into());
        let name = PolicyId { direction, selector: Selector::between(host(1), host(2)), mark: None, if_id: 0 };
        let nowhere = IpAddr::from([0; 4]);
        let mode = XfrmMode::TRANSPORT;
        let esp = Template { sa_type: SaType::ESP, mode, src: nowhere, dst: nowhere, spi: 0, reqid: 0, optional: false };
        Policy { id: name, action: Action::Allow, priority: 0, templates: vec![esp] }
    }

    fn takes(policy: &Policy, sa: &Association) -> bool {
        uses(policy, &policy.templates[0], sa)
    }

    #[test]
    fn numbers_must_be_the_same_on_the_way_out() {
        let numbered = sa(&Request { linux: LinuxExtras { reqid: 7, ..LinuxExtras::default() }.into(), ..request(1) });
        assert!(takes(&policy(Direction::Out), &sa(&request(1))));
        assert!(!takes(&policy(Direction::Out), &numbered));
        assert!(takes(&policy(Direction::In), &numbered), "0 lets any in");
        let mut strict = policy(Direction::In);
        strict.templates[0].reqid = 8;
        assert!(!takes(&strict, &numbered) && !takes(&strict, &sa(&request(1))));
        let interface = sa(&Request { linux: LinuxExtras { if_id: 3, ..LinuxExtras::default() }.into(), ..request(1) });
        assert!(!takes(&policy(Direction::Out), &interface));
    }

    #[test]
    fn marks_must_fit_on_the_way_out() {
        let mut policy = policy(Direction::Out);
        assert!(!takes(&policy, &marked(1)));
        policy.id.mark = Some(Masked { value: 1, mask: 0xff });
        assert!(takes(&policy, &marked(1)) && !takes(&policy, &marked(2)));
    }

    #[test]
    fn kind_mode_and_direction_must_be_the_same() {
        let policy = policy(Direction::Out);
        assert!(!takes(&policy, &sa(&Request { sa_type: SaType::AH, ..request(1) })));
        let tunnel = Request { inner_src: inner(1).into(), inner_dst: inner(2).into(), ..request(1) };
        assert!(!takes(&policy, &sa(&tunnel)));
        assert!(!takes(&policy, &sa(&Request { flags: Flags::INBOUND, ..request(1) })));
        assert!(takes(&policy, &sa(&Request { flags: Flags::OUTBOUND, ..request(1) })));
        assert!(!takes(&policy, &sa(&Request { dst: end(3), ..request(1) })), "another host");
    }

    #[test]
    fn a_tunnel_is_found_by_its_ends_and_networks() {
        let sa = sa(&Request { inner_src: inner(1).into(), inner_dst: inner(2).into(), ..request(1) });
        let mut policy = policy(Direction::Forward);
        policy.id.selector = sa.traffic.unwrap();
        let template = &mut policy.templates[0];
        (template.mode, template.src, template.dst) = (XfrmMode::TUNNEL, [10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        assert!(takes(&policy, &sa));
        policy.templates[0].dst = [10, 0, 0, 3].into();
        assert!(!takes(&policy, &sa));
    }

    #[test]
    fn what_stands_alone() {
        let (out, blocked) = (policy(Direction::Out), Policy { action: Action::Block, ..policy(Direction::In) });
        let mut bundle = policy(Direction::Out);
        bundle.templates.push(Template { sa_type: SaType::AH, ..bundle.templates[0] });
        let sas = [sa(&request(1)), sa(&Request { dst: end(9), ..request(2) })];
        let found = unmatched(&[&out, &blocked, &bundle], &sas);
        assert_eq!(found, Unmatched { sas: vec![1], policies: vec![2] });
        bundle.templates[1].optional = true;
        assert!(unmatched(&[&bundle], &sas).policies.is_empty());
    }
}
