//! A running `sadb-model`, and `ipseckey` as its client.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use super::packet_socket::PacketSocket;

/// Host names of the examples in the man page.
const HOSTS: &str = "192.0.2.1 me.domain.com\n198.51.100.7 you.domain.com mypeer\n";

/// A model SADB for one test; ends when dropped.
pub struct Model {
    child: Child,
    directory: tempfile::TempDir,
}

impl Model {
    /// Starts one with the local addresses `local`.
    pub fn start(local: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("hosts"), HOSTS).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sadb-model"));
        command.arg("--listen").arg(directory.path().join("sadb"));
        for address in local {
            command.args(["--local", address]);
        }
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let model = Self { child, directory };
        drop(PacketSocket::connect_soon(&model.path("sadb")));
        model
    }

    /// Its process.
    pub fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.child.id().cast_signed())
    }

    /// A path in the directory of the test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The argument of `--sadb` for this model.
    pub fn spec(&self) -> String {
        format!("unix:{}", self.path("sadb").display())
    }

    /// `ipseckey` with those arguments, not started yet.
    pub fn ipseckey(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
        command.env_clear().env("TZ", "UTC").arg("--sadb").arg(self.spec());
        command.arg("--hosts").arg(self.path("hosts")).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs `ipseckey` with those arguments.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.ipseckey(arguments).output().unwrap()
    }

    /// Runs `ipseckey` with those arguments; it must succeed. Returns its output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        succeeded(self.run(arguments))
    }

    /// Runs `ipseckey` with `text` as its standard input.
    pub fn typed(&self, text: &str) -> Output {
        let mut command = self.ipseckey(&[]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Loads `text` as a keys file.
    pub fn load(&self, text: &str) -> Output {
        let path = self.path("keys");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        self.run(&["-f", path.to_str().unwrap()])
    }

    /// The output of `save all`.
    pub fn saved(&self) -> String {
        self.ok(&["save", "all"])
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The standard output of a run, which must have succeeded.
pub fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
