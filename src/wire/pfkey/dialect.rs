//! Differences between the PF_KEY of illumos and that of Linux, as data.
//!
//! illumos: `net/pfkeyv2.h`, `netinet/in.h`. Linux: `linux/pfkeyv2.h`, `linux/in6.h`, `net/key/af_key.c`. Message types from 12
//! and extension types from 17 have different meanings.

use crate::sa::{AddressRole, KeyRole, LifetimeKind, MessageType, Side};

/// `AF_INET`, the same number on illumos and Linux.
pub(crate) const AF_INET: u16 = 2;

/// The kind of an extension, independent of its number in a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtensionKind {
    /// SA: SPI, replay window, state, algorithms and flags.
    Association,
    Lifetime(LifetimeKind),
    /// ADDRESS_*, and the inner and NAT-T addresses of illumos.
    Address(AddressRole),
    Key(KeyRole),
    Identity(Side),
    /// PROPOSAL, in an ACQUIRE.
    Proposal,
    /// SUPPORTED_*, in the reply to REGISTER.
    Supported(KeyRole),
    /// SPIRANGE, in a GETSPI.
    SpiRange,
    /// X_EREG of illumos, in a REGISTER for several SA types.
    ExtendedRegister,
    /// X_EPROP of illumos, in an ACQUIRE for several SA types.
    ExtendedProposal,
    /// X_KM_COOKIE of illumos: the key manager of the SA.
    KmCookie,
    /// X_PAIR of illumos: the SPI of the paired SA.
    Pair,
    /// X_REPLAY_VALUE of illumos: the sequence number counter.
    ReplayValue,
    /// X_EDUMP of illumos: a dump limited by idle time.
    ExtendedDump,
    /// X_SA2 of Linux: mode and reqid.
    SecondAssociation,
    /// X_NAT_T_TYPE of Linux: UDP_ENCAP_* of `linux/udp.h`.
    NattType,
    /// X_NAT_T_SPORT and X_NAT_T_DPORT of Linux: the outer UDP ports.
    NattPort(Side),
}

/// A dialect of PF_KEYv2.
pub(crate) struct Dialect {
    pub(crate) name: &'static str,
    /// Message types with the meaning of [`MessageType`]. Others are represented with [`FOREIGN`] added.
    pub(crate) message_types: &'static [MessageType],
    /// Number and kind of each extension.
    pub(crate) extensions: &'static [(u16, ExtensionKind)],
    /// Bits of `sadb_sa_flags` with the meaning of [`crate::sa::Flags`]; others are neither read nor sent.
    pub(crate) flags: u32,
    /// `AF_INET6`, which is 26 on illumos and 10 on Linux.
    pub(crate) af_inet6: u16,
    /// `sizeof(struct sockaddr_in6)` in bytes: 32 on illumos, 28 on Linux.
    pub(crate) sockaddr_in6_len: usize,
    /// Whether requests have IPv4-mapped IPv6 addresses, as those of ipseckey(1M) do.
    pub(crate) mapped_ipv4: bool,
    /// Whether HARD and SOFT lifetimes are required together (`pfkey_msg2xfrm_state` in af_key.c).
    pub(crate) lifetimes_in_pairs: bool,
    /// Whether GET and DELETE require a source address.
    pub(crate) source_needed: bool,
    /// Whether errnos are those of illumos, not those of the system that this program runs on.
    pub(crate) illumos_errnos: bool,
}

/// Added to a message type that has another meaning in [`MessageType`]: 13 is X_UPDATEPAIR on illumos and X_SPDUPDATE on Linux.
pub(crate) const FOREIGN: u8 = 0x80;

/// The message types of illumos. Types 1 to 10 are those of RFC 2367; both dialects share 11, PROMISC.
const MESSAGE_TYPES: &[MessageType] = &[
    MessageType::RESERVED,
    MessageType::GETSPI,
    MessageType::UPDATE,
    MessageType::ADD,
    MessageType::DELETE,
    MessageType::GET,
    MessageType::ACQUIRE,
    MessageType::REGISTER,
    MessageType::EXPIRE,
    MessageType::FLUSH,
    MessageType::DUMP,
    MessageType::PROMISC,
    MessageType::INVERSE_ACQUIRE,
    MessageType::UPDATE_PAIR,
    MessageType::DELETE_PAIR,
    MessageType::DELETE_PAIR_STATE,
];

impl Dialect {
    /// The dialect of illumos, OpenSolaris and `sadb-model`.
    pub(crate) const ILLUMOS: Self = Self {
        name: "illumos PF_KEY",
        message_types: MESSAGE_TYPES,
        extensions: &[
            (1, ExtensionKind::Association),
            (2, ExtensionKind::Lifetime(LifetimeKind::Current)),
            (3, ExtensionKind::Lifetime(LifetimeKind::Hard)),
            (4, ExtensionKind::Lifetime(LifetimeKind::Soft)),
            (5, ExtensionKind::Address(AddressRole::Source)),
            (6, ExtensionKind::Address(AddressRole::Destination)),
            (7, ExtensionKind::Address(AddressRole::InnerSource)),
            (8, ExtensionKind::Key(KeyRole::Auth)),
            (9, ExtensionKind::Key(KeyRole::Encr)),
            (10, ExtensionKind::Identity(Side::Source)),
            (11, ExtensionKind::Identity(Side::Destination)),
            (13, ExtensionKind::Proposal),
            (14, ExtensionKind::Supported(KeyRole::Auth)),
            (15, ExtensionKind::Supported(KeyRole::Encr)),
            (16, ExtensionKind::SpiRange),
            (17, ExtensionKind::ExtendedRegister),
            (18, ExtensionKind::ExtendedProposal),
            (19, ExtensionKind::KmCookie),
            (20, ExtensionKind::Address(AddressRole::NattLocal)),
            (21, ExtensionKind::Address(AddressRole::NattRemote)),
            (22, ExtensionKind::Address(AddressRole::InnerDestination)),
            (23, ExtensionKind::Pair),
            (24, ExtensionKind::ReplayValue),
            (25, ExtensionKind::ExtendedDump),
            (26, ExtensionKind::Lifetime(LifetimeKind::Idle)),
        ],
        flags: u32::MAX,
        af_inet6: 26,
        sockaddr_in6_len: 32,
        mapped_ipv4: true,
        lifetimes_in_pairs: false,
        source_needed: false,
        illumos_errnos: true,
    };

    /// The dialect of `net/key/af_key.c` in Linux.
    pub(crate) const LINUX: Self = Self {
        name: "Linux PF_KEY",
        message_types: MESSAGE_TYPES.split_at(12).0,
        extensions: &[
            (1, ExtensionKind::Association),
            (2, ExtensionKind::Lifetime(LifetimeKind::Current)),
            (3, ExtensionKind::Lifetime(LifetimeKind::Hard)),
            (4, ExtensionKind::Lifetime(LifetimeKind::Soft)),
            (5, ExtensionKind::Address(AddressRole::Source)),
            (6, ExtensionKind::Address(AddressRole::Destination)),
            (7, ExtensionKind::Address(AddressRole::InnerSource)),
            (8, ExtensionKind::Key(KeyRole::Auth)),
            (9, ExtensionKind::Key(KeyRole::Encr)),
            (10, ExtensionKind::Identity(Side::Source)),
            (11, ExtensionKind::Identity(Side::Destination)),
            (13, ExtensionKind::Proposal),
            (14, ExtensionKind::Supported(KeyRole::Auth)),
            (15, ExtensionKind::Supported(KeyRole::Encr)),
            (16, ExtensionKind::SpiRange),
            (19, ExtensionKind::SecondAssociation),
            (20, ExtensionKind::NattType),
            (21, ExtensionKind::NattPort(Side::Source)),
            (22, ExtensionKind::NattPort(Side::Destination)),
        ],
        flags: 0x1,
        af_inet6: 10,
        sockaddr_in6_len: 28,
        mapped_ipv4: false,
        lifetimes_in_pairs: true,
        source_needed: true,
        illumos_errnos: false,
    };

    /// The kind of an extension number.
    #[must_use]
    pub(crate) fn extension_kind(&self, number: u16) -> Option<ExtensionKind> {
        self.extensions.iter().find(|row| row.0 == number).map(|row| row.1)
    }

    /// The number of an extension kind, if this dialect has it.
    #[must_use]
    pub(crate) fn extension_number(&self, kind: ExtensionKind) -> Option<u16> {
        self.extensions.iter().find(|row| row.1 == kind).map(|row| row.0)
    }

    /// Converts a message type from the wire.
    #[must_use]
    pub(crate) fn message_type(&self, number: u8) -> MessageType {
        // Without the mark, 13 would be shown as X_UPDATEPAIR although Linux means X_SPDUPDATE.
        let known = MESSAGE_TYPES.contains(&MessageType(number));
        let ours = self.message_types.contains(&MessageType(number));
        if known && !ours { MessageType(number | FOREIGN) } else { MessageType(number) }
    }

    /// Converts a message type to the wire, if this dialect has it.
    #[must_use]
    pub(crate) fn message_number(&self, kind: MessageType) -> Option<u8> {
        // Asks `message_type` for the inverse, so that the two functions cannot disagree.
        let plain = MessageType(kind.0 & !FOREIGN);
        if self.message_type(plain.0) == kind {
            return Some(plain.0);
        }
        // A number from 128 on that no dialect defines has the bit FOREIGN by itself and is sent unchanged.
        (self.message_type(kind.0) == kind).then_some(kind.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_numbers_are_unique() {
        for dialect in [Dialect::ILLUMOS, Dialect::LINUX] {
            for (number, kind) in dialect.extensions {
                assert_eq!(dialect.extension_kind(*number), Some(*kind), "{}", dialect.name);
                assert_eq!(dialect.extension_number(*kind), Some(*number), "{}", dialect.name);
            }
        }
        assert_eq!(Dialect::LINUX.extension_number(ExtensionKind::Pair), None);
        assert_eq!(Dialect::ILLUMOS.extension_kind(12), None);
    }

    #[test]
    fn colliding_message_types_stay_apart() {
        for number in 0..=u8::MAX {
            for dialect in [Dialect::ILLUMOS, Dialect::LINUX] {
                let kind = dialect.message_type(number);
                // Types from 128 on are reserved for FOREIGN; no kernel has them.
                if number & FOREIGN == 0 {
                    assert_eq!(dialect.message_number(kind), Some(number), "{} {number}", dialect.name);
                }
            }
        }
        assert_ne!(Dialect::LINUX.message_type(13), MessageType::UPDATE_PAIR);
        assert_eq!(Dialect::LINUX.message_number(MessageType::UPDATE_PAIR), None);
        assert_eq!(Dialect::ILLUMOS.message_number(MessageType(200)), Some(200));
    }
}
