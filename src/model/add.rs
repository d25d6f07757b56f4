//! ADD and GETSPI: an SA is built, put into its tables, and paired (illumos `sadb.c`, `sadb_common_add`; `ipsecesp.c`,
//! `esp_add_sa_finish`, `esp_getspi`).

use crate::model::Context;
use crate::model::address::{Address, Addresses, Class};
use crate::model::checks;
use crate::model::checks::{Draft, Limits};
use crate::model::entry::{Entry, Replay, after};
use crate::model::frame::{Frame, ext};
use crate::model::keys;
use crate::model::pair;
use crate::model::refusal::{Checked, Errno, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Settings;
use crate::model::table::{Database, Direction, Slot};
use crate::sa::{Flags, Lifetime, Spi};

/// `IPPROTO_ENCAP`, RFC 2003.
const PROTO_IPV4: u8 = 4;
/// `IPPROTO_IPV6`, RFC 2473.
const PROTO_IPV6: u8 = 41;
/// Key management protocol IKE, whose cookies have 32 bits.
const KMP_IKE: u32 = 1;

/// Adds the SA that `frame` describes, or completes the larval one in `larval` with it.
pub(crate) fn add(
    database: &mut Database,
    frame: &mut Frame,
    addresses: &Addresses,
    larval: Option<Slot>,
    context: &mut Context<'_>,
) -> Checked {
    let draft = checks::addition(database.sa_type, frame, addresses, context.settings)?;
    let result = finish(database, frame, addresses, draft, larval, context);
    if result.is_err()
        && let Some(entry) = larval.and_then(|slot| database.get_mut(slot))
    {
        entry.kill(context.now);
    }
    result
}

fn finish(
    database: &mut Database,
    frame: &mut Frame,
    addresses: &Addresses,
    draft: Draft,
    larval: Option<Slot>,
    context: &mut Context<'_>,
) -> Checked {
    let (Some(mut source), Some(mut destination)) = (addresses.source, addresses.destination) else {
        return Err(Refusal::invalid(d::MISSING_SRC));
    };
    if let Some(entry) = larval.and_then(|slot| database.get(slot)) {
        (source.ip, destination.ip) = (entry.source.ip, entry.destination.ip);
    }
    let tables = Tables::of(draft.association.flags, &source, &destination, context.settings);
    refuse_if(frame.has(ext::PAIR) && tables.both, d::PAIR_INAPPROPRIATE)?;
    tunnel(frame, addresses, draft.association.flags, &mut source, &mut destination)?;
    let mut entry = build(frame, addresses, draft, (source, destination), context)?;
    entry.flags |= tables.flags;
    if tables.primary == Direction::Outbound && !tables.both {
        fuzz(&mut entry, context);
    }
    if let Some(larval) = larval {
        let timeout = database.get(larval).map_or(0, |larval| larval.hard_expires);
        if context.settings.larval_timeout_stays && entry.hard.addtime == 0 {
            entry.hard_expires = timeout;
        }
        refuse_taken(database, &entry, larval)?;
        database.remove(larval);
    }
    let slot = database.insert(entry, tables.primary, tables.both)?;
    pair_new(database, frame, slot, context)?;
    if let Some(entry) = database.get(slot) {
        frame.set_flags(entry.flags);
    }
    Ok(())
}

/// A larval SA may be replaced only by one of its own name.
fn refuse_taken(database: &Database, entry: &Entry, larval: Slot) -> Checked {
    let taken = [Direction::Inbound, Direction::Outbound]
        .into_iter()
        .filter_map(|direction| database.find_in(direction, entry.spi, entry.destination.ip))
        .any(|slot| slot != larval);
    if taken { Err(Refusal::plain(Errno::EEXIST)) } else { Ok(()) }
}

/// Pairs a new SA if the message asks for it; without success nothing is left behind.
fn pair_new(database: &mut Database, frame: &Frame, slot: Slot, context: &Context<'_>) -> Checked {
    let Some(spi) = frame.pair() else { return Ok(()) };
    let result = pair::link(database, slot, spi, context.settings);
    if result.is_err() {
        match database.get_mut(slot) {
            Some(entry) if context.settings.pair_failures_linger => entry.kill(context.now),
            _ => database.remove(slot),
        }
    }
    result
}

/// Where a new SA is kept, and which flags say so.
struct Tables {
    primary: Direction,
    both: bool,
    flags: Flags,
}

impl Tables {
    /// The flags decide; without any, what the addresses are to this node.
    fn of(flags: Flags, source: &Address, destination: &Address, settings: &Settings) -> Self {
        use Direction::{Inbound, Outbound};
        let both_flags = Flags::INBOUND | Flags::OUTBOUND;
        let destination = Class::of(destination.ip, settings);
        let classes = (destination, Class::of(source.ip, settings));
        let (primary, both, flags) = match (flags.has(Flags::INBOUND), flags.has(Flags::OUTBOUND)) {
            (true, false) => (Inbound, false, Flags::INBOUND),
            (false, true) => (Outbound, false, Flags::OUTBOUND),
            (true, true) if matches!(destination, Class::Own | Class::Many) => (Inbound, true, both_flags),
            (true, true) => (Outbound, true, both_flags),
            (false, false) => match classes {
                (Class::Many, _) => (Inbound, true, both_flags),
                (Class::Own, Class::Other | Class::Many) => (Inbound, false, Flags::INBOUND),
                (Class::Own, _) => (Inbound, true, Flags::INBOUND),
                (_, Class::Own) => (Outbound, false, Flags::OUTBOUND),
                _ => (Outbound, true, both_flags),
            },
        };
        Self { primary, both, flags }
    }
}

/// The outer protocol of a tunnel says which IP is inside; not given, it is filled in.
fn tunnel(
    frame: &mut Frame,
    addresses: &Addresses,
    flags: Flags,
    source: &mut Address,
    destination: &mut Address,
) -> Checked {
    let Some((inner, _)) = addresses.inner else { return refuse_if(flags.has(Flags::TUNNEL), d::MISSING_INNER_SRC) };
    let proto = if inner.ip.is_ipv4() { PROTO_IPV4 } else { PROTO_IPV6 };
    if source.proto == 0 {
        (source.proto, destination.proto) = (proto, proto);
        frame.set_proto(ext::ADDRESS_SRC, proto);
        frame.set_proto(ext::ADDRESS_DST, proto);
    }
    if source.proto == proto {
        return Ok(());
    }
    Err(Refusal { errno: Errno::EPROTOTYPE, diagnostic: d::INNER_AF_MISMATCH })
}

fn build(
    frame: &Frame,
    addresses: &Addresses,
    draft: Draft,
    (source, destination): (Address, Address),
    context: &Context<'_>,
) -> Checked<Entry> {
    let sa = draft.association;
    if let Some(key) = &draft.encr_key {
        keys::check_context(sa.encr, key)?;
    }
    let mut entry = Entry::new(sa.spi, source, destination, context.now);
    entry.inner = addresses.inner;
    entry.natt_local = addresses.natt_local;
    entry.natt_remote = addresses.natt_remote;
    entry.state = sa.state;
    entry.flags = sa.flags | unique(&entry) | cipher_flags(&draft);
    (entry.auth, entry.encr) = (sa.auth, sa.encr);
    (entry.auth_key, entry.encr_key) = (draft.auth_key, draft.encr_key);
    entry.source_identity = frame.identity(ext::IDENTITY_SRC);
    entry.destination_identity = frame.identity(ext::IDENTITY_DST);
    entry.cookie = frame.cookie().map_or((0, 0), cut_cookie);
    set_limits(&mut entry, &draft.limits);
    let window = if source.ip.is_unspecified() { 0 } else { sa.replay };
    entry.replay = Replay::starting_at(window, replay_value(frame)?);
    Ok(entry)
}

/// IKE's cookies have 32 bits.
pub(crate) fn cut_cookie((proto, cookie): (u32, u64)) -> (u32, u64) {
    if proto == KMP_IKE { (proto, cookie & u64::from(u32::MAX)) } else { (proto, cookie) }
}

fn replay_value(frame: &Frame) -> Checked<u32> {
    match frame.replay_value() {
        Some((0, value64)) if value64 != 0 => Err(Refusal::not_supported(d::INVALID_REPLAY)),
        value => Ok(value.map_or(0, |(value32, _)| value32)),
    }
}

/// UNIQUE, if the SA is for particular ports or protocols only.
fn unique(entry: &Entry) -> Flags {
    let (source, destination) = entry.inner.unwrap_or((entry.source, entry.destination));
    let is_unique = source.port != 0 || destination.port != 0 || entry.destination.proto != 0 || destination.proto != 0;
    if is_unique { Flags::UNIQUE } else { Flags::default() }
}

/// What the kernel says of the cipher: combined mode, counter mode.
fn cipher_flags(draft: &Draft) -> Flags {
    let Some(row) = keys::encr(draft.association.encr) else { return Flags::default() };
    let combined = if row.is_combined() { Flags::EALG1 } else { Flags::default() };
    let counter = if row.counter_mode { Flags::EALG2 } else { Flags::default() };
    combined | counter
}

/// Of the idle lifetime only the addtime counts until an UPDATE.
fn set_limits(entry: &mut Entry, limits: &Limits) {
    entry.hard = limits.hard.unwrap_or_default();
    entry.soft = limits.soft.unwrap_or_default();
    let idle = limits.idle.unwrap_or_default();
    entry.idle = Lifetime { addtime: idle.addtime, usetime: idle.usetime, ..Lifetime::default() };
    entry.hard_expires = after(entry.added, entry.hard.addtime);
    entry.soft_expires = after(entry.added, entry.soft.addtime);
    entry.idle_period = idle.addtime;
    entry.idle_expires = after(entry.added, idle.addtime);
}

/// Brings the soft expiry forward by a random span, so that two ends do not rekey at once.
pub(crate) fn fuzz(entry: &mut Entry, context: &mut Context<'_>) {
    if context.settings.soft_fuzz && entry.soft.addtime != 0 {
        let span = u64::from(context.random.within(8, 23));
        entry.soft.addtime = entry.soft.addtime.wrapping_sub(span);
        entry.soft_expires = entry.soft_expires.saturating_sub(span).max(1);
    }
}

/// Reserves an SPI: a larval SA in the inbound table.
pub(crate) fn getspi(
    database: &mut Database,
    frame: &mut Frame,
    addresses: &Addresses,
    context: &mut Context<'_>,
) -> Checked {
    let source = addresses.source.ok_or(Refusal::invalid(d::MISSING_SRC))?;
    let destination = addresses.destination.ok_or(Refusal::invalid(d::MISSING_DST))?;
    let (min, max) = frame.spi_range().ok_or(Refusal::invalid(d::MISSING_RANGE))?;
    let spi = Spi(context.random.within(min, max));
    let mut larval = Entry::new(spi, source, destination, context.now);
    larval.hard_expires = context.now.saturating_add(context.settings.larval_timeout).max(1);
    database.insert(larval, Direction::Inbound, false)?;
    frame.range_to_association(spi);
    Ok(())
}
