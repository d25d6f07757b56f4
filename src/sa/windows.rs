//! When the SA of a key chain is accepted and sent with.

use super::StaticDefault;

/// A span of time, in seconds since 1970 by the system clock; without an end, unlimited on that side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// The first second of it.
    pub(crate) from: Option<u64>,
    /// The first second after it.
    pub(crate) until: Option<u64>,
}

impl Window {
    /// Both sides are unlimited.
    pub(crate) const ALWAYS: Self = Self { from: None, until: None };

    /// Whether `time` is in it.
    #[must_use]
    pub(crate) fn contains(self, time: u64) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time < until)
    }

    /// Whether no time is in it.
    #[must_use]
    pub(crate) fn is_empty(self) -> bool {
        matches!((self.from, self.until), (Some(from), Some(until)) if until <= from)
    }

    /// The times at which it begins and ends.
    pub(crate) fn edges(self) -> impl Iterator<Item = u64> {
        [self.from, self.until].into_iter().flatten()
    }
}

/// The windows of an SA: `accept_from`, `accept_until`, `send_from` and `send_until` of a keys file. No SADB has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Windows {
    /// While an inbound SA is accepted.
    pub(crate) accept: Window,
    /// While an outbound SA is sent with.
    pub(crate) send: Window,
}

impl StaticDefault for Windows {
    const DEFAULT: &'static Self = &Self { accept: Window::ALWAYS, send: Window::ALWAYS };
}

impl Windows {
    /// Whether the SA is part of a key chain: at least one side of a window is limited.
    #[must_use]
    pub(crate) fn are_limited(&self) -> bool {
        self != Self::DEFAULT
    }
}
