//! Files typed at the prompt of a terminal that echoes nothing, so that its output is that of the program.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use super::bench::Bench;

/// Ends a session, whatever the line before has left open.
const END: &[u8] = b"\n\n\"\nquit\nquit\n";

/// The output of a session in which `text` is typed.
pub(crate) fn typed(bench: &Bench, flags: &[&str], text: &[u8]) -> String {
    let pty = openpty(None, None).unwrap();
    let mut modes = tcgetattr(&pty.slave).unwrap();
    cfmakeraw(&mut modes);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &modes).unwrap();
    let slave = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    command.env_clear().env("TERM", "dumb").args(["-n", "--sadb", &bench.spec()]).args(flags);
    let mut child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
    drop((command, pty.slave));
    let mut keyboard = File::from(pty.master);
    let mut screen = keyboard.try_clone().unwrap();
    let reader = spawn(move || {
        let (mut output, mut buffer) = (Vec::new(), [0; 4096]);
        // EIO: the other side of the terminal is closed.
        while let Ok(len @ 1..) = screen.read(&mut buffer) {
            output.extend_from_slice(&buffer[..len]);
        }
        output
    });
    // EIO: the session has ended before its input.
    let _ = keyboard.write_all(&[text, END].concat());
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the session does not end: {}", String::from_utf8_lossy(text));
        sleep(Duration::from_millis(2));
    }
    drop(keyboard);
    String::from_utf8_lossy(&reader.join().unwrap()).into_owned()
}

#[test]
fn typed_has_the_output_of_the_program_alone() {
    let bench = Bench::with_model();
    let output = typed(&bench, &["-p"], b"add esp spi bogus 0f1e2d3c\nget esp spi 5 dst 10.0.0.2\n");
    assert!(output.contains("ipseckey> ") && output.contains("IK") && !output.contains("0f1e2d3c"), "{output}");
}
