//! The numbers of PF_KEY, with a type for each kind. Values: RFC 2367 and illumos `net/pfkeyv2.h`.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Not};

use serde::{Deserialize, Serialize};

/// `sadb_msg_satype`: the type of an SA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct SaType(pub u8);

impl SaType {
    /// Every type, or none in particular.
    pub(crate) const UNSPEC: Self = Self(0);
    /// Authentication Header, RFC 4302.
    pub(crate) const AH: Self = Self(2);
    /// Encapsulating Security Payload, RFC 4303.
    pub(crate) const ESP: Self = Self(3);
}

/// Security parameters index, in host byte order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Spi(pub u32);

impl fmt::Display for Spi {
    /// Hexadecimal with `0x`, the only form of an SPI in output.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// `sadb_sa_state`: the state of an SA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct SaState(pub u8);

impl SaState {
    /// Reserved by GETSPI, not usable yet.
    pub(crate) const LARVAL: Self = Self(0);
    /// Usable for all packets.
    pub(crate) const MATURE: Self = Self(1);
    /// Past its soft lifetime.
    pub(crate) const DYING: Self = Self(2);
    /// Past its hard lifetime, about to be removed.
    pub(crate) const DEAD: Self = Self(3);
    /// illumos cluster: another node uses it.
    pub(crate) const ACTIVE_ELSEWHERE: Self = Self(4);
    /// illumos cluster: idle here.
    pub(crate) const IDLE: Self = Self(5);
    /// illumos cluster: set by an update, never reported.
    pub(crate) const ACTIVE: Self = Self(6);
}

/// Authentication algorithm: `sadb_sa_auth` below 256; from 256 on, Linux algorithms without a number in PF_KEY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AuthAlg(pub u16);

impl AuthAlg {
    /// No authentication, or not given.
    pub(crate) const NONE: Self = Self(0);
}

/// Encryption algorithm: `sadb_sa_encrypt` below 256; from 256 on, Linux algorithms without a number in PF_KEY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EncrAlg(pub u16);

impl EncrAlg {
    /// Not given. ESP without encryption has [`EncrAlg::NULL`].
    pub(crate) const NONE: Self = Self(0);
    /// DES in CBC mode.
    pub(crate) const DES: Self = Self(2);
    /// Triple DES in CBC mode.
    pub(crate) const TRIPLE_DES: Self = Self(3);
    /// The NULL cipher, RFC 2410.
    pub(crate) const NULL: Self = Self(11);
}

/// `sadb_ident_type`: the form of an identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct IdentityType(pub u16);

/// `sadb_msg_type`: the type of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct MessageType(pub u8);

impl MessageType {
    /// Not a message; the type of a reply to an unknown type.
    pub(crate) const RESERVED: Self = Self(0);
    /// Reserve an SPI by a larval SA.
    pub(crate) const GETSPI: Self = Self(1);
    /// Change an SA, or complete a larval one.
    pub(crate) const UPDATE: Self = Self(2);
    /// Add a complete SA.
    pub(crate) const ADD: Self = Self(3);
    /// Remove one SA by its identity.
    pub(crate) const DELETE: Self = Self(4);
    /// Describe an SA, keys included.
    pub(crate) const GET: Self = Self(5);
    /// The kernel needs an SA, or a daemon reports a failure.
    pub(crate) const ACQUIRE: Self = Self(6);
    /// List the algorithms, and receive ACQUIRE messages.
    pub(crate) const REGISTER: Self = Self(7);
    /// A lifetime has run out.
    pub(crate) const EXPIRE: Self = Self(8);
    /// Remove all SAs of a type.
    pub(crate) const FLUSH: Self = Self(9);
    /// Describe all SAs of a type.
    pub(crate) const DUMP: Self = Self(10);
    /// Promiscuous mode: receive all messages (SADB_X_PROMISC).
    pub(crate) const PROMISC: Self = Self(11);
    /// illumos: request the proposal of the policy for a packet.
    pub(crate) const INVERSE_ACQUIRE: Self = Self(12);
    /// illumos: UPDATE of an SA and of its paired SA.
    pub(crate) const UPDATE_PAIR: Self = Self(13);
    /// illumos: DELETE of an SA and of its paired SA.
    pub(crate) const DELETE_PAIR: Self = Self(14);
    /// illumos: delete all SAs in a state.
    pub(crate) const DELETE_PAIR_STATE: Self = Self(15);
}

/// `sadb_x_msg_diagnostic` of illumos: the reason why a request was refused, 0 if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct DiagnosticCode(pub u16);

/// `sadb_sa_flags`, in the numbers of illumos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Flags(pub u32);

impl Flags {
    /// Perfect forward secrecy was used.
    pub(crate) const PFS: Self = Self(0x1);
    /// No anti-replay window (SADB_SAFLAGS_NOREPLAY).
    pub(crate) const NOREPLAY: Self = Self(0x2);
    /// The packet was behind a NAT.
    pub(crate) const NATTED: Self = Self(0x1000);
    /// An SA of the inbound table.
    pub(crate) const INBOUND: Self = Self(0x4000);
    /// An SA of the outbound table.
    pub(crate) const OUTBOUND: Self = Self(0x8000);
    /// Paired with another SA.
    pub(crate) const PAIRED: Self = Self(0x1_0000);
    /// In tunnel mode (SADB_X_SAFLAGS_TUNNEL).
    pub(crate) const TUNNEL: Self = Self(0x2_0000);
    /// A remote NAT-T address is given.
    pub(crate) const NATT_REM: Self = Self(0x8_0000);
    /// A local NAT-T address is given.
    pub(crate) const NATT_LOC: Self = Self(0x10_0000);
    /// Counter-mode cipher (set by the kernel).
    pub(crate) const EALG2: Self = Self(0x400_0000);
    /// Combined-mode cipher (set by the kernel).
    pub(crate) const EALG1: Self = Self(0x800_0000);
    /// Authentication algorithm flag 2.
    pub(crate) const AALG2: Self = Self(0x1000_0000);
    /// Authentication algorithm flag 1.
    pub(crate) const AALG1: Self = Self(0x2000_0000);
    /// Only for packets with these ports and protocol (set by the kernel).
    pub(crate) const UNIQUE: Self = Self(0x4000_0000);
    /// Has protected a packet (set by the kernel).
    pub(crate) const USED: Self = Self(0x8000_0000);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Flags {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Flags {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}
