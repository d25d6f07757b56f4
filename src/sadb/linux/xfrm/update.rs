//! `update`: changes to a live SA by UPDSA and NEWAE (`xfrm_state_update`, `xfrm_new_ae`).

use crate::sa::{AuthAlg, EncrAlg, Extension, Flags, KeyRole, Message, MessageType, Request, SaId, SaState, XfrmFlags};
use crate::sadb::linux::direction::SaDirection;
use crate::sadb::linux::side_store::SideEntry;
use crate::sadb::linux::xfrm::encode;
use crate::sadb::linux::xfrm::encode::host_prefix;
use crate::sadb::linux::xfrm::pairs::PeerSa;
use crate::sadb::linux::xfrm::request_context;
use crate::sadb::linux::xfrm::{LiveSa, SadbError, Xfrm, decode};
use crate::secret::Key;
use crate::wire::xfrm::attribute::{Encap, ReplayState, ReplayStateEsn};
use crate::wire::xfrm::fixed::RawAddress;
use crate::wire::xfrm::number::{EVENT_REPLAY, attr, kind};
use crate::wire::xfrm::{Attribute, Body, EventId};

/// Attributes of a live SA that UPDSA does not repeat: counters, and the offload device, which it would claim again.
const NOT_REPEATED: &[u16] =
    &[attr::ALG_AUTH, attr::REPLAY_VAL, attr::LTIME_VAL, attr::LASTUSED, attr::OFFLOAD_DEV, attr::ENCAP];

/// Refuses changes that the kernel would acknowledge but ignore.
pub(super) fn check_update(request: &Request, live: &LiveSa) -> Result<(), SadbError> {
    if request.state != SaState::MATURE {
        return Err(SadbError::Unsupported(format!("Linux cannot set the state of an SA (requested: {})", request.state.0)));
    }
    let current = decode_live(live);
    let fixed: Vec<&str> =
        unsupported_changes(request, live, &current).filter(|(is_changed, _)| *is_changed).map(|(_, word)| word).collect();
    if fixed.is_empty() {
        return Ok(());
    }
    Err(SadbError::Unsupported(format!(
        "Linux does not change {} of a live SA: delete it and add it again, or add one with another SPI",
        fixed.join(", ")
    )))
}

/// Whether the request changes a value, with its keyword.
fn unsupported_changes(request: &Request, live: &LiveSa, current: &Message) -> impl Iterator<Item = (bool, &'static str)> {
    let association = current.association().copied().unwrap_or_default();
    let extras = current.linux().map(|info| info.extras.clone()).unwrap_or_default();
    let window = current.linux().map_or(0, |info| info.replay_window);
    let requested = &request.linux;
    let differs = |requested: u32, actual: u32| requested != 0 && requested != actual;
    // The parser sets NULL (RFC 2410) for an ESP command without encralg.
    let is_default_cipher = request.encr_alg == EncrAlg::NULL && request.encr_key.is_none();
    [
        (request.auth_alg != AuthAlg::NONE && request.auth_alg != association.auth, "authalg"),
        (request.encr_alg.0 != 0 && !is_default_cipher && request.encr_alg != association.encr, "encralg"),
        (differs_in_key(request.auth_key.as_ref(), current.key(KeyRole::Auth)), "authkey"),
        (differs_in_key(request.encr_key.as_ref(), current.key(KeyRole::Encr)), "encrkey"),
        (differs(request.replay, window), "replay"),
        (differs_in_source(request, live), "src"),
        (differs_in_selector(request, live), "proto, sport, dport"),
        (differs_in_inner_addresses(request, live), "isrc, idst"),
        (has_encap(request) && find_encap(live).is_none(), "encap"),
        (requested.mode.is_some_and(|mode| mode.0 != live.info.mode), "mode"),
        (differs(requested.reqid, live.info.reqid), "reqid"),
        (differs(requested.tfcpad, extras.tfcpad), "tfcpad"),
        (requested.flags != XfrmFlags::default() && requested.flags != extras.flags, "flag"),
        (requested.offload.is_some(), "offload"),
        (requested.icv_bits.is_some() && requested.icv_bits != extras.icv_bits, "icv"),
    ]
    .into_iter()
}

/// Whether a key differs. With kernel lockdown (confidentiality) keys read as zeros, so that no difference can be seen.
fn differs_in_key(requested: Option<&Key>, actual: Option<&Key>) -> bool {
    match (requested, actual) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(requested), Some(actual)) => {
            !actual.is_all_zero() && !encode::key_with_salt(Some(requested)).ct_eq(&encode::key_with_salt(Some(actual)))
        }
    }
}

fn differs_in_source(request: &Request, live: &LiveSa) -> bool {
    let requested = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified());
    requested.is_some_and(|src| RawAddress::from(src) != live.info.src)
}

fn differs_in_selector(request: &Request, live: &LiveSa) -> bool {
    let selector = &live.info.selector;
    let tunnel = request.flags.has(Flags::TUNNEL) || request.inner_src.is_some();
    let differs = |requested: u16, actual: u16| requested != 0 && requested != actual;
    let ends = [(request.src, selector.src_port.0), (request.dst, selector.dst_port.0)];
    !tunnel
        && ends.into_iter().any(|(end, port)| {
            end.is_some_and(|end| differs(end.port, port) || differs(u16::from(end.proto), u16::from(selector.proto)))
        })
}

fn differs_in_inner_addresses(request: &Request, live: &LiveSa) -> bool {
    let selector = &live.info.selector;
    let ends =
        [(*request.inner_src, selector.src, selector.src_prefix), (*request.inner_dst, selector.dst, selector.dst_prefix)];
    ends.into_iter().any(|(end, addr, prefix)| {
        end.is_some_and(|end| RawAddress::from(end.addr) != addr || end.prefix_len.min(host_prefix(end.addr)) != prefix)
    })
}

fn has_encap(request: &Request) -> bool {
    request.natt_local.is_some() || request.natt_remote.is_some()
}

fn find_encap(live: &LiveSa) -> Option<Encap> {
    live.attributes.iter().find_map(|attribute| match attribute {
        Attribute::Encap(encap) => Some(*encap),
        _ => None,
    })
}

impl Xfrm {
    /// Changes lifetimes, UDP ports, output mark and interface by UPDSA, then the replay counter by NEWAE.
    pub(super) fn update_live(
        &mut self,
        request: &Request,
        id: &SaId,
        live: &LiveSa,
        entry: &SideEntry,
    ) -> Result<(), SadbError> {
        let mut info = live.info;
        encode::merge_limits(&mut info.limits, request);
        let direction = direction_of(live, request, entry);
        // The kernel changes the ports of an existing encapsulation, but neither adds nor removes one.
        let encap = encode::encode_encap(request, direction).or(find_encap(live));
        let extras = encode::encode_extras(&request.linux, direction, &self.kernel)?;
        // UPDSA would claim the offload device again, and ignores the TFC padding.
        let new = extras.into_iter().filter(|attribute| !matches!(attribute, Attribute::Offload(_)));
        let new: Vec<Attribute> = new.filter(|attribute| attribute.kind() != attr::TFCPAD).collect();
        if info.limits != live.info.limits || encap != find_encap(live) || !new.is_empty() {
            let mut attributes = attributes_to_repeat(&live.attributes, encap);
            attributes.retain(|old| !new.iter().any(|new| new.kind() == old.kind()));
            attributes.extend(new);
            self.request_with_retry(kind::UPDSA, &Body::Sa(Box::new(info), attributes), &request_context(id))?;
        }
        // UPDSA ignores replay counters; only NEWAE sets them.
        match request.replay_value {
            Some(value) => self.set_counter(id, live, direction, value),
            None => Ok(()),
        }
    }

    /// Sets the lifetimes of the paired SA.
    pub(super) fn update_peer(&mut self, request: &Request, peer: &PeerSa) -> Result<(), SadbError> {
        let lifetimes = Request {
            sa_type: peer.id.sa_type,
            hard: request.hard.clone(),
            soft: request.soft.clone(),
            idle: request.idle.clone(),
            linux: crate::sa::LinuxExtras {
                soft_packets: request.linux.soft_packets,
                hard_packets: request.linux.hard_packets,
                ..Default::default()
            }
            .into(),
            ..Request::default()
        };
        let live = self.get_live(&peer.id)?;
        self.update_live(&lifetimes, &peer.id, &live, &peer.entry)?;
        let mut entry = peer.entry.clone();
        entry.merge_request(&lifetimes);
        if entry == peer.entry { Ok(()) } else { self.store_entry(peer.id, entry, None) }
    }

    fn set_counter(&mut self, id: &SaId, live: &LiveSa, direction: SaDirection, value: u64) -> Result<(), SadbError> {
        let record = live
            .attributes
            .iter()
            .find_map(|attribute| with_counter(attribute, direction, value).transpose())
            .transpose()?;
        let Some(record) = record else {
            return Err(SadbError::BadReply("the kernel did not report the replay counters".into()));
        };
        let event = EventId { id: encode::user_sa_id(id), src: live.info.src, flags: EVENT_REPLAY, reqid: live.info.reqid };
        let mut attributes = encode::mark_attribute(id);
        attributes.push(record);
        self.request(kind::NEWAE, &Body::Event(event, attributes), &request_context(id))
    }
}

/// The replay attribute with the counter of that direction set; earlier sequence numbers count as received.
fn with_counter(attribute: &Attribute, direction: SaDirection, value: u64) -> Result<Option<Attribute>, SadbError> {
    let record = match (attribute, direction) {
        (Attribute::Replay(replay), SaDirection::Out) => {
            Attribute::Replay(ReplayState { sent: encode::to_counter32(value)?, ..*replay })
        }
        (Attribute::Replay(replay), SaDirection::In) => {
            Attribute::Replay(ReplayState { received: encode::to_counter32(value)?, bitmap: u32::MAX, ..*replay })
        }
        (Attribute::ReplayEsn(replay), SaDirection::Out) => {
            Attribute::ReplayEsn(ReplayStateEsn { sent: value, ..replay.clone() })
        }
        (Attribute::ReplayEsn(replay), SaDirection::In) => Attribute::ReplayEsn(ReplayStateEsn {
            received: value,
            bitmap: vec![u32::MAX; replay.bitmap.len()],
            ..replay.clone()
        }),
        _ => return Ok(None),
    };
    Ok(Some(record))
}

/// The direction of the live SA or else of the request or else by its addresses. Kernels before 6.10 hold none: the side store does.
fn direction_of(live: &LiveSa, request: &Request, entry: &SideEntry) -> SaDirection {
    let current = live.attributes.iter().find_map(|attribute| match attribute {
        Attribute::Direction(number) => SaDirection::from_number(*number),
        _ => None,
    });
    let stored = || entry.direction().and_then(SaDirection::from_number);
    current.or_else(stored).unwrap_or_else(|| SaDirection::guess(request))
}

/// The attributes of the live SA: UPDSA validates a whole SA.
fn attributes_to_repeat(attributes: &[Attribute], encap: Option<Encap>) -> Vec<Attribute> {
    let again = attributes.iter().filter(|attribute| !NOT_REPEATED.contains(&attribute.kind()));
    again.map(Attribute::duplicate).chain(encap.map(Attribute::Encap)).collect()
}

/// The live SA as a message, for comparison.
fn decode_live(live: &LiveSa) -> Message {
    let attributes = live.attributes.iter().map(Attribute::duplicate).collect();
    let mut message = decode::decode_sa(
        MessageType::GET,
        decode::MessageOrigin::default(),
        &live.info,
        attributes,
        Some(SaState::MATURE),
        None,
    );
    message.extensions.retain(|ext| !matches!(ext, Extension::Address(..)));
    message
}
