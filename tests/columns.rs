//! Output on terminals of several widths: no line is longer, and excerpts are cut around the caret.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};

const WIDTHS: [u16; 3] = [40, 80, 120];

/// The lines that `ipseckey` prints on a terminal with this number of columns.
fn lines(columns: u16, arguments: &[&str]) -> Vec<String> {
    lines_of(env!("CARGO_BIN_EXE_ipseckey"), columns, &[&["-n", "--sadb", "model"], arguments].concat())
}

/// The same for any program.
fn lines_of(program: &str, columns: u16, arguments: &[&str]) -> Vec<String> {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).unwrap();
    let slave = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut command = Command::new(program);
    command.env_clear().env("TERM", "xterm").env("NO_COLOR", "1").args(arguments);
    let mut child = command.stdin(Stdio::null()).stdout(slave()).stderr(slave()).spawn().unwrap();
    drop((command, pty.slave));
    let (mut screen, mut output, mut buffer) = (File::from(pty.master), Vec::new(), [0; 4096]);
    // EIO: the other side of the terminal is closed.
    while let Ok(len @ 1..) = screen.read(&mut buffer) {
        output.extend_from_slice(&buffer[..len]);
    }
    child.wait().unwrap();
    String::from_utf8(output).unwrap().lines().map(|line| line.trim_end_matches('\r').to_owned()).collect()
}

#[test]
fn help_fits_into_the_terminal() {
    for (columns, arguments) in
        WIDTHS.into_iter().flat_map(|columns| [&["help"][..], &["help", "attr"], &["dump", "--help"]].map(|a| (columns, a)))
    {
        let lines = lines(columns, arguments);
        let longest = lines.iter().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= columns.into(), "{arguments:?} at {columns}: {lines:#?}");
    }
    assert!(lines(80, &["dump", "--help"])[0].starts_with("dump "));
}

/// clap wraps all but the line that shows the usage.
#[test]
fn help_of_each_program_and_tool_fits_into_the_terminal() {
    let [ipseckey, manual_key, sadb_model] =
        [env!("CARGO_BIN_EXE_ipseckey"), env!("CARGO_BIN_EXE_manual-key"), env!("CARGO_BIN_EXE_sadb-model")];
    let mut commands: Vec<(&str, Vec<&str>)> = vec![(ipseckey, vec![]), (manual_key, vec![]), (sadb_model, vec![])];
    let tools = ["show", "generate", "genkey", "algs", "import", "export", "doctor", "explain", "plan", "reconcile"];
    commands.extend(tools.map(|tool| (ipseckey, vec![tool])));
    commands.extend(["start", "refresh", "stop", "status", "check", "plan", "run"].map(|method| (manual_key, vec![method])));
    for (program, mut arguments) in commands {
        arguments.push("--help");
        for columns in WIDTHS {
            let lines = lines_of(program, columns, &arguments);
            assert!(lines.len() > 5, "{program} {arguments:?}: {lines:?}");
            let wrapped = lines.iter().filter(|line| columns > 40 || !line.contains("Usage: "));
            let longest = wrapped.map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= columns.into(), "{program} {arguments:?} at {columns}: {lines:#?}");
        }
    }
}

#[test]
fn excerpts_are_cut_around_the_caret() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    let line = "add esp spi 0x1001 src 192.0.2.1 dst 198.51.100.7 encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0 \
                authalg sha256 hard_bytes 16000000 soft_bytes 15000000 replay 32x srcidtype fqdn host.example.com \
                authkey 0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0\n";
    std::fs::write(&keys, line).unwrap();
    let name = keys.to_str().unwrap();
    for columns in WIDTHS {
        let lines = lines(columns, &["-c", name]);
        // The headline has the form that editors recognize, and the last line names the file: a terminal breaks them.
        let excerpt: Vec<&String> = lines.iter().filter(|line| !line.contains(name)).collect();
        let longest = excerpt.iter().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= columns.into(), "at {columns}: {lines:#?}");
        let at = excerpt.iter().position(|line| line.contains('^')).unwrap();
        let caret = excerpt[at].chars().take_while(|c| *c != '^').count();
        let above: String = excerpt[at - 1].chars().skip(caret).take(2).collect();
        // The value, which is masked or shown, is what the caret points at.
        let before: String = excerpt[at - 1].chars().take(caret).collect();
        assert!(before.ends_with("replay ") && !above.starts_with(' '), "at {columns}: {lines:#?}");
    }
}
