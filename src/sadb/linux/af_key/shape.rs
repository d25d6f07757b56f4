//! What Linux PF_KEY says, in the shape of every other SADB.
//!
//! The kernel reports lifetimes that limit nothing, prefixes of single addresses, an inner source of nowhere, never an inner
//! destination; and, in extensions of its own, the mode, and the ports of UDP encapsulation without their addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::sa::{
    AddressInfo, AddressRole, Endpoint, Extension, Flags, KeyRole, Lifetime, LifetimeKind, LinuxExtras, Message, Request,
    Side, XfrmMode,
};
use crate::sys::net::interfaces::is_local;

/// Tunnel, in X_SA2.
const TUNNEL: u8 = 2;
/// Protocol of an address extension that is about every protocol.
const ANY_PROTO: u8 = 255;

/// `message` as another SADB would say it.
pub(crate) fn usual(mut message: Message) -> Message {
    let natt = natt(&message);
    let is_tunnel = message.extensions.iter().any(|ext| matches!(ext, Extension::SecondAssociation { mode: TUNNEL, .. }));
    message.extensions.retain(says_something);
    let mut flags = if is_tunnel { Flags::TUNNEL } else { Flags::default() };
    if let Some(natt) = natt {
        flags |= Flags::NATT_LOC | Flags::NATT_REM | natt.direction;
        let after = message.extensions.iter().rposition(|ext| matches!(ext, Extension::Address(..)));
        let at = after.map_or(message.extensions.len(), |at| at + 1);
        message.extensions.splice(at..at, natt.addresses);
    }
    message.extensions.iter_mut().for_each(|extension| mend(extension, flags));
    if let Some(inner_src) = message.address(AddressRole::InnerSource) {
        let anywhere = AddressInfo { addr: inner_src.addr.map(open_like), prefix_len: 0, ..*inner_src };
        message.extensions.push(Extension::Address(AddressRole::InnerDestination, anywhere));
    }
    message
}

/// The open address of the same family.
fn open_like(addr: IpAddr) -> IpAddr {
    if addr.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// Whether an extension is more than a default, and is not told by another one.
fn says_something(extension: &Extension) -> bool {
    match extension {
        Extension::Lifetime(LifetimeKind::Hard | LifetimeKind::Soft, lifetime) => !lifetime.is_unlimited(),
        Extension::Address(AddressRole::InnerSource, info) => info.prefix_len != 0,
        Extension::NattType(_) | Extension::NattPort(..) => false,
        _ => true,
    }
}

fn mend(extension: &mut Extension, flags: Flags) {
    match extension {
        Extension::Association(sa) => sa.flags |= flags,
        Extension::Address(AddressRole::Source | AddressRole::Destination, info) => info.prefix_len = 0,
        Extension::Address(AddressRole::InnerSource, info) if info.proto == ANY_PROTO => info.proto = 0,
        _ => {}
    }
}

/// UDP encapsulation: the two ends, and which of them is this system.
struct Natt {
    direction: Flags,
    addresses: [Extension; 2],
}

fn natt(message: &Message) -> Option<Natt> {
    let port = |wanted: Side| {
        message.extensions.iter().find_map(|extension| match extension {
            Extension::NattPort(side, port) if *side == wanted => Some(*port),
            _ => None,
        })
    };
    let (src, dst) = (message.address(AddressRole::Source)?, message.address(AddressRole::Destination)?);
    let src = AddressInfo { port: port(Side::Source)?, proto: 0, ..*src };
    let dst = AddressInfo { port: port(Side::Destination)?, proto: 0, ..*dst };
    let is_inbound = dst.addr.is_some_and(is_local);
    let (direction, local, remote) = if is_inbound { (Flags::INBOUND, dst, src) } else { (Flags::OUTBOUND, src, dst) };
    let end = |role, info: AddressInfo| Extension::Address(role, AddressInfo { prefix_len: 0, ..info });
    Some(Natt { direction, addresses: [end(AddressRole::NattLocal, local), end(AddressRole::NattRemote, remote)] })
}

/// The whole of the SA `live` with the lifetimes of `request` in place of its own: SADB_UPDATE wants everything said again.
pub(crate) fn with_lifetimes(request: &Request, live: Message) -> Request {
    let live = usual(live);
    let sa = live.association().copied().unwrap_or_default();
    let end = |role| {
        let info = live.address(role)?;
        Some(Endpoint { addr: info.addr?, port: info.port, proto: 0 })
    };
    let mut whole = Request {
        sa_type: live.sa_type,
        spi: sa.spi,
        replay: sa.replay.into(),
        state: sa.state,
        auth_alg: sa.auth,
        encr_alg: sa.encr,
        flags: sa.flags & (Flags::TUNNEL | Flags::INBOUND | Flags::OUTBOUND),
        hard: merged(live.lifetime(LifetimeKind::Hard), *request.hard).into(),
        soft: merged(live.lifetime(LifetimeKind::Soft), *request.soft).into(),
        src: end(AddressRole::Source),
        dst: end(AddressRole::Destination),
        natt_local: end(AddressRole::NattLocal).into(),
        natt_remote: end(AddressRole::NattRemote).into(),
        linux: LinuxExtras { mode: mode_of(&live), ..LinuxExtras::default() }.into(),
        ..Request::default()
    };
    for extension in live.extensions {
        match extension {
            Extension::Key(KeyRole::Auth, key) => whole.auth_key = Some(key),
            Extension::Key(KeyRole::Encr, key) => whole.encr_key = Some(key),
            _ => {}
        }
    }
    whole
}

fn mode_of(live: &Message) -> Option<XfrmMode> {
    live.extensions.iter().find_map(|extension| match extension {
        Extension::SecondAssociation { mode, .. } => XfrmMode::from_pf_key(*mode),
        _ => None,
    })
}

/// What is not given anew stays, as in illumos.
fn merged(old: Option<&Lifetime>, new: Option<Lifetime>) -> Option<Lifetime> {
    let (old, new) = (old.copied().unwrap_or_default(), new.unwrap_or_default());
    let newer = |new, old| if new == 0 { old } else { new };
    Some(Lifetime {
        allocations: 0,
        bytes: newer(new.bytes, old.bytes),
        addtime: newer(new.addtime, old.addtime),
        usetime: newer(new.usetime, old.usetime),
    })
}
