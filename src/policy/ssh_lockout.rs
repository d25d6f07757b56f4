//! Whether a policy cuts off the session from which it is installed.

use std::net::IpAddr;

use crate::policy::{Action, Direction, Net, Policy, Ports, Selector};

/// IPPROTO_TCP.
const TCP: u8 = 6;

/// A session over SSH, as `SSH_CONNECTION` of ssh(1) tells: the peer's address and port, and those here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    peer: (IpAddr, u16),
    here: (IpAddr, u16),
}

impl Session {
    /// The session that the value of `SSH_CONNECTION` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [peer, peer_port, here, port] = words[..] else { return None };
        let end = |addr: &str, port: &str| {
            // A link-local address has its interface behind it.
            let addr: IpAddr = addr.split('%').next()?.parse().ok()?;
            Some((addr.to_canonical(), port.parse().ok()?))
        };
        Some(Self { peer: end(peer, peer_port)?, here: end(here, port)? })
    }

    /// The peer's address.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.peer.0
    }

    /// The one of `policies` after which the session's packets in clear would be dropped.
    #[must_use]
    pub fn cut_by<'a>(&self, policies: &'a [Policy]) -> Option<&'a Policy> {
        let packets = Selector {
            proto: TCP,
            src_ports: Ports::said(self.peer.1),
            dst_ports: Ports::said(self.here.1),
            ..Selector::between(Net::host(self.peer.0), Net::host(self.here.0))
        };
        let is_about = |policy: &&Policy| {
            let name = &policy.id;
            let is_plain = name.mark.is_none() && name.if_id == 0;
            is_plain && name.direction == Direction::In && name.selector.meets(&packets)
        };
        let first = policies.iter().filter(is_about).min_by_key(|policy| policy.priority)?;
        let is_clear = first.action == Action::Allow && first.templates.iter().all(|template| template.optional);
        (!is_clear).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::derive::priority;
    use crate::policy::{PolicyId, Template};
    use crate::sa::{SaType, XfrmMode};

    fn policy(selector: Selector, is_protected: bool) -> Policy {
        let nowhere = [0; 4].into();
        let (sa_type, mode) = (SaType::ESP, XfrmMode::TRANSPORT);
        let esp = Template { sa_type, mode, src: nowhere, dst: nowhere, spi: 0, reqid: 0, optional: false };
        Policy {
            id: PolicyId { direction: Direction::In, selector, mark: None, if_id: 0 },
            action: Action::Allow,
            priority: priority(&selector),
            templates: if is_protected { vec![esp] } else { vec![] },
        }
    }

    fn hosts() -> Selector {
        Selector::between(Net::host([10, 0, 0, 2].into()), Net::host([10, 0, 0, 1].into()))
    }

    #[test]
    fn a_session_is_read() {
        let session = Session::parse("fe80::2%eth0 40000 ::ffff:10.0.0.1 22").unwrap();
        assert_eq!(session.here, ([10, 0, 0, 1].into(), 22));
        assert_eq!(session.peer(), "fe80::2".parse::<IpAddr>().unwrap());
        for text in ["", "10.0.0.2 1 10.0.0.1", "a 1 b 2", "10.0.0.2 x 10.0.0.1 22"] {
            assert_eq!(Session::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_narrowest_policy_decides() {
        let session = Session::parse("10.0.0.2 40000 10.0.0.1 22").unwrap();
        let ssh = Selector { proto: 6, dst_ports: Ports::said(22), ..hosts() };
        let web = Selector { dst_ports: Ports::said(80), ..ssh };
        let all = policy(hosts(), true);
        assert_eq!(session.cut_by(std::slice::from_ref(&all)), Some(&all));
        assert_eq!(session.cut_by(&[policy(web, true)]), None);
        assert_eq!(session.cut_by(&[policy(ssh, false), all.clone()]), None);
        let elsewhere = Policy { id: PolicyId { direction: Direction::Out, ..all.id }, ..all };
        assert_eq!(session.cut_by(&[elsewhere]), None);
    }
}
