//! Paired SAs, which the Linux kernel does not have.
//!
//! ipseckey(1M): the two SAs of a pair have opposite directions between the same two addresses. Here a pair is valid while the
//! kernel has both SAs and their entries in the side store name each other.

use nix::errno::Errno;

use crate::sa::{DiagnosticCode, SaId, Spi};
use crate::sadb::linux::side_store::SideEntry;
use crate::sadb::linux::xfrm::{SadbError, Xfrm};
use crate::wire::xfrm::SaInfo;
use crate::wire::xfrm::fixed::RawAddress;

/// The paired SA of another one.
pub(super) struct PeerSa {
    pub(super) id: SaId,
    pub(super) entry: SideEntry,
}

/// EINVAL, as if the kernel had refused the request.
fn refused<T>(text: String) -> Result<T, SadbError> {
    Err(SadbError::Refused { errno: Errno::EINVAL as i32, diagnostic: DiagnosticCode::default(), text })
}

/// The identity of the SA with that SPI in the opposite direction of `info`.
pub(super) fn opposite(id: &SaId, info: &SaInfo, spi: Spi) -> Option<SaId> {
    let dst = info.src.ip(info.family).filter(|src| !src.is_unspecified())?;
    Some(SaId { spi, dst, ..*id })
}

/// Whether the source of `peer` is the destination of `info`, or unspecified.
fn is_reverse(peer: &SaInfo, info: &SaInfo) -> bool {
    peer.src == info.dst || peer.src == RawAddress::default()
}

impl Xfrm {
    /// Finds the SA that `pair_spi` requests as the peer of `id`; it must exist and be unpaired. `paired` is the present peer
    /// of `id`.
    pub(super) fn find_new_peer(
        &mut self,
        pair_spi: Option<Spi>,
        id: &SaId,
        info: &SaInfo,
        paired: Option<Spi>,
    ) -> Result<Option<PeerSa>, SadbError> {
        let Some(spi) = pair_spi else { return Ok(None) };
        if spi.0 == 0 || spi == id.spi {
            return refused(format!("pair-spi {spi}: specify the SPI of another SA"));
        }
        if paired.is_some() && self.peer_of(id, info).is_some() {
            return refused(format!("the SA with SPI {} is already paired", id.spi));
        }
        let Some(peer) = opposite(id, info, spi) else {
            return refused(format!("pair-spi {spi}: an SA without a source address cannot be paired; specify src"));
        };
        let live = match self.get_live(&peer) {
            Ok(live) if is_reverse(&live.info, info) => live,
            Err(error) if !error.is_missing() => return Err(error),
            _ => return refused(format!("pair-spi {spi}: no SA with this SPI from {} to {}", id.dst, peer.dst)),
        };
        let entry = self.side_entry(&peer, live.info.current.add_time);
        if entry.pair.is_some() && self.peer_of(&peer, &live.info).is_some() {
            return refused(format!("pair-spi {spi}: this SA is already paired"));
        }
        Ok(Some(PeerSa { id: peer, entry }))
    }

    /// The paired SA, if the pair is still valid.
    pub(super) fn peer_of(&mut self, id: &SaId, info: &SaInfo) -> Option<PeerSa> {
        let spi = self.side_entry(id, info.current.add_time).pair?;
        let peer = opposite(id, info, spi)?;
        let live = self.get_live(&peer).ok()?;
        let entry = self.side_entry(&peer, live.info.current.add_time);
        (entry.pair == Some(id.spi)).then_some(PeerSa { id: peer, entry })
    }
}
