//! Every errno and diagnostic, each with a request that causes it.

use crate::model::tests::*;
use crate::names::errnos::{EEXIST, EINVAL, EOPNOTSUPP, ESRCH};
const HARD: u16 = ext::LIFETIME_HARD;
const SOFT: u16 = ext::LIFETIME_SOFT;
const IDLE: u16 = ext::LIFETIME_IDLE;
/// A local address.
const OWN_IPV6: &str = "2001:db8::9";

/// A model with these SAs: SPI 1 is plain, 2 outbound and paired with 3, 4 outbound, 5 larval, 6 dying, 7 inbound.
fn bench() -> Bench {
    let mut bench =
        Bench::with(Settings { local: vec!["10.0.0.9".parse().unwrap(), OWN_IPV6.parse().unwrap()], ..Settings::default() });
    bench.ok(plain(1, 0).cookie(1, 5));
    bench.ok(plain(2, OUTBOUND));
    bench.ok(add(Sa::esp(3).flags(INBOUND)).between(B, A).pair(2));
    bench.ok(plain(4, OUTBOUND));
    bench.ok(esp(MessageType::GETSPI).between(A, B).range(5, 5));
    bench.ok(add(Sa::esp(6).replay(32)).between(A, "10.0.0.9").lifetime(SOFT, [0, 0, 1, 0]).replay_value(100, 0));
    bench.ok(add(Sa::esp(7).flags(INBOUND)).between(B, A));
    bench.pass(8);
    bench
}

fn update(spi: u32) -> Recipe {
    esp(MessageType::UPDATE).sa(Sa::named(spi).state(MATURE)).between(A, B)
}

fn update_to(state: u8) -> Recipe {
    esp(MessageType::UPDATE).sa(Sa::named(1).state(state)).between(A, B)
}

fn limits(hard: [u64; 4], soft: [u64; 4]) -> Recipe {
    plain(9, 0).lifetime(HARD, hard).lifetime(SOFT, soft)
}

fn idle(hard: [u64; 4], soft: [u64; 4], idle: [u64; 4]) -> Recipe {
    limits(hard, soft).lifetime(IDLE, idle)
}

fn tunnel(inner_source: &str, inner_destination: &str) -> Recipe {
    plain(9, TUNNEL).addr(ext::INNER_SRC, inner_source).addr(ext::INNER_DST, inner_destination)
}

fn encr(alg: u8, bits: u16) -> Recipe {
    esp(MessageType::ADD).sa(Sa::esp(9).encr(alg)).key(ext::KEY_ENCRYPT, bits).between(A, B)
}

fn auth(alg: u8, bits: u16) -> Recipe {
    Recipe::new(MessageType::ADD, SaType::AH).sa(Sa::ah(9).auth(alg)).key(ext::KEY_AUTH, bits).between(A, B)
}

fn esp_without(sa: Sa) -> Recipe {
    esp(MessageType::ADD).sa(sa).between(A, B)
}

fn weak(alg: u8, key: &[u8]) -> Recipe {
    let bits = u16::try_from(key.len() * 8).unwrap();
    esp(MessageType::ADD).sa(Sa::esp(9).encr(alg)).key_of(ext::KEY_ENCRYPT, bits, 0, key).between(A, B)
}

fn unknown(kind: u8) -> Recipe {
    Recipe::new(MessageType(kind), SaType::ESP)
}

fn natt(flags: u32, kind: u16, address: &str) -> Recipe {
    plain(9, flags).addr(kind, address)
}

type Row = (&'static str, Recipe, u8, u16);

/// What, request, error number, diagnostic.
fn rows() -> Vec<Row> {
    [socket_rows(), address_rows(), add_rows(), key_rows(), tunnel_rows(), update_rows(), other_rows()].concat()
}

fn socket_rows() -> Vec<Row> {
    let dst = |recipe: Recipe| recipe.addr(ext::ADDRESS_DST, B);
    vec![
        ("type 0", unknown(0), EINVAL, 1),
        ("type 16", unknown(16), EINVAL, 1),
        ("type 255", unknown(255), EINVAL, 1),
        ("extension 28", unknown(0).ext(28, &[0; 4]), EINVAL, 2),
        ("extension 0", esp(MessageType::FLUSH).ext(0, &[0; 4]), EINVAL, 2),
        ("extension past the end", Recipe([esp(MessageType::GET).0, vec![9, 0, 1, 0, 0, 0, 0, 0]].concat()), EINVAL, 3),
        ("extension of no length", Recipe([esp(MessageType::GET).0, vec![0, 0, 1, 0, 0, 0, 0, 0]].concat()), EINVAL, 3),
        ("no such database", Recipe::new(MessageType::GET, SaType(5)), EINVAL, 4),
        ("dump of no such database", Recipe::new(MessageType::DUMP, SaType(8)), EINVAL, 4),
        ("add to no database", Recipe::new(MessageType::ADD, SaType(0)), EINVAL, 5),
        ("get from no database", Recipe::new(MessageType::GET, SaType(0)), EINVAL, 5),
        ("register for nothing", Recipe::new(MessageType::REGISTER, SaType(0)), EINVAL, 5),
        ("acquire for nothing", Recipe::new(MessageType::ACQUIRE, SaType(0)), EINVAL, 5),
        ("flush with an extension", dst(esp(MessageType::FLUSH)), EINVAL, 7),
        ("dump with the wrong extension", dst(esp(MessageType::DUMP)), EINVAL, 7),
        ("dump with two extensions", dst(esp(MessageType::DUMP)).ext(ext::EDUMP, &[0; 12]), EINVAL, 7),
        ("expire", esp(MessageType::EXPIRE), EOPNOTSUPP, 0),
        ("src twice", plain(9, 0).addr(ext::ADDRESS_SRC, A), EINVAL, 24),
        ("dst twice", plain(9, 0).addr(ext::ADDRESS_DST, A), EINVAL, 25),
        ("sa twice", plain(9, 0).sa(Sa::esp(9)), EINVAL, 26),
        ("encryption key twice", plain(9, 0).key(ext::KEY_ENCRYPT, 128), EINVAL, 27),
        ("authentication key twice", auth(SHA1, 160).key(ext::KEY_AUTH, 160), EINVAL, 28),
        ("range twice", esp(MessageType::GETSPI).range(1, 2).range(1, 2), EINVAL, 29),
        ("inner source twice", tunnel("1.1.1.1/32", "2.2.2.2/32").addr(ext::INNER_SRC, A), EINVAL, 60),
        ("inner destination twice", tunnel("1.1.1.1/32", "2.2.2.2/32").addr(ext::INNER_DST, A), EINVAL, 61),
        ("lifetime twice", limits([0; 4], [0; 4]).lifetime(SOFT, [0; 4]), EINVAL, 0),
        ("nat-t address twice", natt(0, 20, "1.2.3.4").addr(20, "1.2.3.4"), EINVAL, 0),
        ("short lifetime", plain(9, 0).ext(HARD, &[0; 20]), EINVAL, 0),
        ("authentication key without anything", plain(9, 0).ext(8, &[0; 4]), EINVAL, 34),
        ("empty src", esp(MessageType::GET).ext(ext::ADDRESS_SRC, &[0; 4]), EINVAL, 30),
        ("empty dst", esp(MessageType::GET).ext(ext::ADDRESS_DST, &[0; 4]), EINVAL, 31),
        ("empty inner source", esp(MessageType::GET).ext(ext::INNER_SRC, &[0; 4]), EINVAL, 62),
        ("empty inner destination", esp(MessageType::GET).ext(ext::INNER_DST, &[0; 4]), EINVAL, 63),
        ("encryption key of no bits", esp(MessageType::ADD).key_of(9, 0, 0, &[]), EINVAL, 33),
        ("encryption key that is too long", esp(MessageType::ADD).key_of(9, 64, 0, &KEY[..16]), EINVAL, 33),
        ("encryption key of 65 bits", esp(MessageType::ADD).key(9, 65), EINVAL, 33),
        ("authentication key that is too short", esp(MessageType::ADD).key_of(8, 160, 0, &KEY[..8]), EINVAL, 34),
        ("zero key at the end", esp(MessageType::ADD).key_of(9, 128, 0, &[0; 16]), EINVAL, 33),
        ("zero authentication key at the end", esp(MessageType::ADD).key_of(8, 160, 0, &[0; 20]), EINVAL, 34),
        ("range the wrong way round", esp(MessageType::GETSPI).range(2, 1), EINVAL, 35),
    ]
}

fn address_rows() -> Vec<Row> {
    let bad = |kind| esp(MessageType::GET).bad_family(kind);
    let between = |src, dst| esp(MessageType::GET).between(src, dst);
    vec![
        ("src family", bad(ext::ADDRESS_SRC), EINVAL, 8),
        ("dst family", bad(ext::ADDRESS_DST), EINVAL, 9),
        ("inner source family", bad(ext::INNER_SRC).addr(ext::INNER_DST, "1.1.1.1/32"), EINVAL, 10),
        ("inner destination family", bad(ext::INNER_DST).addr(ext::INNER_SRC, "1.1.1.1/32"), EINVAL, 66),
        ("nat-t remote family", bad(ext::NATT_REM), EINVAL, 68),
        ("nat-t remote is IPv6", esp(MessageType::GET).addr(ext::NATT_REM, "2001:db8::1"), EINVAL, 68),
        ("nat-t local family", bad(ext::NATT_LOC), EINVAL, 69),
        ("nat-t local is IPv6", esp(MessageType::GET).addr(ext::NATT_LOC, "2001:db8::1"), EINVAL, 69),
        ("families", between("2001:db8::1", B), EINVAL, 11),
        ("families the other way", between("0.0.0.0", "2001:db8::1"), EINVAL, 11),
        ("protocols of different families", between("::@6", "10.0.0.2@17"), EINVAL, 70),
        ("multicast source", between("224.0.0.1", B), EINVAL, 12),
        ("broadcast source", between("255.255.255.255", B), EINVAL, 12),
        ("IPv6 multicast source", between("ff02::1", "2001:db8::1"), EINVAL, 12),
        ("unspecified destination", between(A, "0.0.0.0"), EINVAL, 13),
        ("unspecified IPv6 destination", between("::1", "::"), EINVAL, 13),
        ("own nat-t local", natt(NATT_LOC, ext::NATT_LOC, "10.0.0.9"), EINVAL, 55),
        ("own IPv6 nat-t local", esp(MessageType::GET).addr(ext::NATT_LOC, OWN_IPV6), EINVAL, 55),
        ("multicast nat-t local", natt(NATT_LOC, ext::NATT_LOC, "224.0.0.1"), EINVAL, 55),
        ("own nat-t remote", natt(NATT_REM, ext::NATT_REM, "::ffff:10.0.0.9"), EINVAL, 56),
        ("own IPv6 nat-t remote", esp(MessageType::GET).addr(ext::NATT_REM, OWN_IPV6), EINVAL, 56),
        ("unspecified nat-t remote", natt(NATT_REM, ext::NATT_REM, "0.0.0.0"), EINVAL, 56),
        ("proposal", plain(9, 0).ext(ext::PROPOSAL, &[0; 4]), EINVAL, 38),
        ("supported", plain(9, 0).ext(ext::SUPPORTED_AUTH, &[0; 4]), EINVAL, 39),
        ("supported ciphers", plain(9, 0).ext(ext::SUPPORTED_ENCRYPT, &[0; 4]), EINVAL, 39),
        ("encryption key to AH", auth(SHA1, 160).key(ext::KEY_ENCRYPT, 128), EINVAL, 37),
    ]
}

fn add_rows() -> Vec<Row> {
    vec![
        ("no src", add(Sa::esp(9)).addr(ext::ADDRESS_DST, B), EINVAL, 18),
        ("no dst", add(Sa::esp(9)).addr(ext::ADDRESS_SRC, A), EINVAL, 19),
        ("no sa", esp(MessageType::ADD).between(A, B), EINVAL, 20),
        ("no encryption key", esp_without(Sa::esp(9)), EINVAL, 21),
        ("no authentication key", Recipe::new(MessageType::ADD, SaType::AH).sa(Sa::ah(9)).between(A, B), EINVAL, 22),
        ("larval", add(Sa::esp(9).state(0)).between(A, B), EINVAL, 43),
        ("dead", add(Sa::esp(9).state(3)).between(A, B), EINVAL, 43),
        ("no cipher", encr(0, 128), EINVAL, 41),
        ("nothing but NULL", esp_without(Sa::esp(9).encr(NULL)), EINVAL, 40),
        ("PFS", plain(9, 1), EINVAL, 42),
        ("UNIQUE", plain(9, UNIQUE), EINVAL, 42),
        ("USED", plain(9, USED), EINVAL, 42),
        ("AH behind a NAT", auth(SHA1, 160).ext(20, &[0; 4]), EINVAL, 69),
        (
            "cipher flag to AH",
            Recipe::new(MessageType::ADD, SaType::AH).sa(Sa::ah(9).flags(0x400_0000)).key(8, 160).between(A, B),
            EINVAL,
            42,
        ),
        ("allocations", limits([1, 0, 0, 0], [2, 0, 0, 0]), EINVAL, 14),
        ("bytes", limits([0, 1, 0, 0], [0, 2, 0, 0]), EINVAL, 15),
        ("addtime", limits([0, 0, 1, 0], [0, 0, 2, 0]), EINVAL, 16),
        ("usetime", limits([0, 0, 0, 1], [0, 0, 0, 2]), EINVAL, 17),
        ("hard and idle addtime", idle([0, 0, 1, 0], [0; 4], [0, 0, 2, 0]), EINVAL, 16),
        ("soft and idle addtime", idle([0; 4], [0, 0, 1, 0], [0, 0, 2, 0]), EINVAL, 16),
        ("soft and idle usetime", idle([0; 4], [0, 0, 0, 1], [0, 0, 0, 2]), EINVAL, 17),
        ("no nat-t local", plain(9, NATT_LOC), EINVAL, 51),
        ("no nat-t remote", plain(9, NATT_REM), EINVAL, 52),
        ("label", plain(9, 0).ext(ext::SENSITIVITY, &[0; 12]), EINVAL, 83),
        ("outer label", plain(9, 0).ext(ext::OUTER_SENS, &[0; 12]), EINVAL, 83),
        ("label to AH", auth(SHA1, 160).ext(ext::SENSITIVITY, &[0; 12]), EOPNOTSUPP, 0),
        ("current lifetime", plain(9, 0).lifetime(ext::LIFETIME_CURRENT, [0; 4]), EOPNOTSUPP, 0),
        ("64-bit replay value", plain(9, 0).replay_value(0, 1), EOPNOTSUPP, 81),
        ("taken", plain(1, 0), EEXIST, 0),
        ("taken, from elsewhere and inbound", add(Sa::esp(1).flags(INBOUND)).between("10.0.0.7", B), EEXIST, 0),
        ("taken by a larval one", plain(5, 0), EEXIST, 0),
        ("pair with nobody", plain(9, OUTBOUND).pair(0), EINVAL, 73),
        ("pair with itself", plain(9, OUTBOUND).pair(9), EINVAL, 73),
        ("pair with what is not there", plain(9, OUTBOUND).pair(77), EINVAL, 73),
        ("pair with another outbound one", plain(9, OUTBOUND).pair(4), EINVAL, 73),
        ("pair in both directions", plain(9, 0).pair(7), EINVAL, 73),
    ]
}

fn key_rows() -> Vec<Row> {
    let weak_part = [0x01; 8];
    let (one, two) = ([0x5b; 8], [0x6d; 8]);
    vec![
        ("no such authentication algorithm", auth(1, 128), EINVAL, 40),
        ("authentication key without algorithm", plain(9, 0).key(8, 128), EINVAL, 40),
        ("no such cipher", encr(13, 160), EINVAL, 41),
        ("short SHA-1 key", auth(SHA1, 128), EINVAL, 44),
        ("short AES key", encr(AES, 64), EINVAL, 45),
        ("GCM key without salt", encr(GCM, 128), EINVAL, 45),
        ("key for NULL", esp_without(Sa::esp(9).encr(NULL).auth(SHA1)).key(8, 160).key(9, 64), EINVAL, 45),
        (
            "AH that encrypts",
            Recipe::new(MessageType::ADD, SaType::AH).sa(Sa::ah(9).encr(AES)).key(8, 160).between(A, B),
            EINVAL,
            46,
        ),
        ("weak DES key", weak(DES, &weak_part), EINVAL, 47),
        ("weak DES key without parity", weak(DES, &[0; 8]), EINVAL, 47),
        ("semi-weak DES key", weak(DES, &[0xf1, 0x0e, 0xf1, 0x0e, 0xe0, 0x1f, 0xe0, 0x1f]), EINVAL, 47),
        ("triple DES of equal parts", weak(3, &[one, one, two].concat()), EINVAL, 47),
        ("triple DES with a weak second part", weak(3, &[one, weak_part, two].concat()), EINVAL, 47),
        ("AES of 136 bits", encr(AES, 136), EINVAL, 80),
    ]
}

fn tunnel_rows() -> Vec<Row> {
    let half = |kind| plain(9, 0).addr(kind, "1.1.1.1/32");
    let outer = |proto: &str| {
        let add = add(Sa::esp(9).flags(TUNNEL)).between(&format!("{A}@{proto}"), &format!("{B}@{proto}"));
        add.addr(ext::INNER_SRC, "1.1.1.1/32").addr(ext::INNER_DST, "2.2.2.2/32")
    };
    let ports =
        add(Sa::esp(9)).between("10.0.0.1#5", B).addr(ext::INNER_SRC, "1.1.1.1/32#6").addr(ext::INNER_DST, "2.2.2.2/32");
    vec![
        ("tunnel of nothing", plain(9, TUNNEL), EINVAL, 58),
        ("inner destination alone", half(ext::INNER_DST), EINVAL, 58),
        ("inner source alone", half(ext::INNER_SRC), EINVAL, 59),
        ("inner source prefix", tunnel("1.1.1.1/33", "2.2.2.2/32"), EINVAL, 64),
        ("inner destination prefix", tunnel("1.1.1.1/33", "2.2.2.2/33"), EINVAL, 65),
        ("IPv6 inner prefix", tunnel("2001:db8::/129", "2001:db8::/64"), EINVAL, 64),
        ("mapped inner prefix below 96", tunnel("::ffff:1.1.1.1/95", "::ffff:2.2.2.2/128"), EINVAL, 64),
        ("inner families", tunnel("1.1.1.1/32", "2001:db8::/64"), EINVAL, 67),
        ("outer protocol", outer("17"), 98, 67),
        ("outer protocol of IPv6", outer("41"), 98, 67),
        ("ports inside and outside", ports, EINVAL, 72),
    ]
}

fn update_rows() -> Vec<Row> {
    let no_sa = esp(MessageType::UPDATE).between(A, B);
    let dying = esp(MessageType::UPDATE).sa(Sa::named(6).state(MATURE)).between(A, "10.0.0.9");
    vec![
        ("update without dst", esp(MessageType::UPDATE).sa(Sa::named(1)).addr(ext::ADDRESS_SRC, A), EINVAL, 19),
        ("update without src", esp(MessageType::UPDATE).sa(Sa::named(1)).addr(ext::ADDRESS_DST, B), EINVAL, 18),
        ("update without sa", no_sa, EINVAL, 20),
        ("update of nothing", update(77), ESRCH, 78),
        ("update from elsewhere", esp(MessageType::UPDATE).sa(Sa::named(1).state(1)).between("10.0.0.7", B), ESRCH, 78),
        ("update with authentication key", update(1).key(ext::KEY_AUTH, 160), EINVAL, 36),
        ("update with encryption key", update(1).key(ext::KEY_ENCRYPT, 128), EINVAL, 37),
        ("update to larval", update_to(0), EINVAL, 43),
        ("update to dying", update_to(2), EINVAL, 43),
        ("update to active", update_to(6), EINVAL, 43),
        ("update of a flag", esp(MessageType::UPDATE).sa(Sa::named(1).state(1).flags(TUNNEL)).between(A, B), EINVAL, 42),
        ("update of the current lifetime", update(1).lifetime(ext::LIFETIME_CURRENT, [0; 4]), EOPNOTSUPP, 82),
        ("update of limits", update(1).lifetime(HARD, [0, 1, 0, 0]).lifetime(SOFT, [0, 2, 0, 0]), EINVAL, 15),
        ("update with a label", update(1).ext(ext::SENSITIVITY, &[0; 12]), EINVAL, 83),
        ("another key management protocol", update(1).cookie(2, 5), EINVAL, 49),
        ("another cookie", update(1).cookie(1, 6), EINVAL, 50),
        ("replay value of a mature one", update(1).replay_value(5, 0), EINVAL, 43),
        ("replay value that is used up", dying.replay_value(u32::to_be(5), 0), EINVAL, 81),
        ("update-pair without pair", esp(MessageType::UPDATE_PAIR).sa(Sa::named(4).state(1)).between(A, B), ESRCH, 76),
        ("update-pair of a larval one", esp(MessageType::UPDATE_PAIR).sa(Sa::esp(5)).key(9, 128).between(A, B), EEXIST, 0),
        ("completing without key", esp(MessageType::UPDATE).sa(Sa::esp(5)).between(A, B), EINVAL, 21),
    ]
}

fn outer_proto(recipe: Recipe) -> Recipe {
    recipe.between("10.0.0.1@41", B).addr(7, "1.1.1.1/32").addr(22, "2.2.2.2/32")
}

fn other_rows() -> Vec<Row> {
    let inverse = || esp(MessageType::INVERSE_ACQUIRE);
    let both = || inverse().between(A, B);
    vec![
        ("get of nothing", get(77, B), ESRCH, 78),
        ("get from elsewhere", get(1, B).addr(ext::ADDRESS_SRC, "10.0.0.7"), ESRCH, 78),
        ("get without dst", esp(MessageType::GET).sa(Sa::named(1)), EINVAL, 19),
        ("get without sa", esp(MessageType::GET).addr(ext::ADDRESS_DST, B), EINVAL, 20),
        ("delete of nothing", esp(MessageType::DELETE).sa(Sa::named(77)).between(A, B), ESRCH, 78),
        ("delete without dst", esp(MessageType::DELETE).sa(Sa::named(1)), EINVAL, 19),
        ("delete without anything", esp(MessageType::DELETE), EINVAL, 20),
        ("delete-pair without pair", esp(MessageType::DELETE_PAIR).sa(Sa::named(4)).between(A, B), ESRCH, 76),
        ("delete-pair of nothing", esp(MessageType::DELETE_PAIR).sa(Sa::named(77)).between(A, B), ESRCH, 78),
        ("delete by state without src", esp(MessageType::DELETE_PAIR_STATE).sa(Sa::named(0).state(1)), EINVAL, 18),
        ("getspi without src", esp(MessageType::GETSPI).addr(ext::ADDRESS_DST, B).range(1, 2), EINVAL, 18),
        ("getspi without dst", esp(MessageType::GETSPI).addr(ext::ADDRESS_SRC, A).range(1, 2), EINVAL, 19),
        ("getspi without range", esp(MessageType::GETSPI).between(A, B), EINVAL, 23),
        ("getspi of a taken one", esp(MessageType::GETSPI).between(A, B).range(1, 1), EEXIST, 0),
        ("inverse acquire without src", inverse(), EINVAL, 18),
        ("inverse acquire without dst", inverse().addr(ext::ADDRESS_SRC, A), EINVAL, 19),
        ("inverse acquire, families", inverse().between(A, "2001:db8::1"), EINVAL, 11),
        ("inverse acquire, inner families", both().addr(7, "1.1.1.1/32").addr(22, "2001:db8::/64"), EINVAL, 67),
        ("inverse acquire, outer protocol", outer_proto(inverse()), 98, 0),
        ("inverse acquire, inner destination alone", both().addr(ext::INNER_DST, A), EINVAL, 58),
        ("inverse acquire, inner source alone", both().addr(ext::INNER_SRC, A), EINVAL, 59),
        ("inverse acquire, bad src", inverse().bad_family(5).addr(6, B), EINVAL, 12),
        ("inverse acquire, bad dst", inverse().bad_family(6).addr(5, A), EINVAL, 13),
        ("inverse acquire, bad inner source", both().bad_family(7).addr(22, B), EINVAL, 62),
        ("inverse acquire, bad inner destination", both().bad_family(22).addr(7, A), EINVAL, 63),
        ("inverse acquire without policy", both(), 2, 0),
    ]
}

#[test]
fn each_request_gets_its_diagnostic() {
    let mut wrong = Vec::new();
    for (what, recipe, errno, diagnostic) in rows() {
        let found = bench().code(recipe);
        if found != (errno, diagnostic) {
            wrong.push(format!("{what}: {found:?}, not {:?}", (errno, diagnostic)));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Codes that no request can cause: the kernel never sets them, only for algorithms that are not shipped (48), or without an
/// errno (75).
const NEVER: &[u16] = &[32, 48, 53, 54, 57, 71, 74, 75, 77, 79];

#[test]
fn every_diagnostic_is_tested() {
    let mut met: Vec<u16> = rows().into_iter().map(|row| row.3).collect();
    // Needs a model without databases.
    met.push(6);
    let missing: Vec<u16> = (0..=83).filter(|code| !met.contains(code) && !NEVER.contains(code)).collect();
    assert_eq!(missing, Vec::<u16>::new());
}

#[test]
fn flush_and_dump_without_databases() {
    let mut bench = Bench::with(Settings { databases: Vec::new(), ..Settings::default() });
    assert_eq!(bench.code(Recipe::new(MessageType::FLUSH, SaType(0))), (ESRCH, 6));
    assert_eq!(bench.code(Recipe::new(MessageType::DUMP, SaType(0))), (ESRCH, 6));
    assert_eq!(bench.code(esp(MessageType::FLUSH)), (EINVAL, 4));
}

#[test]
fn parse_refuses_wrong_lengths() {
    let mut bench = Bench::new();
    for bytes in [&[][..], &[2, 9, 0, 3], &[2, 9, 0, 3, 0, 0, 0, 0], &[0; 15], &[0xff; 4096]] {
        bench.model.write(bench.socket, bytes, START);
        let answer = bench.next().unwrap();
        assert_eq!((answer.errno, answer.diagnostic.0, answer.byte_len), (97, 0, 16));
    }
    let mut long = esp(MessageType::FLUSH).bytes();
    long.extend([0; 8]);
    bench.model.write(bench.socket, &long, START);
    assert_eq!(bench.next().unwrap().errno, 97);
}

#[test]
fn unknown_type_is_answered_as_type_0() {
    let answer = Bench::new().ask(unknown(200));
    assert_eq!((answer.kind, answer.seq, answer.pid), (MessageType::RESERVED, 7, 99));
}

#[test]
fn register_plain_and_extended() {
    let extended = || Recipe::new(MessageType::REGISTER, SaType(0)).ext(ext::EREG, &[3, 0, 0, 0]);
    let mut bench = Bench::new();
    bench.ok(extended());
    assert_eq!(bench.code(extended()), (16, 0));
    assert_eq!(bench.code(esp(MessageType::REGISTER)), (16, 0));
    let mut bench = Bench::new();
    bench.ok(esp(MessageType::REGISTER));
    bench.ok(esp(MessageType::REGISTER));
    assert_eq!(bench.code(extended()), (16, 0));
}

#[test]
fn dumps_at_once() {
    let mut bench = Bench::with(Settings { dumps_at_once: 2, ..Settings::default() });
    bench.ok(plain(1, 0));
    bench.received();
    let dump = esp(MessageType::DUMP).bytes();
    for _ in 0..3 {
        bench.model.write(bench.socket, &dump, START);
    }
    let errors: Vec<u8> = bench.received().iter().map(|message| message.errno).collect();
    assert_eq!(errors, [0, 0, 0, 0, 12]);
}
