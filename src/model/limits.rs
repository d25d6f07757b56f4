//! Lifetimes in an UPDATE of an SA that is not larval (illumos `sadb.c`, `sadb_update_lifetimes`).

use crate::model::add;
use crate::model::checks::Lifetimes;
use crate::model::stored_sa::{StoredSa, Timestamp, shortened};
use crate::sa::{Flags, Lifetime, SaState};

/// Whether the soft addtime is reduced: that of the SA in the message is, that of its partner is not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fuzz {
    Yes,
    No,
}

/// Applies the values that are not zero, so that a limit cannot be removed.
pub(crate) fn update(entry: &mut StoredSa, limits: &Lifetimes, fuzz: Fuzz, now: Timestamp) {
    // HARD first, because SOFT is limited to the hard values.
    if let Some(hard) = limits.hard {
        set_hard(entry, &hard);
    }
    if let Some(soft) = limits.soft {
        set_soft(entry, &soft);
        // Again with each SOFT extension, whatever the direction of the SA.
        if fuzz == Fuzz::Yes && entry.soft_expires != 0 && entry.state == SaState::MATURE {
            add::fuzz(entry);
        }
    }
    if let Some(idle) = limits.idle {
        set_idle(entry, &idle, now);
    }
}

/// 0 means no change.
pub(crate) fn set_if_given<T: Default + PartialEq>(to: &mut T, from: T) {
    if from != T::default() {
        *to = from;
    }
}

fn set_hard(entry: &mut StoredSa, hard: &Lifetime) {
    set_if_given(&mut entry.hard.allocations, hard.allocations);
    set_if_given(&mut entry.hard.bytes, hard.bytes);
    set_if_given(&mut entry.hard.addtime, hard.addtime);
    set_if_given(&mut entry.hard.usetime, hard.usetime);
    // Counted from the ADD: an UPDATE does not restart the lifetime.
    if entry.hard.addtime != 0 {
        entry.hard_expires = counted_from_add(entry, entry.hard.addtime);
    }
    if entry.flags.has(Flags::USED) {
        entry.hard_expires = shortened(entry.hard_expires, entry.used, entry.hard.usetime);
    }
}

/// An ADD stops at the largest time. An UPDATE wraps around, to a time that has passed.
fn counted_from_add(entry: &StoredSa, addtime: u64) -> Timestamp {
    entry.added.wrapping_add(addtime.cast_signed())
}

/// Reduces soft limits to the hard ones. Without a hard limit (0) the soft one becomes 0 and is ignored.
fn set_soft(entry: &mut StoredSa, soft: &Lifetime) {
    set_if_given(&mut entry.soft.allocations, soft.allocations);
    if soft.bytes != 0 {
        entry.soft.bytes = soft.bytes.min(entry.hard.bytes);
    }
    if soft.usetime != 0 {
        entry.soft.usetime = soft.usetime.min(entry.hard.usetime);
    }
    // The kernel compares a number of seconds with the time of the hard expiry, which is larger unless it is 0.
    if soft.addtime > entry.hard_expires.cast_unsigned() {
        entry.soft_expires = entry.hard_expires;
    } else {
        set_if_given(&mut entry.soft.addtime, soft.addtime);
    }
    if entry.soft.addtime != 0 {
        entry.soft_expires = counted_from_add(entry, entry.soft.addtime);
    }
    if entry.flags.has(Flags::USED) {
        entry.soft_expires = shortened(entry.soft_expires, entry.used, entry.soft.usetime);
    }
}

/// The idle period is the addtime of the message, or the idle usetime if that is shorter.
fn set_idle(entry: &mut StoredSa, idle: &Lifetime, now: Timestamp) {
    if entry.idle_expires <= now && entry.idle.addtime == idle.addtime {
        entry.idle_expires = now.wrapping_add(entry.idle.addtime.cast_signed());
    }
    set_if_given(&mut entry.idle.addtime, idle.addtime);
    set_if_given(&mut entry.idle.usetime, idle.usetime);
    if entry.idle.addtime != 0 {
        // Of the message: 0 there ends the idle lifetime.
        entry.idle_period = idle.addtime.cast_signed();
        entry.restart_idle(now);
    }
    if entry.idle.usetime != 0 {
        let usetime = entry.idle.usetime.cast_signed();
        entry.idle_period = if entry.idle_period == 0 { usetime } else { entry.idle_period.min(usetime) };
        entry.restart_idle(now);
    }
}
