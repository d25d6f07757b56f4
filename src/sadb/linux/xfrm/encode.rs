//! Encodes a request for XFRM: `xfrm_usersa_info` and its attributes.

use crate::sa::NATT_PORT;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::names::algorithms::{Auth, Encr};
use crate::sa::{Endpoint, InnerEndpoint, Lifetime, LinuxExtras, Offload, Request, SaId, SaType, XfrmFlags, XfrmMode};
use crate::sadb::SadbError;
use crate::sadb::linux::check;
use crate::sadb::linux::check::{Algorithms, bits_with_salt};
use crate::sadb::linux::direction::SaDirection;
use crate::sadb::linux::xfrm::kernel::Kernel;
use crate::secret::Key;
use crate::wire::xfrm::attribute::{Algorithm, Encap, OffloadDevice, ReplayState, ReplayStateEsn};
use crate::wire::xfrm::fixed::{LifetimeLimits, RawAddress, XfrmSelector, family_of};
use crate::wire::xfrm::number::{ENCAP_ESP_IN_UDP, INFINITE, OFFLOAD_INBOUND, OFFLOAD_PACKET, PROTO_AH, PROTO_ESP, attr};
use crate::wire::xfrm::{Attribute, Body, SaInfo, UserSaId};

/// The largest anti-replay window (`XFRMA_REPLAY_ESN_MAX`).
const MAX_WINDOW: u32 = 4096;
/// The smallest anti-replay window of an SA with ESN, on kernels that require one.
const MIN_ESN_WINDOW: u32 = 32;
/// The largest anti-replay window without `REPLAY_ESN_VAL`. The kernel silently truncates a larger one.
const MAX_LEGACY_WINDOW: u32 = 32;

/// The identity of the SA that `request` is about.
///
/// # Errors
/// [`SadbError::Unsupported`] without a destination address, and for SA types that Linux has no database for.
pub(super) fn sa_id(request: &Request) -> Result<SaId, SadbError> {
    let dst = request.dst.map(|dst| dst.addr.to_canonical()).filter(|dst| !dst.is_unspecified());
    let Some(dst) = dst else {
        return Err(SadbError::Unsupported(check::NO_DESTINATION.into()));
    };
    proto_of(request.sa_type)?;
    Ok(SaId { sa_type: request.sa_type, spi: request.spi, dst, mark: request.linux.mark })
}

/// The identity as a netlink message without the rest of the SA.
pub(super) fn sa_id_body(id: &SaId) -> Body {
    Body::SaId(user_sa_id(id), mark_attribute(id))
}

/// `struct xfrm_usersa_id` of an SA; the mark is a separate attribute.
pub(super) fn user_sa_id(id: &SaId) -> UserSaId {
    let proto = proto_of(id.sa_type).unwrap_or(0);
    UserSaId { dst: id.dst.into(), spi: id.spi.0, family: family_of(id.dst), proto }
}

pub(super) fn mark_attribute(id: &SaId) -> Vec<Attribute> {
    id.mark.map(Attribute::Mark).into_iter().collect()
}

/// The IP protocol of an SA type; 0 for all of them.
pub(super) fn proto_of(sa_type: SaType) -> Result<u8, SadbError> {
    match sa_type {
        SaType::UNSPEC => Ok(0),
        SaType::AH => Ok(PROTO_AH),
        SaType::ESP => Ok(PROTO_ESP),
        other => Err(SadbError::Unsupported(format!("SA type {} has no database in Linux: use ah or esp", other.0))),
    }
}

/// The SA type of an IP protocol; the protocol's own number for others, such as 108 for IPComp.
pub(super) fn type_of(proto: u8) -> SaType {
    match proto {
        0 | u8::MAX => SaType::UNSPEC,
        PROTO_AH => SaType::AH,
        PROTO_ESP => SaType::ESP,
        other => SaType(other),
    }
}

/// Checks a request to add an SA, without the kernel.
pub(super) fn check_add(request: &Request) -> Result<(), SadbError> {
    if request.linux.offload.is_none() {
        return encode_sa(request, &Kernel::System).map(drop);
    }
    check::check_add(request)?;
    // The device may be one of another system, or appear later.
    let mut rest = request.duplicate();
    rest.linux.offload = None;
    encode_sa(&rest, &Kernel::System).map(drop)
}

/// Encodes the fixed part and the attributes of a new SA.
pub(super) fn encode_sa(request: &Request, kernel: &Kernel) -> Result<(SaInfo, Vec<Attribute>), SadbError> {
    let id = sa_id(request)?;
    let algorithms = check::check_add(request)?;
    let src = source(request, &id)?;
    let direction = SaDirection::guess(request);
    let (window, replay) = replay(request, direction)?;
    let extras = &request.linux;
    let mode = request.mode();
    let info = SaInfo {
        selector: selector(request, &id, src, mode)?,
        dst: id.dst.into(),
        spi: id.spi.0,
        proto: proto_of(id.sa_type)?,
        src: src.map(RawAddress::from).unwrap_or_default(),
        limits: limits(request),
        reqid: extras.reqid,
        family: family_of(id.dst),
        mode: mode.0,
        replay_window: window,
        flags: (extras.flags.0 & 0xff) as u8,
        ..SaInfo::default()
    };
    let mut attributes = mark_attribute(&id);
    attributes.extend(algorithm_attributes(request, &algorithms));
    attributes.extend(replay);
    attributes.extend(encode_encap(request, direction).map(Attribute::Encap));
    attributes.extend(encode_extras(extras, direction, kernel)?);
    // Kernels before 6.10 ignore XFRMA_SA_DIR.
    attributes.extend(SaDirection::for_kernel(request).map(|direction| Attribute::Direction(direction.number())));
    Ok((info, attributes))
}

/// The source address, unless it is unspecified.
fn source(request: &Request, id: &SaId) -> Result<Option<IpAddr>, SadbError> {
    let src = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified());
    match src {
        Some(src) if src.is_ipv4() != id.dst.is_ipv4() => {
            Err(SadbError::Unsupported("src and dst are of different address families".into()))
        }
        _ => Ok(src),
    }
}

/// The inner addresses or, in transport mode with ports or a protocol, the SA's own addresses with these.
fn selector(request: &Request, id: &SaId, src: Option<IpAddr>, mode: XfrmMode) -> Result<XfrmSelector, SadbError> {
    match (*request.inner_src, *request.inner_dst) {
        (Some(inner_src), Some(inner_dst)) => inner_selector(inner_src, inner_dst),
        (None, None) if mode == XfrmMode::TRANSPORT => Ok(port_selector(request, id, src)),
        (None, None) => Ok(XfrmSelector::default()),
        _ => Err(SadbError::Unsupported("a tunnel has two inner addresses: specify both isrc and idst".into())),
    }
}

fn inner_selector(src: InnerEndpoint, dst: InnerEndpoint) -> Result<XfrmSelector, SadbError> {
    let (src, dst) = (unspecified_like(src, dst), unspecified_like(dst, src));
    if src.addr.is_ipv4() != dst.addr.is_ipv4() {
        return Err(SadbError::Unsupported("isrc and idst are of different address families".into()));
    }
    Ok(XfrmSelector {
        dst: dst.addr.into(),
        src: src.addr.into(),
        dst_port: port(dst.port),
        src_port: port(src.port),
        family: family_of(dst.addr),
        dst_prefix: dst.prefix_len,
        src_prefix: src.prefix_len,
        proto: src.proto.max(dst.proto),
        ..XfrmSelector::default()
    })
}

/// An unspecified inner address gets the family of the other one.
fn unspecified_like(end: InnerEndpoint, other: InnerEndpoint) -> InnerEndpoint {
    if !end.addr.is_unspecified() || end.addr.is_ipv4() == other.addr.is_ipv4() {
        return end;
    }
    let addr = if other.addr.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    InnerEndpoint { addr, prefix_len: 0, ..end }
}

fn port_selector(request: &Request, id: &SaId, src: Option<IpAddr>) -> XfrmSelector {
    let open = Endpoint { addr: id.dst, port: 0, proto: 0 };
    let (from, to) = (request.src.unwrap_or(open), request.dst.unwrap_or(open));
    let proto = from.proto.max(to.proto);
    if from.port == 0 && to.port == 0 && proto == 0 {
        return XfrmSelector::default();
    }
    XfrmSelector {
        dst: id.dst.into(),
        src: src.map(RawAddress::from).unwrap_or_default(),
        dst_port: port(to.port),
        src_port: port(from.port),
        family: family_of(id.dst),
        dst_prefix: host_prefix(id.dst),
        src_prefix: src.map_or(0, host_prefix),
        proto,
        ..XfrmSelector::default()
    }
}

/// A port and its mask.
fn port(port: u16) -> (u16, u16) {
    (port, if port == 0 { 0 } else { u16::MAX })
}

/// The prefix length of a single address.
pub(super) fn host_prefix(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 32 } else { 128 }
}

fn limits(request: &Request) -> LifetimeLimits {
    let (soft, hard) = (request.soft.unwrap_or_default(), request.hard.unwrap_or_default());
    let extras = &request.linux;
    LifetimeLimits {
        bytes: (limit_or_infinite(soft.bytes), limit_or_infinite(hard.bytes)),
        packets: (limit_or_infinite(extras.soft_packets), limit_or_infinite(extras.hard_packets)),
        add: (soft.addtime, hard.addtime),
        used: (soft.usetime, hard.usetime),
    }
}

fn limit_or_infinite(limit: u64) -> u64 {
    if limit == 0 { INFINITE } else { limit }
}

/// Replaces the limits of a live SA that `request` specifies; the others do not change, as on illumos.
pub(super) fn merge_limits(limits: &mut LifetimeLimits, request: &Request) {
    let Lifetime { bytes, addtime, usetime, .. } = request.soft.unwrap_or_default();
    let hard = request.hard.unwrap_or_default();
    let changes = [
        (&mut limits.bytes, bytes, hard.bytes),
        (&mut limits.packets, request.linux.soft_packets, request.linux.hard_packets),
        (&mut limits.add, addtime, hard.addtime),
        (&mut limits.used, usetime, hard.usetime),
    ];
    for ((soft, hard), new_soft, new_hard) in changes {
        *soft = if new_soft == 0 { *soft } else { new_soft };
        *hard = if new_hard == 0 { *hard } else { new_hard };
    }
}

/// Whether the SA is outbound, has ESN and no window: Linux 6.10 and later add it with its direction, older kernels require a
/// window (`xfrm_init_replay` in net/xfrm/xfrm_replay.c).
pub(super) fn is_outbound_esn_without_window(request: &Request) -> bool {
    let is_esn = request.linux.flags.has(XfrmFlags::ESN);
    is_esn && request.replay == 0 && SaDirection::from_flags(request.flags) == Some(SaDirection::Out)
}

/// Whether the SA is in transport mode, with the flag af-unspec: Linux 5.10 requires a family in its selector.
pub(super) fn is_transport_af_unspec(request: &Request) -> bool {
    request.linux.flags.has(XfrmFlags::AF_UNSPEC) && request.mode() == XfrmMode::TRANSPORT
}

/// Changes an encoded SA to the form that older kernels require: a window with ESN, a family in the selector.
pub(super) fn adapt_to_older_kernel(info: &mut SaInfo, attributes: &mut [Attribute]) {
    if info.selector.family == 0 {
        info.selector.family = info.family;
    }
    for attribute in attributes {
        if let Attribute::ReplayEsn(replay) = attribute
            && replay.window == 0
        {
            (replay.window, replay.bitmap) = (MIN_ESN_WINDOW, vec![0]);
        }
    }
}

/// The window in the fixed part, and `REPLAY_VAL` or `REPLAY_ESN_VAL` if needed.
fn replay(request: &Request, direction: SaDirection) -> Result<(u8, Option<Attribute>), SadbError> {
    let window = request.replay;
    if window > MAX_WINDOW {
        return Err(SadbError::Unsupported(format!("replay {window}: Linux holds a window of {MAX_WINDOW} at most")));
    }
    let counter = request.replay_value.unwrap_or(0);
    let is_esn = request.linux.flags.has(XfrmFlags::ESN);
    if !is_esn {
        to_counter32(counter)?;
    }
    let (sent, received) = match direction {
        SaDirection::Out => (counter, 0),
        SaDirection::In => (0, counter),
    };
    // Earlier sequence numbers count as received; otherwise old packets could be replayed.
    let seen = if received == 0 { 0 } else { u32::MAX };
    if window > MAX_LEGACY_WINDOW || is_esn {
        // REPLAY_ESN_VAL serves windows above 32 packets without ESN as well; replay_window in the fixed part is 0 then.
        let (window, words) = match SaDirection::for_kernel(request) {
            Some(SaDirection::Out) if window == 0 => (0, 0),
            _ if is_outbound_esn_without_window(request) => (MIN_ESN_WINDOW, 1),
            _ => (window, window.div_ceil(32).max(1)),
        };
        let bitmap = vec![seen; words as usize];
        return Ok((0, Some(Attribute::ReplayEsn(ReplayStateEsn { sent, received, window, bitmap }))));
    }
    if request.replay_value.is_none() {
        return Ok((window as u8, None));
    }
    let record = ReplayState { sent: to_counter32(sent)?, received: to_counter32(received)?, bitmap: seen };
    Ok((window as u8, Some(Attribute::Replay(record))))
}

/// A counter of an SA without ESN.
pub(super) fn to_counter32(counter: u64) -> Result<u32, SadbError> {
    let too_large = || SadbError::Unsupported(format!("replay_value {counter} has more than 32 bits: specify esn"));
    u32::try_from(counter).map_err(|_| too_large())
}

fn algorithm_attributes(request: &Request, algorithms: &Algorithms) -> Vec<Attribute> {
    let mut attributes = Vec::new();
    if let Some(auth) = algorithms.auth {
        attributes.push(Attribute::AuthTrunc(auth_algorithm(auth, request)));
    }
    if let Some(cipher) = algorithms.encr {
        attributes.push(encr_attribute(cipher, request.encr_key.as_ref()));
    }
    attributes
}

fn auth_algorithm(auth: &Auth, request: &Request) -> Algorithm {
    // Always ALG_AUTH_TRUNC with a length: the kernel's default for SHA-256 is 96 bits, not the 128 of RFC 4868.
    let icv_bits = u32::from(request.linux.icv_bits.unwrap_or(auth.icv_bits));
    Algorithm { name: auth.xfrm.into(), icv_bits, key: key_with_salt(request.auth_key.as_ref()) }
}

fn encr_attribute(cipher: &Encr, key: Option<&Key>) -> Attribute {
    let algorithm = Algorithm { name: cipher.xfrm.into(), icv_bits: u32::from(cipher.icv_bits), key: key_with_salt(key) };
    if cipher.is_combined() { Attribute::Aead(algorithm) } else { Attribute::Crypt(algorithm) }
}

/// A copy of the key; its number of bits includes the salt, as XFRM expects.
pub(super) fn key_with_salt(key: Option<&Key>) -> Key {
    match key {
        Some(key) => key.duplicate().with_bits(u16::try_from(bits_with_salt(key)).unwrap_or(u16::MAX), 0),
        None => Key::from_slice(&[], 0, 0),
    }
}

/// The ports as in the packets: the local port is the source of outgoing and the destination of incoming packets.
pub(super) fn encode_encap(request: &Request, direction: SaDirection) -> Option<Encap> {
    if request.natt_local.is_none() && request.natt_remote.is_none() {
        return None;
    }
    let port = |end: Option<Endpoint>| end.map(|end| end.port).filter(|port| *port != 0).unwrap_or(NATT_PORT);
    let (local, remote) = (port(*request.natt_local), port(*request.natt_remote));
    let (src_port, dst_port) = match direction {
        SaDirection::Out => (local, remote),
        SaDirection::In => (remote, local),
    };
    let original = request.natt_remote.map(|end| end.addr.to_canonical()).filter(|addr| !addr.is_unspecified());
    let original = original.map(RawAddress::from).unwrap_or_default();
    Some(Encap { kind: ENCAP_ESP_IN_UDP, src_port, dst_port, original })
}

/// The attributes for keywords that only Linux has.
pub(super) fn encode_extras(
    extras: &LinuxExtras,
    direction: SaDirection,
    kernel: &Kernel,
) -> Result<Vec<Attribute>, SadbError> {
    let mut attributes = Vec::new();
    let words = [(attr::IF_ID, extras.if_id), (attr::TFCPAD, extras.tfcpad), (attr::SA_EXTRA_FLAGS, extras.flags.0 >> 8)];
    attributes.extend(words.into_iter().filter(|(_, value)| *value != 0).map(|(kind, value)| Attribute::Word(kind, value)));
    // Both: without a mask, the kernel takes all bits.
    let mark = extras.output_mark.filter(|mark| (mark.value, mark.mask) != (0, 0));
    attributes.extend(mark.map(|mark| Attribute::Word(attr::SET_MARK, mark.value)));
    attributes.extend(mark.map(|mark| Attribute::Word(attr::SET_MARK_MASK, mark.mask)));
    if let Some(offload) = &extras.offload {
        attributes.push(Attribute::Offload(offload_device(offload, direction, kernel)?));
    }
    Ok(attributes)
}

fn offload_device(offload: &Offload, direction: SaDirection, kernel: &Kernel) -> Result<OffloadDevice, SadbError> {
    let Some(ifindex) = kernel.interface_index(&offload.device) else {
        return Err(SadbError::Unsupported(format!("offload: this system has no interface {}", offload.device)));
    };
    let inbound = if direction == SaDirection::In { OFFLOAD_INBOUND } else { 0 };
    let packet = if offload.whole_packet { OFFLOAD_PACKET } else { 0 };
    Ok(OffloadDevice { ifindex, flags: inbound | packet })
}
