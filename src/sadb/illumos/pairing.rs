//! Requests with a `pair-spi`.
//!
//! The kernel reports success when it has not made the pair: if the peer SA is dying, in both tables or already paired
//! (`update_pairing` in sadb.c returns 0). The reply to an ADD shows it, that to an UPDATE does not. A refused pairing leaves the
//! new SA in state DEAD until the ager removes it, 8 to 16 seconds later, and an SA with the same identity is refused meanwhile.

use crate::names::diagnostics::{PAIR_ALREADY, PAIR_INAPPROPRIATE};
use crate::names::errnos;
use crate::sa::{AddressRole, DiagnosticCode, Endpoint, Extension, Flags, Message, MessageType, Request, SaState, Spi};
use crate::sadb::illumos::has_diagnostic;
use crate::sadb::{PairScope, PfKey, Sadb, SadbError, Transport};

/// Adds an SA and pairs it with the one with `spi`. Without the pair the new SA is removed, as ipseckey(1M) says.
///
/// # Errors
/// [`SadbError`]; the SA is not added.
pub(super) fn add<T: Transport>(kernel: &mut PfKey<T>, request: &Request, spi: Spi) -> Result<(), SadbError> {
    match kernel.request(MessageType::ADD, request) {
        Ok(reply) if flags(&reply).has(Flags::PAIRED) => Ok(()),
        Ok(reply) => {
            kernel.delete_if_present(&named(request, flags(&reply)))?;
            Err(refused(why_not_paired(kernel, request, spi)?))
        }
        Err(error) => {
            if has_diagnostic(&error, PAIR_INAPPROPRIATE) {
                remove_dead(kernel, request)?;
            }
            Err(error)
        }
    }
}

/// Removes what a refused pairing has left. An SA in another state was there before.
fn remove_dead<T: Transport>(kernel: &mut PfKey<T>, request: &Request) -> Result<(), SadbError> {
    match find(kernel, request)? {
        Some(left) if state(&left) == SaState::DEAD => kernel.delete_if_present(&named(request, flags(&left))).map(drop),
        _ => Ok(()),
    }
}

/// Updates an SA and pairs it with the one with `spi`. Nothing is sent if they are paired and nothing else is to be changed: the
/// kernel would undo the pair on one side.
///
/// # Errors
/// [`SadbError`]; nothing is changed if the SAs cannot be paired.
pub(super) fn update<T: Transport>(
    kernel: &mut PfKey<T>,
    request: &Request,
    spi: Spi,
    reach: PairScope,
) -> Result<(), SadbError> {
    if spi == request.spi {
        return Err(refused(PAIR_INAPPROPRIATE));
    }
    let own = kernel.get(request)?;
    let peer = peer(kernel, &own, spi)?.ok_or_else(|| refused(PAIR_INAPPROPRIATE))?;
    let pairless = Request { pair_spi: None, ..request.duplicate() };
    match (pair(&own) == Some(spi), pair(&peer) == Some(request.spi)) {
        (true, true) if changes_nothing(request) => return Ok(()),
        (true, true) => return kernel.update(&pairless, reach),
        (_, links_back) => {
            check_free(kernel, &own, spi)?;
            check_free(kernel, &peer, request.spi)?;
            if links_back {
                // The peer is paired with this SA, but not the other way round: only an update of the peer can repair that.
                kernel.update(&Request { pair_spi: Some(request.spi), ..update_of(&peer) }, PairScope::One)?;
                kernel.update(&pairless, PairScope::One)?;
            } else {
                // Not X_UPDATEPAIR, which fails for an SA without a pair before it makes one.
                kernel.update(request, PairScope::One)?;
            }
        }
    }
    let is_paired = pair(&kernel.get(request)?) == Some(spi);
    if is_paired { Ok(()) } else { Err(refused(PAIR_INAPPROPRIATE)) }
}

/// Whether an update would only pair.
fn changes_nothing(request: &Request) -> bool {
    let has_limits = request.hard.is_some() || request.soft.is_some() || request.idle.is_some();
    let has_keys = request.auth_key.is_some() || request.encr_key.is_some();
    !has_limits && !has_keys && request.replay_value.is_none() && request.state == SaState::MATURE
}

/// Checks that an SA can be paired with the one with `spi`: it is alive, in one table, and has no other pair.
fn check_free<T: Transport>(kernel: &mut PfKey<T>, sa: &Message, spi: Spi) -> Result<(), SadbError> {
    let both = flags(sa).has(Flags::INBOUND) && flags(sa).has(Flags::OUTBOUND);
    if both || matches!(state(sa), SaState::DEAD | SaState::DYING) {
        return Err(refused(PAIR_INAPPROPRIATE));
    }
    match pair(sa) {
        // A pair whose other SA is gone is none (an SA that dies by its byte limit leaves the flag on the other).
        Some(other) if other != spi && peer(kernel, sa, other)?.is_some() => Err(refused(PAIR_ALREADY)),
        _ => Ok(()),
    }
}

/// Why the kernel has not paired a new SA with the one with `spi`.
fn why_not_paired<T: Transport>(kernel: &mut PfKey<T>, request: &Request, spi: Spi) -> Result<DiagnosticCode, SadbError> {
    let peer = find(kernel, &peer_of(request, spi))?;
    let is_paired = peer.is_some_and(|peer| pair(&peer).is_some_and(|other| other != request.spi));
    Ok(if is_paired { PAIR_ALREADY } else { PAIR_INAPPROPRIATE })
}

/// The SA with `spi` in the opposite direction of `sa`.
fn peer<T: Transport>(kernel: &mut PfKey<T>, sa: &Message, spi: Spi) -> Result<Option<Message>, SadbError> {
    find(kernel, &peer_of(&update_of(sa), spi))
}

fn find<T: Transport>(kernel: &mut PfKey<T>, request: &Request) -> Result<Option<Message>, SadbError> {
    match kernel.get(request) {
        Err(error) if error.is_missing() => Ok(None),
        // Without a source address the opposite direction has no destination, and no such SA.
        Err(SadbError::Refused { .. }) if request.dst.is_none_or(|dst| dst.addr.is_unspecified()) => Ok(None),
        found => found.map(Some),
    }
}

/// Names the SA with `spi` in the opposite direction of the one of `request`.
fn peer_of(request: &Request, spi: Spi) -> Request {
    let one_way = request.flags & (Flags::INBOUND | Flags::OUTBOUND);
    // The flag only decides which table is searched first.
    let flags = if one_way == Flags::OUTBOUND { Flags::INBOUND } else { Flags::OUTBOUND };
    Request { sa_type: request.sa_type, spi, dst: request.src, flags, ..Request::default() }
}

/// Names the SA of `request` in the table that `flags` say.
fn named(request: &Request, flags: Flags) -> Request {
    let flags = flags & (Flags::INBOUND | Flags::OUTBOUND);
    let Request { sa_type, spi, src, dst, .. } = *request;
    Request { sa_type, spi, src, dst, flags, ..Request::default() }
}

/// An update of a described SA that changes nothing.
fn update_of(sa: &Message) -> Request {
    let mut request = Request { sa_type: sa.sa_type, state: SaState::MATURE, ..Request::default() };
    request.flags = flags(sa) & (Flags::INBOUND | Flags::OUTBOUND);
    request.spi = sa.association().map(|sa| sa.spi).unwrap_or_default();
    let whole = |addr| Endpoint { addr, port: 0, proto: 0 };
    let end = |role| sa.address(role).and_then(|info| info.addr).map(whole);
    (request.src, request.dst) = (end(AddressRole::Source), end(AddressRole::Destination));
    request
}

fn flags(sa: &Message) -> Flags {
    sa.association().map(|sa| sa.flags).unwrap_or_default()
}

fn state(sa: &Message) -> SaState {
    sa.association().map(|sa| sa.state).unwrap_or_default()
}

/// The SPI of the paired SA. 0, which a client can make by the flag PAIRED, stands for none.
fn pair(sa: &Message) -> Option<Spi> {
    sa.extensions.iter().find_map(|extension| match extension {
        Extension::Pair(spi) if spi.0 != 0 => Some(*spi),
        _ => None,
    })
}

/// The refusal that the kernel should have given.
fn refused(diagnostic: DiagnosticCode) -> SadbError {
    let text = errnos::illumos(errnos::EINVAL).unwrap_or_default().to_owned();
    SadbError::Refused { errno: errnos::EINVAL.into(), diagnostic, text }
}
