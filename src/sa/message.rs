//! Messages of an SADB: a PF_KEY message as values, with its extensions in order.
//!
//! The PF_KEY backends decode it from bytes, the XFRM backend builds it from netlink messages; `show` prints it.
//! Nothing here derives `Debug` if it can hold a key.

use std::net::IpAddr;

use super::{
    AuthAlg, DiagnosticCode, EncrAlg, Flags, IdentityType, Lifetime, LifetimeKind, LinuxInfo, MessageType, SaId, SaState,
    SaType, Spi,
};
use crate::secret::Key;

/// One PF_KEY message (RFC 2367 section 2.1).
pub(crate) struct Message {
    /// `sadb_msg_version`: 2 in RFC 2367.
    pub(crate) version: u8,
    /// `sadb_msg_type`: the request or the report.
    pub(crate) kind: MessageType,
    /// Error number in the numbering of the SADB's system; 0 for none.
    pub(crate) errno: u8,
    /// `sadb_msg_satype`: the database, or 0.
    pub(crate) sa_type: SaType,
    /// Length in bytes that the header declares.
    pub(crate) byte_len: usize,
    /// illumos: the reason behind `errno`. 0 on other systems.
    pub(crate) diagnostic: DiagnosticCode,
    /// `sadb_msg_seq`: the same in request and reply.
    pub(crate) seq: u32,
    /// `sadb_msg_pid`: the process of the request; 0 for messages of the kernel.
    pub(crate) pid: u32,
    /// The extensions, in message order.
    pub(crate) extensions: Vec<Extension>,
}

/// One extension of a message (RFC 2367 section 2.3, illumos `pfkeyv2.h`).
pub(crate) enum Extension {
    /// The SA extension (RFC 2367 section 2.3.1).
    Association(Association),
    /// LIFETIME_CURRENT, _HARD, _SOFT, X_LIFETIME_IDLE.
    Lifetime(LifetimeKind, Lifetime),
    /// ADDRESS_SRC and the other address extensions.
    Address(AddressRole, AddressInfo),
    /// KEY_AUTH or KEY_ENCRYPT, wiped when dropped.
    Key(KeyRole, Key),
    /// IDENTITY_SRC or IDENTITY_DST, as strings.
    Identity(Side, Identity),
    /// PROPOSAL: the default anti-replay window and the combinations that the kernel would accept.
    Proposal {
        /// Default anti-replay window in packets.
        replay: u8,
        /// Acceptable combinations, the preferred one first.
        combinations: Vec<Combination>,
    },
    /// SUPPORTED_AUTH or SUPPORTED_ENCRYPT of a REGISTER reply.
    Supported(KeyRole, Vec<SupportedAlgorithm>),
    /// SPIRANGE: the SPIs that GETSPI may return.
    SpiRange {
        /// The lowest acceptable SPI.
        min: Spi,
        /// The highest acceptable SPI.
        max: Spi,
    },
    /// X_EREG: SA types to register for, up to the first 0.
    ExtendedRegister(Vec<SaType>),
    /// X_EPROP: proposals for several SA types at once.
    ExtendedProposal {
        /// Default anti-replay window in packets.
        replay: u8,
        /// Acceptable combinations, the preferred one first.
        combinations: Vec<ExtendedCombination>,
    },
    /// X_KM_COOKIE: the key management daemon.
    KmCookie {
        /// Key management protocol: 0 manual, 1 IKE, 2 KINK, 3 IKEv2.
        proto: u32,
        /// The number that the daemon has chosen.
        cookie: u64,
    },
    /// X_PAIR: the SPI of the paired SA.
    Pair(Spi),
    /// X_REPLAY_VALUE: the current sequence number.
    ReplayValue {
        /// 32-bit counter, 0 if the other is meant.
        value32: u32,
        /// 64-bit counter, 0 if the other is meant.
        value64: u64,
    },
    /// X_EDUMP: only SAs idle for this many seconds.
    ExtendedDump {
        /// Idle time in seconds.
        timeout: u64,
    },
    /// Values of Linux XFRM that PF_KEY cannot express. Never part of a PF_KEY message.
    Linux(Box<LinuxInfo>),
    /// Linux X_SA2: values that `struct sadb_sa` has no fields for.
    SecondAssociation {
        /// 1 transport, 2 tunnel, 3 BEET; 0 any.
        mode: u8,
        /// `sadb_x_sa2_sequence`: the last sequence number.
        sequence: u32,
        /// Request id, which ties SAs to policies.
        reqid: u32,
    },
    /// Linux X_NAT_T_TYPE: 2 is UDP encapsulation of ESP (RFC 3948).
    NattType(u8),
    /// Linux X_NAT_T_SPORT, X_NAT_T_DPORT: UDP port, host order.
    NattPort(Side, u16),
    /// Any other extension, as bytes for printing. It may be of a known type with an invalid length.
    Unknown {
        /// `sadb_ext_type`: the type of the extension.
        kind: u16,
        /// All bytes, the 4-byte header included; a multiple of 8.
        bytes: crate::secret::Buffer,
    },
}

/// The SA extension (RFC 2367 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Association {
    /// `sadb_sa_spi`, in host byte order.
    pub(crate) spi: Spi,
    /// `sadb_sa_replay`: anti-replay window in packets.
    pub(crate) replay: u8,
    /// `sadb_sa_state`: larval, mature, dying or dead.
    pub(crate) state: SaState,
    /// `sadb_sa_auth`: authentication algorithm, or none.
    pub(crate) auth: AuthAlg,
    /// `sadb_sa_encrypt`: encryption algorithm, or none.
    pub(crate) encr: EncrAlg,
    /// `sadb_sa_flags`, in the numbers of illumos.
    pub(crate) flags: Flags,
}

/// Which address an address extension is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AddressRole {
    /// ADDRESS_SRC: the outer source.
    Source,
    /// ADDRESS_DST: the outer destination.
    Destination,
    /// Inner source of a tunnel (RFC 2367: proxy).
    InnerSource,
    /// Inner destination of a tunnel.
    InnerDestination,
    /// X_ADDRESS_NATT_LOC: the local end of the UDP encapsulation.
    NattLocal,
    /// X_ADDRESS_NATT_REM: the remote end of the UDP encapsulation.
    NattRemote,
}

/// An address extension: sockaddr plus protocol and prefix length (RFC 2367 section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressInfo {
    /// Upper-layer protocol, 0 for any.
    pub(crate) proto: u8,
    /// Prefix length as on the wire: of a mapped IPv4 address it counts 96 more.
    pub(crate) prefix_len: u8,
    /// Address family number as on the wire.
    pub(crate) family: u16,
    /// Address; `None` if the family is not an IP one. A mapped IPv4 address stays IPv6 here.
    pub(crate) addr: Option<IpAddr>,
    /// Port in host byte order, 0 for any.
    pub(crate) port: u16,
}

/// The use of a key or an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyRole {
    /// The key or algorithms of authentication.
    Auth,
    /// The key or algorithms of encryption.
    Encr,
}

/// The end that an extension describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    /// The sender of the packets.
    Source,
    /// The receiver of the packets.
    Destination,
}

/// An identity (RFC 2367 section 2.3.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The form of the name, such as FQDN.
    pub(crate) kind: IdentityType,
    /// `sadb_ident_id`, a user id; illumos always reports 0.
    pub(crate) id: u64,
    /// The name, without the terminating NUL.
    pub(crate) value: Vec<u8>,
}

/// One row of SUPPORTED_AUTH or SUPPORTED_ENCRYPT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SupportedAlgorithm {
    /// `sadb_alg_id`: number of the algorithm.
    pub(crate) id: u8,
    /// IV length in bytes.
    pub(crate) iv_len: u8,
    /// Shortest key in bits.
    pub(crate) min_bits: u16,
    /// Longest key in bits.
    pub(crate) max_bits: u16,
    /// Step between key lengths in bits.
    pub(crate) increment: u8,
    /// illumos: length of the salt in bits.
    pub(crate) salt_bits: u8,
}

/// One row of PROPOSAL (`struct sadb_comb`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Combination {
    /// `sadb_comb_auth`: authentication algorithm, or none.
    pub(crate) auth: AuthAlg,
    /// `sadb_comb_encrypt`: encryption algorithm, or none.
    pub(crate) encr: EncrAlg,
    /// `sadb_comb_flags`: PFS is bit 0.
    pub(crate) flags: u16,
    /// Authentication key bits, shortest and longest.
    pub(crate) auth_bits: (u16, u16),
    /// Encryption key bits, shortest and longest.
    pub(crate) encr_bits: (u16, u16),
    /// illumos: salt bits of the encryption key.
    pub(crate) salt_bits: u8,
    /// The proposed soft lifetime.
    pub(crate) soft: Lifetime,
    /// The proposed hard lifetime.
    pub(crate) hard: Lifetime,
}

/// One row of X_EPROP (`struct sadb_x_ecomb` and its algorithms).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtendedCombination {
    /// `sadb_x_ecomb_flags`: PFS is bit 0.
    pub(crate) flags: u16,
    /// The proposed soft lifetime.
    pub(crate) soft: Lifetime,
    /// The proposed hard lifetime.
    pub(crate) hard: Lifetime,
    /// The algorithms that are used together.
    pub(crate) algorithms: Vec<ExtendedAlgorithm>,
}

/// One algorithm of an [`ExtendedCombination`] (`struct sadb_x_algdesc`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtendedAlgorithm {
    /// The protocol: AH or ESP.
    pub(crate) sa_type: SaType,
    /// 1 authentication, 2 encryption, 3 compression.
    pub(crate) kind: u8,
    /// `sadb_x_algdesc_alg`: number of the algorithm.
    pub(crate) alg: u8,
    /// Salt bits, or a reserved byte.
    pub(crate) reserved: u8,
    /// Key bits, shortest and longest.
    pub(crate) bits: (u16, u16),
}

impl Message {
    /// The SA extension, if there is one.
    #[must_use]
    pub(crate) fn association(&self) -> Option<&Association> {
        self.extensions.iter().find_map(|ext| match ext {
            Extension::Association(sa) => Some(sa),
            _ => None,
        })
    }

    /// The identity of the SA that the message describes; `None` if it is incomplete.
    #[must_use]
    pub(crate) fn id(&self) -> Option<SaId> {
        let dst = self.address(AddressRole::Destination)?.addr?.to_canonical();
        let mark = self.linux().and_then(|linux| linux.extras.mark);
        Some(SaId { sa_type: self.sa_type, spi: self.association()?.spi, dst, mark })
    }

    /// The first address of that role.
    #[must_use]
    pub(crate) fn address(&self, role: AddressRole) -> Option<&AddressInfo> {
        self.extensions.iter().find_map(|ext| match ext {
            Extension::Address(r, info) if *r == role => Some(info),
            _ => None,
        })
    }

    /// The first lifetime of that kind.
    #[must_use]
    pub(crate) fn lifetime(&self, kind: LifetimeKind) -> Option<&Lifetime> {
        self.extensions.iter().find_map(|ext| match ext {
            Extension::Lifetime(k, lifetime) if *k == kind => Some(lifetime),
            _ => None,
        })
    }

    /// When the SA was added, in seconds since 1970; 0 if that is unknown.
    #[must_use]
    pub(crate) fn add_time(&self) -> u64 {
        self.lifetime(LifetimeKind::Current).map_or(0, |current| current.addtime)
    }

    /// When the soft or hard lifetime in seconds is over, in seconds since 1970; `None` without a limit.
    #[must_use]
    pub(crate) fn expiry(&self, kind: LifetimeKind) -> Option<u64> {
        let limit = self.lifetime(kind)?;
        let Lifetime { addtime, usetime, .. } = *self.lifetime(LifetimeKind::Current)?;
        let after = |start: u64, limit: u64| (start != 0 && limit != 0).then(|| start.saturating_add(limit));
        after(addtime, limit.addtime).into_iter().chain(after(usetime, limit.usetime)).min()
    }

    /// The values of Linux XFRM beyond PF_KEY; `None` from other backends.
    #[must_use]
    pub(crate) fn linux(&self) -> Option<&LinuxInfo> {
        self.extensions.iter().find_map(|ext| match ext {
            Extension::Linux(info) => Some(&**info),
            _ => None,
        })
    }

    /// The first key of that role.
    #[must_use]
    pub(crate) fn key(&self, role: KeyRole) -> Option<&Key> {
        self.extensions.iter().find_map(|ext| match ext {
            Extension::Key(r, key) if *r == role => Some(key),
            _ => None,
        })
    }
}
