//! When an SA or a policy of the service was added: the time distinguishes it from one that another program added later.

use crate::sys::time::unix_now;

use serde::{Deserialize, Serialize};

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Added {
    /// At this time, as the kernel reports it.
    At(u64),
    /// Recorded before the addition: at this time or later, or not at all.
    Since(u64),
    /// Added at the first time and about to be replaced: then at the second time or later.
    Again(u64, u64),
}

impl Added {
    /// For an SA or a policy that is about to be added.
    pub(crate) fn soon() -> Self {
        Self::Since(about_now())
    }

    /// For one that is about to be replaced.
    pub(crate) fn again(self) -> Self {
        match self {
            Self::At(time) => Self::Again(time, about_now()),
            interrupted => interrupted,
        }
    }

    /// Whether one that was added at `time` may be the recorded one.
    pub(crate) fn fits(self, time: u64) -> bool {
        match self {
            Self::At(added) => time == added,
            Self::Since(earliest) => time >= earliest,
            Self::Again(added, earliest) => time == added || time >= earliest,
        }
    }
}

/// One second early: the kernel's clock of whole seconds may be a tick behind this one.
pub(super) fn about_now() -> u64 {
    unix_now().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_rejects_later_additions() {
        assert!(Added::At(7).fits(7) && !Added::At(7).fits(8));
        assert!(Added::Since(7).fits(8) && !Added::Since(7).fits(6));
        let again = Added::Again(3, 7);
        assert!(again.fits(3) && again.fits(8) && !again.fits(5));
    }
}
