//! What can go wrong between a request and its answer. No variant can hold a key.

use std::io;

use crate::sa::Diagnostic;

/// Why an SADB did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SadbError {
    /// The SADB answered with an error.
    #[error("{text}")]
    Refused {
        /// Error number as the answer carries it, in the numbering of the SADB's system.
        errno: i32,
        /// illumos: the diagnostic code, 0 for none.
        diagnostic: Diagnostic,
        /// What the number means, and what the SADB said besides.
        text: String,
    },
    /// This SADB cannot hold what was asked for; nothing was sent.
    #[error("{0}")]
    Unsupported(String),
    /// No answer within the deadline.
    #[error("no answer within {seconds} seconds")]
    Timeout {
        /// The deadline.
        seconds: u64,
    },
    /// The answer went missing together with that to an earlier request.
    #[error("what became of it is not known: its answer was lost with the one before")]
    OutcomeUnknown,
    /// The answer was not one to the request, or not well formed.
    #[error("unusable answer: {0}")]
    BadReply(String),
    /// The SADB cannot be reached.
    #[error("{what}: {source}")]
    Unavailable {
        /// What was tried, and what would help.
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the SADB's socket: {0}")]
    Io(#[from] io::Error),
}

/// These numbers are the same on every system whose SADB this program talks to.
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;

impl SadbError {
    /// Whether the SADB says that there is no such SA, or none that the request needs.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { errno: ESRCH, .. })
    }

    /// Whether the SADB says that there is such an SA already.
    #[must_use]
    pub fn is_already_present(&self) -> bool {
        matches!(self, Self::Refused { errno: EEXIST, .. })
    }
}

/// Says that this SADB cannot hold what was asked for.
pub(super) fn refuse<T>(text: String) -> Result<T, SadbError> {
    Err(SadbError::Unsupported(text))
}
