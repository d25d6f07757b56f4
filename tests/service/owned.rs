//! `flush = "owned"`: the service removes only the SAs that it added.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::bench::{Bench, Run};
use crate::{ONE, THREE, TWO};

/// Runs `manual-key METHOD --flush owned` with the keys file `text`.
fn owned(bench: &Bench, method: &str, text: &str) -> Run {
    let file = bench.file("own", text);
    bench.run(&[method, "--flush", "owned", "--config-file", file.to_str().unwrap()])
}

/// A bench with an SA that another program added.
fn with_foreign(text: &str) -> Bench {
    let mut bench = Bench::with_model();
    add_foreign(&mut bench, text);
    bench
}

/// Flushes the SADB and loads `text` with another service, whose directories differ.
fn add_foreign(bench: &mut Bench, text: &str) {
    let (own, other) = (bench.path("run"), bench.path("another"));
    bench.set("RUNTIME_DIRECTORY", other.to_str().unwrap());
    bench.method("start", &bench.file("foreign", text)).expect(0);
    bench.set("RUNTIME_DIRECTORY", own.to_str().unwrap());
}

fn record(bench: &Bench) -> String {
    fs::read_to_string(bench.path("run/owned.json")).unwrap()
}

#[test]
fn flush_owned_keeps_foreign_sas() {
    let bench = with_foreign(THREE);
    owned(&bench, "start", &format!("{ONE}{TWO}")).expect(0);
    assert_eq!(bench.spis(), [0x1001, 0x1002, 0x1003]);
    let run = owned(&bench, "refresh", TWO).expect(0);
    assert!(run.stdout.starts_with("flushing the service's own SAs"), "{}", run.stdout);
    assert_eq!(bench.spis(), [0x1002, 0x1003]);
    let run = owned(&bench, "stop", TWO).expect(0);
    assert_eq!(run.stdout, "disabled: the service's own SAs are flushed\n");
    assert_eq!(bench.spis(), [0x1003]);
}

#[test]
fn flush_owned_with_an_invalid_file_keeps_foreign_sas() {
    let bench = with_foreign(THREE);
    owned(&bench, "start", ONE).expect(0);
    let run = owned(&bench, "refresh", "bogus\n").expect(78);
    assert!(run.stderr.contains("the service's own SAs are removed"), "{}", run.stderr);
    assert_eq!(bench.spis(), [0x1003]);
}

#[test]
fn flush_owned_keeps_a_foreign_sa_with_other_values_than_the_file_has() {
    let bench = with_foreign(&ONE.replace('\n', " hard_addtime 77777\n"));
    sleep(Duration::from_millis(2100));
    let run = owned(&bench, "start", &format!("{ONE}{TWO}")).expect(1);
    assert!(run.stderr.contains("refused 1 of 2 commands, line 1"), "{}", run.stderr);
    owned(&bench, "stop", TWO).expect(0);
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn flush_owned_adopts_a_foreign_sa_that_is_as_the_file_says() {
    let bench = with_foreign(ONE);
    sleep(Duration::from_millis(2100));
    let run = owned(&bench, "start", &format!("{ONE}{TWO}")).expect(0);
    assert!(run.stdout.contains("online: 2 SAs from "), "{}", run.stdout);
    owned(&bench, "stop", TWO).expect(0);
    assert_eq!(bench.spis(), [0; 0]);
}

#[test]
fn flush_owned_keeps_an_sa_that_another_program_added_again() {
    let mut bench = Bench::with_model();
    owned(&bench, "start", &format!("{ONE}{TWO}")).expect(0);
    sleep(Duration::from_millis(1100));
    add_foreign(&mut bench, ONE);
    owned(&bench, "stop", TWO).expect(0);
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn flush_command_keeps_foreign_sas_with_flush_owned() {
    let bench = with_foreign(THREE);
    owned(&bench, "start", &format!("{ONE}flush esp\n{TWO}")).expect(0);
    assert_eq!(bench.spis(), [0x1002, 0x1003]);
}

#[test]
fn owned_record_has_identities_and_no_key() {
    let bench = Bench::with_model();
    let text = format!("{ONE}{TWO}");
    owned(&bench, "start", &text).expect(0);
    let record = record(&bench);
    assert!(record.contains(&format!("\"spi\":{}", 0x1001)) && record.contains("192.0.2.2"), "{record}");
    assert!(!record.contains("since"), "{record}");
    Run { exit: None, stdout: record, stderr: String::new() }.tells_nothing_of(&text);
}

#[test]
fn owned_record_survives_a_crash_during_a_load() {
    let bench = Bench::with_model();
    owned(&bench, "start", ONE).expect(0);
    let at = record(&bench);
    fs::write(bench.path("run/owned.json"), at.replace("\"at\"", "\"since\"")).unwrap();
    owned(&bench, "stop", ONE).expect(0);
    assert!(bench.spis().is_empty());
}

#[test]
fn malformed_owned_record_fails_the_load() {
    let bench = with_foreign(ONE);
    fs::create_dir_all(bench.path("run")).unwrap();
    fs::write(bench.path("run/owned.json"), "[[").unwrap();
    let run = owned(&bench, "start", TWO).expect(69);
    assert!(run.stderr.contains("owned.json: the record"), "{}", run.stderr);
    assert_eq!(bench.spis(), [0x1001]);
    assert!(Path::new(&bench.path("run/owned.json")).exists());
}

#[test]
fn flush_all_records_owned_sas_too() {
    let bench = Bench::with_model();
    bench.method("start", &bench.file("keys", &format!("{ONE}{TWO}"))).expect(0);
    owned(&bench, "refresh", TWO).expect(0);
    assert_eq!(bench.spis(), [0x1002]);
}
