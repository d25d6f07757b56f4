//! The system calls of the programs and their order, from strace: before a keys file is opened, how it is opened, and the steps of
//! a save until it is on the disk, with an error at each step.
#![cfg(target_os = "linux")]

mod support;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::model::Model;

const ONE: &str = "add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n";

/// Whether strace exists and may trace; if not, prints a notice.
fn can_trace() -> bool {
    let traces = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let can = traces.is_ok_and(|status| status.success());
    if !can {
        let _ = writeln!(std::io::stderr(), "skipped: no strace, or no right to trace");
    }
    can
}

/// Runs `command` under strace with additional `options`; returns its calls, one a line, and its output.
fn traced(model: &Model, options: &[&str], command: &Command) -> (Vec<String>, Output) {
    let trace = model.path("trace");
    let mut strace = Command::new("strace");
    // Show the file names of descriptors, and no written data.
    strace.args(["-f", "-qq", "-y", "-s", "0", "-o"]).arg(&trace).args(options);
    strace.arg(command.get_program()).args(command.get_args()).env_clear().stdin(Stdio::null());
    strace.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = strace.output().unwrap();
    let text = fs::read_to_string(trace).unwrap();
    // A process number, blanks, the call.
    let calls = text.lines().map(|line| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').to_owned());
    (calls.collect(), output)
}

fn private(path: PathBuf, text: &str) -> PathBuf {
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// `manual-key METHOD` as systemd starts it.
fn unit(model: &Model, method: &str, keys: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "SYSTEMD_EXEC_PID=$$ INVOCATION_ID=0123 exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_manual-key")]);
    command.args([method, "--sadb", &model.spec(), "--config-file"]).arg(keys);
    command.env("RUNTIME_DIRECTORY", model.path("run"));
    command
}

/// A model with an SA, and a directory with an old file to save into.
fn with_target() -> (Model, PathBuf) {
    let model = Model::start(&[]);
    model.load(ONE);
    fs::create_dir(model.path("there")).unwrap();
    let target = private(model.path("there/saved"), "old\n");
    (model, target)
}

/// The step of a save that a call is part of, in two words; `None` for other calls.
fn step(call: &str) -> Option<String> {
    let name = call.split('(').next()?;
    // strace shows a file without a name by its inode.
    let is_unnamed = call.contains("/there/#") || call.contains("O_TMPFILE");
    let about = match (call.contains("/there/.ipseckey-"), call.contains("/there/saved")) {
        (false, false) if is_unnamed => "unnamed",
        (true, false) => "temporary",
        (true, true) => "temporary to saved",
        (false, true) => "saved",
        (false, false) if call.contains("/there") => "directory",
        (false, false) => return None,
    };
    // These have several spellings.
    let name = ["rename", "openat", "open"].into_iter().find(|plain| name.starts_with(plain)).unwrap_or(name);
    Some(format!("{} {about}", if name == "open" { "openat" } else { name }))
}

const SAVING: &str = "trace=open,openat,creat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,\
                      unlink,unlinkat,chmod,fchmod,fchmodat,truncate,ftruncate";

/// Fails unless `command` takes exactly these steps in order; returns its calls.
#[track_caller]
fn saves_in_order(model: &Model, options: &[&str], command: &Command, expected: &[&str]) -> Vec<String> {
    let (calls, output) = traced(model, &[&["-e", SAVING], options].concat(), command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut steps: Vec<String> = calls.iter().filter_map(|call| step(call)).collect();
    steps.dedup();
    assert_eq!(steps, expected);
    calls
}

/// The file has no name until it is complete and on the disk: whatever ends the program, nothing is left.
#[test]
fn save_syncs_file_without_a_name_before_rename() {
    if !can_trace() {
        return;
    }
    let (model, target) = with_target();
    let written = ["openat unnamed", "write unnamed", "fsync unnamed", "linkat saved"];
    let replaced = ["linkat temporary", "rename temporary to saved"];
    let synced = ["openat directory", "fsync directory"];
    let save = model.ipseckey(&["-s", target.to_str().unwrap()]);
    let calls = saves_in_order(&model, &[], &save, &[&written[..], &replaced, &synced].concat());
    let made = calls.iter().find(|call| call.contains("O_TMPFILE")).unwrap();
    assert!(made.contains(", 0400)"), "{made}");
    for words in [&["genkey", "aes", "-o"][..], &["export", "setkey", "-o"], &["-s"]] {
        fs::remove_file(&target).unwrap();
        let create = model.ipseckey(&[words, &[target.to_str().unwrap()]].concat());
        saves_in_order(&model, &[], &create, &[&written[..], &synced].concat());
    }
}

/// A file system without O_TMPFILE: a temporary file, as private as the new one.
#[test]
fn save_without_tmpfile_syncs_temporary_file_before_rename() {
    if !can_trace() {
        return;
    }
    let (model, target) = with_target();
    let directory = model.path("there");
    let options = ["-P", directory.to_str().unwrap(), "-e", "inject=open:error=EOPNOTSUPP:when=1"];
    let (calls, output) = traced(&model, &options, &model.ipseckey(&["-s", target.to_str().unwrap()]));
    assert!(calls.iter().any(|call| call.contains("O_TMPFILE") && call.ends_with("(INJECTED)")), "{calls:#?}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    assert!(fs::read_to_string(&target).unwrap().contains("add esp"));
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o7777, 0o400);
}

#[test]
fn save_reports_an_error_at_each_system_call() {
    if !can_trace() {
        return;
    }
    let faults = [
        ("write:error=ENOSPC:when=1", "write unnamed", "nothing was replaced"),
        ("fsync:error=EIO:when=1", "fsync unnamed", "nothing was replaced"),
        ("linkat:error=EMLINK:when=2", "linkat temporary", "nothing was replaced"),
        ("rename,renameat,renameat2:error=EDQUOT:when=1", "rename temporary to saved", "nothing was replaced"),
        ("fsync:error=EIO:when=2", "fsync directory", "may not have reached the disk"),
    ];
    for (fault, at, words) in faults {
        let (model, target) = with_target();
        let inject = format!("inject={fault}");
        let save = model.ipseckey(&["-s", target.to_str().unwrap()]);
        let (calls, output) = traced(&model, &["-e", SAVING, "-e", &inject], &save);
        let struck = calls.iter().find(|call| call.ends_with("(INJECTED)")).map(|call| step(call));
        assert_eq!(struck, Some(Some(at.to_owned())), "{fault}");
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{fault}: {printed}");
        assert!(printed.contains(words), "{fault}: {printed}");
        let is_old = fs::read_to_string(&target).unwrap() == "old\n";
        assert_eq!(is_old, words == "nothing was replaced", "{fault}");
        assert_eq!(fs::read_dir(model.path("there")).unwrap().count(), 1, "{fault}: a temporary file is left");
    }
}

/// A service that removes only its own SAs needs its record: if any write of the record fails, it stops.
#[test]
fn refresh_stops_if_owned_record_cannot_be_written() {
    if !can_trace() {
        return;
    }
    let at = |spi: &str| ONE.replace("0x1001", spi);
    let mut struck = 0;
    for nth in 1.. {
        let model = Model::start(&[]);
        model.load(&at("0x9000"));
        let (old, new) = (private(model.path("old"), &at("0x1001")), private(model.path("new"), &at("0x1002")));
        let run = |options: &[&str], method: &str, keys: &Path| {
            let mut command = unit(&model, method, keys);
            command.args(["--flush", "owned"]);
            traced(&model, options, &command)
        };
        assert!(run(&[], "start", &old).1.status.success());
        let inject = format!("inject=rename,renameat,renameat2:error=ENOSPC:when={nth}");
        let (calls, output) = run(&["-e", "trace=rename,renameat,renameat2", "-e", &inject], "refresh", &new);
        let Some(fault) = calls.iter().find(|call| call.ends_with("(INJECTED)")) else { break };
        let code = if fault.contains("/owned.json\"") { 69 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{fault}: {}", String::from_utf8_lossy(&output.stderr));
        struck += usize::from(code != 0);
        let there = model.saved();
        assert!(there.contains("spi 0x9000"), "{fault}: a foreign SA is gone: {there}");
        assert!(!(there.contains("spi 0x1001") && there.contains("spi 0x1002")), "{fault}: {there}");
        assert!(run(&[], "refresh", &new).1.status.success());
        let there = model.saved();
        assert!(there.contains("spi 0x9000") && there.contains("spi 0x1002"), "{fault}, and a refresh: {there}");
        assert_eq!(there.matches("\nadd esp").count(), 2, "{fault}, and a refresh: {there}");
    }
    assert!(struck >= 3, "the record was written {struck} times");
}

/// The programs that read a keys file, and whether they do so as a service.
fn readers(model: &Model, keys: &Path) -> Vec<(Command, bool)> {
    let file = keys.to_str().unwrap();
    let by_hand = [&["-c", file][..], &["-f", file], &["plan", file], &["export", "setkey", file]];
    // `check` changes nothing, and follows links.
    let units = ["start", "refresh", "check"].map(|method| (unit(model, method, keys), method != "check"));
    by_hand.into_iter().map(|arguments| (model.ipseckey(arguments), false)).chain(units).collect()
}

#[test]
fn core_dumps_and_ptrace_disabled_before_keys_file_is_opened() {
    if !can_trace() {
        return;
    }
    let model = Model::start(&[]);
    let keys = private(model.path("the-keys"), ONE);
    for (command, _) in readers(&model, &keys) {
        let (calls, _) = traced(&model, &["-e", "trace=prctl,setrlimit,prlimit64,umask,open,openat"], &command);
        let opened = calls.iter().position(|call| call.starts_with("open") && call.contains("/the-keys\""));
        let before = &calls[..opened.unwrap_or_else(|| panic!("{command:?} does not read the file"))];
        for expected in [
            &["RLIMIT_CORE, {rlim_cur=0, rlim_max=0}"][..],
            &["PR_SET_DUMPABLE, SUID_DUMP_DISABLE", "PR_SET_DUMPABLE, 0"],
            &["umask(077)"],
        ] {
            let is_there = |call: &String| expected.iter().any(|words| call.contains(words)) && call.contains(" = 0");
            assert!(before.iter().any(is_there), "{command:?}: no {expected:?} before the keys: {before:#?}");
        }
    }
}

/// A process that may not lock all of its memory locks the buffer of the keys file before it reads the file. (tests/kernel checks
/// that root locks everything.)
#[test]
fn mlock_of_keys_buffer_precedes_read() {
    if !can_trace() {
        return;
    }
    let model = Model::start(&[]);
    let keys = private(model.path("the-keys"), ONE);
    let load = model.ipseckey(&["-f", keys.to_str().unwrap()]);
    let (calls, output) = traced(&model, &["-e", "trace=read,mlock"], &load);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let at = |what: &dyn Fn(&String) -> bool| calls.iter().position(what).unwrap_or_else(|| panic!("{calls:#?}"));
    // One byte more than the size of the file, to detect its end.
    let locked = at(&|call| call.starts_with("mlock(") && call.contains(&format!(", {})", ONE.len() + 1)));
    let read = at(&|call| call.starts_with("read(") && call.contains("/the-keys>"));
    assert!(locked < read, "{calls:#?}");
}

#[test]
fn keys_file_is_opened_once_by_path() {
    if !can_trace() {
        return;
    }
    let model = Model::start(&[]);
    let keys = private(model.path("the-keys"), ONE);
    for (command, is_service) in readers(&model, &keys) {
        let (calls, _) = traced(&model, &["-e", "trace=%file,fstat"], &command);
        let by_name: Vec<&String> = calls
            .iter()
            // What the name refers to is compared afterwards (stat, readlink), but only the open file is read.
            .filter(|call| call.starts_with("open") && call.contains("/the-keys\""))
            .collect();
        assert_eq!(by_name.len(), 1, "{command:?}: {by_name:#?}");
        let flags = if is_service { "O_RDONLY|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC" } else { "O_RDONLY|O_NONBLOCK|O_CLOEXEC" };
        assert!(by_name[0].contains(flags), "{command:?}: {}", by_name[0]);
    }
}

/// A list with one entry, which lets the user `who` read (RFC 7530 section 6.2.1), in hexadecimal digits.
fn nfs4_list(who: &str) -> String {
    let name: String = who.bytes().map(|byte| format!("{byte:02x}")).collect();
    ["00000001", "00000000", "00000000", "00000001", "00000006", &name, "0000"].concat()
}

/// The option of strace by which a file has that access list.
fn inject_list(list: &str) -> String {
    format!("inject=fgetxattr:retval={}:poke_exit=@arg3={list}", list.len() / 2)
}

/// Standard output, and new files, which inherit a list from their directory.
#[test]
fn nfs4_access_list_of_an_output_file_is_an_error() {
    if !can_trace() {
        return;
    }
    let model = Model::start(&[]);
    model.load(ONE);
    let path = model.path("new");
    for (who, is_refused) in [("OWNER@", false), ("471100", true)] {
        let inject = inject_list(&nfs4_list(who));
        let options = ["-e", "trace=fgetxattr", "-e", &inject];
        let to_file = [&["genkey", "aes", "-o"][..], &["export", "setkey", "-o"], &["-s"]];
        let to_stdout = [&["genkey", "aes"][..], &["-s", "-"]];
        for words in to_file.into_iter().chain(to_stdout) {
            let (quoted, stdout) = if to_file.contains(&words) { ("\"$1\"", "/dev/null") } else { ("", "\"$1\"") };
            let mut command = Command::new("/bin/sh");
            let script = format!("umask 077; exec \"$0\" --sadb \"$2\" {} {quoted} >{stdout}", words.join(" "));
            command.args(["-c", &script, env!("CARGO_BIN_EXE_ipseckey")]).arg(&path).arg(model.spec());
            let (_, output) = traced(&model, &options, &command);
            let messages = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(i32::from(is_refused)), "{who} {words:?}: {messages}");
            assert_eq!(messages.contains("access list for other users"), is_refused, "{who} {words:?}: {messages}");
            let len = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            assert_eq!(len == 0, is_refused, "{who} {words:?}");
            let _ = fs::remove_file(&path);
        }
    }
}

/// NFSv4 access lists as returned by a kernel: only the owner may read; another user, given by number, may; a truncated list. The
/// mode of the file is 0600.
#[test]
fn nfs4_access_list_for_other_users_is_found() {
    if !can_trace() {
        return;
    }
    let model = Model::start(&[]);
    let keys = private(model.path("the-keys"), ONE);
    for (who, list, is_open) in
        [("owner", nfs4_list("OWNER@"), false), ("user", nfs4_list("471100"), true), ("cut", "00000001".to_owned(), true)]
    {
        let inject = inject_list(&list);
        let options = ["-e", "trace=fgetxattr", "-e", &inject];
        let (_, by_hand) = traced(&model, &options, &model.ipseckey(&["-c", keys.to_str().unwrap()]));
        let reported = String::from_utf8_lossy(&by_hand.stderr);
        assert_eq!(reported.contains("has an access list for other users"), is_open, "{who}: {reported}");
        assert!(by_hand.status.success(), "{who}: {reported}");
        let (_, service) = traced(&model, &options, &unit(&model, "start", &keys));
        assert_eq!(service.status.code(), Some(if is_open { 77 } else { 0 }), "{who}");
    }
}

/// EIO and EACCES of a file server do not mean that there is no list.
#[test]
fn nfs4_access_list_that_cannot_be_read_is_found() {
    if !can_trace() {
        return;
    }
    let model = Model::start(&[]);
    let keys = private(model.path("the-keys"), ONE);
    for (error, is_open) in [("EIO", true), ("EACCES", true), ("EOPNOTSUPP", false), ("ENODATA", false)] {
        let inject = format!("inject=fgetxattr:error={error}");
        let options = ["-e", "trace=fgetxattr", "-e", &inject];
        let (_, service) = traced(&model, &options, &unit(&model, "start", &keys));
        assert_eq!(service.status.code(), Some(if is_open { 77 } else { 0 }), "{error}");
    }
}

/// Opening a device can have side effects, and opening a FIFO can block.
#[test]
fn keys_file_fifo_is_never_opened() {
    if !can_trace() {
        return;
    }
    let model = Model::start(&[]);
    let fifo = model.path("the-keys");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
    for (command, _) in readers(&model, &fifo) {
        let (calls, output) = traced(&model, &["-e", "trace=%file"], &command);
        let about_it: Vec<&String> = calls.iter().filter(|call| call.contains("/the-keys\"")).collect();
        assert!(!output.status.success() && !about_it.is_empty(), "{command:?}");
        assert!(!about_it.iter().any(|call| call.starts_with("open")), "{command:?}: {about_it:#?}");
    }
}
