//! Random bytes and mutated messages cause no panic and no inconsistent table.

use proptest::prelude::*;

use crate::model::tests::*;
use crate::sa::{SaId, Spi};

fn kinds() -> impl Strategy<Value = MessageType> {
    (0_u8..=16).prop_map(MessageType)
}

fn sa_types() -> impl Strategy<Value = SaType> {
    prop_oneof![Just(SaType::ESP), Just(SaType::ESP), Just(SaType::AH), Just(SaType(0))]
}

fn address() -> impl Strategy<Value = String> {
    let ip = prop_oneof![
        Just(A),
        Just(B),
        Just("10.0.0.9"),
        Just("::ffff:10.0.0.1"),
        Just("::"),
        Just("0.0.0.0"),
        Just("224.0.0.1"),
        Just("2001:db8::1"),
        Just("2001:db8::2"),
        Just("2001:db8::9")
    ];
    (ip, 0_u8..=130, 0_u16..3, 0_u8..5).prop_map(|(ip, prefix, port, proto)| format!("{ip}/{prefix}#{port}@{proto}"))
}

fn sa() -> impl Strategy<Value = Sa> {
    let flags = prop_oneof![
        Just(0),
        Just(INBOUND),
        Just(OUTBOUND),
        Just(INBOUND | OUTBOUND),
        Just(TUNNEL),
        Just(OUTBOUND | PAIRED),
        any::<u32>()
    ];
    let encr = prop_oneof![Just(0), Just(NULL), Just(AES), Just(DES), Just(GCM), 0_u8..25];
    (0_u32..5, 0_u8..70, 0_u8..8, 0_u8..8, encr, flags).prop_map(|(spi, replay, state, auth, encr, flags)| Sa {
        spi,
        replay,
        state,
        auth,
        encr,
        flags,
    })
}

/// One extension to be added to a recipe.
#[derive(Clone, Debug)]
enum Part {
    Sa(Sa),
    Address(u16, String),
    Key(u16, u16),
    Lifetime(u16, [u64; 4]),
    Pair(u32),
    Range(u32, u32),
    ReplayWindow(u32, u64),
    Cookie(u32, u64),
    Other(u16, Vec<u8>),
}

fn small() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(0), 0_u64..40, any::<u64>()]
}

fn part() -> impl Strategy<Value = Part> {
    let lifetime = (prop_oneof![Just(3_u16), Just(4), Just(26)], 0_u64..9, small(), small(), small())
        .prop_map(|(kind, a, b, c, d)| Part::Lifetime(kind, [a, b, c, d]));
    let bits = prop_oneof![Just(128_u16), Just(160), Just(64), Just(192), 0_u16..300];
    prop_oneof![
        1 => sa().prop_map(Part::Sa),
        1 => (prop_oneof![Just(7_u16), Just(22), Just(20), Just(21), Just(5), Just(6)], address()).prop_map(|(kind, text)| Part::Address(kind, text)),
        3 => (8_u16..=9, bits).prop_map(|(kind, bits)| Part::Key(kind, bits)),
        2 => lifetime,
        2 => (0_u32..5).prop_map(Part::Pair),
        1 => (0_u32..5, 0_u32..9).prop_map(|(min, max)| Part::Range(min, max)),
        1 => (any::<u32>(), any::<u64>()).prop_map(|(a, b)| Part::ReplayWindow(a, b)),
        1 => (0_u32..4, 0_u64..3).prop_map(|(a, b)| Part::Cookie(a, b)),
        1 => (0_u16..30, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(kind, bytes)| Part::Other(kind, bytes)),
    ]
}

fn build(kind: MessageType, sa_type: SaType, parts: &[Part]) -> Recipe {
    parts.iter().fold(Recipe::new(kind, sa_type), |recipe, part| match part {
        Part::Sa(sa) => recipe.sa(*sa),
        Part::Address(kind, text) => recipe.addr(*kind, text),
        Part::Key(kind, bits) => recipe.key(*kind, *bits),
        Part::Lifetime(kind, values) => recipe.lifetime(*kind, *values),
        Part::Pair(spi) => recipe.pair(*spi),
        Part::Range(min, max) => recipe.range(*min, *max),
        Part::ReplayWindow(value32, value64) => recipe.replay_value(*value32, *value64),
        Part::Cookie(proto, cookie) => recipe.cookie(*proto, *cookie),
        Part::Other(kind, bytes) => recipe.ext(*kind, bytes),
    })
}

/// A message that often makes sense: usually an SA, a source and a destination, then whatever comes.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let common = (sa(), address(), address())
        .prop_map(|(sa, source, destination)| vec![Part::Sa(sa), Part::Address(5, source), Part::Address(6, destination)]);
    let likely = (0_u32..5, 0_u8..4, 0_u32..3).prop_map(|(spi, which, flags)| {
        let (source, destination) = if which % 2 == 0 { (A, B) } else { (B, A) };
        let sa = Sa::esp(spi).flags(flags << 14);
        vec![Part::Sa(sa), Part::Address(5, source.into()), Part::Address(6, destination.into()), Part::Key(9, 128)]
    });
    let likely_update = (0_u32..5, 0_u8..2).prop_map(|(spi, which)| {
        let (source, destination) = if which == 0 { (A, B) } else { (B, A) };
        vec![Part::Sa(Sa::named(spi).state(MATURE)), Part::Address(5, source.into()), Part::Address(6, destination.into())]
    });
    let first = prop_oneof![2 => common, 4 => likely, 3 => likely_update, 1 => Just(Vec::new())];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2);
    (kinds(), sa_types(), first, prop::collection::vec(part(), 0..3), changes).prop_map(
        |(kind, sa_type, mut first, rest, changes)| {
            first.extend(rest);
            let mut bytes = build(kind, sa_type, &first).bytes();
            for (index, value) in changes {
                let at = index.index(bytes.len() * 4);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            bytes
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<u8>),
    Pass(u64),
    Use(u32, bool, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => message().prop_map(Step::Write),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Step::Write),
        2 => (1_u64..30).prop_map(Step::Pass),
        2 => (0_u32..5, any::<bool>(), 0_u64..30).prop_map(|(spi, is_inbound, bytes)| Step::Use(spi, is_inbound, bytes)),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    any::<bool>().prop_map(|with_local| Settings {
        local: if with_local { vec!["10.0.0.9".parse().unwrap(), B.parse().unwrap()] } else { Vec::new() },
        ..Settings::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn random_requests_keep_tables_consistent(settings in settings(), steps in prop::collection::vec(step(), 1..60)) {
        let mut bench = Bench::with(settings);
        for step in steps {
            match step {
                Step::Write(bytes) => bench.model.write(bench.socket, &bytes, bench.now),
                Step::Pass(seconds) => drop(bench.pass(seconds)),
                Step::Use(spi, is_inbound, bytes) => {
                    let (dst, direction) =
                        if is_inbound { (A, crate::model::TableDirection::Inbound) } else { (B, crate::model::TableDirection::Outbound) };
                    let id = SaId { sa_type: SaType::ESP, spi: Spi(spi), dst: dst.parse().unwrap(), mark: None };
                    bench.model.use_sa(id, direction, bytes, bench.now);
                }
            }
            bench.check();
            bench.received();
        }
    }
}
