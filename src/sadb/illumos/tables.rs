//! SAs that the kernel would keep in both of its tables.
//!
//! The kernel copies an SA whose direction is neither declared nor shown by the addresses (`esp_add_sa_finish` in ipsecesp.c,
//! `sadb_cloneassoc` in sadb.c). Both copies share the buffer with the salt, and the removal of each frees it: shipped kernels
//! then free memory twice. It also happens when such an addition is refused. DELETE and FLUSH are sent as they are, as the original
//! does: only what this program selects, from a dump, is checked.

use crate::names::algorithms;
use crate::sa::{AddressRole, EncrAlg, Endpoint, Extension, Flags, Message, Request, SaState};
use crate::sadb::{PairScope, PfKey, Sadb, SadbError, Transport};

/// Refuses an SA with a combined cipher that would be in both tables. Asks the SADB for its addresses if they decide.
///
/// # Errors
/// [`SadbError::Unsupported`]; those of the queries.
pub(super) fn check<T: Transport>(kernel: &mut PfKey<T>, request: &Request) -> Result<(), SadbError> {
    // An update without a key does not make an SA, and names no cipher.
    if request.encr_key.is_none() || !has_salt(request.encr_alg) {
        return Ok(());
    }
    let is_single = match (request.flags.has(Flags::INBOUND), request.flags.has(Flags::OUTBOUND)) {
        (false, false) => addresses_show_direction(kernel, request)?,
        (inbound, outbound) => inbound != outbound,
    };
    if is_single {
        return Ok(());
    }
    Err(SadbError::Unsupported(
        "AES-GCM and AES-CCM need either `inbound` or `outbound` in the command: illumos would keep this SA in both of its \
         tables, and free its salt twice when it removes the SA"
            .to_owned(),
    ))
}

/// Whether one address belongs to the SADB's node and the other does not.
fn addresses_show_direction<T: Transport>(kernel: &mut PfKey<T>, request: &Request) -> Result<bool, SadbError> {
    let (Some(src), Some(dst)) = (request.src, request.dst) else { return Ok(false) };
    let [src, dst] = [src, dst].map(|end| end.addr.to_canonical());
    if src.is_unspecified() || dst.is_multicast() {
        return Ok(false);
    }
    Ok(kernel.has_address(request, src)? != kernel.has_address(request, dst)?)
}

/// Refuses to remove an SA that another program has added, and whose salt the kernel would free twice. `sa` has the values of the
/// description, its pair included.
///
/// # Errors
/// [`SadbError::Unsupported`]; those of the queries.
pub(super) fn check_removal<T: Transport>(kernel: &mut PfKey<T>, sa: &Request) -> Result<(), SadbError> {
    if !has_salt(sa.encr_alg) || !is_in_both(kernel, sa)? {
        return Ok(());
    }
    let id = sa.id().map(|id| format!("{id}: ")).unwrap_or_default();
    Err(SadbError::Unsupported(format!(
        "{id}not removed: another program has added this AES-GCM or AES-CCM SA without a direction, and illumos would free its \
         salt twice; restart the system to remove it"
    )))
}

/// The values of a description that [`check_removal`] needs, and that identify the SA.
pub(super) fn described(message: &Message) -> Request {
    let association = message.association().copied().unwrap_or_default();
    let end = |role| message.address(role).and_then(|info| info.addr).map(|addr| Endpoint { addr, port: 0, proto: 0 });
    let pair_spi = message.extensions.iter().find_map(|extension| match extension {
        Extension::Pair(spi) if spi.0 != 0 => Some(*spi),
        _ => None,
    });
    Request {
        sa_type: message.sa_type,
        spi: association.spi,
        flags: association.flags & (Flags::INBOUND | Flags::OUTBOUND),
        encr_alg: association.encr,
        src: end(AddressRole::Source),
        dst: end(AddressRole::Destination),
        pair_spi,
        ..Request::default()
    }
}

/// The request that identifies a described SA, and its table.
pub(super) fn named(sa: &Request) -> Request {
    Request { sa_type: sa.sa_type, spi: sa.spi, dst: sa.dst, flags: sa.flags, ..Request::default() }
}

/// Whether the cipher has a salt, as AES-GCM and AES-CCM have.
pub(super) fn has_salt(encr: EncrAlg) -> bool {
    algorithms::encr_by_number(encr).is_some_and(|row| row.salt_bits != 0)
}

fn is_in_both<T: Transport>(kernel: &mut PfKey<T>, sa: &Request) -> Result<bool, SadbError> {
    match (sa.flags.has(Flags::INBOUND), sa.flags.has(Flags::OUTBOUND)) {
        (true, true) => return Ok(true),
        (true, false) if sa.pair_spi.is_none() => {}
        _ => return Ok(false),
    }
    // To an address of the node, from another one or from any: without a direction such an SA is in both tables, but it has the flags
    // of an inbound one (`esp_add_sa_finish`).
    let Some(src) = sa.src.map(|end| end.addr.to_canonical()) else { return Ok(false) };
    if !src.is_unspecified() && !kernel.has_address(sa, src)? {
        return Ok(false);
    }
    // X_UPDATEPAIR changes both copies; without one it is refused. This update has no value to change.
    let update = Request { state: SaState::MATURE, encr_alg: EncrAlg::NULL, ..sa.duplicate() };
    match kernel.update(&update, PairScope::Pair) {
        Err(SadbError::Refused { .. }) => Ok(false),
        outcome => outcome.map(|()| true),
    }
}
