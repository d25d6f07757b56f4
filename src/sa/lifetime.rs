//! How long an SA may live, and how long it has lived.

/// Which lifetime a [`Lifetime`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LifetimeKind {
    /// What has been used so far: bytes protected, moment added, moment first used (seconds since 1970).
    Current,
    /// The SA is removed when one of these is reached.
    Hard,
    /// An EXPIRE is sent and the state becomes dying when one of these is reached.
    Soft,
    /// illumos: seconds without use after which an EXPIRE asks for revalidation.
    Idle,
}

impl LifetimeKind {
    /// Its word, as in `hard_addtime`.
    #[must_use]
    pub fn word(self) -> &'static str {
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
pub struct Lifetime {
    /// Number of flows or connections; carried, never enforced.
    pub allocations: u32,
    /// Bytes protected.
    pub bytes: u64,
    /// Seconds since the SA was added (of the current lifetime: the moment).
    pub addtime: u64,
    /// Seconds since the SA was first used (of the current lifetime: the moment).
    pub usetime: u64,
}

impl Lifetime {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}
