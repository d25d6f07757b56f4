//! Keys files and settings that other users can read, change or replace: refused by each method that changes the SADB, whatever
//! has started it.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::bench::{Bench, Run};
use crate::{ONE, is_root};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// `start` by hand, as a unit, by another supervisor (whose environment has nothing of systemd) and under SMF; all refuse.
#[track_caller]
fn expect_refusal(bench: &mut Bench, file: &Path, words: &str) {
    let said = |run: &Run| assert!(run.stderr.contains(words), "{}", run.stderr);
    said(&bench.method("start", file).expect(77));
    said(&bench.method("refresh", file).expect(77));
    said(&bench.run_as_unit("start", file).expect(77));
    said(&bench.under_smf(file).run(&["start"]).expect(96));
    bench.by_hand();
    assert!(bench.spis().is_empty());
}

/// `--allow-unsafe-file` and the methods that change nothing warn.
#[track_caller]
fn expect_warnings(bench: &Bench, file: &Path, words: &str) {
    let name = file.to_str().unwrap();
    for arguments in [&["check"][..], &["plan"], &["start", "--allow-unsafe-file"], &["refresh", "--allow-unsafe-file"]] {
        let run = bench.run(&[arguments, &["--config-file", name]].concat());
        let exit = if arguments[0] == "plan" { 3 } else { 0 };
        let run = run.expect(exit);
        assert!(run.stderr.contains("warning: ") && run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
    }
    assert_eq!(bench.spis(), [0x1001]);
    // A trial has no secrets to protect.
    let run = bench.run_bare(&["start", "--sadb", "model", "--config-file", name]).expect(0);
    assert!(run.stderr.contains(words), "{}", run.stderr);
}

#[test]
fn start_refuses_a_readable_file_under_every_supervisor() {
    let mut bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    for mode in [0o644, 0o640, 0o604, 0o666] {
        chmod(&file, mode);
        expect_refusal(&mut bench, &file, &format!("has mode {mode:04o}"));
    }
    chmod(&file, 0o644);
    let run = bench.method("start", &file);
    assert!(run.stderr.contains(&format!(": chmod 600 {}", file.display())), "{}", run.stderr);
    expect_warnings(&bench, &file, "has mode 0644");
}

/// A program that has opened the file for writing keeps the right to write after chmod(1) and chown(1).
#[test]
fn advice_for_a_file_that_others_could_write_to_replaces_it() {
    let bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    chmod(&file, 0o622);
    let run = bench.method("start", &file).expect(77);
    let (_, advice) = run.stderr.trim().rsplit_once(": ").unwrap();
    assert!(advice.starts_with("install -m 600 -o root "), "{advice}");
    if !is_root() {
        return;
    }
    let mut former_owner = fs::OpenOptions::new().append(true).open(&file).unwrap();
    assert!(std::process::Command::new("/bin/sh").args(["-c", advice]).status().unwrap().success());
    former_owner.write_all(b"flush\n").unwrap();
    bench.method("start", &file).expect(0);
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn start_refuses_a_file_in_a_writable_directory_under_every_supervisor() {
    let mut bench = Bench::with_model();
    let open = bench.path("open");
    fs::create_dir(&open).unwrap();
    let file = bench.file("open/keys", ONE);
    chmod(&open, 0o777);
    expect_refusal(&mut bench, &file, "can replace the files in it");
    expect_warnings(&bench, &file, "can replace the files in it");
}

#[test]
fn start_refuses_a_link_under_every_supervisor() {
    let bench = Bench::with_model();
    let link = bench.path("link");
    symlink(bench.file("keys", ONE), &link).unwrap();
    for run in [bench.method("start", &link), bench.run_as_unit("start", &link)] {
        assert!(run.expect(78).stderr.contains("is a symbolic link"));
    }
    expect_warnings(&bench, &link, "is a symbolic link, which the service refuses");
}

#[test]
fn start_refuses_a_file_of_another_user_under_every_supervisor() {
    if !is_root() {
        let _ = writeln!(std::io::stderr(), "skipped: only root can give a file away");
        return;
    }
    let mut bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    for (user, mode) in [(12345, 0o600), (65534, 0o644)] {
        chmod(&file, mode);
        chown(&file, Some(user), None).unwrap();
        expect_refusal(&mut bench, &file, &format!("belongs to user {user}"));
    }
    chmod(&file, 0o600);
    expect_warnings(&bench, &file, "belongs to user 65534");
}

/// User 65534 is a user like any other on a host, and stands for unknown users in a container only.
#[test]
fn start_refuses_a_directory_or_link_of_another_user() {
    if !is_root() {
        let _ = writeln!(std::io::stderr(), "skipped: only root can give a file away");
        return;
    }
    let mut bench = Bench::with_model();
    let directory = bench.path("theirs");
    fs::create_dir(&directory).unwrap();
    let file = bench.file("theirs/keys", ONE);
    for user in [12345, 65534] {
        chown(&directory, Some(user), None).unwrap();
        expect_refusal(&mut bench, &file, &format!("belongs to user {user}, who can replace the files in it"));
    }
    chown(&directory, Some(0), None).unwrap();
    // In a sticky directory the owner of a link can replace it.
    let sticky = bench.path("sticky");
    fs::create_dir(&sticky).unwrap();
    chmod(&sticky, 0o1777);
    let link = sticky.join("there");
    symlink(&directory, &link).unwrap();
    bench.method("start", &link.join("keys")).expect(0);
    bench.method("stop", &link).expect(0);
    std::os::unix::fs::lchown(&link, Some(65534), None).unwrap();
    expect_refusal(&mut bench, &link.join("keys"), "is a symbolic link of user 65534");
}

/// The arguments of `method` with the settings file `settings`.
fn with_settings<'a>(bench: &'a Bench, method: &'a str, settings: &'a Path) -> Vec<String> {
    let words = [method, "--config", settings.to_str().unwrap(), "--config-file", "keys", "--sadb"];
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    words[4] = bench.path("keys").display().to_string();
    words.push(bench.spec());
    words
}

#[track_caller]
fn expect_refused_settings(bench: &Bench, settings: &Path, words: &str) {
    for method in ["start", "refresh", "stop", "run"] {
        let arguments = with_settings(bench, method, settings);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        for run in [bench.run_bare(&arguments), bench.run_unit(&arguments)] {
            let run = run.expect(77);
            assert!(run.stderr.contains(words), "{method}: {}", run.stderr);
        }
    }
    for arguments in [&["start", "--allow-unsafe-file"][..], &["check"], &["stop", "--allow-unsafe-file"]] {
        let mut words_of = with_settings(bench, arguments[0], settings);
        words_of.extend(arguments[1..].iter().map(|word| (*word).to_owned()));
        let run = bench.run_bare(&words_of.iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
        assert!(run.stderr.contains("warning: ") && run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn start_refuses_a_changeable_configuration_under_every_supervisor() {
    let bench = Bench::with_model();
    bench.file("keys", ONE);
    let settings = bench.file("manual-key.toml", "refresh = \"check-first\"\n");
    chmod(&settings, 0o646);
    expect_refused_settings(&bench, &settings, "can be changed by users other than root");
    chmod(&settings, 0o644);
    let arguments = with_settings(&bench, "start", &settings);
    bench.run_bare(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
}

#[test]
fn start_refuses_a_configuration_in_a_writable_directory() {
    let bench = Bench::with_model();
    bench.file("keys", ONE);
    let directory: PathBuf = bench.path("open");
    fs::create_dir(&directory).unwrap();
    let settings = bench.file("open/manual-key.toml", "");
    chmod(&directory, 0o777);
    expect_refused_settings(&bench, &settings, "can replace the files in it");
    if is_root() {
        chmod(&directory, 0o755);
        chown(&directory, Some(65534), None).unwrap();
        expect_refused_settings(&bench, &settings, "belongs to user 65534");
    }
}
