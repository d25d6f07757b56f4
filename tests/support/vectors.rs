//! Cases of the original program, and their replay: this program with a scripted SADB on a SOCK_SEQPACKET socket.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, accept, bind, listen, recv, send, socket,
};
use serde_json::Value;

/// One case of commands.jsonl; tests/vectors/README.md describes the fields.
pub struct Case {
    pub id: String,
    pub argv: Vec<String>,
    pub file: Option<Vec<u8>>,
    pub file_mode: Option<u32>,
    pub stdin: Option<Vec<u8>>,
    pub env: Vec<(String, String)>,
    pub messages: Vec<Vec<u8>>,
    pub replies: Vec<Vec<Vec<u8>>>,
    pub exit: i64,
    pub printed: Option<String>,
    pub uninit: Vec<(usize, usize, usize)>,
    pub ub: bool,
    pub no_socket: bool,
    /// User id that owns the file; setting it needs root.
    pub owner: Option<u32>,
}

/// The result of this program.
pub struct Run {
    pub messages: Vec<Vec<u8>>,
    pub stdout: String,
    pub stderr: String,
    pub exit: i64,
}

/// The directory tests/vectors.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Every case, in file order.
pub fn cases() -> Vec<Case> {
    let text = fs::read_to_string(directory().join("commands.jsonl")).unwrap();
    text.lines().map(|line| case(&serde_json::from_str(line).unwrap())).collect()
}

/// A file of differences: case id -> name of the reason.
pub fn differences(name: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(directory().join(name)).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    let mut listed = BTreeMap::new();
    for (id, reason) in rows.map(|line| line.split_once(' ').expect("ID REASON")) {
        assert!(listed.insert(id.to_owned(), reason.to_owned()).is_none(), "{id} is listed twice");
    }
    listed
}

/// Strings of the vectors are bytes decoded as latin-1.
pub fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

fn case(json: &Value) -> Case {
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    let list = |value: &Value| value.as_array().into_iter().flatten().cloned().collect::<Vec<_>>();
    let bytes = |value: &Value| super::unhex(value.as_str().unwrap());
    Case {
        id: text("id").unwrap(),
        argv: list(&json["argv"]).iter().map(|word| word.as_str().unwrap().to_owned()).collect(),
        file: text("file").map(|text| latin1(&text)),
        file_mode: text("file_mode").map(|mode| u32::from_str_radix(mode.trim_start_matches("0o"), 8).unwrap()),
        stdin: text("stdin").map(|text| latin1(&text)),
        env: json["env"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        messages: list(&json["messages"]).iter().map(bytes).collect(),
        replies: list(&json["replies"]).iter().map(|one| list(one).iter().map(bytes).collect()).collect(),
        exit: json["exit"].as_i64().unwrap_or(125),
        printed: text("printed"),
        uninit: list(&json["uninit"])
            .iter()
            .map(|u| {
                let n = |at: usize| usize::try_from(u[at].as_u64().unwrap()).unwrap();
                (n(0), n(1), n(2))
            })
            .collect(),
        ub: json["ub"].as_bool().unwrap_or(false),
        no_socket: json.get("sockerr").is_some(),
        owner: json["owner"].as_u64().map(|uid| u32::try_from(uid).unwrap()),
    }
}

/// Replays `case`.
pub fn run(case: &Case) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let (file, save, sub) = (dir.path().join("keys"), dir.path().join("save"), dir.path().join("dir"));
    fs::create_dir(&sub).unwrap();
    if let Some(text) = &case.file {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(case.file_mode.unwrap_or(0o600))).unwrap();
        if let Some(uid) = case.owner {
            std::os::unix::fs::chown(&file, Some(uid), None).unwrap();
        }
    }
    let socket = dir.path().join("sadb");
    let sadb = (!case.no_socket).then(|| Script::listen(&socket, case.replies.clone()));
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let words = case
        .argv
        .iter()
        .map(|word| word.replace("{FILE}", &path(&file)).replace("{SAVE}", &path(&save)).replace("{DIR}", &path(&sub)));
    let mut child = Command::new(env!("CARGO_BIN_EXE_ipseckey"))
        .arg("--hosts")
        .arg(directory().join("hosts"))
        .args(words)
        .env_clear()
        .env("IPSECKEY_SADB", format!("unix:{}", path(&socket)))
        .env("TZ", "UTC")
        .envs(case.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = case.stdin.clone().unwrap_or_default();
    let feeder = thread::spawn(move || drop(stdin.write_all(&input)));
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Run {
        messages: sadb.map(Script::finish).unwrap_or_default(),
        stdout: String::from_utf8_lossy(&output.stdout).replace(&format!("pid={pid}."), "pid=<PID>."),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        exit: output.status.code().map_or(129, i64::from),
    }
}

/// An SADB that replies to the n-th message with the n-th list of replies, whatever the message is.
pub struct Script {
    thread: thread::JoinHandle<Vec<Vec<u8>>>,
    path: PathBuf,
}

impl Script {
    /// Listens at `path`; replies with `replies`, each with the pid of the request in bytes 12..16.
    pub fn listen(path: &Path, replies: Vec<Vec<Vec<u8>>>) -> Self {
        let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(fd.as_raw_fd(), &UnixAddr::new(path).unwrap()).unwrap();
        listen(&fd, Backlog::new(4).unwrap()).unwrap();
        let thread = thread::spawn(move || {
            let mut requests = Vec::new();
            while let Ok(client) = accept(fd.as_raw_fd()) {
                let mut buffer = vec![0; 1 << 20];
                loop {
                    match recv(client, &mut buffer, MsgFlags::empty()) {
                        Ok(0) | Err(_) => break,
                        Ok(len) => {
                            for reply in replies.get(requests.len()).into_iter().flatten() {
                                let mut reply = reply.clone();
                                if reply.len() >= 16 {
                                    reply[12..16].copy_from_slice(&buffer[12..16]);
                                }
                                send(client, &reply, MsgFlags::MSG_NOSIGNAL).ok();
                            }
                            if buffer[..len] == *b"stop" {
                                nix::unistd::close(client).ok();
                                return requests;
                            }
                            requests.push(buffer[..len].to_vec());
                        }
                    }
                }
                nix::unistd::close(client).ok();
            }
            requests
        });
        Self { thread, path: path.to_owned() }
    }

    /// Stops it; returns the messages that it has received.
    pub fn finish(self) -> Vec<Vec<u8>> {
        let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap();
        nix::sys::socket::connect(fd.as_raw_fd(), &UnixAddr::new(&self.path).unwrap()).unwrap();
        send(fd.as_raw_fd(), b"stop", MsgFlags::MSG_NOSIGNAL).unwrap();
        self.thread.join().unwrap()
    }
}
