//! No output, log or file of the programs contains eight consecutive digits of a key, whatever the errors of the keys file.
//!
//! `LEAK_RUNS` is the number of files. tests/library/leaks.rs checks thousands with the library.

mod arguments;
#[path = "../service/bench.rs"]
#[allow(dead_code, reason = "the tests of the service use the rest")]
mod bench;
#[cfg(target_os = "linux")]
mod cell;
mod damage;
#[cfg(target_os = "linux")]
mod dns;
mod find;
mod forms;
#[cfg(target_os = "linux")]
mod logs;
mod places;
mod sample;
mod scan;
mod typed;

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bench::{Bench, Run};
use damage::{KeysFile, Random, keys_file};
use sample::Sample;
use scan::{Tally, count, leaked, refuse_leaks};

/// Names and contents of the files in the directory, except the keys file and saved files.
fn left_behind(bench: &Bench, keys: &Path) -> String {
    let entries = fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path != keys && path.is_file() && !path.ends_with("saved"));
    files.map(|path| format!("{}: {}\n", path.display(), String::from_utf8_lossy(&fs::read(&path).unwrap()))).collect()
}

fn ipseckey(bench: &Bench, arguments: &[&str], input: &[u8]) -> Run {
    let hosts = bench.file("hosts", "192.0.2.1 me\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    command.args(["--sadb", &bench.spec()]);
    if !arguments.contains(&"--hosts") {
        command.args(["--hosts", hosts.to_str().unwrap()]);
    }
    command.args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.env_clear().spawn().unwrap();
    // EPIPE: a program may exit before it has read all of its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run { exit: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// Of two numbers one is that of a damaged keys file, the other that of a key in one of its forms.
fn sample_or_damaged(series: u64, seed: u64) -> KeysFile {
    if seed.is_multiple_of(2) {
        return keys_file(&mut Random::new(series | seed), usize::try_from(seed / 2 % 4).unwrap());
    }
    let sample = Sample::new(series + seed / 2);
    KeysFile { keys: vec![forms::hex(&sample.key)], bytes: sample.text }
}

/// Arguments of `ipseckey` whose whole output must contain no key.
fn forms_without_keys(name: &str) -> Vec<Vec<&str>> {
    let forms: [&[&str]; 18] = [
        &["-c", name],
        &["-v", "-c", name],
        &["--deny-weak", "-c", name],
        &["--color", "always", "-c", name],
        &["--json", "-c", name],
        &["--sarif", "-c", name],
        &["-f", name],
        &["-n", "-f", name],
        &["--json", "-f", name],
        &["--sarif", "-f", name],
        &["-p", "-v", "-f", name],
        &["plan", name],
        &["reconcile", name],
        &["--json", "reconcile", name],
        &["doctor", name],
        &["--json", "plan", name],
        &["--json", "doctor", name],
        &["-p", "--hosts", name, "dump"],
    ];
    forms.map(<[&str]>::to_vec).to_vec()
}

/// Arguments of `ipseckey` whose standard output may contain keys; the last form reads commands from standard input.
fn forms_with_keys(name: &str) -> Vec<Vec<&str>> {
    let forms: [&[&str]; 12] = [
        &["-v", "-f", name],
        &["-v", "reconcile", name],
        &["import", "setkey", name],
        &["import", "ip-xfrm", name],
        &["import", "ipsec.conf", name],
        &["import", name],
        &["export", "setkey", name],
        &["export", "ip-xfrm", name],
        &["export", "ipsec.conf", name],
        &["export", "wireshark", name],
        &["export", "tcpdump", name],
        &[],
    ];
    forms.map(<[&str]>::to_vec).to_vec()
}

#[test]
fn program_output_contains_no_key_of_damaged_files() {
    let (bench, mut smf) = (Bench::with_model(), Bench::with_model());
    let (mut codes, mut tally) = (HashSet::new(), Tally::default());
    let reconciling = bench.file("reconcile.toml", "refresh = \"reconcile\"\nflush = \"owned\"\n");
    for seed in 0..count("LEAK_RUNS", 15) {
        let file = sample_or_damaged(1 << 40, seed);
        let path = bench.file("keys", "");
        fs::write(&path, &file.bytes).unwrap();
        let name = path.to_str().unwrap();
        let piped = [&file.bytes, &b"\ndump\nsave all\n"[..]].concat();
        let mut outputs = Vec::new();
        for arguments in forms_without_keys(name) {
            outputs.push(ipseckey(&bench, &arguments, b"").words());
        }
        // Their standard output contains valid keys; their standard error must contain none.
        for arguments in forms_with_keys(name) {
            outputs.push(ipseckey(&bench, &arguments, &piped).stderr);
        }
        outputs.push(ipseckey(&bench, &["-p"], &piped).words());
        outputs.push(typed::typed(&bench, &["-p"], &file.bytes));
        for method in ["check", "start", "refresh", "plan"] {
            let run = bench.method(method, &path);
            codes.insert(run.exit);
            outputs.push(run.words());
            outputs.push(bench.run_as_unit(method, &path).words());
        }
        let with_config = ["refresh", "--config", reconciling.to_str().unwrap(), "--config-file", name];
        outputs.push(bench.run(&with_config).words());
        outputs.push(bench.run(&["status"]).words());
        outputs.push(bench.run(&["status", "--json"]).words());
        outputs.push(bench.run_bare(&["start", "--sadb", "model", "--show", "--config-file", name]).words());
        outputs.push(bench.run_bare(&["check", "--config", name]).words());
        for method in ["start", "refresh", "stop"] {
            outputs.push(smf.under_smf(&path).run(&[method]).words());
        }
        let (executions, left) = (outputs.len() as u64, left_behind(&bench, &path));
        tally.scan(&format!("run {seed}"), &file, executions, &(outputs.concat() + &left));
    }
    tally.report("the programs");
    assert!(codes.contains(&Some(0)) && codes.contains(&Some(78)), "{codes:?}");
}

/// The output of a monitor with these `flags` while `keys` adds an SA.
fn monitor_output(bench: &Bench, flags: &[&str], keys: &Path) -> String {
    let output = bench.file("output", "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    command.env_clear().args(["-n", "--sadb", &bench.spec()]).args(flags).arg("monitor").stdin(Stdio::null());
    let stream = || fs::OpenOptions::new().append(true).open(&output).unwrap();
    let mut monitor = command.stdout(stream()).stderr(stream()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut printed = String::new();
    while !printed.contains("1001") && !printed.contains("4097") {
        assert!(Instant::now() < deadline, "{flags:?}: {printed}");
        ipseckey(bench, &["flush"], b"");
        ipseckey(bench, &["-f", keys.to_str().unwrap()], b"");
        printed = fs::read_to_string(&output).unwrap();
    }
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    fs::read_to_string(&output).unwrap()
}

/// Standard error under `--json -v` has the messages to the SADB, and their keys only with `--show-keys`.
#[test]
fn json_trace_hides_keys() {
    let bench = Bench::with_model();
    let key = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let add = format!("add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey {key}\n");
    let keys = bench.file("keys", &add);
    let file = KeysFile { bytes: add.into_bytes(), keys: vec![key.to_owned()] };
    for form in [&["-f", keys.to_str().unwrap()][..], &["reconcile", keys.to_str().unwrap()]] {
        ipseckey(&bench, &["flush"], b"");
        let run = ipseckey(&bench, &[&["-n", "--json", "-v"][..], form].concat(), b"");
        assert!(run.exit == Some(0) && run.stderr.contains("EKY:"), "{form:?}: {}", run.words());
        refuse_leaks(&format!("--json -v {form:?}"), &file, &run.words());
        ipseckey(&bench, &["flush"], b"");
        let shown = ipseckey(&bench, &[&["-n", "--json", "--show-keys", "-v"][..], form].concat(), b"");
        assert!(!leaked(&file, &shown.stderr).is_empty(), "{form:?}: {}", shown.stderr);
    }
}

/// With `-p` no output contains a key, whatever the other options.
#[test]
fn paranoid_option_masks_all_keys() {
    let bench = Bench::with_model();
    let key = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let add = format!("add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey {key}\n");
    let keys = bench.file("keys", &add);
    let setkey = bench.file("setkey", &format!("add 192.0.2.1 192.0.2.2 esp 0x1001 -E aes-cbc 0x{key};\n"));
    let xfrm = format!("ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 enc 'cbc(aes)' 0x{key}\n");
    let xfrm = bench.file("ip-xfrm", &xfrm);
    let file = KeysFile { bytes: add.clone().into_bytes(), keys: vec![key.to_owned()] };
    assert_eq!(ipseckey(&bench, &["-f", keys.to_str().unwrap()], b"").exit, Some(0));
    assert!(
        !leaked(&file, &ipseckey(&bench, &["save", "all"], b"").stdout).is_empty(),
        "the search does not find a key that is there"
    );
    let (target, new) = (bench.path("saved"), bench.path("new"));
    let to_new = new.to_str().unwrap();
    let get = ["get", "esp", "spi", "0x1001", "dst", "192.0.2.2"];
    let requests: &[&[&str]] = &[
        &["dump"],
        &["dump", "esp"],
        &get,
        &["save", "all"],
        &["-s", target.to_str().unwrap()],
        &["-v", "dump"],
        &["--json", "--show-keys", "dump"],
        &["--json", "--show-keys", "save", "all"],
        &["-f", keys.to_str().unwrap()],
        &["-v", "-f", keys.to_str().unwrap()],
        &["-v", "--json", "--show-keys", "-f", keys.to_str().unwrap()],
        &["-c", keys.to_str().unwrap()],
        &["--json", "--show-keys", "-c", keys.to_str().unwrap()],
        &["--sarif", "-c", keys.to_str().unwrap()],
        &["plan", keys.to_str().unwrap()],
        &["--json", "--show-keys", "plan", keys.to_str().unwrap()],
        &["reconcile", keys.to_str().unwrap()],
        &["-v", "reconcile", keys.to_str().unwrap()],
        &["doctor", keys.to_str().unwrap()],
        &["--json", "doctor", keys.to_str().unwrap()],
    ];
    for arguments in requests {
        let run = ipseckey(&bench, &[&["-n", "-p"][..], arguments].concat(), b"");
        assert_ne!(run.exit, Some(2), "-p {arguments:?}: {}", run.words());
        refuse_leaks(&format!("-p {arguments:?}"), &file, &run.words());
    }
    for flags in [&["-p"][..], &["-p", "-v"], &["-p", "--json", "--show-keys"]] {
        refuse_leaks(&format!("{flags:?} monitor"), &file, &monitor_output(&bench, flags, &keys));
    }
    // Tools that write only keys are refused.
    let ends = ["src", "192.0.2.1", "dst", "192.0.2.2"];
    let key_tools: &[&[&str]] = &[
        &["export", "setkey"],
        &["export", "setkey", keys.to_str().unwrap()],
        &["export", "ip-xfrm", keys.to_str().unwrap(), "-o", to_new],
        &["export", "wireshark", keys.to_str().unwrap()],
        &["export", "tcpdump", keys.to_str().unwrap()],
        &["import", "setkey", setkey.to_str().unwrap()],
        &["import", "ip-xfrm", xfrm.to_str().unwrap(), "-o", to_new],
        &["genkey", "aes"],
        &[&["generate", "esp"][..], &ends, &["-o", to_new]].concat(),
    ];
    for arguments in key_tools {
        let run = ipseckey(&bench, &[&["-n", "-p"][..], arguments].concat(), b"");
        assert_eq!((run.exit, run.stdout.as_str()), (Some(2), ""), "-p {arguments:?}");
        assert!(run.stderr.contains("omit -p") && !new.exists(), "-p {arguments:?}: {}", run.stderr);
        let without = ipseckey(&bench, &[&["-n"][..], arguments].concat(), b"");
        assert_eq!(without.exit, Some(0), "{arguments:?}: {}", without.stderr);
        assert!(!without.stdout.is_empty() || fs::remove_file(&new).is_ok(), "{arguments:?} writes nothing");
    }
    refuse_leaks("-p -s", &file, &fs::read_to_string(&target).unwrap());
    let typed = format!("delete esp spi 0x1001 dst 192.0.2.2\n{add}{}\ndump\nsave all\n", get.join(" "));
    for flags in [&["-p"][..], &["-p", "-v"]] {
        refuse_leaks("typed under -p", &file, &ipseckey(&bench, flags, typed.as_bytes()).words());
    }
}
