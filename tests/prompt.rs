//! The prompt, driven through a pseudo-terminal: editing, Tab, continuation lines, Ctrl-C, Ctrl-D, and a history without keys.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const PROMPT: &str = "ipseckey> ";
const UP: &str = "\x1b[A";

/// `ipseckey` on a pseudo-terminal, with a model SADB of its own.
struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
}

impl Terminal {
    fn start(term: &str) -> Self {
        let pty = nix::pty::openpty(None, None).unwrap();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = Command::new(env!("CARGO_BIN_EXE_ipseckey"))
            .env_clear()
            .env("TERM", term)
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
            // EIO is how a terminal says that the other side has gone.
            while let Ok(len @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut terminal = Self { child, keyboard, screen };
        terminal.until(PROMPT);
        terminal
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// What appears on the screen up to and including `wanted`.
    fn until(&mut self, wanted: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(wanted) {
            let bytes = self.screen.recv_timeout(Duration::from_secs(20));
            let bytes = bytes.unwrap_or_else(|_| panic!("no {wanted:?} in {seen:?}"));
            seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        seen
    }

    /// Types a line; what appears before the next prompt.
    fn line(&mut self, text: &str) -> String {
        self.press(&format!("{text}\r"));
        let mut seen = self.until("\n");
        while !ends_at_prompt(&seen) {
            let bytes =
                self.screen.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("no prompt in {seen:?}"));
            seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        seen
    }

    fn end(mut self) -> i32 {
        self.press("\x04");
        self.child.wait().unwrap().code().unwrap()
    }
}

/// Whether the last thing drawn is an empty prompt; the editor moves the cursor behind it.
fn ends_at_prompt(seen: &str) -> bool {
    seen.rfind(PROMPT).is_some_and(|at| {
        let rest = &seen[at + PROMPT.len()..];
        !rest.contains('\n') && seen[..at].contains('\n')
    })
}

#[test]
fn tab_completes_and_the_command_runs() {
    let mut terminal = Terminal::start("xterm");
    let shown = terminal.line("du\t");
    assert!(shown.contains("Dump succeeded for SA type 0."), "{shown:?}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_continued_line_is_one_command() {
    let mut terminal = Terminal::start("xterm");
    terminal.press("dump \\\r");
    let shown = terminal.line("esp");
    assert!(shown.contains("Dump succeeded for SA type 3."), "{shown:?}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn no_line_with_a_key_comes_back() {
    let mut terminal = Terminal::start("xterm");
    terminal.line("dump ah");
    terminal.line(&format!("add esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 encr_alg aes encrkey {KEY}"));
    terminal.line(&format!("ad esp spi 0x1001 dst 192.0.2.2 encr_alg aes encrkey {KEY}"));
    terminal.line(KEY);
    let shown = terminal.line(UP);
    assert!(!shown.contains(&KEY[..8]), "{shown:?}");
    assert!(shown.contains("Dump succeeded for SA type 2."), "{shown:?}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn an_error_shows_the_place_and_not_the_key() {
    let mut terminal = Terminal::start("xterm");
    terminal.press(&format!("add esp spi 0x1000 bogus encrkey {KEY}\r"));
    let shown = terminal.until("Unknown extension field");
    let after_typing = &shown[shown.rfind("error[").unwrap_or(0)..];
    assert!(!after_typing.contains(&KEY[..8]), "{shown:?}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn control_c_drops_the_line_and_a_dumb_terminal_works() {
    let mut terminal = Terminal::start("xterm");
    terminal.press("flush bogus\x03");
    terminal.until(PROMPT);
    assert!(terminal.line("dump").contains("Dump succeeded"));
    assert_eq!(terminal.end(), 0);

    let mut dumb = Terminal::start("dumb");
    dumb.press("dump\n");
    dumb.until("Dump succeeded for SA type 0.");
    dumb.press("quit\n");
    assert_eq!(dumb.child.wait().unwrap().code(), Some(0));
}
