//! The direction of an SA.

use crate::sa::{Flags, Request, direction};
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
        match (flags.has(Flags::INBOUND), flags.has(Flags::OUTBOUND)) {
            (true, false) => Some(Self::In),
            (false, true) => Some(Self::Out),
            _ => None,
        }
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
