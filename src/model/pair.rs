//! Pairs: an inbound and an outbound SA between the same two addresses that expire together (illumos `sadb.c`,
//! `update_pairing`).

use crate::model::refusal::{Checked, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Settings;
use crate::model::table::{Database, Slot};
use crate::sa::{DiagnosticCode, SaState, Spi};

/// Pairs the SA in `slot` with the SA with that SPI in the other table, between the same addresses.
///
/// If the two are paired already, nothing changes.
pub(crate) fn pair_sas(database: &mut Database, slot: Slot, spi: Spi, settings: &Settings) -> Checked {
    let Some(entry) = database.get(slot) else { return Ok(()) };
    let own = entry.spi;
    // `has_copy` too: an SA between two local addresses is in both tables, but marked INBOUND only.
    refuse_if(spi.0 == 0 || spi == own || entry.is_bidirectional() || entry.has_copy, d::PAIR_INAPPROPRIATE)?;
    let peer = database.find_peer(slot, spi).ok_or(Refusal::invalid(d::PAIR_INAPPROPRIATE))?;
    if let Some(diagnostic) = why_unsuitable(database, slot, peer) {
        return fail(database, slot, diagnostic, settings);
    }
    // The kernel leaves the old peer pointing at this SA.
    unpair_peer(database, slot);
    if let Some(entry) = database.get_mut(slot) {
        entry.pair_with(spi);
    }
    if let Some(peer) = database.get_mut(peer) {
        peer.pair_with(own);
    }
    Ok(())
}

/// The diagnostic if the SA in `peer` cannot be paired with the one in `slot`.
fn why_unsuitable(database: &Database, slot: Slot, peer: Slot) -> Option<DiagnosticCode> {
    let entry = database.get(peer)?;
    if matches!(entry.state, SaState::DEAD | SaState::DYING) || entry.is_bidirectional() || entry.has_copy {
        return Some(d::PAIR_INAPPROPRIATE);
    }
    // Repeating a pairing changes nothing here; the kernel would break it on one side (update_pairing).
    database.peer_sa(peer).is_some_and(|peer| peer != slot).then_some(d::PAIR_ALREADY)
}

/// According to the man page the command fails; the kernel undoes the pairing and reports success.
fn fail(database: &mut Database, slot: Slot, diagnostic: DiagnosticCode, settings: &Settings) -> Checked {
    if !settings.pair_failures_are_silent {
        return Err(Refusal::invalid(diagnostic));
    }
    // The echo shows flags without PAIRED. That is all a client sees of it.
    if let Some(entry) = database.get_mut(slot) {
        entry.unpair();
    }
    Ok(())
}

/// Clears the pairing of the SA that the one in `slot` is paired with.
pub(crate) fn unpair_peer(database: &mut Database, slot: Slot) {
    if let Some(peer) = database.peer_sa(slot).and_then(|peer| database.get_mut(peer)) {
        peer.unpair();
    }
}
