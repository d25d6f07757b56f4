//! The table of the values that are compared between a desired and an actual SA, and of those that an SADB can change in place.
//!
//! Values that the SADB chooses or does not report are no difference: a direction that the command does not declare, an offload that
//! the device has declined, keys under kernel lockdown. An SA never differs from the command that has just added it.

use std::net::IpAddr;

use crate::names::algorithms::{auth_by_number, encr_by_number};
use crate::reconcile::fingerprint::{FingerprintKey, shared_fingerprint};
use crate::reconcile::live::Backend;
use crate::redact::{Expected, is_citable, mask};
use crate::sa::{
    EncrAlg, Endpoint, Flags, Identity, InnerEndpoint, Lifetime, Masked, NATT_PORT, Offload, Request, SERVICE_REQID, SaId,
    SaState, SaType, XfrmMode,
};
use crate::secret::Key;

/// The number of seconds by which illumos shortens the soft addtime of an outbound SA (`lifetime_fuzz` in `sadb.c`).
const SOFT_FUZZ: std::ops::RangeInclusive<u64> = 8..=23;

/// A desired SA and the actual one with the same identity.
#[derive(Clone, Copy)]
pub(crate) struct Comparison<'a> {
    pub(crate) desired: &'a Request,
    pub(crate) actual: &'a Request,
    pub(crate) backend: Backend,
}

/// Extracts the value of a field from a request.
enum FieldValue {
    Number(fn(&Request) -> u64),
    Text(fn(&Request) -> String),
    Key(fn(&Request) -> Option<&Key>),
}

/// The SADBs that can change a field of an existing SA.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InPlace {
    Never,
    /// All of them, but they cannot remove a limit.
    Limit,
    /// Linux XFRM, which cannot remove the value either.
    Xfrm,
}

/// A row of the table.
pub(crate) struct ComparedField {
    /// The keyword or keywords.
    pub(crate) word: &'static str,
    value: FieldValue,
    /// `None` compares the values.
    is_same: Option<fn(&Comparison<'_>) -> bool>,
    in_place: InPlace,
}

const fn limit(word: &'static str, value: fn(&Request) -> u64) -> ComparedField {
    ComparedField { word, value: FieldValue::Number(value), is_same: None, in_place: InPlace::Limit }
}

const fn number(word: &'static str, value: fn(&Request) -> u64, in_place: InPlace) -> ComparedField {
    ComparedField { word, value: FieldValue::Number(value), is_same: None, in_place }
}

const fn text(word: &'static str, value: fn(&Request) -> String, is_same: fn(&Comparison<'_>) -> bool) -> ComparedField {
    ComparedField { word, value: FieldValue::Text(value), is_same: Some(is_same), in_place: InPlace::Never }
}

const fn key(
    word: &'static str,
    value: fn(&Request) -> Option<&Key>,
    is_same: fn(&Comparison<'_>) -> bool,
) -> ComparedField {
    ComparedField { word, value: FieldValue::Key(value), is_same: Some(is_same), in_place: InPlace::Never }
}

impl ComparedField {
    /// Replaces the comparison of the values.
    const fn same_if(self, is_same: fn(&Comparison<'_>) -> bool) -> Self {
        Self { is_same: Some(is_same), ..self }
    }
}

pub(crate) const FIELDS: &[ComparedField] = &[
    key("encrkey", |request| request.encr_key.as_ref(), |sas| same_key(sas, encr_key)),
    key("authkey", |request| request.auth_key.as_ref(), |sas| same_key(sas, auth_key)),
    text("encr_alg", encr_name, |sas| cipher(sas.desired) == cipher(sas.actual)),
    text("auth_alg", auth_name, |sas| sas.desired.auth_alg == sas.actual.auth_alg),
    text("icv", |request| or_none(icv(request)), |sas| icv(sas.desired) == icv(sas.actual)),
    text("src", |request| or_none(addr(request.src)), |sas| addr(sas.desired.src) == addr(sas.actual.src)),
    text("proto, sport, dport", |request| format!("{:?}", ports(request)), |sas| ports(sas.desired) == ports(sas.actual)),
    text("isrc", |request| prefix(*request.inner_src), |sas| same_inner(sas, |request| *request.inner_src)),
    text("idst", |request| prefix(*request.inner_dst), |sas| same_inner(sas, |request| *request.inner_dst)),
    text("mode", |request| request.mode().0.to_string(), |sas| sas.desired.mode() == sas.actual.mode()),
    text("inbound, outbound", direction, same_direction),
    text("state", |request| request.state.0.to_string(), |sas| effective_state(sas.desired) == effective_state(sas.actual)),
    number("replay", |request| request.replay.into(), InPlace::Never).same_if(same_window),
    text(
        "encap",
        |request| natt(request).is_some().to_string(),
        |sas| natt(sas.desired).is_some() == natt(sas.actual).is_some(),
    ),
    text("nat_loc", |request| natt_text(request, *request.natt_local), |sas| same_natt(sas, |request| *request.natt_local)),
    text(
        "nat_rem",
        |request| natt_text(request, *request.natt_remote),
        |sas| same_natt(sas, |request| *request.natt_remote),
    ),
    number("nat_lport", |request| port(*request.natt_local), InPlace::Xfrm)
        .same_if(|sas| same_port(sas, |request| *request.natt_local)),
    number("nat_rport", |request| port(*request.natt_remote), InPlace::Xfrm)
        .same_if(|sas| same_port(sas, |request| *request.natt_remote)),
    text(
        "srcidtype",
        |request| identity(&request.src_identity),
        |sas| same_identity(&sas.desired.src_identity, &sas.actual.src_identity),
    ),
    text(
        "dstidtype",
        |request| identity(&request.dst_identity),
        |sas| same_identity(&sas.desired.dst_identity, &sas.actual.dst_identity),
    ),
    limit("hard_alloc", |request| limits(*request.hard).allocations.into()).same_if(|sas| {
        sas.backend != Backend::PfKey || limits(*sas.desired.hard).allocations == limits(*sas.actual.hard).allocations
    }),
    limit("hard_bytes", |request| finite(limits(*request.hard).bytes)),
    limit("hard_addtime", |request| limits(*request.hard).addtime),
    limit("hard_usetime", |request| limits(*request.hard).usetime),
    limit("soft_alloc", |request| limits(*request.soft).allocations.into()).same_if(|sas| {
        sas.backend != Backend::PfKey || limits(*sas.desired.soft).allocations == limits(*sas.actual.soft).allocations
    }),
    limit("soft_bytes", |request| finite(limits(*request.soft).bytes)),
    limit("soft_addtime", |request| limits(*request.soft).addtime).same_if(same_soft_addtime),
    limit("soft_usetime", |request| limits(*request.soft).usetime),
    limit("idle_addtime", |request| limits(*request.idle).addtime),
    limit("idle_usetime", |request| limits(*request.idle).usetime),
    limit("soft_packets", |request| request.linux.soft_packets),
    limit("hard_packets", |request| request.linux.hard_packets),
    number("reqid", |request| request.linux.reqid.into(), InPlace::Never).same_if(same_reqid),
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

/// A command without a reqid leaves it to the service, which has added the SA with its own.
fn same_reqid(sas: &Comparison<'_>) -> bool {
    let (desired, actual) = (sas.desired.linux.reqid, sas.actual.linux.reqid);
    desired == actual || (desired == 0 && actual == SERVICE_REQID)
}

impl Comparison<'_> {
    /// The fields in which the two differ.
    pub(crate) fn differing_fields(&self) -> Vec<&'static ComparedField> {
        FIELDS.iter().filter(|field| !field.has_same_value(self)).collect()
    }

    /// Whether an update can remove these differences.
    pub(crate) fn can_update(&self, differing: &[&ComparedField]) -> bool {
        differing.iter().all(|field| field.can_update(self)) && (self.backend != Backend::PfKey || self.keeps_soft_limits())
    }

    /// An update on illumos reduces soft limits to the hard ones, and removes a soft limit without a hard one.
    fn keeps_soft_limits(&self) -> bool {
        let (soft, hard) = (limits(*self.desired.soft), limits(*self.desired.hard));
        let pairs = [(soft.bytes, hard.bytes), (soft.addtime, hard.addtime), (soft.usetime, hard.usetime)];
        pairs.into_iter().all(|(soft, hard)| soft <= hard)
    }

    /// The update request. It has no keys: an update cannot change them.
    pub(crate) fn update_request(&self) -> Request {
        let desired = self.desired;
        let mut update = Request {
            sa_type: desired.sa_type,
            spi: desired.spi,
            state: SaState::MATURE,
            // Not NONE: ESP without a key has the NULL cipher in a request.
            encr_alg: if desired.sa_type == SaType::ESP { EncrAlg::NULL } else { EncrAlg::NONE },
            flags: desired.flags & (Flags::INBOUND | Flags::OUTBOUND),
            hard: desired.hard.clone(),
            soft: desired.soft.clone(),
            idle: desired.idle.clone(),
            // The addresses that the SADB has stored, without ports: they only identify the SA.
            src: self.actual.src.map(whole_end),
            dst: self.actual.dst.map(whole_end),
            ..Request::default()
        };
        update.linux.mark = desired.linux.mark;
        update.linux.soft_packets = desired.linux.soft_packets;
        update.linux.hard_packets = desired.linux.hard_packets;
        // PF_KEY cannot change these. XFRM keeps a value that the update does not have (`xfrm_state_update`).
        if self.backend == Backend::Xfrm {
            (*update.natt_local, *update.natt_remote) = (*desired.natt_local, *desired.natt_remote);
            (update.linux.if_id, update.linux.output_mark) = (desired.linux.if_id, desired.linux.output_mark);
        }
        update
    }
}

impl ComparedField {
    fn has_same_value(&self, sas: &Comparison<'_>) -> bool {
        match (self.is_same, &self.value) {
            (Some(is_same), _) => is_same(sas),
            (None, FieldValue::Number(value)) => value(sas.desired) == value(sas.actual),
            (None, FieldValue::Text(value)) => value(sas.desired) == value(sas.actual),
            // Every key field has a comparison of its own, in constant time.
            (None, FieldValue::Key(_)) => false,
        }
    }

    fn can_update(&self, sas: &Comparison<'_>) -> bool {
        // An update cannot remove a limit: 0 stands for a value that is not given.
        let stays = matches!(self.value, FieldValue::Number(value) if value(sas.desired) != 0);
        match self.in_place {
            InPlace::Never => false,
            InPlace::Limit => stays,
            InPlace::Xfrm => stays && sas.backend == Backend::Xfrm,
        }
    }

    /// The value as text; a key as its fingerprint.
    pub(crate) fn describe(&self, request: &Request, fingerprint_key: FingerprintKey) -> String {
        match self.value {
            FieldValue::Number(value) => value(request).to_string(),
            FieldValue::Text(value) => value(request),
            FieldValue::Key(value) => {
                value(request).map_or_else(none, |key| format!("#{}", fingerprint_key.fingerprint([Some(key)])))
            }
        }
    }
}

/// One fingerprint for both keys of a request, to find out later whether an SA is added with the same keys.
#[must_use]
pub(crate) fn keys_fingerprint(request: &Request, fingerprint_key: FingerprintKey) -> String {
    let (auth, encr) = (auth_key(request), encr_key(request));
    fingerprint_key.fingerprint([auth.as_ref(), encr.as_ref()])
}

/// Whether both have the same keys and cipher, so that the sequence numbers must not restart.
pub(crate) fn same_keys(sas: &Comparison<'_>) -> bool {
    same_key(sas, encr_key) && same_key(sas, auth_key) && cipher(sas.desired) == cipher(sas.actual)
}

/// Fingerprints of the authentication and the encryption key of an SA that two hosts can compare; empty without such a key.
#[must_use]
pub(crate) fn shared_fingerprints(id: &SaId, request: &Request) -> [String; 2] {
    let of = |key: Option<Key>, role: &str| {
        let salt = format!("ipseckey doctor {role} {} {} {}", id.sa_type.0, id.spi, id.dst);
        key.map_or_else(String::new, |key| shared_fingerprint(&key, salt.as_bytes()))
    };
    [of(auth_key(request), "authkey"), of(encr_key(request), "encrkey")]
}

fn none() -> String {
    "none".to_owned()
}

fn or_none<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(none, |value| value.to_string())
}

fn limits(lifetime: Option<Lifetime>) -> Lifetime {
    lifetime.unwrap_or_default()
}

/// 0 for no limit, for which Linux has `u64::MAX` (`XFRM_INF`).
fn finite(bytes: u64) -> u64 {
    if bytes == u64::MAX { 0 } else { bytes }
}

fn addr(end: Option<Endpoint>) -> Option<IpAddr> {
    end.map(|end| end.addr.to_canonical()).filter(|addr| !addr.is_unspecified())
}

pub(super) fn whole_end(end: Endpoint) -> Endpoint {
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

/// The length of the ICV in bits if it is not the default of the algorithm.
fn icv(request: &Request) -> Option<u16> {
    let own = auth_by_number(request.auth_alg).map(|row| row.icv_bits);
    request.linux.icv_bits.filter(|bits| Some(*bits) != own)
}

fn auth_key(request: &Request) -> Option<Key> {
    request.auth_key.as_ref().filter(|key| key.byte_len() > 0).map(Key::duplicate)
}

/// The key as an SA holds it: without the IV that a command may append, and for DES without the parity bits.
fn encr_key(request: &Request) -> Option<Key> {
    let key = request.encr_key.as_ref().filter(|key| key.byte_len() > 0)?;
    // `reserved` counts the bits of the IV, which the SADB does not report.
    let key = key.duplicate().resized(key.bits().saturating_sub(key.reserved())).with_reserved(0);
    let is_des = [EncrAlg::DES, EncrAlg::TRIPLE_DES].contains(&request.encr_alg);
    Some(if is_des { key.without_parity() } else { key })
}

/// Under kernel lockdown the kernel reports all keys as zeros, which is no difference.
fn same_key(sas: &Comparison<'_>, key: fn(&Request) -> Option<Key>) -> bool {
    match (key(sas.desired), key(sas.actual)) {
        (Some(desired), Some(actual)) => actual.is_all_zero() || desired.ct_eq(&actual),
        (desired, actual) => desired.is_none() && actual.is_none(),
    }
}

/// Protocol and ports of the protected packets in transport mode. A tunnel has them in its inner addresses.
fn ports(request: &Request) -> (u8, u16, u16) {
    // XFRM has one selector for each SA, which describes the inner packets of a tunnel.
    if request.mode() == XfrmMode::TUNNEL || request.inner_src.is_some() || request.inner_dst.is_some() {
        return (0, 0, 0);
    }
    let ends = [request.src, request.dst];
    let [src, dst] = ends.map(|end| end.map_or(0, |end| end.port));
    let proto = ends.into_iter().flatten().map(|end| end.proto).max();
    (proto.unwrap_or(0), src, dst)
}

/// Inner network, prefix length and port. The network is `None` for 0.0.0.0/0 and ::/0. illumos stores an inner address without
/// its host bits (`sadb_addrfix` in sadb.c), and the selectors of Linux ignore them.
fn inner(end: Option<InnerEndpoint>) -> (Option<(IpAddr, u8)>, u16) {
    let network = |end: InnerEndpoint| (end.network(), end.prefix_len);
    let addr = end.filter(|end| end.prefix_len != 0).map(network);
    (addr, end.map_or(0, |end| end.port))
}

fn inner_proto(request: &Request) -> u8 {
    [*request.inner_src, *request.inner_dst].into_iter().flatten().map(|end| end.proto).max().unwrap_or(0)
}

fn same_inner(sas: &Comparison<'_>, end: fn(&Request) -> Option<InnerEndpoint>) -> bool {
    inner(end(sas.desired)) == inner(end(sas.actual)) && inner_proto(sas.desired) == inner_proto(sas.actual)
}

fn prefix(end: Option<InnerEndpoint>) -> String {
    end.map_or_else(none, |end| format!("{}/{} proto {} port {}", end.addr, end.prefix_len, end.proto, end.port))
}

fn declared_direction(request: &Request) -> Flags {
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

/// XFRM stores one direction or none; Linux PF_KEY does not report it; illumos determines it if the command does not.
fn same_direction(sas: &Comparison<'_>) -> bool {
    let (desired, actual) = (declared_direction(sas.desired), declared_direction(sas.actual));
    let one = |flags: Flags| if flags == Flags::INBOUND || flags == Flags::OUTBOUND { flags } else { Flags::default() };
    match sas.backend {
        Backend::Xfrm => one(desired) == one(actual),
        Backend::LinuxPfKey => true,
        Backend::PfKey => desired == Flags::default() || desired == actual,
    }
}

fn effective_state(request: &Request) -> SaState {
    if request.state == SaState::LARVAL { SaState::MATURE } else { request.state }
}

/// illumos disables the anti-replay window of an SA without a source address.
fn same_window(sas: &Comparison<'_>) -> bool {
    let from_any = sas.backend == Backend::PfKey && addr(sas.desired.src).is_none();
    sas.desired.replay == sas.actual.replay || (from_any && sas.actual.replay == 0)
}

fn natt(request: &Request) -> Option<Endpoint> {
    request.natt_local.or(*request.natt_remote)
}

/// A NAT-T address, unless it equals an address of the SA.
fn natt_addr(request: &Request, end: Option<Endpoint>) -> Option<IpAddr> {
    addr(end).filter(|natt| Some(*natt) != addr(request.src) && Some(*natt) != addr(request.dst))
}

fn natt_text(request: &Request, end: Option<Endpoint>) -> String {
    or_none(natt_addr(request, end))
}

fn same_natt(sas: &Comparison<'_>, end: fn(&Request) -> Option<Endpoint>) -> bool {
    natt_addr(sas.desired, end(sas.desired)) == natt_addr(sas.actual, end(sas.actual))
}

fn port(end: Option<Endpoint>) -> u64 {
    end.map_or(0, |end| end.port).into()
}

fn same_port(sas: &Comparison<'_>, end: fn(&Request) -> Option<Endpoint>) -> bool {
    // Linux needs both ports, and gets the default for a missing one; illumos keeps 0.
    let usual = |port| if port == 0 && sas.backend != Backend::PfKey { NATT_PORT.into() } else { port };
    // If only one encapsulates, the field `encap` shows the difference.
    let both_encapsulate = natt(sas.desired).is_some() && natt(sas.actual).is_some();
    !both_encapsulate || usual(port(end(sas.desired))) == usual(port(end(sas.actual)))
}

/// An identity of another form than a host name, a mailbox or an address may be a key, and is masked.
fn identity(identity: &Option<Identity>) -> String {
    let text = |identity: &Identity| {
        let is_shown = is_citable(&identity.value, Expected::Identity);
        if is_shown { identity.value.escape_ascii().to_string() } else { mask(identity.value.len()) }
    };
    identity.as_ref().map_or_else(none, text)
}

/// Ignores the user ID, which illumos does not report.
fn same_identity(desired: &Option<Identity>, actual: &Option<Identity>) -> bool {
    let kind_and_value =
        |identity: &Option<Identity>| identity.as_ref().map(|identity| (identity.kind, identity.value.clone()));
    kind_and_value(desired) == kind_and_value(actual)
}

fn same_soft_addtime(sas: &Comparison<'_>) -> bool {
    let (desired, actual) = (limits(*sas.desired.soft).addtime, limits(*sas.actual.soft).addtime);
    // The subtraction wraps in the kernel as well: 5 seconds less 8 to 23 are some 2^64. Of 8 to 23 seconds 0 may be left, which stands
    // for no limit: an update would not give the SA another one.
    let is_shortened = SOFT_FUZZ.contains(&desired.wrapping_sub(actual)) && desired != 0;
    desired == actual || (sas.backend == Backend::PfKey && is_shortened)
}

/// Value and mask in one number. A missing mask stands for all ones.
fn output_mark(request: &Request) -> u64 {
    let Some(Masked { value, mask }) = request.linux.output_mark else { return 0 };
    let mask = if mask == 0 { u32::MAX } else { mask };
    u64::from(value) << 32 | u64::from(mask)
}

/// No difference if the device has declined the offload and the kernel processes the packets.
fn same_offload(sas: &Comparison<'_>) -> bool {
    let work = |offload: &Offload| (offload.device.clone(), offload.whole_packet);
    let actual = sas.actual.linux.offload.as_ref();
    actual.is_none_or(|actual| sas.desired.linux.offload.as_ref().map(work) == Some(work(actual)))
}
