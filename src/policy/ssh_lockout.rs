//! Detects policies that would cut off the SSH session from which they are installed.

use std::net::IpAddr;

use crate::policy::{Net, Policy, PolicyAction, PolicyDirection, PortMask, Selector};

const IPPROTO_TCP: u8 = 6;

/// An SSH session, from `SSH_CONNECTION` of ssh(1): address and port of the client, and of the server (this host).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SshSession {
    client: (IpAddr, u16),
    server: (IpAddr, u16),
}

impl SshSession {
    /// Parses the value of `SSH_CONNECTION`.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [client, client_port, server, port] = words[..] else { return None };
        let end = |addr: &str, port: &str| {
            // sshd(8) appends the interface to a link-local address: fe80::1%eth0.
            let addr: IpAddr = addr.split('%').next()?.parse().ok()?;
            Some((addr.to_canonical(), port.parse().ok()?))
        };
        Some(Self { client: end(client, client_port)?, server: end(server, port)? })
    }

    /// The address of the client.
    #[must_use]
    pub(crate) fn client(&self) -> IpAddr {
        self.client.0
    }

    /// The policy that would drop the unprotected packets of the session; `None` if they pass.
    #[must_use]
    pub(crate) fn blocking_policy<'a>(&self, policies: &'a [Policy]) -> Option<&'a Policy> {
        let packets = Selector {
            proto: IPPROTO_TCP,
            src_ports: PortMask::exactly(self.client.1),
            dst_ports: PortMask::exactly(self.server.1),
            ..Selector::between(Net::host(self.client.0), Net::host(self.server.0))
        };
        let matches = |policy: &&Policy| {
            let id = &policy.id;
            // Packets of a login session rarely carry a mark, or come through an XFRM interface.
            let is_plain = id.mark.is_none() && id.if_id == 0;
            is_plain && id.direction == PolicyDirection::In && id.selector.overlaps(&packets)
        };
        let first = policies.iter().filter(matches).min_by_key(|policy| policy.priority)?;
        let passes = first.action == PolicyAction::Allow && first.templates.iter().all(|template| template.optional);
        (!passes).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::derive::{DEFAULT_PRIORITY, priority};
    use crate::policy::{PolicyId, Template};
    use crate::sa::{SaType, XfrmMode};

    fn policy(selector: Selector, is_protected: bool) -> Policy {
        let unspecified = [0; 4].into();
        let (sa_type, mode) = (SaType::ESP, XfrmMode::TRANSPORT);
        let esp = Template { sa_type, mode, src: unspecified, dst: unspecified, spi: 0, reqid: 0, optional: false };
        Policy {
            id: PolicyId { direction: PolicyDirection::In, selector, mark: None, if_id: 0 },
            action: PolicyAction::Allow,
            priority: priority(&selector, DEFAULT_PRIORITY),
            templates: if is_protected { vec![esp] } else { vec![] },
        }
    }

    fn hosts() -> Selector {
        Selector::between(Net::host([10, 0, 0, 2].into()), Net::host([10, 0, 0, 1].into()))
    }

    #[test]
    fn parse_reads_ssh_connection() {
        let session = SshSession::parse("fe80::2%eth0 40000 ::ffff:10.0.0.1 22").unwrap();
        assert_eq!(session.server, ([10, 0, 0, 1].into(), 22));
        assert_eq!(session.client(), "fe80::2".parse::<IpAddr>().unwrap());
        for text in ["", "10.0.0.2 1 10.0.0.1", "a 1 b 2", "10.0.0.2 x 10.0.0.1 22"] {
            assert_eq!(SshSession::parse(text), None, "{text}");
        }
    }

    #[test]
    fn blocking_policy_is_the_narrowest_match() {
        let session = SshSession::parse("10.0.0.2 40000 10.0.0.1 22").unwrap();
        let ssh = Selector { proto: 6, dst_ports: PortMask::exactly(22), ..hosts() };
        let web = Selector { dst_ports: PortMask::exactly(80), ..ssh };
        let all = policy(hosts(), true);
        assert_eq!(session.blocking_policy(std::slice::from_ref(&all)), Some(&all));
        assert_eq!(session.blocking_policy(&[policy(web, true)]), None);
        assert_eq!(session.blocking_policy(&[policy(ssh, false), all.clone()]), None);
        let elsewhere = Policy { id: PolicyId { direction: PolicyDirection::Out, ..all.id }, ..all };
        assert_eq!(session.blocking_policy(&[elsewhere]), None);
    }
}
