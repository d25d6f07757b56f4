//! What an SADB says: a PF_KEY message as values, in the order of its extensions.
//!
//! The PF_KEY backends decode it from bytes, the XFRM backend builds it from netlink messages; `show` prints it.
//! Nothing here derives `Debug` if it can hold a key.

use std::net::IpAddr;

use super::{
    AuthAlg, Diagnostic, EncrAlg, Flags, IdentityType, Lifetime, LifetimeKind, LinuxInfo, MessageType, SaId, SaState,
    SaType, Spi,
};
use crate::secret::Key;

/// One PF_KEY message (RFC 2367 section 2.1).
pub struct Message {
    /// `sadb_msg_version`, 2.
    pub version: u8,
    /// What is asked or reported.
    pub kind: MessageType,
    /// Error number in the numbering of the SADB's system; 0 for none.
    pub errno: u8,
    /// Which database.
    pub sa_type: SaType,
    /// Length in bytes that the header declares.
    pub byte_len: usize,
    /// illumos: why it failed. Elsewhere 0.
    pub diagnostic: Diagnostic,
    /// Sequence number.
    pub seq: u32,
    /// Process it belongs to; 0 for the kernel's own.
    pub pid: u32,
    /// The extensions, in message order.
    pub extensions: Vec<Extension>,
}

/// One extension of a message (RFC 2367 section 2.3, illumos `pfkeyv2.h`).
pub enum Extension {
    /// SA.
    Association(Association),
    /// LIFETIME_CURRENT, _HARD, _SOFT, X_LIFETIME_IDLE.
    Lifetime(LifetimeKind, Lifetime),
    /// ADDRESS_*.
    Address(AddressRole, AddressInfo),
    /// KEY_AUTH, KEY_ENCRYPT.
    Key(KeyRole, Key),
    /// IDENTITY_SRC, IDENTITY_DST.
    Identity(Side, Identity),
    /// PROPOSAL: default replay window and what the kernel would accept.
    Proposal {
        /// Replay window.
        replay: u8,
        /// Choices, best first.
        combinations: Vec<Combination>,
    },
    /// SUPPORTED_AUTH, SUPPORTED_ENCRYPT.
    Supported(KeyRole, Vec<SupportedAlgorithm>),
    /// SPIRANGE, for GETSPI.
    SpiRange {
        /// Lowest acceptable.
        min: Spi,
        /// Highest acceptable.
        max: Spi,
    },
    /// X_EREG: SA types to register for, up to the first 0.
    ExtendedRegister(Vec<SaType>),
    /// X_EPROP: proposals for several SA types at once.
    ExtendedProposal {
        /// Replay window.
        replay: u8,
        /// Choices, best first.
        combinations: Vec<ExtendedCombination>,
    },
    /// X_KM_COOKIE.
    KmCookie {
        /// Key management protocol: 0 manual, 1 IKE, 2 KINK, 3 IKEv2.
        proto: u32,
        /// Its own number.
        cookie: u64,
    },
    /// X_PAIR.
    Pair(Spi),
    /// X_REPLAY_VALUE.
    ReplayValue {
        /// 32-bit counter, 0 if the other is meant.
        value32: u32,
        /// 64-bit counter.
        value64: u64,
    },
    /// X_EDUMP: only SAs idle for this many seconds.
    ExtendedDump {
        /// Seconds.
        timeout: u64,
    },
    /// Linux XFRM: what PF_KEY has no words for. Never on the wire of PF_KEY.
    Linux(Box<LinuxInfo>),
    /// Linux X_SA2: what `struct sadb_sa` has no room for.
    SecondAssociation {
        /// 1 transport, 2 tunnel, 3 BEET; 0 any.
        mode: u8,
        /// Sequence number.
        sequence: u32,
        /// Request id, which ties SAs to policies.
        reqid: u32,
    },
    /// Linux X_NAT_T_TYPE: 2 is UDP encapsulation of ESP (RFC 3948).
    NattType(u8),
    /// Linux X_NAT_T_SPORT, X_NAT_T_DPORT: UDP port, host order.
    NattPort(Side, u16),
    /// Anything else, whole (header included), so that it can be shown. May be of a known type but the wrong size.
    Unknown {
        /// Extension type.
        kind: u16,
        /// All bytes, the 4-byte header included; a multiple of 8.
        bytes: crate::secret::Buffer,
    },
}

/// The SA extension (RFC 2367 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Association {
    /// Security parameters index.
    pub spi: Spi,
    /// Replay window.
    pub replay: u8,
    /// State.
    pub state: SaState,
    /// Authentication algorithm.
    pub auth: AuthAlg,
    /// Encryption algorithm.
    pub encr: EncrAlg,
    /// Flags.
    pub flags: Flags,
}

/// Which address an address extension is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressRole {
    /// Outer source.
    Source,
    /// Outer destination.
    Destination,
    /// Inner source of a tunnel (RFC 2367: proxy).
    InnerSource,
    /// Inner destination of a tunnel.
    InnerDestination,
    /// NAT-T local.
    NattLocal,
    /// NAT-T remote.
    NattRemote,
}

/// An address extension: sockaddr plus protocol and prefix length (RFC 2367 section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressInfo {
    /// Upper-layer protocol.
    pub proto: u8,
    /// Prefix length as on the wire: of a mapped IPv4 address it counts 96 more.
    pub prefix_len: u8,
    /// Address family number as on the wire.
    pub family: u16,
    /// Address; `None` if the family is not an IP one. A mapped IPv4 address stays IPv6 here.
    pub addr: Option<IpAddr>,
    /// Port, host order.
    pub port: u16,
}

/// Which key a key extension, or which algorithms a supported extension is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyRole {
    /// Authentication.
    Auth,
    /// Encryption.
    Encr,
}

/// Source or destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Source.
    Source,
    /// Destination.
    Destination,
}

/// An identity (RFC 2367 section 2.3.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// What kind of name.
    pub kind: IdentityType,
    /// `sadb_ident_id`, a user id; illumos always reports 0.
    pub id: u64,
    /// The name, without the terminating NUL.
    pub value: Vec<u8>,
}

/// One row of SUPPORTED_AUTH or SUPPORTED_ENCRYPT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SupportedAlgorithm {
    /// Algorithm number.
    pub id: u8,
    /// IV length in bytes.
    pub iv_len: u8,
    /// Shortest key in bits.
    pub min_bits: u16,
    /// Longest key in bits.
    pub max_bits: u16,
    /// Step between key lengths in bits.
    pub increment: u8,
    /// Salt in bits.
    pub salt_bits: u8,
}

/// One row of PROPOSAL (`struct sadb_comb`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Combination {
    /// Authentication algorithm.
    pub auth: AuthAlg,
    /// Encryption algorithm.
    pub encr: EncrAlg,
    /// Flags.
    pub flags: u16,
    /// Authentication key bits, shortest and longest.
    pub auth_bits: (u16, u16),
    /// Encryption key bits, shortest and longest.
    pub encr_bits: (u16, u16),
    /// illumos: salt bits of the encryption key.
    pub salt_bits: u8,
    /// Soft limits.
    pub soft: Lifetime,
    /// Hard limits.
    pub hard: Lifetime,
}

/// One row of X_EPROP (`struct sadb_x_ecomb` and its algorithms).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtendedCombination {
    /// Flags.
    pub flags: u16,
    /// Soft limits.
    pub soft: Lifetime,
    /// Hard limits.
    pub hard: Lifetime,
    /// The algorithms that go together.
    pub algorithms: Vec<ExtendedAlgorithm>,
}

/// One algorithm of an [`ExtendedCombination`] (`struct sadb_x_algdesc`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtendedAlgorithm {
    /// AH or ESP.
    pub sa_type: SaType,
    /// 1 authentication, 2 encryption, 3 compression.
    pub kind: u8,
    /// Algorithm number.
    pub alg: u8,
    /// Salt bits, or a reserved byte.
    pub reserved: u8,
    /// Key bits, shortest and longest.
    pub bits: (u16, u16),
}

impl Message {
    /// The SA extension, if there is one.
    #[must_use]
    pub fn association(&self) -> Option<&Association> {
        self.extensions.iter().find_map(|ext| match ext {
            Extension::Association(sa) => Some(sa),
            _ => None,
        })
    }

    /// The name of the SA that this is about; `None` if it does not say one whole.
    #[must_use]
    pub fn id(&self) -> Option<SaId> {
        let dst = self.address(AddressRole::Destination)?.addr?.to_canonical();
        let mark = self.linux().and_then(|linux| linux.extras.mark);
        Some(SaId { sa_type: self.sa_type, spi: self.association()?.spi, dst, mark })
    }

    /// The first address of that role.
    #[must_use]
    pub fn address(&self, role: AddressRole) -> Option<&AddressInfo> {
        self.extensions.iter().find_map(|ext| match ext {
            Extension::Address(r, info) if *r == role => Some(info),
            _ => None,
        })
    }

    /// The first lifetime of that kind.
    #[must_use]
    pub fn lifetime(&self, kind: LifetimeKind) -> Option<&Lifetime> {
        self.extensions.iter().find_map(|ext| match ext {
            Extension::Lifetime(k, lifetime) if *k == kind => Some(lifetime),
            _ => None,
        })
    }

    /// What Linux XFRM says beyond PF_KEY, if the message is from there.
    #[must_use]
    pub fn linux(&self) -> Option<&LinuxInfo> {
        self.extensions.iter().find_map(|ext| match ext {
            Extension::Linux(info) => Some(&**info),
            _ => None,
        })
    }

    /// The first key of that role.
    #[must_use]
    pub fn key(&self, role: KeyRole) -> Option<&Key> {
        self.extensions.iter().find_map(|ext| match ext {
            Extension::Key(r, key) if *r == role => Some(key),
            _ => None,
        })
    }
}
