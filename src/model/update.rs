//! UPDATE and X_UPDATEPAIR (illumos `sadb.c`, `sadb_update_sa`).

use crate::model::Context;
use crate::model::add;
use crate::model::address::{AddressClass, MessageAddresses};
use crate::model::checks;
use crate::model::checks::{Lifetimes, Purpose};
use crate::model::frame::{Frame, ext};
use crate::model::limits;
use crate::model::pair;
use crate::model::pair::{Found, Query};
use crate::model::refusal::{Checked, Errno, Refusal, diagnostic as d, refuse_if};
use crate::model::stored_sa::{StoredSa, Timestamp, timestamp};
use crate::model::table::{Database, TableDirection};
use crate::sa::{Association, MessageType, SaState};

/// Key management protocol IKEv2; its cookies may change.
const KMP_IKEV2: u32 = 3;

/// Changes an SA and, for X_UPDATEPAIR, its partner. An UPDATE of a larval SA completes it.
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
    frame.truncate_cookie();
    let query = Query::new(&association, destination.ip, Some(source.ip));
    let found = pair::find(database, &query)?;
    let is_pair = frame.header().kind() == MessageType::UPDATE_PAIR;
    if database.get(found.slot).is_some_and(|entry| entry.state == SaState::LARVAL) {
        // GETSPI creates larval SAs in the inbound table only. X_UPDATEPAIR collides with the larval SA (EEXIST).
        let larval = (!is_pair && found.slot.direction == TableDirection::Inbound).then_some(found.slot);
        return add::add(database, frame, addresses, larval, context);
    }
    let is_inbound = AddressClass::of(destination.ip, context.settings) == AddressClass::Local;
    let change = SaUpdate { found, association, is_inbound, now: timestamp(context.now) };
    if change.check(database, frame)? == Done::Yes {
        return Ok(());
    }
    change.apply(database, frame)?;
    if is_pair {
        // As in the kernel, the SA itself has been changed although the reply is an error.
        change.apply_to_partner(database, frame)?;
    }
    // Pairing comes last: if it fails, the new lifetimes stay, as in the kernel.
    frame.pair().map_or(Ok(()), |spi| pair::pair_sas(database, found, &query, spi))
}

/// UPDATE of an SA that is not larval.
struct SaUpdate {
    found: Found,
    association: Association,
    /// Whether the destination is local.
    is_inbound: bool,
    now: Timestamp,
}

/// Whether a request is complete.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Yes,
    No,
}

impl SaUpdate {
    fn check(&self, database: &mut Database, frame: &Frame) -> Checked<Done> {
        refuse_if(frame.has(ext::KEY_AUTH), d::AKEY_PRESENT)?;
        refuse_if(frame.has(ext::KEY_ENCRYPT), d::EKEY_PRESENT)?;
        // The kernel replies to a change to ACTIVE at once and applies nothing else of the message.
        if self.change_state(database)? == Done::Yes {
            return Ok(Done::Yes);
        }
        checks::check_flags(database.sa_type, self.association.flags, Purpose::Update)?;
        if frame.has(ext::LIFETIME_CURRENT) {
            return Err(Refusal::not_supported(d::MISSING_LIFETIME));
        }
        // Only the values of this message are compared, not the stored ones.
        Lifetimes::of(frame).check()?;
        checks::refuse_labels(frame)?;
        for slot in self.slots() {
            let Some(entry) = database.get(slot) else { continue };
            if entry.state == SaState::DEAD {
                return Err(Refusal::plain(Errno::ESRCH));
            }
            cookie_may_change(entry, frame.cookie())?;
        }
        // illumos refuses a counter for larval and mature SAs, so `update` with `replay_value` fails until the soft lifetime
        // has expired.
        let state = database.get(self.found.slot).map(|entry| entry.state);
        refuse_if(frame.has(ext::REPLAY_VALUE) && state == Some(SaState::MATURE), d::BAD_SASTATE)?;
        Ok(Done::No)
    }

    /// The SA, then its partner.
    fn slots(&self) -> impl Iterator<Item = crate::model::table::Slot> + use<> {
        [Some(self.found.slot), self.found.partner].into_iter().flatten()
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
        for slot in self.slots() {
            let Some(entry) = database.get_mut(slot) else { continue };
            // If the partner is not idle, the SA itself has been changed already.
            refuse_if(done == Done::Yes && entry.state != SaState::IDLE, d::BAD_SASTATE)?;
            if entry.state == SaState::IDLE {
                entry.state = to;
                entry.restart_idle(self.now);
            }
        }
        Ok(done)
    }

    /// UPDATE changes only the copy that was found: of an SA in both tables, the other copy still expires at the old time and
    /// takes both along.
    fn apply(&self, database: &mut Database, frame: &Frame) -> Checked {
        let Some(entry) = database.get_mut(self.found.slot) else { return Ok(()) };
        limits::update(entry, &Lifetimes::of(frame), limits::Fuzz::Yes, self.now);
        set_cookie(entry, frame);
        self.set_replay(entry, frame)
    }

    fn apply_to_partner(&self, database: &mut Database, frame: &Frame) -> Checked {
        let partner = self.found.partner.and_then(|slot| database.get_mut(slot));
        let partner = partner.ok_or(Refusal::not_found(d::PAIR_SA_NOTFOUND))?;
        limits::update(partner, &Lifetimes::of(frame), limits::Fuzz::No, self.now);
        set_cookie(partner, frame);
        Ok(())
    }

    /// Sets the replay counter of an SA that has a window; `check` has refused it for a mature SA.
    fn set_replay(&self, entry: &mut StoredSa, frame: &Frame) -> Checked {
        let Some((value, _)) = frame.replay_value() else { return Ok(()) };
        if entry.replay.window == 0 {
            return Ok(());
        }
        if self.is_inbound {
            // The value must pass the anti-replay check like the number of a packet, which comes in network byte order.
            refuse_if(!entry.replay.accept(u32::from_be(value)), d::INVALID_REPLAY)?;
        } else {
            // An outbound SA has no window to check against.
            entry.replay.last = value;
        }
        entry.restart_idle(self.now);
        Ok(())
    }
}

/// A protocol or cookie cannot change once set, except an IKEv2 cookie. 0 asks for no change.
fn cookie_may_change(entry: &StoredSa, cookie: Option<(u32, u64)>) -> Checked {
    let (proto, cookie) = cookie.unwrap_or_default();
    refuse_if(proto != 0 && entry.cookie.0 != 0 && entry.cookie.0 != proto, d::DUPLICATE_KMP)?;
    let changes = cookie != 0 && entry.cookie.1 != 0 && entry.cookie.1 != cookie;
    refuse_if(changes && proto != KMP_IKEV2, d::DUPLICATE_KMC)
}

fn set_cookie(entry: &mut StoredSa, frame: &Frame) {
    let (proto, cookie) = frame.cookie().unwrap_or_default();
    limits::set_if_given(&mut entry.cookie.0, proto);
    limits::set_if_given(&mut entry.cookie.1, cookie);
}
