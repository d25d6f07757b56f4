//! Messages about an SA: the full description of GET and DUMP, and EXPIRE (illumos `sadb.c`, `sadb_sa2msg`,
//! `sadb_expire_assoc`).

use std::net::IpAddr;

use crate::model::address::Address;
use crate::model::frame::{AF_INET, AF_INET6, RawHeader};
use crate::model::keys;
use crate::model::refusal::{Checked, Errno, Refusal};
use crate::model::stored_sa::StoredSa;
use crate::sa::{
    AddressInfo, AddressRole, DiagnosticCode, Extension, Flags, KeyRole, Lifetime, LifetimeKind, Message, MessageType,
    SaState, SaType, Side,
};
use crate::secret::{Buffer, Key};
use crate::wire::pfkey::{Dialect, encode};

/// `PF_KEY_V2`, the protocol version.
const VERSION: u8 = 2;
/// `IPPROTO_UDP`: NAT-T addresses are reported with it.
const PROTO_UDP: u8 = 17;

/// Whether a description contains the keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyDisplay {
    Shown,
    Hidden,
}

/// Encodes a message; ENOMEM if it is too long.
pub(crate) fn encoded(message: &Message) -> Checked<Buffer> {
    encode(&Dialect::ILLUMOS, message).map_err(|_| Refusal::plain(Errno::ENOMEM))
}

/// The full description of an SA, with the header of the request.
pub(crate) fn describe_sa(entry: &StoredSa, header: &RawHeader, keys: KeyDisplay) -> Message {
    let mut extensions = vec![Extension::Association(entry.association()), current(entry)];
    limits(entry, &mut extensions);
    addresses(entry, &mut extensions);
    if entry.cookie != (0, 0) {
        extensions.push(Extension::KmCookie { proto: entry.cookie.0, cookie: entry.cookie.1 });
    }
    if keys == KeyDisplay::Shown {
        let both = [(KeyRole::Auth, &entry.auth_key), (KeyRole::Encr, &entry.encr_key)];
        extensions.extend(
            both.into_iter().filter_map(|(role, key)| Some(Extension::Key(role, key.as_ref().map(Key::duplicate)?))),
        );
    }
    let identities = [(Side::Source, &entry.source_identity), (Side::Destination, &entry.destination_identity)];
    extensions.extend(identities.into_iter().filter_map(|(side, id)| Some(Extension::Identity(side, id.clone()?))));
    // A client may have set the flag itself; the SPI is then 0.
    if entry.flags.has(Flags::PAIRED) {
        extensions.push(Extension::Pair(entry.pair));
    }
    if entry.replay.last != 0 {
        // Only the 32-bit field, as in sadb_sa2msg.
        extensions.push(Extension::ReplayValue { value32: entry.replay.last, value64: 0 });
    }
    reply_to(header, extensions)
}

/// The reply to the request with `header`.
fn reply_to(header: &RawHeader, extensions: Vec<Extension>) -> Message {
    Message {
        version: header.version(),
        kind: header.kind(),
        errno: header.errno(),
        sa_type: header.sa_type(),
        byte_len: 0,
        diagnostic: DiagnosticCode(header.diagnostic()),
        seq: header.seq(),
        pid: header.pid(),
        extensions,
    }
}

/// An unsolicited message of the kernel: sequence number and pid 0.
fn kernel_message(kind: MessageType, sa_type: SaType, extensions: Vec<Extension>) -> Message {
    Message {
        version: VERSION,
        kind,
        errno: 0,
        sa_type,
        byte_len: 0,
        diagnostic: DiagnosticCode(0),
        seq: 0,
        pid: 0,
        extensions,
    }
}

fn current(entry: &StoredSa) -> Extension {
    // The kernel does not count allocations.
    let lifetime = Lifetime { allocations: 0, bytes: entry.bytes, addtime: entry.added, usetime: entry.used };
    Extension::Lifetime(LifetimeKind::Current, lifetime)
}

fn limits(entry: &StoredSa, extensions: &mut Vec<Extension>) {
    // Bytes and allocations of an idle lifetime are not reported.
    let idle = Lifetime { addtime: entry.idle.addtime, usetime: entry.idle.usetime, ..Lifetime::default() };
    let kinds = [(LifetimeKind::Hard, entry.hard), (LifetimeKind::Soft, entry.soft), (LifetimeKind::Idle, idle)];
    let limited = kinds.into_iter().filter(|(_, lifetime)| !lifetime.is_unlimited());
    extensions.extend(limited.map(|(kind, lifetime)| Extension::Lifetime(kind, lifetime)));
}

fn address(role: AddressRole, address: Address, proto: u8, prefix_len: u8, port: u16) -> Extension {
    let family = if matches!(address.ip, IpAddr::V4(_)) { AF_INET } else { AF_INET6 };
    Extension::Address(role, AddressInfo { proto, prefix_len, family, addr: Some(address.ip), port })
}

/// The outer addresses. Those of a tunnel have no ports.
fn outer(entry: &StoredSa) -> [Extension; 2] {
    // The ports of a tunnel are reported with its inner addresses.
    let port = |port| if entry.inner.is_some() { 0 } else { port };
    let proto = entry.destination.proto;
    // Prefix length 0, whatever the request had: sadb_sa2msg does not fill it in.
    [
        address(AddressRole::Source, entry.source, proto, 0, port(entry.source.port)),
        address(AddressRole::Destination, entry.destination, proto, 0, port(entry.destination.port)),
    ]
}

fn inner((source, destination): (Address, Address)) -> [Extension; 2] {
    let proto = destination.proto;
    [
        address(AddressRole::InnerSource, source, proto, source.prefix, source.port),
        address(AddressRole::InnerDestination, destination, proto, destination.prefix, destination.port),
    ]
}

fn addresses(entry: &StoredSa, extensions: &mut Vec<Extension>) {
    extensions.extend(outer(entry));
    let natt = [
        (AddressRole::NattLocal, Flags::NATT_LOC, entry.natt_local),
        (AddressRole::NattRemote, Flags::NATT_REM, entry.natt_remote),
    ];
    // An address without its flag is stored, but not reported.
    for (role, flag, natt) in natt {
        if let Some(natt) = natt.filter(|_| entry.flags.has(flag)) {
            extensions.push(address(role, natt, PROTO_UDP, 0, natt.port));
        }
    }
    extensions.extend(entry.inner.into_iter().flat_map(inner));
}

/// EXPIRE: the SA and the expired lifetime, which its state indicates.
pub(crate) fn expire_message(entry: &StoredSa, sa_type: SaType) -> Message {
    let (kind, lifetime) = match entry.state {
        SaState::DEAD => (LifetimeKind::Hard, entry.hard),
        SaState::DYING => (LifetimeKind::Soft, entry.soft),
        _ => (LifetimeKind::Idle, entry.idle),
    };
    let mut extensions =
        vec![Extension::Association(entry.association()), current(entry), Extension::Lifetime(kind, lifetime)];
    extensions.extend(outer(entry));
    // sadb_expire_assoc tests the flag; sadb_sa2msg tests whether there are inner addresses.
    if entry.flags.has(Flags::TUNNEL) {
        extensions.extend(entry.inner.into_iter().flat_map(inner));
    }
    kernel_message(MessageType::EXPIRE, sa_type, extensions)
}

/// The reply to REGISTER: the supported algorithms of a database.
pub(crate) fn register_reply(header: &RawHeader, sa_type: SaType) -> Message {
    let rows = keys::supported(sa_type).into_iter().filter(|(_, rows)| !rows.is_empty());
    let extensions = rows.map(|(role, rows)| Extension::Supported(role, rows)).collect();
    Message {
        version: VERSION,
        kind: MessageType::REGISTER,
        sa_type,
        errno: 0,
        diagnostic: DiagnosticCode(0),
        ..reply_to(header, extensions)
    }
}
