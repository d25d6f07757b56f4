//! The table of what is compared between the SA that a keys file asks for and the one there is, and of what an SADB changes
//! in place.
//!
//! Where an SADB decides or cannot tell (a direction that was not said, a device that does not take the work, keys under
//! lockdown) there is no difference: an SA that was added a moment ago never differs from its command.

use crate::sa::NATT_PORT;
use std::net::IpAddr;

use crate::names::algorithms::{auth_by_number, encr_by_number};
use crate::reconcile::fingerprint::Salt;
use crate::reconcile::live::Tongue;
use crate::sa::{
    EncrAlg, Endpoint, Flags, Identity, InnerEndpoint, Lifetime, Masked, Offload, Request, SaState, SaType, XfrmMode,
};
use crate::secret::Key;

/// illumos brings the soft addtime of an outbound SA forward by up to so many seconds (`sadb.c`, `lifetime_fuzz`).
const SOFT_FUZZ: u64 = 23;

/// The SA that is wanted beside the one there is.
#[derive(Clone, Copy)]
pub(crate) struct Both<'a> {
    pub(crate) wanted: &'a Request,
    pub(crate) live: &'a Request,
    pub(crate) tongue: Tongue,
}

/// How a value is had of a request.
enum Value {
    Number(fn(&Request) -> u64),
    Text(fn(&Request) -> String),
    Key(fn(&Request) -> Option<&Key>),
}

/// Which SADB changes it in place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InPlace {
    Never,
    /// Every one, unless it is a limit that is to go.
    Limit,
    /// Linux XFRM, unless it is to go.
    Xfrm,
}

/// A row of the table: the keyword, its value, when it is the same (else: when the values are), what changes it.
pub(crate) struct Field {
    pub(crate) word: &'static str,
    value: Value,
    same: Option<fn(&Both<'_>) -> bool>,
    in_place: InPlace,
}

const fn limit(word: &'static str, value: fn(&Request) -> u64) -> Field {
    Field { word, value: Value::Number(value), same: None, in_place: InPlace::Limit }
}

const fn number(word: &'static str, value: fn(&Request) -> u64, in_place: InPlace) -> Field {
    Field { word, value: Value::Number(value), same: None, in_place }
}

const fn text(word: &'static str, value: fn(&Request) -> String, same: fn(&Both<'_>) -> bool) -> Field {
    Field { word, value: Value::Text(value), same: Some(same), in_place: InPlace::Never }
}

const fn key(word: &'static str, value: fn(&Request) -> Option<&Key>, same: fn(&Both<'_>) -> bool) -> Field {
    Field { word, value: Value::Key(value), same: Some(same), in_place: InPlace::Never }
}

impl Field {
    /// The same, but that `same` decides.
    const fn when(self, same: fn(&Both<'_>) -> bool) -> Self {
        Self { same: Some(same), ..self }
    }
}

pub(crate) const FIELDS: &[Field] = &[
    key("encrkey", |request| request.encr_key.as_ref(), |both| same_key(both, encr_key)),
    key("authkey", |request| request.auth_key.as_ref(), |both| same_key(both, auth_key)),
    text("encr_alg", encr_name, |both| cipher(both.wanted) == cipher(both.live)),
    text("auth_alg", auth_name, |both| both.wanted.auth_alg == both.live.auth_alg),
    text("icv", |request| said(icv(request)), |both| icv(both.wanted) == icv(both.live)),
    text("src", |request| said(addr(request.src)), |both| addr(both.wanted.src) == addr(both.live.src)),
    text("proto, sport, dport", |request| format!("{:?}", ports(request)), |both| ports(both.wanted) == ports(both.live)),
    text("isrc", |request| prefix(*request.inner_src), |both| same_inner(both, |request| *request.inner_src)),
    text("idst", |request| prefix(*request.inner_dst), |both| same_inner(both, |request| *request.inner_dst)),
    text("mode", |request| request.mode().0.to_string(), |both| both.wanted.mode() == both.live.mode()),
    text("inbound, outbound", direction, same_direction),
    text("state", |request| request.state.0.to_string(), |both| said_state(both.wanted) == said_state(both.live)),
    number("replay", |request| request.replay.into(), InPlace::Never).when(same_window),
    text(
        "encap",
        |request| natt(request).is_some().to_string(),
        |both| natt(both.wanted).is_some() == natt(both.live).is_some(),
    ),
    text(
        "nat_loc",
        |request| natt_text(request, *request.natt_local),
        |both| same_natt(both, |request| *request.natt_local),
    ),
    text(
        "nat_rem",
        |request| natt_text(request, *request.natt_remote),
        |both| same_natt(both, |request| *request.natt_remote),
    ),
    number("nat_lport", |request| port(*request.natt_local), InPlace::Xfrm)
        .when(|both| same_port(both, |request| *request.natt_local)),
    number("nat_rport", |request| port(*request.natt_remote), InPlace::Xfrm)
        .when(|both| same_port(both, |request| *request.natt_remote)),
    text(
        "srcidtype",
        |request| identity(&request.src_identity),
        |both| same_identity(&both.wanted.src_identity, &both.live.src_identity),
    ),
    text(
        "dstidtype",
        |request| identity(&request.dst_identity),
        |both| same_identity(&both.wanted.dst_identity, &both.live.dst_identity),
    ),
    limit("hard_alloc", |request| of(*request.hard).allocations.into())
        .when(|both| both.tongue != Tongue::PfKey || of(*both.wanted.hard).allocations == of(*both.live.hard).allocations),
    limit("hard_bytes", |request| finite(of(*request.hard).bytes)),
    limit("hard_addtime", |request| of(*request.hard).addtime),
    limit("hard_usetime", |request| of(*request.hard).usetime),
    limit("soft_alloc", |request| of(*request.soft).allocations.into())
        .when(|both| both.tongue != Tongue::PfKey || of(*both.wanted.soft).allocations == of(*both.live.soft).allocations),
    limit("soft_bytes", |request| finite(of(*request.soft).bytes)),
    limit("soft_addtime", |request| of(*request.soft).addtime).when(same_soft_addtime),
    limit("soft_usetime", |request| of(*request.soft).usetime),
    limit("idle_addtime", |request| of(*request.idle).addtime),
    limit("idle_usetime", |request| of(*request.idle).usetime),
    limit("soft_packets", |request| request.linux.soft_packets),
    limit("hard_packets", |request| request.linux.hard_packets),
    number("reqid", |request| request.linux.reqid.into(), InPlace::Never),
    number("if_id", |request| request.linux.if_id.into(), InPlace::Xfrm),
    number("tfcpad", |request| request.linux.tfcpad.into(), InPlace::Never),
    number("flag", |request| request.linux.flags.0.into(), InPlace::Never),
    number("output-mark", output_mark, InPlace::Xfrm),
    text(
        "offload",
        |request| request.linux.offload.as_ref().map_or_else(none, |offload| offload.device.clone()),
        same_offload,
    ),
];

impl Both<'_> {
    /// The rows in which the two differ.
    pub(crate) fn differing(&self) -> Vec<&'static Field> {
        FIELDS.iter().filter(|field| !field.is_same(self)).collect()
    }

    /// Whether the SADB can make the SA what is wanted without adding it anew.
    pub(crate) fn changes_in_place(&self, differing: &[&Field]) -> bool {
        differing.iter().all(|field| field.is_in_place(self)) && (self.tongue != Tongue::PfKey || self.keeps_soft_limits())
    }

    /// illumos cuts soft limits down to the hard ones when it updates an SA, and drops those without a hard one.
    fn keeps_soft_limits(&self) -> bool {
        let (soft, hard) = (of(*self.wanted.soft), of(*self.wanted.hard));
        let pairs = [(soft.bytes, hard.bytes), (soft.addtime, hard.addtime), (soft.usetime, hard.usetime)];
        pairs.into_iter().all(|(soft, hard)| soft <= hard)
    }

    /// The request that changes in place what differs.
    pub(crate) fn update(&self) -> Request {
        let wanted = self.wanted;
        let mut update = Request {
            sa_type: wanted.sa_type,
            spi: wanted.spi,
            state: SaState::MATURE,
            encr_alg: if wanted.sa_type == SaType::ESP { EncrAlg::NULL } else { EncrAlg::NONE },
            flags: wanted.flags & (Flags::INBOUND | Flags::OUTBOUND),
            hard: wanted.hard.clone(),
            soft: wanted.soft.clone(),
            idle: wanted.idle.clone(),
            src: self.live.src.map(whole_end),
            dst: self.live.dst.map(whole_end),
            ..Request::default()
        };
        update.linux.mark = wanted.linux.mark;
        update.linux.soft_packets = wanted.linux.soft_packets;
        update.linux.hard_packets = wanted.linux.hard_packets;
        if self.tongue == Tongue::Xfrm {
            (*update.natt_local, *update.natt_remote) = (*wanted.natt_local, *wanted.natt_remote);
            (update.linux.if_id, update.linux.output_mark) = (wanted.linux.if_id, wanted.linux.output_mark);
        }
        update
    }
}

impl Field {
    fn is_same(&self, both: &Both<'_>) -> bool {
        match (self.same, &self.value) {
            (Some(same), _) => same(both),
            (None, Value::Number(value)) => value(both.wanted) == value(both.live),
            (None, Value::Text(value)) => value(both.wanted) == value(both.live),
            (None, Value::Key(_)) => false,
        }
    }

    fn is_in_place(&self, both: &Both<'_>) -> bool {
        let stays = matches!(self.value, Value::Number(value) if value(both.wanted) != 0);
        match self.in_place {
            InPlace::Never => false,
            InPlace::Limit => stays,
            InPlace::Xfrm => stays && both.tongue == Tongue::Xfrm,
        }
    }

    /// The value in words; a key as its fingerprint.
    pub(crate) fn say(&self, request: &Request, salt: Salt) -> String {
        match self.value {
            Value::Number(value) => value(request).to_string(),
            Value::Text(value) => value(request),
            Value::Key(value) => value(request).map_or_else(none, |key| format!("#{}", salt.of([Some(key)]))),
        }
    }
}

/// The keys of a request as one fingerprint: it tells whether an SA is added again with the same ones.
#[must_use]
pub(crate) fn keys_fingerprint(request: &Request, salt: Salt) -> String {
    let (auth, encr) = (auth_key(request), encr_key(request));
    salt.of([auth.as_ref(), encr.as_ref()])
}

/// Whether both protect packets with the same keys, so that sequence numbers must not start over.
pub(crate) fn same_keys(both: &Both<'_>) -> bool {
    same_key(both, encr_key) && same_key(both, auth_key) && cipher(both.wanted) == cipher(both.live)
}

fn none() -> String {
    "none".to_owned()
}

fn said<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(none, |value| value.to_string())
}

fn of(lifetime: Option<Lifetime>) -> Lifetime {
    lifetime.unwrap_or_default()
}

/// Linux has a number for no limit.
fn finite(bytes: u64) -> u64 {
    if bytes == u64::MAX { 0 } else { bytes }
}

fn addr(end: Option<Endpoint>) -> Option<IpAddr> {
    end.map(|end| end.addr.to_canonical()).filter(|addr| !addr.is_unspecified())
}

fn whole_end(end: Endpoint) -> Endpoint {
    Endpoint { port: 0, proto: 0, ..end }
}

fn cipher(request: &Request) -> EncrAlg {
    if request.encr_alg == EncrAlg::NULL { EncrAlg::NONE } else { request.encr_alg }
}

fn encr_name(request: &Request) -> String {
    encr_by_number(request.encr_alg).map_or_else(|| request.encr_alg.0.to_string(), |row| row.names[0].to_owned())
}

fn auth_name(request: &Request) -> String {
    auth_by_number(request.auth_alg).map_or_else(|| request.auth_alg.0.to_string(), |row| row.names[0].to_owned())
}

/// The length of the integrity check value, where it is not the algorithm's own.
fn icv(request: &Request) -> Option<u16> {
    let own = auth_by_number(request.auth_alg).map(|row| row.icv_bits);
    request.linux.icv_bits.filter(|bits| Some(*bits) != own)
}

fn auth_key(request: &Request) -> Option<Key> {
    request.auth_key.as_ref().filter(|key| key.byte_len() > 0).map(Key::duplicate)
}

/// The key as an SA holds it: without an initial IV, and of DES without the bits that are parity.
fn encr_key(request: &Request) -> Option<Key> {
    let key = request.encr_key.as_ref().filter(|key| key.byte_len() > 0)?;
    let key = key.duplicate().resized(key.bits().saturating_sub(key.reserved())).with_reserved(0);
    let is_des = [EncrAlg::DES, EncrAlg::TRIPLE_DES].contains(&request.encr_alg);
    Some(if is_des { key.without_parity() } else { key })
}

/// Under kernel lockdown keys read as zeros, which tells nothing.
fn same_key(both: &Both<'_>, key: fn(&Request) -> Option<Key>) -> bool {
    match (key(both.wanted), key(both.live)) {
        (Some(wanted), Some(live)) => live.is_all_zero() || wanted.ct_eq(&live),
        (wanted, live) => wanted.is_none() && live.is_none(),
    }
}

/// Ports and protocol of the packets themselves; what is in a tunnel has its own.
fn ports(request: &Request) -> (u8, u16, u16) {
    if request.mode() == XfrmMode::TUNNEL || request.inner_src.is_some() || request.inner_dst.is_some() {
        return (0, 0, 0);
    }
    let ends = [request.src, request.dst];
    let [src, dst] = ends.map(|end| end.map_or(0, |end| end.port));
    let proto = ends.into_iter().flatten().map(|end| end.proto).max();
    (proto.unwrap_or(0), src, dst)
}

/// An inner address with its prefix length, and the port; of addresses that are left open only the port.
fn inner(end: Option<InnerEndpoint>) -> (Option<(IpAddr, u8)>, u16) {
    let open = |end: &InnerEndpoint| end.addr.is_unspecified() && end.prefix_len == 0;
    let addr = end.filter(|end| !open(end)).map(|end| (end.addr.to_canonical(), end.prefix_len));
    (addr, end.map_or(0, |end| end.port))
}

fn inner_proto(request: &Request) -> u8 {
    [*request.inner_src, *request.inner_dst].into_iter().flatten().map(|end| end.proto).max().unwrap_or(0)
}

fn same_inner(both: &Both<'_>, end: fn(&Request) -> Option<InnerEndpoint>) -> bool {
    inner(end(both.wanted)) == inner(end(both.live)) && inner_proto(both.wanted) == inner_proto(both.live)
}

fn prefix(end: Option<InnerEndpoint>) -> String {
    end.map_or_else(none, |end| format!("{}/{} proto {} port {}", end.addr, end.prefix_len, end.proto, end.port))
}

fn said_direction(request: &Request) -> Flags {
    request.flags & (Flags::INBOUND | Flags::OUTBOUND)
}

fn direction(request: &Request) -> String {
    match (request.flags.has(Flags::INBOUND), request.flags.has(Flags::OUTBOUND)) {
        (true, true) => "both",
        (true, false) => "inbound",
        (false, true) => "outbound",
        (false, false) => "none",
    }
    .to_owned()
}

/// Linux keeps a direction or none; illumos finds one out where none is said.
fn same_direction(both: &Both<'_>) -> bool {
    let (wanted, live) = (said_direction(both.wanted), said_direction(both.live));
    let one = |flags: Flags| if flags == Flags::INBOUND || flags == Flags::OUTBOUND { flags } else { Flags::default() };
    match both.tongue {
        Tongue::Xfrm => one(wanted) == one(live),
        Tongue::LinuxPfKey => true,
        Tongue::PfKey => wanted == Flags::default() || wanted == live,
    }
}

fn said_state(request: &Request) -> SaState {
    if request.state == SaState::LARVAL { SaState::MATURE } else { request.state }
}

/// illumos gives no window to an SA that anybody may send to.
fn same_window(both: &Both<'_>) -> bool {
    let from_anybody = both.tongue == Tongue::PfKey && addr(both.wanted.src).is_none();
    both.wanted.replay == both.live.replay || (from_anybody && both.live.replay == 0)
}

fn natt(request: &Request) -> Option<Endpoint> {
    request.natt_local.or(*request.natt_remote)
}

/// A NAT-T address that is not one of the SA's own.
fn natt_addr(request: &Request, end: Option<Endpoint>) -> Option<IpAddr> {
    addr(end).filter(|natt| Some(*natt) != addr(request.src) && Some(*natt) != addr(request.dst))
}

fn natt_text(request: &Request, end: Option<Endpoint>) -> String {
    said(natt_addr(request, end))
}

fn same_natt(both: &Both<'_>, end: fn(&Request) -> Option<Endpoint>) -> bool {
    natt_addr(both.wanted, end(both.wanted)) == natt_addr(both.live, end(both.live))
}

fn port(end: Option<Endpoint>) -> u64 {
    end.map_or(0, |end| end.port).into()
}

fn same_port(both: &Both<'_>, end: fn(&Request) -> Option<Endpoint>) -> bool {
    let usual = |port| if port == 0 && both.tongue != Tongue::PfKey { NATT_PORT.into() } else { port };
    let both_encapsulate = natt(both.wanted).is_some() && natt(both.live).is_some();
    !both_encapsulate || usual(port(end(both.wanted))) == usual(port(end(both.live)))
}

fn identity(identity: &Option<Identity>) -> String {
    identity.as_ref().map_or_else(none, |identity| identity.value.escape_ascii().to_string())
}

/// illumos reports no user id.
fn same_identity(wanted: &Option<Identity>, live: &Option<Identity>) -> bool {
    let said = |identity: &Option<Identity>| identity.as_ref().map(|identity| (identity.kind, identity.value.clone()));
    said(wanted) == said(live)
}

fn same_soft_addtime(both: &Both<'_>) -> bool {
    let (wanted, live) = (of(*both.wanted.soft).addtime, of(*both.live.soft).addtime);
    let fuzz = if both.tongue == Tongue::PfKey && wanted > SOFT_FUZZ { SOFT_FUZZ } else { 0 };
    wanted.checked_sub(live).is_some_and(|less| less <= fuzz)
}

/// Value and mask in one; a mask that is not said is all ones.
fn output_mark(request: &Request) -> u64 {
    let Some(Masked { value, mask }) = request.linux.output_mark else { return 0 };
    let mask = if mask == 0 { u32::MAX } else { mask };
    u64::from(value) << 32 | u64::from(mask)
}

/// A device that does not take the work leaves it to the kernel.
fn same_offload(both: &Both<'_>) -> bool {
    let work = |offload: &Offload| (offload.device.clone(), offload.whole_packet);
    let live = both.live.linux.offload.as_ref();
    live.is_none_or(|live| both.wanted.linux.offload.as_ref().map(work) == Some(work(live)))
}
