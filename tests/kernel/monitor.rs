//! A running `ipseckey monitor`.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::space::Space;

/// Timeout for a message to appear.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Adds and deletes a probe SA; the monitor prints it when it listens.
const PROBE: &str = "add ah spi 0xffff dst 192.0.2.1 auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f\n\
                     delete ah spi 0xffff dst 192.0.2.1\n";

/// A monitor that listens; ends when dropped.
pub struct Monitor {
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Monitor {
    /// Starts one, and waits until it receives messages.
    pub fn start(space: &Space) -> Self {
        let mut child = space.spawn(space.command("monitor"));
        let output = Arc::new(Mutex::new(String::new()));
        let (text, out) = (Arc::clone(&output), child.stdout.take().expect("a pipe"));
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                *text.lock().expect("whole") += &(line + "\n");
            }
        });
        let monitor = Self { child, output };
        let deadline = Instant::now() + TIMEOUT;
        while monitor.messages("DELETE", 0xffff).is_empty() {
            assert!(Instant::now() < deadline, "the monitor receives nothing: {}", monitor.output());
            space.load(PROBE);
        }
        monitor
    }

    /// Its output so far.
    pub fn output(&self) -> String {
        self.output.lock().expect("whole").clone()
    }

    /// The complete messages of that type about an SPI.
    fn messages(&self, kind: &str, spi: u32) -> Vec<String> {
        let (output, spi) = (self.output(), format!("spi={spi:#x},"));
        let (whole, _) = output.rsplit_once("\n\n").unwrap_or_default();
        let about = |message: &&str| message.contains(&format!("type {kind},")) && message.contains(&spi);
        whole.split("\n\n").filter(about).map(str::to_owned).collect()
    }

    /// The number of additions that it has received, without its own probes, which may arrive late.
    pub fn additions(&self) -> usize {
        self.output().matches("type ADD").count() - self.messages("ADD", 0xffff).len()
    }

    /// Waits until it has received `count` messages of that type about an SPI.
    pub fn wait_for(&self, kind: &str, spi: u32, count: usize) -> Vec<String> {
        let deadline = Instant::now() + TIMEOUT;
        while self.messages(kind, spi).len() < count {
            assert!(Instant::now() < deadline, "no {kind} of {spi:#x}: {}", self.output());
            thread::sleep(Duration::from_millis(50));
        }
        self.messages(kind, spi)
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.child.kill().expect("runs");
        self.child.wait().expect("ends");
    }
}
