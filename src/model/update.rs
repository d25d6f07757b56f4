//! UPDATE and X_UPDATEPAIR (illumos `sadb.c`, `sadb_update_sa`).

use crate::model::Context;
use crate::model::add;
use crate::model::address::{AddressClass, MessageAddresses};
use crate::model::checks;
use crate::model::checks::{Lifetimes, Purpose};
use crate::model::delete::find_sa;
use crate::model::frame::{Frame, ext};
use crate::model::pair;
use crate::model::refusal::{Checked, Errno, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Seconds;
use crate::model::stored_sa::{StoredSa, after, earlier};
use crate::model::table::{Database, Slot, TableDirection};
use crate::sa::{Association, Lifetime, MessageType, SaState};

/// Key management protocol IKEv2; its cookies may change.
const KMP_IKEV2: u32 = 3;

/// Changes an SA and, for X_UPDATEPAIR, its paired SA. An UPDATE of a larval SA completes it.
pub(crate) fn update(
    database: &mut Database,
    frame: &mut Frame,
    addresses: &MessageAddresses,
    context: &mut Context<'_>,
) -> Checked {
    let destination = addresses.destination.ok_or(Refusal::invalid(d::MISSING_DST))?;
    let source = addresses.source.ok_or(Refusal::invalid(d::MISSING_SRC))?;
    // The kernel dereferences a missing SA extension and panics; the model refuses it (D-20).
    let association = frame.association().ok_or(Refusal::invalid(d::MISSING_SA))?;
    let slot = find_sa(database, &association, destination.ip, Some(source.ip))?;
    let is_pair = frame.header().kind() == MessageType::UPDATE_PAIR;
    if database.get(slot).is_some_and(|entry| entry.state == SaState::LARVAL) {
        // GETSPI creates larval SAs in the inbound table only. X_UPDATEPAIR collides with the larval SA (EEXIST).
        let larval = (!is_pair && slot.direction == TableDirection::Inbound).then_some(slot);
        return add::add(database, frame, addresses, larval, context);
    }
    let mut change = SaUpdate { slot, other: database.peer_sa(slot).or_else(|| database.copy_of(slot)), association };
    change.check(database, frame)?;
    // The kernel replies at once and applies nothing else of the message.
    if association.state == SaState::ACTIVE {
        return Ok(());
    }
    change.apply(database, frame, is_pair, context)?;
    // Pairing comes last: if it fails, the new lifetimes stay, as in the kernel.
    if let Some(spi) = frame.pair() {
        pair::pair_sas(database, slot, spi, context.settings)?;
        change.other = database.peer_sa(slot);
    }
    require_peer(is_pair && change.other.is_none())
}

fn require_peer(has_no_peer: bool) -> Checked {
    if has_no_peer { Err(Refusal::not_found(d::PAIR_SA_NOTFOUND)) } else { Ok(()) }
}

/// UPDATE of an SA that is not larval.
struct SaUpdate {
    slot: Slot,
    /// The paired SA, or the copy in the other table.
    other: Option<Slot>,
    association: Association,
}

impl SaUpdate {
    fn check(&self, database: &mut Database, frame: &Frame) -> Checked {
        refuse_if(frame.has(ext::KEY_AUTH), d::AKEY_PRESENT)?;
        refuse_if(frame.has(ext::KEY_ENCRYPT), d::EKEY_PRESENT)?;
        if self.change_state(database)? == Done::Yes {
            return Ok(());
        }
        checks::check_flags(database.sa_type, self.association.flags, Purpose::Update)?;
        if frame.has(ext::LIFETIME_CURRENT) {
            return Err(Refusal::not_supported(d::MISSING_LIFETIME));
        }
        // Only the values of this message are compared, not the stored ones.
        Lifetimes::of(frame).check()?;
        checks::refuse_labels(frame)?;
        for slot in [Some(self.slot), self.other].into_iter().flatten() {
            let Some(entry) = database.get(slot) else { continue };
            if entry.state == SaState::DEAD {
                return Err(Refusal::plain(Errno::ESRCH));
            }
            cookie_may_change(entry, frame.cookie())?;
        }
        // illumos refuses a counter for larval and mature SAs, so `update` with `replay_value` fails until the soft lifetime
        // has expired.
        let state = database.get(self.slot).map(|entry| entry.state);
        refuse_if(frame.has(ext::REPLAY_VALUE) && state == Some(SaState::MATURE), d::BAD_SASTATE)
    }

    /// Solaris Cluster: ACTIVE_ELSEWHERE passes an idle SA to another node. ACTIVE takes it back, and the rest of the
    /// message is ignored.
    fn change_state(&self, database: &mut Database) -> Checked<Done> {
        let (to, done) = match self.association.state {
            SaState::MATURE => return Ok(Done::No),
            SaState::ACTIVE_ELSEWHERE => (SaState::ACTIVE_ELSEWHERE, Done::No),
            SaState::ACTIVE => (SaState::MATURE, Done::Yes),
            _ => return Err(Refusal::invalid(d::BAD_SASTATE)),
        };
        let slots = || [Some(self.slot), self.other].into_iter().flatten();
        let is_idle = |slot| database.get(slot).is_some_and(|entry: &StoredSa| entry.state == SaState::IDLE);
        refuse_if(done == Done::Yes && !slots().all(is_idle), d::BAD_SASTATE)?;
        for slot in slots() {
            if let Some(entry) = database.get_mut(slot).filter(|entry| entry.state == SaState::IDLE) {
                entry.state = to;
            }
        }
        Ok(done)
    }

    fn apply(&self, database: &mut Database, frame: &Frame, is_pair: bool, context: &mut Context<'_>) -> Checked {
        let limits = Lifetimes::of(frame);
        // UPDATE changes only the copy that was found: of an SA in both tables, the other copy still expires at the old time
        // and takes both along. X_UPDATEPAIR changes both.
        for slot in [Some(self.slot), self.other.filter(|_| is_pair)].into_iter().flatten() {
            let Some(entry) = database.get_mut(slot) else { continue };
            set_limits(entry, &limits, context.now);
            if let Some(cookie) = frame.cookie() {
                entry.cookie = add::truncate_cookie(cookie);
            }
        }
        let Some(entry) = database.get_mut(self.slot) else { return Ok(()) };
        // The kernel subtracts the fuzz again with each SOFT extension.
        if limits.soft.is_some() && entry.state == SaState::MATURE {
            add::fuzz(entry, context);
        }
        set_replay(entry, frame, context)
    }
}

/// Whether a request is complete.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Yes,
    No,
}

/// A protocol or cookie cannot change once set, except an IKEv2 cookie.
fn cookie_may_change(entry: &StoredSa, cookie: Option<(u32, u64)>) -> Checked {
    let Some((proto, cookie)) = cookie else { return Ok(()) };
    refuse_if(entry.cookie.0 != 0 && entry.cookie.0 != proto, d::DUPLICATE_KMP)?;
    refuse_if(entry.cookie.1 != 0 && entry.cookie.1 != cookie && proto != KMP_IKEV2, d::DUPLICATE_KMC)
}

/// Applies the values that are not zero, so that a limit cannot be removed.
fn set_limits(entry: &mut StoredSa, limits: &Lifetimes, now: Seconds) {
    // HARD first, because SOFT is limited to the hard values.
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

fn set_if_given<T: Default + PartialEq>(to: &mut T, from: T) {
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
    if hard.addtime != 0 {
        entry.hard_expires = after(entry.added, hard.addtime);
    }
    if entry.used != 0 {
        entry.hard_expires = earlier(entry.hard_expires, after(entry.used, entry.hard.usetime));
    }
}

/// Reduces soft limits to the hard ones. Without a hard limit (0) the soft one becomes 0 and is ignored, as in
/// `sadb_update_lifetimes`.
fn set_soft(entry: &mut StoredSa, soft: &Lifetime) {
    set_if_given(&mut entry.soft.allocations, soft.allocations);
    set_if_given(&mut entry.soft.bytes, soft.bytes.min(entry.hard.bytes));
    set_if_given(&mut entry.soft.usetime, soft.usetime.min(entry.hard.usetime));
    // The kernel compares a number of seconds with the time of the hard expiry, which is always larger.
    set_if_given(&mut entry.soft.addtime, soft.addtime.min(entry.hard_expires));
    entry.soft_expires = after(entry.added, entry.soft.addtime);
    if entry.used != 0 {
        entry.soft_expires = earlier(entry.soft_expires, after(entry.used, entry.soft.usetime));
    }
}

/// The idle lifetime is the addtime, or the smaller value if both are set.
fn set_idle(entry: &mut StoredSa, idle: &Lifetime, now: Seconds) {
    set_if_given(&mut entry.idle.addtime, idle.addtime);
    set_if_given(&mut entry.idle.usetime, idle.usetime);
    entry.idle_period = match (entry.idle.addtime, entry.idle.usetime) {
        (addtime, usetime) if addtime != 0 && usetime != 0 => addtime.min(usetime),
        (addtime, _) => addtime,
    };
    entry.restart_idle(now);
}

/// Sets the replay counter of an SA that has a window; `check` has refused it for a mature SA.
fn set_replay(entry: &mut StoredSa, frame: &Frame, context: &Context<'_>) -> Checked {
    let Some((value32, value64)) = frame.replay_value() else { return Ok(()) };
    if entry.replay.window == 0 {
        return Ok(());
    }
    let value = if value32 == 0 { u32::try_from(value64).unwrap_or(u32::MAX) } else { value32 };
    if AddressClass::of(entry.destination.ip, context.settings) == AddressClass::Local {
        // An inbound SA: the value must pass the anti-replay check like the number of a packet.
        refuse_if(!entry.replay.accept(value), d::INVALID_REPLAY)?;
    } else {
        // An outbound SA has no window to check against.
        entry.replay.last = value;
    }
    entry.restart_idle(context.now);
    Ok(())
}
