//! A request as XFRM says it: one `xfrm_usersa_info` and its attributes.

use crate::sa::NATT_PORT;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::names::algorithms::{Auth, Encr};
use crate::sa::{
    Endpoint, Flags, InnerEndpoint, Lifetime, LinuxExtras, Offload, Request, SaId, SaType, XfrmFlags, XfrmMode,
};
use crate::sadb::SadbError;
use crate::sadb::linux::check;
use crate::sadb::linux::check::{Algorithms, whole_bits};
use crate::secret::Key;
use crate::sys::net::interfaces::is_local;
use crate::sys::net::netlink::interface_index;
use crate::wire::xfrm::attribute::{Algorithm, Encap, OffloadDevice, Replay, ReplayEsn};
use crate::wire::xfrm::fixed::{Limits, RawAddress, Selector, family_of};
use crate::wire::xfrm::number::{
    DIRECTION_IN, DIRECTION_OUT, ENCAP_ESP_IN_UDP, INFINITE, OFFLOAD_INBOUND, OFFLOAD_PACKET, PROTO_AH, PROTO_ESP, attr,
};
use crate::wire::xfrm::{Attribute, Body, SaInfo, SaName};

/// The largest replay window the kernel has (`XFRMA_REPLAY_ESN_MAX`).
const LARGEST_WINDOW: u32 = 4096;
/// The largest replay window without a `REPLAY_ESN_VAL`.
const LARGEST_LEGACY_WINDOW: u32 = 32;

/// The identity of the SA that `request` is about.
///
/// # Errors
/// [`SadbError::Unsupported`] without a destination address, and for SA types that Linux has no database for.
pub(crate) fn sa_id(request: &Request) -> Result<SaId, SadbError> {
    let dst = request.dst.map(|dst| dst.addr.to_canonical()).filter(|dst| !dst.is_unspecified());
    let Some(dst) = dst else {
        return Err(SadbError::Unsupported("an SA is identified by its destination: specify dst with an address".into()));
    };
    proto_of(request.sa_type)?;
    Ok(SaId { sa_type: request.sa_type, spi: request.spi, dst, mark: request.linux.mark })
}

/// The identity as a netlink message without the rest of the SA.
pub(crate) fn sa_id_body(id: &SaId) -> Body {
    Body::Name(sa_name(id), mark_attribute(id))
}

/// `struct xfrm_usersa_id` of an SA; the mark is an attribute beside it.
pub(crate) fn sa_name(id: &SaId) -> SaName {
    let proto = proto_of(id.sa_type).unwrap_or(0);
    SaName { dst: id.dst.into(), spi: id.spi.0, family: family_of(id.dst), proto }
}

pub(crate) fn mark_attribute(id: &SaId) -> Vec<Attribute> {
    id.mark.map(Attribute::Mark).into_iter().collect()
}

/// The IP protocol of an SA type; 0 for all of them.
pub(crate) fn proto_of(sa_type: SaType) -> Result<u8, SadbError> {
    match sa_type {
        SaType::UNSPEC => Ok(0),
        SaType::AH => Ok(PROTO_AH),
        SaType::ESP => Ok(PROTO_ESP),
        other => Err(SadbError::Unsupported(format!("SA type {} has no database in Linux: use ah or esp", other.0))),
    }
}

/// The SA type of an IP protocol; the protocol's own number for others, such as 108 for IPComp.
pub(crate) fn type_of(proto: u8) -> SaType {
    match proto {
        0 | u8::MAX => SaType::UNSPEC,
        PROTO_AH => SaType::AH,
        PROTO_ESP => SaType::ESP,
        other => SaType(other),
    }
}

/// Which way an SA's packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

impl Direction {
    /// What the flags say; both or none say nothing.
    pub(crate) fn said(flags: Flags) -> Option<Self> {
        match (flags.has(Flags::INBOUND), flags.has(Flags::OUTBOUND)) {
            (true, false) => Some(Self::In),
            (false, true) => Some(Self::Out),
            _ => None,
        }
    }

    /// What the flags say, else inbound if the destination is an address of this system, which is looked up only if
    /// anything depends on it.
    pub(crate) fn guess(request: &Request, name: &SaId) -> Self {
        let natt = request.natt_local.is_some() || request.natt_remote.is_some();
        let matters = natt || request.replay_value.is_some() || request.linux.offload.is_some();
        let guessed = || if matters && is_local(name.dst) { Self::In } else { Self::Out };
        Self::said(request.flags).unwrap_or_else(guessed)
    }

    pub(crate) fn numbered(number: u8) -> Option<Self> {
        match number {
            DIRECTION_IN => Some(Self::In),
            DIRECTION_OUT => Some(Self::Out),
            _ => None,
        }
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            Self::In => DIRECTION_IN,
            Self::Out => DIRECTION_OUT,
        }
    }
}

/// See [`is_local`].
pub(crate) fn is_local_raw(raw: RawAddress, family: u16) -> bool {
    raw.ip(family).is_some_and(is_local)
}

/// The fixed part and the attributes of a new SA.
pub(crate) fn addition(request: &Request) -> Result<(SaInfo, Vec<Attribute>), SadbError> {
    let name = sa_id(request)?;
    let algorithms = check::addition(request)?;
    let src = source(request, &name)?;
    let direction = Direction::guess(request, &name);
    let (window, replay) = replay(request, direction)?;
    let extras = &request.linux;
    let mode = request.mode();
    let info = SaInfo {
        selector: selector(request, &name, src, mode)?,
        dst: name.dst.into(),
        spi: name.spi.0,
        proto: proto_of(name.sa_type)?,
        src: src.map(RawAddress::from).unwrap_or_default(),
        limits: limits(request),
        reqid: extras.reqid,
        family: family_of(name.dst),
        mode: mode.0,
        replay_window: window,
        flags: (extras.flags.0 & 0xff) as u8,
        ..SaInfo::default()
    };
    let mut attributes = mark_attribute(&name);
    attributes.extend(algorithm_attributes(request, &algorithms));
    attributes.extend(replay);
    attributes.extend(encap(request, direction).map(Attribute::Encap));
    attributes.extend(extra_attributes(extras, direction)?);
    attributes.extend(Direction::said(request.flags).map(|direction| Attribute::Direction(direction.number())));
    Ok((info, attributes))
}

/// The source address, unless it is left open.
fn source(request: &Request, name: &SaId) -> Result<Option<IpAddr>, SadbError> {
    let src = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified());
    match src {
        Some(src) if src.is_ipv4() != name.dst.is_ipv4() => {
            Err(SadbError::Unsupported("src and dst are of different address families".into()))
        }
        _ => Ok(src),
    }
}

/// Inner addresses if there are any; else, in transport mode, the SA's own with their ports and protocol if they have any.
fn selector(request: &Request, name: &SaId, src: Option<IpAddr>, mode: XfrmMode) -> Result<Selector, SadbError> {
    match (*request.inner_src, *request.inner_dst) {
        (Some(inner_src), Some(inner_dst)) => inner_selector(inner_src, inner_dst),
        (None, None) if mode == XfrmMode::TRANSPORT => Ok(port_selector(request, name, src)),
        (None, None) => Ok(Selector::default()),
        _ => Err(SadbError::Unsupported("a tunnel has two inner addresses: want both isrc and idst".into())),
    }
}

fn inner_selector(src: InnerEndpoint, dst: InnerEndpoint) -> Result<Selector, SadbError> {
    let (src, dst) = (open_like(src, dst), open_like(dst, src));
    if src.addr.is_ipv4() != dst.addr.is_ipv4() {
        return Err(SadbError::Unsupported("isrc and idst are of different address families".into()));
    }
    Ok(Selector {
        dst: dst.addr.into(),
        src: src.addr.into(),
        dst_port: port(dst.port),
        src_port: port(src.port),
        family: family_of(dst.addr),
        dst_prefix: dst.prefix_len,
        src_prefix: src.prefix_len,
        proto: src.proto.max(dst.proto),
        ..Selector::default()
    })
}

/// An inner address that was left open, in the family of the other one.
fn open_like(end: InnerEndpoint, other: InnerEndpoint) -> InnerEndpoint {
    if !end.addr.is_unspecified() || end.addr.is_ipv4() == other.addr.is_ipv4() {
        return end;
    }
    let addr = if other.addr.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    InnerEndpoint { addr, prefix_len: 0, ..end }
}

fn port_selector(request: &Request, name: &SaId, src: Option<IpAddr>) -> Selector {
    let open = Endpoint { addr: name.dst, port: 0, proto: 0 };
    let (from, to) = (request.src.unwrap_or(open), request.dst.unwrap_or(open));
    let proto = from.proto.max(to.proto);
    if from.port == 0 && to.port == 0 && proto == 0 {
        return Selector::default();
    }
    Selector {
        dst: name.dst.into(),
        src: src.map(RawAddress::from).unwrap_or_default(),
        dst_port: port(to.port),
        src_port: port(from.port),
        family: family_of(name.dst),
        dst_prefix: host_prefix(name.dst),
        src_prefix: src.map_or(0, host_prefix),
        proto,
        ..Selector::default()
    }
}

/// A port and which of its bits count.
fn port(port: u16) -> (u16, u16) {
    (port, if port == 0 { 0 } else { u16::MAX })
}

/// The prefix length of a single address.
pub(crate) fn host_prefix(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 32 } else { 128 }
}

fn limits(request: &Request) -> Limits {
    let (soft, hard) = (request.soft.unwrap_or_default(), request.hard.unwrap_or_default());
    let extras = &request.linux;
    Limits {
        bytes: (or_infinite(soft.bytes), or_infinite(hard.bytes)),
        packets: (or_infinite(extras.soft_packets), or_infinite(extras.hard_packets)),
        add: (soft.addtime, hard.addtime),
        used: (soft.usetime, hard.usetime),
    }
}

fn or_infinite(limit: u64) -> u64 {
    if limit == 0 { INFINITE } else { limit }
}

/// Puts the limits that `request` gives in place of those of a live SA; what is not given stays, as in illumos.
pub(crate) fn change_limits(limits: &mut Limits, request: &Request) {
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

/// The window of the fixed part, and the record that says more.
fn replay(request: &Request, direction: Direction) -> Result<(u8, Option<Attribute>), SadbError> {
    let window = request.replay;
    if window > LARGEST_WINDOW {
        return Err(SadbError::Unsupported(format!("replay {window}: Linux holds a window of {LARGEST_WINDOW} at most")));
    }
    let counter = request.replay_value.unwrap_or(0);
    let is_esn = request.linux.flags.has(XfrmFlags::ESN);
    if !is_esn {
        narrow(counter)?;
    }
    let (sent, received) = match direction {
        Direction::Out => (counter, 0),
        Direction::In => (0, counter),
    };
    // What came before the counter to start from is taken as seen.
    let seen = if received == 0 { 0 } else { u32::MAX };
    if window > LARGEST_LEGACY_WINDOW || is_esn {
        let bitmap = vec![seen; window.div_ceil(32).max(1) as usize];
        return Ok((0, Some(Attribute::ReplayEsn(ReplayEsn { sent, received, window, bitmap }))));
    }
    if request.replay_value.is_none() {
        return Ok((window as u8, None));
    }
    let record = Replay { sent: narrow(sent)?, received: narrow(received)?, bitmap: seen };
    Ok((window as u8, Some(Attribute::Replay(record))))
}

/// A counter of an SA without extended sequence numbers.
pub(crate) fn narrow(counter: u64) -> Result<u32, SadbError> {
    let too_large = || SadbError::Unsupported(format!("replay_value {counter}: more than 32 bits want esn"));
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
    let icv_bits = u32::from(request.linux.icv_bits.unwrap_or(auth.icv_bits));
    Algorithm { name: auth.xfrm.into(), icv_bits, key: whole_key(request.auth_key.as_ref()) }
}

fn encr_attribute(cipher: &Encr, key: Option<&Key>) -> Attribute {
    let algorithm = Algorithm { name: cipher.xfrm.into(), icv_bits: u32::from(cipher.icv_bits), key: whole_key(key) };
    if cipher.is_combined() { Attribute::Aead(algorithm) } else { Attribute::Crypt(algorithm) }
}

/// A copy of the key with its salt counted in.
pub(crate) fn whole_key(key: Option<&Key>) -> Key {
    match key {
        Some(key) => key.duplicate().with_bits(u16::try_from(whole_bits(key)).unwrap_or(u16::MAX), 0),
        None => Key::from_slice(&[], 0, 0),
    }
}

/// Ports as the packets carry them: the local one is the source of what goes out and the destination of what comes in.
pub(crate) fn encap(request: &Request, direction: Direction) -> Option<Encap> {
    if request.natt_local.is_none() && request.natt_remote.is_none() {
        return None;
    }
    let port = |end: Option<Endpoint>| end.map(|end| end.port).filter(|port| *port != 0).unwrap_or(NATT_PORT);
    let (local, remote) = (port(*request.natt_local), port(*request.natt_remote));
    let (src_port, dst_port) = match direction {
        Direction::Out => (local, remote),
        Direction::In => (remote, local),
    };
    let original = request.natt_remote.map(|end| end.addr.to_canonical()).filter(|addr| !addr.is_unspecified());
    let original = original.map(RawAddress::from).unwrap_or_default();
    Some(Encap { kind: ENCAP_ESP_IN_UDP, src_port, dst_port, original })
}

/// Attributes of what only Linux has.
pub(crate) fn extra_attributes(extras: &LinuxExtras, direction: Direction) -> Result<Vec<Attribute>, SadbError> {
    let mut attributes = Vec::new();
    let words = [
        (attr::IF_ID, extras.if_id),
        (attr::TFCPAD, extras.tfcpad),
        (attr::SA_EXTRA_FLAGS, extras.flags.0 >> 8),
        (attr::SET_MARK, extras.output_mark.map_or(0, |mark| mark.value)),
        (attr::SET_MARK_MASK, extras.output_mark.map_or(0, |mark| mark.mask)),
    ];
    attributes.extend(words.into_iter().filter(|(_, value)| *value != 0).map(|(kind, value)| Attribute::Word(kind, value)));
    if let Some(offload) = &extras.offload {
        attributes.push(Attribute::Offload(offload_device(offload, direction)?));
    }
    Ok(attributes)
}

fn offload_device(offload: &Offload, direction: Direction) -> Result<OffloadDevice, SadbError> {
    let Some(ifindex) = interface_index(&offload.device) else {
        return Err(SadbError::Unsupported(format!("offload: this system has no interface {}", offload.device)));
    };
    let inbound = if direction == Direction::In { OFFLOAD_INBOUND } else { 0 };
    let packet = if offload.whole_packet { OFFLOAD_PACKET } else { 0 };
    Ok(OffloadDevice { ifindex, flags: inbound | packet })
}
