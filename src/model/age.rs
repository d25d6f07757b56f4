//! Time and use: lifetimes run out, larval SAs vanish, dead SAs are removed (illumos `sadb.c`, `sadb_ager`, `sadb_age_assoc`,
//! `sadb_age_bytes`, `sadb_set_usetime`).

use crate::model::describe;
use crate::model::entry::Entry;
#[cfg(test)]
use crate::model::entry::{after, earlier};
use crate::model::settings::{Seconds, Settings};
use crate::model::table::{Database, Direction, Slot};
#[cfg(test)]
use crate::sa::Flags;
use crate::sa::{Message, SaState};

/// What the ager does to an SA in one pass; at most one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Leave,
    /// Silently.
    Remove,
    Hard,
    Soft,
    /// Report that it is idle; nothing else changes.
    Idle,
    /// Cluster: another node's SA is idle here.
    Sleep,
}

fn is_due(moment: Seconds, now: Seconds) -> bool {
    moment != 0 && moment <= now
}

fn verdict(entry: &Entry, now: Seconds) -> Verdict {
    match entry.state {
        SaState::LARVAL | SaState::DEAD | SaState::IDLE | SaState::ACTIVE_ELSEWHERE if is_due(entry.hard_expires, now) => {
            Verdict::Remove
        }
        SaState::MATURE | SaState::DYING if is_due(entry.hard_expires, now) => Verdict::Hard,
        SaState::MATURE if is_due(entry.soft_expires, now) => Verdict::Soft,
        SaState::MATURE if is_due(entry.idle_expires, now) => Verdict::Idle,
        SaState::ACTIVE_ELSEWHERE if is_due(entry.idle_expires, now) => Verdict::Sleep,
        _ => Verdict::Leave,
    }
}

/// One pass over a database; the EXPIRE messages it sends.
pub(crate) fn age(database: &mut Database, settings: &Settings, now: Seconds) -> Vec<Message> {
    let mut expired = Vec::new();
    for is_ipv6 in [false, true] {
        for direction in [Direction::Inbound, Direction::Outbound] {
            let due: Vec<Slot> = database
                .slots(is_ipv6, direction)
                .filter(|(_, entry)| verdict(entry, now) != Verdict::Leave)
                .map(|(slot, _)| slot)
                .collect();
            due.into_iter().for_each(|slot| age_one(database, slot, settings, now, &mut expired));
        }
    }
    expired
}

fn age_one(database: &mut Database, slot: Slot, settings: &Settings, now: Seconds, expired: &mut Vec<Message>) {
    let Some(entry) = database.get_mut(slot) else { return };
    match verdict(entry, now) {
        Verdict::Leave => {}
        Verdict::Remove => database.remove(slot),
        Verdict::Hard => {
            expire(database, slot, SaState::DEAD, now.saturating_add(settings.reap_delay), expired);
            break_pair(database, slot, settings, now);
        }
        Verdict::Soft => expire(database, slot, SaState::DYING, 0, expired),
        Verdict::Idle => expired.extend(message(database, slot)),
        Verdict::Sleep => entry.state = SaState::IDLE,
    }
}

fn message(database: &Database, slot: Slot) -> Option<Message> {
    database.get(slot).map(|entry| describe::expire(entry, database.sa_type))
}

/// Changes the state of an SA and of its copy in the other table; one message for both.
fn expire(database: &mut Database, slot: Slot, state: SaState, due: Seconds, expired: &mut Vec<Message>) {
    for slot in [Some(slot), database.twin(slot)].into_iter().flatten() {
        match database.get_mut(slot) {
            Some(entry) if state == SaState::DEAD => entry.kill(due),
            Some(entry) => entry.state = state,
            None => {}
        }
    }
    expired.extend(message(database, slot));
}

/// The partner of an SA that has died: an inbound one dies in silence, an outbound one expires in the same pass.
fn break_pair(database: &mut Database, slot: Slot, settings: &Settings, now: Seconds) {
    let partner = database.partner(slot);
    if let Some(entry) = database.get_mut(slot) {
        entry.unpair();
    }
    let Some(partner) = partner.and_then(|partner| database.get_mut(partner)) else { return };
    partner.unpair();
    match slot.direction {
        Direction::Outbound => partner.kill(now.saturating_add(settings.reap_delay)),
        Direction::Inbound if partner.state != SaState::DEAD => partner.hard_expires = now.max(1),
        Direction::Inbound => {}
    }
}

/// Protects `bytes` bytes with an SA; whether it may, and the EXPIRE that comes of it.
#[cfg(test)]
pub(crate) fn use_sa(database: &mut Database, slot: Slot, bytes: u64, now: Seconds) -> (bool, Option<Message>) {
    let Some(entry) = database.get_mut(slot) else { return (false, None) };
    if !matches!(entry.state, SaState::MATURE | SaState::DYING) {
        return (false, None);
    }
    set_used(entry, now);
    entry.bytes = entry.bytes.saturating_add(bytes);
    let reaches = |limit: u64| limit != 0 && entry.bytes >= limit;
    let (state, is_allowed) = match entry.state {
        _ if reaches(entry.hard.bytes) => (SaState::DEAD, false),
        SaState::MATURE if reaches(entry.soft.bytes) => (SaState::DYING, true),
        _ => return (true, None),
    };
    let mut expired = Vec::new();
    expire(database, slot, state, now, &mut expired);
    (is_allowed, expired.pop())
}

/// The first use starts the lifetimes that count from it; every use starts the idle clock anew.
#[cfg(test)]
fn set_used(entry: &mut Entry, now: Seconds) {
    entry.last_used = now;
    entry.restart_idle(now);
    if entry.used != 0 {
        return;
    }
    entry.used = now;
    entry.flags |= Flags::USED;
    entry.hard_expires = earlier(entry.hard_expires, after(now, entry.hard.usetime));
    entry.soft_expires = earlier(entry.soft_expires, after(now, entry.soft.usetime));
}
