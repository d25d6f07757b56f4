//! GET, DELETE, X_DELPAIR, X_DELPAIR_STATE (illumos `sadb.c`, `sadb_delget_sa`, `sadb_purge_sa`).

use std::net::IpAddr;

use crate::model::address::MessageAddresses;
use crate::model::describe;
use crate::model::describe::KeyDisplay;
use crate::model::frame::{Frame, ext};
use crate::model::pair;
use crate::model::pair::{Found, Query};
use crate::model::refusal::{Checked, Refusal, diagnostic as d};
use crate::model::stored_sa::StoredSa;
use crate::model::table::{Database, Slot, TableDirection};
use crate::sa::{Identity, MessageType, SaState};
use crate::secret::Buffer;

/// Looks up the SA of a request, which needs a destination and an SA extension.
fn find_requested(database: &Database, frame: &Frame, addresses: &MessageAddresses) -> Checked<Found> {
    let destination = addresses.destination.ok_or(Refusal::invalid(d::MISSING_DST))?;
    let association = frame.association().ok_or(Refusal::invalid(d::MISSING_SA))?;
    pair::find(database, &Query::new(&association, destination.ip, addresses.source.map(|source| source.ip)))
}

/// Describes an SA, keys included.
pub(crate) fn get(database: &Database, frame: &Frame, addresses: &MessageAddresses) -> Checked<Buffer> {
    let slot = find_requested(database, frame, addresses)?.slot;
    let entry = database.get(slot).ok_or(Refusal::not_found(d::SA_NOTFOUND))?;
    describe::encoded(&describe::describe_sa(entry, &frame.header(), KeyDisplay::Shown))
}

/// Removes an SA and, for X_DELPAIR, its partner. Without an SA extension it removes all SAs that match.
pub(crate) fn delete(database: &mut Database, frame: &mut Frame, addresses: &MessageAddresses) -> Checked<Buffer> {
    if !frame.has(ext::SA) {
        return purge(database, frame, addresses);
    }
    let found = find_requested(database, frame, addresses)?;
    let is_pair = frame.header().kind() == MessageType::DELETE_PAIR;
    let mut entry = database.take(found.slot).ok_or(Refusal::not_found(d::SA_NOTFOUND))?;
    // The reply is the description of a dead SA that is still paired. X_DELPAIR describes only the SA of the request.
    entry.state = SaState::DEAD;
    match found.partner.and_then(|slot| Some((slot, database.get_mut(slot)?))) {
        Some((slot, partner)) if is_pair || partner.has_copy => drop(database.take(slot)),
        // Without a look at which SA it was paired with.
        Some((_, partner)) => partner.unpair(),
        // As in the kernel, the SA is gone although the reply is an error.
        None if is_pair => return Err(Refusal::not_found(d::PAIR_SA_NOTFOUND)),
        None => {}
    }
    describe::encoded(&describe::describe_sa(&entry, &frame.header(), KeyDisplay::Hidden))
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
            && self.source.is_none_or(|ip| ip == entry.source)
            && self.destination.is_none_or(|ip| ip == entry.destination)
            && same_identity(&self.source_identity, &entry.source_identity)
            && same_identity(&self.destination_identity, &entry.destination_identity)
            // A protocol or cookie of 0 on either side matches all (sadb_match_kmc).
            && self.cookie.is_none_or(|(proto, cookie)| {
                (proto == 0 || entry.cookie.0 == 0 || proto == entry.cookie.0)
                    && (cookie == 0 || entry.cookie.1 == 0 || cookie == entry.cookie.1)
            })
    }
}

/// Removes every SA that matches all fields of the message.
fn purge(database: &mut Database, frame: &mut Frame, addresses: &MessageAddresses) -> Checked<Buffer> {
    let source = addresses.source.map(|source| source.ip);
    let destination = addresses.destination.map(|destination| destination.ip);
    // A purge is limited to one address family.
    let is_ipv6 = destination.or(source).ok_or(Refusal::invalid(d::MISSING_SA))?.is_ipv6();
    frame.truncate_cookie();
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
        slots.into_iter().for_each(|slot| drop(database.take(slot)));
    }
    // A success even if no SA matched.
    Ok(frame.echo())
}

/// Removes every outbound SA with the state and source of the message, and their paired SAs. Without an SA extension it is
/// a purge.
pub(crate) fn delete_state(database: &mut Database, frame: &mut Frame, addresses: &MessageAddresses) -> Checked<Buffer> {
    let Some(association) = frame.association() else { return purge(database, frame, addresses) };
    // The kernel never sets the table to search and panics. ipseckey(1M) does not send this message; the model does what the
    // code intends.
    let source = addresses.source.ok_or(Refusal::invalid(d::MISSING_SRC))?.ip;
    let slots: Vec<Slot> = database
        .slots(source.is_ipv6(), TableDirection::Outbound)
        .filter(|(_, entry)| entry.state == association.state && entry.source == source)
        .map(|(slot, _)| slot)
        .collect();
    for slot in slots {
        let Some(entry) = database.take(slot) else { continue };
        let partner = if entry.has_copy {
            database.find_in(TableDirection::Inbound, entry.spi, entry.destination)
        } else {
            database.find_from(TableDirection::Inbound, entry.pair, entry.source, Some(entry.destination))
        };
        partner.map(|partner| database.take(partner));
    }
    Ok(frame.echo())
}
