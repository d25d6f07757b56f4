//! Keys files that another process is still writing: they are applied as a whole, or not at all.
#![cfg(target_os = "linux")]

mod support;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use support::model::Model;

/// An SA that is loaded before and must stay.
const OLD: u32 = 0x1001;

fn sa(spi: u32) -> String {
    format!("add esp spi {spi:#x} src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n")
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn manual_key(model: &Model, arguments: &[&str], file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
    command.env_clear().env("RUNTIME_DIRECTORY", model.path("run")).args(arguments);
    command.args(["--sadb", &model.spec(), "--config-file"]).arg(file).stdin(Stdio::null()).output().unwrap()
}

/// The SPIs in the SADB, in ascending order.
fn spis(model: &Model) -> Vec<u32> {
    let saved = model.saved();
    let words = saved.split_whitespace().zip(saved.split_whitespace().skip(1)).filter(|(word, _)| *word == "spi");
    let mut spis: Vec<u32> = words.map(|(_, spi)| u32::from_str_radix(spi.trim_start_matches("0x"), 16).unwrap()).collect();
    spis.sort_unstable();
    spis
}

/// A process that has written a part of a keys file and has not closed it.
fn half_written(model: &Model, text: &str) -> (PathBuf, File) {
    let path = model.path("half-written");
    private(&path, &(sa(0x2001) + &sa(0x2002) + &sa(0x2003)));
    let mut writer = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    (path, writer)
}

/// Every program that applies the file refuses it, with the cause and the next step.
fn expect_refusals(text: &str) {
    let model = Model::start(&[]);
    model.load(&sa(OLD));
    let (path, writer) = half_written(&model, text);
    let file = path.to_str().unwrap();
    let service = |method| (manual_key(&model, &[method], &path), 78);
    let runs = [
        service("start"),
        service("refresh"),
        service("check"),
        service("plan"),
        (model.run(&["-f", file]), 1),
        (model.run(&["reconcile", file]), 1),
        (model.run(&["plan", file]), 1),
        (model.run(&["export", "setkey", file]), 1),
    ];
    for (run, status) in runs {
        let printed = String::from_utf8_lossy(&[&run.stdout[..], &run.stderr].concat()).into_owned();
        assert_eq!(run.status.code(), Some(status), "{text:?}: {printed}");
        assert!(printed.contains("is open for writing in another process"), "{text:?}: {printed}");
        assert!(printed.contains(&format!("`fuser -v {file}`")), "{printed}");
    }
    assert_eq!(spis(&model), [OLD], "{text:?} was applied");
    drop(writer);
}

#[test]
fn file_cut_at_each_line_is_never_applied_while_its_writer_has_it_open() {
    let lines: Vec<String> = (0x2001..0x2004).map(sa).collect();
    scope(|scope| {
        for count in 0..=lines.len() {
            let text = lines[..count].concat();
            scope.spawn(move || expect_refusals(&text));
        }
        // In the middle of a line, where the rest is a command of its own.
        let text = lines[0].clone() + "flush\n" + &lines[1][..40];
        scope.spawn(move || expect_refusals(&text));
    });
}

#[test]
fn writer_that_ends_soon_is_waited_for() {
    let model = Model::start(&[]);
    for apply in [&(|path: &Path| manual_key(&model, &["start"], path)) as &dyn Fn(&Path) -> Output, &|path: &Path| {
        model.run(&["reconcile", path.to_str().unwrap()])
    }] {
        let (path, mut writer) = half_written(&model, &sa(0x2001));
        scope(|scope| {
            scope.spawn(move || {
                sleep(Duration::from_millis(500));
                writer.write_all(sa(0x2002).as_bytes()).unwrap();
            });
            let run = apply(&path);
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        });
        assert_eq!(spis(&model), [0x2001, 0x2002]);
    }
}

/// A process that has the file open for reading only, or in another name's place, is none that writes.
#[test]
fn readers_do_not_matter() {
    let model = Model::start(&[]);
    let path = model.path("keys");
    private(&path, &sa(0x2001));
    let _reader = File::open(&path).unwrap();
    let start = Instant::now();
    assert!(manual_key(&model, &["start"], &path).status.success());
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(spis(&model), [0x2001]);
}

/// Rewrites the file in place, with pauses, until `ends`: version N has five SAs with SPIs from N * 16 on.
fn rewrite_in_place(path: &Path, ends: &AtomicBool) {
    for version in (0x200..0x210).cycle() {
        let mut file = OpenOptions::new().write(true).open(path).unwrap();
        file.rewind().unwrap();
        for number in 0..5 {
            file.write_all(sa(version * 16 + number).as_bytes()).unwrap();
            sleep(Duration::from_millis(2));
        }
        drop(file);
        if ends.load(Ordering::Relaxed) {
            return;
        }
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn loads_beside_a_writer_in_place_have_one_whole_version() {
    let model = Model::start(&[]);
    let path = model.path("busy");
    private(&path, &(0..5).map(|number| sa(0x2000 + number)).collect::<String>());
    let ends = AtomicBool::new(false);
    let mut loaded = 0;
    let outcome = scope(|scope| {
        scope.spawn(|| rewrite_in_place(&path, &ends));
        // A panic in this thread would leave the writer running.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for count in 0..200 {
                let before = spis(&model);
                let run = match count % 3 {
                    0 => manual_key(&model, &["refresh"], &path),
                    1 => model.run(&["reconcile", path.to_str().unwrap()]),
                    _ => {
                        model.ok(&["flush"]);
                        model.run(&["-f", path.to_str().unwrap()])
                    }
                };
                let (after, reported) = (spis(&model), String::from_utf8_lossy(&run.stderr).into_owned());
                if run.status.success() {
                    let first = after[0];
                    assert!(first % 16 == 0 && after == (first..first + 5).collect::<Vec<_>>(), "{after:x?}");
                    loaded += 1;
                } else {
                    assert!(after == before || after.is_empty(), "{after:x?} {reported}");
                    assert!(reported.contains("open for writing") || reported.contains("changed while"), "{reported}");
                }
            }
        }));
        ends.store(true, Ordering::Relaxed);
        outcome
    });
    assert!(outcome.is_ok());
    assert!(loaded > 100, "{loaded} of 200 loads succeeded");
}
