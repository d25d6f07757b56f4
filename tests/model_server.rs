//! The program `sadb-model`: several clients at once, a monitor, a hundred thousand SAs, its socket file.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

mod support;

use ipseckey::internals::pf_key::{Client, Received, Target, decode, encode};
use support::packet_socket::PacketSocket;

/// Message types (RFC 2367 section 2.3).
const GET: u8 = 5;
const ADD: u8 = 3;
const DELETE: u8 = 4;
const FLUSH: u8 = 9;
const DUMP: u8 = 10;
const PROMISC: u8 = 11;
/// SA types (RFC 2367 section 3.3): any, and ESP.
const ANY: u8 = 0;
const ESP: u8 = 3;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sadb-model");

/// A running `sadb-model` in a separate directory.
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
        PacketSocket::connect_soon(&self.path)
    }

    fn client(&self) -> Client {
        drop(self.socket());
        Client::connect(&self.path).unwrap()
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

fn esp(spi: u32, dst: &str) -> Target {
    Target::Esp(spi, dst.parse().unwrap())
}

/// The next message, within a few seconds.
fn next_message(socket: &PacketSocket) -> Received {
    decode(&socket.receive(Duration::from_secs(10)).expect("a message within 10 seconds"))
}

fn send(socket: &PacketSocket, kind: u8, of: Target, seq: u32, pid: u32) {
    socket.send(&encode(kind, of, seq, pid)).unwrap();
}

/// Sends a request and waits for its reply, skipping other messages.
fn request(socket: &PacketSocket, kind: u8, of: Target, seq: u32, pid: u32) -> Received {
    send(socket, kind, of, seq, pid);
    loop {
        let message = next_message(socket);
        if (message.seq, message.pid) == (seq, pid) {
            return message;
        }
    }
}

#[test]
fn sadb_model_serves_two_clients_and_a_monitor() {
    let server = Server::start(&["--local", "10.0.0.1"]);
    let monitor = server.socket();
    send(&monitor, PROMISC, Target::Type(1), 1, 77);
    assert_eq!(next_message(&monitor).kind, PROMISC);

    let (one, two) = (server.socket(), server.socket());
    assert_eq!(request(&one, ADD, esp(1, "10.0.0.2"), 1, 100).errno, 0);
    assert_eq!(request(&two, ADD, esp(2, "10.0.0.2"), 1, 200).errno, 0);
    assert_eq!(request(&two, ADD, esp(1, "10.0.0.2"), 2, 200).errno, 17);
    let found = request(&two, GET, esp(1, "10.0.0.2"), 3, 200);
    assert_eq!(found.encr_key_bits, Some(128));
    assert_eq!(request(&one, DELETE, esp(2, "10.0.0.2"), 2, 100).errno, 0);

    let received: Vec<(u8, u8, bool)> = (0..5)
        .map(|_| next_message(&monitor))
        .map(|message| (message.kind, message.errno, message.encr_key_bits.is_some()))
        .collect();
    assert_eq!(received, [(3, 0, false), (3, 0, false), (3, 17, false), (5, 0, true), (4, 0, false)]);
}

#[test]
fn sadb_model_sends_no_keys_to_passive_monitors() {
    let server = Server::start(&[]);
    let mut passive = server.client();
    let mut client = server.client();
    client.add(esp(1, "10.0.0.2")).unwrap();
    client.get(esp(1, "10.0.0.2")).unwrap();
    client.flush(ANY).unwrap();
    let mut received = Vec::new();
    let mut each = |message: Received| {
        received.push((message.kind, message.encr_key_bits.is_some()));
        message.kind != FLUSH
    };
    passive.monitor_passively(&mut each).unwrap();
    assert_eq!(received, [(ADD, false), (FLUSH, false)]);
}

#[test]
fn sadb_model_dumps_each_of_100000_sas_once() {
    const COUNT: u32 = 100_000;
    const DUMP_PID: u32 = 4321;
    let server = Server::start(&[]);
    let idle = server.socket();
    send(&idle, PROMISC, Target::Type(1), 1, 1);
    let mut client = server.client();
    let template = esp(1, "10.0.0.2");
    for spi in 1..=COUNT {
        client.add(esp(spi.wrapping_mul(0x9e37_79b1), "10.0.0.2")).unwrap();
    }

    let slow = server.socket();
    send(&slow, DUMP, Target::Type(ESP), 9, DUMP_PID);
    let mut seen = std::collections::HashSet::new();
    client.dump(ESP, &mut |message| assert!(seen.insert(message.spi.unwrap()))).unwrap();
    assert_eq!(seen.len(), COUNT as usize);

    let mut count = 0;
    let end = loop {
        let message = slow.receive(Duration::from_secs(10)).unwrap();
        if message[8..12] == [0; 4] {
            break decode(&message);
        }
        count += 1;
    };
    assert_eq!((count, end.errno, end.pid), (COUNT, 0, DUMP_PID));

    client.flush(ANY).unwrap();
    assert_eq!(client.get(template), Err(3));
    client.dump(ANY, &mut |_| panic!("something survived the flush")).unwrap();
}

#[test]
fn sadb_model_rejects_malformed_messages() {
    let server = Server::start(&[]);
    let socket = server.socket();
    socket.send(b"short").unwrap();
    assert_eq!(next_message(&socket).errno, 97);
    socket.send(&vec![0xff; 200_000]).unwrap();
    assert_eq!(next_message(&socket).errno, 97);
    server.client().add(esp(1, "10.0.0.2")).unwrap();
}

fn run(path: &Path) -> Output {
    Command::new(PROGRAM).arg("--listen").arg(path).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn sadb_model_escapes_the_path_of_its_socket() {
    let output = run(Path::new("/nowhere/\u{1b}[31m\u{202e}"));
    let messages = String::from_utf8(output.stderr).unwrap();
    assert!(messages.contains(r"sadb-model: /nowhere/\u{1b}[31m\u{202e}: "), "{messages:?}");
}

#[test]
fn sadb_model_creates_and_removes_its_socket() {
    let mut server = Server::start(&[]);
    assert_eq!(std::fs::metadata(&server.path).unwrap().permissions().mode() & 0o777, 0o600);

    let second = run(&server.path);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8(second.stderr).unwrap().contains("another program listens there"));

    server.signal("-KILL");
    server.child.wait().unwrap();
    assert!(server.path.exists());
    server.child = Command::new(PROGRAM).arg("--listen").arg(&server.path).spawn().unwrap();
    server.client().add(esp(1, "10.0.0.2")).unwrap();

    server.signal("-TERM");
    assert!(server.child.wait().unwrap().success());
    assert!(!server.path.exists());

    std::fs::write(&server.path, "a file").unwrap();
    assert_eq!(run(&server.path).status.code(), Some(1));
    assert_eq!(std::fs::read(&server.path).unwrap(), b"a file");
}

#[test]
fn sadb_model_help_and_usage_errors() {
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    assert!(help.status.success());
    assert!(String::from_utf8(help.stdout).unwrap().contains("--listen <PATH>"));
    assert_eq!(Command::new(PROGRAM).output().unwrap().status.code(), Some(2));
    let wrong = Command::new(PROGRAM).args(["--listen", "/tmp/x", "--local", "nonsense"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn sadb_model_forgets_disconnected_clients() {
    let server = Server::start(&[]);
    for _ in 0..300 {
        drop(server.socket());
    }
    let socket = server.socket();
    drop(server.client());
    send(&socket, FLUSH, Target::Type(ANY), 1, 2);
    assert_eq!(next_message(&socket).kind, FLUSH);
    let new_client = server.socket();
    assert!(new_client.receive(Duration::from_millis(50)).is_none());
}
