//! Requests of ipseckey(1M) and replies of illumos, byte for byte (little-endian).

use super::*;

const PID: u32 = 0;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("address")
}

fn end(text: &str) -> Option<Endpoint> {
    Some(Endpoint { addr: ip(text), port: 0, proto: 0 })
}

fn natt(text: &str, port: u16) -> Option<Endpoint> {
    Some(Endpoint { addr: ip(text), port, proto: 0 })
}

fn prefix(text: &str, prefix_len: u8) -> Option<InnerEndpoint> {
    Some(InnerEndpoint { addr: ip(text), prefix_len, port: 0, proto: 0 })
}

fn fqdn(name: &str) -> Option<Identity> {
    Some(Identity { kind: IdentityType(2), id: 0, value: name.into() })
}

/// `add esp spi 0x100 src 10.0.0.1 dst 10.0.0.2 encr_alg aes encrkey .. auth_alg sha256 authkey ..`
fn esp() -> Request {
    Request {
        sa_type: SaType::ESP,
        spi: Spi(0x100),
        state: SaState::MATURE,
        auth_alg: AuthAlg(5),
        encr_alg: EncrAlg(12),
        auth_key: Some(Key::from_slice(&(0..32).collect::<Vec<u8>>(), 256, 0)),
        encr_key: Some(Key::from_slice(&from_hex("0123456789abcdef0123456789abcdef"), 128, 0)),
        src: end("10.0.0.1"),
        dst: end("10.0.0.2"),
        ..Request::default()
    }
}

/// The minimum of a `get`, `delete` or `delete-pair`.
fn named(sa_type: SaType, spi: u32) -> Request {
    Request { sa_type, spi: Spi(spi), ..Request::default() }
}

#[track_caller]
fn sent(kind: MessageType, request: &Request, hex: &str) {
    let bytes = super::request(&Dialect::ILLUMOS, kind, request, 1, PID).expect("encodes");
    assert_eq!(bytes.len(), bytes.capacity());
    check_body(&bytes, hex);
    let message = decode(&Dialect::ILLUMOS, &bytes).expect("decodes");
    let again = encode(&Dialect::ILLUMOS, &message).expect("encodes again");
    assert_eq!(to_hex(&again), to_hex(&bytes));
}

/// `flush all`
#[test]
fn flush() {
    let request = Request::default();
    sent(MessageType::FLUSH, &request, "02090000020000000100000000000000");
}

/// `dump ah`
#[test]
fn dump() {
    let request = named(SaType::AH, 0);
    sent(MessageType::DUMP, &request, "020a0002020000000100000000000000");
}

/// `add ah spi 0x100 src 10.0.0.1 dst 10.0.0.2 auth_alg sha1 authkey ..`
#[test]
fn add_ah() {
    let request = Request {
        sa_type: SaType::AH,
        auth_alg: AuthAlg(3),
        auth_key: Some(Key::from_slice(&from_hex("00112233445566778899aabbccddeeff00112233"), 160, 0)),
        encr_alg: EncrAlg::NONE,
        encr_key: None,
        ..esp()
    };
    sent(
        MessageType::ADD,
        &request,
        "020300021200000001000000000000000200010000000100000103000000000004000800a00000000011223344556677\
         8899aabbccddeeff001122330000000005000600000000001a0000000000000000000000000000000000ffff0a000002\
         000000000000000005000500000000001a0000000000000000000000000000000000ffff0a0000010000000000000000",
    );
}

/// `add esp .. auth_alg sha256 authkey ..`
#[test]
fn add_esp_without_encryption() {
    let request = Request { encr_alg: EncrAlg::NULL, encr_key: None, ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "0203000313000000010000000000000002000100000001000001050b0000000005000800000100000001020304050607\
         08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f05000600000000001a000000000000000000000000000000\
         0000ffff0a000002000000000000000005000500000000001a0000000000000000000000000000000000ffff0a000001\
         0000000000000000",
    );
}

/// `.. idle_addtime 1000`
#[test]
fn add_idle() {
    let request = Request { idle: Some(Lifetime { addtime: 1000, ..Lifetime::default() }).into(), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "020300031a000000010000000000000002000100000001000001050c0000000004001a00000000000000000000000000\
         e803000000000000000000000000000003000900800000000123456789abcdef0123456789abcdef0500080000010000\
         000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f05000600000000001a00000000000000\
         00000000000000000000ffff0a000002000000000000000005000500000000001a000000000000000000000000000000\
         0000ffff0a0000010000000000000000",
    );
}

/// `.. isrc 192.168.1.0/24`
#[test]
fn add_inner_source() {
    let request = Request { flags: Flags::TUNNEL, inner_src: prefix("192.168.1.0", 24).into(), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "0203000320000000010000000000000002000100000001000001050c0000020003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000500050000000000\
         1a0000000000000000000000000000000000ffff0a000001000000000000000005000700007800001a00000000000000\
         00000000000000000000ffffc0a80100000000000000000005001600000000001a000000000000000000000000000000\
         00000000000000000000000000000000",
    );
}

/// `.. idst 192.168.1.0/24`
#[test]
fn add_inner_destination() {
    let request = Request { flags: Flags::TUNNEL, inner_dst: prefix("192.168.1.0", 24).into(), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "0203000320000000010000000000000002000100000001000001050c0000020003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000500050000000000\
         1a0000000000000000000000000000000000ffff0a000001000000000000000005000700000000001a00000000000000\
         00000000000000000000000000000000000000000000000005001600007800001a000000000000000000000000000000\
         0000ffffc0a801000000000000000000",
    );
}

/// `.. iproto 17`
#[test]
fn add_inner_protocol() {
    let request = Request {
        flags: Flags::TUNNEL,
        inner_src: Some(InnerEndpoint { addr: ip("::"), prefix_len: 0, port: 0, proto: 17 }).into(),
        ..esp()
    };
    sent(
        MessageType::ADD,
        &request,
        "0203000320000000010000000000000002000100000001000001050c0000020003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000500050000000000\
         1a0000000000000000000000000000000000ffff0a000001000000000000000005000700110000001a00000000000000\
         00000000000000000000000000000000000000000000000005001600110000001a000000000000000000000000000000\
         00000000000000000000000000000000",
    );
}

/// `.. srcidtype fqdn host.example.com`
#[test]
fn add_source_identity() {
    let request = Request { src_identity: fqdn("host.example.com").into(), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "020300031b000000010000000000000002000100000001000001050c0000000003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000a00020000000000000000000000686f73742e6578616d706c652e636f6d00000000000000000500060000000000\
         1a0000000000000000000000000000000000ffff0a000002000000000000000005000500000000001a00000000000000\
         00000000000000000000ffff0a0000010000000000000000",
    );
}

/// `.. dstidtype fqdn host.example.com`
#[test]
fn add_destination_identity() {
    let request = Request { dst_identity: fqdn("host.example.com").into(), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "020300031b000000010000000000000002000100000001000001050c0000000003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000b00020000000000000000000000686f73742e6578616d706c652e636f6d00000000000000000500060000000000\
         1a0000000000000000000000000000000000ffff0a000002000000000000000005000500000000001a00000000000000\
         00000000000000000000ffff0a0000010000000000000000",
    );
}

/// `.. srcidtype fqdn a dstidtype fqdn b`
#[test]
fn add_identities() {
    let request = Request { src_identity: fqdn("a").into(), dst_identity: fqdn("b").into(), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "020300031c000000010000000000000002000100000001000001050c0000000003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         03000a00020000000000000000000000610000000000000003000b000200000000000000000000006200000000000000\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000500050000000000\
         1a0000000000000000000000000000000000ffff0a0000010000000000000000",
    );
}

/// `.. encap udp nat_loc 203.0.113.5`
#[test]
fn add_nat_local() {
    let request = Request { flags: Flags::NATT_LOC, natt_local: natt("203.0.113.5", 0).into(), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "020300031b000000010000000000000002000100000001000001050c0000100003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000500140000000000\
         1a0000000000000000000000000000000000ffffcb007105000000000000000005000500000000001a00000000000000\
         00000000000000000000ffff0a0000010000000000000000",
    );
}

/// `.. encap udp nat_rem 203.0.113.5`
#[test]
fn add_nat_remote() {
    let request = Request { flags: Flags::NATT_REM, natt_remote: natt("203.0.113.5", 0).into(), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "020300031b000000010000000000000002000100000001000001050c0000080003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000500150000000000\
         1a0000000000000000000000000000000000ffffcb007105000000000000000005000500000000001a00000000000000\
         00000000000000000000ffff0a0000010000000000000000",
    );
}

/// `.. encap udp nat_lport 4500`
#[test]
fn add_nat_port_only() {
    let request = Request { flags: Flags::NATT_LOC, natt_local: natt("::", 4500).into(), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "0203000319000000010000000000000002000100000001000001050c0000100003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000300140000000000\
         0200119400000000000000000000000005000500000000001a0000000000000000000000000000000000ffff0a000001\
         0000000000000000",
    );
}

/// `.. encap udp nat_loc 203.0.113.5 nat_rem 203.0.113.6 nat_lport 4500 nat_rport 4501`
#[test]
fn add_nat_both() {
    let request = Request {
        flags: Flags::NATT_LOC | Flags::NATT_REM,
        natt_local: natt("203.0.113.5", 4500).into(),
        natt_remote: natt("203.0.113.6", 4501).into(),
        ..esp()
    };
    sent(
        MessageType::ADD,
        &request,
        "0203000320000000010000000000000002000100000001000001050c0000180003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000500150000000000\
         1a0011950000000000000000000000000000ffffcb007106000000000000000005001400000000001a00119400000000\
         00000000000000000000ffffcb007105000000000000000005000500000000001a000000000000000000000000000000\
         0000ffff0a0000010000000000000000",
    );
}

/// `.. encap udp nat_loc .. nat_rem .. isrc 192.168.1.0/24 idst 192.168.2.0/24`
#[test]
fn add_nat_in_tunnel() {
    let request = Request {
        flags: Flags::NATT_LOC | Flags::NATT_REM | Flags::TUNNEL,
        natt_local: natt("203.0.113.5", 0).into(),
        natt_remote: natt("203.0.113.6", 0).into(),
        inner_src: prefix("192.168.1.0", 24).into(),
        inner_dst: prefix("192.168.2.0", 24).into(),
        ..esp()
    };
    sent(
        MessageType::ADD,
        &request,
        "020300032a000000010000000000000002000100000001000001050c00001a0003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000500150000000000\
         1a0000000000000000000000000000000000ffffcb007106000000000000000005001400000000001a00000000000000\
         00000000000000000000ffffcb007105000000000000000005000500000000001a000000000000000000000000000000\
         0000ffff0a000001000000000000000005000700007800001a0000000000000000000000000000000000ffffc0a80100\
         000000000000000005001600007800001a0000000000000000000000000000000000ffffc0a802000000000000000000",
    );
}

/// `.. reserved_bits 32 encrkey ..`
#[test]
fn add_reserved_bits() {
    let request =
        Request { encr_key: Some(Key::from_slice(&from_hex("0123456789abcdef0123456789abcdef"), 128, 32)), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "0203000316000000010000000000000002000100000001000001050c0000000003000900800020000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000500050000000000\
         1a0000000000000000000000000000000000ffff0a0000010000000000000000",
    );
}

/// `.. replay_value 0`
#[test]
fn add_replay_value() {
    let request = Request { replay_value: Some(0), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "0203000318000000010000000000000002000100000001000001050c0000000003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000500050000000000\
         1a0000000000000000000000000000000000ffff0a000001000000000000000002001800000000000000000000000000",
    );
}

/// `.. idle_usetime 10 soft_usetime 8 hard_bytes 2`
#[test]
fn add_lifetimes() {
    let request = Request {
        hard: Some(Lifetime { bytes: 2, ..Lifetime::default() }).into(),
        soft: Some(Lifetime { usetime: 8, ..Lifetime::default() }).into(),
        idle: Some(Lifetime { usetime: 10, ..Lifetime::default() }).into(),
        ..esp()
    };
    sent(
        MessageType::ADD,
        &request,
        "0203000322000000010000000000000002000100000001000001050c0000000004000300000000000200000000000000\
         000000000000000000000000000000000400040000000000000000000000000000000000000000000800000000000000\
         04001a0000000000000000000000000000000000000000000a0000000000000003000900800000000123456789abcdef\
         0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
         05000600000000001a0000000000000000000000000000000000ffff0a00000200000000000000000500050000000000\
         1a0000000000000000000000000000000000ffff0a0000010000000000000000",
    );
}

/// `add esp spi 0x100 pair-spi 0x200 ..`
#[test]
fn add_pair() {
    let request = Request { pair_spi: Some(Spi(0x200)), ..esp() };
    sent(
        MessageType::ADD,
        &request,
        "0203000317000000010000000000000002000100000001000001050c0000010001001700000002000300090080000000\
         0123456789abcdef0123456789abcdef0500080000010000000102030405060708090a0b0c0d0e0f1011121314151617\
         18191a1b1c1d1e1f05000600000000001a0000000000000000000000000000000000ffff0a0000020000000000000000\
         05000500000000001a0000000000000000000000000000000000ffff0a0000010000000000000000",
    );
}

/// `update-pair esp spi 0x100 src 10.0.0.1 dst 10.0.0.2 hard_addtime 100`
#[test]
fn update_pair() {
    let request = Request {
        state: SaState::MATURE,
        encr_alg: EncrAlg::NULL,
        hard: Some(Lifetime { addtime: 100, ..Lifetime::default() }).into(),
        src: end("10.0.0.1"),
        dst: end("10.0.0.2"),
        ..named(SaType::ESP, 0x100)
    };
    sent(
        MessageType::UPDATE_PAIR,
        &request,
        "020d000312000000010000000000000002000100000001000001000b0000000004000300000000000000000000000000\
         6400000000000000000000000000000005000600000000001a0000000000000000000000000000000000ffff0a000002\
         000000000000000005000500000000001a0000000000000000000000000000000000ffff0a0000010000000000000000",
    );
}

/// `update esp spi 0x100 state dying dst 10.0.0.2`
#[test]
fn update_without_source() {
    let request =
        Request { state: SaState::DYING, encr_alg: EncrAlg::NULL, dst: end("10.0.0.2"), ..named(SaType::ESP, 0x100) };
    sent(
        MessageType::UPDATE,
        &request,
        "020200030e000000010000000000000002000100000001000002000b0000000005000600000000001a00000000000000\
         00000000000000000000ffff0a000002000000000000000005000500000000001a000000000000000000000000000000\
         00000000000000000000000000000000",
    );
}

/// `delete ah spi 4660 src 10.0.0.1 dst 10.0.0.2`
#[test]
fn delete() {
    let request = Request { src: end("10.0.0.1"), dst: end("10.0.0.2"), ..named(SaType::AH, 0x1234) };
    sent(
        MessageType::DELETE,
        &request,
        "020400020e00000001000000000000000200010000001234000000000000000005000500000000001a00000000000000\
         00000000000000000000ffff0a000001000000000000000005000600000000001a000000000000000000000000000000\
         0000ffff0a0000020000000000000000",
    );
}

/// `delete esp spi 0x1234 dst 10.0.0.2 sport 1024 proto 17`
#[test]
fn delete_by_port() {
    let request = Request {
        src: Some(Endpoint { addr: ip("::"), port: 1024, proto: 17 }),
        dst: end("10.0.0.2"),
        ..named(SaType::ESP, 0x1234)
    };
    sent(
        MessageType::DELETE,
        &request,
        "020400030e00000001000000000000000200010000001234000000000000000005000600000000001a00000000000000\
         00000000000000000000ffff0a000002000000000000000005000500110000001a000400000000000000000000000000\
         00000000000000000000000000000000",
    );
}

/// `delete-pair esp spi 0x100`
#[test]
fn delete_pair() {
    let request = named(SaType::ESP, 0x100);
    sent(MessageType::DELETE_PAIR, &request, "020e000304000000010000000000000002000100000001000000000000000000");
}

/// `get esp spi 0x1234`
#[test]
fn get() {
    let request = named(SaType::ESP, 0x1234);
    sent(MessageType::GET, &request, "0205000304000000010000000000000002000100000012340000000000000000");
}

/// The reply to a GET with every extension of an illumos description.
#[test]
fn description() {
    let bytes = from_hex(
        "020500033b000000010000000000000002000100000012342001050c00401b0004000200010000008813000000000000\
         9cf0536500000000cef0536500000000040003000a000000a086010000000000201c000000000000100e000000000000\
         0400040009000000905f010000000000581b000000000000480d00000000000004001a00000000000000000000000000\
         58020000000000002c010000000000000300050004000000020000000a01010100000000000000000300060004000000\
         020000000a0101020000000000000000030014001100000002001194cb00710500000000000000000300150011000000\
         02001195cb0071060000000000000000030007000618000002000000c0a8010000000000000000000300160006180000\
         02000050c0a8020000000000000000000200130000000000050000000000000005000800000100000001020304050607\
         08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0300090080000000101112131415161718191a1b1c1d1e1f\
         04000a00020000000000000000000000612e6578616d706c650000000000000004000b00030000000000000000000000\
         62406578616d706c65000000000000000100170000000099020018004d0000000000000000000000",
    );
    if cfg!(target_endian = "big") {
        return;
    }
    let message = decode(&Dialect::ILLUMOS, &bytes).expect("decodes");
    assert_eq!((message.kind, message.sa_type, message.seq, message.byte_len), (MessageType::GET, SaType::ESP, 1, 472));
    assert_eq!(message.association().map(|sa| (sa.spi, sa.replay)), Some((Spi(0x1234), 32)));
    assert_eq!(message.lifetime(LifetimeKind::Idle).map(|idle| idle.usetime), Some(300));
    let inner = message.address(AddressRole::InnerDestination).expect("inner destination");
    assert_eq!((inner.addr, inner.prefix_len, inner.port), (Some(ip("192.168.2.0")), 24, 80));
    let remote = message.address(AddressRole::NattRemote).expect("NAT-T remote");
    assert_eq!((remote.addr, remote.port, remote.proto), (Some(ip("203.0.113.6")), 4501, 17));
    assert_eq!(message.key(KeyRole::Auth).map(Key::bits), Some(256));
    let pair = message.extensions.iter().any(|ext| matches!(ext, Extension::Pair(Spi(0x99))));
    let replay = message.extensions.iter().any(|ext| matches!(ext, Extension::ReplayValue { value32: 77, .. }));
    assert!(pair && replay);
    assert!(!message.extensions.iter().any(|ext| matches!(ext, Extension::Unknown { .. })));
    let again = encode(&Dialect::ILLUMOS, &message).expect("encodes");
    assert_eq!(to_hex(&again), to_hex(&bytes));
    for len in 0..bytes.len() {
        assert!(decode(&Dialect::ILLUMOS, &bytes[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn request_refuses_values_that_do_not_fit() {
    let encode = |request: &Request| super::request(&Dialect::ILLUMOS, MessageType::ADD, request, 1, PID).err();
    let text = encode(&Request { replay: 256, ..esp() }).expect("refused").to_string();
    assert_eq!(text, "replay window 256 is too large for illumos PF_KEY (maximum 255)");
    assert!(matches!(encode(&Request { auth_alg: AuthAlg(256), ..esp() }), Some(EncodeError::Algorithm { .. })));
    assert!(matches!(encode(&Request { encr_alg: EncrAlg(256), ..esp() }), Some(EncodeError::Algorithm { .. })));
    let long = Identity { kind: IdentityType(2), id: 0, value: vec![b'a'; 530_000] };
    let request = Request { src_identity: Some(long).into(), ..esp() };
    assert!(matches!(encode(&request), Some(EncodeError::Write(_))));
}

#[test]
fn linux_has_no_pairs() {
    let request = Request { dst: end("10.0.0.2"), ..named(SaType::ESP, 1) };
    let result = super::request(&Dialect::LINUX, MessageType::DELETE_PAIR, &request, 1, PID);
    assert!(matches!(result.err(), Some(EncodeError::MessageType { .. })));
}

#[test]
fn linux_add_has_native_addresses_both_lifetimes_and_a_mode() {
    let hard = Some(Lifetime { addtime: 60, ..Lifetime::default() });
    let request = Request {
        hard: hard.into(),
        flags: Flags::TUNNEL | Flags::INBOUND,
        natt_local: natt("10.0.0.2", 0).into(),
        ..esp()
    };
    let bytes = super::request(&Dialect::LINUX, MessageType::ADD, &request, 1, 7).expect("encodes");
    let message = decode(&Dialect::LINUX, &bytes).expect("decodes");
    assert_eq!(message.address(AddressRole::Source).and_then(|src| src.addr), Some(ip("10.0.0.1")));
    assert_eq!(message.lifetime(LifetimeKind::Soft), Some(&Lifetime::default()));
    assert_eq!(message.association().map(|sa| sa.flags), Some(Flags::default()));
    let tunnel = |ext: &Extension| matches!(ext, Extension::SecondAssociation { mode: 2, .. });
    assert!(message.extensions.iter().any(tunnel));
    let port = |ext: &Extension| matches!(ext, Extension::NattPort(Side::Destination, 4500));
    assert!(message.extensions.iter().any(port));
    assert_eq!(message.pid, 7);
}

#[test]
fn linux_get_has_a_source() {
    let request = Request { dst: end("10.0.0.2"), ..named(SaType::ESP, 1) };
    let bytes = super::request(&Dialect::LINUX, MessageType::GET, &request, 1, PID).expect("encodes");
    let message = decode(&Dialect::LINUX, &bytes).expect("decodes");
    assert_eq!(message.address(AddressRole::Source).and_then(|src| src.addr), Some(ip("0.0.0.0")));
}
