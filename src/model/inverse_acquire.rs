//! X_INVERSE_ACQUIRE: which policy packets between two addresses have (illumos `sadb.c`, `ipsec_construct_inverse_acquire`).

use crate::model::address::{normalize, read_prefix};
use crate::model::frame::{Frame, ext};
use crate::model::refusal::{Checked, Errno, Refusal, diagnostic as d, refuse_if};

/// `IPPROTO_ENCAP` and `IPPROTO_IPV6`: the outer protocols of a tunnel.
const TUNNEL_PROTOS: [u8; 2] = [4, 41];

/// Checks the addresses. The model has no policies, so a valid request gets ENOENT.
pub(crate) fn inverse_acquire(mut frame: Frame) -> Checked {
    refuse_if(!frame.has(ext::ADDRESS_SRC), d::MISSING_SRC)?;
    refuse_if(!frame.has(ext::ADDRESS_DST), d::MISSING_DST)?;
    refuse_if(frame.has(ext::INNER_SRC) && !frame.has(ext::INNER_DST), d::MISSING_INNER_DST)?;
    refuse_if(frame.has(ext::INNER_DST) && !frame.has(ext::INNER_SRC), d::MISSING_INNER_SRC)?;
    let source = normalize(&mut frame, ext::ADDRESS_SRC, d::BAD_SRC)?;
    let destination = normalize(&mut frame, ext::ADDRESS_DST, d::BAD_DST)?;
    let is_ipv6 = source.is_some_and(|source| source.ip.is_ipv6());
    refuse_if(destination.is_some_and(|destination| destination.ip.is_ipv6() != is_ipv6), d::AF_MISMATCH)?;
    let inner = read_prefix(&mut frame, ext::INNER_SRC, d::MALFORMED_INNER_SRC, d::MALFORMED_INNER_SRC)?;
    let other = read_prefix(&mut frame, ext::INNER_DST, d::MALFORMED_INNER_DST, d::MALFORMED_INNER_DST)?;
    if let Some((inner, other)) = inner.zip(other) {
        refuse_if(inner.ip.is_ipv6() != other.ip.is_ipv6(), d::INNER_AF_MISMATCH)?;
        let allowed = [0, TUNNEL_PROTOS[usize::from(inner.ip.is_ipv6())]];
        if source.is_some_and(|source| !allowed.contains(&source.proto)) {
            return Err(Refusal::plain(Errno::EPROTOTYPE));
        }
    }
    Err(Refusal::plain(Errno::ENOENT))
}
