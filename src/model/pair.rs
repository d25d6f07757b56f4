//! Pairs: an inbound and an outbound SA of the same two addresses that live and die together (illumos `sadb.c`,
//! `update_pairing`).

use crate::model::refusal::{Checked, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Settings;
use crate::model::table::{Database, Slot};
use crate::sa::{Diagnostic, SaState, Spi};

/// Pairs the SA in `slot` with the SA of that SPI in the other table, between the same addresses.
///
/// An SA that is paired with that SA already stays so.
pub(crate) fn link(database: &mut Database, slot: Slot, spi: Spi, settings: &Settings) -> Checked {
    let Some(entry) = database.get(slot) else { return Ok(()) };
    let own = entry.spi;
    refuse_if(spi.0 == 0 || spi == own || entry.is_both_ways() || entry.has_twin, d::PAIR_INAPPROPRIATE)?;
    let mate = database.mate(slot, spi).ok_or(Refusal::invalid(d::PAIR_INAPPROPRIATE))?;
    if let Some(diagnostic) = unsuitable(database, slot, mate) {
        return fail(database, slot, diagnostic, settings);
    }
    release_partner(database, slot);
    if let Some(entry) = database.get_mut(slot) {
        entry.pair_with(spi);
    }
    if let Some(mate) = database.get_mut(mate) {
        mate.pair_with(own);
    }
    Ok(())
}

/// Why the SA in `mate` cannot be paired with the one in `slot`.
fn unsuitable(database: &Database, slot: Slot, mate: Slot) -> Option<Diagnostic> {
    let entry = database.get(mate)?;
    if matches!(entry.state, SaState::DEAD | SaState::DYING) || entry.is_both_ways() || entry.has_twin {
        return Some(d::PAIR_INAPPROPRIATE);
    }
    database.partner(mate).is_some_and(|partner| partner != slot).then_some(d::PAIR_ALREADY)
}

/// The man page has the command fail; the kernel undoes the link and says nothing.
fn fail(database: &mut Database, slot: Slot, diagnostic: Diagnostic, settings: &Settings) -> Checked {
    if !settings.pair_failures_are_silent {
        return Err(Refusal::invalid(diagnostic));
    }
    if let Some(entry) = database.get_mut(slot) {
        entry.unpair();
    }
    Ok(())
}

/// The SA that the one in `slot` is paired with, if any, is paired no longer.
pub(crate) fn release_partner(database: &mut Database, slot: Slot) {
    if let Some(partner) = database.partner(slot).and_then(|partner| database.get_mut(partner)) {
        partner.unpair();
    }
}
