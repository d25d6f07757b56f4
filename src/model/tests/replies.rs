//! Contents of replies: echoes and their edits, full descriptions, dumps, registrations.

use crate::model::tests::*;
use crate::sa::{AddressInfo, AddressRole, Extension, KeyRole, Lifetime, LifetimeKind, Side};

/// The extensions of a message by name, in their order.
fn names(message: &Message) -> Vec<&'static str> {
    let name = |extension: &Extension| match extension {
        Extension::Association(_) => "sa",
        Extension::Lifetime(LifetimeKind::Current, _) => "current",
        Extension::Lifetime(LifetimeKind::Hard, _) => "hard",
        Extension::Lifetime(LifetimeKind::Soft, _) => "soft",
        Extension::Lifetime(LifetimeKind::Idle, _) => "idle",
        Extension::Address(AddressRole::Source, _) => "src",
        Extension::Address(AddressRole::Destination, _) => "dst",
        Extension::Address(AddressRole::InnerSource, _) => "isrc",
        Extension::Address(AddressRole::InnerDestination, _) => "idst",
        Extension::Address(AddressRole::NattLocal, _) => "nat_loc",
        Extension::Address(AddressRole::NattRemote, _) => "nat_rem",
        Extension::Key(KeyRole::Auth, _) => "authkey",
        Extension::Key(KeyRole::Encr, _) => "encrkey",
        Extension::Identity(Side::Source, _) => "srcid",
        Extension::Identity(Side::Destination, _) => "dstid",
        Extension::Supported(KeyRole::Auth, _) => "auth algorithms",
        Extension::Supported(KeyRole::Encr, _) => "encr algorithms",
        Extension::KmCookie { .. } => "cookie",
        Extension::Pair(_) => "pair",
        Extension::ReplayValue { .. } => "replay",
        Extension::ExtendedDump { .. } => "edump",
        _ => "other",
    };
    message.extensions.iter().map(name).collect()
}

fn address(message: &Message, role: AddressRole) -> AddressInfo {
    *message.address(role).unwrap()
}

/// An ADD that says everything there is to say.
fn everything() -> Recipe {
    esp(MessageType::ADD)
        .sa(Sa::esp(9).auth(SHA1).replay(32).flags(NATT_LOC | NATT_REM | TUNNEL | INBOUND))
        .lifetime(ext::LIFETIME_HARD, [1, 2, 300, 400])
        .lifetime(ext::LIFETIME_SOFT, [1, 2, 30, 40])
        .lifetime(ext::LIFETIME_IDLE, [0, 0, 20, 30])
        .key(ext::KEY_ENCRYPT, 128)
        .key(ext::KEY_AUTH, 160)
        .identity(ext::IDENTITY_SRC, b"one.example")
        .identity(ext::IDENTITY_DST, b"two.example")
        .addr(ext::ADDRESS_DST, "::ffff:10.0.0.2")
        .addr(ext::NATT_REM, "192.0.2.1#4500")
        .addr(ext::NATT_LOC, "192.0.2.2#4501")
        .addr(ext::ADDRESS_SRC, "::ffff:10.0.0.1")
        .addr(ext::INNER_SRC, "::ffff:172.16.5.6/108#7@6")
        .addr(ext::INNER_DST, "::ffff:172.17.5.6/128#8@6")
        .replay_value(77, 0)
        .cookie(1, 0x1_0000_0005)
}

#[test]
fn add_echo_has_no_keys() {
    let mut bench = Bench::new();
    let echo = bench.ok(everything());
    assert_eq!((echo.kind, echo.seq, echo.pid, echo.sa_type), (MessageType::ADD, 7, 99, SaType::ESP));
    let expected = [
        "sa", "hard", "soft", "idle", "srcid", "dstid", "dst", "nat_rem", "nat_loc", "src", "isrc", "idst", "replay",
        "cookie",
    ];
    assert_eq!(names(&echo), expected);
    let inner = address(&echo, AddressRole::InnerSource);
    assert_eq!((inner.family, inner.prefix_len, inner.port, inner.proto), (AF_INET, 12, 7, 6));
    assert_eq!(inner.addr.unwrap().to_string(), "172.16.0.0");
    let outer = address(&echo, AddressRole::Source);
    assert_eq!((outer.family, outer.proto, outer.addr.unwrap().to_string().as_str()), (AF_INET, 4, "10.0.0.1"));
    assert_eq!(address(&echo, AddressRole::Destination).proto, 4);
    assert_eq!(flags(&echo), NATT_LOC | NATT_REM | TUNNEL | INBOUND | UNIQUE);
}

#[test]
fn get_describes_everything() {
    let mut bench = Bench::new();
    bench.ok(everything());
    let found = bench.ok(get(9, B).seq(123));
    let expected = [
        "sa", "current", "hard", "soft", "idle", "src", "dst", "nat_loc", "nat_rem", "isrc", "idst", "cookie", "authkey",
        "encrkey", "srcid", "dstid", "replay",
    ];
    assert_eq!(names(&found), expected);
    assert_eq!((found.kind, found.seq, found.pid, found.version), (MessageType::GET, 123, 99, 2));
    let current = Lifetime { addtime: START, ..Lifetime::default() };
    assert_eq!(found.lifetime(LifetimeKind::Current), Some(&current));
    let idle = Lifetime { addtime: 20, usetime: 30, ..Lifetime::default() };
    assert_eq!(found.lifetime(LifetimeKind::Idle), Some(&idle));
    let outer = address(&found, AddressRole::Source);
    assert_eq!((outer.port, outer.proto, outer.prefix_len), (0, 4, 0));
    let inner = address(&found, AddressRole::InnerDestination);
    assert_eq!((inner.port, inner.proto, inner.prefix_len), (8, 6, 32));
    let natt = address(&found, AddressRole::NattLocal);
    assert_eq!((natt.port, natt.proto, natt.addr.unwrap().to_string().as_str()), (4501, 17, "192.0.2.2"));
    assert_eq!(found.key(KeyRole::Auth).unwrap().bits(), 160);
    assert!(found.extensions.iter().any(|ext| matches!(ext, Extension::KmCookie { proto: 1, cookie: 5 })));
    assert!(found.extensions.iter().any(|ext| matches!(ext, Extension::ReplayValue { value32: 77, value64: 0 })));
    let identities = found.extensions.iter().filter_map(|ext| match ext {
        Extension::Identity(_, identity) => Some((identity.id, identity.value.as_slice())),
        _ => None,
    });
    assert_eq!(identities.collect::<Vec<_>>(), [(0, b"one.example".as_slice()), (0, b"two.example")]);
    assert_eq!(found.association().unwrap().replay, 32);
}

#[test]
fn get_leaves_out_absent_extensions() {
    let mut bench = Bench::new();
    bench.ok(esp(MessageType::ADD).sa(Sa::esp(1).encr(NULL).auth(SHA1)).key(ext::KEY_AUTH, 160).between(A, B));
    assert_eq!(names(&bench.ok(get(1, B))), ["sa", "current", "src", "dst", "authkey"]);
}

#[test]
fn delete_describes_the_dead_sa_without_keys() {
    let mut bench = Bench::new();
    bench.ok(everything());
    let found = bench.ok(esp(MessageType::DELETE).sa(Sa::named(9)).addr(ext::ADDRESS_DST, B));
    assert_eq!((found.kind, state(&found)), (MessageType::DELETE, 3));
    assert!(found.key(KeyRole::Auth).is_none() && found.key(KeyRole::Encr).is_none());
    assert!(bench.model.is_empty());
}

#[test]
fn get_does_not_count_salt_bits() {
    let mut bench = Bench::new();
    let key: Vec<u8> = (1..=20).collect();
    bench.ok(esp(MessageType::ADD).sa(Sa::esp(1).encr(GCM)).key_of(ext::KEY_ENCRYPT, 160, 0, &key).between(A, B));
    let found = bench.ok(get(1, B));
    let stored = found.key(KeyRole::Encr).unwrap();
    assert_eq!((stored.bits(), stored.reserved()), (128, 32));
    assert_eq!(&stored.expose()[..20], key);
    assert_eq!(flags(&found) & 0x0c00_0000, 0x0c00_0000);
}

#[test]
fn get_shows_des_keys_with_parity() {
    let mut bench = Bench::new();
    let key = [0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe];
    bench.ok(esp(MessageType::ADD).sa(Sa::esp(1).encr(DES)).key_of(ext::KEY_ENCRYPT, 64, 0, &key).between(A, B));
    let stored = bench.ok(get(1, B));
    assert_eq!(stored.key(KeyRole::Encr).unwrap().expose(), [0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe]);
    let even = [0x11, 0x33, 0x55, 0x77, 0x99, 0xbb, 0xdd, 0xff];
    bench.ok(esp(MessageType::ADD).sa(Sa::esp(2).encr(DES)).key_of(ext::KEY_ENCRYPT, 64, 0, &even).between(A, B));
    assert_eq!(bench.ok(get(2, B)).key(KeyRole::Encr).unwrap().expose(), key);
}

#[test]
fn add_refuses_zero_keys_in_the_last_extension() {
    let zero = |recipe: Recipe| recipe.key_of(ext::KEY_ENCRYPT, 128, 0, &[0; 16]);
    let mut bench = Bench::new();
    bench.ok(zero(esp(MessageType::ADD).sa(Sa::esp(1))).between(A, B));
    assert_eq!(bench.code(zero(esp(MessageType::ADD).sa(Sa::esp(2)).between(A, B))), (22, 33));
}

#[test]
fn add_with_ports_sets_unique() {
    let mut bench = Bench::new();
    bench.ok(add(Sa::esp(1)).between("10.0.0.1#500@17", "10.0.0.2#501@17"));
    let found = bench.ok(get(1, B));
    assert_ne!(flags(&found) & UNIQUE, 0);
    let source = address(&found, AddressRole::Source);
    assert_eq!((source.port, source.proto), (500, 17));
    assert_eq!(address(&found, AddressRole::Destination).port, 501);
    bench.ok(plain(2, 0));
    assert_eq!(flags(&bench.ok(get(2, B))) & UNIQUE, 0);
}

#[test]
fn add_without_source_has_no_replay_window() {
    let mut bench = Bench::new();
    let echo = bench.ok(add(Sa::esp(1).replay(64)).between("::#5@17", "10.0.0.2@0"));
    assert_eq!(echo.association().unwrap().replay, 64);
    let source = address(&echo, AddressRole::Source);
    assert_eq!((source.family, source.port, source.proto), (AF_INET, 5, 17));
    assert_eq!(address(&echo, AddressRole::Destination).proto, 17);
    assert_eq!(bench.ok(get(1, B)).association().unwrap().replay, 0);
}

#[test]
fn getspi_returns_the_reserved_spi() {
    let mut bench = Bench::new();
    let answer = bench.ok(esp(MessageType::GETSPI).between(A, B).range(0x100, 0x1ff));
    let sa = *answer.association().unwrap();
    assert!((0x100..=0x1ff).contains(&sa.spi.0));
    assert_eq!((sa.state.0, sa.flags.0), (0, 0));
    let found = bench.ok(get(sa.spi.0, B));
    assert_eq!((state(&found), names(&found)), (0, vec!["sa", "current", "src", "dst"]));
    assert_eq!(found.lifetime(LifetimeKind::Current).unwrap().addtime, 0);
}

#[test]
fn update_completes_larval_sa() {
    let mut bench = Bench::new();
    bench.ok(esp(MessageType::GETSPI).between(A, B).range(5, 5));
    bench.now += 10;
    let echo = bench.ok(esp(MessageType::UPDATE).sa(Sa::esp(5)).key(ext::KEY_ENCRYPT, 128).between(A, B));
    assert_eq!((state(&echo), names(&echo)), (1, vec!["sa", "src", "dst"]));
    assert_eq!(flags(&echo), INBOUND | OUTBOUND);
    let found = bench.ok(get(5, B));
    assert_eq!(found.lifetime(LifetimeKind::Current).unwrap().addtime, START + 10);
}

#[test]
fn update_kills_larval_sa_on_error() {
    let mut bench = Bench::new();
    bench.ok(esp(MessageType::GETSPI).between(A, B).range(5, 5));
    let completion = esp(MessageType::UPDATE).sa(Sa::esp(5).flags(OUTBOUND)).key(9, 128).between(A, B);
    assert_eq!(bench.code(completion.pair(77)), (22, 73));
    assert_eq!(state(&bench.ok(get(5, B))), 3);
    bench.ok(esp(MessageType::GETSPI).between(A, B).range(6, 6));
    let completion = esp(MessageType::UPDATE).sa(Sa::esp(6).flags(TUNNEL)).key(9, 128).between(A, B);
    assert_eq!(bench.code(completion), (22, 58));
    let found = bench.ok(get(6, B));
    let sa = found.association().unwrap();
    assert_eq!((sa.state.0, sa.encr.0, sa.flags.0), (3, u16::from(AES), TUNNEL | INBOUND | OUTBOUND));
    bench.pass(8);
    assert!(bench.model.is_empty());
}

#[test]
fn error_reply_is_a_header() {
    let mut bench = Bench::new();
    let answer = bench.ask(plain(1, 1).seq(5));
    assert_eq!((answer.byte_len, answer.extensions.len(), answer.seq, answer.pid), (16, 0, 5, 99));
    assert_eq!((answer.kind, answer.sa_type), (MessageType::ADD, SaType::ESP));
}

#[test]
fn reply_keeps_header_fields() {
    let mut bench = Bench::new();
    let echo = bench.ask(plain(1, 0).errno(42));
    assert_eq!(echo.errno, 42);
    assert_eq!(bench.model.len(), 1);
    assert_eq!(bench.ask(get(1, B).errno(42)).errno, 42);
}

#[test]
fn flush_by_sa_type() {
    let mut bench = Bench::new();
    let ah = || Recipe::new(MessageType::ADD, SaType::AH).sa(Sa::ah(1)).key(ext::KEY_AUTH, 160).between(A, B);
    bench.ok(ah());
    bench.ok(plain(1, 0));
    let answer = bench.ok(Recipe::new(MessageType::FLUSH, SaType::AH));
    assert_eq!((answer.sa_type, answer.byte_len), (SaType::AH, 16));
    assert_eq!(bench.model.len(), 1);
    bench.ok(ah());
    assert_eq!(bench.ok(Recipe::new(MessageType::FLUSH, SaType(0))).sa_type, SaType(0));
    assert!(bench.model.is_empty());
    assert!(bench.received().is_empty());
}

#[test]
fn dump_order_without_copies() {
    let mut bench = Bench::new();
    let add_to = |spi, source: &str, destination: &str, flags| add(Sa::esp(spi).flags(flags)).between(source, destination);
    bench.ok(add_to(1, A, "20.0.0.1", OUTBOUND));
    bench.ok(add_to(2, A, "10.0.0.2", OUTBOUND));
    bench.ok(add_to(3, A, "10.0.0.3", 0));
    bench.ok(add_to(0x0100_0004, B, A, INBOUND));
    bench.ok(add_to(5, "2001:db8::1", "2001:db8::2", 0));
    bench.ok(add_to(6, "0.0.0.0", "10.0.0.4", OUTBOUND));
    bench.ok(Recipe::new(MessageType::ADD, SaType::AH).sa(Sa::ah(7)).key(ext::KEY_AUTH, 160).between(A, B));
    assert_eq!(bench.dump(SaType::ESP), [3, 2, 6, 1, 0x0100_0004, 5]);
    assert_eq!(bench.dump(SaType(0)), [7, 3, 2, 6, 1, 0x0100_0004, 5]);
    assert_eq!(bench.dump(SaType::AH), [7]);
    let first = bench.ok(Recipe::new(MessageType::DUMP, SaType(0)).seq(3));
    assert_eq!((first.seq, first.sa_type), (3, SaType::AH));
    assert!(first.key(KeyRole::Auth).is_some());
    let end = bench.received().pop().unwrap();
    assert_eq!((end.seq, end.pid, end.sa_type, end.byte_len), (0, 99, SaType(0), 16));
}

#[test]
fn edump_lists_recently_used() {
    let mut bench = Bench::new();
    (1..=3).for_each(|spi| drop(bench.ok(plain(spi, OUTBOUND))));
    let id = |spi| crate::sa::SaId { sa_type: SaType::ESP, spi: crate::sa::Spi(spi), dst: B.parse().unwrap(), mark: None };
    assert!(bench.model.use_sa(id(1), crate::model::TableDirection::Outbound, 1, START + 10));
    assert!(bench.model.use_sa(id(2), crate::model::TableDirection::Outbound, 1, START + 95));
    bench.now = START + 100;
    let mut shown = |timeout: u64| {
        let body = [&[0; 4][..], &timeout.to_ne_bytes()].concat();
        bench.ask(esp(MessageType::DUMP).ext(ext::EDUMP, &body)).association().map(|sa| sa.spi.0)
    };
    assert_eq!(shown(10), Some(2));
    assert_eq!(shown(0), Some(3));
    assert_eq!(shown(1), None);
}

#[test]
fn register_lists_algorithms() {
    let mut bench = Bench::new();
    let answer = bench.ok(esp(MessageType::REGISTER).seq(4));
    assert_eq!((answer.seq, names(&answer)), (4, vec!["auth algorithms", "encr algorithms"]));
    assert_eq!(names(&bench.ok(Recipe::new(MessageType::REGISTER, SaType::AH))), ["auth algorithms"]);
    let mut bench = Bench::new();
    let first = bench.ok(Recipe::new(MessageType::REGISTER, SaType(0)).ext(ext::EREG, &[2, 3, 0, 3]));
    let types: Vec<SaType> = std::iter::once(first).chain(bench.received()).map(|answer| answer.sa_type).collect();
    assert_eq!(types, [SaType::AH, SaType::ESP]);
}

#[test]
fn identities_are_nul_terminated() {
    let mut bench = Bench::new();
    bench.ok(plain(1, 0).identity(ext::IDENTITY_SRC, &[b'x'; 16]));
    let found = bench.ok(get(1, B));
    let identity = found.extensions.iter().find_map(|ext| match ext {
        Extension::Identity(Side::Source, identity) => Some(identity.value.clone()),
        _ => None,
    });
    assert_eq!(identity.unwrap(), [b'x'; 15]);
}

#[test]
fn update_with_a_pair_in_both_tables_spares_the_larval_sa() {
    let mut bench = Bench::new();
    bench.ok(esp(MessageType::GETSPI).between(A, B).range(5, 5));
    let completion = || esp(MessageType::UPDATE).sa(Sa::esp(5)).key(9, 128).between(A, B);
    assert_eq!(bench.code(completion().pair(77)), (22, 73));
    assert_eq!(state(&bench.ok(get(5, B))), 0);
    bench.ok(completion());
}

#[test]
fn update_of_a_taken_larval_sa_removes_it() {
    let mut bench = Bench::new();
    bench.ok(plain(5, OUTBOUND));
    // Another source, so the outbound SA does not collide.
    bench.ok(esp(MessageType::GETSPI).between("10.0.0.7", B).range(5, 5));
    let completion = esp(MessageType::UPDATE).sa(Sa::esp(5).flags(INBOUND)).key(9, 128).between("10.0.0.7", B);
    assert_eq!(bench.code(completion), (17, 0));
    assert_eq!(bench.dump(SaType::ESP), [5]);
}

#[test]
fn getspi_sends_keys_back() {
    let mut bench = Bench::new();
    let answer = bench.ok(esp(MessageType::GETSPI).between(A, B).range(5, 5).key(ext::KEY_AUTH, 160));
    assert_eq!(names(&answer), ["src", "dst", "sa", "authkey"]);
}

#[test]
fn nat_t_addresses_of_ipv6_sas_show_memory() {
    let mut bench = Bench::new();
    let sa = Sa::esp(1).auth(SHA1).flags(OUTBOUND | NATT_LOC | NATT_REM);
    let natt = add(sa).key(ext::KEY_AUTH, 160).addr(ext::NATT_LOC, "192.0.2.2").addr(ext::NATT_REM, "192.0.2.1");
    bench.ok(natt.between("2001:db8::1", "2001:db8::2"));
    let found = bench.ok(get(1, "2001:db8::2"));
    let local = address(&found, AddressRole::NattLocal);
    assert_eq!(local.addr.unwrap().to_string(), "c000:202:c000:201::");
    // CRYPTO_KEY_RAW, the format of the authentication key.
    let format: [u8; 4] = 1_u32.to_ne_bytes();
    let mut remote = [192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    remote[12..].copy_from_slice(&format);
    assert_eq!(address(&found, AddressRole::NattRemote).addr, Some(std::net::Ipv6Addr::from(remote).into()));
}
