//! The dump of the SAD: XFRM lists the SAs, and the side store completes them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::sa::{Message, MessageType, SaId, SaType, Spi};
use crate::sadb::linux::side_store::SideStore;
use crate::sadb::linux::xfrm::decode::MessageOrigin;
use crate::sadb::linux::xfrm::encode::{proto_of, type_of};
use crate::sadb::linux::xfrm::pairs::opposite;
use crate::sadb::linux::xfrm::{LiveSa, SadbError, Visitor, Xfrm, decode, monitor};
use crate::wire::xfrm::number::kind;
use crate::wire::xfrm::{Attribute, Body, NetlinkMessage};

/// The types of SAs that this program handles.
pub(in crate::sadb::linux) const LISTED: [SaType; 2] = [SaType::AH, SaType::ESP];

impl Xfrm {
    /// Visits the SAs of a type as the kernel lists them, and removes stale entries from the side store. Returns whether the kernel
    /// has AH or ESP SAs without an SPI, which are not visited.
    pub(super) fn dump_all(&mut self, sa_type: SaType, visit: Visitor<'_>) -> Result<bool, SadbError> {
        let proto = proto_of(sa_type)?;
        let filters = || if proto == 0 { Vec::new() } else { vec![Attribute::Proto(proto)] };
        let refreshed = self.side_store.refresh();
        self.warn_on_error(refreshed);
        // The pairs need a first pass over the SAD: the kernel lists the newest SA first, so a peer may come later.
        let add_times = if self.side_store.is_empty() { HashMap::new() } else { self.add_times(sa_type, filters())? };
        let (side_store, trace, pid) = (&self.side_store, &mut self.trace, std::process::id());
        let kernel = &self.kernel;
        let mut tracer = |request: &[u8]| monitor::trace(trace.as_mut(), request);
        let mut has_skipped = false;
        let mut others = 0;
        self.client.dump(kind::GETSA, filters(), &mut tracer, &mut |message| {
            has_skipped |= is_without_spi(&message);
            others += usize::from(is_of_other_type(&message));
            let Some((id, sa)) = listed_sa(message) else { return ControlFlow::Continue(()) };
            let origin = MessageOrigin { byte_len: sa.byte_len, seq: sa.seq, pid };
            let mut listed = describe_listed(side_store, &id, sa, origin, &add_times);
            kernel.name_device(&mut listed);
            visit(&listed)
        })?;
        self.others = others;
        Ok(has_skipped)
    }

    /// Add time of each live SA with a side-store entry; entries of vanished SAs are dropped.
    fn add_times(&mut self, sa_type: SaType, filters: Vec<Attribute>) -> Result<HashMap<SaId, u64>, SadbError> {
        let mut add_times = HashMap::new();
        let side_store = &self.side_store;
        self.client.dump(kind::GETSA, filters, &mut |_| {}, &mut |message| {
            add_times.extend(
                listed_sa(message).filter(|(id, _)| side_store.contains(id)).map(|(id, sa)| (id, sa.info.current.add_time)),
            );
            ControlFlow::Continue(())
        })?;
        let tidied = self.side_store.retain(sa_type, |id, added| add_times.get(id) == Some(&added));
        self.warn_on_error(tidied);
        Ok(add_times)
    }
}

/// A message of the dump. Its pair is left out unless both entries name each other.
fn describe_listed(
    side_store: &SideStore,
    id: &SaId,
    sa: LiveSa,
    origin: MessageOrigin,
    add_times: &HashMap<SaId, u64>,
) -> Message {
    let mut entry = side_store.get_cached(id, sa.info.current.add_time).cloned();
    if let Some(entry) = &mut entry {
        let is_mutual = entry.pair.and_then(|spi| opposite(id, &sa.info, spi)).and_then(|peer| {
            let peer = side_store.get_cached(&peer, *add_times.get(&peer)?)?;
            (peer.pair == Some(id.spi)).then_some(())
        });
        entry.pair = entry.pair.filter(|_| is_mutual.is_some());
    }
    decode::decode_sa(MessageType::DUMP, origin, &sa.info, sa.attributes, None, entry.as_ref())
}

/// Whether this is a larval AH or ESP SA that waits for a key manager (ACQUIRE).
fn is_without_spi(message: &NetlinkMessage) -> bool {
    matches!(&message.body, Body::Sa(info, _) if info.spi == 0 && LISTED.contains(&type_of(info.proto)))
}

/// Whether this is an SA that is neither AH nor ESP: IPComp, or route optimization of Mobile IPv6.
fn is_of_other_type(message: &NetlinkMessage) -> bool {
    matches!(&message.body, Body::Sa(info, _) if info.spi != 0 && !LISTED.contains(&type_of(info.proto)))
}

/// An AH or ESP SA of a dump. Skips IPComp, and larval entries without an SPI that wait for a key manager (ACQUIRE).
fn listed_sa(message: NetlinkMessage) -> Option<(SaId, LiveSa)> {
    let (byte_len, seq) = (message.byte_len, message.header.seq);
    let Body::Sa(info, attributes) = message.body else { return None };
    let sa_type = type_of(info.proto);
    if info.spi == 0 || !LISTED.contains(&sa_type) {
        return None;
    }
    let dst = info.dst.ip(info.family)?;
    let id = SaId { sa_type, spi: Spi(info.spi), dst, mark: decode::find_mark(&attributes) };
    Some((id, LiveSa { info: *info, attributes, byte_len, seq }))
}
