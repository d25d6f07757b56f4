//! ADD and GETSPI: build an SA, insert it into its tables, pair it (illumos `sadb.c`, `sadb_common_add`; `ipsecesp.c`,
//! `esp_getspi`).

use std::net::{IpAddr, Ipv4Addr};

use crate::model::Context;
use crate::model::address::{Address, MessageAddresses};
use crate::model::checks;
use crate::model::checks::{CheckedAdd, Lifetimes};
use crate::model::frame::{Frame, ext};
use crate::model::keys;
use crate::model::pair;
use crate::model::pair::Query;
use crate::model::placement::TablePlacement;
use crate::model::refusal::{Checked, Errno, Refusal, diagnostic as d, refuse_if};
use crate::model::replay_window::ReplayWindow;
use crate::model::stored_sa::{InnerAddresses, NattAddress, Selector, StoredSa, Timestamp, after, timestamp};
use crate::model::table::{Database, Slot, TableDirection};
use crate::sa::{Flags, Lifetime, Spi};
use crate::secret::Key;

/// `IPPROTO_ENCAP`: IPv4 in IP (RFC 2003).
const PROTO_IPV4: u8 = 4;
/// `IPPROTO_IPV6`: IPv6 in IP (RFC 2473).
const PROTO_IPV6: u8 = 41;

/// Adds the SA that `frame` describes. With `larval`, it completes the larval SA of an earlier GETSPI.
pub(crate) fn add(
    database: &mut Database,
    frame: &mut Frame,
    addresses: &MessageAddresses,
    larval: Option<Slot>,
    context: &mut Context<'_>,
) -> Checked {
    let mut draft = checks::check_add(database.sa_type, frame, addresses)?;
    let (Some(source), Some(destination)) = (addresses.source, addresses.destination) else {
        return Err(Refusal::invalid(d::MISSING_SRC));
    };
    let place = TablePlacement::of(draft.association.flags, &source, &destination, context.settings);
    draft.association.flags |= place.flags;
    let query = Query::new(&draft.association, destination.ip, Some(source.ip));
    // An SA in both tables has no opposite table for a paired SA. This error spares a larval SA, those below do not.
    refuse_if(frame.has(ext::PAIR) && place.both, d::PAIR_INAPPROPRIATE)?;
    let mut entry = match larval {
        Some(slot) => complete(database, slot, frame, addresses, draft, timestamp(context.now))?,
        None => {
            let mut entry = StoredSa::new(draft.association.spi, source.ip, destination.ip);
            fill(&mut entry, frame, addresses, draft, timestamp(context.now))?;
            entry
        }
    };
    // lifetime_fuzz applies to SAs that are in the outbound table only.
    if place.primary == TableDirection::Outbound && !place.both {
        fuzz(&mut entry);
    }
    // A larval SA has left its table: if the identity is taken, it is gone.
    let slot = database.insert(entry, place.primary, place.both)?;
    if let Some(spi) = frame.pair() {
        pair_new(database, slot, &query, spi)?;
    }
    if let Some(entry) = database.get(slot) {
        // The echo of an ADD shows the real flags, so that the client sees direction and pairing.
        frame.set_flags(entry.flags);
    }
    Ok(())
}

/// Fills a larval SA and takes it out of its table. An error leaves it there, dead, with what has been filled in.
fn complete(
    database: &mut Database,
    slot: Slot,
    frame: &mut Frame,
    addresses: &MessageAddresses,
    draft: CheckedAdd,
    now: Timestamp,
) -> Checked<StoredSa> {
    let gone = || Refusal::not_found(d::SA_NOTFOUND);
    let entry = database.get_mut(slot).ok_or_else(gone)?;
    fill(entry, frame, addresses, draft, now).inspect_err(|_| entry.kill())?;
    database.take(slot).ok_or_else(gone)
}

/// Pairs a new SA. On failure it stays, dead, until the ager removes it.
fn pair_new(database: &mut Database, slot: Slot, query: &Query, spi: Spi) -> Checked {
    let result = pair::find(database, query).and_then(|found| pair::pair_sas(database, found, query, spi));
    if let (Err(_), Some(entry)) = (&result, database.get_mut(slot)) {
        entry.kill();
    }
    result
}

/// Fills in a new or larval SA. The order matters: a larval SA shows after an error what has been filled in.
fn fill(
    entry: &mut StoredSa,
    frame: &mut Frame,
    addresses: &MessageAddresses,
    draft: CheckedAdd,
    now: Timestamp,
) -> Checked {
    let sa = draft.association;
    set_selector(entry, frame, addresses)?;
    set_natt(entry, addresses);
    (entry.auth, entry.encr) = (sa.auth, sa.encr);
    entry.flags |= sa.flags;
    // Inner addresses alone make a tunnel; the flag TUNNEL without them is refused.
    refuse_if(entry.flags.has(Flags::TUNNEL) && addresses.inner.is_none(), d::MISSING_INNER_SRC)?;
    // Any source means several senders, and each of them counts its own sequence numbers.
    let has_source = addresses.source.is_some_and(|source| !source.ip.is_unspecified());
    entry.replay = ReplayWindow::starting_at(if has_source { sa.replay } else { 0 }, 0);
    entry.added = now;
    frame.truncate_cookie();
    entry.cookie = frame.cookie().unwrap_or(entry.cookie);
    set_limits(entry, &draft.limits);
    entry.auth_key = draft.auth_key.map(|key| key.with_reserved(0));
    set_encr_key(entry, draft.encr_key)?;
    entry.source_identity = frame.identity(ext::IDENTITY_SRC);
    entry.destination_identity = frame.identity(ext::IDENTITY_DST);
    entry.replay.last = replay_value(frame)?;
    entry.state = sa.state;
    Ok(())
}

/// Sets inner addresses, ports and protocols. The outer protocol of a tunnel must be that of its inner addresses; 0 is filled
/// in.
fn set_selector(entry: &mut StoredSa, frame: &mut Frame, addresses: &MessageAddresses) -> Checked {
    let (Some(source), Some(mut destination)) = (addresses.source, addresses.destination) else { return Ok(()) };
    entry.selector = match addresses.inner {
        Some((inner_source, inner_destination)) => {
            let proto = if inner_source.ip.is_ipv4() { PROTO_IPV4 } else { PROTO_IPV6 };
            if source.proto == 0 {
                destination.proto = proto;
                frame.set_proto(ext::ADDRESS_SRC, proto);
                frame.set_proto(ext::ADDRESS_DST, proto);
            } else if source.proto != proto {
                return Err(Refusal { errno: Errno::EPROTOTYPE, diagnostic: d::INNER_AF_MISMATCH });
            }
            let network = |address: Address| (address.ip, address.prefix);
            let networks = InnerAddresses { source: network(inner_source), destination: network(inner_destination) };
            entry.inner = Some(networks);
            Selector {
                source_port: inner_source.port,
                destination_port: inner_destination.port,
                // Of the destination, for both.
                proto: destination.proto,
                inner_proto: inner_destination.proto,
            }
        }
        None => Selector {
            source_port: source.port,
            destination_port: destination.port,
            proto: destination.proto,
            inner_proto: 0,
        },
    };
    if entry.selector.is_unique() {
        entry.flags |= Flags::UNIQUE;
    }
    Ok(())
}

fn set_natt(entry: &mut StoredSa, addresses: &MessageAddresses) {
    let natt = |address: Address| match address.ip {
        IpAddr::V4(ip) => NattAddress { ip, port: address.port },
        // Refused before: NAT-T addresses are IPv4.
        IpAddr::V6(_) => NattAddress { ip: Ipv4Addr::UNSPECIFIED, port: address.port },
    };
    entry.natt_local = addresses.natt_local.map_or(entry.natt_local, natt);
    entry.natt_remote = addresses.natt_remote.map_or(entry.natt_remote, natt);
}

/// Sets the encryption key, and the flags of its cipher: EALG1 for combined mode, EALG2 for counter mode.
fn set_encr_key(entry: &mut StoredSa, key: Option<Key>) -> Checked {
    let Some(key) = key else { return Ok(()) };
    if let Some(row) = keys::encr(entry.encr) {
        entry.flags |= if row.is_combined() { Flags::EALG1 } else { Flags::default() };
        entry.flags |= if row.counter_mode { Flags::EALG2 } else { Flags::default() };
    }
    // Only here, after the table of algorithms has accepted the key, the crypto framework prepares it: AES with 136 bits is
    // D-80 (BAD_CTX), not D-45 (BAD_EKEYBITS).
    let result = keys::check_context(entry.encr, &key);
    entry.encr_key = Some(key);
    result
}

fn replay_value(frame: &Frame) -> Checked<u32> {
    match frame.replay_value() {
        // The kernel has 32-bit counters only.
        Some((0, value64)) if value64 != 0 => Err(Refusal::not_supported(d::INVALID_REPLAY)),
        value => Ok(value.map_or(0, |(value32, _)| value32)),
    }
}

/// Sets the lifetimes of a new SA, and the times of their expiry.
fn set_limits(entry: &mut StoredSa, limits: &Lifetimes) {
    entry.soft = limits.soft.unwrap_or_default();
    if entry.soft.addtime != 0 {
        entry.soft_expires = after(entry.added, entry.soft.addtime);
    }
    entry.hard = limits.hard.unwrap_or_default();
    // Without an addtime a larval SA keeps its timeout, and dies 90 s after its GETSPI.
    if entry.hard.addtime != 0 {
        entry.hard_expires = after(entry.added, entry.hard.addtime);
    }
    if let Some(idle) = limits.idle {
        entry.idle = Lifetime { addtime: idle.addtime, usetime: idle.usetime, ..Lifetime::default() };
        // Without the idle usetime: sadb_common_add stores it, but only sadb_update_lifetimes uses it.
        entry.idle_period = idle.addtime.cast_signed();
        entry.restart_idle(entry.added);
    }
}

/// What `lifetime_fuzz` subtracts at least. The kernel adds a random number up to 15.
const FUZZ: u8 = 8;

/// Subtracts 8 seconds from the soft addtime, so that both ends do not rekey at the same time (`lifetime_fuzz`).
pub(crate) fn fuzz(entry: &mut StoredSa) {
    if entry.soft.addtime != 0 {
        // Wraps around below 8 seconds, and is then reported as a huge number, as in the kernel.
        entry.soft.addtime = entry.soft.addtime.wrapping_sub(FUZZ.into());
        entry.soft_expires = entry.soft_expires.wrapping_sub(FUZZ.into());
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
    let mut larval = StoredSa::new(spi, source.ip, destination.ip);
    larval.hard_expires = after(timestamp(context.now), context.settings.larval_timeout);
    database.reserve(larval)?;
    frame.range_to_association(spi);
    Ok(())
}
