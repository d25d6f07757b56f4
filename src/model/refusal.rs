//! Refusals of the model: errno (illumos `sys/errno.h`) and diagnostic code (illumos `net/pfkeyv2.h`).

use crate::names::errnos;
use crate::sa::DiagnosticCode;

/// An errno in illumos numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub u8);

impl Errno {
    /// No policy for an inverse acquire.
    pub(crate) const ENOENT: Self = Self(errnos::ENOENT);
    /// The SA or its paired SA does not exist.
    pub(crate) const ESRCH: Self = Self(errnos::ESRCH);
    /// Message too long, or too many dumps at once.
    pub(crate) const ENOMEM: Self = Self(errnos::ENOMEM);
    /// The socket has a registration of the other kind.
    pub(crate) const EBUSY: Self = Self(errnos::EBUSY);
    /// An SA with this SPI and destination exists.
    pub(crate) const EEXIST: Self = Self(errnos::EEXIST);
    /// Invalid message; the diagnostic says why.
    pub(crate) const EINVAL: Self = Self(errnos::EINVAL);
    /// The length in the header differs from that of the message.
    pub(crate) const EMSGSIZE: Self = Self(errnos::EMSGSIZE);
    /// The outer protocol contradicts the family of the inner addresses.
    pub(crate) const EPROTOTYPE: Self = Self(errnos::EPROTOTYPE);
    /// The message type or an extension of it is not for clients.
    pub(crate) const EOPNOTSUPP: Self = Self(errnos::EOPNOTSUPP);
}

/// Errno and diagnostic of a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Reported in the field `sadb_msg_errno`.
    pub(crate) errno: Errno,
    /// Reported in `sadb_x_msg_diagnostic`; 0 for none.
    pub(crate) diagnostic: DiagnosticCode,
}

impl Refusal {
    /// EINVAL with a diagnostic.
    pub(crate) const fn invalid(diagnostic: DiagnosticCode) -> Self {
        Self { errno: Errno::EINVAL, diagnostic }
    }

    /// An errno without a diagnostic.
    pub(crate) const fn plain(errno: Errno) -> Self {
        Self { errno, diagnostic: DiagnosticCode(0) }
    }

    /// ESRCH with a diagnostic.
    pub(crate) const fn not_found(diagnostic: DiagnosticCode) -> Self {
        Self { errno: Errno::ESRCH, diagnostic }
    }

    /// EOPNOTSUPP with a diagnostic.
    pub(crate) const fn not_supported(diagnostic: DiagnosticCode) -> Self {
        Self { errno: Errno::EOPNOTSUPP, diagnostic }
    }
}

/// Result of a check.
pub(crate) type Checked<T = ()> = Result<T, Refusal>;

/// EINVAL with `diagnostic` if `condition` is true.
pub(crate) fn refuse_if(condition: bool, diagnostic: DiagnosticCode) -> Checked {
    if condition { Err(Refusal::invalid(diagnostic)) } else { Ok(()) }
}

/// `SADB_X_DIAGNOSTIC_*` without the prefix: those that a request can cause.
pub(crate) mod diagnostic {
    use crate::sa::DiagnosticCode;

    macro_rules! diagnostics {
        ($($name:ident = $number:literal,)*) => {
            $(pub(crate) const $name: DiagnosticCode = DiagnosticCode($number);)*
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
        PAIR_SA_NOTFOUND = 76,
        SA_NOTFOUND = 78,
        BAD_CTX = 80,
        INVALID_REPLAY = 81,
        MISSING_LIFETIME = 82,
        BAD_LABEL = 83,
    }
}
