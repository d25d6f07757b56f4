use proptest::prelude::*;

use super::attribute::{AddressFilter, Algorithm, Encap, OffloadDevice, ReplayState, ReplayStateEsn};
use super::fixed::{CurrentLifetime, LifetimeLimits, RawAddress, XfrmSelector};
use super::number::attr;
use super::*;
use crate::sa::Masked;
use crate::secret::Key;

fn address(last: u8) -> RawAddress {
    RawAddress([10, 0, 0, last, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

fn info() -> SaInfo {
    SaInfo {
        selector: XfrmSelector {
            dst: address(9),
            dst_port: (80, 0xffff),
            family: 2,
            dst_prefix: 32,
            proto: 6,
            ..XfrmSelector::default()
        },
        dst: address(2),
        spi: 0x1234_5678,
        proto: 50,
        src: address(1),
        limits: LifetimeLimits { bytes: (1, 2), packets: (3, 4), add: (5, 6), used: (7, 8) },
        current: CurrentLifetime { bytes: 9, packets: 10, add_time: 11, use_time: 12 },
        drops: [13, 14, 15],
        seq: 16,
        reqid: 17,
        family: 2,
        mode: 1,
        replay_window: 32,
        flags: 128,
    }
}

fn policy() -> PolicyInfo {
    PolicyInfo {
        selector: info().selector,
        limits: info().limits,
        current: info().current,
        priority: 18,
        index: 19,
        direction: 1,
        action: 1,
        flags: 2,
        share: 3,
    }
}

fn template() -> XfrmTemplate {
    XfrmTemplate {
        dst: address(2),
        spi: 0x1234_5678,
        proto: 51,
        family: 2,
        src: address(1),
        reqid: 20,
        mode: 1,
        share: 3,
        optional: false,
        algorithms: [21, 22, u32::MAX],
    }
}

fn algorithm(name: &'static str, icv_bits: u32) -> Algorithm {
    Algorithm { name: name.into(), icv_bits, key: Key::from_slice(&[7; 20], 160, 0) }
}

fn every_attribute() -> Vec<Attribute> {
    vec![
        Attribute::Auth(algorithm("hmac(sha1)", 0)),
        Attribute::AuthTrunc(algorithm("hmac(sha1)", 96)),
        Attribute::Crypt(algorithm("cbc(aes)", 0)),
        Attribute::Comp(algorithm("deflate", 0)),
        Attribute::Aead(algorithm("rfc4106(gcm(aes))", 128)),
        Attribute::Encap(Encap { kind: 2, src_port: 4500, dst_port: 4501, original: address(3) }),
        Attribute::Templates(vec![template(), XfrmTemplate { optional: true, ..template() }]),
        Attribute::Sa(Box::new(info())),
        Attribute::Policy(Box::new(policy())),
        Attribute::PolicyType(1),
        Attribute::Current(CurrentLifetime { bytes: 1, packets: 2, add_time: 3, use_time: 4 }),
        Attribute::Replay(ReplayState { sent: 1, received: 2, bitmap: 3 }),
        Attribute::ReplayEsn(ReplayStateEsn { sent: 1 << 33, received: 1 << 34 | 5, window: 64, bitmap: vec![1, 2] }),
        Attribute::Address(attr::SRCADDR, address(4)),
        Attribute::LastUsed(99),
        Attribute::Mark(Masked { value: 1, mask: 0xff }),
        Attribute::Proto(51),
        Attribute::Filter(AddressFilter { src: address(1), dst: address(2), family: 2, src_prefix: 8, dst_prefix: 9 }),
        Attribute::Offload(OffloadDevice { ifindex: 3, flags: 2 }),
        Attribute::Direction(1),
        Attribute::Word(attr::TFCPAD, 5),
        Attribute::Unknown { kind: 60, bytes: Buffer::from_slice(&[1, 2, 3]) },
    ]
}

fn bodies() -> Vec<(u16, u16, Body)> {
    let name = UserSaId { dst: address(2), spi: 5, family: 2, proto: 50 };
    let event = EventId { id: name, src: address(1), flags: 2, reqid: 7 };
    let policy_name = UserPolicyId { selector: info().selector, index: 19, direction: 2 };
    let refusal = NetlinkError { errno: 17, seq: 9, text: Some("no".into()), offset: Some(240) };
    vec![
        (kind::NEWSA, 0, Body::Sa(Box::new(info()), every_attribute())),
        (kind::UPDSA, 0, Body::Sa(Box::new(info()), Vec::new())),
        (kind::DELSA, 0, Body::SaId(name, every_attribute())),
        (kind::GETSA, 0, Body::SaId(name, Vec::new())),
        (kind::GETSA, flag::DUMP, Body::Dump(every_attribute())),
        (kind::FLUSHSA, 0, Body::Flush(50)),
        (kind::EXPIRE, 0, Body::Expire(Box::new(info()), true, every_attribute())),
        (kind::NEWAE, 0, Body::Event(event, every_attribute())),
        (kind::NEWPOLICY, 0, Body::Policy(Box::new(policy()), every_attribute())),
        (kind::UPDPOLICY, 0, Body::Policy(Box::new(policy()), Vec::new())),
        (kind::DELPOLICY, 0, Body::PolicyId(policy_name, every_attribute())),
        (kind::GETPOLICY, 0, Body::PolicyId(policy_name, Vec::new())),
        (kind::GETPOLICY, flag::DUMP, Body::Dump(Vec::new())),
        (kind::GETSADINFO, 0, Body::CountRequest(7)),
        (kind::GETDEFAULT, 0, Body::DefaultPolicy([1, 2, 0])),
        (kind::NEWSADINFO, 0, Body::Count(Some(4))),
        (kind::ERROR, flag::CAPPED | flag::ACK_TLVS, Body::Error(refusal)),
        (kind::DONE, flag::MULTI, Body::Done(0)),
        (99, 0, Body::Unknown(Buffer::from_slice(&[1, 2, 3, 4]))),
    ]
}

fn encoded(kind: u16, flags: u16, body: &Body) -> Buffer {
    encode(NetlinkHeader { kind, flags, seq: 3, port: 4 }, body).unwrap()
}

#[test]
fn what_is_encoded_decodes_to_the_same_bytes() {
    for (kind, flags, body) in bodies() {
        let bytes = encoded(kind, flags, &body);
        let message = decode(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(message.header, NetlinkHeader { kind, flags, seq: 3, port: 4 });
        assert_eq!(message.byte_len, bytes.len());
        assert!(*encode(message.header, &message.body).unwrap() == *bytes, "message type {kind}");
    }
}

#[test]
fn fixed_parts_have_the_kernels_sizes_and_places() {
    let bytes = encoded(kind::NEWSA, 0, &Body::Sa(Box::new(info()), Vec::new()));
    assert_eq!(bytes.len(), HEADER_LEN + 220 + TAIL_PADDING);
    let at = |from: usize, len: usize| &bytes[HEADER_LEN + from..HEADER_LEN + from + len];
    assert_eq!(at(32, 4), [0, 80, 0xff, 0xff]);
    assert_eq!(at(72, 4), [0x12, 0x34, 0x56, 0x78]);
    assert_eq!(at(76, 1), [50]);
    assert_eq!(at(80, 4), [10, 0, 0, 1]);
    assert_eq!(at(96, 8), 1u64.to_ne_bytes());
    assert_eq!(at(160, 8), 9u64.to_ne_bytes());
    assert_eq!(at(192, 4), 13u32.to_ne_bytes());
    assert_eq!(at(208, 4), 17u32.to_ne_bytes());
    assert_eq!(at(212, 2), 2u16.to_ne_bytes());
    assert_eq!(at(214, 3), [1, 32, 128]);
    let name = UserSaId { dst: address(2), spi: 5, family: 2, proto: 50 };
    assert_eq!(encoded(kind::GETSA, 0, &Body::SaId(name, Vec::new())).len(), HEADER_LEN + 24);
    let event = EventId { id: name, src: address(1), flags: 2, reqid: 7 };
    assert_eq!(encoded(kind::NEWAE, 0, &Body::Event(event, Vec::new())).len(), HEADER_LEN + 48);
    assert_eq!(
        encoded(kind::EXPIRE, 0, &Body::Expire(Box::new(info()), false, Vec::new())).len(),
        HEADER_LEN + 224 + 2 * TAIL_PADDING
    );
}

#[test]
fn parts_of_policies_have_the_kernels_sizes_and_places() {
    let bytes = encoded(kind::NEWPOLICY, 0, &Body::Policy(Box::new(policy()), Vec::new()));
    assert_eq!(bytes.len(), HEADER_LEN + 164 + TAIL_PADDING);
    let at = |from: usize, len: usize| &bytes[HEADER_LEN + from..HEADER_LEN + from + len];
    assert_eq!(at(56, 8), 1u64.to_ne_bytes());
    assert_eq!(at(120, 8), 9u64.to_ne_bytes());
    assert_eq!(at(152, 4), 18u32.to_ne_bytes());
    assert_eq!(at(156, 4), 19u32.to_ne_bytes());
    assert_eq!(at(160, 8), [1, 1, 2, 3, 0, 0, 0, 0]);
    let name = UserPolicyId { selector: info().selector, index: 19, direction: 2 };
    let bytes = encoded(kind::DELPOLICY, 0, &Body::PolicyId(name, Vec::new()));
    assert_eq!(bytes.len(), HEADER_LEN + 64);
    assert_eq!(bytes[HEADER_LEN + 56..HEADER_LEN + 60], 19u32.to_ne_bytes());
    assert_eq!(bytes[HEADER_LEN + 60..], [2, 0, 0, 0]);
}

#[test]
fn a_template_has_the_kernels_size_and_places() {
    let bytes = encoded(kind::GETSA, flag::DUMP, &Body::Dump(vec![Attribute::Templates(vec![template()])]));
    let at = |from: usize, len: usize| &bytes[HEADER_LEN + 4 + from..HEADER_LEN + 4 + from + len];
    assert_eq!(bytes.len(), HEADER_LEN + 4 + 64);
    assert_eq!(at(0, 4), [10, 0, 0, 2]);
    assert_eq!(at(16, 5), [0x12, 0x34, 0x56, 0x78, 51]);
    assert_eq!(at(24, 2), 2u16.to_ne_bytes());
    assert_eq!(at(28, 4), [10, 0, 0, 1]);
    assert_eq!(at(44, 4), 20u32.to_ne_bytes());
    assert_eq!(at(48, 4), [1, 3, 0, 0]);
    assert_eq!(at(52, 4), 21u32.to_ne_bytes());
    assert_eq!(at(60, 4), u32::MAX.to_ne_bytes());
}

#[test]
fn an_attribute_of_the_wrong_size_or_name_is_carried_whole() {
    let odd = vec![
        Attribute::Unknown { kind: attr::ALG_AEAD, bytes: Buffer::from_slice(&[1; 71]) },
        Attribute::Unknown { kind: attr::ALG_CRYPT, bytes: Buffer::from_slice(&[&[0xf2; 3][..], &[0; 65]].concat()) },
        Attribute::Unknown { kind: attr::MARK, bytes: Buffer::from_slice(&[1; 9]) },
        Attribute::Unknown { kind: attr::TMPL, bytes: Buffer::from_slice(&[1; 65]) },
        Attribute::Unknown { kind: attr::PAD, bytes: Buffer::from_slice(&[]) },
    ];
    let bytes = encoded(kind::GETSA, flag::DUMP, &Body::Dump(odd));
    let Body::Dump(read) = decode(&mut Reader::new(&bytes)).unwrap().body else { panic!("not a dump") };
    let kinds: Vec<_> = read.iter().map(|a| (a.kind(), matches!(a, Attribute::Unknown { .. }))).collect();
    assert_eq!(kinds, [(attr::ALG_AEAD, true), (attr::ALG_CRYPT, true), (attr::MARK, true), (attr::TMPL, true)]);
}

#[test]
fn a_refusal_that_quotes_the_request_is_read_past_it() {
    let refusal = NetlinkError { errno: 22, seq: 9, text: Some("why".into()), offset: None };
    let mut bytes = encoded(kind::ERROR, flag::ACK_TLVS, &Body::Error(refusal.clone())).to_vec();
    // The quoted request has a length of 16 + 6 bytes, padded to 8.
    bytes[HEADER_LEN + 4..HEADER_LEN + 8].copy_from_slice(&22u32.to_ne_bytes());
    bytes.splice(HEADER_LEN + 20..HEADER_LEN + 20, [0xff; 8]);
    let len = bytes.len() as u32;
    bytes[..4].copy_from_slice(&len.to_ne_bytes());
    let Body::Error(read) = decode(&mut Reader::new(&bytes)).unwrap().body else { panic!("not an answer") };
    assert_eq!(read, refusal);
}

#[test]
fn a_datagram_holds_several_messages() {
    let mut datagram = Vec::new();
    for (kind, flags, body) in bodies() {
        datagram.extend_from_slice(&encoded(kind, flags, &body));
        datagram.resize(datagram.len().next_multiple_of(4), 0);
    }
    let read: Vec<_> = messages(&datagram).map(|message| message.unwrap().header.kind).collect();
    assert_eq!(read, bodies().iter().map(|(kind, ..)| *kind).collect::<Vec<_>>());
}

#[test]
fn every_truncation_is_an_error() {
    for (kind, flags, body) in bodies() {
        let bytes = encoded(kind, flags, &body);
        for len in 1..bytes.len() {
            assert!(decode(&mut Reader::new(&bytes[..len])).is_err(), "message type {kind} cut to {len} bytes");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_decode_to_something_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        messages(&bytes).for_each(drop);
    }

    #[test]
    fn any_payload_decodes_to_something_or_an_error(
        kind in 0u16..41,
        flags in any::<u16>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let _ = read_body(NetlinkHeader { kind, flags, seq: 0, port: 0 }, Reader::new(&bytes));
    }

    #[test]
    fn damage_to_one_byte_never_panics(which in 0..bodies().len(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (kind, flags, body) = bodies().swap_remove(which);
        let mut bytes = encoded(kind, flags, &body).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        messages(&bytes).for_each(drop);
    }
}

#[test]
fn a_request_can_ask_for_an_answer_afterwards() {
    let mut request = encoded(kind::FLUSHSA, flag::REQUEST, &Body::Flush(50));
    request_ack(&mut request);
    assert_eq!(request[..], encoded(kind::FLUSHSA, flag::REQUEST | flag::ACK, &Body::Flush(50))[..]);
}
