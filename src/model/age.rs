//! Expiry by time and by use (illumos `sadb.c`, `sadb_ager`, `sadb_age_assoc`, `sadb_age_bytes`, `sadb_set_usetime`).

use crate::model::describe;
use crate::model::settings::{Seconds, Settings};
use crate::model::stored_sa::StoredSa;
#[cfg(test)]
use crate::model::stored_sa::{after, earlier};
use crate::model::table::{Database, Slot, TableDirection};
#[cfg(test)]
use crate::sa::Flags;
use crate::sa::{Message, SaState};

/// What the ager does with an SA in one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AgerAction {
    Keep,
    /// Without an EXPIRE message.
    Remove,
    ExpireHard,
    ExpireSoft,
    /// Send EXPIRE for the idle lifetime; the state does not change.
    ReportIdle,
    /// Solaris Cluster: an SA that is active on another node becomes IDLE here.
    SetIdle,
}

fn is_due(time: Seconds, now: Seconds) -> bool {
    // 0 is no limit, not a time in the past.
    time != 0 && time <= now
}

fn ager_action(entry: &StoredSa, now: Seconds) -> AgerAction {
    // sadb_age_assoc tests hard before soft before idle.
    match entry.state {
        SaState::LARVAL | SaState::DEAD | SaState::IDLE | SaState::ACTIVE_ELSEWHERE if is_due(entry.hard_expires, now) => {
            AgerAction::Remove
        }
        SaState::MATURE | SaState::DYING if is_due(entry.hard_expires, now) => AgerAction::ExpireHard,
        SaState::MATURE if is_due(entry.soft_expires, now) => AgerAction::ExpireSoft,
        // The state does not change, so every pass reports it again until the SA is used or updated.
        SaState::MATURE if is_due(entry.idle_expires, now) => AgerAction::ReportIdle,
        SaState::ACTIVE_ELSEWHERE if is_due(entry.idle_expires, now) => AgerAction::SetIdle,
        _ => AgerAction::Keep,
    }
}

/// Runs one pass over a database and returns its EXPIRE messages.
pub(crate) fn age(database: &mut Database, settings: &Settings, now: Seconds) -> Vec<Message> {
    let mut expired = Vec::new();
    // sadb_ager visits IPv4 before IPv6, inbound before outbound.
    for is_ipv6 in [false, true] {
        for direction in [TableDirection::Inbound, TableDirection::Outbound] {
            // Collected first, because expiring an SA changes the tables.
            let due: Vec<Slot> = database
                .slots(is_ipv6, direction)
                .filter(|(_, entry)| ager_action(entry, now) != AgerAction::Keep)
                .map(|(slot, _)| slot)
                .collect();
            due.into_iter().for_each(|slot| age_one(database, slot, settings, now, &mut expired));
        }
    }
    expired
}

fn age_one(database: &mut Database, slot: Slot, settings: &Settings, now: Seconds, expired: &mut Vec<Message>) {
    let Some(entry) = database.get_mut(slot) else { return };
    match ager_action(entry, now) {
        AgerAction::Keep => {}
        AgerAction::Remove => database.remove(slot),
        AgerAction::ExpireHard => {
            expire(database, slot, SaState::DEAD, now.saturating_add(settings.reap_delay), expired);
            break_pair(database, slot, settings, now);
        }
        AgerAction::ExpireSoft => expire(database, slot, SaState::DYING, 0, expired),
        AgerAction::ReportIdle => expired.extend(message(database, slot)),
        AgerAction::SetIdle => entry.state = SaState::IDLE,
    }
}

fn message(database: &Database, slot: Slot) -> Option<Message> {
    database.get(slot).map(|entry| describe::expire_message(entry, database.sa_type))
}

/// Changes the state of an SA and of its copy in the other table, and sends one message for both.
fn expire(database: &mut Database, slot: Slot, state: SaState, due: Seconds, expired: &mut Vec<Message>) {
    for slot in [Some(slot), database.copy_of(slot)].into_iter().flatten() {
        match database.get_mut(slot) {
            Some(entry) if state == SaState::DEAD => entry.kill(due),
            Some(entry) => entry.state = state,
            None => {}
        }
    }
    expired.extend(message(database, slot));
}

/// Ends the pair of an SA that has expired: an inbound peer becomes DEAD without a message, an outbound one expires in the
/// same pass (`age_pair_peer_list`).
fn break_pair(database: &mut Database, slot: Slot, settings: &Settings, now: Seconds) {
    let peer = database.peer_sa(slot);
    if let Some(entry) = database.get_mut(slot) {
        entry.unpair();
    }
    let Some(peer) = peer.and_then(|peer| database.get_mut(peer)) else { return };
    peer.unpair();
    match slot.direction {
        TableDirection::Outbound => peer.kill(now.saturating_add(settings.reap_delay)),
        // The outbound tables are visited after the inbound ones, in this pass.
        TableDirection::Inbound if peer.state != SaState::DEAD => peer.hard_expires = now.max(1),
        TableDirection::Inbound => {}
    }
}

/// Accounts `bytes` to an SA. Returns whether the packet is allowed, and the EXPIRE message if a limit is reached.
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
        // The packet that reaches the hard limit is refused (sadb_age_bytes).
        _ if reaches(entry.hard.bytes) => (SaState::DEAD, false),
        SaState::MATURE if reaches(entry.soft.bytes) => (SaState::DYING, true),
        _ => return (true, None),
    };
    let mut expired = Vec::new();
    expire(database, slot, state, now, &mut expired);
    (is_allowed, expired.pop())
}

/// The first use starts the usetime lifetimes; every use restarts the idle lifetime.
#[cfg(test)]
fn set_used(entry: &mut StoredSa, now: Seconds) {
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
