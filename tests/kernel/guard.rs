//! The service with `policy = "from-sas"` on one host.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::space::{Ran, Space};

/// The service on one host, with a separate directory for its files and records.
pub struct Guard<'a> {
    host: &'a Space,
    directory: TempDir,
}

impl<'a> Guard<'a> {
    pub fn new(host: &'a Space, keys: &str, settings: &str) -> Self {
        let service = Self { host, directory: tempfile::tempdir().expect("a directory") };
        service.set(settings);
        service.write(keys);
        service
    }

    pub fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Writes the keys file.
    pub fn write(&self, keys: &str) {
        self.write_as("keys", keys);
    }

    /// Writes a file beside the keys file.
    pub fn write_as(&self, name: &str, keys: &str) {
        fs::write(self.path(name), keys).expect("writes");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("is permitted");
    }

    /// Runs commands of a document, in which /etc/inet/secret/ipseckeys is the keys file.
    pub fn shell(&self, commands: &str) -> Ran {
        let commands = commands.replace("/etc/inet/secret", &self.path("")).replace("ipseckeys", "keys");
        let mut command = Command::new("bash");
        command.args(["-e", "-c", &commands]).env("RUNTIME_DIRECTORY", self.path("run"));
        let programs = std::path::Path::new(env!("CARGO_BIN_EXE_manual-key")).parent().expect("a directory");
        command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display()));
        self.host.run(command)
    }

    /// Writes manual-key.toml.
    pub fn set(&self, settings: &str) {
        self.set_all(&format!("policy = \"from-sas\"\n{settings}\n"));
    }

    /// Writes manual-key.toml with these properties only, and the name of the keys file.
    pub fn set_all(&self, properties: &str) {
        let text = format!("config_file = \"{}\"\n{properties}", self.path("keys"));
        fs::write(self.path("toml"), text).expect("writes");
    }

    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
        command.args(words.split_whitespace()).args(["--config", &self.path("toml")]);
        command.env("RUNTIME_DIRECTORY", self.path("run"));
        command
    }

    /// Runs a method or a query against the daemon.
    pub fn query(&self, word: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
        command.arg(word).env("RUNTIME_DIRECTORY", self.path("run"));
        self.host.run(command).succeeded()
    }

    pub fn run(&self, words: &str) -> Ran {
        self.host.run(self.command(words))
    }

    /// Starts the daemon, and waits until the file is loaded.
    pub fn start_daemon(&self) -> Child {
        let mut child = self.host.spawn(self.command("run"));
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        // Drained, or the daemon would block on a full pipe.
        thread::spawn(move || out.lines().for_each(drop));
        // Written after the load, also of a daemon whose SAs wait for their policies.
        let pid = format!("\"pid\":{},", child.id());
        let is_of_load = |state: &str| state.contains(&pid) && !state.contains("\"state\":\"starting\"");
        let is_loaded = || fs::read_to_string(self.path("run/state.json")).is_ok_and(|state| is_of_load(&state));
        while !is_loaded() {
            assert!(child.try_wait().expect("a child").is_none(), "{:?}", child.wait_with_output());
            thread::sleep(Duration::from_millis(20));
        }
        child
    }
}

/// Ends a daemon; returns its warnings and errors.
#[track_caller]
pub fn stop_daemon(daemon: Child) -> String {
    kill(Pid::from_raw(daemon.id().cast_signed()), Signal::SIGTERM).expect("it runs");
    let output = daemon.wait_with_output().expect("it ends");
    let printed = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{printed}");
    printed
}
