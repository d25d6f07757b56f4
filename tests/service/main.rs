//! The program `manual-key` with valid and invalid keys files, under each supervisor, on a model SADB.

mod bench;
mod empty;
mod hostile_state;
mod journal;
mod owned;
mod reconcile;
mod resident;
#[path = "../support/schema.rs"]
mod schema;
mod sequence;
mod status;
mod units;
mod unsafe_files;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bench::{Bench, secret_windows};

const ONE: &str = "add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n";
const TWO: &str = "add ah spi 0x1002 src 192.0.2.1 dst 192.0.2.2 authalg md5 authkey bde359723576fdea08e56cbe876e24ad\n";
const THREE: &str = "add esp spi 0x1003 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey 13579bdf02468ace13579bdf02468ace\n";

/// Five mistakes, each next to a key: a lost continuation, a letter in a key, too many bits, an unknown keyword, a key
/// instead of a number.
const FIVE_MISTAKES: &str = "\
add esp spi 0x2001 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey a1b2c3d4e5f60718293a4b5c6d7e8f90
b1b2c3d4e5f60718293a4b5c6d7e8f91
add esp spi 0x2002 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey c1b2c3d4e5f607x8293a4b5c6d7e8f92
add esp spi 0x2003 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey d1b2c3d4e5f60718293a4b5c6d7e8f93/200
add esp spi 0x2004 src 192.0.2.1 dst 192.0.2.2 encrkye e1b2c3d4e5f60718293a4b5c6d7e8f94
add esp spi f1b2c3d4e5f60718293a4b5c6d7e8f95 dst 192.0.2.2
";

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn start_flushes_and_loads() {
    let bench = Bench::with_model();
    bench.method("start", &bench.file("old", THREE)).expect(0);
    let file = bench.file("keys", &format!("{ONE}{TWO}"));
    let run = bench.method("start", &file).expect(0);
    assert!(run.stdout.ends_with(&format!("online: 2 SAs from {}\n", file.display())), "{}", run.stdout);
    assert_eq!(run.stderr, "");
    assert_eq!(bench.spis(), [0x1001, 0x1002]);
}

#[test]
fn refresh_loads_again_and_stop_flushes() {
    let bench = Bench::with_model();
    let file = bench.file("keys", &format!("{ONE}{TWO}"));
    bench.method("start", &file).expect(0);
    bench.file("keys", THREE);
    bench.method("refresh", &file).expect(0);
    assert_eq!(bench.spis(), [0x1003]);
    let run = bench.run(&["stop"]).expect(0);
    assert_eq!(run.stdout, "disabled: all SAs are flushed\n");
    assert!(bench.spis().is_empty());
}

#[test]
fn start_show_of_the_examples_prints_links_without_keys() {
    let of_man_page: &[&str] = &["0x2112+1", "10.1.0.0/16 <-> 10.2.0.0/16", "2001:db8::2"];
    for (sadb, name, count, links, parts) in [
        ("model", "ipseckeys", 4, "2 links, 4 SAs", &["192.0.2.2", "0x1001", "0x1002"][..]),
        ("model:illumos", "man-page.keys", 9, "5 links, 9 SAs", of_man_page),
    ] {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let text = fs::read_to_string(&example).unwrap().replace("hard_bytes 16000000", "");
        let bench = Bench::new();
        let arguments = ["start", "--sadb", sadb, "--config-file", example.to_str().unwrap(), "--show"];
        let run = bench.run_bare(&arguments).expect(0).tells_nothing_of(&text);
        assert!(run.stdout.contains(&format!("online: {count} SAs from ")), "{}", run.stdout);
        for part in parts.iter().chain([&links]) {
            assert!(run.stdout.contains(part), "no {part} in {}", run.stdout);
        }
    }
}

#[test]
fn five_mistakes_apply_nothing_and_print_no_key() {
    let bench = Bench::with_model();
    let file = bench.file("keys", FIVE_MISTAKES);
    for method in ["start", "refresh", "check"] {
        let run = bench.method(method, &file).expect(78).tells_nothing_of(FIVE_MISTAKES);
        assert!(run.stderr.contains("errors in 5 of 6 commands, lines 2, 3, 4, 5, 6"), "{}", run.stderr);
        assert!(run.stderr.contains(&format!(" -c {}\n", file.display())), "{}", run.stderr);
        // The advice is about the SADB of the load, and about the programs of this build.
        assert!(run.stderr.contains("/ipseckey --sadb unix:"), "{}", run.stderr);
        assert!(bench.spis().is_empty());
    }
    let run = bench.run_as_unit("start", &file).expect(78).tells_nothing_of(FIVE_MISTAKES);
    assert!(run.stderr.starts_with("<6>flushing"), "{}", run.stderr);
}

#[test]
fn five_mistakes_exit_96_under_smf() {
    let mut bench = Bench::with_model();
    let file = bench.file("keys", FIVE_MISTAKES);
    bench.under_smf(&file);
    let run = bench.run(&["start"]).expect(96).tells_nothing_of(FIVE_MISTAKES);
    assert!(run.stderr.contains(&format!(" -c {}; after fixing them: svcadm clear", file.display())));
    assert!(bench.spis().is_empty());
}

#[test]
fn secret_windows_are_runs_of_eight_digits() {
    assert_eq!(secret_windows("x 0123456789 1234567"), ["01234567", "12345678", "23456789"]);
}

#[test]
fn refresh_with_an_invalid_file_leaves_an_empty_sadb() {
    let bench = Bench::with_model();
    bench.method("start", &bench.file("good", ONE)).expect(0);
    let run = bench.method("refresh", &bench.file("bad", "bogus\n")).expect(78);
    assert!(run.stderr.contains("nothing is applied, the SADB is empty"), "{}", run.stderr);
    assert!(bench.spis().is_empty());
}

#[test]
fn check_first_keeps_sas_if_the_file_is_invalid() {
    let bench = Bench::with_model();
    let good = bench.file("good", ONE);
    bench.method("start", &good).expect(0);
    let config = bench.file("manual-key.toml", "refresh = \"check-first\"\n");
    let refresh =
        |file: &Path| bench.run(&["refresh", "--config", config.to_str().unwrap(), "--config-file", file.to_str().unwrap()]);
    let run = refresh(&bench.file("bad", "bogus\n")).expect(78);
    assert!(run.stderr.contains("the SAs in use are unchanged"), "{}", run.stderr);
    assert_eq!(bench.spis(), [0x1001]);
    refresh(&bench.file("good", THREE)).expect(0);
    assert_eq!(bench.spis(), [0x1003]);
}

#[test]
fn check_needs_no_sadb() {
    let bench = Bench::new();
    let file = bench.file("keys", &format!("{ONE}# nothing\n{TWO}"));
    let run = bench.method("check", &file).expect(0);
    assert_eq!(run.stdout, format!("{}: 2 commands, no errors\n", file.display()));
}

/// Commands without an error of the language, which Linux refuses whatever it holds.
#[test]
#[cfg(target_os = "linux")]
fn check_reports_what_linux_will_refuse() {
    let bench = Bench::new();
    for keywords in ["esn", "hard_bytes 10 soft_bytes 20", "mode transport tfcpad 100", "dst 0.0.0.0"] {
        let refused = ONE.replace("dst 192.0.2.2", "").trim_end().to_owned()
            + if keywords.starts_with("dst") { " " } else { " dst 192.0.2.2 " }
            + keywords;
        let file = bench.file("keys", &format!("{TWO}{refused}\n"));
        let run = bench.run_bare(&["check", "--sadb", "xfrm", "--config-file", file.to_str().unwrap()]).expect(78);
        assert!(run.stderr.contains("errors in 1 of 2 commands, line 2"), "{keywords}: {}", run.stderr);
    }
}

#[test]
fn start_refuses_other_kinds_of_files_before_the_flush() {
    let mut bench = Bench::with_model();
    bench.method("start", &bench.file("good", ONE)).expect(0);
    let fifo = bench.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let directory = bench.path("directory");
    fs::create_dir(&directory).unwrap();
    let cases = [(bench.path("missing"), "No such file"), (directory, "is a directory"), (fifo, "is a FIFO")];
    for (file, words) in &cases {
        let run = bench.method("start", file).expect(78);
        assert!(run.stderr.contains(words), "{}", run.stderr);
        bench.run_as_unit("start", file).expect(78);
    }
    for (file, words) in &cases {
        let run = bench.under_smf(file).run(&["start"]).expect(96);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn start_without_permission_for_the_file_exits_77() {
    if is_root() {
        let _ = writeln!(std::io::stderr(), "skipped: root may read every file");
        return;
    }
    let mut bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    bench.method("start", &file).expect(77);
    bench.under_smf(&file).run(&["start"]).expect(100);
}

#[test]
fn start_reads_the_credential_of_the_unit() {
    let mut bench = Bench::with_model();
    fs::create_dir(bench.path("credentials")).unwrap();
    let file = bench.file("credentials/ipseckeys", ONE);
    fs::set_permissions(&file, Permissions::from_mode(0o440)).unwrap();
    let directory = bench.path("credentials").display().to_string();
    let spec = bench.spec();
    let run = bench.set("CREDENTIALS_DIRECTORY", &directory).run_unit(&["start", "--sadb", &spec]).expect(0);
    assert!(run.stderr.contains(&format!("<6>online: 1 SA from {}", file.display())), "{}", run.stderr);
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn start_adds_the_other_sas_after_a_refusal() {
    let mut bench = Bench::with_model();
    let text = format!("{ONE}{ONE}{TWO}{THREE}");
    let file = bench.file("keys", &text);
    let run = bench.method("start", &file).expect(1).tells_nothing_of(&text);
    assert!(run.stderr.contains("the SADB refused 1 of 4 commands, line 2; the others are applied"), "{}", run.stderr);
    assert!(run.stderr.contains("line 2: the SADB: "), "{}", run.stderr);
    assert_eq!(bench.spis(), [0x1001, 0x1002, 0x1003]);
    bench.under_smf(&file).run(&["start"]).expect(95);
    assert_eq!(bench.spis(), [0x1001, 0x1002, 0x1003]);
}

#[test]
fn start_without_an_sadb_exits_69() {
    let mut bench = Bench::new();
    let file = bench.file("keys", ONE);
    for method in ["start", "refresh", "stop"] {
        bench.method(method, &file).expect(69);
    }
    bench.under_smf(&file).run(&["start"]).expect(95);
}

#[test]
fn start_reads_the_file_of_the_smf_property() {
    let mut bench = Bench::with_model();
    let file = bench.file("my keys", ONE);
    let run = bench.under_smf(&file).run(&["start"]).expect(0);
    assert!(run.stdout.contains(&format!("online: 1 SA from {}", file.display())), "{}", run.stdout);
    bench.set("SMF_FMRI", "svc:/network/ipsec/manual-key:other");
    let run = bench.run(&["start"]).expect(96);
    assert!(run.stderr.contains("has no config/config_file"), "{}", run.stderr);
}

#[test]
fn start_without_an_smf_instance_exits_99() {
    let mut bench = Bench::with_model();
    bench.set("SMF_METHOD", "start").run(&["start"]).expect(99);
    bench.set("SMF_FMRI", "").run(&["start"]).expect(99);
}

#[test]
fn start_reports_configuration_errors_with_file_and_line() {
    let bench = Bench::with_model();
    bench.method("start", &bench.file("good", ONE)).expect(0);
    let wrong = [
        ("sadb = \"auto\"\nsabd = \"auto\"\n", ".toml:2: "),
        ("refresh = \"maybe\"\n", ".toml:1: "),
        ("config_file = 7\n", ".toml:1: "),
        ("flush = \"mine\"\n", ".toml:1: "),
    ];
    for (text, words) in wrong {
        let config = bench.file("manual-key.toml", text);
        let run = bench.run(&["refresh", "--config", config.to_str().unwrap()]).expect(78);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    bench.run(&["refresh", "--config", "/nonexistent/manual-key.toml"]).expect(78);
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn start_does_not_quote_a_keys_file_given_as_config() {
    let bench = Bench::new();
    let file = bench.file("keys", FIVE_MISTAKES);
    bench.run_bare(&["start", "--config", file.to_str().unwrap()]).expect(78).tells_nothing_of(FIVE_MISTAKES);
}

#[test]
fn wrong_arguments_exit_2() {
    let bench = Bench::new();
    for arguments in [&[][..], &["begin"], &["start", "now"], &["stop", "--show"], &["start", "--sadb", "kernel"]] {
        bench.run_bare(arguments).expect(2);
    }
}

#[test]
fn check_escapes_control_characters_in_a_file_name() {
    let bench = Bench::new();
    let run = bench.run_bare(&["check", "--config-file", "/nonexistent\nonline: 7 SAs"]).expect(78);
    assert_eq!(run.words().lines().count(), 1, "{}", run.words());
}

/// Number and text of illumos' diagnostic code are no secret, and the only clue to the reason.
#[test]
fn start_logs_the_diagnostic_code_of_a_refusal() {
    const MIXED: &str = "add esp spi 0x1003 src 192.0.2.1 dst 192.0.2.2 proto 41 isrc 10.0.0.0/8 idst 10.1.0.0/16 \
                         encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n";
    let mut bench = Bench::with_model();
    let file = bench.file("keys", &format!("{ONE}{MIXED}"));
    let expected =
        "line 2: the SADB: Protocol wrong type for socket (diagnostic code 67: inner addresses are of different families)";
    let unit = bench.run_as_unit("start", &file).tells_nothing_of(MIXED);
    assert!(unit.stderr.contains(expected), "{}", unit.stderr);
    bench.under_smf(&file);
    let method = bench.run(&["start"]).expect(95).tells_nothing_of(MIXED);
    assert!(method.words().contains(expected), "{}", method.words());
}
