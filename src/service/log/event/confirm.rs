//! Events of `start --confirm` and its rollback.

use std::fmt;
use std::io;

use super::Event;
use crate::redact::without_hex_runs;
use crate::sa::SaId;
use crate::service::log::catalogue::Entry;

const NOT_CONFIRMED: Entry = Entry {
    id: "9d2b5248990845cfa2432bb6600e93fe",
    subject: "A load was rolled back, since it was not confirmed",
    documentation: "man:manual-key(8)",
    text: "manual-key start --confirm restores the SAs and policies of before, unless the\n\
           administrator confirms the load in time. Lifetimes in seconds begin again.",
};

pub(crate) fn not_confirmed() -> Event {
    Event::error("not confirmed: the SAs and policies of before are restored").entry(&NOT_CONFIRMED)
}

pub(crate) fn confirmed() -> Event {
    Event::info("confirmed: the new SAs and policies are kept")
}

/// An SA that a rollback could not add again.
pub(crate) fn cannot_roll_back(id: &SaId) -> Event {
    Event::error(format!(
        "--confirm: {id} could not be restored by a rollback, so nothing is changed; load without --confirm"
    ))
}

pub(crate) fn rollback_failed(error: &dyn fmt::Display) -> Event {
    Event::error(format!("the rollback failed: {}; to compare: manual-key status", without_hex_runs(&error.to_string())))
}

/// The process that rolls back cannot be started.
pub(crate) fn no_guard(error: &io::Error) -> Event {
    Event::error(format!("--confirm: the process that rolls back cannot be started: {error}; nothing is changed"))
}

/// The entries of this file, for the catalogue.
#[cfg(test)]
pub(in crate::service::log) const ENTRIES: &[&Entry] = &[&NOT_CONFIRMED];
