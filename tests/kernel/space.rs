//! A network namespace with an SADB of its own, and programs that run in it.

use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace. It ends when this value and the programs in it do.
pub struct Space {
    handle: File,
    sadb: &'static str,
    /// What its service keeps until the next boot.
    runtime: tempfile::TempDir,
}

/// What a program said and how it ended.
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

    /// The same, where `ipseckey` uses the SADB of that name.
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

    /// Does `work` in the namespace. Sockets opened and programs started there stay in it.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let entered = || {
            setns(&self.handle, CloneFlags::CLONE_NEWNET).expect("enters the namespace");
            work()
        };
        let done = thread::scope(|scope| scope.spawn(entered).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A path by which `ip` finds the namespace.
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

    /// Runs `ip`, which must succeed, with words that blanks separate; what it printed.
    #[track_caller]
    pub fn ip(&self, words: &str) -> String {
        let mut command = Command::new("ip");
        command.args(words.split_whitespace());
        self.run(command).succeeded()
    }

    /// `ipseckey -n`, not started yet, with words that blanks separate.
    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
        command.args(["--sadb", self.sadb, "-n"]).args(words.split_whitespace());
        command
    }

    /// Runs `ipseckey -n`, with words that blanks separate.
    pub fn ipseckey(&self, words: &str) -> Ran {
        self.run(self.command(words))
    }

    /// Loads `keys` as a keys file.
    pub fn try_load(&self, keys: &str) -> Ran {
        let file = private_file(keys);
        let ran = self.ipseckey(&format!("-f {}", file.display()));
        fs::remove_file(file).expect("the keys file is there");
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
        fs::remove_file(file).expect("the keys file is there");
    }

    /// A counter of /proc/net/xfrm_stat.
    pub fn xfrm_stat(&self, counter: &str) -> u64 {
        let text = self.inside(|| fs::read_to_string("/proc/thread-self/net/xfrm_stat").expect("CONFIG_XFRM_STATISTICS"));
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(counter)).expect("the counter");
        line.split_whitespace().nth(1).and_then(|count| count.parse().ok()).expect("a number")
    }

    /// Everything in the SADB, as `save` writes it.
    pub fn saved(&self) -> String {
        self.ipseckey("save all").succeeded()
    }

    /// What the kernel holds, in the words of iproute2: a text for each SA, in the order in which they were added; without
    /// the moments at which it was added and used.
    pub fn states(&self) -> Vec<String> {
        let mut states: Vec<String> = Vec::new();
        for line in without_moments(&self.ip("-s xfrm state list")).lines() {
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

/// The line without the number of the PF_KEY message that asked for the SA.
fn without_message(line: &str) -> String {
    match (line.find(" seq 0x"), line.find(" flag ")) {
        (Some(start), Some(end)) => format!("{} {}", &line[..start], &line[end + 1..]),
        _ => line.to_owned(),
    }
}

/// What marks the lines of iproute2 and of `ipseckey` that say something else in each run.
const MOMENTS: &[&str] =
    &[" use ", "Message length", "Time now is", "SA added at time", "expiration occurs in", "Time of expiration"];

/// `text` without the lines that say something else in each run, and without blanks at line ends.
pub fn without_moments(text: &str) -> String {
    let lines = text.lines().filter(|line| !MOMENTS.iter().any(|moment| line.contains(moment)));
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

impl Ran {
    fn new(line: String, output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { line, status: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What a program printed that must have succeeded.
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
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("is mine");
    path
}

/// Questions that each SADB has to answer with yes.
impl Space {
    /// `save` writes a file that makes the same of an empty SADB.
    #[track_caller]
    pub fn assert_saved_file_loads(&self) {
        let again = Self::with_sadb(self.sadb);
        let saved = self.saved();
        again.load(&saved);
        let (mut wanted, mut found) = (self.states(), again.states());
        wanted.sort();
        found.sort();
        assert!(!wanted.is_empty());
        assert_eq!(wanted.concat(), found.concat(), "the saved file was\n{saved}");
    }

    /// `get` of each SA says what `dump` says of it.
    #[track_caller]
    pub fn assert_get_agrees_with_dump(&self) {
        let dump = without_moments(&self.ipseckey("dump").succeeded());
        let listed: Vec<&str> = dump.split("\n\n").filter(|text| text.starts_with("Base message")).collect();
        let states = self.states();
        assert_eq!(listed.len(), states.len());
        for (listed, state) in listed.iter().rev().zip(states) {
            let got = self.ipseckey(&format!("get {}", name_of(&state))).succeeded();
            assert_eq!(listed.replace("type DUMP", "type GET"), without_moments(&got).trim_end());
        }
    }
}

/// The words that name an SA of which `ip xfrm state` has said this.
fn name_of(state: &str) -> String {
    let after = |word: &str| state.split_whitespace().skip_while(|found| *found != word).nth(1).expect("is printed");
    let (spi, _) = after("spi").split_once('(').expect("a number in two ways");
    let mark = if state.contains("\tmark ") { format!("mark {}", after("mark")) } else { String::new() };
    format!("{} spi {spi} dst {} {mark}", after("proto"), after("dst"))
}
