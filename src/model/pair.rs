//! Pairs: an inbound and an outbound SA between the same two addresses that expire together (illumos `sadb.c`,
//! `get_ipsa_pair` and `update_pairing`).

use std::net::IpAddr;

use crate::model::refusal::{Checked, Refusal, diagnostic as d, refuse_if};
use crate::model::stored_sa::StoredSa;
use crate::model::table::{Database, Slot, TableDirection};
use crate::sa::{Association, Flags, SaState, Spi};

/// How a message names an SA.
pub(crate) struct Query {
    spi: Spi,
    first: TableDirection,
    destination: IpAddr,
    source: Option<IpAddr>,
}

impl Query {
    /// By SPI, destination and source; the direction flags select the table to search first.
    pub(crate) fn new(association: &Association, destination: IpAddr, source: Option<IpAddr>) -> Self {
        Self { spi: association.spi, first: TableDirection::first_searched(association.flags), destination, source }
    }
}

/// An SA and its partner.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) slot: Slot,
    /// The copy in the other table or, of an SA without one, the paired SA.
    pub(crate) partner: Option<Slot>,
}

/// Looks up an SA and its partner.
pub(crate) fn find(database: &Database, query: &Query) -> Checked<Found> {
    // A wrong direction flag does not hide an SA, because the other table is searched as well.
    let slot = database.find(query.first, query.spi, query.destination, query.source);
    let slot = slot.ok_or(Refusal::not_found(d::SA_NOTFOUND))?;
    Ok(Found { slot, partner: partner(database, slot, query) })
}

fn partner(database: &Database, slot: Slot, query: &Query) -> Option<Slot> {
    let entry = database.get(slot)?;
    if entry.state == SaState::LARVAL && slot.direction == TableDirection::Inbound {
        return None;
    }
    if entry.has_copy {
        return database.find_from(slot.direction.other(), query.spi, query.destination, query.source);
    }
    // The flag PAIRED does not matter: a client may set it itself.
    if entry.pair == Spi(0) { None } else { database.find_peer(slot, entry.pair) }
}

/// Pairs the SA in `found` with the SA with that SPI in the other table, between the same addresses.
///
/// If that SA is dead, dying, in both directions or paired already, the first one ends unpaired and the request succeeds.
pub(crate) fn pair_sas(database: &mut Database, found: Found, query: &Query, spi: Spi) -> Checked {
    refuse_if(spi == Spi(0) || spi == query.spi, d::PAIR_INAPPROPRIATE)?;
    // Before the look-up, which needs the SPI. The SA that it was paired with still points at it afterwards.
    if let Some(entry) = database.get_mut(found.slot) {
        entry.pair_with(spi);
    }
    // Of an SA in both tables, this is its own copy.
    let partner = find(database, query)?.partner;
    match partner.and_then(|slot| database.get_mut(slot)) {
        Some(peer) if is_suitable(peer) => {
            peer.pair_with(query.spi);
            Ok(())
        }
        peer => {
            let is_missing = peer.is_none();
            if let Some(entry) = database.get_mut(found.slot) {
                entry.unpair();
            }
            // A silent failure if there is one (update_pairing returns 0): the reply shows flags without PAIRED.
            refuse_if(is_missing, d::PAIR_INAPPROPRIATE)
        }
    }
}

fn is_suitable(peer: &StoredSa) -> bool {
    !matches!(peer.state, SaState::DEAD | SaState::DYING) && !peer.is_bidirectional() && !peer.flags.has(Flags::PAIRED)
}
