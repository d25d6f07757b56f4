//! The SPD of the Linux kernel (`net/xfrm/xfrm_policy.c`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::ControlFlow;

use crate::policy::{ListedPolicy, Net, Policy, PolicyAction, PolicyDirection, PolicyId, PortMask, Selector, Template};
use crate::sa::{Masked, XfrmMode};
use crate::sadb::linux::errors::RequestContext;
use crate::sadb::linux::xfrm::Xfrm;
use crate::sadb::linux::xfrm::encode::{proto_of, type_of};
use crate::sadb::{MAX_BATCH, SadbError, Spd};
use crate::wire::xfrm;
use crate::wire::xfrm::fixed::{LifetimeLimits, RawAddress, XfrmSelector, family_of};
use crate::wire::xfrm::number::{
    FAMILY_INET6, INFINITE, POLICY_ALLOW, POLICY_BLOCK, POLICY_FWD, POLICY_IN, POLICY_OUT, attr, kind,
};
use crate::wire::xfrm::{Attribute, Body, PolicyInfo, UserPolicyId, XfrmTemplate};

/// All algorithms are allowed.
const ANY_ALGORITHM: [u32; 3] = [u32::MAX; 3];
/// A policy without lifetimes.
const UNLIMITED: LifetimeLimits =
    LifetimeLimits { bytes: (INFINITE, INFINITE), packets: (INFINITE, INFINITE), add: (0, 0), used: (0, 0) };

const DIRECTIONS: &[(PolicyDirection, u8)] =
    &[(PolicyDirection::In, POLICY_IN), (PolicyDirection::Out, POLICY_OUT), (PolicyDirection::Forward, POLICY_FWD)];

/// The order of `struct xfrm_userpolicy_default`.
const DEFAULT_DIRECTIONS: [PolicyDirection; 3] = [PolicyDirection::In, PolicyDirection::Forward, PolicyDirection::Out];
/// `XFRM_USERPOLICY_BLOCK`. The numbers are not those of a policy's action.
const DEFAULT_BLOCK: u8 = 1;

impl Spd for Xfrm {
    fn policies(&mut self) -> Result<Vec<ListedPolicy>, SadbError> {
        let mut found = Vec::new();
        self.client.dump(kind::GETPOLICY, Vec::new(), &mut |_| {}, &mut |message| {
            found.extend(decode_policy(message));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    fn blocked_by_default(&mut self) -> Result<Vec<PolicyDirection>, SadbError> {
        let request = Body::DefaultPolicy([0; 3]);
        let reply = match self.client.get(kind::GETDEFAULT, &request, &RequestContext::policy(), &mut |_| {}) {
            Ok(reply) => reply,
            // EINVAL: Linux before 5.14 has no default policy.
            Err(SadbError::Refused { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let Body::DefaultPolicy(actions) = reply.body else { return Ok(Vec::new()) };
        let directions = DEFAULT_DIRECTIONS.iter().zip(actions);
        Ok(directions.filter(|(_, action)| *action == DEFAULT_BLOCK).map(|(direction, _)| *direction).collect())
    }

    fn insert(&mut self, policies: &[Policy]) -> Vec<Result<(), SadbError>> {
        self.request_each(kind::NEWPOLICY, policies, encode_policy)
    }

    fn replace(&mut self, policies: &[Policy]) -> Vec<Result<(), SadbError>> {
        self.request_each(kind::UPDPOLICY, policies, encode_policy)
    }

    fn remove(&mut self, names: &[PolicyId]) -> Vec<Result<(), SadbError>> {
        self.request_each(kind::DELPOLICY, names, |name| Ok(encode_policy_id(name)))
    }
}

impl Xfrm {
    /// Sends a request of the same type for each of `items`.
    fn request_each<T>(
        &mut self,
        kind: u16,
        items: &[T],
        body: impl Fn(&T) -> Result<Body, SadbError>,
    ) -> Vec<Result<(), SadbError>> {
        let mut outcomes = Vec::with_capacity(items.len());
        // Larger datagrams would exceed the send buffer (EMSGSIZE).
        for chunk in items.chunks(MAX_BATCH) {
            let operations = chunk.iter().map(|item| Ok((kind, body(item)?, RequestContext::policy())));
            outcomes.extend(self.client.request_all(operations));
        }
        outcomes
    }
}

fn encode_policy(policy: &Policy) -> Result<Body, SadbError> {
    let info = PolicyInfo {
        selector: selector(&policy.id.selector),
        limits: UNLIMITED,
        priority: policy.priority,
        direction: direction_number(policy.id.direction),
        action: if policy.action == PolicyAction::Block { POLICY_BLOCK } else { POLICY_ALLOW },
        ..PolicyInfo::default()
    };
    let templates = policy.templates.iter().map(|one| template(one, &info)).collect::<Result<Vec<_>, _>>()?;
    let templates = (!templates.is_empty()).then_some(Attribute::Templates(templates));
    let attributes = templates.into_iter().chain(name_attributes(&policy.id)).collect();
    Ok(Body::Policy(Box::new(info), attributes))
}

fn encode_policy_id(name: &PolicyId) -> Body {
    let id = UserPolicyId { selector: selector(&name.selector), index: 0, direction: direction_number(name.direction) };
    Body::PolicyId(id, name_attributes(name))
}

fn name_attributes(name: &PolicyId) -> Vec<Attribute> {
    let if_id = (name.if_id != 0).then_some(Attribute::Word(attr::IF_ID, name.if_id));
    name.mark.map(Attribute::Mark).into_iter().chain(if_id).collect()
}

fn direction_number(direction: PolicyDirection) -> u8 {
    DIRECTIONS.iter().find(|(row, _)| *row == direction).map_or(POLICY_IN, |(_, number)| *number)
}

fn selector(selector: &Selector) -> XfrmSelector {
    let ports = |ports: PortMask| (ports.value, ports.mask);
    XfrmSelector {
        dst: selector.dst.addr().into(),
        src: selector.src.addr().into(),
        dst_port: ports(selector.dst_ports),
        src_port: ports(selector.src_ports),
        family: family_of(selector.dst.addr()),
        dst_prefix: selector.dst.prefix_len(),
        src_prefix: selector.src.prefix_len(),
        proto: selector.proto,
        ifindex: selector.interface,
        user: 0,
    }
}

fn template(template: &Template, policy: &PolicyInfo) -> Result<XfrmTemplate, SadbError> {
    let is_tunnel = template.mode != XfrmMode::TRANSPORT;
    Ok(XfrmTemplate {
        dst: template.dst.into(),
        spi: template.spi,
        proto: proto_of(template.sa_type)?,
        // In transport mode the template's addresses are zero, and their family is that of the selector.
        family: if is_tunnel { family_of(template.dst) } else { policy.selector.family },
        src: template.src.into(),
        reqid: template.reqid,
        mode: template.mode.0,
        share: 0,
        optional: template.optional,
        algorithms: ANY_ALGORITHM,
    })
}

/// Decodes a policy; `None` for that of a single socket, whose direction is 3 or higher.
fn decode_policy(message: xfrm::NetlinkMessage) -> Option<ListedPolicy> {
    let Body::Policy(info, attributes) = message.body else { return None };
    let direction = DIRECTIONS.iter().find(|(_, number)| *number == info.direction)?.0;
    let mut name = PolicyId { direction, selector: read_selector(&info.selector)?, mark: None, if_id: 0 };
    let mut templates = Vec::new();
    for attribute in attributes {
        match attribute {
            Attribute::Mark(mark) => name.mark = Some(mark).filter(|mark| *mark != Masked::default()),
            Attribute::Word(attr::IF_ID, if_id) => name.if_id = if_id,
            Attribute::Templates(found) => templates.extend(found.iter().map(read_template)),
            _ => {}
        }
    }
    let action = if info.action == POLICY_BLOCK { PolicyAction::Block } else { PolicyAction::Allow };
    let policy = Policy { id: name, action, priority: info.priority, templates };
    Some(ListedPolicy { policy, added: info.current.add_time })
}

fn read_selector(selector: &XfrmSelector) -> Option<Selector> {
    let ports = |(value, mask)| PortMask { value, mask };
    Some(Selector {
        src: Net::new(selector.src.ip(selector.family)?, selector.src_prefix),
        dst: Net::new(selector.dst.ip(selector.family)?, selector.dst_prefix),
        proto: selector.proto,
        src_ports: ports(selector.src_port),
        dst_ports: ports(selector.dst_port),
        interface: selector.ifindex,
    })
}

fn read_template(template: &XfrmTemplate) -> Template {
    let unspecified: IpAddr = match template.family {
        FAMILY_INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    let end = |raw: RawAddress| raw.ip(template.family).unwrap_or(unspecified);
    Template {
        sa_type: type_of(template.proto),
        mode: XfrmMode(template.mode),
        src: end(template.src),
        dst: end(template.dst),
        spi: template.spi,
        reqid: template.reqid,
        optional: template.optional,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::SaType;
    use crate::wire::reader::Reader;
    use crate::wire::xfrm::{NetlinkHeader, decode, encode};

    fn tunnel() -> Policy {
        let selector = Selector {
            proto: 6,
            dst_ports: PortMask::exactly(80),
            ..Selector::between(Net::new([10, 1, 0, 0].into(), 16), Net::host([10, 0, 0, 2].into()))
        };
        let unspecified = [0; 4].into();
        let esp = Template {
            sa_type: SaType::ESP,
            mode: XfrmMode::TUNNEL,
            src: [192, 0, 2, 1].into(),
            dst: [192, 0, 2, 2].into(),
            spi: 0,
            reqid: 9,
            optional: false,
        };
        let ah = Template {
            sa_type: SaType::AH,
            mode: XfrmMode::TRANSPORT,
            src: unspecified,
            dst: unspecified,
            spi: 0,
            reqid: 0,
            optional: false,
        };
        let mark = Some(Masked { value: 1, mask: 0xff });
        let name = PolicyId { direction: PolicyDirection::Out, selector, mark, if_id: 3 };
        Policy { id: name, action: PolicyAction::Allow, priority: 7, templates: vec![esp, ah] }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The bytes that iproute2 6.1 sends for `ip xfrm policy add src 10.1.0.0/16 dst 10.0.0.2 proto tcp dport 80 dir out
    /// priority 7 mark 1 mask 0xff if_id 3 tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 9 mode tunnel
    /// tmpl proto ah mode transport`, by strace.
    #[cfg(target_endian = "little")]
    const BY_IP: &[&str] = &[
        "50010000130005000000000000000000",
        "0a000002000000000000000000000000",
        "0a010000000000000000000000000000",
        "0050ffff00000000020020100600000000000000",
        "00000000",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "07000000000000000100000000000000",
        "84000500",
        "c0000202000000000000000000000000000000003200000002000000c0000201000000000000000000000000",
        "0900000001000000ffffffffffffffffffffffff",
        "00000000000000000000000000000000000000003300000002000000000000000000000000000000",
        "00000000",
        "0000000000000000ffffffffffffffffffffffff",
        "0c00150001000000ff000000",
        "08001f0003000000",
    ];

    #[cfg(target_endian = "little")]
    #[test]
    fn encode_policy_equals_iproute2() {
        let header = NetlinkHeader { kind: kind::NEWPOLICY, flags: 5, ..NetlinkHeader::default() };
        let bytes = encode(header, &encode_policy(&tunnel()).unwrap()).unwrap();
        assert_eq!(hex(&bytes), BY_IP.concat());
    }

    #[test]
    fn what_is_sent_is_what_is_listed() {
        let bypass = Policy { templates: vec![], action: PolicyAction::Block, ..tunnel() };
        let six = Selector::between(Net::new("fd00::".parse().unwrap(), 8), Net::host("fd00::2".parse().unwrap()));
        let six =
            Policy { id: PolicyId { selector: six, mark: None, if_id: 0, direction: PolicyDirection::Forward }, ..tunnel() };
        for policy in [tunnel(), bypass, Policy { templates: vec![tunnel().templates[0]], ..six }] {
            let header = NetlinkHeader { kind: kind::NEWPOLICY, ..NetlinkHeader::default() };
            let bytes = encode(header, &encode_policy(&policy).unwrap()).unwrap();
            let found = decode_policy(decode(&mut Reader::new(&bytes)).unwrap());
            assert_eq!(found, Some(ListedPolicy { policy, added: 0 }));
        }
    }

    #[test]
    fn decode_policy_skips_socket_policies() {
        let Body::Policy(info, attributes) = encode_policy(&tunnel()).unwrap() else { panic!("a policy") };
        let body = Body::Policy(Box::new(PolicyInfo { direction: 3, ..*info }), attributes);
        let header = NetlinkHeader { kind: kind::NEWPOLICY, ..NetlinkHeader::default() };
        assert_eq!(decode_policy(xfrm::NetlinkMessage { header, byte_len: 0, body }), None);
    }
}
