//! Files that are not keys files, that change while they are read, or that other users can read; and saves that cannot be completed.

mod support;

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use support::model::Model;

/// An SA that is loaded before and must stay.
const OLD: &str = "add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n";

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn manual_key(model: &Model, method: &str, file: &Path) -> Output {
    let arguments = [method, "--sadb", &model.spec(), "--config-file", file.to_str().unwrap()];
    let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
    command.env_clear().env("RUNTIME_DIRECTORY", model.path("run")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Files that are not keys files, and the message for each.
fn oddities(model: &Model) -> Vec<(PathBuf, &'static str)> {
    let fifo = model.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let socket = model.path("socket");
    drop(UnixListener::bind(&socket).unwrap());
    let sparse = model.path("sparse");
    private(&sparse, OLD);
    OpenOptions::new().write(true).open(&sparse).unwrap().set_len(10_000_000_000).unwrap();
    let (dangling, circle) = (model.path("dangling"), model.path("circle"));
    symlink("nowhere", &dangling).unwrap();
    symlink("circle", &circle).unwrap();
    vec![
        (model.path("missing"), "No such file"),
        (model.path(""), "is a directory"),
        (fifo, "is a FIFO"),
        (socket, "is a socket"),
        (PathBuf::from("/dev/zero"), "is a character device"),
        (PathBuf::from("/proc/self/maps"), "changed while it was read"),
        (sparse, "declares 10000000000 bytes"),
        (dangling, "No such file"),
        (circle, "symbolic links"),
    ]
}

#[test]
fn keys_file_that_is_not_a_regular_file_is_refused() {
    let model = Model::start(&[]);
    model.load(OLD);
    let before = model.saved();
    for (path, words) in oddities(&model) {
        let file = path.to_str().unwrap();
        // The service does not follow links.
        let of_service = if path.is_symlink() { "is a symbolic link" } else { words };
        let runs = [
            (model.run(&["-c", file]), words),
            (model.run(&["-f", file]), words),
            (manual_key(&model, "refresh", &path), of_service),
        ];
        for (run, words) in runs {
            let reported = String::from_utf8_lossy(&run.stderr).into_owned();
            assert!(!run.status.success() && run.status.code().is_some(), "{file}: {}", run.status);
            assert!(reported.contains(words), "{file}: {reported}");
        }
    }
    assert_eq!(model.saved(), before);
}

/// Another process keeps writing to the file; each run reports this, or reads one consistent version.
#[test]
fn check_detects_concurrent_write_to_keys_file() {
    let model = Model::start(&[]);
    let path = model.path("busy");
    private(&path, "");
    let ends = AtomicBool::new(false);
    let (mut changed, mut whole) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            while !ends.load(Ordering::Relaxed) {
                file.write_all(format!("# a line that takes its time {}\nflush ah\n", "x".repeat(3000)).as_bytes()).unwrap();
                if file.metadata().unwrap().len() > 3_000_000 {
                    file.set_len(0).unwrap();
                }
            }
        });
        for _ in 0..40 {
            let run = model.run(&["--allow-empty", "-c", path.to_str().unwrap()]);
            let reported = String::from_utf8_lossy(&run.stderr);
            if reported.contains("changed while it was read") {
                changed += 1;
            } else {
                assert!(run.status.success(), "{reported}");
                whole += 1;
            }
        }
        ends.store(true, Ordering::Relaxed);
    });
    assert!(changed > 0, "no change was detected in {whole} complete reads");
}

/// A file is loaded in blocks.
#[test]
fn load_of_a_long_file_keeps_order_and_line_numbers() {
    let model = Model::start(&[]);
    let path = model.path("long");
    let line = |spi: u32| OLD.replace("0x1001", &format!("{spi:#x}"));
    let mut lines: Vec<String> = (0x2000..0x2000 + 2500).map(line).collect();
    for again in [599, 1800, 2499] {
        lines[again] = line(0x2000);
    }
    lines.extend(["quit\n".to_owned(), line(0x1001)]);
    private(&path, &lines.concat());
    let run = model.run(&["-f", path.to_str().unwrap()]);
    let reported = String::from_utf8_lossy(&run.stderr).into_owned();
    for number in [600, 1801, 2500] {
        assert!(
            reported.contains(&format!("/long:{number}:1: error[IK030]: esp SA with spi 0x2000")),
            "{number}: {reported}"
        );
        assert!(reported.contains(&format!("\n{number} | add esp spi 0x2000 src 192.0.2.1")), "{number}: {reported}");
    }
    assert_eq!(reported.matches("error[").count(), 3, "{reported}");
    let saved = model.saved();
    assert_eq!(saved.matches("\nadd esp").count(), 2497);
    assert!(!saved.contains("spi 0x1001"), "a command after quit was executed");
}

#[test]
fn refresh_during_rename_reads_old_or_new_keys_file() {
    let model = Model::start(&[]);
    let path = model.path("keys");
    let text = |spi: u32| OLD.replace("0x1001", &format!("{spi:#x}")) + &format!("# {}\n", "y".repeat(200_000));
    private(&path, &text(0x2000));
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for spi in (0x2000..0x2010).cycle() {
                let new_file = model.path("beside");
                private(&new_file, &text(spi));
                fs::rename(&new_file, &path).unwrap();
                if ends.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        for _ in 0..15 {
            let run = manual_key(&model, "refresh", &path);
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            assert_eq!(model.saved().matches("\nadd esp").count(), 1);
        }
        ends.store(true, Ordering::Relaxed);
    });
}

/// An access list for another user shows in the group bits, which are its mask (acl(5)).
#[test]
#[cfg(target_os = "linux")]
fn posix_access_list_for_other_user_is_found() {
    let model = Model::start(&[]);
    let path = model.path("keys");
    private(&path, OLD);
    let set = Command::new("setfacl").args(["-m", "u:65534:r"]).arg(&path).stderr(Stdio::null()).status();
    if !set.is_ok_and(|set| set.success()) {
        let _ = writeln!(std::io::stderr(), "skipped: no setfacl, or a file system without access lists");
        return;
    }
    let run = model.run(&["-c", path.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&run.stderr).contains("has mode 06"), "{}", String::from_utf8_lossy(&run.stderr));
}

/// Messages contain the name of a file, but it cannot start a new line or send control sequences to the terminal.
#[test]
fn file_name_control_characters_are_escaped() {
    let model = Model::start(&[]);
    let path = model.path("keys\u{1b}]0;title\u{7}\nonline: 5 SAs");
    private(&path, "bogus\n");
    let file = path.to_str().unwrap();
    let config = model.path("manual-key.toml");
    fs::write(&config, format!("sadb = {:?}\n", "unix:/nowhere/\u{1b}[2J")).unwrap();
    let mut service = Command::new(env!("CARGO_BIN_EXE_manual-key"));
    service.env_clear().env("RUNTIME_DIRECTORY", model.path("run"));
    service.args(["start", "--config", config.to_str().unwrap(), "--config-file", file]);
    let runs = [
        model.run(&["-c", file]),
        model.run(&["-f", file]),
        manual_key(&model, "refresh", &path),
        service.output().unwrap(),
    ];
    for run in runs {
        let printed = [&run.stdout[..], &run.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        assert!(!run.status.success() && !printed.is_empty());
        assert!(!printed.contains(|c: char| c.is_control() && c != '\n'), "{printed:?}");
        assert!(!printed.lines().any(|line| line.starts_with("online")), "{printed:?}");
    }
}

/// A shell that limits the file size to 512 bytes and executes `ipseckey`.
fn with_a_full_disk(model: &Model, arguments: &[&str]) -> Output {
    let ipseckey = model.ipseckey(arguments);
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]).arg(ipseckey.get_program()).args(ipseckey.get_args());
    shell.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn save_on_full_disk_keeps_old_file() {
    let model = Model::start(&[]);
    model.load(&(0..20).map(|number| OLD.replace("0x1001", &format!("{:#x}", 0x1001 + number))).collect::<String>());
    fs::create_dir(model.path("there")).unwrap();
    let target = model.path("there/saved");
    private(&target, "old\n");
    let run = with_a_full_disk(&model, &["-s", target.to_str().unwrap()]);
    let reported = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{reported}");
    assert!(reported.contains("nothing was replaced"), "{reported}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "old\n");
    assert_eq!(fs::read_dir(model.path("there")).unwrap().count(), 1, "a temporary file is left");
}

/// Truncated output is an error; an unwritable log does not prevent a load.
#[test]
#[cfg(target_os = "linux")]
fn output_to_full_device_is_an_error() {
    let model = Model::start(&[]);
    let keys = model.path("keys");
    private(&keys, OLD);
    let (file, spec) = (keys.to_str().unwrap(), model.spec());
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let service = |method: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
        command.env_clear().env("RUNTIME_DIRECTORY", model.path("run")).args([method, "--sadb", &spec]);
        command.args(arguments).stdin(Stdio::null()).stdout(full());
        command
    };
    let loaded = service("start", &["--config-file", file]).stderr(full()).status().unwrap();
    assert!(loaded.success() && model.saved().contains("0x1001"));
    let get = ["-n", "get", "esp", "spi", "0x1001", "dst", "192.0.2.2"];
    let forms: [&[&str]; 13] = [
        &["-n", "dump"],
        &["--json", "dump"],
        &get,
        &["save", "all"],
        &["help"],
        &["--json", "-c", file],
        &["--sarif", "-c", file],
        &["plan", file],
        &["--json", "plan", file],
        &["doctor", file],
        &["explain"],
        &["export", "setkey", file],
        &["genkey", "aes"],
    ];
    let ipseckey_commands = forms.iter().map(|arguments| {
        let mut command = model.ipseckey(arguments);
        command.stdout(full());
        command
    });
    let service_commands =
        [service("status", &[]), service("status", &["--json"]), service("plan", &["--config-file", file])];
    for mut command in ipseckey_commands.chain(service_commands) {
        let run = command.output().unwrap();
        let reported = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{command:?}: {reported}");
        assert!(reported.contains("No space left on device"), "{command:?}: {reported}");
    }
    // EPIPE: the reader has closed the pipe, which is not an error.
    for arguments in [&["-n", "dump"][..], &["--json", "dump"], &["explain"], &["help"], &["plan", file], &["save", "all"]] {
        let mut command = model.ipseckey(arguments);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = command.stdout(writer).output().unwrap();
        let reported = String::from_utf8_lossy(&run.stderr);
        assert_eq!(
            (run.status.success(), reported.is_empty()),
            (arguments[0] != "save", arguments[0] != "save"),
            "{arguments:?}: {reported}"
        );
    }
}

#[test]
fn save_replaces_symbolic_link_with_mode_0400() {
    let model = Model::start(&[]);
    model.load(OLD);
    let (elsewhere, link) = (model.path("elsewhere"), model.path("link"));
    fs::write(&elsewhere, "untouched\n").unwrap();
    symlink(&elsewhere, &link).unwrap();
    model.ok(&["-s", link.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched\n");
    let saved = fs::symlink_metadata(&link).unwrap();
    assert!(saved.is_file());
    assert_eq!(saved.permissions().mode() & 0o7777, 0o400);
    for target in ["/dev/null", "/proc/version", model.path("").to_str().unwrap()] {
        assert_eq!(model.run(&["-s", target]).status.code(), Some(1), "{target}");
    }
}

/// The name of a file is bytes, in any encoding.
#[test]
fn save_accepts_file_names_of_any_bytes() {
    let model = Model::start(&[]);
    model.load(OLD);
    let directory = model.path("there");
    fs::create_dir(&directory).unwrap();
    let name = OsStr::from_bytes(b"schl\xfcssel");
    let target = directory.join(name);
    let typed = [b"save all ", target.as_os_str().as_bytes(), b"\n"].concat();
    let arguments: [&[&OsStr]; 3] =
        [&["-s".as_ref(), target.as_ref()], &["save".as_ref(), "all".as_ref(), target.as_ref()], &[]];
    for way in arguments {
        let mut command = model.ipseckey(&[]);
        let mut child = command.args(way).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&typed).unwrap();
        let run = child.wait_with_output().unwrap();
        assert!(run.status.success(), "{way:?}: {}", String::from_utf8_lossy(&run.stderr));
        let there: Vec<OsString> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(there, [name], "{way:?}");
        let checked = model.ipseckey(&["-c"]).arg(&target).output().unwrap();
        assert!(checked.status.success(), "{way:?}: {}", String::from_utf8_lossy(&checked.stderr));
        fs::remove_file(&target).unwrap();
    }
}

#[test]
fn load_counts_repeated_refusals_after_the_first_20() {
    let model = Model::start(&[]);
    let other = "add esp spi 0x2000 dst 192.0.2.2 encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0 pair-spi 0x9999\n";
    let file = model.path("keys");
    private(&file, &[&OLD.repeat(51), other, OLD].concat());
    let load = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
        command.args(options).args(["--sadb", &model.spec(), "-n", "-f"]).arg(&file).stdin(Stdio::null()).output().unwrap()
    };
    let reported = load(&[]);
    let text = String::from_utf8(reported.stderr).unwrap();
    assert_eq!(reported.status.code(), Some(1));
    assert_eq!(text.matches("already exists").count(), 20, "{text}");
    assert!(text.contains(":52:") && !text.contains(":53:"), "{text}");
    assert_eq!(text.matches("31 more commands were refused for the same reason as 20 above").count(), 1, "{text}");
    assert!(text.ends_with("1 of 53 commands succeeded\n"), "{text}");
    let objects = String::from_utf8(load(&["--json"]).stdout).unwrap();
    assert_eq!(objects.lines().filter(|line| line.contains("already exists")).count(), 52);
}

#[test]
fn check_warns_of_many_sas_per_tuple_on_linux_only() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys");
    let line = |spi| format!("add ah spi {spi} src 192.0.2.1 dst 192.0.2.2 authalg sha1 authkey {spi:040x}\n");
    private(&file, &(1000..4000).map(line).collect::<String>());
    let check = |sadb: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
        let checked = command.args(["--sadb", sadb, "-n", "-c"]).arg(&file).output().unwrap();
        assert_eq!(checked.status.code(), Some(0));
        String::from_utf8(checked.stderr).unwrap()
    };
    let reported = check("xfrm");
    assert_eq!(reported.matches("[IK055]").count(), 1, "{reported}");
    assert!(reported.contains("keys:2000:1: warning[IK055]: 2000 SAs have the same src, dst and reqid"), "{reported}");
    assert!(!check("model:illumos").contains("IK055"));
}
