//! Lower bounds for benches/load/run to compare with, and the times of programs, in seconds:
//!
//! - `floor add N`: the kernel adds N SAs that were encoded beforehand, 64 to a datagram
//! - `floor pfkey-add N`: the same through PF_KEY, one message to a datagram, 64 to a system call
//! - `floor dump`: the kernel lists its SAs to a reader that ignores them; also prints the number of bytes
//! - `floor scan FILE`: finds the line ends of a file in memory; also prints their number
//! - `floor time COMMAND...`: from the start of a program to its exit; its standard output is discarded
#![allow(clippy::print_stdout, reason = "prints its measurements")]

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ipseckey::sa::{AuthAlg, EncrAlg, Endpoint, Lifetime, MessageType, Request, SaState, SaType, Spi};
use ipseckey::sadb::Transport;
use ipseckey::secret::{Buffer, Key};
use ipseckey::sys::net::netlink::NetlinkSocket;
use ipseckey::sys::net::packet_socket::{Head, PacketSocket};
use ipseckey::sys::time::Deadline;
use ipseckey::wire::pfkey::{self, Dialect};
use ipseckey::wire::xfrm::attribute::Algorithm;
use ipseckey::wire::xfrm::fixed::{Limits, family_of};
use ipseckey::wire::xfrm::number::{INFINITE, PROTO_ESP, flag, kind};
use ipseckey::wire::xfrm::{Attribute, Body, Header, SaInfo, encode, messages};

/// Messages for each system call: enough to make its cost negligible.
const BATCH: u32 = 64;
const DEADLINE: Duration = Duration::from_secs(60);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["add", count] => add(count.parse().expect("a number of SAs")),
        ["pfkey-add", count] => pfkey_add(count.parse().expect("a number of SAs")),
        ["dump"] => dump(),
        ["scan", file] => scan(file),
        ["time", program, arguments @ ..] => time(program, arguments),
        _ => println!("usage: floor add N | pfkey-add N | dump | scan FILE | time COMMAND..."),
    }
}

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
    let unlimited =
        Limits { bytes: (INFINITE, INFINITE), packets: (INFINITE, INFINITE), add: (0, 86400), ..Limits::default() };
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
    let header = Header { kind: kind::NEWSA, flags: flag::REQUEST | ack, seq: at + 1, port };
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

/// Sends batches and reads the replies of each before the next: the kernel drops replies that do not fit into the socket's buffer.
fn pfkey_add(count: u32) {
    let mut socket = PacketSocket::pf_key().expect("PF_KEY");
    let requests: Vec<Buffer> = (0..count).map(pfkey_addition).collect();
    let mut heads = [Head::default(); BATCH as usize];
    let start = Instant::now();
    for batch in requests.chunks(BATCH as usize) {
        assert_eq!(Transport::send_many(&mut socket, batch).expect("sends"), batch.len());
        let mut left = batch.len();
        while left > 0 {
            let received =
                Transport::receive_heads(&mut socket, &mut Deadline::after(DEADLINE), &mut heads[..left]).expect("receives");
            let refused = heads.iter().take(received).any(|head| head[2] != 0);
            assert!(received > 0 && !refused, "the kernel refuses an SA or does not reply");
            left -= received;
        }
    }
    println!("{:.6}", start.elapsed().as_secs_f64());
}

fn add(count: u32) {
    let mut socket = NetlinkSocket::xfrm(0).expect("NETLINK_XFRM");
    // Whole batches only: just the last message of each requests an acknowledgement.
    let count = count.next_multiple_of(BATCH);
    let requests: Vec<Buffer> = (0..count).map(|at| addition(at, socket.port())).collect();
    let start = Instant::now();
    for batch in requests.chunks(BATCH as usize) {
        socket.send(batch).expect("sends");
        let reply = socket.receive(&mut Deadline::after(DEADLINE)).expect("receives").expect("a reply");
        let refused = messages(&reply).any(|message| match message.expect("well formed").body {
            Body::Answer(refusal) => refusal.errno != 0,
            _ => true,
        });
        assert!(!refused, "the kernel refuses an SA");
    }
    println!("{:.6}", start.elapsed().as_secs_f64());
}

fn dump() {
    let mut socket = NetlinkSocket::xfrm(0).expect("NETLINK_XFRM");
    let header = Header { kind: kind::GETSA, flags: flag::REQUEST | flag::DUMP, seq: 1, port: socket.port() };
    let request = encode(header, &Body::Dump(Vec::new())).expect("fits");
    let start = Instant::now();
    socket.send(&[request]).expect("sends");
    let mut bytes = 0;
    loop {
        let reply = socket.receive(&mut Deadline::after(DEADLINE)).expect("receives").expect("a reply");
        bytes += reply.len();
        if kinds(&reply).any(|kind| kind == kind::DONE) {
            break;
        }
    }
    println!("{:.6} {bytes}", start.elapsed().as_secs_f64());
}

/// The types of the messages in a datagram, read from their headers only.
fn kinds(mut datagram: &[u8]) -> impl Iterator<Item = u16> {
    std::iter::from_fn(move || {
        let (len, rest) = datagram.split_first_chunk::<4>()?;
        let kind = rest.first_chunk::<2>()?;
        datagram = datagram.get(u32::from_ne_bytes(*len).next_multiple_of(4) as usize..).unwrap_or_default();
        Some(u16::from_ne_bytes(*kind))
    })
}

fn scan(file: &str) {
    let text = std::fs::read(file).expect("the file");
    let start = Instant::now();
    let lines = memchr::memchr_iter(b'\n', &text).count();
    println!("{:.6} {lines}", start.elapsed().as_secs_f64());
}

/// Not a shell's `time`: a shell forks first, and starts the next program of a pipeline concurrently.
fn time(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().expect("starts");
    println!("{:.4}", start.elapsed().as_secs_f64());
    assert!(status.success(), "{program}: {status}");
}
