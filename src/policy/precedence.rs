//! Which policies take the packets of others: of those that match a packet, the one with the lowest priority number applies.

use super::{Policy, PolicyAction, PolicyId};

/// Upper limit of the comparisons: a host may have 100,000 policies of the service.
const COMPARISONS: usize = 10_000_000;

/// Two policies, of which the first takes all packets of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shadow<'a> {
    pub(crate) by: &'a Policy,
    pub(crate) of: &'a Policy,
}

/// The result of [`shadows`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shadows<'a> {
    /// Policies of other programs that get no packets any more.
    pub(crate) foreign: Vec<Shadow<'a>>,
    /// Policies of the service that get no packets.
    pub(crate) own: Vec<Shadow<'a>>,
}

/// Finds the policies of the service that take all packets of a narrower foreign one, and the reverse.
#[must_use]
pub(crate) fn shadows<'a>(own: &[&'a Policy], foreign: &[&'a Policy]) -> Shadows<'a> {
    let mut found = Shadows::default();
    // Those that only let packets pass are narrow, and it is their purpose to precede others.
    let own: Vec<&Policy> = own.iter().copied().filter(|policy| !is_pass(policy)).collect();
    for foreign in foreign.iter().copied().take(COMPARISONS / own.len().max(1)) {
        for own in &own {
            if own.priority < foreign.priority && covers(&own.id, &foreign.id) {
                found.foreign.push(Shadow { by: own, of: foreign });
            } else if foreign.priority < own.priority && covers(&foreign.id, &own.id) && !is_same(foreign, own) {
                found.own.push(Shadow { by: foreign, of: own });
            }
        }
    }
    found
}

/// Whether `wide` matches every packet that `narrow` does.
fn covers(wide: &PolicyId, narrow: &PolicyId) -> bool {
    let has_mark = wide.mark.is_none() || wide.mark == narrow.mark;
    (wide.direction, wide.if_id) == (narrow.direction, narrow.if_id) && has_mark && wide.selector.covers(&narrow.selector)
}

fn is_pass(policy: &Policy) -> bool {
    policy.action == PolicyAction::Allow && policy.templates.is_empty()
}

/// Whether the effect is the same: the service keeps a foreign policy that has the one of its own.
fn is_same(one: &Policy, other: &Policy) -> bool {
    one.id == other.id && one.action == PolicyAction::Allow && one.templates == other.templates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Net, PolicyDirection, Selector, Template};
    use crate::sa::{Masked, SaType, XfrmMode};

    fn policy(src: &str, dst: &str, priority: u32) -> Policy {
        let net = |text: &str| {
            let (addr, len) = text.split_once('/').unwrap();
            Net::new(addr.parse().unwrap(), len.parse().unwrap())
        };
        let selector = Selector::between(net(src), net(dst));
        let id = PolicyId { direction: PolicyDirection::Out, selector, mark: None, if_id: 0 };
        let any = [0; 4].into();
        let mode = XfrmMode::TRANSPORT;
        let esp = Template { sa_type: SaType::ESP, mode, src: any, dst: any, spi: 0, reqid: 0, optional: false };
        Policy { id, action: PolicyAction::Allow, priority, templates: vec![esp] }
    }

    #[test]
    fn shadows_finds_a_wide_policy_before_a_narrow_one() {
        let wide = policy("10.0.0.0/8", "10.0.0.0/8", 10_390);
        let narrow = policy("10.1.0.0/16", "10.2.0.0/16", 380_000);
        let beside = policy("10.1.0.0/16", "11.2.0.0/16", 380_000);
        let found = shadows(&[&wide], &[&narrow, &beside]);
        assert_eq!(found, Shadows { foreign: vec![Shadow { by: &wide, of: &narrow }], own: vec![] });
        // The narrow one applies to its packets.
        assert_eq!(shadows(&[&narrow], &[&policy("10.0.0.0/8", "10.0.0.0/8", 390_000)]), Shadows::default());
        assert_eq!(shadows(&[&narrow], &[&wide]).own, [Shadow { by: &wide, of: &narrow }]);
    }

    #[test]
    fn shadows_compares_direction_mark_and_interface() {
        let wide = policy("10.0.0.0/8", "10.0.0.0/8", 1);
        let narrow = policy("10.1.0.0/16", "10.2.0.0/16", 2);
        let with = |id| Policy { id, ..narrow.clone() };
        for other in
            [with(PolicyId { direction: PolicyDirection::In, ..narrow.id }), with(PolicyId { if_id: 7, ..narrow.id })]
        {
            assert_eq!(shadows(&[&wide], &[&other]), Shadows::default());
        }
        let marked = with(PolicyId { mark: Some(Masked { value: 1, mask: 1 }), ..narrow.id });
        assert_eq!(shadows(&[&wide], &[&marked]).foreign.len(), 1, "packets with any mark");
    }

    #[test]
    fn shadows_ignores_passes_and_equivalent_policies() {
        let own = policy("10.1.0.0/16", "10.2.0.0/16", 10_000);
        let pass = Policy { templates: Vec::new(), ..own.clone() };
        let foreign = policy("10.1.0.0/16", "10.2.0.0/17", 380_000);
        assert_eq!(shadows(&[&pass], &[&foreign]), Shadows::default());
        assert_eq!(shadows(&[&own], &[&Policy { priority: 0, ..own.clone() }]), Shadows::default());
    }
}
