//! The program `sadb-model` from outside: several clients at once, a monitor, a hundred thousand SAs, its socket file.

use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ipseckey::sa::{EncrAlg, Endpoint, KeyRole, Message, MessageType, Request, SaState, SaType, Spi};
use ipseckey::sadb::{Hearing, PfKey, Sadb, SadbError, Transport};
use ipseckey::secret::Key;
use ipseckey::sys::net::packet_socket::PacketSocket;
use ipseckey::sys::time::Deadline;
use ipseckey::wire::pfkey::{Dialect, decode, request};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sadb-model");

/// A running `sadb-model` in a directory of its own.
struct Server {
    child: Child,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sadb");
        let child = Command::new(PROGRAM).arg("--listen").arg(&path).args(options).spawn().unwrap();
        let server = Self { child, path, _directory: directory };
        drop(server.socket());
        server
    }

    fn socket(&self) -> PacketSocket {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match PacketSocket::connect_unix(&self.path) {
                Ok(socket) => return socket,
                Err(error) if Instant::now() > deadline => panic!("{error}"),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn client(&self) -> PfKey<PacketSocket> {
        PfKey::new(self.socket(), &Dialect::ILLUMOS)
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn esp(spi: u32, dst: &str) -> Request {
    let endpoint = |ip: &str| Some(Endpoint { addr: ip.parse().unwrap(), port: 0, proto: 0 });
    Request {
        sa_type: SaType::ESP,
        spi: Spi(spi),
        state: SaState::MATURE,
        src: endpoint("10.0.0.1"),
        dst: endpoint(dst),
        encr_alg: EncrAlg(12),
        encr_key: Some(Key::from_slice(&[0xa5; 16], 128, 0)),
        ..Request::default()
    }
}

/// The next message, within a few seconds.
fn hear(socket: &mut PacketSocket) -> Message {
    let bytes = socket.receive(&mut Deadline::after(Duration::from_secs(10))).unwrap().expect("a message within 10 seconds");
    decode(&Dialect::ILLUMOS, &bytes).unwrap()
}

fn send(socket: &mut PacketSocket, kind: MessageType, of: &Request, seq: u32, pid: u32) {
    socket.send(&request(&Dialect::ILLUMOS, kind, of, seq, pid).unwrap()).unwrap();
}

/// Sends a request and waits for its answer among whatever else is heard.
fn ask(socket: &mut PacketSocket, kind: MessageType, of: &Request, seq: u32, pid: u32) -> Message {
    send(socket, kind, of, seq, pid);
    loop {
        let message = hear(socket);
        if (message.seq, message.pid) == (seq, pid) {
            return message;
        }
    }
}

fn errno(result: Result<(), SadbError>) -> i32 {
    match result {
        Err(SadbError::Refused { errno, .. }) => errno,
        Err(error) => panic!("{error}"),
        Ok(()) => 0,
    }
}

#[test]
fn two_clients_and_a_monitor_at_once() {
    let server = Server::start(&["--local", "10.0.0.1"]);
    let mut monitor = server.socket();
    let promiscuous = Request { sa_type: SaType(1), ..Request::default() };
    send(&mut monitor, MessageType::PROMISC, &promiscuous, 1, 77);
    assert_eq!(hear(&mut monitor).kind, MessageType::PROMISC);

    let (mut one, mut two) = (server.socket(), server.socket());
    assert_eq!(ask(&mut one, MessageType::ADD, &esp(1, "10.0.0.2"), 1, 100).errno, 0);
    assert_eq!(ask(&mut two, MessageType::ADD, &esp(2, "10.0.0.2"), 1, 200).errno, 0);
    assert_eq!(ask(&mut two, MessageType::ADD, &esp(1, "10.0.0.2"), 2, 200).errno, 17);
    let found = ask(&mut two, MessageType::GET, &esp(1, "10.0.0.2"), 3, 200);
    assert_eq!(found.key(KeyRole::Encr).unwrap().bits(), 128);
    assert_eq!(ask(&mut one, MessageType::DELETE, &esp(2, "10.0.0.2"), 2, 100).errno, 0);

    let heard: Vec<(u8, u8, bool)> = (0..5)
        .map(|_| hear(&mut monitor))
        .map(|message| (message.kind.0, message.errno, message.key(KeyRole::Encr).is_some()))
        .collect();
    assert_eq!(heard, [(3, 0, false), (3, 0, false), (3, 17, false), (5, 0, true), (4, 0, false)]);
}

#[test]
fn a_passive_monitor_hears_no_keys() {
    let server = Server::start(&[]);
    let mut passive = server.client();
    let mut client = server.client();
    client.add(&esp(1, "10.0.0.2")).unwrap();
    client.get(&esp(1, "10.0.0.2")).unwrap();
    client.flush(SaType::UNSPEC).unwrap();
    let mut heard = Vec::new();
    let mut each = |message: &Message| {
        heard.push((message.kind, message.key(KeyRole::Encr).is_some()));
        if message.kind == MessageType::FLUSH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    passive.monitor(Hearing::Passive, &mut each).unwrap();
    assert_eq!(heard, [(MessageType::ADD, false), (MessageType::FLUSH, false)]);
}

#[test]
fn a_hundred_thousand_sas_come_back_once_each() {
    const COUNT: u32 = 100_000;
    const DUMP_PID: u32 = 4321;
    let server = Server::start(&[]);
    let mut idle = server.socket();
    send(&mut idle, MessageType::PROMISC, &Request { sa_type: SaType(1), ..Request::default() }, 1, 1);
    let mut client = server.client();
    let template = esp(1, "10.0.0.2");
    for spi in 1..=COUNT {
        let request = Request { spi: Spi(spi.wrapping_mul(0x9e37_79b1)), ..esp(0, "10.0.0.2") };
        client.add(&request).unwrap();
    }

    let mut slow = server.socket();
    send(&mut slow, MessageType::DUMP, &Request { sa_type: SaType::ESP, ..Request::default() }, 9, DUMP_PID);
    let mut seen = std::collections::HashSet::new();
    let mut each = |message: &Message| {
        assert!(seen.insert(message.association().unwrap().spi));
        ControlFlow::Continue(())
    };
    client.dump(SaType::ESP, &mut each).unwrap();
    assert_eq!(seen.len(), COUNT as usize);

    let mut count = 0;
    let end = loop {
        let message = slow.receive(&mut Deadline::after(Duration::from_secs(10))).unwrap().unwrap();
        if message[8..12] == [0; 4] {
            break decode(&Dialect::ILLUMOS, &message).unwrap();
        }
        count += 1;
    };
    assert_eq!((count, end.errno, end.pid), (COUNT, 0, DUMP_PID));

    client.flush(SaType::UNSPEC).unwrap();
    assert_eq!(errno(client.get(&template).map(drop)), 3);
    let mut each = |_: &Message| panic!("something survived the flush");
    client.dump(SaType::UNSPEC, &mut each).unwrap();
}

#[test]
fn nonsense_is_answered_and_harms_nobody() {
    let server = Server::start(&[]);
    let mut socket = server.socket();
    socket.send(b"short").unwrap();
    assert_eq!(hear(&mut socket).errno, 97);
    socket.send(&vec![0xff; 200_000]).unwrap();
    assert_eq!(hear(&mut socket).errno, 97);
    server.client().add(&esp(1, "10.0.0.2")).unwrap();
}

fn run(path: &Path) -> Output {
    Command::new(PROGRAM).arg("--listen").arg(path).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_socket_file() {
    let mut server = Server::start(&[]);
    assert_eq!(std::fs::metadata(&server.path).unwrap().permissions().mode() & 0o777, 0o600);

    let second = run(&server.path);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8(second.stderr).unwrap().contains("another program listens there"));

    server.signal("-KILL");
    server.child.wait().unwrap();
    assert!(server.path.exists());
    server.child = Command::new(PROGRAM).arg("--listen").arg(&server.path).spawn().unwrap();
    server.client().add(&esp(1, "10.0.0.2")).unwrap();

    server.signal("-TERM");
    assert!(server.child.wait().unwrap().success());
    assert!(!server.path.exists());

    std::fs::write(&server.path, "a file").unwrap();
    assert_eq!(run(&server.path).status.code(), Some(1));
    assert_eq!(std::fs::read(&server.path).unwrap(), b"a file");
}

#[test]
fn usage() {
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    assert!(help.status.success());
    assert!(String::from_utf8(help.stdout).unwrap().contains("--listen <PATH>"));
    assert_eq!(Command::new(PROGRAM).output().unwrap().status.code(), Some(2));
    let wrong = Command::new(PROGRAM).args(["--listen", "/tmp/x", "--local", "nonsense"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_client_that_goes_away_is_forgotten() {
    let server = Server::start(&[]);
    for _ in 0..300 {
        drop(server.socket());
    }
    let mut socket = server.socket();
    drop(server.client());
    send(&mut socket, MessageType::FLUSH, &Request::default(), 1, 2);
    assert_eq!(hear(&mut socket).kind, MessageType::FLUSH);
    let mut lonely = server.socket();
    let quiet: io::Result<_> = Transport::receive(&mut lonely, &mut Deadline::after(Duration::from_millis(50)));
    assert!(quiet.unwrap().is_none());
}
