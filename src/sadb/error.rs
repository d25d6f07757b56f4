//! Errors of requests to an SADB. No variant can hold a key.

use std::io;

use crate::names::{diagnostics, errnos};
use crate::sa::DiagnosticCode;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SadbError {
    /// The SADB replied with an error.
    #[error("{text}{}", reason(*diagnostic))]
    Refused {
        /// Errno in the numbering of the SADB's system.
        errno: i32,
        /// illumos: the diagnostic code, 0 for none.
        diagnostic: DiagnosticCode,
        /// Text of the errno, the SADB's own message and a hint.
        text: String,
    },
    /// This SADB cannot represent the request; nothing was sent.
    #[error("{0}")]
    Unsupported(String),
    /// No reply within the deadline.
    #[error("no reply within {seconds} seconds")]
    Timeout {
        /// The deadline in seconds.
        seconds: u64,
    },
    /// No reply, after an earlier request of the same batch got none.
    #[error("outcome unknown: no reply (an earlier request of the batch failed)")]
    OutcomeUnknown,
    /// The reply is malformed or does not fit the request.
    #[error("unusable reply: {0}")]
    BadReply(String),
    /// The SADB cannot be reached.
    #[error("{what}: {source}")]
    Unavailable {
        /// What failed, and what to do about it.
        what: String,
        /// The error of the system call.
        source: io::Error,
    },
    /// Sending or receiving on the socket failed.
    #[error("the SADB's socket: {0}")]
    Io(#[from] io::Error),
}

/// Number and text of a diagnostic code, in parentheses. Neither depends on the values of the request.
fn reason(diagnostic: DiagnosticCode) -> String {
    match diagnostic.0 {
        0 => String::new(),
        number => format!(" (diagnostic code {number}: {})", diagnostics::text(diagnostic)),
    }
}

impl SadbError {
    /// ESRCH: the SA, or another one that the request needs, does not exist.
    #[must_use]
    pub(crate) fn is_missing(&self) -> bool {
        self.has_errno(errnos::ESRCH)
    }

    /// EEXIST: an SA with the same identity exists.
    #[must_use]
    pub(crate) fn is_already_present(&self) -> bool {
        self.has_errno(errnos::EEXIST)
    }

    fn has_errno(&self, expected: u8) -> bool {
        matches!(self, Self::Refused { errno, .. } if *errno == i32::from(expected))
    }
}

pub(super) fn refuse<T>(text: String) -> Result<T, SadbError> {
    Err(SadbError::Unsupported(text))
}
