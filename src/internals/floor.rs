//! The shortest times that a kernel allows, for benches/load/floor.rs.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use crate::sa::{AuthAlg, EncrAlg, Endpoint, Lifetime, MessageType, Request, SaState, SaType, Spi};
use crate::sadb::Transport;
use crate::secret::{Buffer, Key};
use crate::sys::net::Head;
use crate::sys::net::netlink::NetlinkSocket;
use crate::sys::net::packet_socket::PacketSocket;
use crate::sys::time::Deadline;
use crate::wire::pfkey::{self, Dialect};
use crate::wire::xfrm::attribute::Algorithm;
use crate::wire::xfrm::fixed::{LifetimeLimits, family_of};
use crate::wire::xfrm::number::{INFINITE, PROTO_ESP, flag, kind};
use crate::wire::xfrm::{Attribute, Body, NetlinkHeader, SaInfo, encode, messages};

/// Messages for each system call: enough to make its cost negligible.
const BATCH: u32 = 64;
const DEADLINE: Duration = Duration::from_secs(60);

/// Source and destination of the SA in line `at` of the keys files of benches/load/run.
fn addresses(at: u32) -> (IpAddr, IpAddr) {
    (IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | at)), IpAddr::V4(Ipv4Addr::from(0xc0a8_0000 + at)))
}

/// A key that differs from that of the next SA.
fn key(at: u32, bytes: u8) -> Key {
    Key::new((0..bytes).map(|byte| byte ^ at.to_le_bytes()[0]).collect(), u16::from(bytes) * 8, 0)
}

fn addition(at: u32, port: u32) -> Buffer {
    let (src, dst) = addresses(at);
    let unlimited = LifetimeLimits {
        bytes: (INFINITE, INFINITE),
        packets: (INFINITE, INFINITE),
        add: (0, 86400),
        ..LifetimeLimits::default()
    };
    let info = SaInfo {
        dst: dst.into(),
        spi: 0x1_0000 + at,
        proto: PROTO_ESP,
        src: src.into(),
        limits: unlimited,
        family: family_of(dst),
        ..SaInfo::default()
    };
    let algorithm = |name: &'static str, icv_bits, bytes| Algorithm { name: name.into(), icv_bits, key: key(at, bytes) };
    let attributes =
        vec![Attribute::AuthTrunc(algorithm("hmac(sha256)", 128, 32)), Attribute::Crypt(algorithm("cbc(aes)", 0, 16))];
    let ack = if (at + 1).is_multiple_of(BATCH) { flag::ACK } else { 0 };
    let header = NetlinkHeader { kind: kind::NEWSA, flags: flag::REQUEST | ack, seq: at + 1, port };
    encode(header, &Body::Sa(Box::new(info), attributes)).expect("fits")
}

fn pfkey_addition(at: u32) -> Buffer {
    let (src, dst) = addresses(at);
    let end = |addr| Some(Endpoint { addr, port: 0, proto: 0 });
    let request = Request {
        sa_type: SaType::ESP,
        spi: Spi(0x1_0000 + at),
        state: SaState::MATURE,
        auth_alg: AuthAlg(5),
        encr_alg: EncrAlg(12),
        auth_key: Some(key(at, 32)),
        encr_key: Some(key(at, 16)),
        hard: Some(Lifetime { addtime: 86400, ..Lifetime::default() }).into(),
        src: end(src),
        dst: end(dst),
        ..Request::default()
    };
    pfkey::request(&Dialect::LINUX, MessageType::ADD, &request, at + 1, std::process::id()).expect("encodes")
}

/// The time in which PF_KEY adds `count` SAs that were encoded beforehand. Sends as many as the socket holds answers to, and reads those.
///
/// # Panics
/// Without PF_KEY, or if an SA is refused.
#[must_use]
pub fn pfkey_add(count: u32) -> Duration {
    let mut socket = PacketSocket::pf_key().expect("PF_KEY");
    let requests: Vec<Buffer> = (0..count).map(pfkey_addition).collect();
    let mut heads = [Head::default(); BATCH as usize];
    let start = Instant::now();
    for batch in requests.chunks(BATCH as usize) {
        assert_eq!(Transport::send_many(&mut socket, batch).expect("sends"), batch.len());
        let mut left = batch.len();
        while left > 0 {
            let came =
                Transport::receive_heads(&mut socket, &mut Deadline::after(DEADLINE), &mut heads[..left]).expect("receives");
            let refused = heads.iter().take(came).any(|head| head[2] != 0);
            assert!(came > 0 && !refused, "the kernel refuses an SA, or is silent");
            left -= came;
        }
    }
    start.elapsed()
}

/// The time in which XFRM adds `count` SAs that were encoded beforehand.
///
/// # Panics
/// Without XFRM, or if an SA is refused.
#[must_use]
pub fn add(count: u32) -> Duration {
    let mut socket = NetlinkSocket::xfrm(0).expect("NETLINK_XFRM");
    // Whole batches only: the last message of each asks for the answer.
    let count = count.next_multiple_of(BATCH);
    let requests: Vec<Buffer> = (0..count).map(|at| addition(at, socket.port())).collect();
    let start = Instant::now();
    for batch in requests.chunks(BATCH as usize) {
        socket.send(batch).expect("sends");
        let answer = socket.receive(&mut Deadline::after(DEADLINE)).expect("receives").expect("an answer");
        let refused = messages(&answer).any(|message| match message.expect("well formed").body {
            Body::Error(refusal) => refusal.errno != 0,
            _ => true,
        });
        assert!(!refused, "the kernel refuses an SA");
    }
    start.elapsed()
}

/// The time in which XFRM lists its SAs to a reader that does not decode them, and the bytes of the list.
///
/// # Panics
/// Without XFRM.
#[must_use]
pub fn dump() -> (Duration, usize) {
    let mut socket = NetlinkSocket::xfrm(0).expect("NETLINK_XFRM");
    let header = NetlinkHeader { kind: kind::GETSA, flags: flag::REQUEST | flag::DUMP, seq: 1, port: socket.port() };
    let request = encode(header, &Body::Dump(Vec::new())).expect("fits");
    let start = Instant::now();
    socket.send(&[request]).expect("sends");
    let mut bytes = 0;
    loop {
        let answer = socket.receive(&mut Deadline::after(DEADLINE)).expect("receives").expect("an answer");
        bytes += answer.len();
        if kinds(&answer).any(|kind| kind == kind::DONE) {
            break;
        }
    }
    (start.elapsed(), bytes)
}

/// The types of a datagram's messages, their contents not looked at.
fn kinds(mut datagram: &[u8]) -> impl Iterator<Item = u16> {
    std::iter::from_fn(move || {
        let (len, rest) = datagram.split_first_chunk::<4>()?;
        let kind = rest.first_chunk::<2>()?;
        datagram = datagram.get(u32::from_ne_bytes(*len).next_multiple_of(4) as usize..).unwrap_or_default();
        Some(u16::from_ne_bytes(*kind))
    })
}
