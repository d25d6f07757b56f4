//! The numbers and layouts of illumos that this program uses, each beside the header of illumos-gate (below usr/src/uts) that has it.

/// common/net/pfkeyv2.h: the messages. tests/vectors has their layouts, as the original sends and reads them.
mod pf_key {
    use crate::names::identities;
    use crate::sa::{AddressRole, Flags, IdentityType, KeyRole, LifetimeKind, MessageType, SaState, SaType, Side};
    use crate::wire::pfkey::{AF_INET, Dialect, ExtensionKind};

    #[test]
    fn message_types() {
        let header = [
            (MessageType::GETSPI, 1),
            (MessageType::UPDATE, 2),
            (MessageType::ADD, 3),
            (MessageType::DELETE, 4),
            (MessageType::GET, 5),
            (MessageType::ACQUIRE, 6),
            (MessageType::REGISTER, 7),
            (MessageType::EXPIRE, 8),
            (MessageType::FLUSH, 9),
            (MessageType::DUMP, 10),
            (MessageType::PROMISC, 11),
            (MessageType::INVERSE_ACQUIRE, 12),
            (MessageType::UPDATE_PAIR, 13),
            (MessageType::DELETE_PAIR, 14),
            (MessageType::DELETE_PAIR_STATE, 15),
        ];
        for (ours, number) in header {
            assert_eq!(ours.0, number);
            assert!(Dialect::ILLUMOS.message_types.contains(&ours));
        }
    }

    #[test]
    fn association() {
        let flags = [
            (Flags::PFS, 1),
            (Flags::NOREPLAY, 2),
            (Flags::NATTED, 0x1000),
            (Flags::INBOUND, 0x4000),
            (Flags::OUTBOUND, 0x8000),
            (Flags::PAIRED, 0x1_0000),
            (Flags::TUNNEL, 0x2_0000),
            (Flags::NATT_REM, 0x8_0000),
            (Flags::NATT_LOC, 0x10_0000),
            (Flags::EALG2, 0x400_0000),
            (Flags::EALG1, 0x800_0000),
            (Flags::AALG2, 0x1000_0000),
            (Flags::AALG1, 0x2000_0000),
            (Flags::UNIQUE, 0x4000_0000),
            (Flags::USED, 0x8000_0000),
        ];
        flags.iter().for_each(|(ours, number)| assert_eq!(ours.0, *number));
        let states = [
            SaState::LARVAL,
            SaState::MATURE,
            SaState::DYING,
            SaState::DEAD,
            SaState::ACTIVE_ELSEWHERE,
            SaState::IDLE,
            SaState::ACTIVE,
        ];
        assert_eq!(states.map(|state| state.0), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!([SaType::UNSPEC, SaType::AH, SaType::ESP].map(|sa_type| sa_type.0), [0, 2, 3]);
    }

    #[test]
    fn extensions() {
        let header = [
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
        ];
        for (number, kind) in header {
            let ours = Dialect::ILLUMOS.extensions.iter().find(|(ours, _)| *ours == number);
            assert_eq!(ours.map(|(_, kind)| *kind), Some(kind), "extension {number}");
        }
    }

    #[test]
    fn identities() {
        let header = [(1, "prefix"), (2, "fqdn"), (3, "user_fqdn"), (4, "der_dn"), (5, "der_gn")];
        for (number, word) in header {
            assert!(identities::by_number(IdentityType(number)).unwrap().words.contains(&word));
        }
    }

    /// common/sys/socket.h and common/netinet/in.h, in messages also on other systems.
    #[test]
    fn addresses() {
        assert_eq!((AF_INET, Dialect::ILLUMOS.af_inet6, Dialect::ILLUMOS.sockaddr_in6_len), (2, 26, 32));
        assert_eq!(crate::sys::illumos::PF_KEY, 27);
    }
}

/// The system calls: checked by the compiler when it compiles for illumos (tests/illumos-check).
#[cfg(target_os = "illumos")]
mod system {
    use std::mem::{offset_of, size_of};

    use nix::libc;

    use crate::sys::illumos::{PF_KEY, acl};

    // common/sys/socket.h
    const _: () = {
        assert!(PF_KEY == 27 && libc::AF_INET == 2 && libc::AF_INET6 == 26 && libc::AF_UNIX == 1);
        assert!(libc::SOCK_DGRAM == 1 && libc::SOCK_STREAM == 2 && libc::SOCK_RAW == 4 && libc::SOCK_SEQPACKET == 6);
        assert!(libc::SOL_SOCKET == 0xffff && libc::SO_SNDBUF == 0x1001 && libc::SO_RCVBUF == 0x1002);
        assert!(libc::MSG_DONTWAIT == 0x80);
    };

    // common/sys/socket.h, with the members of X/Open: the functions are __xnet_sendmsg and __xnet_recvmsg.
    const _: () = {
        assert!(size_of::<libc::msghdr>() == 48);
        assert!(offset_of!(libc::msghdr, msg_control) == 32 && offset_of!(libc::msghdr, msg_flags) == 44);
    };

    // common/netinet/in.h; `__sin6_src_id` is the last member.
    const _: () = {
        assert!(size_of::<libc::sockaddr_in>() == 16);
        assert!(size_of::<libc::sockaddr_in6>() == 32);
        assert!(offset_of!(libc::sockaddr_in6, sin6_addr) == 8 && offset_of!(libc::sockaddr_in6, sin6_scope_id) == 24);
    };

    // common/sys/fcntl.h, common/sys/mman.h, common/sys/resource.h, common/sys/syslog.h
    const _: () = {
        assert!(libc::O_NONBLOCK == 0x80 && libc::O_NOFOLLOW == 0x2_0000 && libc::O_CLOEXEC == 0x80_0000);
        assert!(libc::MCL_CURRENT == 1 && libc::MCL_FUTURE == 2);
        assert!(libc::RLIMIT_CORE == 4);
        assert!(libc::LOG_AUTH == 4 << 3);
    };

    // common/sys/errno.h: errors of the SADB and of opening files and sockets.
    const _: () = {
        assert!(libc::ESRCH == 3 && libc::EAGAIN == 11 && libc::ENOMEM == 12 && libc::EEXIST == 17 && libc::EINVAL == 22);
        assert!(libc::EPROTOTYPE == 98 && libc::EPFNOSUPPORT == 123 && libc::EAFNOSUPPORT == 124 && libc::ELOOP == 90);
    };

    // common/sys/acl.h
    const _: () = {
        assert!(acl::GETACLCNT == 3 && acl::ACE_GETACL == 4 && acl::ACE_GETACLCNT == 6 && acl::MIN_ACL_ENTRIES == 4);
        assert!(acl::ACE_OWNER == 0x1000 && acl::ACE_GROUP == 0x2000 && acl::ACE_EVERYONE == 0x4000);
        assert!(acl::ACE_IDENTIFIER_GROUP == 0x40);
        assert!(size_of::<acl::RawAce>() == 12);
        assert!(offset_of!(acl::RawAce, rights) == 4 && offset_of!(acl::RawAce, flags) == 8);
        assert!(offset_of!(acl::RawAce, kind) == 10);
    };
}
