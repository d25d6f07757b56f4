//! Events of the kernel, and traced requests, as messages.

use std::ops::ControlFlow;

use nix::errno::Errno;

use crate::sa::{Extension, LifetimeKind, Message, MessageType, SaState};
use crate::sadb::linux::xfrm::client::is_overrun;
use crate::sadb::linux::xfrm::decode;
use crate::sadb::linux::xfrm::decode::MessageOrigin;
use crate::sadb::linux::xfrm::encode::type_of;
use crate::sadb::linux::xfrm::kernel::Kernel;
use crate::sadb::linux::xfrm::{MonitorMode, SadbError, Trace, Visitor};
use crate::sys::time::Deadline;
use crate::wire::xfrm;
use crate::wire::xfrm::number::{GROUP_EXPIRE, GROUP_SA, kind};
use crate::wire::xfrm::{Attribute, Body, SaInfo, messages};

/// Calls `each` for every change and expiry until it breaks. A message of type RESERVED with errno ENOBUFS reports events that
/// were lost because the receive buffer was full.
pub(crate) fn monitor(mode: MonitorMode, kernel: &Kernel, own_port: u32, each: Visitor<'_>) -> Result<(), SadbError> {
    let groups = match mode {
        MonitorMode::All | MonitorMode::Passive => GROUP_SA | GROUP_EXPIRE,
        // Events of other kinds carry keys and could fill the receive buffer while a file is loaded.
        MonitorMode::Expiries => GROUP_EXPIRE,
    };
    let mut socket = kernel.connect(groups)?;
    loop {
        let events = match socket.receive(&mut Deadline::never()) {
            Ok(Some(datagram)) => decode_events(&datagram, own_port)?,
            Ok(None) => continue,
            Err(error) if is_overrun(&error) => vec![overrun_message()],
            Err(error) => return Err(error.into()),
        };
        for message in events {
            if let ControlFlow::Break(()) = each(&message) {
                return Ok(());
            }
        }
    }
}

fn overrun_message() -> Message {
    let mut message = decode::empty_message(MessageType::RESERVED, 0, MessageOrigin::default());
    message.errno = Errno::ENOBUFS as u8;
    message
}

fn decode_events(datagram: &[u8], own_port: u32) -> Result<Vec<Message>, SadbError> {
    let mut events = Vec::new();
    for message in messages(datagram) {
        let message = message.map_err(|error| SadbError::BadReply(error.to_string()))?;
        let mut origin = origin(&message);
        // The port of this process's client is its pid in PF_KEY terms; other processes show their netlink ports.
        if origin.pid == own_port {
            origin.pid = std::process::id();
        }
        events.extend(decode_event(message, origin));
    }
    Ok(events)
}

fn origin(message: &xfrm::NetlinkMessage) -> MessageOrigin {
    MessageOrigin { byte_len: message.byte_len, seq: message.header.seq, pid: message.header.port }
}

/// Decodes an event and removes its keys, as illumos does in messages to all sockets.
fn decode_event(message: xfrm::NetlinkMessage, origin: MessageOrigin) -> Option<Message> {
    let mut decoded = match message.body {
        Body::Sa(info, attributes) => {
            let kind = if message.header.kind == kind::UPDSA { MessageType::UPDATE } else { MessageType::ADD };
            decode::decode_sa(kind, origin, &info, attributes, None, None)
        }
        Body::SaId(id, attributes) => match deleted_sa(&attributes) {
            Some(info) => decode::decode_sa(MessageType::DELETE, origin, &info, attributes, Some(SaState::DEAD), None),
            None => decode::decode_id(MessageType::DELETE, origin, &id),
        },
        Body::Flush(proto) => decode::empty_message(MessageType::FLUSH, proto, origin),
        Body::Expire(info, hard, attributes) => decode_expire(&info, hard, attributes, origin),
        _ => return None,
    };
    decoded.extensions.retain(|ext| !matches!(ext, Extension::Key(..)));
    Some(decoded)
}

/// The SA in a DELSA event.
pub(super) fn deleted_sa(attributes: &[Attribute]) -> Option<SaInfo> {
    attributes.iter().find_map(|attribute| match attribute {
        Attribute::Sa(info) => Some(**info),
        _ => None,
    })
}

/// EXPIRE with the SA, the current and the expired lifetime, and the addresses.
fn decode_expire(info: &SaInfo, hard: bool, attributes: Vec<Attribute>, origin: MessageOrigin) -> Message {
    // A hard expiry removes the SA without a DELSA event.
    let (state, which) = if hard { (SaState::DEAD, LifetimeKind::Hard) } else { (SaState::DYING, LifetimeKind::Soft) };
    let mut message = decode::decode_sa(MessageType::EXPIRE, origin, info, attributes, Some(state), None);
    message.extensions.retain(|ext| match ext {
        Extension::Lifetime(kind, _) => *kind == LifetimeKind::Current || *kind == which,
        Extension::Association(_) | Extension::Address(..) => true,
        _ => false,
    });
    message
}

/// Passes a request to `trace` before it is sent.
pub(crate) fn trace(trace: Option<&mut Trace>, request: &[u8]) {
    let (Some(trace), Some(Ok(message))) = (trace, messages(request).next()) else { return };
    let origin = MessageOrigin { pid: std::process::id(), ..origin(&message) };
    let (message_type, proto) = match (message.header.kind, &message.body) {
        (kind::NEWSA, Body::Sa(info, _)) => (MessageType::ADD, info.proto),
        (kind::UPDSA, Body::Sa(info, _)) => (MessageType::UPDATE, info.proto),
        (kind::DELSA, Body::SaId(id, _)) => (MessageType::DELETE, id.proto),
        (kind::GETSA, Body::SaId(id, _)) => (MessageType::GET, id.proto),
        (kind::NEWAE, Body::Event(event, _)) => (MessageType::UPDATE, event.id.proto),
        (_, Body::Flush(proto)) => (MessageType::FLUSH, *proto),
        (_, Body::Dump(filters)) => (MessageType::DUMP, protocol_filter(filters)),
        _ => return,
    };
    let shown = match message.body {
        Body::Sa(info, attributes) => {
            decode::decode_sa(message_type, origin, &info, attributes, Some(SaState::MATURE), None)
        }
        Body::SaId(id, _) => decode::decode_id(message_type, origin, &id),
        Body::Event(event, _) => decode::decode_id(message_type, origin, &event.id),
        _ => decode::empty_message(message_type, proto, origin),
    };
    debug_assert_eq!(shown.sa_type, type_of(proto));
    trace(&shown);
}

/// The protocol in the filters of a dump, 0 for none.
fn protocol_filter(filters: &[Attribute]) -> u8 {
    filters.iter().find_map(|filter| if let Attribute::Proto(proto) = filter { Some(*proto) } else { None }).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xfrm::{NetlinkHeader, PolicyInfo, UserPolicyId};

    /// docs/parity.md: `monitor` shows SAs. Events of policies and for key managers come in other groups.
    #[test]
    fn decode_event_shows_events_of_sas_only() {
        let decoded = |kind: u16, body: Body| {
            let header = NetlinkHeader { kind, ..NetlinkHeader::default() };
            let message = xfrm::NetlinkMessage { header, byte_len: 0, body };
            decode_event(message, MessageOrigin::default()).map(|message| message.kind)
        };
        let sa = || Box::new(SaInfo::default());
        assert_eq!(decoded(kind::NEWSA, Body::Sa(sa(), Vec::new())), Some(MessageType::ADD));
        assert_eq!(decoded(kind::UPDSA, Body::Sa(sa(), Vec::new())), Some(MessageType::UPDATE));
        assert_eq!(decoded(kind::FLUSHSA, Body::Flush(50)), Some(MessageType::FLUSH));
        assert_eq!(decoded(kind::NEWPOLICY, Body::Policy(Box::<PolicyInfo>::default(), Vec::new())), None);
        assert_eq!(decoded(kind::DELPOLICY, Body::PolicyId(UserPolicyId::default(), Vec::new())), None);
        assert_eq!(GROUP_SA | GROUP_EXPIRE, 6);
    }
}
