//! `ipseckey` on a pseudo-terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// The prompt.
pub const PROMPT: &str = "ipseckey> ";

/// `ipseckey` on a pseudo-terminal, with a separate model SADB.
pub struct Terminal {
    pub child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    home: tempfile::TempDir,
}

impl Terminal {
    /// Starts it, and waits for its prompt.
    pub fn start(term: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let pty = nix::pty::openpty(None, None).unwrap();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = Command::new(env!("CARGO_BIN_EXE_ipseckey"))
            .env_clear()
            .env("TERM", term)
            .env("HOME", home.path())
            .current_dir(home.path())
            .args(["-n", "--sadb", "model"])
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap();
        drop(pty.slave);
        let keyboard = File::from(pty.master);
        let mut reader = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // EIO: the other side of the terminal is closed.
            while let Ok(len @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut terminal = Self { child, keyboard, screen, home };
        terminal.until(PROMPT);
        terminal
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// The output up to and including `expected`.
    pub fn until(&mut self, expected: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(expected) {
            let bytes = self.screen.recv_timeout(Duration::from_secs(20));
            let bytes = bytes.unwrap_or_else(|_| panic!("no {expected:?} in {seen:?}"));
            seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        seen
    }

    /// Types a line; returns the output before the next prompt.
    pub fn line(&mut self, text: &str) -> String {
        self.press(&format!("{text}\r"));
        let mut seen = self.until("\n");
        while !ends_at_prompt(&seen) {
            let bytes =
                self.screen.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("no prompt in {seen:?}"));
            seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        seen
    }

    /// Ends it with Ctrl-D; returns its exit status. Its working directory, also its home, must be empty then. A key pressed
    /// before the editor reads is lost, so it is pressed repeatedly.
    pub fn end(mut self) -> i32 {
        loop {
            self.press("\x04");
            for _ in 0..50 {
                if let Some(status) = self.child.try_wait().unwrap() {
                    let left: Vec<_> = std::fs::read_dir(&self.home).unwrap().collect();
                    assert!(left.is_empty(), "{left:?}");
                    return status.code().unwrap();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Whether the output ends with an empty prompt; the editor moves the cursor after it.
fn ends_at_prompt(seen: &str) -> bool {
    seen.rfind(PROMPT).is_some_and(|at| {
        let rest = &seen[at + PROMPT.len()..];
        !rest.contains('\n') && seen[..at].contains('\n')
    })
}
