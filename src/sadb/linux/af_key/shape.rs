//! Normalizes the messages of Linux PF_KEY to those of illumos.
//!
//! The kernel reports unlimited lifetimes, prefixes of single addresses, an unspecified inner source but never an inner
//! destination. Mode and ports of UDP encapsulation, without addresses, are in extensions of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::sa::{
    AddressInfo, AddressRole, Endpoint, Extension, Flags, KeyRole, Lifetime, LifetimeKind, LinuxExtras, Message, Request,
    Side, XfrmMode,
};
use crate::sys::net::interfaces::is_local;

/// `IPSEC_MODE_TUNNEL`, the mode in X_SA2.
const TUNNEL: u8 = 2;
/// Protocol number that af_key uses for "any".
const ANY_PROTO: u8 = 255;

pub(super) fn normalize(mut message: Message) -> Message {
    let natt = natt_ends(&message);
    let is_tunnel = message.extensions.iter().any(|ext| matches!(ext, Extension::SecondAssociation { mode: TUNNEL, .. }));
    message.extensions.retain(is_significant);
    let mut flags = if is_tunnel { Flags::TUNNEL } else { Flags::default() };
    if let Some(natt) = natt {
        flags |= Flags::NATT_LOC | Flags::NATT_REM | natt.direction;
        // show and save expect the NAT-T addresses behind SRC and DST, as in an illumos description.
        let after = message.extensions.iter().rposition(|ext| matches!(ext, Extension::Address(..)));
        let at = after.map_or(message.extensions.len(), |at| at + 1);
        message.extensions.splice(at..at, natt.addresses);
    }
    message.extensions.iter_mut().for_each(|extension| normalize_extension(extension, flags));
    if let Some(inner_src) = message.address(AddressRole::InnerSource) {
        // af_key has no destination selector: the inner destination is any address.
        let anywhere = AddressInfo { addr: inner_src.addr.map(unspecified_like), prefix_len: 0, ..*inner_src };
        message.extensions.push(Extension::Address(AddressRole::InnerDestination, anywhere));
    }
    message
}

/// The unspecified address of the same family.
fn unspecified_like(addr: IpAddr) -> IpAddr {
    if addr.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// Whether an extension differs from the default and is not represented by another one.
fn is_significant(extension: &Extension) -> bool {
    match extension {
        Extension::Lifetime(LifetimeKind::Hard | LifetimeKind::Soft, lifetime) => !lifetime.is_unlimited(),
        Extension::Address(AddressRole::InnerSource, info) => info.prefix_len != 0,
        Extension::NattType(_) | Extension::NattPort(..) => false,
        _ => true,
    }
}

fn normalize_extension(extension: &mut Extension, flags: Flags) {
    match extension {
        Extension::Association(sa) => sa.flags |= flags,
        Extension::Address(AddressRole::Source | AddressRole::Destination, info) => info.prefix_len = 0,
        Extension::Address(AddressRole::InnerSource, info) if info.proto == ANY_PROTO => info.proto = 0,
        _ => {}
    }
}

/// UDP encapsulation: direction and both addresses.
struct NattEnds {
    direction: Flags,
    addresses: [Extension; 2],
}

fn natt_ends(message: &Message) -> Option<NattEnds> {
    let port = |side: Side| {
        message.extensions.iter().find_map(|extension| match extension {
            Extension::NattPort(found, port) if *found == side => Some(*port),
            _ => None,
        })
    };
    let (src, dst) = (message.address(AddressRole::Source)?, message.address(AddressRole::Destination)?);
    let src = AddressInfo { port: port(Side::Source)?, proto: 0, ..*src };
    let dst = AddressInfo { port: port(Side::Destination)?, proto: 0, ..*dst };
    // af_key does not store the direction, so the local addresses decide.
    let is_inbound = dst.addr.is_some_and(is_local);
    let (direction, local, remote) = if is_inbound { (Flags::INBOUND, dst, src) } else { (Flags::OUTBOUND, src, dst) };
    let end = |role, info: AddressInfo| Extension::Address(role, AddressInfo { prefix_len: 0, ..info });
    Some(NattEnds { direction, addresses: [end(AddressRole::NattLocal, local), end(AddressRole::NattRemote, remote)] })
}

/// A request with all of the SA `live` and the lifetimes of `request`: SADB_UPDATE validates a whole SA.
pub(super) fn with_lifetimes(request: &Request, live: Message) -> Request {
    let live = normalize(live);
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

/// Values that are not specified do not change, as on illumos.
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
