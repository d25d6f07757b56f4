//! Pairs of SAs, and the dump, which must know which pairs still stand.
//!
//! ipseckey(1M): a pair runs in opposite directions between the same two addresses. Linux knows nothing of it; a pair stands
//! while the kernel has both SAs and what is kept of each names the other.

use std::collections::HashMap;
use std::ops::ControlFlow;

use nix::errno::Errno;

use crate::sa::{DiagnosticCode, MessageType, SaId, SaType, Spi};
use crate::sadb::linux::side_store::{Beside, Entry};
use crate::sadb::linux::xfrm::decode;
use crate::sadb::linux::xfrm::decode::Origin;
use crate::sadb::linux::xfrm::encode::{proto_of, type_of};
use crate::sadb::linux::xfrm::{Live, SadbError, Visitor, Xfrm, monitor};
use crate::wire::xfrm::fixed::RawAddress;
use crate::wire::xfrm::number::kind;
use crate::wire::xfrm::{Attribute, Body, SaInfo};

/// The other SA of a pair.
pub(crate) struct Mate {
    pub(crate) name: SaId,
    pub(crate) entry: Entry,
}

/// A refusal of ours in the terms of the kernel's.
fn refused<T>(text: String) -> Result<T, SadbError> {
    Err(SadbError::Refused { errno: Errno::EINVAL as i32, diagnostic: DiagnosticCode::default(), text })
}

/// The name of the SA with that SPI in the opposite direction of `info`.
fn opposite(name: &SaId, info: &SaInfo, spi: Spi) -> Option<SaId> {
    let dst = info.src.ip(info.family).filter(|src| !src.is_unspecified())?;
    Some(SaId { spi, dst, ..*name })
}

/// Whether `mate` runs from `info`'s destination, or from anywhere.
fn answers(mate: &SaInfo, info: &SaInfo) -> bool {
    mate.src == info.dst || mate.src == RawAddress::default()
}

impl Xfrm {
    /// The SA that `pair_spi` asks to be paired with, which must be there and not be paired already. `paired` is what the SA
    /// named `name` is paired with now.
    pub(crate) fn mate_for(
        &mut self,
        pair_spi: Option<Spi>,
        name: &SaId,
        info: &SaInfo,
        paired: Option<Spi>,
    ) -> Result<Option<Mate>, SadbError> {
        let Some(spi) = pair_spi else { return Ok(None) };
        if spi.0 == 0 || spi == name.spi {
            return refused(format!("pair-spi {spi}: an SA is paired with another, that has an SPI"));
        }
        if paired.is_some() && self.mate_of(name, info).is_some() {
            return refused(format!("the SA with SPI {} is paired already", name.spi));
        }
        let Some(mate) = opposite(name, info, spi) else {
            return refused(format!("pair-spi {spi}: the SA has no source address, so no opposite direction"));
        };
        let live = match self.fetch(&mate) {
            Ok(live) if answers(&live.info, info) => live,
            Err(error) if !error.is_missing() => return Err(error),
            _ => return refused(format!("pair-spi {spi}: there is no such SA from {} to {}", name.dst, mate.dst)),
        };
        let entry = self.entry(&mate, live.info.current.add_time);
        if entry.pair.is_some() && self.mate_of(&mate, &live.info).is_some() {
            return refused(format!("pair-spi {spi}: that SA is paired already"));
        }
        Ok(Some(Mate { name: mate, entry }))
    }

    /// The SA that `info` is paired with, if the pair still stands.
    pub(crate) fn mate_of(&mut self, name: &SaId, info: &SaInfo) -> Option<Mate> {
        let spi = self.entry(name, info.current.add_time).pair?;
        let mate = opposite(name, info, spi)?;
        let live = self.fetch(&mate).ok()?;
        let entry = self.entry(&mate, live.info.current.add_time);
        (entry.pair == Some(name.spi)).then_some(Mate { name: mate, entry })
    }

    /// Lists the SAs of a type as they come, and forgets what is kept of those that are no more.
    pub(crate) fn dump_all(&mut self, sa_type: SaType, each: Visitor<'_>) -> Result<(), SadbError> {
        let proto = proto_of(sa_type)?;
        let filters = || if proto == 0 { Vec::new() } else { vec![Attribute::Proto(proto)] };
        let refreshed = self.beside.refresh();
        self.note_failure(refreshed);
        let alive = if self.beside.is_empty() { HashMap::new() } else { self.alive(sa_type, filters())? };
        let (beside, trace, pid) = (&self.beside, &mut self.trace, std::process::id());
        let mut watch = |request: &[u8]| monitor::trace(trace.as_mut(), request);
        self.link.dump(kind::GETSA, filters(), &mut watch, &mut |message| match live(message) {
            Some((name, sa)) => {
                let origin = Origin { byte_len: sa.byte_len, seq: sa.seq, pid };
                each(&listed(beside, &name, sa, origin, &alive))
            }
            None => ControlFlow::Continue(()),
        })
    }

    /// When each SA of a type was added of which something is kept; the rest of what is kept is forgotten.
    fn alive(&mut self, sa_type: SaType, filters: Vec<Attribute>) -> Result<HashMap<SaId, u64>, SadbError> {
        let mut alive = HashMap::new();
        let beside = &self.beside;
        self.link.dump(kind::GETSA, filters, &mut |_| {}, &mut |message| {
            alive.extend(
                live(message).filter(|(name, _)| beside.knows(name)).map(|(name, sa)| (name, sa.info.current.add_time)),
            );
            ControlFlow::Continue(())
        })?;
        let tidied = self.beside.retain(sa_type, |name, added| alive.get(name) == Some(&added));
        self.note_failure(tidied);
        Ok(alive)
    }
}

/// The message of a dump about one SA.
fn listed(beside: &Beside, name: &SaId, sa: Live, origin: Origin, alive: &HashMap<SaId, u64>) -> crate::sa::Message {
    let mut entry = beside.known(name, sa.info.current.add_time).cloned();
    if let Some(entry) = &mut entry {
        let stands = entry.pair.and_then(|spi| opposite(name, &sa.info, spi)).and_then(|mate| {
            let mate = beside.known(&mate, *alive.get(&mate)?)?;
            (mate.pair == Some(name.spi)).then_some(())
        });
        entry.pair = entry.pair.filter(|_| stands.is_some());
    }
    decode::sa(MessageType::DUMP, origin, &sa.info, sa.attributes, None, entry.as_ref())
}

/// An AH or ESP SA of a dump. What waits for a key manager has no SPI and is none; nor is IPComp.
fn live(message: crate::wire::xfrm::Message) -> Option<(SaId, Live)> {
    let (byte_len, seq) = (message.byte_len, message.header.seq);
    let Body::Sa(info, attributes) = message.body else { return None };
    let sa_type = type_of(info.proto);
    if info.spi == 0 || !(sa_type == SaType::AH || sa_type == SaType::ESP) {
        return None;
    }
    let dst = info.dst.ip(info.family)?;
    let name = SaId { sa_type, spi: Spi(info.spi), dst, mark: decode::mark(&attributes) };
    Some((name, Live { info: *info, attributes, byte_len, seq }))
}
