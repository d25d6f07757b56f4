//! When an SA or a policy of the service was added: what tells it from one that another program has added since.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// When an SA or a policy was added, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Added {
    /// Then, as the SADB tells.
    At(u64),
    /// Not before then, if at all.
    Since(u64),
    /// At the first moment; but it is about to be put there again, and then it was not before the second.
    Again(u64, u64),
}

impl Added {
    /// About to be added.
    pub(crate) fn soon() -> Self {
        Self::Since(about_now())
    }

    /// About to be put there again.
    pub(crate) fn again(self) -> Self {
        match self {
            Self::At(moment) => Self::Again(moment, about_now()),
            cut_off => cut_off,
        }
    }

    /// Whether what was added at that second may be what is meant.
    pub(crate) fn fits(self, added: u64) -> bool {
        match self {
            Self::At(moment) => added == moment,
            Self::Since(moment) => added >= moment,
            Self::Again(moment, again) => added == moment || added >= again,
        }
    }
}

/// The kernel's clock of whole seconds may be a tick behind.
pub(super) fn about_now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sa_that_came_later_is_not_the_services() {
        assert!(Added::At(7).fits(7) && !Added::At(7).fits(8));
        assert!(Added::Since(7).fits(8) && !Added::Since(7).fits(6));
        let again = Added::Again(3, 7);
        assert!(again.fits(3) && again.fits(8) && !again.fits(5));
    }
}
