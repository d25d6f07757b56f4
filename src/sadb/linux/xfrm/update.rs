//! `update`: what UPDSA and NEWAE change of a live SA, and what no message does (`xfrm_state_update`, `xfrm_new_ae`).

use crate::sa::{AuthAlg, EncrAlg, Extension, Flags, KeyRole, Message, MessageType, Request, SaId, SaState, XfrmFlags};
use crate::sadb::linux::xfrm::encode;
use crate::sadb::linux::xfrm::encode::{Direction, host_prefix};
use crate::sadb::linux::xfrm::pairs::Mate;
use crate::sadb::linux::xfrm::sa_context;
use crate::sadb::linux::xfrm::{Live, SadbError, Xfrm, decode};
use crate::secret::Key;
use crate::wire::xfrm::attribute::{Encap, Replay, ReplayEsn};
use crate::wire::xfrm::fixed::RawAddress;
use crate::wire::xfrm::number::{EVENT_REPLAY, attr, kind};
use crate::wire::xfrm::{Attribute, Body, EventId};

/// Attributes of a live SA that UPDSA is not to be sent again: counters, and what would claim a device anew.
const NOT_SENT: &[u16] =
    &[attr::ALG_AUTH, attr::REPLAY_VAL, attr::LTIME_VAL, attr::LASTUSED, attr::OFFLOAD_DEV, attr::ENCAP];

/// Refuses a request for a change that the kernel would acknowledge and not make.
pub(crate) fn only_what_linux_changes(request: &Request, live: &Live) -> Result<(), SadbError> {
    if request.state != SaState::MATURE {
        return Err(SadbError::Unsupported(format!("Linux does not let the state be set, so not to {}", request.state.0)));
    }
    let said = message_of(live);
    let fixed: Vec<&str> = changes(request, live, &said).filter(|(is_asked, _)| *is_asked).map(|(_, word)| word).collect();
    if fixed.is_empty() {
        return Ok(());
    }
    Err(SadbError::Unsupported(format!(
        "Linux does not change {} of an SA that is in use: delete it and add it anew, or add one with another SPI",
        fixed.join(", ")
    )))
}

/// What the request would have otherwise than it is, with its keyword.
fn changes(request: &Request, live: &Live, said: &Message) -> impl Iterator<Item = (bool, &'static str)> {
    let association = said.association().copied().unwrap_or_default();
    let extras = said.linux().map(|info| info.extras.clone()).unwrap_or_default();
    let window = said.linux().map_or(0, |info| info.replay_window);
    let asked = &request.linux;
    let differs = |asked: u32, is: u32| asked != 0 && asked != is;
    // An ESP command without encralg says NULL (RFC 2410).
    let is_unsaid = request.encr_alg == EncrAlg::NULL && request.encr_key.is_none();
    [
        (request.auth_alg != AuthAlg::NONE && request.auth_alg != association.auth, "authalg"),
        (request.encr_alg.0 != 0 && !is_unsaid && request.encr_alg != association.encr, "encralg"),
        (another_key(request.auth_key.as_ref(), said.key(KeyRole::Auth)), "authkey"),
        (another_key(request.encr_key.as_ref(), said.key(KeyRole::Encr)), "encrkey"),
        (differs(request.replay, window), "replay"),
        (another_source(request, live), "src"),
        (another_selector(request, live), "proto, sport, dport"),
        (another_inside(request, live), "isrc, idst"),
        (wants_encap(request) && encap_of(live).is_none(), "encap"),
        (asked.mode.is_some_and(|mode| mode.0 != live.info.mode), "mode"),
        (differs(asked.reqid, live.info.reqid), "reqid"),
        (differs(asked.tfcpad, extras.tfcpad), "tfcpad"),
        (asked.flags != XfrmFlags::default() && asked.flags != extras.flags, "flag"),
        (asked.offload.is_some(), "offload"),
        (asked.icv_bits.is_some() && asked.icv_bits != extras.icv_bits, "icv"),
    ]
    .into_iter()
}

/// Under kernel lockdown keys read as zeros, which tells nothing.
fn another_key(asked: Option<&Key>, is: Option<&Key>) -> bool {
    match (asked, is) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(asked), Some(is)) => !is.is_all_zero() && !encode::whole_key(Some(asked)).ct_eq(&encode::whole_key(Some(is))),
    }
}

fn another_source(request: &Request, live: &Live) -> bool {
    let asked = request.src.map(|src| src.addr.to_canonical()).filter(|src| !src.is_unspecified());
    asked.is_some_and(|src| RawAddress::from(src) != live.info.src)
}

fn another_selector(request: &Request, live: &Live) -> bool {
    let selector = &live.info.selector;
    let tunnel = request.flags.has(Flags::TUNNEL) || request.inner_src.is_some();
    let differs = |asked: u16, is: u16| asked != 0 && asked != is;
    let ends = [(request.src, selector.src_port.0), (request.dst, selector.dst_port.0)];
    !tunnel
        && ends.into_iter().any(|(end, port)| {
            end.is_some_and(|end| differs(end.port, port) || differs(u16::from(end.proto), u16::from(selector.proto)))
        })
}

fn another_inside(request: &Request, live: &Live) -> bool {
    let selector = &live.info.selector;
    let ends =
        [(*request.inner_src, selector.src, selector.src_prefix), (*request.inner_dst, selector.dst, selector.dst_prefix)];
    ends.into_iter().any(|(end, addr, prefix)| {
        end.is_some_and(|end| RawAddress::from(end.addr) != addr || end.prefix_len.min(host_prefix(end.addr)) != prefix)
    })
}

fn wants_encap(request: &Request) -> bool {
    request.natt_local.is_some() || request.natt_remote.is_some()
}

fn encap_of(live: &Live) -> Option<Encap> {
    live.attributes.iter().find_map(|attribute| match attribute {
        Attribute::Encap(encap) => Some(*encap),
        _ => None,
    })
}

impl Xfrm {
    /// Changes what can be changed: lifetimes, UDP ports, output mark and interface; then the replay counter.
    pub(crate) fn update_live(&mut self, request: &Request, name: &SaId, live: &Live) -> Result<(), SadbError> {
        let mut info = live.info;
        encode::change_limits(&mut info.limits, request);
        let direction = direction_of(live, request, name);
        let encap = encode::encap(request, direction).or(encap_of(live));
        let extras = encode::extra_attributes(&request.linux, direction)?;
        let new = extras.into_iter().filter(|attribute| !matches!(attribute, Attribute::Offload(_)));
        let new: Vec<Attribute> = new.filter(|attribute| attribute.kind() != attr::TFCPAD).collect();
        if info.limits != live.info.limits || encap != encap_of(live) || !new.is_empty() {
            let mut attributes = sent_again(&live.attributes, encap);
            attributes.retain(|old| !new.iter().any(|new| new.kind() == old.kind()));
            attributes.extend(new);
            self.put(kind::UPDSA, &Body::Sa(Box::new(info), attributes), &sa_context(name))?;
        }
        match request.replay_value {
            Some(value) => self.set_counter(name, live, direction, value),
            None => Ok(()),
        }
    }

    /// The paired SA takes over the lifetimes.
    pub(crate) fn update_partner(&mut self, request: &Request, partner: &Mate) -> Result<(), SadbError> {
        let lifetimes = Request {
            sa_type: partner.name.sa_type,
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
        let live = self.fetch(&partner.name)?;
        self.update_live(&lifetimes, &partner.name, &live)?;
        let mut entry = partner.entry.clone();
        entry.take(&lifetimes);
        if entry == partner.entry { Ok(()) } else { self.keep_entry(partner.name, entry, None) }
    }

    fn set_counter(&mut self, name: &SaId, live: &Live, direction: Direction, value: u64) -> Result<(), SadbError> {
        let record =
            live.attributes.iter().find_map(|attribute| counted(attribute, direction, value).transpose()).transpose()?;
        let Some(record) = record else {
            return Err(SadbError::BadReply("the kernel does not tell the replay counters".into()));
        };
        let event = EventId { name: encode::sa_name(name), src: live.info.src, flags: EVENT_REPLAY, reqid: live.info.reqid };
        let mut attributes = encode::mark_attribute(name);
        attributes.push(record);
        self.ask(kind::NEWAE, &Body::Event(event, attributes), &sa_context(name))
    }
}

/// The replay record with the counter of that direction set; what came before it is taken as seen.
fn counted(attribute: &Attribute, direction: Direction, value: u64) -> Result<Option<Attribute>, SadbError> {
    let record = match (attribute, direction) {
        (Attribute::Replay(replay), Direction::Out) => Attribute::Replay(Replay { sent: encode::narrow(value)?, ..*replay }),
        (Attribute::Replay(replay), Direction::In) => {
            Attribute::Replay(Replay { received: encode::narrow(value)?, bitmap: u32::MAX, ..*replay })
        }
        (Attribute::ReplayEsn(replay), Direction::Out) => Attribute::ReplayEsn(ReplayEsn { sent: value, ..replay.clone() }),
        (Attribute::ReplayEsn(replay), Direction::In) => Attribute::ReplayEsn(ReplayEsn {
            received: value,
            bitmap: vec![u32::MAX; replay.bitmap.len()],
            ..replay.clone()
        }),
        _ => return Ok(None),
    };
    Ok(Some(record))
}

/// What the SA itself says of its direction, else the request, else its addresses.
fn direction_of(live: &Live, request: &Request, name: &SaId) -> Direction {
    let said = live.attributes.iter().find_map(|attribute| match attribute {
        Attribute::Direction(number) => Direction::numbered(*number),
        _ => None,
    });
    said.unwrap_or_else(|| Direction::guess(request, name))
}

/// UPDSA wants the whole SA said again.
fn sent_again(attributes: &[Attribute], encap: Option<Encap>) -> Vec<Attribute> {
    let again = attributes.iter().filter(|attribute| !NOT_SENT.contains(&attribute.kind()));
    again.map(Attribute::duplicate).chain(encap.map(Attribute::Encap)).collect()
}

/// The message of a live SA, for comparison; its keys are wiped with it.
fn message_of(live: &Live) -> Message {
    let attributes = live.attributes.iter().map(Attribute::duplicate).collect();
    let mut message =
        decode::sa(MessageType::GET, decode::Origin::default(), &live.info, attributes, Some(SaState::MATURE), None);
    message.extensions.retain(|ext| !matches!(ext, Extension::Address(..)));
    message
}
