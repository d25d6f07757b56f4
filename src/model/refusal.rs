//! Why the model says no: error numbers of illumos `sys/errno.h`, diagnostic codes of its `net/pfkeyv2.h`.

use crate::sa::Diagnostic;

/// An error number in illumos numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u8);

impl Errno {
    /// No policy for an inverse acquire.
    pub const ENOENT: Self = Self(2);
    /// No such SA, no such pair.
    pub const ESRCH: Self = Self(3);
    /// No room, or too many dumps at once.
    pub const ENOMEM: Self = Self(12);
    /// Registered otherwise already.
    pub const EBUSY: Self = Self(16);
    /// SPI and destination are taken.
    pub const EEXIST: Self = Self(17);
    /// The message is wrong; the diagnostic says how.
    pub const EINVAL: Self = Self(22);
    /// The length of the message is not what its header says.
    pub const EMSGSIZE: Self = Self(97);
    /// Outer protocol and inner addresses contradict each other.
    pub const EPROTOTYPE: Self = Self(98);
    /// Not to be sent by a client, or not in this message.
    pub const EOPNOTSUPP: Self = Self(122);
}

/// A refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Error number.
    pub errno: Errno,
    /// Why; 0 says nothing more.
    pub diagnostic: Diagnostic,
}

impl Refusal {
    /// EINVAL with that diagnostic.
    pub(crate) const fn invalid(diagnostic: Diagnostic) -> Self {
        Self { errno: Errno::EINVAL, diagnostic }
    }

    /// An error number that says it all.
    pub(crate) const fn plain(errno: Errno) -> Self {
        Self { errno, diagnostic: Diagnostic(0) }
    }

    /// ESRCH with that diagnostic.
    pub(crate) const fn not_found(diagnostic: Diagnostic) -> Self {
        Self { errno: Errno::ESRCH, diagnostic }
    }

    /// EOPNOTSUPP with that diagnostic.
    pub(crate) const fn not_supported(diagnostic: Diagnostic) -> Self {
        Self { errno: Errno::EOPNOTSUPP, diagnostic }
    }
}

/// What a check gives, or why it refuses.
pub(crate) type Checked<T = ()> = Result<T, Refusal>;

/// `Err` with that diagnostic if `wrong`.
pub(crate) fn refuse_if(wrong: bool, diagnostic: Diagnostic) -> Checked {
    if wrong { Err(Refusal::invalid(diagnostic)) } else { Ok(()) }
}

/// `SADB_X_DIAGNOSTIC_*` without that prefix: the ones a request can meet.
pub(crate) mod diagnostic {
    use crate::sa::Diagnostic;

    macro_rules! diagnostics {
        ($($name:ident = $number:literal,)*) => {
            $(pub(crate) const $name: Diagnostic = Diagnostic($number);)*
        };
    }

    diagnostics! {
        NONE = 0,
        UNKNOWN_MSG = 1,
        UNKNOWN_EXT = 2,
        BAD_EXTLEN = 3,
        UNKNOWN_SATYPE = 4,
        SATYPE_NEEDED = 5,
        NO_SADBS = 6,
        NO_EXT = 7,
        BAD_SRC_AF = 8,
        BAD_DST_AF = 9,
        BAD_INNER_SRC_AF = 10,
        AF_MISMATCH = 11,
        BAD_SRC = 12,
        BAD_DST = 13,
        ALLOC_HSERR = 14,
        BYTES_HSERR = 15,
        ADDTIME_HSERR = 16,
        USETIME_HSERR = 17,
        MISSING_SRC = 18,
        MISSING_DST = 19,
        MISSING_SA = 20,
        MISSING_EKEY = 21,
        MISSING_AKEY = 22,
        MISSING_RANGE = 23,
        DUPLICATE_SRC = 24,
        DUPLICATE_DST = 25,
        DUPLICATE_SA = 26,
        DUPLICATE_EKEY = 27,
        DUPLICATE_AKEY = 28,
        DUPLICATE_RANGE = 29,
        MALFORMED_SRC = 30,
        MALFORMED_DST = 31,
        MALFORMED_EKEY = 33,
        MALFORMED_AKEY = 34,
        MALFORMED_RANGE = 35,
        AKEY_PRESENT = 36,
        EKEY_PRESENT = 37,
        PROP_PRESENT = 38,
        SUPP_PRESENT = 39,
        BAD_AALG = 40,
        BAD_EALG = 41,
        BAD_SAFLAGS = 42,
        BAD_SASTATE = 43,
        BAD_AKEYBITS = 44,
        BAD_EKEYBITS = 45,
        ENCR_NOTSUPP = 46,
        WEAK_EKEY = 47,
        DUPLICATE_KMP = 49,
        DUPLICATE_KMC = 50,
        MISSING_NATT_LOC = 51,
        MISSING_NATT_REM = 52,
        MALFORMED_NATT_LOC = 55,
        MALFORMED_NATT_REM = 56,
        MISSING_INNER_SRC = 58,
        MISSING_INNER_DST = 59,
        DUPLICATE_INNER_SRC = 60,
        DUPLICATE_INNER_DST = 61,
        MALFORMED_INNER_SRC = 62,
        MALFORMED_INNER_DST = 63,
        PREFIX_INNER_SRC = 64,
        PREFIX_INNER_DST = 65,
        BAD_INNER_DST_AF = 66,
        INNER_AF_MISMATCH = 67,
        BAD_NATT_REM_AF = 68,
        BAD_NATT_LOC_AF = 69,
        PROTO_MISMATCH = 70,
        DUAL_PORT_SETS = 72,
        PAIR_INAPPROPRIATE = 73,
        PAIR_ALREADY = 75,
        PAIR_SA_NOTFOUND = 76,
        SA_NOTFOUND = 78,
        BAD_CTX = 80,
        INVALID_REPLAY = 81,
        MISSING_LIFETIME = 82,
        BAD_LABEL = 83,
    }
}
