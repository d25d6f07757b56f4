//! Input without a bound: long commands, files larger than memory, endless streams. Each is an error, never a signal or a long wait.

mod support;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::model::Model;

const MEBIBYTE: usize = 1 << 20;
const LONG: &str = "a command of more than 1 MiB";

fn private(path: &Path, text: &[u8]) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// A program with at most `kib` KiB of address space, which must end with an exit status. Returns its output and its messages.
#[track_caller]
fn limited(kib: usize, program: &str, arguments: &[&str], input: Stdio) -> (Output, String) {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -v {kib}; exec \"$0\" \"$@\"")).arg(program).args(arguments);
    let output = command.env_clear().stdin(input).output().unwrap();
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code().is_some(), "{arguments:?}: {:?}: {messages}", output.status);
    (output, messages)
}

/// What reads a keys file: programs with arguments.
fn readers(model: &Model, file: &str) -> Vec<(&'static str, Vec<String>)> {
    let sadb = model.spec();
    let ipseckey = |words: &[&str]| {
        let words = ["-n", "--sadb", &sadb].into_iter().chain(words.iter().copied()).chain([file]);
        (env!("CARGO_BIN_EXE_ipseckey"), words.map(str::to_owned).collect())
    };
    let manual_key = |method: &str| {
        let words = [method, "--sadb", &sadb, "--config-file", file];
        (env!("CARGO_BIN_EXE_manual-key"), words.map(str::to_owned).to_vec())
    };
    vec![
        ipseckey(&["-c"]),
        ipseckey(&["-f"]),
        ipseckey(&["plan"]),
        ipseckey(&["export", "setkey"]),
        ipseckey(&["import", "setkey"]),
        manual_key("check"),
        manual_key("start"),
    ]
}

#[test]
fn long_commands_are_errors_in_every_reader() {
    let model = Model::start(&[]);
    let path = model.path("long");
    let texts = [b"a".repeat(4 * MEBIBYTE), b"#\\\n".repeat(MEBIBYTE), [&b"flush\n"[..], &b"x ".repeat(MEBIBYTE)].concat()];
    for text in texts {
        private(&path, &text);
        for (program, words) in readers(&model, path.to_str().unwrap()) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (output, messages) = limited(400_000, program, &words, Stdio::null());
            assert!(!output.status.success() && messages.contains(LONG), "{words:?}: {messages:.300}");
        }
    }
    assert!(!model.ok(&["-n", "dump"]).contains("SPI"));
}

/// A sparse file takes no space on the disk.
#[test]
fn file_larger_than_memory_is_an_error_in_every_reader() {
    let model = Model::start(&[]);
    let path = model.path("sparse");
    private(&path, b"");
    File::options().write(true).open(&path).unwrap().set_len(1000 * MEBIBYTE as u64).unwrap();
    for (program, words) in readers(&model, path.to_str().unwrap()) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (output, messages) = limited(900_000, program, &words, Stdio::null());
        let is_found = messages.contains("bytes of memory are available") || messages.contains(LONG);
        assert!(!output.status.success() && is_found, "{words:?}: {messages}");
    }
}

#[test]
fn endless_line_on_standard_input_is_an_error() {
    let program = env!("CARGO_BIN_EXE_ipseckey");
    let input = Stdio::from(File::open("/dev/zero").unwrap());
    let (output, messages) = limited(400_000, program, &["--sadb", "model"], input);
    assert!(!output.status.success() && messages.contains(LONG), "{messages}");
}

/// SAs that do not fit into memory, although the file does.
#[test]
fn want_of_memory_is_an_error() {
    let model = Model::start(&[]);
    let path = model.path("many");
    let line = |spi| {
        format!("add esp spi {spi} src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n")
    };
    private(&path, (256..200_256).map(line).collect::<String>().as_bytes());
    let words = ["-n", "--sadb", &model.spec(), "plan", path.to_str().unwrap()];
    let (output, messages) = limited(90_000, env!("CARGO_BIN_EXE_ipseckey"), &words, Stdio::null());
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains("memory"), "{messages}");
}

#[test]
fn hosts_file_is_bounded_and_judged() {
    let model = Model::start(&[]);
    let run = |hosts: &Path| {
        let words = ["--hosts", hosts.to_str().unwrap(), "--sadb", "model", "flush"];
        limited(400_000, env!("CARGO_BIN_EXE_ipseckey"), &words, Stdio::null())
    };
    let fifo = model.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let long = model.path("long");
    fs::write(&long, vec![b'\n'; MEBIBYTE + 1]).unwrap();
    let cases =
        [(PathBuf::from("/dev/zero"), "not a regular file"), (fifo, "not a regular file"), (long, "longer than 1 MiB")];
    for (path, expected) in cases {
        let (output, messages) = run(&path);
        assert!(!output.status.success() && messages.contains(expected), "{path:?}: {messages}");
    }
    let open = model.path("open");
    fs::write(&open, "192.0.2.1 a.example\n").unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o666)).unwrap();
    let (output, messages) = run(&open);
    assert!(output.status.success() && messages.contains("can be changed by users other than root"), "{messages}");
}
