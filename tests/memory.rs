//! No program leaves a key in its memory: not while it waits for the next command, and not when it ends.
//!
//! A program is stopped at its exit, when its memory still exists but is no longer in use, and every writable page is searched for
//! eight consecutive bytes of any key, and for eight consecutive digits. Unprivileged users may not read the memory of these
//! programs, not even of their own processes; for them the tests check that.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::libc::PTRACE_EVENT_EXIT;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use support::memory::{KeyPieces, Searched, expect_nothing, search, search_bytes};
use support::model::Model;
use support::terminal::Terminal;

/// Lines that add SAs, and their keys.
struct Secrets {
    text: String,
    keys: Vec<String>,
}

/// `count` SAs, each with two unique keys.
fn secrets(count: u32) -> Secrets {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut digits = |len: usize| -> String {
        let word = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            format!("{state:016x}")
        };
        std::iter::repeat_with(word).take(len / 16).collect()
    };
    let (mut text, mut keys) = (String::new(), Vec::new());
    for spi in 0x1000..0x1000 + count {
        let (encr, auth) = (digits(32), digits(64));
        text += &format!(
            "add esp spi {spi:#x} src 192.0.2.1 dst 198.51.100.7 encralg aes encrkey {encr} authalg sha256 authkey {auth}\n"
        );
        keys.extend([encr, auth]);
    }
    Secrets { text, keys }
}

/// A core of a whole process, as root can create it with gdb, including mappings that are excluded from dumps; `None`, with a
/// notice, if that is impossible.
fn core_of(pid: Pid) -> Option<Vec<u8>> {
    let skip = |reason: &str| {
        let _ = writeln!(std::io::stderr(), "skipped: no core of a running program: {reason}");
        None
    };
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may take one");
    }
    let directory = tempfile::tempdir().unwrap();
    let stem = directory.path().join("core");
    let taken = Command::new("gcore").arg("-a").arg("-o").arg(&stem).arg(pid.to_string()).output();
    match taken {
        Err(error) => skip(&format!("gcore (package gdb): {error}")),
        Ok(output) => {
            let core = fs::read(stem.with_extension(pid.to_string()));
            Some(core.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr))))
        }
    }
}

/// Runs `command` with `input` as its standard input, and searches its memory at its exit; `None` without permission.
fn search_at_end(command: &Command, input: &[u8], pieces: &KeyPieces) -> Option<Searched> {
    let mut stdin = tempfile::tempfile().unwrap();
    stdin.write_all(input).unwrap();
    stdin.rewind().unwrap();
    let mut child = waiting(command).stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    assert!(matches!(waitpid(pid, Some(WaitPidFlag::WUNTRACED)), Ok(WaitStatus::Stopped(..))));
    ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACEEXIT | ptrace::Options::PTRACE_O_EXITKILL).unwrap();
    kill(pid, Signal::SIGCONT).unwrap();
    loop {
        let signal = match waitpid(pid, None).unwrap() {
            WaitStatus::PtraceEvent(_, _, PTRACE_EVENT_EXIT) => break,
            WaitStatus::Stopped(_, signal) => Some(signal),
            WaitStatus::PtraceEvent(..) => None,
            other => panic!("{other:?}"),
        };
        ptrace::cont(pid, signal.filter(|signal| *signal != Signal::SIGTRAP)).unwrap();
    }
    let searched = search(pid, pieces);
    ptrace::cont(pid, None).unwrap();
    child.wait().unwrap();
    searched
}

/// Waits until a process sleeps (proc(5): state S).
fn until_it_sleeps(pid: Pid) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") S ") {
        assert!(Instant::now() < deadline, "it does not become idle");
        sleep(Duration::from_millis(5));
    }
}

/// The same command, which stops itself (SIGSTOP) before it executes the program.
fn waiting(command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", "kill -STOP $$; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

fn keys_file(model: &Model, name: &str, text: &str) -> String {
    let path = model.path(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn manual_key(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
    command.args(arguments);
    command
}

#[test]
fn memory_search_finds_pieces_of_keys() {
    let pieces = KeyPieces::of(&["0f1e2d3c4b5a69788796".to_owned()]);
    assert_eq!(pieces.places(b"  0f1e2d3c4b  "), [2, 3, 4]);
    assert_eq!(pieces.places(b"0F1E2D3C"), [0]);
    assert_eq!(pieces.places(&[1, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78, 0x87, 0x96]), [1, 2]);
    assert_eq!(pieces.places(b"0f1e2d3 0x1e2d3c4"), [] as [usize; 0]);
}

#[test]
fn ipseckey_memory_has_no_key_at_exit() {
    let model = Model::start(&[]);
    let Secrets { text, keys } = secrets(50);
    let pieces = KeyPieces::of(&keys);
    let good = keys_file(&model, "good", &text);
    let bad = keys_file(&model, "bad", &text.replace("authkey ", "authkye ").replace("encrkey 0", "encrkey 0x0z"));
    let other = keys_file(&model, "other", &text.replace("encrkey 0", "encrkey 1").replace("authkey f", "authkey 0"));
    let target = model.path("saved");
    let setkey = format!("add 192.0.2.1 198.51.100.7 esp 0x1000 -E aes-cbc 0x{} -A hmac-sha256 0x{};\n", keys[0], keys[1]);
    let setkey = keys_file(&model, "setkey", &setkey);
    let forms: &[(&str, &[&str])] = &[
        ("load", &["-f", &good]),
        ("load with all of it refused", &["-f", &good]),
        ("load with a trace", &["-v", "-f", &good]),
        ("check", &["-c", &good]),
        ("check a file with errors", &["-c", &bad]),
        ("load a file with errors", &["-f", &bad]),
        ("get", &["get", "esp", "spi", "0x1007", "dst", "198.51.100.7"]),
        ("dump", &["dump"]),
        ("save", &["save", "all"]),
        ("JSON", &["--json", "--show-keys", "dump"]),
        ("export", &["export", "setkey"]),
        ("import", &["import", "setkey", &setkey]),
        ("save into a file", &["-s", target.to_str().unwrap()]),
        ("plan", &["plan", &good]),
        ("reconcile", &["reconcile", &good]),
        ("reconcile other keys", &["reconcile", &other]),
        ("doctor", &["doctor", &good]),
        ("report", &["--sarif", "-c", &bad]),
    ];
    for (what, arguments) in forms {
        expect_nothing(what, search_at_end(&model.ipseckey(arguments), b"", &pieces));
    }
    assert!(fs::read_to_string(&target).unwrap().contains(&keys[99]), "the saved file has no keys");
    let typed = format!("flush\n{text}save all\ndump\nget esp spi 0x1003 dst 198.51.100.7\n");
    expect_nothing("commands from a pipe", search_at_end(&model.ipseckey(&[]), typed.as_bytes(), &pieces));
    expect_nothing("a last line cut short", search_at_end(&model.ipseckey(&[]), &typed.as_bytes()[..400], &pieces));
}

#[test]
fn manual_key_memory_has_no_key_at_exit() {
    let model = Model::start(&[]);
    let Secrets { text, keys } = secrets(50);
    let pieces = KeyPieces::of(&keys);
    let good = keys_file(&model, "good", &text);
    let bad = keys_file(&model, "bad", &text.replace("authkey ", "authkye "));
    let spec = model.spec();
    for (method, file) in
        [("start", &good), ("start", &bad), ("refresh", &good), ("plan", &good), ("check", &good), ("check", &bad)]
    {
        let command = manual_key(&[method, "--sadb", &spec, "--config-file", file]);
        expect_nothing(method, search_at_end(&command, b"", &pieces));
    }
    let shown = manual_key(&["start", "--sadb", "model", "--show", "--config-file", &good]);
    expect_nothing("start with --sadb model", search_at_end(&shown, b"", &pieces));
    let configuration = manual_key(&["start", "--config", &good]);
    expect_nothing("keys for a configuration", search_at_end(&configuration, b"", &pieces));
}

#[test]
fn run_memory_has_no_key_while_idle() {
    for order in ["flush", "check-first", "reconcile"] {
        expect_no_key_in_idle_service(order);
    }
}

/// The same for one value of the property `refresh`.
fn expect_no_key_in_idle_service(order: &str) {
    let model = Model::start(&[]);
    let Secrets { text, keys } = secrets(50);
    let pieces = KeyPieces::of(&keys);
    let good = keys_file(&model, "good", &text);
    let config = keys_file(&model, "manual-key.toml", &format!("refresh = \"{order}\"\n"));
    let directory = model.path("run");
    let with_directory = |mut command: Command| {
        command.env("RUNTIME_DIRECTORY", &directory).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let run = manual_key(&["run", "--sadb", &model.spec(), "--config", &config, "--config-file", &good]);
    let mut service = with_directory(run).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    // Its socket exists before it accepts connections.
    while !with_directory(manual_key(&["refresh"])).status().unwrap().success() {
        assert!(Instant::now() < deadline, "it does not listen");
        sleep(Duration::from_millis(5));
    }
    let pid = Pid::from_raw(service.id().cast_signed());
    until_it_sleeps(pid);
    expect_nothing("a service that waits", search(pid, &pieces));
    // Different keys for the same SAs, so all are read and replaced.
    keys_file(&model, "good", &text.replace("encrkey 0", "encrkey 1").replace("authkey f", "authkey 0"));
    assert!(with_directory(manual_key(&["refresh"])).status().unwrap().success());
    until_it_sleeps(pid);
    expect_nothing("a service that waits after a refresh", search(pid, &pieces));
    // A core is large and slow to search, so only for one value.
    if let Some(core) = (order == "reconcile").then(|| core_of(pid)).flatten() {
        expect_nothing("the core of a service that waits", Some(search_bytes("core", &core, &pieces)));
    }
    // It reads the keys file and the SADB.
    let status = with_directory(manual_key(&["status"]));
    expect_nothing("status", search_at_end(&status, b"", &pieces));
    kill(pid, Signal::SIGTERM).unwrap();
    assert!(service.wait().unwrap().success());
}

/// Adds `words` to each command of `text`.
fn with_words(text: &str, words: &str) -> String {
    text.replace(" src ", &format!(" {words} src "))
}

/// Voluntary context switches of the thread with this name: each wait for something is one (proc(5)).
fn waits_of(pid: Pid, thread: &str) -> Option<u64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| task.unwrap().path());
    let read = |path: &std::path::Path, name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    let task = tasks.into_iter().find(|task| read(task, "comm").trim_end() == thread)?;
    read(&task, "status").lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok())
}

/// Key chains: before a change of keys, and after it.
#[test]
fn run_memory_has_no_key_before_and_after_a_key_change() {
    let model = Model::start(&[]);
    let Secrets { text, keys } = secrets(50);
    let pieces = KeyPieces::of(&keys);
    let lines: Vec<&str> = text.lines().collect();
    let change = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() + 4;
    let (old, new) = (lines[..20].join("\n"), lines[20..].join("\n"));
    let file = format!(
        "{}\n{}\n",
        with_words(&old, &format!("inbound accept_until {change}")),
        with_words(&new, &format!("inbound accept_from {change}"))
    );
    let good = keys_file(&model, "good", &file);
    // The default order flushes all SAs at a refresh, and never at a change of keys.
    let config = keys_file(&model, "manual-key.toml", "refresh = \"flush\"\n");
    let directory = model.path("run");
    let mut run = manual_key(&["run", "--sadb", &model.spec(), "--config", &config, "--config-file", &good]);
    run.env("RUNTIME_DIRECTORY", &directory).stdout(Stdio::null()).stderr(Stdio::null());
    let mut service = run.spawn().unwrap();
    let pid = Pid::from_raw(service.id().cast_signed());
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut until_state_has = |what: &str| {
        while !std::fs::read_to_string(directory.join("state.json")).is_ok_and(|state| state.contains(what)) {
            assert!(service.try_wait().unwrap().is_none() && Instant::now() < deadline, "{what}");
            sleep(Duration::from_millis(20));
        }
        until_it_sleeps(pid);
    };
    until_state_has("online: 20 SAs");
    expect_nothing("a service that waits for a key change", search(pid, &pieces));
    until_state_has("online: 30 SAs");
    expect_nothing("a service after a key change", search(pid, &pieces));
    // Once for the change and once for the end of the thread's start; more would be a timer that looks at the clock.
    assert!(waits_of(pid, "key-changes").is_some_and(|waits| waits <= 4), "{:?}", waits_of(pid, "key-changes"));
    kill(pid, Signal::SIGTERM).unwrap();
    assert!(service.wait().unwrap().success());
}

#[test]
fn session_memory_has_no_key_while_idle() {
    let model = Model::start(&[]);
    let Secrets { text, keys } = secrets(50);
    let pieces = KeyPieces::of(&keys);
    let mut command = model.ipseckey(&[]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    write!(input, "{text}save all\nbogus {}\ndump\n", keys[0]).unwrap();
    assert!(output.lines().map_while(Result::ok).any(|line| line.starts_with("Dump succeeded")));
    let pid = Pid::from_raw(child.id().cast_signed());
    until_it_sleeps(pid);
    expect_nothing("a session that waits", search(pid, &pieces));
    drop(input);
    child.wait().unwrap();
}

#[test]
fn prompt_memory_has_no_key_while_idle() {
    let Secrets { text, keys } = secrets(3);
    let pieces = KeyPieces::of(&keys);
    let mut terminal = Terminal::start("xterm");
    for line in text.lines() {
        terminal.line(line);
    }
    terminal.line("save all");
    terminal.line("flush");
    let pid = Pid::from_raw(terminal.child.id().cast_signed());
    until_it_sleeps(pid);
    expect_nothing("a prompt that waits", search(pid, &pieces));
    // The last operation used a key.
    let first = text.lines().next().unwrap();
    for line in [first.replace("encrkey", "enckrey"), format!("{first} bogus"), format!("bogus {}", keys[0])] {
        terminal.line(&line);
        until_it_sleeps(pid);
        expect_nothing("a prompt that waits after an error", search(pid, &pieces));
    }
    assert_eq!(terminal.end(), 0);
}

/// The program of `command` with a raised limit for core files, waiting for input.
fn waiting_for_input(command: &mut Command) -> Child {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until_it_sleeps(Pid::from_raw(child.id().cast_signed()));
    child
}

/// `program` behind a shell that allows core files of any size.
fn with_core_files(program: &[&str]) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", "ulimit -c unlimited && exec \"$0\" \"$@\""]).args(program);
    shell
}

#[test]
fn core_file_is_not_written() {
    let ends_with_core = |program: &[&str]| {
        let directory = tempfile::tempdir().unwrap();
        let mut child = waiting_for_input(with_core_files(program).current_dir(directory.path()));
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGABRT).unwrap();
        child.wait().unwrap().core_dumped()
    };
    if !ends_with_core(&["/bin/cat"]) {
        let _ = writeln!(std::io::stderr(), "skipped: nothing leaves a core file here");
        return;
    }
    assert!(!ends_with_core(&[env!("CARGO_BIN_EXE_ipseckey"), "--sadb", "model"]));
}

/// The files in /proc of a process that is not dumpable belong to root (proc(5)).
#[test]
fn proc_mem_is_not_readable_by_the_same_user() {
    const NOBODY: u32 = 65534;
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("ipseckey");
    // In a separate process: a concurrent fork of another test would inherit the descriptor, and executing the copy would fail
    // with ETXTBSY.
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_ipseckey")).arg(&program).status().unwrap().success());
    for path in [directory.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let owner_of_memory = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.env_clear().args(arguments);
        if nix::unistd::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut child = waiting_for_input(&mut command);
        let owner = fs::metadata(format!("/proc/{}/mem", child.id())).unwrap().uid();
        child.kill().unwrap();
        child.wait().unwrap();
        owner
    };
    assert_ne!(owner_of_memory(Path::new("/bin/cat"), &[]), 0);
    assert_eq!(owner_of_memory(&program, &["--sadb", "model"]), 0);
}

#[test]
fn sadb_model_memory_has_no_key_after_flush() {
    let model = Model::start(&[]);
    let Secrets { text, keys } = secrets(50);
    model.load(&text);
    model.ok(&["get", "esp", "spi", "0x1007", "dst", "198.51.100.7"]);
    assert_eq!(model.saved().matches("encrkey").count(), 50);
    let pieces = KeyPieces::of(&keys);
    let held = search(model.pid(), &pieces);
    assert!(held.is_none_or(|searched| !searched.found.is_empty()), "the search finds no key in a model with SAs");
    let core = core_of(model.pid());
    assert!(
        core.is_none_or(|core| !search_bytes("core", &core, &pieces).found.is_empty()),
        "the search finds no key in the core of a model with SAs"
    );
    model.ok(&["flush"]);
    expect_nothing("an emptied model", search(model.pid(), &pieces));
}
