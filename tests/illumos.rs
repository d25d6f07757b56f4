//! What a user of illumos sees of the kernel's peculiarities, on `sadb-model`, which answers as its kernel does. docs/illumos.md has
//! the table of all tests about them.

mod support;

use std::process::Output;

use support::model::{Model, succeeded};

const KEYS: &str =
    "encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f";
const OUT: &str = "src 192.0.2.1 dst 192.0.2.2";
const BACK: &str = "src 192.0.2.2 dst 192.0.2.1";

fn add(spi: &str, words: &str) -> String {
    format!("add esp spi {spi} {words} {KEYS}\n")
}

/// A host with the address of [`OUT`].
fn host() -> Model {
    Model::start(&["192.0.2.1"])
}

#[track_caller]
fn refused(output: &Output, expected: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(expected.iter().all(|part| text.contains(part)), "{text}");
    assert!(!text.contains("0001020304"), "{text}");
}

#[test]
fn refusals_name_the_diagnostic_and_the_remedy() {
    // 67: the outer protocol contradicts the inner addresses.
    for words in ["proto 41 isrc 10.0.0.0/8 idst 10.1.0.0/16", "proto 4 isrc6 2001:db8:1::/48 idst6 2001:db8:2::/48"] {
        let output = host().load(&add("0x100", &format!("{OUT} {words}")));
        refused(&output, &["Diagnostic code 67: ", "proto 4 is for IPv4", "41"]);
    }
    // 73: the addresses of the boot are missing, so that both SAs are in both tables.
    let pair = add("0x101", BACK) + &add("0x102", &format!("{OUT} pair-spi 0x101"));
    refused(&Model::start(&[]).load(&pair), &["Diagnostic code 73: ", "`inbound`"]);
    // 43 of an update.
    let update = add("0x103", OUT) + &format!("update esp spi 0x103 {OUT} replay_value 5\n");
    refused(&host().load(&update), &["Diagnostic code 43: ", "neither larval nor mature"]);
    // 78: there is no such SA. Without a paired SA (76) the commands are done.
    let host = host();
    for verb in ["update", "update-pair"] {
        let command = format!("{verb} esp spi 0x104 {OUT} hard_addtime 600\n");
        refused(&host.load(&command), &["esp SA with spi 0x104 and dst 192.0.2.2 does not exist", "`ipseckey dump` lists"]);
        succeeded(host.load(&(add("0x105", OUT) + &command.replace("0x104", "0x105") + "flush\n")));
    }
    refused(&host.load(&format!("delete-pair esp spi 0x104 {OUT}\n")), &["does not exist"]);
    succeeded(host.load(&(add("0x105", OUT) + &format!("delete-pair esp spi 0x105 {OUT}\n"))));
}

#[test]
fn a_pairing_that_the_kernel_did_not_make_is_a_failed_command() {
    let host = host();
    let pair = add("0x2001", &format!("{BACK} inbound")) + &add("0x2002", &format!("{OUT} outbound pair-spi 0x2001"));
    let third = add("0x2003", &format!("{OUT} outbound pair-spi 0x2001"));
    refused(&host.load(&(pair + &third)), &["spi 0x2003", "Diagnostic code 75: "]);
    assert!(!host.saved().contains("0x2003"));
    // Example 12 of the man page, twice: the pair stays one.
    for _ in 0..2 {
        succeeded(host.load(&format!("update esp spi 0x2001 {BACK} inbound pair-spi 0x2002\n")));
    }
    succeeded(host.load(&format!("delete-pair esp spi 0x2001 {BACK} inbound\n")));
    assert!(!host.saved().contains("add "), "{}", host.saved());
}

#[test]
fn the_corrected_file_of_a_failed_pairing_loads_at_once() {
    let host = host();
    let outbound = add("0x2002", &format!("{OUT} outbound pair-spi 0x2001"));
    refused(&host.load(&outbound), &["Diagnostic code 73: "]);
    succeeded(host.load(&(add("0x2001", &format!("{BACK} inbound")) + &outbound)));
}

/// The kernel takes 8 to 23 seconds off and does not stop at 0.
#[test]
fn a_soft_addtime_below_24_seconds_is_neither_saved_nor_compared_as_what_it_becomes() {
    for seconds in [5, 8] {
        let host = host();
        let text = add("0x100", &format!("{OUT} outbound soft_addtime {seconds} hard_addtime 300"));
        succeeded(host.load(&text));
        let path = host.path("keys");
        let planned = host.ok(&["plan", path.to_str().unwrap()]);
        assert!(planned.contains("0 updated, 0 replaced, 0 removed, 1 kept"), "{seconds}: {planned}");
        let saved = host.saved();
        assert!(saved.contains("hard_addtime 300") && !saved.contains("soft_addtime"), "{seconds}: {saved}");
        host.ok(&["flush"]);
        succeeded(host.load(&saved));
    }
}

/// The kernel describes the NAT-T addresses of an IPv6 SA as IPv6 ones.
#[test]
fn natt_addresses_of_an_ipv6_sa_are_shown_saved_and_compared_as_ipv4() {
    let host = Model::start(&["2001:db8::1"]);
    let natt = "encap udp nat_loc 198.51.100.1 nat_rem 198.51.100.2 nat_rport 4500";
    succeeded(host.load(&add("0x100", &format!("src6 2001:db8::1 dst6 2001:db8::2 outbound {natt}"))));
    let dump = host.ok(&["-n", "dump", "esp"]);
    assert!(dump.contains("198.51.100.1") && dump.contains("198.51.100.2") && !dump.contains("c633:"), "{dump}");
    let planned = host.ok(&["plan", host.path("keys").to_str().unwrap()]);
    assert!(planned.contains("0 updated, 0 replaced, 0 removed, 1 kept"), "{planned}");
    let saved = host.saved();
    host.ok(&["flush"]);
    succeeded(host.load(&saved));
}
