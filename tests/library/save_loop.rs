//! A saved SA loads again: the description of an SA, saved and parsed, equals the request that added it.

use std::net::IpAddr;

use crate::keyfile::{Command, HostsFile, Options, Setting, Verb, commands};
use crate::names::Vocabulary;
use crate::sa::{
    AuthAlg, EncrAlg, Endpoint, Extension, Flags, Identity, IdentityType, InnerEndpoint, KeyRole, Lifetime, LifetimeKind,
    Message, MessageType, Request, SaState, SaType, Spi,
};
use crate::secret::Key;
use crate::show::save::Saver;
use crate::wire::pfkey::{Dialect, decode, request};
use proptest::prelude::*;

/// Provides the `Debug` that proptest needs, for values that may contain a key.
struct Hidden(Request);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an SA of type {} with SPI {}", self.0.sa_type.0, self.0.spi)
    }
}

fn add(sa: &Request) -> Vec<u8> {
    request(&Dialect::ILLUMOS, MessageType::ADD, sa, 1, 0).expect("encodes").to_vec()
}

/// The description of the SA of `sa` by an illumos kernel: IPv4 addresses as such, the salt separate from the key.
fn described(sa: &Request) -> Message {
    let mut message = decode(&Dialect::ILLUMOS, &add(sa)).expect("decodes");
    message.kind = MessageType::DUMP;
    for extension in &mut message.extensions {
        match extension {
            Extension::Address(_, info) => {
                if let Some(IpAddr::V6(addr)) = info.addr
                    && let Some(ipv4) = addr.to_ipv4_mapped()
                {
                    info.addr = Some(ipv4.into());
                    info.prefix_len = info.prefix_len.saturating_sub(96);
                }
            }
            Extension::Key(KeyRole::Encr, key) if sa.encr_alg == EncrAlg(20) => {
                *key = Key::from_slice(key.expose(), key.bits() - 32, 32);
            }
            _ => {}
        }
    }
    let current = Lifetime { allocations: 1, bytes: 2, addtime: 3, usetime: 4 };
    message.extensions.insert(1, Extension::Lifetime(LifetimeKind::Current, current));
    message
}

fn saved(sas: &[Message]) -> Vec<u8> {
    let (mut file, mut saver) = (Vec::new(), Saver::new(false));
    saver.begin(&mut file).expect("writes");
    sas.iter().try_for_each(|sa| saver.save(&mut file, sa)).expect("writes");
    saver.finish(&mut file).expect("writes");
    file
}

/// The requests of the `add` commands of a file; no diagnostic may be an error.
fn loaded(file: &[u8]) -> Vec<Request> {
    let resolver = HostsFile::parse("");
    let options = Options { vocabulary: Vocabulary::Illumos, numeric: true, setting: Setting::File, resolver: &resolver };
    let mut requests = Vec::new();
    for item in commands(file, &options) {
        let texts: Vec<_> = item.diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect();
        match item.outcome {
            Ok(Command::Sa(command)) => {
                assert!(command.verb == Verb::Add, "another command");
                requests.push(*command.request);
            }
            Ok(_) => panic!("another command"),
            Err(_) => panic!("refused: {texts:?} in\n{}", String::from_utf8_lossy(file)),
        }
    }
    requests
}

fn check(sas: &[Request]) {
    let file = saved(&sas.iter().map(described).collect::<Vec<_>>());
    let again = loaded(&file);
    assert_eq!(again.len(), sas.len());
    for (one, other) in sas.iter().zip(&again) {
        assert!(add(one) == add(other), "differs:\n{}", String::from_utf8_lossy(&file));
    }
}

fn key(bytes: usize) -> Option<Key> {
    let bytes: Vec<u8> = (1..=bytes).map(|number| u8::try_from(number * 7 % 251).expect("small")).collect();
    let bits = u16::try_from(bytes.len() * 8).expect("short");
    (bits != 0).then(|| Key::from_slice(&bytes, bits, 0))
}

fn addr(family: bool) -> BoxedStrategy<IpAddr> {
    if family {
        any::<u8>().prop_map(|host| IpAddr::from([10, 0, 0, host])).boxed()
    } else {
        any::<u16>().prop_map(|host| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 1, host])).boxed()
    }
}

fn lifetime() -> impl Strategy<Value = Option<Lifetime>> {
    let some = (any::<u32>(), any::<u64>(), any::<u64>(), 1..u64::MAX)
        .prop_map(|(allocations, bytes, addtime, usetime)| Lifetime { allocations, bytes, addtime, usetime });
    prop::option::of(some)
}

fn identity() -> impl Strategy<Value = Option<Identity>> {
    let value = "[a-z#\\\\][a-z #'\\\\]{0,20}[a-z]";
    prop::option::of((1u16..=3, value).prop_map(|(kind, value)| Identity {
        kind: IdentityType(kind),
        id: 0,
        value: value.into_bytes(),
    }))
}

fn sa() -> impl Strategy<Value = Hidden> {
    let algorithms = prop::sample::select(vec![(2, 3, 20, 0, 0), (3, 5, 32, 12, 16), (3, 0, 0, 20, 20), (3, 2, 16, 11, 0)]);
    any::<(bool, bool)>().prop_flat_map(move |(outer, inner)| {
        let ends = (addr(outer), addr(outer), any::<u16>(), any::<u16>(), any::<u8>());
        let prefixes = prop::option::of((addr(inner), 0u8..=32, addr(inner), 0u8..=32, any::<u8>()));
        let numbers = (256u32.., any::<u8>(), 0u32..4, any::<u32>());
        (algorithms.clone(), ends, prefixes, numbers, limits_of(), (identity(), identity())).prop_map(
            |(algorithms, ends, prefixes, (spi, replay, direction, value), (hard, soft), (src_identity, dst_identity))| {
                let (sa_type, auth, auth_len, encr, encr_len) = algorithms;
                let (src, dst, sport, dport, proto) = ends;
                let tunnel = prefixes.is_some();
                let port = |port| if tunnel { 0 } else { port };
                let side = |addr, prefix_len, proto| InnerEndpoint { addr, prefix_len, port: 53, proto };
                let flags = Flags(direction * Flags::INBOUND.0) | if tunnel { Flags::TUNNEL } else { Flags::default() };
                Hidden(Request {
                    sa_type: SaType(sa_type),
                    spi: Spi(spi),
                    replay: replay.into(),
                    state: SaState::MATURE,
                    auth_alg: AuthAlg(auth),
                    encr_alg: EncrAlg(encr),
                    flags,
                    hard: hard.into(),
                    soft: soft.into(),
                    auth_key: key(auth_len),
                    encr_key: key(encr_len),
                    src_identity: src_identity.into(),
                    dst_identity: dst_identity.into(),
                    src: Some(Endpoint { addr: src, port: port(sport), proto }),
                    dst: Some(Endpoint { addr: dst, port: port(dport), proto }),
                    inner_src: prefixes.map(|(src, len, _, _, proto)| side(src, len, proto)).into(),
                    inner_dst: prefixes.map(|(_, _, dst, len, proto)| side(dst, len, proto)).into(),
                    replay_value: (value != 0).then_some(value.into()),
                    ..Request::default()
                })
            },
        )
    })
}

fn limits_of() -> impl Strategy<Value = (Option<Lifetime>, Option<Lifetime>)> {
    // A soft limit above the hard one is refused, so there is no soft limit next to a hard one.
    (lifetime(), lifetime()).prop_map(|(hard, soft)| if hard.is_some() { (hard, None) } else { (None, soft) })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn saver_output_loads_as_the_same_request(sas in prop::collection::vec(sa(), 1..4)) {
        check(&sas.into_iter().map(|Hidden(sa)| sa).collect::<Vec<_>>());
    }
}

fn plain(spi: u32, src: [u8; 4], dst: [u8; 4], flags: Flags) -> Request {
    let end = |addr: [u8; 4]| Some(Endpoint { addr: addr.into(), port: 0, proto: 0 });
    Request {
        sa_type: SaType::ESP,
        spi: Spi(spi),
        state: SaState::MATURE,
        auth_alg: AuthAlg(5),
        encr_alg: EncrAlg(12),
        flags,
        auth_key: key(32),
        encr_key: key(16),
        src: end(src),
        dst: end(dst),
        ..Request::default()
    }
}

const HERE: [u8; 4] = [10, 0, 0, 1];
const THERE: [u8; 4] = [10, 0, 0, 2];

#[test]
fn saver_writes_pair_spi_with_the_second_sa() {
    let first = Request { pair_spi: Some(Spi(0x200)), ..plain(0x100, HERE, THERE, Flags::OUTBOUND) };
    let second = Request { pair_spi: Some(Spi(0x100)), ..plain(0x200, THERE, HERE, Flags::INBOUND) };
    let file = saved(&[described(&first), described(&second)]);
    let again = loaded(&file);
    assert_eq!(again.iter().map(|sa| sa.pair_spi).collect::<Vec<_>>(), [None, Some(Spi(0x100))]);
    assert!(again[0].flags.has(Flags::OUTBOUND) && again[1].flags.has(Flags::INBOUND));
    assert!(!String::from_utf8_lossy(&file).contains("WARNING"));
    let alone = String::from_utf8(saved(&[described(&first)])).expect("text");
    let warning = "# WARNING: the SA paired with esp spi 0x100 dst 10.0.0.2 does not exist: it loads without a pair.\n";
    assert!(alone.ends_with(warning), "{alone}");
    assert_eq!(loaded(alone.as_bytes()).len(), 1);
}

#[test]
fn saver_keeps_nat_traversal_addresses() {
    let end = |addr: [u8; 4], port| Some(Endpoint { addr: addr.into(), port, proto: 0 });
    check(&[Request {
        flags: Flags::NATT_LOC | Flags::NATT_REM,
        natt_local: end([203, 0, 113, 5], 4500).into(),
        natt_remote: end([203, 0, 113, 6], 0).into(),
        ..plain(0x100, HERE, THERE, Flags::default())
    }]);
}

#[test]
fn saver_writes_larval_and_dead_sas_as_comments() {
    for state in [SaState::LARVAL, SaState::DEAD] {
        let gone = Request { state, ..plain(0x100, HERE, THERE, Flags::default()) };
        let file = saved(&[described(&gone), described(&plain(0x200, HERE, THERE, Flags::default()))]);
        let again = loaded(&file);
        assert_eq!(again.iter().map(|sa| sa.spi).collect::<Vec<_>>(), [Spi(0x200)]);
    }
}

/// A saved file may be read by `sh` by mistake: what is in quotes is not carried out.
#[test]
fn saver_quotes_identities_that_a_shell_would_carry_out() {
    for value in ["a;touch x", "a|sh", "a&", "(a)", "<a", "a>b", "a*", "~root", "it's"] {
        let identity = Identity { kind: IdentityType(2), id: 0, value: value.as_bytes().to_vec() };
        let sa = Request { src_identity: Some(identity).into(), ..plain(0x100, HERE, THERE, Flags::default()) };
        let file = saved(&[described(&sa)]);
        assert!(String::from_utf8_lossy(&file).contains(&format!("srcidtype fqdn \"{value}\"")), "{value}");
        let [sa] = &loaded(&file)[..] else { panic!("one SA") };
        assert_eq!(sa.src_identity.as_ref().map(|identity| &*identity.value), Some(value.as_bytes()));
    }
}

#[test]
fn saver_omits_identities_that_cannot_be_written() {
    let expanded =
        [(2, &b"$(touch x)"[..]), (2, b"a `id`"), (2, b"$HOME"), (2, b"a\\"), (2, b"\x1b[2J"), (2, b"\xe2\x80\xae")];
    let inexpressible = [(2, &b"a\"b"[..]), (2, b" a"), (2, b""), (2, b"a\nb"), (4, b"\x30\x00"), (6, b"id")];
    for (kind, value) in expanded.into_iter().chain(inexpressible) {
        let identity = Identity { kind: IdentityType(kind), id: 0, value: value.to_vec() };
        let sa = Request { src_identity: Some(identity).into(), ..plain(0x100, HERE, THERE, Flags::default()) };
        let file = saved(&[described(&sa)]);
        assert!(
            String::from_utf8_lossy(&file)
                .contains("# WARNING: SA has an identity that a keys file cannot express.\nadd esp")
        );
        assert!(loaded(&file).iter().all(|sa| sa.src_identity.is_none()));
    }
}

#[test]
fn saver_omits_idle_lifetimes_that_cannot_be_written() {
    let idle = Some(Lifetime { allocations: 1, bytes: 2, addtime: 3, usetime: 4 });
    let file = saved(&[described(&Request { idle: idle.into(), ..plain(0x100, HERE, THERE, Flags::default()) })]);
    assert!(String::from_utf8_lossy(&file).contains("# WARNING: SA has an idle lifetime in bytes or allocations"));
    assert_eq!(loaded(&file)[0].idle, Some(Lifetime { addtime: 3, usetime: 4, ..Lifetime::default() }).into());
}

#[test]
fn saver_output_with_masked_keys_does_not_load() {
    let mut file = Vec::new();
    Saver::new(true).save(&mut file, &described(&plain(0x100, HERE, THERE, Flags::default()))).expect("writes");
    let text = String::from_utf8(file).expect("text");
    assert!(text.contains(&format!("\tauthkey {}/256 \\\n", "XX".repeat(32))), "{text}");
    let resolver = HostsFile::parse("");
    let options = Options { vocabulary: Vocabulary::Illumos, numeric: true, setting: Setting::File, resolver: &resolver };
    assert!(commands(text.as_bytes(), &options).all(|item| item.outcome.is_err()));
}
