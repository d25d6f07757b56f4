//! A network namespace, which has its own SADB, and programs that run in it.

use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace. It exists until this value is dropped and its programs have ended.
pub struct Space {
    handle: File,
    sadb: &'static str,
    /// The runtime directory of its service.
    runtime: tempfile::TempDir,
}

/// Output and exit status of a program.
#[derive(Debug)]
pub struct Ran {
    line: String,
    /// Exit status; -1 if a signal ended it.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Space {
    /// A new one, with its loopback interface up.
    pub fn new() -> Self {
        Self::with_sadb("auto")
    }

    /// The same, where `ipseckey` uses that SADB.
    pub fn with_sadb(sadb: &'static str) -> Self {
        let guest = std::env::var_os("IPSECKEY_KERNEL_TESTS").is_some();
        assert!(guest, "this test changes the kernel's SADB: tests/kernel/run runs it in a kernel of its own");
        let new = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace");
            File::open("/proc/thread-self/ns/net").expect("its handle")
        };
        let handle = thread::scope(|scope| scope.spawn(new).join().expect("a thread in it"));
        let space = Self { handle, sadb, runtime: tempfile::tempdir().expect("a directory") };
        space.ip("link set lo up");
        space
    }

    /// Runs `work` in the namespace. Sockets and programs that it creates stay in the namespace.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let entered = || {
            setns(&self.handle, CloneFlags::CLONE_NEWNET).expect("enters the namespace");
            work()
        };
        let done = thread::scope(|scope| scope.spawn(entered).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A path of the namespace for `ip`.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.handle.as_raw_fd())
    }

    /// Starts a program whose standard error is a pipe.
    pub fn spawn(&self, mut command: Command) -> Child {
        let child = self.inside(move || command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn());
        child.expect("the program starts")
    }

    /// Runs a program.
    pub fn run(&self, mut command: Command) -> Ran {
        let line = format!("{command:?}");
        let output = self.inside(move || command.stdin(Stdio::null()).output());
        Ran::new(line, output.expect("the program runs"))
    }

    /// Runs `ip` with arguments separated by blanks; it must succeed. Returns its output.
    #[track_caller]
    pub fn ip(&self, words: &str) -> String {
        let mut command = Command::new("ip");
        command.args(words.split_whitespace());
        self.run(command).succeeded()
    }

    /// `ipseckey -n` with arguments separated by blanks, not started yet.
    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
        command.args(["--sadb", self.sadb, "-n"]).args(words.split_whitespace());
        command
    }

    /// Runs `ipseckey -n` with arguments separated by blanks.
    pub fn ipseckey(&self, words: &str) -> Ran {
        self.run(self.command(words))
    }

    /// Loads `keys` as a keys file.
    pub fn try_load(&self, keys: &str) -> Ran {
        let file = private_file(keys);
        let ran = self.ipseckey(&format!("-f {}", file.display()));
        fs::remove_file(file).expect("the keys file exists");
        ran
    }

    /// Loads `keys` as a keys file, which must succeed.
    #[track_caller]
    pub fn load(&self, keys: &str) {
        self.try_load(keys).succeeded();
    }

    /// Starts the service with `keys` as its keys file; it must succeed.
    pub fn start_service(&self, keys: &str) {
        let file = private_file(keys);
        let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
        command.args(["start", "--sadb", "xfrm", "--config-file"]).arg(&file);
        command.env("RUNTIME_DIRECTORY", self.runtime.path());
        self.run(command).succeeded();
        fs::remove_file(file).expect("the keys file exists");
    }

    /// A counter of /proc/net/xfrm_stat.
    pub fn xfrm_stat(&self, counter: &str) -> u64 {
        let text = self.inside(|| fs::read_to_string("/proc/thread-self/net/xfrm_stat").expect("CONFIG_XFRM_STATISTICS"));
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(counter)).expect("the counter");
        line.split_whitespace().nth(1).and_then(|count| count.parse().ok()).expect("a number")
    }

    /// The output of `save all`.
    pub fn saved(&self) -> String {
        self.ipseckey("save all").succeeded()
    }

    /// The SAs in the kernel as iproute2 prints them, one text each, in the order of addition, without the times of addition
    /// and use.
    pub fn states(&self) -> Vec<String> {
        let mut states: Vec<String> = Vec::new();
        for line in without_times(&self.ip("-s xfrm state list")).lines() {
            match states.last_mut() {
                Some(state) if line.starts_with(char::is_whitespace) => state.push_str(&without_message(line)),
                _ => states.push(line.to_owned()),
            }
            states.last_mut().expect("there is one").push('\n');
        }
        states.reverse();
        states
    }
}

/// The line without the sequence number of the PF_KEY message that added the SA.
fn without_message(line: &str) -> String {
    match (line.find(" seq 0x"), line.find(" flag ")) {
        (Some(start), Some(end)) => format!("{} {}", &line[..start], &line[end + 1..]),
        _ => line.to_owned(),
    }
}

/// Texts that mark lines of iproute2 and `ipseckey` which differ in each run.
const MOMENTS: &[&str] =
    &[" use ", "Message length", "Time now is", "SA added at time", "expiration occurs in", "Time of expiration"];

/// `text` without the lines that differ in each run, and without blanks at line ends.
pub fn without_times(text: &str) -> String {
    let lines = text.lines().filter(|line| !MOMENTS.iter().any(|moment| line.contains(moment)));
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

impl Ran {
    /// `line` is the command line, for messages.
    pub fn new(line: String, output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { line, status: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The standard output of a program, which must have succeeded.
    #[track_caller]
    pub fn succeeded(self) -> String {
        let Self { line, status, out, err } = self;
        assert_eq!(status, 0, "{line}\n{out}{err}");
        out
    }
}

/// A new file that only its owner can read.
pub fn private_file(text: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("keys-{}-{count}", std::process::id()));
    fs::write(&path, text).expect("writes");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("is permitted");
    path
}

/// Checks that must hold for each SADB.
impl Space {
    /// `save` writes a file that loads to the same SAs.
    #[track_caller]
    pub fn assert_saved_file_loads(&self) {
        let again = Self::with_sadb(self.sadb);
        let saved = self.saved();
        again.load(&saved);
        let (mut expected, mut found) = (self.states(), again.states());
        expected.sort();
        found.sort();
        assert!(!expected.is_empty());
        assert_eq!(expected.concat(), found.concat(), "the saved file was\n{saved}");
    }

    /// `get` prints the same as `dump` for each SA.
    #[track_caller]
    pub fn assert_get_agrees_with_dump(&self) {
        let dump = without_times(&self.ipseckey("dump").succeeded());
        let listed: Vec<&str> = dump.split("\n\n").filter(|text| text.starts_with("Base message")).collect();
        let states = self.states();
        assert_eq!(listed.len(), states.len());
        for (listed, state) in listed.iter().rev().zip(states) {
            let got = self.ipseckey(&format!("get {}", name_of(&state))).succeeded();
            assert_eq!(listed.replace("type DUMP", "type GET"), without_times(&got).trim_end());
        }
    }
}

/// The keywords that identify the SA with this output of `ip xfrm state`.
fn name_of(state: &str) -> String {
    let after = |word: &str| state.split_whitespace().skip_while(|found| *found != word).nth(1).expect("is printed");
    let (spi, _) = after("spi").split_once('(').expect("a number in two ways");
    let mark = if state.contains("\tmark ") { format!("mark {}", after("mark")) } else { String::new() };
    format!("{} spi {spi} dst {} {mark}", after("proto"), after("dst"))
}
