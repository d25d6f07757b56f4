//! A bench for the service: a private directory, a model SADB for several programs, and the program.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

#[path = "../support/packet_socket.rs"]
#[allow(dead_code, reason = "each test program uses its own part of it")]
pub(crate) mod packet_socket;

use packet_socket::PacketSocket;

/// The FMRI of the tests' instance.
pub(crate) const FMRI: &str = "svc:/network/ipsec/manual-key:default";

/// Variables by which the program detects its supervisor.
const FOREIGN: &[&str] = &[
    "SMF_FMRI",
    "SMF_METHOD",
    "INVOCATION_ID",
    "CREDENTIALS_DIRECTORY",
    "IPSECKEY_SADB",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
];

/// The outcome of a run of the program.
pub(crate) struct Run {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Both streams together.
    pub(crate) fn words(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Panics unless the program exited with `exit`.
    #[track_caller]
    pub(crate) fn expect(self, exit: i32) -> Self {
        assert_eq!(self.exit, Some(exit), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Panics if either stream has eight or more consecutive digits of a hexadecimal word of `text`.
    #[track_caller]
    pub(crate) fn tells_nothing_of(self, text: &str) -> Self {
        let words = self.words().to_ascii_lowercase();
        for window in secret_windows(text) {
            assert!(!words.contains(&window), "{window} is in:\n{words}");
        }
        self
    }
}

/// The SPI of an SA in JSON.
pub(crate) fn spi(sa: &Value) -> u32 {
    let digits = sa["spi"].as_str().and_then(|spi| spi.strip_prefix("0x"));
    u32::from_str_radix(digits.unwrap(), 16).unwrap()
}

/// Every run of eight hexadecimal digits in `text`, in lower case.
pub(crate) fn secret_windows(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    let runs = lower.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 8);
    runs.flat_map(|run| (0..=run.len() - 8).map(|at| run[at..at + 8].to_owned())).collect()
}

/// A copy of a program that every user can run, in a directory that every user can enter.
pub(crate) fn program_for_all(directory: &Path, program: &str) -> PathBuf {
    let copy = directory.join(Path::new(program).file_name().unwrap());
    // By another process: a test that forks meanwhile would inherit the open descriptor, and the copy would be busy (ETXTBSY).
    assert!(Command::new("cp").arg(program).arg(&copy).status().unwrap().success());
    for path in [directory, &copy] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    copy
}

/// A directory, and optionally a model SADB.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
    model: Option<Child>,
    environment: BTreeMap<String, String>,
}

impl Bench {
    /// A bench without an SADB.
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), model: None, environment: BTreeMap::new() }
    }

    /// A bench with a model SADB that listens.
    pub(crate) fn with_model() -> Self {
        let mut bench = Self::new();
        let socket = bench.path("sadb");
        let program = Path::new(env!("CARGO_BIN_EXE_sadb-model"));
        let model = Command::new(program).arg("--listen").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        bench.model = Some(model);
        drop(PacketSocket::connect_soon(&socket));
        bench
    }

    /// The process of the model, for tests that kill it.
    pub(crate) fn take_model(&mut self) -> Child {
        self.model.take().unwrap()
    }

    /// A path in the bench's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file that only its owner can read.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Sets an environment variable of later runs.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Makes later runs SMF methods of [`FMRI`]; a replacement for svcprop prints `file` as its property.
    pub(crate) fn under_smf(&mut self, file: &Path) -> &mut Self {
        let program = self.path("svcprop");
        let text = format!("#!/bin/sh\n[ \"$*\" = '-p config/config_file {FMRI}' ] || exit 1\necho '{}'\n", file.display());
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", self.dir.path().display(), std::env::var("PATH").unwrap());
        self.set("PATH", &path).set("SMF_FMRI", FMRI).set("SMF_METHOD", "start")
    }

    /// Ends the effect of [`Self::under_smf`].
    pub(crate) fn by_hand(&mut self) {
        for name in ["PATH", "SMF_FMRI", "SMF_METHOD"] {
            self.environment.remove(name);
        }
    }

    /// Runs `manual-key` with `arguments` on the listening model.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_bare(&[arguments, &["--sadb", &self.spec()]].concat())
    }

    /// Runs `manual-key METHOD --config-file FILE` on the listening model.
    pub(crate) fn method(&self, method: &str, file: &Path) -> Run {
        self.run(&[method, "--config-file", file.to_str().unwrap()])
    }

    /// Runs `manual-key` with exactly `arguments`.
    pub(crate) fn run_bare(&self, arguments: &[&str]) -> Run {
        self.execute(Command::new(env!("CARGO_BIN_EXE_manual-key")).args(arguments))
    }

    /// Runs `manual-key` as systemd does: with SYSTEMD_EXEC_PID, and the journal as standard error.
    pub(crate) fn run_as_unit(&self, method: &str, file: &Path) -> Run {
        self.run_unit(&[method, "--sadb", &self.spec(), "--config-file", file.to_str().unwrap()])
    }

    /// Like `run_as_unit`, with exactly `arguments`.
    pub(crate) fn run_unit(&self, arguments: &[&str]) -> Run {
        let run = self.execute(&mut self.unit(arguments));
        Run { stderr: fs::read_to_string(self.path("journal")).unwrap(), ..run }
    }

    /// The program with `arguments` as systemd starts it; its standard error is the file `journal`.
    pub(crate) fn unit(&self, arguments: &[&str]) -> Command {
        let script = "SYSTEMD_EXEC_PID=$$ INVOCATION_ID=0123 exec \"$0\" \"$@\"";
        let journal = File::create(self.path("journal")).unwrap();
        let metadata = journal.metadata().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_manual-key")]).args(arguments).stderr(journal);
        self.prepare(&mut command);
        command.env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino()));
        command
    }

    /// Replaces the environment by that of the bench.
    fn prepare(&self, command: &mut Command) {
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.env("RUNTIME_DIRECTORY", self.path("run")).envs(&self.environment).stdin(Stdio::null());
    }

    fn execute(&self, command: &mut Command) -> Run {
        self.prepare(command);
        let output = command.output().unwrap();
        Run {
            exit: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The value of `--sadb` for the model.
    pub(crate) fn spec(&self) -> String {
        format!("unix:{}", self.path("sadb").display())
    }

    /// The output of `ipseckey` with these arguments on the model. Panics if it fails.
    pub(crate) fn ipseckey(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
        let output = command.env_clear().args(["-n", "--sadb", &self.spec()]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The SAs in the listening model, as `--json dump` describes them (docs/json.md).
    pub(crate) fn sas(&self) -> Vec<Value> {
        self.ipseckey(&["--json", "dump"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The SPIs in the listening model, in ascending order.
    pub(crate) fn spis(&self) -> Vec<u32> {
        let mut spis: Vec<u32> = self.sas().iter().map(spi).collect();
        spis.sort_unstable();
        spis
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(model) = &mut self.model {
            let _ = model.kill();
            let _ = model.wait();
        }
    }
}
