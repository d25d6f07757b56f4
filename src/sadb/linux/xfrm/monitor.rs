//! What the kernel tells of its own accord, and what is about to be sent, as messages.

use std::ops::ControlFlow;

use nix::errno::Errno;

use crate::sa::{Extension, LifetimeKind, Message, MessageType, SaState};
use crate::sadb::linux::errors::unavailable;
use crate::sadb::linux::xfrm::client::is_overrun;
use crate::sadb::linux::xfrm::decode;
use crate::sadb::linux::xfrm::decode::Origin;
use crate::sadb::linux::xfrm::encode::type_of;
use crate::sadb::linux::xfrm::{MonitorMode, SadbError, Trace, Visitor};
use crate::sys::net::netlink::NetlinkSocket;
use crate::sys::time::Deadline;
use crate::wire::xfrm;
use crate::wire::xfrm::number::{GROUP_EXPIRE, GROUP_SA, kind};
use crate::wire::xfrm::{Attribute, Body, SaInfo, messages};

/// Calls `each` for every change and expiry until it breaks. When the kernel had more to tell than the socket holds, a
/// message of type RESERVED with error ENOBUFS stands for what was lost.
pub(crate) fn monitor(hearing: MonitorMode, own_port: u32, each: Visitor<'_>) -> Result<(), SadbError> {
    let groups = match hearing {
        MonitorMode::All | MonitorMode::Passive => GROUP_SA | GROUP_EXPIRE,
        MonitorMode::Expiries => GROUP_EXPIRE,
    };
    let mut socket = NetlinkSocket::xfrm(groups).map_err(unavailable)?;
    loop {
        let heard = match socket.receive(&mut Deadline::never()) {
            Ok(Some(datagram)) => decoded(&datagram, own_port)?,
            Ok(None) => continue,
            Err(error) if is_overrun(&error) => vec![lost()],
            Err(error) => return Err(error.into()),
        };
        for message in heard {
            if let ControlFlow::Break(()) = each(&message) {
                return Ok(());
            }
        }
    }
}

fn lost() -> Message {
    let mut message = decode::bare(MessageType::RESERVED, 0, Origin::default());
    message.errno = Errno::ENOBUFS as u8;
    message
}

fn decoded(datagram: &[u8], own_port: u32) -> Result<Vec<Message>, SadbError> {
    let mut heard = Vec::new();
    for message in messages(datagram) {
        let message = message.map_err(|error| SadbError::BadReply(error.to_string()))?;
        let mut origin = origin(&message);
        if origin.pid == own_port {
            origin.pid = std::process::id();
        }
        heard.extend(event(message, origin));
    }
    Ok(heard)
}

fn origin(message: &xfrm::Message) -> Origin {
    Origin { byte_len: message.byte_len, seq: message.header.seq, pid: message.header.port }
}

/// An event, without keys: neither does illumos tell them to all.
fn event(message: xfrm::Message, origin: Origin) -> Option<Message> {
    let mut told = match message.body {
        Body::Sa(info, attributes) => {
            let kind = if message.header.kind == kind::UPDSA { MessageType::UPDATE } else { MessageType::ADD };
            decode::sa(kind, origin, &info, attributes, None, None)
        }
        Body::Name(name, attributes) => match gone(&attributes) {
            Some(info) => decode::sa(MessageType::DELETE, origin, &info, attributes, Some(SaState::DEAD), None),
            None => decode::named(MessageType::DELETE, origin, &name),
        },
        Body::Flush(proto) => decode::bare(MessageType::FLUSH, proto, origin),
        Body::Expire(info, hard, attributes) => expiry(&info, hard, attributes, origin),
        _ => return None,
    };
    told.extensions.retain(|ext| !matches!(ext, Extension::Key(..)));
    Some(told)
}

/// The SA that a DELSA is about.
fn gone(attributes: &[Attribute]) -> Option<SaInfo> {
    attributes.iter().find_map(|attribute| match attribute {
        Attribute::Sa(info) => Some(**info),
        _ => None,
    })
}

/// EXPIRE: the SA, what was used, the one lifetime that ran out, the addresses.
fn expiry(info: &SaInfo, hard: bool, attributes: Vec<Attribute>, origin: Origin) -> Message {
    let (state, which) = if hard { (SaState::DEAD, LifetimeKind::Hard) } else { (SaState::DYING, LifetimeKind::Soft) };
    let mut message = decode::sa(MessageType::EXPIRE, origin, info, attributes, Some(state), None);
    message.extensions.retain(|ext| match ext {
        Extension::Lifetime(kind, _) => *kind == LifetimeKind::Current || *kind == which,
        Extension::Association(_) | Extension::Address(..) => true,
        _ => false,
    });
    message
}

/// Shows a request that is about to be sent.
pub(crate) fn trace(trace: Option<&mut Trace>, request: &[u8]) {
    let (Some(trace), Some(Ok(message))) = (trace, messages(request).next()) else { return };
    let origin = Origin { pid: std::process::id(), ..origin(&message) };
    let (deed, proto) = match (message.header.kind, &message.body) {
        (kind::NEWSA, Body::Sa(info, _)) => (MessageType::ADD, info.proto),
        (kind::UPDSA, Body::Sa(info, _)) => (MessageType::UPDATE, info.proto),
        (kind::DELSA, Body::Name(name, _)) => (MessageType::DELETE, name.proto),
        (kind::GETSA, Body::Name(name, _)) => (MessageType::GET, name.proto),
        (kind::NEWAE, Body::Event(event, _)) => (MessageType::UPDATE, event.name.proto),
        (_, Body::Flush(proto)) => (MessageType::FLUSH, *proto),
        (_, Body::Dump(filters)) => (MessageType::DUMP, filtered(filters)),
        _ => return,
    };
    let shown = match message.body {
        Body::Sa(info, attributes) => decode::sa(deed, origin, &info, attributes, Some(SaState::MATURE), None),
        Body::Name(name, _) => decode::named(deed, origin, &name),
        Body::Event(event, _) => decode::named(deed, origin, &event.name),
        _ => decode::bare(deed, proto, origin),
    };
    debug_assert_eq!(shown.sa_type, type_of(proto));
    trace(&shown);
}

/// The protocol that a dump is limited to, 0 for none.
fn filtered(filters: &[Attribute]) -> u8 {
    filters.iter().find_map(|filter| if let Attribute::Proto(proto) = filter { Some(*proto) } else { None }).unwrap_or(0)
}
