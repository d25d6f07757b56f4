//! Removals and replacements of SAs and policies by other processes (`xfrm_notify_sa`, `xfrm_notify_policy`).

use crate::sa::MessageType;
use crate::sadb::SadbError;
use crate::sadb::changes::{Change, ChangeVisitor, Removal};
use crate::sadb::linux::errors::unavailable;
use crate::sadb::linux::xfrm::client::is_overrun;
use crate::sadb::linux::xfrm::decode::{self, MessageOrigin};
use crate::sadb::linux::xfrm::monitor::deleted_sa;
use crate::sys::net::netlink::{NetlinkSocket, is_own_port};
use crate::sys::time::Deadline;
use crate::wire::xfrm::number::{GROUP_POLICY, GROUP_SA, kind};
use crate::wire::xfrm::{Body, NetlinkMessage, messages};

/// Calls `each` for every change until it breaks. Changes by this process are left out.
pub(super) fn watch(each: ChangeVisitor<'_>) -> Result<(), SadbError> {
    let mut socket = NetlinkSocket::xfrm(GROUP_SA | GROUP_POLICY).map_err(unavailable)?;
    loop {
        let changes = match socket.receive(&mut Deadline::never()) {
            Ok(Some(datagram)) => messages(&datagram).filter_map(Result::ok).filter_map(change).collect(),
            Ok(None) => continue,
            Err(error) if is_overrun(&error) => vec![Change { removal: Removal::Unknown, port: 0 }],
            Err(error) => return Err(error.into()),
        };
        for change in changes {
            if each(change).is_break() {
                return Ok(());
            }
        }
    }
}

/// `None` for an addition, which removes nothing, and for a change by this process.
fn change(message: NetlinkMessage) -> Option<Change> {
    let port = message.header.port;
    if is_own_port(port) {
        return None;
    }
    let origin = MessageOrigin { byte_len: message.byte_len, seq: message.header.seq, pid: port };
    let removal = match (message.header.kind, message.body) {
        (kind::DELSA, Body::SaId(id, attributes)) => Removal::Sa(Box::new(match deleted_sa(&attributes) {
            Some(info) => decode::decode_sa(MessageType::DELETE, origin, &info, attributes, None, None),
            None => decode::decode_id(MessageType::DELETE, origin, &id),
        })),
        (kind::UPDSA, Body::Sa(info, attributes)) => {
            Removal::Sa(Box::new(decode::decode_sa(MessageType::UPDATE, origin, &info, attributes, None, None)))
        }
        (kind::FLUSHSA, _) => Removal::AllSas,
        (kind::DELPOLICY | kind::UPDPOLICY | kind::FLUSHPOLICY, _) => Removal::Policies,
        _ => return None,
    };
    Some(Change { removal, port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xfrm::NetlinkHeader;

    fn removal(kind: u16, port: u32) -> Option<Removal> {
        let header = NetlinkHeader { kind, flags: 0, seq: 7, port };
        change(NetlinkMessage { header, byte_len: 16, body: Body::Flush(0) }).map(|change| change.removal)
    }

    #[test]
    fn change_is_a_removal_by_another_process() {
        // Ports of other tests' sockets are those of this process; 1 is process 1.
        assert!(matches!(removal(kind::FLUSHSA, 1), Some(Removal::AllSas)));
        for kind in [kind::DELPOLICY, kind::UPDPOLICY, kind::FLUSHPOLICY] {
            assert!(matches!(removal(kind, 1), Some(Removal::Policies)), "{kind}");
        }
        assert!(removal(kind::NEWSA, 1).is_none() && removal(kind::NEWPOLICY, 1).is_none(), "additions remove nothing");
        let own = NetlinkSocket::xfrm(0).map(|socket| socket.port());
        own.iter().for_each(|port| assert!(removal(kind::FLUSHSA, *port).is_none()));
    }
}
