//! GET, DELETE, X_DELPAIR, X_DELPAIR_STATE (illumos `sadb.c`, `sadb_delget_sa`, `sadb_purge_sa`).

use std::net::IpAddr;

use crate::model::address::MessageAddresses;
use crate::model::describe;
use crate::model::describe::KeyDisplay;
use crate::model::frame::{Frame, ext};
use crate::model::pair;
use crate::model::refusal::{Checked, Refusal, diagnostic as d};
use crate::model::stored_sa::StoredSa;
use crate::model::table::{Database, Slot, TableDirection};
use crate::sa::{Association, Identity, MessageType, SaState};
use crate::secret::Buffer;

/// Looks up an SA by SPI, destination and source; the direction flags select the table to search first.
pub(crate) fn find_sa(
    database: &Database,
    association: &Association,
    destination: IpAddr,
    source: Option<IpAddr>,
) -> Checked<Slot> {
    // A wrong direction flag does not hide an SA, because the other table is searched as well.
    let first = TableDirection::first_searched(association.flags);
    database.find(first, association.spi, destination, source).ok_or(Refusal::not_found(d::SA_NOTFOUND))
}

/// Looks up the SA of a request, which needs a destination and an SA extension.
fn find_requested(database: &Database, frame: &Frame, addresses: &MessageAddresses) -> Checked<Slot> {
    let destination = addresses.destination.ok_or(Refusal::invalid(d::MISSING_DST))?;
    let association = frame.association().ok_or(Refusal::invalid(d::MISSING_SA))?;
    find_sa(database, &association, destination.ip, addresses.source.map(|source| source.ip))
}

/// Describes an SA, keys included.
pub(crate) fn get(database: &Database, frame: &Frame, addresses: &MessageAddresses) -> Checked<Buffer> {
    let slot = find_requested(database, frame, addresses)?;
    let entry = database.get(slot).ok_or(Refusal::not_found(d::SA_NOTFOUND))?;
    describe::encoded(&describe::describe_sa(entry, &frame.header(), KeyDisplay::Shown))
}

/// Removes an SA and, for X_DELPAIR, its paired SA. Without an SA extension it removes all SAs that match.
pub(crate) fn delete(database: &mut Database, frame: &Frame, addresses: &MessageAddresses) -> Checked<Buffer> {
    if !frame.has(ext::SA) {
        return purge(database, frame, addresses);
    }
    let slot = find_requested(database, frame, addresses)?;
    let is_pair = frame.header().kind() == MessageType::DELETE_PAIR;
    let copy = database.copy_of(slot);
    let peer = database.peer_sa(slot);
    let entry = database.get_mut(slot).ok_or(Refusal::not_found(d::SA_NOTFOUND))?;
    // The reply is the description of a dead SA that is still paired.
    entry.state = SaState::DEAD;
    let description = describe::encoded(&describe::describe_sa(entry, &frame.header(), KeyDisplay::Hidden));
    // DELETE leaves the peer, unpaired. X_DELPAIR describes only the SA of the request.
    match peer {
        Some(peer) if is_pair => database.remove(peer),
        _ => pair::unpair_peer(database, slot),
    }
    database.remove(slot);
    // As in the kernel, the SA is gone although the reply is an error.
    if is_pair && peer.is_none() && copy.is_none() {
        return Err(Refusal::not_found(d::PAIR_SA_NOTFOUND));
    }
    description
}

/// The filter of a purge: every field of the message that is present must match.
struct PurgeFilter {
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    source_identity: Option<Identity>,
    destination_identity: Option<Identity>,
    cookie: Option<(u32, u64)>,
}

impl PurgeFilter {
    fn matches(&self, entry: &StoredSa) -> bool {
        let same_identity = |filter: &Option<Identity>, actual: &Option<Identity>| filter.is_none() || filter == actual;
        // Addresses have no wildcards: 0.0.0.0 matches only SAs with an unspecified source.
        entry.state != SaState::LARVAL
            && self.source.is_none_or(|ip| ip == entry.source.ip)
            && self.destination.is_none_or(|ip| ip == entry.destination.ip)
            && same_identity(&self.source_identity, &entry.source_identity)
            && same_identity(&self.destination_identity, &entry.destination_identity)
            // A cookie of 0 on either side matches every cookie (sadb_purge_sa).
            && self.cookie.is_none_or(|(proto, cookie)| {
                entry.cookie.0 == proto && (cookie == 0 || entry.cookie.1 == 0 || cookie == entry.cookie.1)
            })
    }
}

/// Removes every SA that matches all fields of the message.
fn purge(database: &mut Database, frame: &Frame, addresses: &MessageAddresses) -> Checked<Buffer> {
    let source = addresses.source.map(|source| source.ip);
    let destination = addresses.destination.map(|destination| destination.ip);
    // A purge is limited to one address family.
    let is_ipv6 = destination.or(source).ok_or(Refusal::invalid(d::MISSING_SA))?.is_ipv6();
    let query = PurgeFilter {
        source,
        destination,
        source_identity: frame.identity(ext::IDENTITY_SRC),
        destination_identity: frame.identity(ext::IDENTITY_DST),
        cookie: frame.cookie(),
    };
    // The peers of the removed SAs stay PAIRED, with the SPI of an SA that is gone, as in the kernel.
    for direction in [TableDirection::Inbound, TableDirection::Outbound] {
        let slots: Vec<Slot> =
            database.slots(is_ipv6, direction).filter(|(_, entry)| query.matches(entry)).map(|(slot, _)| slot).collect();
        slots.into_iter().for_each(|slot| database.remove(slot));
    }
    // A success even if no SA matched.
    Ok(frame.echo())
}

/// Removes every outbound SA with the state and source of the message, and their paired SAs. Without an SA extension it is
/// a purge.
pub(crate) fn delete_state(database: &mut Database, frame: &Frame, addresses: &MessageAddresses) -> Checked<Buffer> {
    let Some(association) = frame.association() else { return purge(database, frame, addresses) };
    // The kernel never sets the table to search and panics. ipseckey(1M) does not send this message; the model does what the
    // code intends.
    let source = addresses.source.ok_or(Refusal::invalid(d::MISSING_SRC))?.ip;
    let slots: Vec<Slot> = database
        .slots(source.is_ipv6(), TableDirection::Outbound)
        .filter(|(_, entry)| entry.state == association.state && entry.source.ip == source)
        .map(|(slot, _)| slot)
        .collect();
    for slot in slots {
        if let Some(peer) = database.peer_sa(slot) {
            database.remove(peer);
        }
        database.remove(slot);
    }
    Ok(frame.echo())
}
