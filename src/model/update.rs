//! UPDATE and X_UPDATEPAIR (illumos `sadb.c`, `sadb_update_sa`).

use crate::model::Context;
use crate::model::add;
use crate::model::address::{Addresses, Class};
use crate::model::checks;
use crate::model::checks::{Limits, Purpose};
use crate::model::delete::named;
use crate::model::entry::{Entry, after, earlier};
use crate::model::frame::{Frame, ext};
use crate::model::pair;
use crate::model::refusal::{Checked, Errno, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Seconds;
use crate::model::table::{Database, Direction, Slot};
use crate::sa::{Association, Lifetime, MessageType, SaState};

/// Key management protocol IKEv2, which may change its cookies.
const KMP_IKEV2: u32 = 3;

/// Changes an SA, for X_UPDATEPAIR also the one paired with it; completes a larval one.
pub(crate) fn update(
    database: &mut Database,
    frame: &mut Frame,
    addresses: &Addresses,
    context: &mut Context<'_>,
) -> Checked {
    let destination = addresses.destination.ok_or(Refusal::invalid(d::MISSING_DST))?;
    let source = addresses.source.ok_or(Refusal::invalid(d::MISSING_SRC))?;
    let association = frame.association().ok_or(Refusal::invalid(d::MISSING_SA))?;
    let slot = named(database, &association, destination.ip, Some(source.ip))?;
    let is_pair = frame.header().kind() == MessageType::UPDATE_PAIR;
    if database.get(slot).is_some_and(|entry| entry.state == SaState::LARVAL) {
        let larval = (!is_pair && slot.direction == Direction::Inbound).then_some(slot);
        return add::add(database, frame, addresses, larval, context);
    }
    let mut change = Change { slot, other: database.partner(slot).or_else(|| database.twin(slot)), association };
    change.check(database, frame)?;
    if association.state == SaState::ACTIVE {
        return Ok(());
    }
    change.apply(database, frame, is_pair, context)?;
    if let Some(spi) = frame.pair() {
        pair::link(database, slot, spi, context.settings)?;
        change.other = database.partner(slot);
    }
    refuse_lonely(is_pair && change.other.is_none())
}

fn refuse_lonely(is_lonely: bool) -> Checked {
    if is_lonely { Err(Refusal::not_found(d::PAIR_SA_NOTFOUND)) } else { Ok(()) }
}

/// An UPDATE of an SA that is not larval.
struct Change {
    slot: Slot,
    /// The SA it is paired with, or its copy in the other table.
    other: Option<Slot>,
    association: Association,
}

impl Change {
    fn check(&self, database: &mut Database, frame: &Frame) -> Checked {
        refuse_if(frame.has(ext::KEY_AUTH), d::AKEY_PRESENT)?;
        refuse_if(frame.has(ext::KEY_ENCRYPT), d::EKEY_PRESENT)?;
        if self.change_state(database)? == Done::Yes {
            return Ok(());
        }
        checks::flags(database.sa_type, self.association.flags, Purpose::Update)?;
        if frame.has(ext::LIFETIME_CURRENT) {
            return Err(Refusal::not_supported(d::MISSING_LIFETIME));
        }
        Limits::of(frame).check()?;
        checks::labels(frame)?;
        for slot in [Some(self.slot), self.other].into_iter().flatten() {
            let Some(entry) = database.get(slot) else { continue };
            if entry.state == SaState::DEAD {
                return Err(Refusal::plain(Errno::ESRCH));
            }
            cookie_may_change(entry, frame.cookie())?;
        }
        let state = database.get(self.slot).map(|entry| entry.state);
        refuse_if(frame.has(ext::REPLAY_VALUE) && state == Some(SaState::MATURE), d::BAD_SASTATE)
    }

    /// The states of a cluster: 4 hands an idle SA to another node, 6 takes it back, which is then all there is to do.
    fn change_state(&self, database: &mut Database) -> Checked<Done> {
        let (to, done) = match self.association.state {
            SaState::MATURE => return Ok(Done::No),
            SaState::ACTIVE_ELSEWHERE => (SaState::ACTIVE_ELSEWHERE, Done::No),
            SaState::ACTIVE => (SaState::MATURE, Done::Yes),
            _ => return Err(Refusal::invalid(d::BAD_SASTATE)),
        };
        let slots = || [Some(self.slot), self.other].into_iter().flatten();
        let is_idle = |slot| database.get(slot).is_some_and(|entry: &Entry| entry.state == SaState::IDLE);
        refuse_if(done == Done::Yes && !slots().all(is_idle), d::BAD_SASTATE)?;
        for slot in slots() {
            if let Some(entry) = database.get_mut(slot).filter(|entry| entry.state == SaState::IDLE) {
                entry.state = to;
            }
        }
        Ok(done)
    }

    fn apply(&self, database: &mut Database, frame: &Frame, is_pair: bool, context: &mut Context<'_>) -> Checked {
        let limits = Limits::of(frame);
        for slot in [Some(self.slot), self.other.filter(|_| is_pair)].into_iter().flatten() {
            let Some(entry) = database.get_mut(slot) else { continue };
            set_limits(entry, &limits, context.now);
            if let Some(cookie) = frame.cookie() {
                entry.cookie = add::cut_cookie(cookie);
            }
        }
        let Some(entry) = database.get_mut(self.slot) else { return Ok(()) };
        if limits.soft.is_some() && entry.state == SaState::MATURE {
            add::fuzz(entry, context);
        }
        set_replay(entry, frame, context)
    }
}

/// Whether a request has nothing left to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Yes,
    No,
}

/// A protocol once set stays; so does a cookie, except IKEv2's.
fn cookie_may_change(entry: &Entry, cookie: Option<(u32, u64)>) -> Checked {
    let Some((proto, cookie)) = cookie else { return Ok(()) };
    refuse_if(entry.cookie.0 != 0 && entry.cookie.0 != proto, d::DUPLICATE_KMP)?;
    refuse_if(entry.cookie.1 != 0 && entry.cookie.1 != cookie && proto != KMP_IKEV2, d::DUPLICATE_KMC)
}

/// Applies what is not zero: nothing can be set back to no limit.
fn set_limits(entry: &mut Entry, limits: &Limits, now: Seconds) {
    if let Some(hard) = limits.hard {
        set_hard(entry, &hard);
    }
    if let Some(soft) = limits.soft {
        set_soft(entry, &soft);
    }
    if let Some(idle) = limits.idle {
        set_idle(entry, &idle, now);
    }
}

fn set<T: Default + PartialEq>(to: &mut T, from: T) {
    if from != T::default() {
        *to = from;
    }
}

fn set_hard(entry: &mut Entry, hard: &Lifetime) {
    set(&mut entry.hard.allocations, hard.allocations);
    set(&mut entry.hard.bytes, hard.bytes);
    set(&mut entry.hard.addtime, hard.addtime);
    set(&mut entry.hard.usetime, hard.usetime);
    if hard.addtime != 0 {
        entry.hard_expires = after(entry.added, hard.addtime);
    }
    if entry.used != 0 {
        entry.hard_expires = earlier(entry.hard_expires, after(entry.used, entry.hard.usetime));
    }
}

/// Soft limits are cut down to the hard ones; where there is no hard one they are dropped.
fn set_soft(entry: &mut Entry, soft: &Lifetime) {
    set(&mut entry.soft.allocations, soft.allocations);
    set(&mut entry.soft.bytes, soft.bytes.min(entry.hard.bytes));
    set(&mut entry.soft.usetime, soft.usetime.min(entry.hard.usetime));
    // The kernel compares the span with the moment of the hard expiry, which cuts nothing down.
    set(&mut entry.soft.addtime, soft.addtime.min(entry.hard_expires));
    entry.soft_expires = after(entry.added, entry.soft.addtime);
    if entry.used != 0 {
        entry.soft_expires = earlier(entry.soft_expires, after(entry.used, entry.soft.usetime));
    }
}

/// The period is the addtime, or the shorter of both if both are set.
fn set_idle(entry: &mut Entry, idle: &Lifetime, now: Seconds) {
    set(&mut entry.idle.addtime, idle.addtime);
    set(&mut entry.idle.usetime, idle.usetime);
    entry.idle_period = match (entry.idle.addtime, entry.idle.usetime) {
        (addtime, usetime) if addtime != 0 && usetime != 0 => addtime.min(usetime),
        (addtime, _) => addtime,
    };
    entry.restart_idle(now);
}

/// The replay counter of an SA that has a window and is no longer mature.
fn set_replay(entry: &mut Entry, frame: &Frame, context: &Context<'_>) -> Checked {
    let Some((value32, value64)) = frame.replay_value() else { return Ok(()) };
    if entry.replay.window == 0 {
        return Ok(());
    }
    let value = if value32 == 0 { u32::try_from(value64).unwrap_or(u32::MAX) } else { value32 };
    if Class::of(entry.destination.ip, context.settings) == Class::Own {
        refuse_if(!entry.replay.accept(value), d::INVALID_REPLAY)?;
    } else {
        entry.replay.last = value;
    }
    entry.restart_idle(context.now);
    Ok(())
}
