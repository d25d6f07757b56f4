//! `manual-key run` in a network namespace.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::space::{Space, private_file};

const LONG: Duration = Duration::from_secs(20);

/// The program in a namespace, with a separate directory for its records.
pub struct Service {
    child: Child,
    directory: PathBuf,
    keys: PathBuf,
}

impl Service {
    /// Starts it with `options`, and waits until there are `count` SAs.
    pub fn start(space: &Space, keys: &str, options: &[&str], count: usize) -> Self {
        let keys = private_file(keys);
        let directory = keys.with_extension("run");
        let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
        command.args(["run", "--sadb", "xfrm", "--config-file"]).arg(&keys).args(options);
        command.env("RUNTIME_DIRECTORY", &directory);
        let service = Self { child: space.spawn(command), directory, keys };
        wait_until(|| space.states().len() == count);
        service
    }

    /// Refreshes it, with its current properties.
    pub fn refresh(&self, space: &Space) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
        command.arg("refresh").env("RUNTIME_DIRECTORY", &self.directory);
        space.run(command).succeeded();
    }

    /// Ends it; returns its warnings and errors.
    pub fn end(mut self) -> String {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).expect("it runs");
        let mut printed = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut printed).expect("text");
        assert!(self.child.wait().expect("it ends").success(), "{printed}");
        printed
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
        let _ = fs::remove_file(&self.keys);
    }
}

/// Waits for a condition, with a timeout.
#[track_caller]
pub fn wait_until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "timed out");
        thread::sleep(Duration::from_millis(100));
    }
}
