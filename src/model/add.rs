//! ADD and GETSPI: build an SA, insert it into its tables, pair it (illumos `sadb.c`, `sadb_common_add`; `ipsecesp.c`,
//! `esp_add_sa_finish`, `esp_getspi`).

use crate::model::Context;
use crate::model::address::{Address, AddressClass, MessageAddresses};
use crate::model::checks;
use crate::model::checks::{CheckedAdd, Lifetimes};
use crate::model::frame::{Frame, ext};
use crate::model::keys;
use crate::model::pair;
use crate::model::refusal::{Checked, Errno, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Settings;
use crate::model::stored_sa::{ReplayWindow, StoredSa, after};
use crate::model::table::{Database, Slot, TableDirection};
use crate::sa::{Flags, Lifetime, Spi};

/// `IPPROTO_ENCAP`: IPv4 in IP (RFC 2003).
const PROTO_IPV4: u8 = 4;
/// `IPPROTO_IPV6`: IPv6 in IP (RFC 2473).
const PROTO_IPV6: u8 = 41;
/// Key management protocol IKE, whose cookies have 32 bits.
const KMP_IKE: u32 = 1;

/// Adds the SA that `frame` describes. With `larval`, it replaces the larval SA of an earlier GETSPI.
pub(crate) fn add(
    database: &mut Database,
    frame: &mut Frame,
    addresses: &MessageAddresses,
    larval: Option<Slot>,
    context: &mut Context<'_>,
) -> Checked {
    let draft = checks::check_add(database.sa_type, frame, addresses, context.settings)?;
    let result = finish(database, frame, addresses, draft, larval, context);
    if result.is_err()
        && let Some(entry) = larval.and_then(|slot| database.get_mut(slot))
    {
        // As in the kernel, a larval SA does not survive an error after the checks.
        entry.kill(context.now);
    }
    result
}

fn finish(
    database: &mut Database,
    frame: &mut Frame,
    addresses: &MessageAddresses,
    draft: CheckedAdd,
    larval: Option<Slot>,
    context: &mut Context<'_>,
) -> Checked {
    let (Some(mut source), Some(mut destination)) = (addresses.source, addresses.destination) else {
        return Err(Refusal::invalid(d::MISSING_SRC));
    };
    if let Some(entry) = larval.and_then(|slot| database.get(slot)) {
        // GETSPI reserved the SPI for these addresses; those of the UPDATE are ignored.
        (source.ip, destination.ip) = (entry.source.ip, entry.destination.ip);
    }
    let tables = TablePlacement::of(draft.association.flags, &source, &destination, context.settings);
    // An SA in both tables has no opposite table for a peer.
    refuse_if(frame.has(ext::PAIR) && tables.both, d::PAIR_INAPPROPRIATE)?;
    check_tunnel(frame, addresses, draft.association.flags, &mut source, &mut destination)?;
    let mut entry = build(frame, addresses, draft, (source, destination), context)?;
    entry.flags |= tables.flags;
    // lifetime_fuzz applies to SAs that are in the outbound table only.
    if tables.primary == TableDirection::Outbound && !tables.both {
        fuzz(&mut entry, context);
    }
    if let Some(larval) = larval {
        let timeout = database.get(larval).map_or(0, |larval| larval.hard_expires);
        // sadb_common_add sets the expiry only for an addtime, so an SA without one dies 90 s after its GETSPI.
        if context.settings.larval_timeout_stays && entry.hard.addtime == 0 {
            entry.hard_expires = timeout;
        }
        // While the larval SA is still stored: if the identity is taken, the caller marks the larval SA as dead.
        refuse_duplicate(database, &entry, larval)?;
        database.remove(larval);
    }
    let slot = database.insert(entry, tables.primary, tables.both)?;
    pair_new(database, frame, slot, context)?;
    if let Some(entry) = database.get(slot) {
        // The echo of an ADD shows the real flags, so that the client sees direction and pairing.
        frame.set_flags(entry.flags);
    }
    Ok(())
}

/// EEXIST if another SA than `larval` has the identity of `entry`.
fn refuse_duplicate(database: &Database, entry: &StoredSa, larval: Slot) -> Checked {
    // SPI and destination identify an SA; the source does not (ip_sadb.c, ipsec_getassocbyspi).
    let taken = [TableDirection::Inbound, TableDirection::Outbound]
        .into_iter()
        .filter_map(|direction| database.find_in(direction, entry.spi, entry.destination.ip))
        .any(|slot| slot != larval);
    if taken { Err(Refusal::plain(Errno::EEXIST)) } else { Ok(()) }
}

/// Pairs a new SA if the message has a PAIR extension. On failure the SA is removed.
fn pair_new(database: &mut Database, frame: &Frame, slot: Slot, context: &Context<'_>) -> Checked {
    let Some(spi) = frame.pair() else { return Ok(()) };
    let result = pair::pair_sas(database, slot, spi, context.settings);
    if result.is_err() {
        // The SA has been inserted already, as in the kernel, where the ager removes it later.
        match database.get_mut(slot) {
            Some(entry) if context.settings.pair_failures_linger => entry.kill(context.now),
            _ => database.remove(slot),
        }
    }
    result
}

/// The tables for a new SA, and the direction flags that the kernel adds.
struct TablePlacement {
    primary: TableDirection,
    both: bool,
    flags: Flags,
}

impl TablePlacement {
    /// Decides by the direction flags or, without them, by the classes of both addresses (`esp_add_sa_finish`).
    fn of(flags: Flags, source: &Address, destination: &Address, settings: &Settings) -> Self {
        use TableDirection::{Inbound, Outbound};
        let both_flags = Flags::INBOUND | Flags::OUTBOUND;
        let destination = AddressClass::of(destination.ip, settings);
        let classes = (destination, AddressClass::of(source.ip, settings));
        let (primary, both, flags) = match (flags.has(Flags::INBOUND), flags.has(Flags::OUTBOUND)) {
            (true, false) => (Inbound, false, Flags::INBOUND),
            (false, true) => (Outbound, false, Flags::OUTBOUND),
            (true, true) if matches!(destination, AddressClass::Local | AddressClass::Multicast) => {
                (Inbound, true, both_flags)
            }
            (true, true) => (Outbound, true, both_flags),
            (false, false) => match classes {
                // The node both sends to a group and receives from it.
                (AddressClass::Multicast, _) => (Inbound, true, both_flags),
                (AddressClass::Local, AddressClass::Other | AddressClass::Multicast) => (Inbound, false, Flags::INBOUND),
                // Source local or unspecified: the SA is in both tables, but its flags show inbound only.
                (AddressClass::Local, _) => (Inbound, true, Flags::INBOUND),
                (_, AddressClass::Local) => (Outbound, false, Flags::OUTBOUND),
                // Neither address is local. Before the network is configured, that is every SA without direction flags.
                _ => (Outbound, true, both_flags),
            },
        };
        Self { primary, both, flags }
    }
}

/// Checks the outer protocol of a tunnel against the family of its inner addresses; 0 is filled in.
fn check_tunnel(
    frame: &mut Frame,
    addresses: &MessageAddresses,
    flags: Flags,
    source: &mut Address,
    destination: &mut Address,
) -> Checked {
    // Inner addresses alone make a tunnel; the flag TUNNEL without them is refused.
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
    addresses: &MessageAddresses,
    draft: CheckedAdd,
    (source, destination): (Address, Address),
    context: &Context<'_>,
) -> Checked<StoredSa> {
    let sa = draft.association;
    // Only here, after the table of algorithms has accepted the key, the crypto framework prepares it: AES with 136 bits is
    // D-80 (BAD_CTX), not D-45 (BAD_EKEYBITS).
    if let Some(key) = &draft.encr_key {
        keys::check_context(sa.encr, key)?;
    }
    let mut entry = StoredSa::new(sa.spi, source, destination, context.now);
    entry.inner = addresses.inner;
    entry.natt_local = addresses.natt_local;
    entry.natt_remote = addresses.natt_remote;
    entry.state = sa.state;
    entry.flags = sa.flags | unique_flag(&entry) | cipher_flags(&draft);
    (entry.auth, entry.encr) = (sa.auth, sa.encr);
    (entry.auth_key, entry.encr_key) = (draft.auth_key, draft.encr_key);
    entry.source_identity = frame.identity(ext::IDENTITY_SRC);
    entry.destination_identity = frame.identity(ext::IDENTITY_DST);
    entry.cookie = frame.cookie().map_or((0, 0), truncate_cookie);
    set_limits(&mut entry, &draft.limits);
    // Any source means several senders, and each of them counts its own sequence numbers.
    let window = if source.ip.is_unspecified() { 0 } else { sa.replay };
    entry.replay = ReplayWindow::starting_at(window, replay_value(frame)?);
    Ok(entry)
}

/// Clears the upper half of an IKE cookie, which has 32 bits.
pub(crate) fn truncate_cookie((proto, cookie): (u32, u64)) -> (u32, u64) {
    if proto == KMP_IKE { (proto, cookie & u64::from(u32::MAX)) } else { (proto, cookie) }
}

fn replay_value(frame: &Frame) -> Checked<u32> {
    match frame.replay_value() {
        // The kernel has 32-bit counters only.
        Some((0, value64)) if value64 != 0 => Err(Refusal::not_supported(d::INVALID_REPLAY)),
        value => Ok(value.map_or(0, |(value32, _)| value32)),
    }
}

/// UNIQUE if the selector has a port or a protocol.
fn unique_flag(entry: &StoredSa) -> Flags {
    let (source, destination) = entry.inner.unwrap_or((entry.source, entry.destination));
    // The outer protocol of a tunnel is 4 or 41 (`check_tunnel`), so every tunnel is UNIQUE.
    let is_unique = source.port != 0 || destination.port != 0 || entry.destination.proto != 0 || destination.proto != 0;
    if is_unique { Flags::UNIQUE } else { Flags::default() }
}

/// EALG1 for a combined-mode cipher, EALG2 for a counter-mode one.
fn cipher_flags(draft: &CheckedAdd) -> Flags {
    let Some(row) = keys::encr(draft.association.encr) else { return Flags::default() };
    let combined = if row.is_combined() { Flags::EALG1 } else { Flags::default() };
    let counter = if row.counter_mode { Flags::EALG2 } else { Flags::default() };
    combined | counter
}

/// Sets the lifetimes of a new SA, and the times of their expiry.
fn set_limits(entry: &mut StoredSa, limits: &Lifetimes) {
    entry.hard = limits.hard.unwrap_or_default();
    entry.soft = limits.soft.unwrap_or_default();
    let idle = limits.idle.unwrap_or_default();
    entry.idle = Lifetime { addtime: idle.addtime, usetime: idle.usetime, ..Lifetime::default() };
    entry.hard_expires = after(entry.added, entry.hard.addtime);
    entry.soft_expires = after(entry.added, entry.soft.addtime);
    // Without the idle usetime: sadb_common_add stores it, but only sadb_update_lifetimes uses it.
    entry.idle_period = idle.addtime;
    entry.idle_expires = after(entry.added, idle.addtime);
}

/// Subtracts 8 to 23 random seconds from the soft addtime, so that both ends do not rekey at the same time
/// (`lifetime_fuzz`).
pub(crate) fn fuzz(entry: &mut StoredSa, context: &mut Context<'_>) {
    if context.settings.soft_fuzz && entry.soft.addtime != 0 {
        let span = u64::from(context.random.within(8, 23));
        // Wraps around below 24 seconds, and is then reported as a huge number, as in the kernel.
        entry.soft.addtime = entry.soft.addtime.wrapping_sub(span);
        // At least 1, because 0 means never.
        entry.soft_expires = entry.soft_expires.saturating_sub(span).max(1);
    }
}

/// Reserves an SPI with a larval SA in the inbound table.
pub(crate) fn getspi(
    database: &mut Database,
    frame: &mut Frame,
    addresses: &MessageAddresses,
    context: &mut Context<'_>,
) -> Checked {
    let source = addresses.source.ok_or(Refusal::invalid(d::MISSING_SRC))?;
    let destination = addresses.destination.ok_or(Refusal::invalid(d::MISSING_DST))?;
    let (min, max) = frame.spi_range().ok_or(Refusal::invalid(d::MISSING_RANGE))?;
    // Reserved SPIs are not excluded, and a collision is EEXIST without a second try (sadb_getspi).
    let spi = Spi(context.random.within(min, max));
    let mut larval = StoredSa::new(spi, source, destination, context.now);
    larval.hard_expires = context.now.saturating_add(context.settings.larval_timeout).max(1);
    database.insert(larval, TableDirection::Inbound, false)?;
    frame.range_to_association(spi);
    Ok(())
}
