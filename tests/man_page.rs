//! The examples of ipseckey(1M), one test each, against `sadb-model`. Where an example cannot work as printed, the test says why.

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use support::model::{Model, succeeded};

const ME: &[&str] = &["192.0.2.1"];

const OUTBOUND: &str = "add esp spi 0x2112 src me.domain.com dst you.domain.com authalg md5 \
     authkey bde359723576fdea08e56cbe876e24ad encralg des encrkey be02938e7def2839\n";
const AH: &str = "add ah spi 0x5150 src me.domain.com dst you.domain.com authalg md5 \
     authkey 930987dbe09743ade09d92b4097d9e93\n";

fn with_one_of_each() -> Model {
    let model = Model::start(ME);
    succeeded(model.load(&format!("{OUTBOUND}{AH}")));
    model
}

/// How many SAs a saved text holds.
fn count(saved: &str) -> usize {
    saved.lines().filter(|line| line.starts_with("add ")).count()
}

#[test]
fn example_1_empties_out_all() {
    let model = with_one_of_each();
    assert_eq!(count(&model.saved()), 2);
    model.ok(&["flush"]);
    assert_eq!(count(&model.saved()), 0);
}

#[test]
fn example_2_flushes_ah_only() {
    let model = with_one_of_each();
    model.ok(&["flush", "ah"]);
    let saved = model.saved();
    assert!(saved.contains("add esp") && !saved.contains("add ah"), "{saved}");
}

#[test]
fn example_3_saves_all_to_standard_output() {
    let saved = with_one_of_each().ok(&["save", "all"]);
    assert_eq!(count(&saved), 2);
    assert!(saved.contains("authkey bde359723576fdea08e56cbe876e24ad/128"), "{saved}");
}

#[test]
fn example_4_saves_esp_to_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let model = with_one_of_each();
    let snapshot = model.path("snapshot");
    model.ok(&["save", "esp", snapshot.to_str().unwrap()]);
    let saved = std::fs::read_to_string(&snapshot).unwrap();
    assert_eq!(count(&saved), 1);
    assert_eq!(std::fs::metadata(&snapshot).unwrap().permissions().mode() & 0o777, 0o400);
    model.ok(&["flush", "esp"]);
    model.ok(&["-f", snapshot.to_str().unwrap()]);
    assert_eq!(model.ok(&["save", "esp"]), saved);
}

#[test]
fn example_5_deletes_an_sa_and_its_pair() {
    let model = Model::start(ME);
    let add = |spi: &str, direction: &str| {
        format!(
            "add esp spi {spi} src me.domain.com dst 224.0.0.1 {direction} encralg aes encrkey 000102030405060708090a0b0c0d0e0f\n"
        )
    };
    succeeded(model.load(&add("0x2112", "outbound")));
    model.ok(&["delete", "esp", "spi", "0x2112", "dst", "224.0.0.1"]);
    assert_eq!(count(&model.saved()), 0);
    assert_eq!(model.run(&["delete", "esp", "spi", "0x2112", "dst", "224.0.0.1"]).status.code(), Some(1));

    succeeded(model.load(&format!(
        "{OUTBOUND}add esp spi 0x2113 src you.domain.com dst me.domain.com pair-spi 0x2112 encralg aes encrkey 000102030405060708090a0b0c0d0e0f\n"
    )));
    assert_eq!(count(&model.saved()), 2);
    model.ok(&["delete-pair", "esp", "spi", "0x2112", "dst", "you.domain.com"]);
    assert_eq!(count(&model.saved()), 0);
}

#[test]
fn example_6_gets_an_sa() {
    let shown = with_one_of_each().ok(&["get", "ah", "spi", "0x5150", "dst", "mypeer"]);
    assert!(shown.contains("type GET, SA type AH."), "{shown}");
    assert!(shown.contains("AKY: 930987dbe09743ade09d92b4097d9e93/128"), "{shown}");
    assert!(shown.contains("198.51.100.7 (you.domain.com)"), "{shown}");
}

#[test]
fn example_7_adds_and_updates_at_the_prompt() {
    let model = Model::start(ME);
    let output = model.typed(
        "add ah spi 0x90125 src me.domain.com dst you.domain.com authalg md5 authkey 1234567890abcdef1234567890abcdef\n\
         update ah spi 0x90125 dst you.domain.com hard_bytes 16000000\n\
         exit\n",
    );
    succeeded(output);
    assert!(model.saved().contains("hard_bytes 16000000"));
}

/// The man page prints both SAs with the same source and destination; its text and the kernel require opposite directions.
#[test]
fn example_7_pairs_two_sas_of_opposite_directions() {
    let model = Model::start(ME);
    let sa = |spi: &str, from: &str, to: &str, rest: &str| {
        format!(
            "add esp spi {spi} src {from}.domain.com dst {to}.domain.com authalg md5 authkey \
             bde359723576fdea08e56cbe876e24ad encralg des encrkey be02938e7def2839 {rest}\n"
        )
    };
    succeeded(model.load(&sa("0x2345", "me", "you", "")));
    let as_printed = model.load(&sa("0x5432", "me", "you", "pair-spi 0x2345"));
    assert_eq!(as_printed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&as_printed.stderr).contains("Diagnostic code 73"));
    assert_eq!(count(&model.saved()), 1);

    succeeded(model.load(&sa("0x5432", "you", "me", "pair-spi 0x2345")));
    let shown = model.ok(&["-n", "get", "esp", "spi", "0x2345", "dst", "198.51.100.7"]);
    assert!(shown.contains("OTH: Paired with spi=0x5432"), "{shown}");
}

#[test]
fn example_8_adds_the_opposite_direction() {
    let model = Model::start(ME);
    succeeded(model.typed(
        "add ah spi 0x2112 src you.domain.com dst me.domain.com authalg md5 \
         authkey bde359723576fdea08e56cbe876e24ad hard_bytes 16000000\nexit\n",
    ));
    assert!(model.ok(&["-n", "get", "ah", "spi", "0x2112", "dst", "192.0.2.1"]).contains("X_INBOUND"));
}

#[test]
fn example_9_monitors() {
    let model = Model::start(ME);
    let mut monitor = model.ipseckey(&["-n", "monitor"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(monitor.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.contains("type X_PROMISC")));
    succeeded(model.load(OUTBOUND));
    assert!(lines.by_ref().any(|line| line.contains("type ADD, SA type ESP")));
    assert!(lines.by_ref().any(|line| line.contains("spi=0x2112")));
    monitor.kill().unwrap();
    monitor.wait().unwrap();
}

#[test]
fn example_10_uses_commands_in_a_file() {
    let model = Model::start(ME);
    let output = model.load(
        "# This is a sample file for flushing out the ESP table and\n# adding a pair of SAs.\n\nflush esp\n\n\
         ### Watch out!  I have keying material in this file.\n\n\
         add esp spi 0x2112 src me.domain.com dst you.domain.com \\\n    authalg md5 authkey bde359723576fdea08e56cbe876e24ad \\\n    \
         encralg des encrkey be02938e7def2839 hard_usetime 28800\n\
         add esp spi 0x5150 src you.domain.com dst me.domain.com \\\n    authalg md5 authkey 930987dbe09743ade09d92b4097d9e93 \\\n    \
         encralg des encrkey 8bd4a52e10127deb hard_usetime 28800\n\n## End of file  -  This is a gratuitous comment\n",
    );
    succeeded(output);
    let saved = model.saved();
    assert_eq!(count(&saved), 2);
    assert_eq!(saved.matches("hard_usetime 28800").count(), 2);
}

#[test]
fn example_11_adds_ipv6_addresses() {
    let model = Model::start(&["fec0:bbbb::4483"]);
    succeeded(model.typed(
        "add esp spi 0x6789 src6 fec0:bbbb::4483 dst6 fec0:bbbb::7843 authalg md5 authkey \
         bde359723576fdea08e56cbe876e24ad encralg des encrkey be02938e7def2839 hard_usetime 28800\nexit\n",
    ));
    assert!(model.saved().contains("dst fec0:bbbb::7843"));
}

/// The man page prints this as a shell command, but states elsewhere that update cannot be one. From the shell it is refused.
#[test]
fn example_12_links_two_sas_as_a_pair() {
    let model = Model::start(&["192.168.99.1"]);
    let key = "encralg aes encrkey 000102030405060708090a0b0c0d0e0f";
    succeeded(model.load(&format!(
        "add esp spi 0x123456 src 192.168.99.1 dst 192.168.99.2 {key}\nadd esp spi 0x654321 src 192.168.99.2 dst 192.168.99.1 {key}\n"
    )));
    let words = "update esp spi 0x123456 src 192.168.99.1 dst 192.168.99.2 pair-spi 0x654321";
    assert_ne!(model.run(&words.split(' ').collect::<Vec<_>>()).status.code(), Some(0));
    succeeded(model.typed(&format!("{words}\n")));
    let shown = model.ok(&["-n", "get", "esp", "spi", "0x654321", "dst", "192.168.99.1"]);
    assert!(shown.contains("OTH: Paired with spi=0x123456"), "{shown}");
}
