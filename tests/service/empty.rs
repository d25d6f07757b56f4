//! A keys file without an `add`: refused unless it is meant.

use std::fs;
use std::path::Path;

use crate::bench::Bench;
use crate::resident::Running;
use crate::{ONE, TWO};

/// Files that add no SA.
const EMPTY: &[&str] = &[
    "",
    "\n\n",
    "# only\n\n  # comments\n",
    "flush\n",
    "flush esp\ndelete ah spi 0x1002 dst 192.0.2.2\n",
    "get esp spi 0x1001 dst 192.0.2.2\n",
    "quit\nadd esp spi 0x1001 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n",
];

/// The arguments for a method with a manual-key.toml of `settings`.
fn arguments(bench: &Bench, method: &str, settings: &str) -> Vec<String> {
    let (settings, keys) = (bench.file("manual-key.toml", settings), bench.path("keys"));
    let words = [Path::new(method), Path::new("--config"), &settings, Path::new("--config-file"), &keys];
    words.iter().map(|word| word.display().to_string()).collect()
}

/// The SPIs after a refresh of the service with SA 0x1001 by a file of `text`.
fn refreshed(settings: &str, text: &str, exit: i32, message: &str) -> Vec<u32> {
    let bench = Bench::with_model();
    bench.method("start", &bench.file("keys", ONE)).expect(0);
    bench.file("keys", text);
    let arguments = arguments(&bench, "refresh", settings);
    let run = bench.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).expect(exit);
    assert!(run.words().contains(message), "{settings} {text:?}: {}", run.words());
    bench.spis()
}

#[test]
fn refresh_refuses_a_file_without_an_add() {
    for text in EMPTY {
        // The order of ipseckey(1M): flush, then parse.
        let flushed = refreshed("", text, 78, "adds no SA: expected at least one add command; nothing is applied");
        assert_eq!(flushed, [0_u32; 0]);
        for order in ["check-first", "reconcile"] {
            let settings = format!("refresh = \"{order}\"\n");
            assert_eq!(refreshed(&settings, text, 78, "the SAs in use are unchanged"), [0x1001], "{order} {text:?}");
        }
    }
}

#[test]
fn allow_empty_loads_a_file_without_an_add() {
    for order in ["flush", "check-first", "reconcile"] {
        let settings = format!("refresh = \"{order}\"\nallow_empty = true\n");
        assert_eq!(refreshed(&settings, "# none\n", 0, "adds no SA"), [0_u32; 0], "{order}");
    }
    let bench = Bench::with_model();
    let file = bench.file("keys", "");
    bench.method("start", &file).expect(78);
    let name = file.to_str().unwrap();
    let run = bench.run(&["start", "--allow-empty", "--config-file", name]).expect(0);
    assert!(run.stdout.contains("online: 0 SAs"), "{}", run.stdout);
}

#[test]
fn check_and_plan_refuse_a_file_without_an_add() {
    let bench = Bench::with_model();
    let file = bench.file("keys", "# none\n");
    for method in ["check", "plan"] {
        let run = bench.method(method, &file).expect(78);
        assert!(run.stderr.contains("--allow-empty"), "{}", run.stderr);
        bench.run(&[method, "--allow-empty", "--config-file", file.to_str().unwrap()]).expect(0);
    }
}

#[test]
fn start_of_a_file_without_an_add_exits_96_under_smf() {
    let mut bench = Bench::with_model();
    let file = bench.file("keys", "flush\n");
    let run = bench.under_smf(&file).run(&["start"]).expect(96);
    assert!(run.stderr.contains("svcadm clear svc:/network/ipsec/manual-key:default"), "{}", run.stderr);
}

/// A file that a program has emptied before it writes it again.
#[test]
fn daemon_keeps_its_sas_when_the_file_has_become_empty() {
    let bench = Bench::with_model();
    let settings = bench.file("manual-key.toml", "refresh = \"reconcile\"\n");
    let file = bench.file("keys", &format!("{ONE}{TWO}"));
    let running = Running::ready(&bench, &file, &["--config", settings.to_str().unwrap()]);
    fs::write(&file, "").unwrap();
    running.refresh().expect(78);
    let (exit, log) = running.end();
    assert_eq!(exit, 78, "{log}");
    assert!(log.contains("adds no SA"), "{log}");
    assert_eq!(bench.spis(), [0x1001, 0x1002]);
}
