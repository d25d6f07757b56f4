//! SAs that the kernel would keep in both of its tables.
//!
//! The kernel copies an SA whose direction is neither declared nor shown by the addresses (`esp_add_sa_finish` in ipsecesp.c,
//! `sadb_cloneassoc` in sadb.c). Both copies share the buffer with the salt, and the removal of each frees it: shipped kernels
//! then free memory twice. It also happens when such an addition is refused.

use crate::names::algorithms;
use crate::sa::{Flags, Request};
use crate::sadb::{PfKey, SadbError, Transport};

/// Refuses an SA with a combined cipher that would be in both tables. Asks the SADB for its addresses if they decide.
///
/// # Errors
/// [`SadbError::Unsupported`]; those of the queries.
pub(super) fn check<T: Transport>(kernel: &mut PfKey<T>, request: &Request) -> Result<(), SadbError> {
    // An update without a key does not make an SA, and names no cipher.
    if request.encr_key.is_none() || algorithms::encr_by_number(request.encr_alg).is_none_or(|row| row.salt_bits == 0) {
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
