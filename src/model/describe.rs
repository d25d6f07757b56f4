//! Messages about an SA: the full description of GET and DUMP, and EXPIRE (illumos `sadb.c`, `sadb_sa2msg`,
//! `sadb_expire_assoc`).

use std::net::{IpAddr, Ipv6Addr};

use crate::model::frame::{AF_INET, AF_INET6, RawHeader};
use crate::model::keys;
use crate::model::refusal::{Checked, Errno, Refusal};
use crate::model::stored_sa::{InnerAddresses, NattAddress, Selector, StoredSa, Timestamp};
use crate::sa::{
    AddressInfo, AddressRole, DiagnosticCode, EncrAlg, Extension, Flags, KeyRole, Lifetime, LifetimeKind, Message,
    MessageType, SaState, SaType, Side,
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
        let auth = entry.auth_key.as_ref().map(Key::duplicate);
        extensions.extend(auth.map(|key| Extension::Key(KeyRole::Auth, key)));
        let encr = entry.encr_key.as_ref().map(|key| with_iv_space(entry.encr, key));
        extensions.extend(encr.map(|key| Extension::Key(KeyRole::Encr, key)));
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

/// The key with zeros in place of the IV, for which `sadb_sa2msg` leaves space.
fn with_iv_space(number: EncrAlg, key: &Key) -> Key {
    let iv_len = keys::encr(number).map_or(0, |row| usize::from(row.iv_len));
    let mut bytes = vec![0; key.byte_len() + iv_len].into_boxed_slice();
    for (to, from) in bytes.iter_mut().zip(key.expose()) {
        *to = *from;
    }
    Key::new(bytes, key.bits(), key.reserved())
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
    let seconds = Timestamp::cast_unsigned;
    let lifetime =
        Lifetime { allocations: 0, bytes: entry.bytes, addtime: seconds(entry.added), usetime: seconds(entry.used) };
    Extension::Lifetime(LifetimeKind::Current, lifetime)
}

fn limits(entry: &StoredSa, extensions: &mut Vec<Extension>) {
    // Bytes and allocations of an idle lifetime are not reported.
    let idle = Lifetime { addtime: entry.idle.addtime, usetime: entry.idle.usetime, ..Lifetime::default() };
    let kinds = [(LifetimeKind::Hard, entry.hard), (LifetimeKind::Soft, entry.soft), (LifetimeKind::Idle, idle)];
    let limited = kinds.into_iter().filter(|(_, lifetime)| !lifetime.is_unlimited());
    extensions.extend(limited.map(|(kind, lifetime)| Extension::Lifetime(kind, lifetime)));
}

fn address(role: AddressRole, ip: IpAddr, prefix_len: u8, proto: u8, port: u16) -> Extension {
    let family = if ip.is_ipv4() { AF_INET } else { AF_INET6 };
    Extension::Address(role, AddressInfo { proto, prefix_len, family, addr: Some(ip), port })
}

/// Whether the outer addresses have the ports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ports {
    Outer,
    Inner,
}

fn outer(entry: &StoredSa, ports: Ports) -> [Extension; 2] {
    let Selector { source_port, destination_port, proto, .. } = entry.selector;
    let port = |port| if ports == Ports::Outer { port } else { 0 };
    // Prefix length 0, whatever the request had: sadb_sa2msg does not fill it in.
    [
        address(AddressRole::Source, entry.source, 0, proto, port(source_port)),
        address(AddressRole::Destination, entry.destination, 0, proto, port(destination_port)),
    ]
}

fn inner(entry: &StoredSa, addresses: InnerAddresses) -> [Extension; 2] {
    let Selector { source_port, destination_port, inner_proto, .. } = entry.selector;
    let (source, destination) = (addresses.source, addresses.destination);
    [
        address(AddressRole::InnerSource, source.0, source.1, inner_proto, source_port),
        address(AddressRole::InnerDestination, destination.0, destination.1, inner_proto, destination_port),
    ]
}

fn addresses(entry: &StoredSa, extensions: &mut Vec<Extension>) {
    let ports = if entry.inner.is_some() { Ports::Inner } else { Ports::Outer };
    extensions.extend(outer(entry, ports));
    let local = natt_bytes(entry.natt_local, entry.natt_remote.ip.octets(), [0; 4]);
    // Behind the remote address come the ICMP types and the authentication key, whose first word is the format RAW.
    let format = u32::from(entry.auth_key.is_some()).to_ne_bytes();
    let remote = natt_bytes(entry.natt_remote, [0; 4], format);
    let natt = [
        (AddressRole::NattLocal, Flags::NATT_LOC, entry.natt_local, local),
        (AddressRole::NattRemote, Flags::NATT_REM, entry.natt_remote, remote),
    ];
    // An address without its flag is stored, but not reported.
    for (role, _, natt, bytes) in natt.into_iter().filter(|(_, flag, ..)| entry.flags.has(*flag)) {
        // Of an IPv6 SA, sadb_sa2msg takes the 16 bytes of memory that begin with the IPv4 address.
        let ip = if entry.source.is_ipv6() { Ipv6Addr::from(bytes).into() } else { natt.ip.into() };
        extensions.push(address(role, ip, 0, PROTO_UDP, natt.port));
    }
    extensions.extend(entry.inner.into_iter().flat_map(|addresses| inner(entry, addresses)));
}

/// A NAT-T address with the memory behind it: the next word, a word of zeros, and the last one.
fn natt_bytes(natt: NattAddress, next: [u8; 4], last: [u8; 4]) -> [u8; 16] {
    let mut bytes = [0; 16];
    let words = [natt.ip.octets(), next, [0; 4], last];
    bytes.iter_mut().zip(words.as_flattened()).for_each(|(to, from)| *to = *from);
    bytes
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
    // sadb_expire_assoc tests the flag; sadb_sa2msg tests whether there are inner addresses.
    let is_tunnel = entry.flags.has(Flags::TUNNEL);
    extensions.extend(outer(entry, if is_tunnel { Ports::Inner } else { Ports::Outer }));
    if is_tunnel {
        extensions.extend(entry.inner.into_iter().flat_map(|addresses| inner(entry, addresses)));
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
