//! Decodes an SA of XFRM into a message. The extensions are in the order of an illumos description, so that `show` prints both
//! alike.

use std::net::IpAddr;

use crate::names::algorithms::{AUTH, Auth, ENCR, Encr};
use crate::redact::printable;
use crate::sa::{
    AddressInfo, AddressRole, Association, AuthAlg, EncrAlg, Extension, Flags, KeyRole, Lifetime, LifetimeKind, LinuxExtras,
    LinuxInfo, Masked, Message, MessageType, Offload, SaState, Side, Spi, XfrmFlags, XfrmMode,
};
use crate::sadb::linux::side_store::SideEntry;
use crate::sadb::linux::xfrm::encode::{host_prefix, type_of};
use crate::sadb::linux::xfrm::inexpressible;
use crate::secret::Key;
use crate::sys::net::interfaces::is_local;
use crate::sys::net::netlink::interface_name;
use crate::sys::time::unix_now;
use crate::wire::xfrm::attribute::{Algorithm, Encap, OffloadDevice};
use crate::wire::xfrm::fixed::{RawAddress, XfrmSelector, family_of};
use crate::wire::xfrm::number::{
    DIRECTION_IN, DIRECTION_OUT, ENCAP_ESP_IN_UDP, FAMILY_INET, INFINITE, OFFLOAD_INBOUND, OFFLOAD_PACKET, attr,
};
use crate::wire::xfrm::{Attribute, SaInfo, UserSaId};

/// Number of an algorithm whose kernel name is not in the table.
const UNKNOWN_ALGORITHM: u16 = u16::MAX;
/// IPv4 in IP and IPv6 in IP: `proto` of a tunnel-mode SA.
const IPPROTO_IPIP: u8 = 4;
const IPPROTO_IPV6: u8 = 41;

/// Length, sequence number and pid of a message.
#[derive(Clone, Copy, Default)]
pub(super) struct MessageOrigin {
    pub(super) byte_len: usize,
    pub(super) seq: u32,
    pub(super) pid: u32,
}

/// The values of the attributes of an SA.
#[derive(Default)]
struct SaParts {
    auth: AuthAlg,
    encr: EncrAlg,
    auth_key: Option<Key>,
    encr_key: Option<Key>,
    encap: Option<Encap>,
    direction: Option<u8>,
    linux: LinuxInfo,
}

pub(super) fn empty_message(kind: MessageType, proto: u8, origin: MessageOrigin) -> Message {
    Message {
        version: 2,
        kind,
        errno: 0,
        sa_type: type_of(proto),
        byte_len: origin.byte_len,
        diagnostic: crate::sa::DiagnosticCode::default(),
        seq: origin.seq,
        pid: origin.pid,
        extensions: Vec::new(),
    }
}

/// Decodes an SA with its side-store entry. A state of `None` is derived from the lifetimes.
pub(super) fn decode_sa(
    kind: MessageType,
    origin: MessageOrigin,
    info: &SaInfo,
    attributes: Vec<Attribute>,
    state: Option<SaState>,
    side_entry: Option<&SideEntry>,
) -> Message {
    let mut parts = SaParts::default();
    attributes.into_iter().for_each(|attribute| parts.take(attribute));
    parts.take_info(info);
    if let Some(window) = side_entry.and_then(|entry| entry.window) {
        parts.linux.replay_window = window;
    }
    let mut message = empty_message(kind, info.proto, origin);
    let association = association(info, &parts, state.unwrap_or_else(|| state_of(info, &parts)), side_entry);
    inexpressible::complete(info, &mut parts.linux, association.flags, &|| has_local_destination(info));
    let ext = &mut message.extensions;
    ext.push(Extension::Association(association));
    ext.extend(lifetimes(info, side_entry));
    ext.extend(addresses(info, &mut parts, association.flags, side_entry));
    ext.extend(parts.auth_key.take().map(|key| Extension::Key(KeyRole::Auth, key)));
    ext.extend(parts.encr_key.take().map(|key| Extension::Key(KeyRole::Encr, key)));
    if let Some(entry) = side_entry {
        ext.extend(entry.src_identity().map(|identity| Extension::Identity(Side::Source, identity)));
        ext.extend(entry.dst_identity().map(|identity| Extension::Identity(Side::Destination, identity)));
        ext.extend(entry.pair.map(Extension::Pair));
    }
    ext.extend(replay_value(association.flags, &parts.linux));
    ext.push(Extension::Linux(Box::new(parts.linux)));
    message
}

/// Decodes the identity in DELSA and GETSA.
pub(super) fn decode_id(kind: MessageType, origin: MessageOrigin, id: &UserSaId) -> Message {
    let mut message = empty_message(kind, id.proto, origin);
    message.extensions.push(Extension::Association(Association { spi: Spi(id.spi), ..Association::default() }));
    message.extensions.extend(address(AddressRole::Destination, id.dst.ip(id.family), 0, 0, None));
    message
}

impl SaParts {
    fn take(&mut self, attribute: Attribute) {
        let linux = &mut self.linux;
        linux.inexpressible.extend(inexpressible::attribute(&attribute));
        match attribute {
            Attribute::AuthTrunc(algorithm) => self.take_auth(algorithm),
            Attribute::Crypt(algorithm) | Attribute::Aead(algorithm) => self.take_encr(algorithm),
            Attribute::Encap(encap) => {
                linux.inexpressible.extend(inexpressible::encap(&encap));
                self.encap = Some(encap).filter(|encap| encap.kind == ENCAP_ESP_IN_UDP);
            }
            Attribute::Direction(direction) => self.direction = Some(direction),
            Attribute::Replay(replay) => {
                linux.sent_seq = u64::from(replay.sent);
                linux.received_seq = u64::from(replay.received);
            }
            Attribute::ReplayEsn(replay) => {
                linux.replay_window = replay.window;
                (linux.sent_seq, linux.received_seq) = (replay.sent, replay.received);
            }
            Attribute::LastUsed(time) => linux.last_used = time,
            Attribute::Mark(mark) => linux.extras.mark = Some(mark),
            Attribute::Offload(device) => linux.extras.offload = Some(offload(device)),
            Attribute::Word(kind, value) => take_word(&mut linux.extras, kind, value),
            // ALG_AUTH is ignored: the kernel sends ALG_AUTH_TRUNC with it.
            _ => {}
        }
    }

    fn take_auth(&mut self, algorithm: Algorithm) {
        match auth_row(&algorithm.name) {
            Some(row) => {
                self.auth = row.number;
                let icv_bits = u16::try_from(algorithm.icv_bits).unwrap_or(u16::MAX);
                self.linux.extras.icv_bits = (icv_bits != row.icv_bits).then_some(icv_bits);
            }
            None => {
                self.auth = AuthAlg(UNKNOWN_ALGORITHM);
                self.linux.foreign_auth = Some(printable(algorithm.name.as_bytes()));
            }
        }
        self.auth_key = Some(algorithm.key);
    }

    fn take_encr(&mut self, algorithm: Algorithm) {
        let row = encr_row(&algorithm.name, algorithm.icv_bits);
        match row {
            Some(row) => self.encr = row.number,
            None => {
                self.encr = EncrAlg(UNKNOWN_ALGORITHM);
                self.linux.foreign_encr = Some(printable(algorithm.name.as_bytes()));
            }
        }
        // XFRM counts the salt as part of the key.
        let salt = row.map_or(0, |row| row.salt_bits);
        let bits = algorithm.key.bits();
        if bits > 0 {
            self.encr_key = Some(algorithm.key.with_bits(bits.saturating_sub(salt), salt));
        }
    }

    fn take_info(&mut self, info: &SaInfo) {
        let linux = &mut self.linux;
        linux.replay_window = linux.replay_window.max(u32::from(info.replay_window));
        linux.packets = info.current.packets;
        linux.drops = info.drops;
        linux.extras.reqid = info.reqid;
        linux.extras.flags |= XfrmFlags(u32::from(info.flags));
        linux.extras.soft_packets = finite(info.limits.packets.0);
        linux.extras.hard_packets = finite(info.limits.packets.1);
        linux.extras.mode = Some(XfrmMode(info.mode));
    }
}

fn take_word(extras: &mut LinuxExtras, kind: u16, value: u32) {
    match kind {
        attr::IF_ID => extras.if_id = value,
        attr::TFCPAD => extras.tfcpad = value,
        attr::SA_EXTRA_FLAGS => extras.flags |= XfrmFlags(value << 8),
        attr::SET_MARK => extras.output_mark.get_or_insert_default().value = value,
        attr::SET_MARK_MASK => extras.output_mark.get_or_insert_default().mask = value,
        _ => {}
    }
}

fn auth_row(name: &str) -> Option<&'static Auth> {
    AUTH.iter().find(|row| row.xfrm == name)
}

fn encr_row(name: &str, icv_bits: u32) -> Option<&'static Encr> {
    ENCR.iter().find(|row| row.xfrm == name && u32::from(row.icv_bits) == icv_bits)
}

fn offload(device: OffloadDevice) -> Offload {
    Offload {
        device: interface_name(device.ifindex).unwrap_or_else(|| format!("if{}", device.ifindex)),
        inbound: device.flags & OFFLOAD_INBOUND != 0,
        whole_packet: device.flags & OFFLOAD_PACKET != 0,
    }
}

/// Whether the selector matches all packets of the SA's address family.
fn is_any(info: &SaInfo) -> bool {
    let open = XfrmSelector { family: info.selector.family, ..XfrmSelector::default() };
    info.selector == open && (open.family == info.family || open.family == 0)
}

/// Whether the selector has the SA's own addresses, so that it adds only ports and a protocol.
fn is_own_selector(info: &SaInfo) -> bool {
    let Some(dst) = info.dst.ip(info.family) else { return false };
    let selector = &info.selector;
    let src = match selector.src_prefix {
        0 => info.src == RawAddress::default(),
        prefix => prefix == host_prefix(dst) && selector.src == info.src,
    };
    src && selector.family == info.family && selector.dst == info.dst && selector.dst_prefix == host_prefix(dst)
}

/// Whether the selector is shown as inner addresses.
fn has_inner_selector(info: &SaInfo) -> bool {
    // In transport mode a selector of the SA's own addresses is shown by its ports and protocol, if it has any.
    let has_ports = info.selector.src_port.0 != 0 || info.selector.dst_port.0 != 0 || info.selector.proto != 0;
    !is_any(info) && (info.mode == XfrmMode::TUNNEL.0 || !is_own_selector(info) || !has_ports)
}

fn association(info: &SaInfo, parts: &SaParts, state: SaState, side_entry: Option<&SideEntry>) -> Association {
    let mut flags = Flags::default();
    match parts.direction.or_else(|| side_entry.and_then(SideEntry::direction)) {
        Some(DIRECTION_IN) => flags |= Flags::INBOUND,
        Some(DIRECTION_OUT) => flags |= Flags::OUTBOUND,
        _ => {}
    }
    // The remaining flags have no attribute of their own; they follow from the values.
    let set = [
        (info.mode == XfrmMode::TUNNEL.0, Flags::TUNNEL),
        (parts.encap.is_some_and(|encap| encap.original != RawAddress::default()), Flags::NATT_REM),
        (parts.encap.is_some(), Flags::NATT_LOC),
        (side_entry.is_some_and(|entry| entry.pair.is_some()), Flags::PAIRED),
        (info.current.use_time != 0, Flags::USED),
        (is_own_selector(info), Flags::UNIQUE),
    ];
    set.into_iter().filter(|(is_set, _)| *is_set).for_each(|(_, flag)| flags |= flag);
    Association {
        spi: Spi(info.spi),
        replay: u8::try_from(parts.linux.replay_window).unwrap_or(u8::MAX),
        state,
        auth: parts.auth,
        encr: parts.encr,
        flags,
    }
}

/// Derives the state, which the kernel does not report: without algorithms LARVAL (ACQUIRE), beyond a soft limit DYING.
fn state_of(info: &SaInfo, parts: &SaParts) -> SaState {
    if parts.auth == AuthAlg::NONE && parts.encr == EncrAlg::NONE {
        return SaState::LARVAL;
    }
    let (soft_bytes, soft_packets) = (info.limits.bytes.0, info.limits.packets.0);
    // Time lifetimes use the wall clock in the kernel (ktime_get_real_seconds), so unix_now() is comparable.
    let reached = info.current.bytes >= soft_bytes || info.current.packets >= soft_packets;
    let past = |start: u64, limit: u64| limit != 0 && start != 0 && unix_now() >= start.saturating_add(limit);
    let aged = past(info.current.add_time, info.limits.add.0) || past(info.current.use_time, info.limits.used.0);
    if reached || aged { SaState::DYING } else { SaState::MATURE }
}

/// A limit with 0 instead of infinite.
fn finite(limit: u64) -> u64 {
    if limit == INFINITE { 0 } else { limit }
}

fn lifetimes(info: &SaInfo, side_entry: Option<&SideEntry>) -> Vec<Extension> {
    let (current, limits) = (&info.current, &info.limits);
    let used = Lifetime { allocations: 0, bytes: current.bytes, addtime: current.add_time, usetime: current.use_time };
    let lifetime = |bytes, addtime, usetime| Lifetime { allocations: 0, bytes: finite(bytes), addtime, usetime };
    let hard = lifetime(limits.bytes.1, limits.add.1, limits.used.1);
    let soft = lifetime(limits.bytes.0, limits.add.0, limits.used.0);
    let idle = side_entry.and_then(SideEntry::idle).unwrap_or_default();
    let limited = [(LifetimeKind::Hard, hard), (LifetimeKind::Soft, soft), (LifetimeKind::Idle, idle)];
    let limited = limited.into_iter().filter(|(_, lifetime)| !lifetime.is_unlimited());
    std::iter::once((LifetimeKind::Current, used))
        .chain(limited)
        .map(|(kind, lifetime)| Extension::Lifetime(kind, lifetime))
        .collect()
}

fn address(role: AddressRole, addr: Option<IpAddr>, port: u16, proto: u8, prefix: Option<u8>) -> Option<Extension> {
    let addr = addr?;
    let family = family_of(addr);
    let info = AddressInfo { proto, prefix_len: prefix.unwrap_or(0), family, addr: Some(addr), port };
    Some(Extension::Address(role, info))
}

fn addresses(info: &SaInfo, parts: &mut SaParts, flags: Flags, side_entry: Option<&SideEntry>) -> Vec<Extension> {
    let selector = &info.selector;
    let inner = has_inner_selector(info);
    let (src_port, dst_port) = (selector.src_port.0, selector.dst_port.0);
    // illumos reports protocol 4 or 41 in the outer addresses of a tunnel.
    let tunnel = if selector.family == FAMILY_INET { IPPROTO_IPIP } else { IPPROTO_IPV6 };
    let (src_own, dst_own, proto) = match (inner, info.mode == XfrmMode::TUNNEL.0) {
        (false, false) => (src_port, dst_port, selector.proto),
        (true, true) => (0, 0, tunnel),
        _ => (0, 0, 0),
    };
    let outer = |raw: RawAddress| raw.ip(info.family);
    let within = |raw: RawAddress| raw.ip(selector.family).filter(|_| inner);
    let mut found = vec![
        address(AddressRole::Source, outer(info.src), src_own, proto, None),
        address(AddressRole::Destination, outer(info.dst), dst_own, proto, None),
    ];
    if let Some(encap) = parts.encap.take() {
        found.extend(natt(info, &encap, flags, side_entry));
    }
    found.extend([
        address(AddressRole::InnerSource, within(selector.src), src_port, selector.proto, Some(selector.src_prefix)),
        address(AddressRole::InnerDestination, within(selector.dst), dst_port, selector.proto, Some(selector.dst_prefix)),
    ]);
    found.into_iter().flatten().collect()
}

/// Whether the destination is an address of this host: an SA without a direction is inbound then.
fn has_local_destination(info: &SaInfo) -> bool {
    info.dst.ip(info.family).is_some_and(is_local)
}

/// The ports of UDP encapsulation with their addresses.
fn natt(info: &SaInfo, encap: &Encap, flags: Flags, side_entry: Option<&SideEntry>) -> [Option<Extension>; 2] {
    let inbound = if flags.has(Flags::INBOUND) || flags.has(Flags::OUTBOUND) {
        flags.has(Flags::INBOUND)
    } else {
        has_local_destination(info)
    };
    let (src, dst) = (info.src.ip(info.family), info.dst.ip(info.family));
    let (local, remote) = if inbound { (dst, src) } else { (src, dst) };
    let (local_port, remote_port) =
        if inbound { (encap.dst_port, encap.src_port) } else { (encap.src_port, encap.dst_port) };
    let original = Some(encap.original).filter(|raw| *raw != RawAddress::default()).and_then(|raw| raw.ip(info.family));
    [
        address(AddressRole::NattLocal, side_entry.and_then(|entry| entry.natt_local).or(local), local_port, 0, None),
        address(AddressRole::NattRemote, original.or(remote), remote_port, 0, None),
    ]
}

fn replay_value(flags: Flags, linux: &LinuxInfo) -> Option<Extension> {
    let value = match (flags.has(Flags::INBOUND), flags.has(Flags::OUTBOUND)) {
        (true, false) => linux.received_seq,
        (false, true) => linux.sent_seq,
        _ => linux.sent_seq.max(linux.received_seq),
    };
    let value32 = u32::try_from(value).unwrap_or(0);
    let value64 = if value32 == 0 { value } else { 0 };
    (value != 0).then_some(Extension::ReplayValue { value32, value64 })
}

/// The mark of an SA's identity.
pub(super) fn find_mark(attributes: &[Attribute]) -> Option<Masked> {
    attributes.iter().find_map(|attribute| match attribute {
        Attribute::Mark(mark) => Some(*mark),
        _ => None,
    })
}
