//! `carry_sequence`: sequence numbers are preserved over a flush, a stop and a boot.

use std::fs;

use crate::bench::Bench;

const KEY: &str = "encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// More packets than are sent between the save and the new SA.
const MARGIN: u64 = 4096;

fn sa(words: &str) -> String {
    format!("add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.2 outbound {KEY} {words}\n")
}

fn method(bench: &Bench, method: &str, properties: &str, keys: &str) {
    let keys = bench.file("own", keys);
    let config = bench.file("manual-key.toml", properties);
    bench.run(&[method, "--config", config.to_str().unwrap(), "--config-file", keys.to_str().unwrap()]).expect(0);
}

/// The last sequence number of the only SA.
fn sent(bench: &Bench) -> u64 {
    let found = bench.sas();
    assert_eq!(found.len(), 1);
    found[0]["replay_value"].as_u64().unwrap_or(0)
}

/// A bench with an SA that has sent a thousand packets.
fn used(properties: &str) -> Bench {
    let bench = Bench::with_model();
    method(&bench, "start", properties, &sa("replay_value 1000"));
    assert_eq!(sent(&bench), 1000);
    bench
}

#[test]
fn carry_sequence_preserves_numbers_over_a_flush() {
    for properties in ["", "refresh = \"check-first\"\n", "refresh = \"reconcile\"\n", "flush = \"owned\"\n"] {
        let bench = used(properties);
        // Another window, so that reconciling replaces it too.
        method(&bench, "refresh", properties, &sa("replay 32"));
        assert_eq!(sent(&bench), 1000 + MARGIN, "{properties}");
        method(&bench, "refresh", properties, &sa("replay 32").replace("0f1e", "1f1e"));
        assert_eq!(sent(&bench), 0, "{properties}");
    }
}

#[test]
fn carry_sequence_preserves_numbers_over_a_stop() {
    for properties in ["", "refresh = \"reconcile\"\n"] {
        let bench = used(properties);
        method(&bench, "stop", properties, &sa(""));
        assert_eq!(bench.spis(), [0; 0]);
        method(&bench, "start", properties, &sa(""));
        assert_eq!(sent(&bench), 1000 + MARGIN, "{properties}");
    }
}

#[test]
fn carry_sequence_preserves_numbers_of_an_sa_that_was_not_in_the_file() {
    let properties = "refresh = \"reconcile\"\n";
    let bench = used(properties);
    method(&bench, "refresh", properties, &sa("").replace("0x1001", "0x1002"));
    assert_eq!(bench.spis(), [0x1002]);
    method(&bench, "refresh", properties, &sa(""));
    assert_eq!(sent(&bench), 1000 + MARGIN);
}

#[test]
fn carry_sequence_off_starts_at_zero() {
    let bench = used("carry_sequence = \"off\"\n");
    method(&bench, "refresh", "carry_sequence = \"off\"\n", &sa(""));
    assert_eq!(sent(&bench), 0);
    assert!(!bench.path("run/sequence.json").exists());
}

#[test]
fn carry_sequence_reboot_adds_a_margin() {
    let properties = "carry_sequence = \"reboot\"\n";
    let mut bench = Bench::with_model();
    let lasting = bench.path("lasting");
    bench.set("STATE_DIRECTORY", lasting.to_str().unwrap());
    method(&bench, "start", properties, &sa("replay_value 1000"));
    method(&bench, "stop", properties, &sa(""));
    fs::remove_dir_all(bench.path("run")).unwrap();
    method(&bench, "start", properties, &sa(""));
    assert_eq!(sent(&bench), 1000 + (1 << 20));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(lasting.join("sequence.json")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

/// As `ipseckey -c` warns (IK045), with the setting under which the cipher is safe.
#[test]
fn counter_mode_cipher_is_a_warning_that_names_the_safe_setting() {
    let bench = Bench::with_model();
    let gcm = "encr_alg aes-gcm encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f001020304";
    let keys = bench.file("own", &format!("{}{}", sa(""), sa("").replace(KEY, gcm).replace("0x1001", "0x1002")));
    let cases = [
        (
            "",
            "line 2: manual keying with a counter-mode cipher: with carry_sequence = \"run\" a reboot repeats counter values",
        ),
        ("carry_sequence = \"off\"\n", "each load repeats counter values"),
        ("carry_sequence = \"reboot\"\n", "with carry_sequence = \"reboot\" this is safe unless"),
    ];
    for (properties, expected) in cases {
        let config = bench.file("manual-key.toml", properties);
        for method in ["check", "start", "refresh"] {
            let words = [method, "--config", config.to_str().unwrap(), "--config-file", keys.to_str().unwrap()];
            let run = bench.run(&words).expect(0);
            assert!(run.stderr.contains(expected), "{method}, {properties:?}: {}", run.stderr);
            let is_safe = properties.contains("reboot");
            assert_eq!(run.stderr.contains("set carry_sequence = \"reboot\""), !is_safe, "{method}: {}", run.stderr);
        }
    }
    let aes = bench.file("own", &sa(""));
    let run = bench.run(&["start", "--config-file", aes.to_str().unwrap()]).expect(0);
    assert!(!run.stderr.contains("counter-mode"), "{}", run.stderr);
}
