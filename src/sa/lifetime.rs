//! The lifetimes of an SA: limits, and use so far.

/// The meaning of the values of a [`Lifetime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LifetimeKind {
    /// Use so far: bytes protected, time of addition, time of first use (seconds since 1970).
    Current,
    /// The SA is removed when one of these is reached.
    Hard,
    /// An EXPIRE is sent and the state becomes dying when one of these is reached.
    Soft,
    /// illumos: seconds without use after which an EXPIRE asks for revalidation.
    Idle,
}

impl LifetimeKind {
    /// The prefix of the keywords, as in `hard_addtime`.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::Idle => "idle",
        }
    }
}

/// The four values of a lifetime (RFC 2367 section 2.3.2). 0 means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lifetime {
    /// Number of flows or connections; carried, never enforced.
    pub(crate) allocations: u32,
    /// Bytes that the SA has protected or may protect.
    pub(crate) bytes: u64,
    /// Seconds since the SA was added; in the current lifetime the time of addition.
    pub(crate) addtime: u64,
    /// Seconds since the SA was first used; in the current lifetime the time of first use.
    pub(crate) usetime: u64,
}

impl Lifetime {
    /// True if all values are 0.
    #[must_use]
    pub(crate) fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}
