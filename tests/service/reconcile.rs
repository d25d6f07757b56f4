//! `refresh = "reconcile"` and `manual-key plan`.

use std::fs;
use std::time::Duration;

use crate::bench::{Bench, Run};
use crate::{ONE, THREE, TWO};

/// Runs `manual-key METHOD` with `refresh = "reconcile"` and the keys file `text`.
fn reconciling(bench: &Bench, method: &str, scope: &str, text: &str) -> Run {
    let keys = bench.file("own", text);
    let properties = format!("refresh = \"reconcile\"\nflush = \"{scope}\"\nconfig_file = \"{}\"\n", keys.display());
    let config = bench.file("manual-key.toml", &properties);
    bench.run(&[method, "--config", config.to_str().unwrap()])
}

/// The add time of each SA in seconds.
fn moments(bench: &Bench) -> Vec<u64> {
    let mut found: Vec<u64> = bench.sas().iter().filter_map(|sa| sa["current_addtime"].as_u64()).collect();
    found.sort_unstable();
    found
}

#[test]
fn reconcile_changes_only_the_differences() {
    let bench = Bench::with_model();
    let run = reconciling(&bench, "start", "all", &format!("{ONE}{TWO}")).expect(0);
    let file = bench.path("own");
    assert_eq!(
        run.stdout,
        format!("online: 2 SAs from {} (2 added, 0 updated, 0 replaced, 0 removed, 0 kept)\n", file.display())
    );
    let first = moments(&bench);
    std::thread::sleep(Duration::from_millis(1100));
    let run = reconciling(&bench, "refresh", "all", &format!("{ONE}{THREE}")).expect(0);
    assert!(run.stdout.contains("1 added, 0 updated, 0 replaced, 1 removed, 1 kept"), "{}", run.stdout);
    assert_eq!(bench.spis(), [0x1001, 0x1003]);
    let second = moments(&bench);
    assert!(second[0] == first[0] && second[1] > first[1], "{first:?} {second:?}");
    let run = reconciling(&bench, "refresh", "all", &format!("{ONE}{THREE}")).expect(0);
    assert!(run.stdout.contains("0 added, 0 updated, 0 replaced, 0 removed, 2 kept"), "{}", run.stdout);
    assert_eq!(moments(&bench), second);
}

#[test]
fn reconcile_with_flush_owned_keeps_foreign_sas() {
    let mut bench = Bench::with_model();
    let (own, other) = (bench.path("run"), bench.path("another"));
    bench.set("RUNTIME_DIRECTORY", other.to_str().unwrap());
    bench.method("start", &bench.file("foreign", THREE)).expect(0);
    bench.set("RUNTIME_DIRECTORY", own.to_str().unwrap());

    let run = reconciling(&bench, "start", "owned", &format!("{ONE}{TWO}")).expect(0);
    assert!(run.stdout.contains("2 added, 0 updated, 0 replaced, 0 removed, 0 kept, 1 foreign"), "{}", run.stdout);
    let run = reconciling(&bench, "refresh", "owned", TWO).expect(0);
    assert!(run.stdout.contains("1 removed, 1 kept"), "{}", run.stdout);
    assert_eq!(bench.spis(), [0x1002, 0x1003]);
    reconciling(&bench, "stop", "owned", TWO).expect(0);
    assert_eq!(bench.spis(), [0x1003]);
}

#[test]
fn reconcile_does_not_change_a_foreign_sa() {
    let mut bench = Bench::with_model();
    let (own, other) = (bench.path("run"), bench.path("another"));
    bench.set("RUNTIME_DIRECTORY", other.to_str().unwrap());
    bench.method("start", &bench.file("foreign", ONE)).expect(0);
    bench.set("RUNTIME_DIRECTORY", own.to_str().unwrap());
    let changed = format!("{TWO}{}", ONE.replace("0f1e", "1f1e"));
    let run = reconciling(&bench, "start", "owned", &changed).expect(1);
    assert!(run.stderr.contains("line 2: esp spi 0x1001 dst 192.0.2.2 exists with other values"), "{}", run.stderr);
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn reconcile_keeps_a_replaced_sa_in_the_record() {
    let bench = Bench::with_model();
    reconciling(&bench, "start", "owned", ONE).expect(0);
    std::thread::sleep(Duration::from_millis(1100));
    let run = reconciling(&bench, "refresh", "owned", &ONE.replace("0f1e", "1f1e")).expect(0);
    assert!(run.stdout.contains("1 replaced"), "{}", run.stdout);
    reconciling(&bench, "stop", "owned", ONE).expect(0);
    assert_eq!(bench.spis(), [0; 0]);
}

#[test]
fn reconcile_rejects_a_file_without_a_desired_state() {
    let bench = Bench::with_model();
    reconciling(&bench, "start", "all", ONE).expect(0);
    for (text, expected) in [
        (format!("{TWO}bogus\n"), "errors in 1 of 2 commands"),
        (format!("{TWO}{TWO}"), "line 2: line 1 already adds this SA"),
        (
            format!("{ONE}update esp spi 0x1001 dst 192.0.2.2 hard_addtime 9\n"),
            "line 2: update is not allowed in a file used for reconcile",
        ),
    ] {
        let run = reconciling(&bench, "refresh", "all", &text).expect(78).tells_nothing_of(&text);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
        assert_eq!(bench.spis(), [0x1001]);
    }
}

#[test]
fn reconcile_is_rolled_back_after_a_refusal() {
    let bench = Bench::with_model();
    reconciling(&bench, "start", "all", ONE).expect(0);
    let short = THREE.replace("13579bdf02468ace13579bdf02468ace", "13579bdf02468ace");
    let run = reconciling(&bench, "refresh", "all", &format!("{TWO}{short}")).expect(1);
    assert!(
        run.stderr.contains("line 2: esp spi 0x1003") && run.stderr.contains("earlier changes were rolled back"),
        "{}",
        run.stderr
    );
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn plan_changes_nothing() {
    let bench = Bench::with_model();
    reconciling(&bench, "start", "all", ONE).expect(0);
    let changed = format!("{}{TWO}", ONE.replace("0f1e", "1f1e"));
    let run = reconciling(&bench, "plan", "all", &changed).expect(3).tells_nothing_of(&changed);
    assert!(
        run.stdout.starts_with("add     ah spi 0x1002 dst 192.0.2.2 (line 2)\nreplace esp spi 0x1001"),
        "{}",
        run.stdout
    );
    assert_eq!(bench.spis(), [0x1001]);
    assert_eq!(
        reconciling(&bench, "plan", "all", ONE).expect(0).stdout,
        "0 added, 0 updated, 0 replaced, 0 removed, 1 kept\n"
    );
    let json = bench.run(&["plan", "--json", "--config-file", bench.file("own", TWO).to_str().unwrap()]).expect(3).stdout;
    let lines: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["step"], &lines[1]["step"]), (&"add".into(), &"remove".into()));
    assert!(fs::read_dir(bench.path("run")).unwrap().all(|entry| entry.unwrap().file_name() != "refresh"));
}
