//! Random bytes, and random messages of every type.

use proptest::prelude::*;

use super::*;

/// Keeps proptest from needing `Debug` of what may hold a key.
struct Hidden<T>(T);

impl<T> std::fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::any::type_name::<T>())
    }
}

/// A message as bytes, twice: decode(encode(message)) encodes to the same bytes again, and no byte of memory shows.
fn check_fixed_point(dialect: &Dialect, message: &Message) {
    let bytes = encode(dialect, message).expect("encodes");
    assert_eq!(bytes.len(), bytes.capacity(), "reallocated or padded");
    let again = decode(dialect, &bytes).expect("decodes");
    assert_eq!(again.extensions.len(), message.extensions.len());
    for (one, other) in again.extensions.iter().zip(&message.extensions) {
        assert_eq!(std::mem::discriminant(one), std::mem::discriminant(other));
    }
    assert_eq!(to_hex(&encode(dialect, &again).expect("encodes again")), to_hex(&bytes));
}

fn lifetime() -> impl Strategy<Value = Lifetime> {
    any::<(u32, u64, u64, u64)>().prop_map(|(allocations, bytes, addtime, usetime)| Lifetime {
        allocations,
        bytes,
        addtime,
        usetime,
    })
}

fn key() -> impl Strategy<Value = Hidden<Key>> {
    (0usize..80).prop_flat_map(|len| {
        prop::collection::vec(any::<u8>(), len)
            .prop_map(move |bytes| Hidden(Key::from_slice(&bytes, u16::try_from(len * 8).expect("small"), 0)))
    })
}

fn identity() -> impl Strategy<Value = Identity> {
    (any::<u16>(), any::<u64>(), prop::collection::vec(1u8.., 0..40)).prop_map(|(kind, id, value)| Identity {
        kind: IdentityType(kind),
        id,
        value,
    })
}

fn address() -> impl Strategy<Value = AddressInfo> {
    let addr = prop_oneof![
        any::<u32>().prop_map(|v4| IpAddr::from(v4.to_be_bytes())),
        any::<u128>().prop_map(|v6| IpAddr::from(v6.to_be_bytes()))
    ];
    (any::<u8>(), any::<u8>(), prop::option::of(addr), any::<u16>())
        .prop_map(|(proto, prefix_len, addr, port)| AddressInfo { proto, prefix_len, family: 77, addr, port })
}

fn combination() -> impl Strategy<Value = Combination> {
    (any::<(u8, u8, u16)>(), any::<(u16, u16)>(), any::<(u16, u16)>(), any::<u8>(), lifetime(), lifetime()).prop_map(
        |((auth, encr, flags), auth_bits, encr_bits, salt_bits, soft, hard)| Combination {
            auth: AuthAlg(auth.into()),
            encr: EncrAlg(encr.into()),
            flags,
            auth_bits,
            encr_bits,
            salt_bits,
            soft,
            hard,
        },
    )
}

fn extended_combination() -> impl Strategy<Value = ExtendedCombination> {
    let algorithm = any::<(u8, u8, u8, u8, (u16, u16))>().prop_map(|(sa_type, kind, alg, reserved, bits)| {
        ExtendedAlgorithm { sa_type: SaType(sa_type), kind, alg, reserved, bits }
    });
    (any::<u16>(), lifetime(), lifetime(), prop::collection::vec(algorithm, 0..5))
        .prop_map(|(flags, soft, hard, algorithms)| ExtendedCombination { flags, soft, hard, algorithms })
}

fn supported() -> impl Strategy<Value = Vec<SupportedAlgorithm>> {
    let row = any::<(u8, u8, u16, u16, u8, u8)>().prop_map(|(id, iv_len, min_bits, max_bits, increment, salt_bits)| {
        SupportedAlgorithm { id, iv_len, min_bits, max_bits, increment, salt_bits }
    });
    prop::collection::vec(row, 0..6)
}

fn association() -> impl Strategy<Value = Association> {
    any::<(u32, u8, u8, u8, u8, u32)>().prop_map(|(spi, replay, state, auth, encr, flags)| Association {
        spi: Spi(spi),
        replay,
        state: SaState(state),
        auth: AuthAlg(auth.into()),
        encr: EncrAlg(encr.into()),
        flags: Flags(flags),
    })
}

fn extension() -> impl Strategy<Value = Hidden<Extension>> {
    let kinds =
        prop::sample::select(vec![LifetimeKind::Current, LifetimeKind::Hard, LifetimeKind::Soft, LifetimeKind::Idle]);
    let roles = prop::sample::select(vec![
        AddressRole::Source,
        AddressRole::Destination,
        AddressRole::InnerSource,
        AddressRole::InnerDestination,
        AddressRole::NattLocal,
        AddressRole::NattRemote,
    ]);
    let keys = || prop::sample::select(vec![KeyRole::Auth, KeyRole::Encr]);
    let sides = prop::sample::select(vec![Side::Source, Side::Destination]);
    prop_oneof![
        association().prop_map(|sa| Hidden(Extension::Association(sa))),
        (kinds, lifetime()).prop_map(|(kind, lifetime)| Hidden(Extension::Lifetime(kind, lifetime))),
        (roles, address()).prop_map(|(role, address)| Hidden(Extension::Address(role, address))),
        (keys(), key()).prop_map(|(role, Hidden(key))| Hidden(Extension::Key(role, key))),
        (sides, identity()).prop_map(|(side, identity)| Hidden(Extension::Identity(side, identity))),
        (any::<u8>(), prop::collection::vec(combination(), 0..4))
            .prop_map(|(replay, combinations)| Hidden(Extension::Proposal { replay, combinations })),
        (keys(), supported()).prop_map(|(role, rows)| Hidden(Extension::Supported(role, rows))),
        any::<(u32, u32)>().prop_map(|(min, max)| Hidden(Extension::SpiRange { min: Spi(min), max: Spi(max) })),
        prop::collection::vec((1u8..).prop_map(SaType), 0..6).prop_map(|types| Hidden(Extension::ExtendedRegister(types))),
        (any::<u8>(), prop::collection::vec(extended_combination(), 0..4))
            .prop_map(|(replay, combinations)| Hidden(Extension::ExtendedProposal { replay, combinations })),
        any::<(u32, u64)>().prop_map(|(proto, cookie)| Hidden(Extension::KmCookie { proto, cookie })),
        any::<u32>().prop_map(|spi| Hidden(Extension::Pair(Spi(spi)))),
        any::<(u32, u64)>().prop_map(|(value32, value64)| Hidden(Extension::ReplayValue { value32, value64 })),
        any::<u64>().prop_map(|timeout| Hidden(Extension::ExtendedDump { timeout })),
        (28u16.., 0usize..5)
            .prop_map(|(kind, words)| Hidden(Extension::Unknown { kind, bytes: Buffer::zeroed(8 + words * 8) })),
    ]
}

fn message() -> impl Strategy<Value = Hidden<Message>> {
    (any::<(u8, u8, u8, u8, u16, u32, u32)>(), prop::collection::vec(extension(), 0..12)).prop_map(
        |((version, kind, errno, sa_type, diagnostic, seq, pid), extensions)| {
            Hidden(Message {
                version,
                kind: MessageType(kind),
                errno,
                sa_type: SaType(sa_type),
                byte_len: 0,
                diagnostic: DiagnosticCode(diagnostic),
                seq,
                pid,
                extensions: extensions.into_iter().map(|Hidden(ext)| ext).collect(),
            })
        },
    )
}

/// Extensions of every type and length around the real ones, each body of a random byte.
fn odd_extensions() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((0u16..30, 1u16..12, any::<u8>()), 0..8).prop_map(|extensions| {
        let mut bytes = vec![2, 5, 0, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0];
        for (kind, words, fill) in extensions {
            bytes.extend(words.to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.resize(bytes.len() + usize::from(words) * 8 - 4, fill);
        }
        let words = u16::try_from(bytes.len() / 8).expect("short");
        bytes[4..6].copy_from_slice(&words.to_ne_bytes());
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn encode_of_decode_is_the_identity(message in message()) {
        check_fixed_point(&Dialect::ILLUMOS, &message.0);
    }

    #[test]
    fn decode_accepts_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&Dialect::ILLUMOS, &bytes);
        let _ = decode(&Dialect::LINUX, &bytes);
    }

    #[test]
    fn decode_keeps_unknown_extensions(bytes in odd_extensions()) {
        for dialect in [Dialect::ILLUMOS, Dialect::LINUX] {
            let message = decode(&dialect, &bytes).expect("well framed");
            check_fixed_point(&dialect, &message);
        }
    }

    #[test]
    fn decode_refuses_every_prefix(bytes in odd_extensions()) {
        for len in 0..bytes.len() {
            prop_assert!(decode(&Dialect::ILLUMOS, &bytes[..len]).is_err());
        }
    }
}

#[test]
fn decode_refuses_a_wrong_length() {
    let header = |words: u16, total: usize| {
        let mut bytes = vec![2, 10, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        bytes[4..6].copy_from_slice(&words.to_ne_bytes());
        bytes.resize(total, 0);
        decode(&Dialect::ILLUMOS, &bytes).err()
    };
    assert_eq!(header(2, 15), Some(DecodeError::Header(15)));
    assert_eq!(header(2, 16), None);
    assert_eq!(header(1, 16), Some(DecodeError::Length { declared: 8, actual: 16 }));
    assert_eq!(header(3, 16), Some(DecodeError::Length { declared: 24, actual: 16 }));
    assert_eq!(header(3, 24), Some(DecodeError::Extension { at: 16, kind: 0, declared: 0, left: 8 }));
    let text = DecodeError::Length { declared: 24, actual: 16 }.to_string();
    assert_eq!(text, "the header declares 24 bytes, received 16");
}

#[test]
fn decode_refuses_an_extension_beyond_the_end() {
    let mut bytes = vec![2, 10, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    bytes[4..6].copy_from_slice(&3u16.to_ne_bytes());
    bytes.extend(2u16.to_ne_bytes());
    bytes.extend(1u16.to_ne_bytes());
    bytes.extend([0; 4]);
    let expected = DecodeError::Extension { at: 16, kind: 1, declared: 16, left: 8 };
    assert_eq!(decode(&Dialect::ILLUMOS, &bytes).err(), Some(expected));
}

#[test]
fn encode_of_the_longest_message() {
    let message = |words: usize| Message {
        version: 2,
        kind: MessageType::ADD,
        errno: 0,
        sa_type: SaType::ESP,
        byte_len: 0,
        diagnostic: DiagnosticCode(0),
        seq: 0,
        pid: 0,
        extensions: vec![Extension::Unknown { kind: 99, bytes: Buffer::zeroed(words * 8) }],
    };
    let bytes = encode(&Dialect::ILLUMOS, &message(65_000)).expect("fits");
    assert_eq!(decode(&Dialect::ILLUMOS, &bytes).map(|message| message.byte_len), Ok(65_002 * 8));
    assert!(matches!(encode(&Dialect::ILLUMOS, &message(65_534)), Err(EncodeError::Write(_))));
}
