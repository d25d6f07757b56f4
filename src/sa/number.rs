//! The numbers of PF_KEY, each a type of its own. Values: RFC 2367 and illumos `net/pfkeyv2.h`.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Not};

use serde::{Deserialize, Serialize};

/// `sadb_msg_satype`: which database. 0 means all or none in particular.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SaType(pub u8);

impl SaType {
    /// No type, or every type.
    pub const UNSPEC: Self = Self(0);
    /// Authentication Header, RFC 4302.
    pub const AH: Self = Self(2);
    /// Encapsulating Security Payload, RFC 4303.
    pub const ESP: Self = Self(3);
}

/// Security parameters index, in host byte order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spi(pub u32);

impl fmt::Display for Spi {
    /// `0x` and lower-case hexadecimal, as everything in this project writes an SPI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// `sadb_sa_state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SaState(pub u8);

impl SaState {
    /// Reserved by GETSPI, not usable yet.
    pub const LARVAL: Self = Self(0);
    /// In use.
    pub const MATURE: Self = Self(1);
    /// Past its soft lifetime.
    pub const DYING: Self = Self(2);
    /// Past its hard lifetime, about to be removed.
    pub const DEAD: Self = Self(3);
    /// illumos cluster: another node uses it.
    pub const ACTIVE_ELSEWHERE: Self = Self(4);
    /// illumos cluster: idle here.
    pub const IDLE: Self = Self(5);
    /// illumos cluster: asked for by an update, never reported.
    pub const ACTIVE: Self = Self(6);
}

/// Authentication algorithm: `sadb_sa_auth` below 256; from 256 on, Linux algorithms that PF_KEY has no number for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthAlg(pub u16);

impl AuthAlg {
    /// No authentication.
    pub const NONE: Self = Self(0);
}

/// Encryption algorithm: `sadb_sa_encrypt` below 256; from 256 on, Linux algorithms that PF_KEY has no number for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EncrAlg(pub u16);

impl EncrAlg {
    /// Not given. ESP that only authenticates says [`EncrAlg::NULL`] instead.
    pub const NONE: Self = Self(0);
    /// DES-CBC.
    pub const DES: Self = Self(2);
    /// Triple DES in CBC mode.
    pub const TRIPLE_DES: Self = Self(3);
    /// The NULL cipher, RFC 2410.
    pub const NULL: Self = Self(11);
}

/// `sadb_ident_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IdentityType(pub u16);

/// `sadb_msg_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MessageType(pub u8);

impl MessageType {
    /// No message; the type of an answer to an unknown type.
    pub const RESERVED: Self = Self(0);
    /// Reserve an SPI.
    pub const GETSPI: Self = Self(1);
    /// Change an SA, or complete a larval one.
    pub const UPDATE: Self = Self(2);
    /// Add an SA.
    pub const ADD: Self = Self(3);
    /// Remove an SA.
    pub const DELETE: Self = Self(4);
    /// Describe an SA, keys included.
    pub const GET: Self = Self(5);
    /// The kernel wants an SA, or a daemon reports failure.
    pub const ACQUIRE: Self = Self(6);
    /// Ask for algorithms and for ACQUIRE messages.
    pub const REGISTER: Self = Self(7);
    /// A lifetime has run out.
    pub const EXPIRE: Self = Self(8);
    /// Remove all SAs of a type.
    pub const FLUSH: Self = Self(9);
    /// Describe all SAs of a type.
    pub const DUMP: Self = Self(10);
    /// Hear everything (SADB_X_PROMISC).
    pub const PROMISC: Self = Self(11);
    /// illumos: ask for the policy-driven proposal.
    pub const INVERSE_ACQUIRE: Self = Self(12);
    /// illumos: UPDATE that reaches the paired SA too.
    pub const UPDATE_PAIR: Self = Self(13);
    /// illumos: DELETE that reaches the paired SA too.
    pub const DELETE_PAIR: Self = Self(14);
    /// illumos: delete all SAs in a state.
    pub const DELETE_PAIR_STATE: Self = Self(15);
}

/// `sadb_x_msg_diagnostic` of illumos: why a request was refused. 0 says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Diagnostic(pub u16);

/// `sadb_sa_flags`, illumos numbering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u32);

impl Flags {
    /// Perfect forward secrecy was used.
    pub const PFS: Self = Self(0x1);
    /// No replay protection.
    pub const NOREPLAY: Self = Self(0x2);
    /// The packet was behind a NAT.
    pub const NATTED: Self = Self(0x1000);
    /// Look for, or insert into, the inbound table.
    pub const INBOUND: Self = Self(0x4000);
    /// Look for, or insert into, the outbound table.
    pub const OUTBOUND: Self = Self(0x8000);
    /// Linked with another SA.
    pub const PAIRED: Self = Self(0x1_0000);
    /// Tunnel mode.
    pub const TUNNEL: Self = Self(0x2_0000);
    /// A remote NAT-T address is given.
    pub const NATT_REM: Self = Self(0x8_0000);
    /// A local NAT-T address is given.
    pub const NATT_LOC: Self = Self(0x10_0000);
    /// Counter-mode cipher (set by the kernel).
    pub const EALG2: Self = Self(0x400_0000);
    /// Combined-mode cipher (set by the kernel).
    pub const EALG1: Self = Self(0x800_0000);
    /// Authentication algorithm flag 2.
    pub const AALG2: Self = Self(0x1000_0000);
    /// Authentication algorithm flag 1.
    pub const AALG1: Self = Self(0x2000_0000);
    /// Only for packets with these ports and protocol (set by the kernel).
    pub const UNIQUE: Self = Self(0x4000_0000);
    /// Has protected a packet (set by the kernel).
    pub const USED: Self = Self(0x8000_0000);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
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
