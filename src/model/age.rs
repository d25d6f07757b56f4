//! Expiry by time and by use (illumos `sadb.c`, `sadb_ager`, `sadb_age_assoc`, `age_pair_peer_list`, `sadb_age_bytes`, `sadb_set_usetime`).

use crate::model::describe;
use crate::model::settings::{Seconds, Settings};
#[cfg(test)]
use crate::model::stored_sa::shortened;
use crate::model::stored_sa::{StoredSa, Timestamp, after, timestamp};
use crate::model::table::{Database, Slot, TableDirection};
#[cfg(test)]
use crate::sa::Flags;
use crate::sa::{Message, SaState, Spi};

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

fn ager_action(entry: &StoredSa, now: Timestamp) -> AgerAction {
    // 0 is no limit, not a time in the past.
    let is_due = |time: Timestamp| time != 0 && time <= now;
    // sadb_age_assoc tests hard before soft before idle.
    match entry.state {
        // An IDLE SA without a hard expiry is removed too: the kernel's condition lacks parentheses.
        SaState::LARVAL | SaState::IDLE if entry.hard_expires <= now => AgerAction::Remove,
        SaState::DEAD | SaState::ACTIVE_ELSEWHERE if is_due(entry.hard_expires) => AgerAction::Remove,
        SaState::MATURE | SaState::DYING if is_due(entry.hard_expires) => AgerAction::ExpireHard,
        SaState::MATURE if is_due(entry.soft_expires) => AgerAction::ExpireSoft,
        _ if entry.idle_period == 0 || entry.idle_expires > now => AgerAction::Keep,
        // The state does not change, so every pass reports it again until the SA is used or updated.
        SaState::MATURE => AgerAction::ReportIdle,
        SaState::ACTIVE_ELSEWHERE => AgerAction::SetIdle,
        _ => AgerAction::Keep,
    }
}

/// Runs one pass over a database and returns its EXPIRE messages.
pub(crate) fn age(database: &mut Database, settings: &Settings, now: Seconds) -> Vec<Message> {
    let now = timestamp(now);
    let reaped = after(now, settings.reap_delay);
    let mut expired = Vec::new();
    // sadb_ager visits IPv4 before IPv6, inbound before outbound.
    for is_ipv6 in [false, true] {
        for direction in [TableDirection::Inbound, TableDirection::Outbound] {
            let due = database.slots(is_ipv6, direction).filter(|(_, entry)| ager_action(entry, now) != AgerAction::Keep);
            // Collected first, because expiring an SA changes the tables.
            let due: Vec<Slot> = due.map(|(slot, _)| slot).collect();
            let mut linked: Vec<Slot> = due
                .into_iter()
                .filter(|slot| age_one(database, *slot, now, reaped, &mut expired) == Link::Partner)
                .collect();
            // The kernel's list has the last one first.
            linked.reverse();
            linked.into_iter().for_each(|slot| expire_partner(database, slot));
        }
    }
    expired
}

/// Whether the expiry of an SA concerns its partner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    None,
    Partner,
}

fn age_one(database: &mut Database, slot: Slot, now: Timestamp, reaped: Timestamp, expired: &mut Vec<Message>) -> Link {
    let sa_type = database.sa_type;
    let Some(entry) = database.get_mut(slot) else { return Link::None };
    let is_linked = match ager_action(entry, now) {
        AgerAction::Keep => return Link::None,
        AgerAction::Remove => {
            database.take(slot);
            return Link::None;
        }
        AgerAction::SetIdle => {
            entry.state = SaState::IDLE;
            return Link::None;
        }
        AgerAction::ReportIdle => false,
        AgerAction::ExpireSoft => {
            entry.state = SaState::DYING;
            // Paired SAs may soft-expire at different times.
            entry.has_copy
        }
        AgerAction::ExpireHard => {
            entry.state = SaState::DEAD;
            entry.hard_expires = reaped;
            entry.has_copy || entry.pair != Spi(0)
        }
    };
    expired.push(describe::expire_message(entry, sa_type));
    if is_linked { Link::Partner } else { Link::None }
}

/// Takes the partner of an SA that has expired along (`age_pair_peer_list`). It is called after the walk through a table, so
/// that an outbound partner is aged in the same pass and an inbound one in the next.
fn expire_partner(database: &mut Database, slot: Slot) {
    let Some((state, has_copy, pair)) = database.get(slot).map(|entry| (entry.state, entry.has_copy, entry.pair)) else {
        return;
    };
    let partner = if has_copy { database.copy_of(slot) } else { database.find_peer(slot, pair) };
    let Some(partner) = partner else { return };
    if !has_copy && let Some(entry) = database.get_mut(slot) {
        entry.unpair();
    }
    let Some(partner) = database.get_mut(partner) else { return };
    if !has_copy {
        partner.unpair();
    }
    // An outbound paired SA expires with its own message.
    if has_copy || slot.direction == TableDirection::Outbound {
        partner.state = state;
    }
    if state == SaState::DEAD {
        // 1970, long ago.
        partner.hard_expires = 1;
    }
}

/// Accounts `bytes` to an SA. Returns whether the packet is allowed, and the EXPIRE message if a limit is reached.
#[cfg(test)]
pub(crate) fn use_sa(database: &mut Database, slot: Slot, bytes: u64, now: Seconds) -> (bool, Option<Message>) {
    let Some(entry) = database.get_mut(slot) else { return (false, None) };
    if !matches!(entry.state, SaState::MATURE | SaState::DYING) {
        return (false, None);
    }
    let now = timestamp(now);
    set_used(entry, now);
    entry.bytes = entry.bytes.saturating_add(bytes);
    let reaches = |limit: u64| limit != 0 && entry.bytes >= limit;
    let (state, is_allowed) = match entry.state {
        // The packet that reaches the hard limit is refused (sadb_age_bytes).
        _ if reaches(entry.hard.bytes) => (SaState::DEAD, false),
        SaState::MATURE if reaches(entry.soft.bytes) => (SaState::DYING, true),
        _ => return (true, None),
    };
    // esp_age_bytes counts for both copies of an SA in both tables, and sends one message.
    for slot in [Some(slot), database.copy_of(slot)].into_iter().flatten() {
        match database.get_mut(slot) {
            Some(entry) if state == SaState::DEAD => entry.kill(),
            Some(entry) => entry.state = state,
            None => {}
        }
    }
    (is_allowed, database.get(slot).map(|entry| describe::expire_message(entry, database.sa_type)))
}

/// The first use starts the usetime lifetimes; every use restarts the idle lifetime.
#[cfg(test)]
fn set_used(entry: &mut StoredSa, now: Timestamp) {
    entry.last_used = now;
    entry.restart_idle(now);
    if entry.used != 0 {
        return;
    }
    entry.used = now;
    entry.flags |= Flags::USED;
    entry.hard_expires = shortened(entry.hard_expires, now, entry.hard.usetime);
    entry.soft_expires = shortened(entry.soft_expires, now, entry.soft.usetime);
}
