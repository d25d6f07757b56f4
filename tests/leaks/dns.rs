//! A name server that sees every query: the programs run in a network namespace that has only this one.

use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, spawn};

use nix::sched::{CloneFlags, unshare};

use super::bench::Bench;
use super::damage::Random;
use super::forms::{self, FORMS};
use super::scan::{Tally, count};
use super::{KeysFile, sample_or_damaged};

/// Mounts the resolver's files over those of the system, and executes the program.
const ENTER: &str = "mount --bind \"$FILES/resolv.conf\" /etc/resolv.conf && mount --bind \"$FILES/nsswitch.conf\" /etc/nsswitch.conf && \
     mount --bind \"$FILES/none\" /run && exec \"$0\" \"$@\"";

/// All names that were asked for, one a line.
type Queries = Arc<Mutex<String>>;

/// The name in the first question of a query (RFC 1035 section 4.1.2), and where the question ends.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let (mut name, mut at) = (String::new(), 12);
    loop {
        let len = usize::from(*query.get(at)?);
        if len == 0 {
            return Some((name, at + 5));
        }
        name += &String::from_utf8_lossy(query.get(at + 1..=at + len)?);
        name.push('.');
        at += len + 1;
    }
}

/// Answers that no name exists (NXDOMAIN), and records the names.
fn serve(socket: &UdpSocket, queries: &Queries) {
    let mut buffer = [0; 512];
    while let Ok((len, client)) = socket.recv_from(&mut buffer) {
        let Some((name, end)) = question(&buffer[..len]) else { continue };
        queries.lock().unwrap().push_str(&format!("{name}\n"));
        let mut answer = buffer[..end].to_vec();
        answer[2..12].copy_from_slice(&[0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
        socket.send_to(&answer, client).unwrap();
    }
}

/// Files with a key of each form where an address is expected.
fn in_place_of_addresses() -> Vec<KeysFile> {
    let mut random = Random::new(1 << 44);
    let key: Vec<u8> = (0..16).map(|_| u8::try_from(random.next() >> 56).unwrap()).collect();
    let written = FORMS.iter().map(|(_, write)| write(&mut random, &key)).collect::<Vec<_>>();
    let file = |text: String| KeysFile { bytes: text.into_bytes(), keys: vec![forms::hex(&key)] };
    written.iter().map(|key| file(format!("add esp spi 0x1001 src {key} dst {key}\n"))).collect()
}

/// In a network namespace of this thread: the name server; `None`, with a notice, without the privilege for it.
fn start_server() -> Option<Queries> {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        let _ = writeln!(std::io::stderr(), "skipped: no network namespace (CAP_SYS_ADMIN): {error}");
        return None;
    }
    let status = Command::new("ip").args(["link", "set", "lo", "up"]).status().expect("iproute2");
    assert!(status.success());
    let (queries, socket) = (Queries::default(), UdpSocket::bind("127.0.0.1:53").unwrap());
    let served = queries.clone();
    spawn(move || serve(&socket, &served));
    Some(queries)
}

/// Runs a program with that name server, and returns the names that it asked for.
fn queries_of(queries: &Queries, bench: &Bench, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("unshare");
    command.args(["-m", "/bin/sh", "-c", ENTER, program]).args(arguments).env_clear().env("FILES", bench.path(""));
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("mount: ") && output.status.code().is_some(), "{errors}");
    std::mem::take(&mut queries.lock().unwrap())
}

fn search_queries() {
    let Some(queries) = start_server() else { return };
    let bench = Bench::with_model();
    fs::create_dir(bench.path("none")).unwrap();
    bench.file("resolv.conf", "nameserver 127.0.0.1\nsearch corp.example\noptions timeout:1 attempts:1\n");
    bench.file("nsswitch.conf", "hosts: files dns\n");
    let (path, spec) = (bench.file("keys", ""), bench.spec());
    let name = path.to_str().unwrap();
    let check: &[&str] = &["-c", name];
    let programs = [
        (env!("CARGO_BIN_EXE_ipseckey"), check),
        (env!("CARGO_BIN_EXE_ipseckey"), &["--sadb", &spec, "-f", name]),
        (env!("CARGO_BIN_EXE_manual-key"), &["start", "--sadb", &spec, "--config-file", name]),
    ];
    let asked = |text: &[u8]| -> Vec<String> {
        fs::write(&path, text).unwrap();
        programs.iter().map(|(program, arguments)| queries_of(&queries, &bench, program, arguments)).collect()
    };

    let keys = "encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    for (host, query) in [("gw.peer.example", "gw.peer.example.\n"), ("gw", "gw.corp.example.\n")] {
        let found = asked(format!("add esp spi 0x1001 src 192.0.2.1 dst {host} {keys}\n").as_bytes());
        assert!(found.iter().all(|found| found.contains(query)), "the server does not see {host}: {found:?}");
    }
    // The search finds a key that is in a query.
    let secret = KeysFile { bytes: Vec::new(), keys: vec!["0f1e2d3c4b5a69788796a5b4c3d2e1f0".to_owned()] };
    assert!(!super::scan::leaked(&secret, "0f1e2d3c4b5a.peer.example.\n").is_empty());

    let damaged = (0..count("LEAK_RUNS", 15)).map(|seed| sample_or_damaged(1 << 43, seed));
    let mut tally = Tally::default();
    for (seed, file) in in_place_of_addresses().into_iter().chain(damaged).enumerate() {
        let found = asked(&file.bytes);
        tally.scan(&format!("queries of file {seed}"), &file, programs.len() as u64, &found.concat());
    }
    tally.report("name servers");
}

/// Nothing that may be a key is in a query of `-c`, `-f` or a start of the service.
#[test]
fn name_server_sees_no_key() {
    // The namespace is that of a thread, which ends with the test.
    Builder::new().spawn(search_queries).unwrap().join().unwrap();
}
