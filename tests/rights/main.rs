//! The privileges that the programs drop before they read a key, and what they do not trust: the environment, other users.
//!
//! Most of these tests need root; without root they print what they skip.
#![cfg(target_os = "linux")]

#[path = "../service/bench.rs"]
#[allow(dead_code, reason = "the tests of the service use more of it")]
mod bench;
mod parents;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bench::packet_socket::PacketSocket;
use bench::{Bench, program_for_all};

const ONE: &str = "add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n";
/// CAP_NET_ADMIN as /proc/PID/status shows it (linux/capability.h).
const NET_ADMIN: u64 = 1 << 12;
/// CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER.
const FILES: u64 = 0b1111;
const NOBODY: u32 = 65534;
const SOMEBODY: u32 = 65533;

/// Whether this is root; if not, prints what is skipped.
fn is_root(what: &str) -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        let _ = writeln!(std::io::stderr(), "skipped: only root can {what}");
    }
    is_root
}

/// A program that is killed when dropped, also if the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `manual-key run` as systemd starts it, once it listens.
fn service(bench: &Bench) -> Running {
    let file = bench.file("keys", ONE);
    let arguments = ["run", "--sadb", &bench.spec(), "--config-file", file.to_str().unwrap()];
    let child = bench.unit(&arguments).stdout(Stdio::null()).spawn().unwrap();
    let running = Running(child);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !fs::read_to_string(bench.path("journal")).unwrap().contains("online: 1 SA") {
        assert!(Instant::now() < deadline, "{}", fs::read_to_string(bench.path("journal")).unwrap());
        sleep(Duration::from_millis(5));
    }
    running
}

/// A field of each thread of a process (proc(5), /proc/PID/status).
fn fields(process: u32, name: &str) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let field = |text: String| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line[name.len()..].trim().to_owned()
    };
    // A thread may have ended since it was listed: a watch that this SADB does not have.
    let fields: Vec<String> =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("status")).ok()).map(field).collect();
    assert!(!fields.is_empty(), "process {process} has ended");
    fields
}

/// A capability set, which must be the same in each thread.
#[track_caller]
fn capabilities(process: u32, name: &str) -> u64 {
    let sets = fields(process, name);
    assert!(sets.windows(2).all(|pair| pair[0] == pair[1]), "{name} {sets:?}");
    u64::from_str_radix(&sets[0], 16).unwrap()
}

/// `ipseckey`, once it waits for commands.
fn waiting() -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    command.env_clear().args(["--sadb", "model"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running(command.spawn().unwrap());
    // Any output shows that it has started.
    running.0.stdin.as_mut().unwrap().write_all(b"help\n").unwrap();
    running.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    running
}

#[test]
fn run_keeps_only_cap_net_admin() {
    let bench = Bench::with_model();
    let running = service(&bench);
    let process = running.0.id();
    let expected = if is_root("have capabilities to give up") { NET_ADMIN } else { 0 };
    for set in ["CapPrm:", "CapEff:"] {
        assert_eq!(capabilities(process, set) & !expected, 0, "{set}");
    }
    assert_eq!(capabilities(process, "CapInh:") | capabilities(process, "CapAmb:"), 0);
    assert!(fields(process, "NoNewPrivs:").iter().all(|field| field == "1"));
    if expected != 0 {
        assert_eq!(capabilities(process, "CapPrm:"), NET_ADMIN);
        assert_eq!(capabilities(process, "CapBnd:"), NET_ADMIN);
    }
}

#[test]
fn ipseckey_keeps_file_capabilities() {
    let running = waiting();
    let process = running.0.id();
    for set in ["CapPrm:", "CapEff:"] {
        assert_eq!(capabilities(process, set) & !(NET_ADMIN | FILES), 0, "{set}");
    }
    assert!(fields(process, "NoNewPrivs:").iter().all(|field| field == "1"));
    if is_root("have capabilities to give up") {
        assert_eq!(capabilities(process, "CapBnd:"), NET_ADMIN | FILES);
        assert_ne!(capabilities(process, "CapEff:") & NET_ADMIN, 0);
    }
}

/// A keys file of another user, which only root can read: a warning, and it is loaded.
#[test]
fn ipseckey_as_root_reads_keys_file_of_another_user() {
    if !is_root("read files of other users") {
        return;
    }
    let bench = Bench::with_model();
    let file = bench.file("foreign", ONE);
    chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    let output = command.env_clear().args(["--sadb", &bench.spec(), "-f", file.to_str().unwrap()]).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("belongs to user 65534"), "{printed}");
    assert_eq!(bench.spis(), [0x1001]);
}

/// A directory in which every user can create files, as /tmp.
fn directory_for_all() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o1777)).unwrap();
    directory
}

/// Loads `ONE` into the SADB that listens at `socket`. Returns whether it has succeeded, and the messages.
fn load_into(socket: &Path) -> (bool, String) {
    let file = socket.with_file_name("keys");
    fs::write(&file, ONE).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    let sadb = format!("unix:{}", socket.display());
    let output = command.env_clear().args(["--sadb", &sadb, "-f", file.to_str().unwrap()]).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

/// `sadb-model` as another user, whose socket every user may connect to: it accepts root, and would get the keys.
#[test]
fn ipseckey_sends_no_key_to_a_server_of_another_user() {
    if !is_root("start a server as another user") {
        return;
    }
    let directory = directory_for_all();
    let programs = tempfile::tempdir().unwrap();
    let program = program_for_all(programs.path(), env!("CARGO_BIN_EXE_sadb-model"));
    for (user, is_trusted) in [(NOBODY, false), (0, true)] {
        let socket = directory.path().join(format!("sadb-{user}"));
        let child = Command::new(&program).arg("--listen").arg(&socket).uid(user).gid(user).stdin(Stdio::null()).spawn();
        let _server = Running(child.unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while !socket.exists() {
            assert!(Instant::now() < deadline, "no server");
            sleep(Duration::from_millis(5));
        }
        let (loaded, messages) = load_into(&socket);
        assert_eq!(loaded, is_trusted, "{messages}");
        let expected = "is refused, nothing was sent: its server runs as user 65534, expected root";
        assert_eq!(messages.contains(expected), !is_trusted, "{messages}");
    }
}

/// Another user could hold the lock for ever.
#[test]
fn load_lock_of_another_user_is_refused() {
    if !is_root("change the owner of a file") {
        return;
    }
    let directory = directory_for_all();
    let socket = directory.path().join("sadb");
    let lock = directory.path().join("sadb.lock");
    fs::write(&lock, "").unwrap();
    chown(&lock, Some(NOBODY), Some(NOBODY)).unwrap();
    let (loaded, messages) = load_into(&socket);
    assert!(!loaded && messages.contains("belongs to user 65534") && messages.contains("remove it"), "{messages}");
}

fn as_user(user: u32, command: &mut Command) -> Output {
    command.uid(user).gid(user).stdin(Stdio::null()).output().unwrap()
}

/// With the privileges of another user (set-user-ID), the program ignores the environment of its caller.
#[test]
fn set_user_id_program_ignores_environment() {
    if !is_root("give a program to another user") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let program = program_for_all(directory.path(), env!("CARGO_BIN_EXE_ipseckey"));
    let dump = || {
        let mut command = Command::new(&program);
        command.env_clear().env("IPSECKEY_SADB", "model").arg("dump");
        String::from_utf8(as_user(SOMEBODY, &mut command).stdout).unwrap()
    };
    assert!(dump().contains("Dump succeeded"), "IPSECKEY_SADB is not used");
    chown(&program, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o4755)).unwrap();
    let is_set_user_id =
        as_user(SOMEBODY, Command::new("/bin/sh").arg("-c").arg("grep -q ^NoNewPrivs:.0 /proc/self/status"));
    let mounted = nix::sys::statvfs::statvfs(directory.path()).unwrap();
    if !is_set_user_id.status.success() || mounted.flags().contains(nix::sys::statvfs::FsFlags::ST_NOSUID) {
        let _ = writeln!(std::io::stderr(), "skipped: set-user-ID programs have no effect here");
        return;
    }
    assert!(!dump().contains("Dump succeeded"), "IPSECKEY_SADB of the caller was used");
}

/// Two checks: the mode of the socket, and the credentials of the peer.
#[test]
fn refresh_is_refused_to_other_users() {
    if !is_root("become another user") {
        return;
    }
    let bench = Bench::with_model();
    let running = service(&bench);
    let directory = bench.path("run");
    let socket = directory.join("refresh");
    let program = program_for_all(&bench.path(""), env!("CARGO_BIN_EXE_manual-key"));
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    let refresh_as =
        |user| as_user(user, Command::new(&program).env_clear().env("RUNTIME_DIRECTORY", &directory).arg("refresh"));
    let online = || fs::read_to_string(bench.path("journal")).unwrap().matches("online:").count();

    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o600);
    let refused = refresh_as(NOBODY);
    assert_eq!(refused.status.code(), Some(77), "{}", String::from_utf8_lossy(&refused.stderr));

    // The mode of the socket was changed: the service still checks the credentials of each peer.
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    let refused = refresh_as(NOBODY);
    assert!(!refused.status.success(), "{}", String::from_utf8_lossy(&refused.stdout));
    assert_eq!(online(), 1, "another user's refresh was carried out");
    assert_eq!(refresh_as(0).status.code(), Some(0));
    assert_eq!(online(), 2);

    // A peer that sends another request, nothing or too much does not block other peers.
    for question in [&b"refresh\0"[..], b"stop", &[0xff; 4096], b"refresh refresh"] {
        PacketSocket::connect(&socket).unwrap().send(question).unwrap();
    }
    let _silent = PacketSocket::connect(&socket).unwrap();
    assert_eq!(refresh_as(0).status.code(), Some(0));
    assert_eq!(online(), 3);
    drop(running);
}
