//! The direction of an SA.

use crate::sa::direction::Directions;
use crate::sa::{Endpoint, Flags, Request, SaId, XfrmFlags, direction};
use crate::sys::net::interfaces::is_local;
use crate::wire::xfrm::number::{DIRECTION_IN, DIRECTION_OUT};

/// Inbound or outbound; Linux has an attribute for it since 6.10 (`XFRMA_SA_DIR`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SaDirection {
    In,
    Out,
}

impl SaDirection {
    /// The direction of the flags; `None` for both or neither.
    pub(super) fn from_flags(flags: Flags) -> Option<Self> {
        match Directions::declared(flags) {
            Directions::INBOUND => Some(Self::In),
            Directions::OUTBOUND => Some(Self::Out),
            _ => None,
        }
    }

    /// The direction for the kernel: `None` if Linux 6.10 and later refuse the SA with it, although older kernels, which ignore
    /// the attribute, add it. The side store holds the direction then, as it does on older kernels.
    pub(super) fn for_kernel(request: &Request) -> Option<Self> {
        Self::from_flags(request.flags).filter(|direction| !direction.conflicts_with(request))
    }

    /// Whether Linux 6.10 and later refuse the SA with this direction (`verify_newsa_info` and `verify_sa_dir_flags` in
    /// net/xfrm/xfrm_user.c): it has settings of the other direction.
    fn conflicts_with(self, request: &Request) -> bool {
        let of_inbound = [XfrmFlags::DECAP_DSCP, XfrmFlags::WILDRECV, XfrmFlags::ICMP];
        let of_outbound = [XfrmFlags::NOPMTUDISC, XfrmFlags::DONT_ENCAP_DSCP, XfrmFlags::OSEQ_MAY_WRAP];
        let has_any = |flags: [XfrmFlags; 3]| flags.into_iter().any(|flag| request.linux.flags.has(flag));
        match self {
            Self::In => has_any(of_outbound),
            Self::Out => request.replay != 0 || has_any(of_inbound),
        }
    }

    /// Whether the SA is declared outbound although its destination is an address of this host, or inbound although its source
    /// is one. Linux 6.10 and later drop each packet of such an SA.
    pub(super) fn contradicts_addresses(self, request: &Request) -> bool {
        let is_here = |end: Option<Endpoint>| end.is_some_and(|end| is_local(end.addr.to_canonical()));
        let (from_here, to_here) = (is_here(request.src), is_here(request.dst));
        match self {
            Self::Out => to_here && !from_here,
            Self::In => from_here && !to_here,
        }
    }

    /// The warning about an SA whose direction contradicts its addresses.
    pub(super) fn contradiction(self, id: &SaId) -> String {
        let (keyword, address, other) = match self {
            Self::Out => ("outbound", "destination", "inbound"),
            Self::In => ("inbound", "source", "outbound"),
        };
        format!(
            "SPI {:#x} to {}: {keyword}, but its {address} is an address of this host: Linux 6.10 and later drop its packets; \
             specify {other} in the keys file of this host",
            id.spi.0, id.dst
        )
    }

    /// The direction of the flags or else, if something depends on it, that of the addresses.
    pub(super) fn guess(request: &Request) -> Self {
        let natt = request.natt_local.is_some() || request.natt_remote.is_some();
        let matters = natt || request.replay_value.is_some() || request.linux.offload.is_some();
        // The local addresses are looked up only if needed: that is a netlink dump for each command.
        let guessed = || if matters && direction::is_inbound(request, &is_local) { Self::In } else { Self::Out };
        Self::from_flags(request.flags).unwrap_or_else(guessed)
    }

    /// The inverse of [`SaDirection::number`].
    pub(super) fn from_number(number: u8) -> Option<Self> {
        match number {
            DIRECTION_IN => Some(Self::In),
            DIRECTION_OUT => Some(Self::Out),
            _ => None,
        }
    }

    /// The value of the attribute, `XFRM_SA_DIR_IN` or `XFRM_SA_DIR_OUT`.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::In => DIRECTION_IN,
            Self::Out => DIRECTION_OUT,
        }
    }
}
