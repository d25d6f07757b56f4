//! GET, DELETE, X_DELPAIR, X_DELPAIR_STATE (illumos `sadb.c`, `sadb_delget_sa`, `sadb_purge_sa`).

use std::net::IpAddr;

use crate::model::address::Addresses;
use crate::model::describe;
use crate::model::describe::Keys;
use crate::model::entry::Entry;
use crate::model::frame::{Frame, ext};
use crate::model::pair;
use crate::model::refusal::{Checked, Refusal, diagnostic as d};
use crate::model::table::{Database, Direction, Slot};
use crate::sa::{Association, Identity, MessageType, SaState};
use crate::secret::Buffer;

/// The SA that a message names.
pub(crate) fn named(
    database: &Database,
    association: &Association,
    destination: IpAddr,
    source: Option<IpAddr>,
) -> Checked<Slot> {
    let first = Direction::hinted(association.flags);
    database.find(first, association.spi, destination, source).ok_or(Refusal::not_found(d::SA_NOTFOUND))
}

/// Destination, then SA must be there; the SA they name.
fn find(database: &Database, frame: &Frame, addresses: &Addresses) -> Checked<Slot> {
    let destination = addresses.destination.ok_or(Refusal::invalid(d::MISSING_DST))?;
    let association = frame.association().ok_or(Refusal::invalid(d::MISSING_SA))?;
    named(database, &association, destination.ip, addresses.source.map(|source| source.ip))
}

/// Describes an SA, keys included.
pub(crate) fn get(database: &Database, frame: &Frame, addresses: &Addresses) -> Checked<Buffer> {
    let slot = find(database, frame, addresses)?;
    let entry = database.get(slot).ok_or(Refusal::not_found(d::SA_NOTFOUND))?;
    describe::encoded(&describe::full(entry, &frame.header(), Keys::Shown))
}

/// Removes an SA, for X_DELPAIR also the one paired with it; without an SA extension, all that match.
pub(crate) fn delete(database: &mut Database, frame: &Frame, addresses: &Addresses) -> Checked<Buffer> {
    if !frame.has(ext::SA) {
        return purge(database, frame, addresses);
    }
    let slot = find(database, frame, addresses)?;
    let is_pair = frame.header().kind() == MessageType::DELETE_PAIR;
    let twin = database.twin(slot);
    let partner = database.partner(slot);
    let entry = database.get_mut(slot).ok_or(Refusal::not_found(d::SA_NOTFOUND))?;
    entry.state = SaState::DEAD;
    let description = describe::encoded(&describe::full(entry, &frame.header(), Keys::Hidden));
    match partner {
        Some(partner) if is_pair => database.remove(partner),
        _ => pair::release_partner(database, slot),
    }
    database.remove(slot);
    if is_pair && partner.is_none() && twin.is_none() {
        return Err(Refusal::not_found(d::PAIR_SA_NOTFOUND));
    }
    description
}

/// What a purge looks for: all that the message gives must be the SA's.
struct Query {
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    source_identity: Option<Identity>,
    destination_identity: Option<Identity>,
    cookie: Option<(u32, u64)>,
}

impl Query {
    fn matches(&self, entry: &Entry) -> bool {
        let same_identity = |wanted: &Option<Identity>, has: &Option<Identity>| wanted.is_none() || wanted == has;
        entry.state != SaState::LARVAL
            && self.source.is_none_or(|ip| ip == entry.source.ip)
            && self.destination.is_none_or(|ip| ip == entry.destination.ip)
            && same_identity(&self.source_identity, &entry.source_identity)
            && same_identity(&self.destination_identity, &entry.destination_identity)
            && self.cookie.is_none_or(|(proto, cookie)| {
                entry.cookie.0 == proto && (cookie == 0 || entry.cookie.1 == 0 || cookie == entry.cookie.1)
            })
    }
}

/// Removes every SA that matches all of what the message gives.
fn purge(database: &mut Database, frame: &Frame, addresses: &Addresses) -> Checked<Buffer> {
    let source = addresses.source.map(|source| source.ip);
    let destination = addresses.destination.map(|destination| destination.ip);
    let is_ipv6 = destination.or(source).ok_or(Refusal::invalid(d::MISSING_SA))?.is_ipv6();
    let query = Query {
        source,
        destination,
        source_identity: frame.identity(ext::IDENTITY_SRC),
        destination_identity: frame.identity(ext::IDENTITY_DST),
        cookie: frame.cookie(),
    };
    for direction in [Direction::Inbound, Direction::Outbound] {
        let slots: Vec<Slot> =
            database.slots(is_ipv6, direction).filter(|(_, entry)| query.matches(entry)).map(|(slot, _)| slot).collect();
        slots.into_iter().for_each(|slot| database.remove(slot));
    }
    Ok(frame.echo())
}

/// Removes every outbound SA in the state and from the source that the message gives, with the SAs paired with them;
/// without an SA extension, a purge.
pub(crate) fn delete_state(database: &mut Database, frame: &Frame, addresses: &Addresses) -> Checked<Buffer> {
    let Some(association) = frame.association() else { return purge(database, frame, addresses) };
    let source = addresses.source.ok_or(Refusal::invalid(d::MISSING_SRC))?.ip;
    let slots: Vec<Slot> = database
        .slots(source.is_ipv6(), Direction::Outbound)
        .filter(|(_, entry)| entry.state == association.state && entry.source.ip == source)
        .map(|(slot, _)| slot)
        .collect();
    for slot in slots {
        if let Some(partner) = database.partner(slot) {
            database.remove(partner);
        }
        database.remove(slot);
    }
    Ok(frame.echo())
}
