//! Invalid requests, and requests that the kernel refuses: a clear error for each, and nothing changes.

use crate::space::{Space, private_file};

const MD5: &str = "auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f";
const AES: &str = "encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f";
const ENDS: &str = "src 10.0.0.1 dst 10.0.0.2";

/// SAs loaded before.
const BEFORE: &str = "add esp spi 0x100 ENDS AES MD5 reqid 5\nadd ah spi 0x101 ENDS MD5\n";
/// Further SAs, which PF_KEY does not list.
const MARKED: &str = "add ah spi 0x102 ENDS MD5 mark 5\n";

/// Requests, and a text that the error must contain.
const REQUESTS: &[(&str, &str)] = &[
    // Not a command.
    ("add esp spi", "Unexpected end of command"),
    ("add esp spi 0x200 ENDS bogus 5 AES", "Unknown extension field \"XXXXX\""),
    ("add esp spi 0x200 ENDS auth_alg sha265 authkey 00", "Unknown authentication algorithm type"),
    ("add esp spi 0x200 ENDS encr_alg aes encrkey 0x12xy", "hexadecimal"),
    ("add esp spi 0x100000000 ENDS AES", "SPI value"),
    ("add esp spi 0 ENDS AES", "expected a number from 1"),
    ("add foo spi 0x200 ENDS AES", "Unknown SA type"),
    ("add esp spi 0x200 AES", "dst"),
    ("add esp spi 0x200 ENDS AES flag bogus", "Unknown flag"),
    // Keys and algorithms.
    ("add esp spi 0x200 ENDS encr_alg aes encrkey 000102030405060708090a0b0c0d0e", "requires 128 or 192 or 256"),
    ("add esp spi 0x200 ENDS auth_alg sha256 authkey 00", "authkey has 8 bits, hmac-sha256 requires 256"),
    ("add esp spi 0x200 ENDS encr_alg aes-gcm encrkey 000102030405060708090a0b0c0d0e0f", "32 bits of salt"),
    ("add esp spi 0x200 ENDS encr_alg des encrkey 0101010101010101", "weak"),
    ("add esp spi 0x200 ENDS encr_alg 3des encrkey 0123456789abcdef0123456789abcdef0123456789abcdef", "weak"),
    ("add esp spi 0x200 ENDS encr_alg aes-gcm encrkey 000102030405060708090a0b0c0d0e0f10111213 MD5", "by itself"),
    ("add esp spi 0x200 ENDS encr_alg null", "at least one key"),
    ("add esp spi 0x200 ENDS MD5 icv 8", "a multiple of 8 from 80 to 128"),
    ("add esp spi 0x200 ENDS MD5 icv 256", "a multiple of 8 from 80 to 128"),
    ("add ah spi 0x200 ENDS", "at least one algorithm, at least one key"),
    ("add ah spi 0x200 ENDS MD5 AES", "Cannot specify encryption with SA type ah"),
    ("add ah spi 0x200 ENDS MD5 encap udp nat_lport 4500 nat_rport 4500", "AH cannot be encapsulated"),
    // Limits and shapes.
    ("add esp spi 0x200 ENDS AES soft_bytes 9 hard_bytes 8", "soft_bytes 9 is more than hard_bytes 8"),
    ("add esp spi 0x200 ENDS AES soft_packets 9 hard_packets 8", "soft_packets 9 is more than hard_packets 8"),
    ("add esp spi 0x200 ENDS AES replay 5000", "4096"),
    ("add esp spi 0x200 ENDS AES state dying", "mature"),
    ("add esp spi 0x200 src fd00::1 dst 10.0.0.2 AES", "famil"),
    ("add esp spi 0x200 ENDS AES isrc 10.1.0.0/16 idst fd00::/16", "famil"),
    ("add esp spi 0x200 ENDS AES isrc 10.1.0.0/33 idst 10.2.0.0/16", "33"),
    ("add esp spi 0x200 src 10.0.0.1 dst 0.0.0.0 AES", "identified by its destination"),
    ("add esp spi 0x200 ENDS AES esn", "ESN"),
    ("add esp spi 0x200 ENDS AES tfcpad 100", "tunnel mode"),
    ("add ah spi 0x200 ENDS MD5 mode tunnel tfcpad 100", "no padding"),
    ("add esp spi 0x200 ENDS AES mode transport isrc fd01::1 idst fd02::1", "family of dst"),
    ("add esp spi 0x200 ENDS AES offload nosuch0", "no interface nosuch0"),
    // Existing and missing SAs.
    ("add esp spi 0x100 ENDS AES", "exists"),
    ("add esp spi 0x100 src 10.0.0.9 dst 10.0.0.2 AES", "exists"),
    ("add ah spi 0x200 ENDS MD5 pair-spi 0x999", "pair-spi 0x999"),
    ("add ah spi 0x200 ENDS MD5 pair-spi 0x200", "pair-spi 0x200"),
    ("get esp spi 0x999 dst 10.0.0.2", "does not exist"),
    ("get ah spi 0x102 dst 10.0.0.2", "does not exist"),
    ("delete esp spi 0x999 dst 10.0.0.2", "does not exist"),
    ("delete ah spi 0x102 dst 10.0.0.2 mark 6", "does not exist"),
    ("update esp spi 0x999 dst 10.0.0.2 hard_bytes 5", "does not exist"),
    // What the kernel would acknowledge and ignore.
    ("update esp spi 0x100 dst 10.0.0.2 encr_alg aes encrkey 0f0e0d0c0b0a09080706050403020100", "does not change encrkey"),
    ("update esp spi 0x100 dst 10.0.0.2 reqid 9 mode tunnel replay 7", "does not change replay, mode, reqid"),
    ("update esp spi 0x100 dst 10.0.0.2 encap udp nat_lport 4500 nat_rport 4500", "does not change encap"),
];

/// What Linux PF_KEY would lose.
const LOST_BY_PF_KEY: &[(&str, &str)] = &[
    ("add esp spi 0x200 ENDS encr_alg aes-gcm encrkey 000102030405060708090a0b0c0d0e0f10111213", "aes-gcm: Linux PF_KEY"),
    ("add esp spi 0x200 ENDS auth_alg aes-cmac authkey 000102030405060708090a0b0c0d0e0f", "no number for this"),
    ("add ah spi 0x200 ENDS MD5 pair-spi 0x101", "does not support pair-spi"),
    ("add ah spi 0x200 ENDS MD5 mark 5", "does not support mark"),
    ("add ah spi 0x200 ENDS MD5 replay 64", "a window of 32"),
    ("add ah spi 0x200 ENDS MD5 replay_value 8", "does not support replay_value"),
    ("add ah spi 0x200 ENDS MD5 srcidtype fqdn a.example", "does not support srcidtype"),
    ("add ah spi 0x200 ENDS MD5 idle_addtime 8", "does not support idle_addtime"),
    ("add ah spi 0x200 src 10.0.0.1 sport 7 dst 10.0.0.2 proto 17 MD5", "does not support proto"),
    ("add esp spi 0x200 ENDS AES isrc 10.1.0.0/16 idst 10.2.0.0/16", "does not support idst"),
    ("add esp spi 0x200 ENDS AES isrc fd01::/16 idst ::/0", "does not support isrc of another"),
    ("add esp spi 0x200 ENDS AES encap udp nat_lport 4500 nat_rport 4501", "specify inbound or outbound"),
    ("add esp spi 0x200 ENDS AES encap udp nat_loc 192.0.2.9 nat_lport 4500 nat_rport 4500", "does not support nat_loc"),
    ("add esp spi 0x200 ENDS encr_alg aes encrkey 000102030405060708090a0b0c0d0e", "requires 128 or 192 or 256"),
    ("add esp spi 0x200 ENDS AES soft_packets 7", "does not support soft_packets"),
    ("update esp spi 0x100 dst 10.0.0.2 encr_alg aes encrkey 0f0e0d0c0b0a09080706050403020100", "changes lifetimes only"),
    ("update-pair esp spi 0x100 dst 10.0.0.2 hard_bytes 7", "has no pairs"),
    ("delete-pair esp spi 0x100 dst 10.0.0.2", "has no pairs"),
    ("add esp spi 0x100 ENDS AES", "exists"),
    ("get esp spi 0x999 dst 10.0.0.2", "does not exist"),
];

fn whole(words: &str) -> String {
    words.replace("ENDS", ENDS).replace("AES", AES).replace("MD5", MD5)
}

/// The requests and the SAs that they are about, as a script. A device is one of the system.
pub fn all_requests() -> String {
    let requests = REQUESTS.iter().map(|row| row.0).filter(|request| !request.contains("nosuch0"));
    whole(&format!("{BEFORE}{MARKED}{}", requests.collect::<Vec<_>>().join("\n")))
}

fn assert_refused_without_changes(sadb: &'static str, requests: &[(&str, &str)]) {
    let space = Space::with_sadb(sadb);
    space.load(&whole(BEFORE));
    if sadb == "xfrm" {
        space.load(&whole(MARKED));
    }
    let states = space.states();
    let mut wrong = Vec::new();
    for (request, expected) in requests {
        let ran = space.try_load(&format!("{}\n", whole(request)));
        let is_clear = ran.err.contains("error[") && ran.err.contains(expected) && !ran.err.contains("030405");
        if ran.status != 1 || !is_clear || space.states() != states {
            wrong.push(format!("{request}: expected {expected:?}, status {}, found\n{}", ran.status, ran.err));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn xfrm_refuses_invalid_requests_without_changes() {
    assert_refused_without_changes("xfrm", REQUESTS);
}

/// What `-c` cannot know: SAs, devices and modules of the system.
const UNKNOWN_TO_CHECK: &[&str] =
    &["exists", "does not exist", "no interface", "pair-spi 0x999", "does not change", "no number for this"];

/// `-c` and `-f` agree: both refuse a request, or the reason is one that only the system has.
fn assert_check_agrees(sadb: &'static str, requests: &[(&str, &str)]) {
    let space = Space::with_sadb(sadb);
    let mut wrong = Vec::new();
    for (request, expected) in requests.iter().filter(|row| !UNKNOWN_TO_CHECK.iter().any(|unknown| row.1.contains(unknown)))
    {
        let file = private_file(&format!("{}\n", whole(request)));
        let ran = space.ipseckey(&format!("-c {}", file.display()));
        std::fs::remove_file(file).unwrap();
        // A file without an add is refused for that; the texts of those commands are not compared.
        if ran.status != 1 || (request.starts_with("add") && !ran.err.contains("error[")) {
            wrong.push(format!("{request}: expected {expected:?}, status {}, found\n{}", ran.status, ran.err));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_refuses_what_a_load_refuses() {
    assert_check_agrees("xfrm", REQUESTS);
    assert_check_agrees("pfkey", LOST_BY_PF_KEY);
}

/// The check may refuse nothing that the kernel takes.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_accepts_what_loads() {
    for rest in [
        "AES MD5 replay 32 esn",
        "AES MD5 mode tunnel tfcpad 100",
        "AES MD5 mode tunnel iproto 1",
        "AES MD5 mode transport isrc 10.0.0.1/32 idst 10.0.0.2/32",
        "AES MD5 isrc fd01::/64 idst fd02::/64",
        "AES MD5 soft_bytes 5 hard_bytes 6 soft_packets 5 hard_packets 6",
        "encr_alg null MD5 icv 80",
        "AES MD5 encap udp nat_lport 4500 nat_rport 4501 outbound",
        "AES MD5 proto ospf",
    ] {
        let space = Space::with_sadb("xfrm");
        let keys = whole(&format!("add esp spi 0x200 ENDS {rest}\n"));
        let file = private_file(&keys);
        space.ipseckey(&format!("-c {}", file.display())).succeeded();
        std::fs::remove_file(file).unwrap();
        space.load(&keys);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn pfkey_refuses_fields_it_cannot_hold() {
    assert_refused_without_changes("pfkey", LOST_BY_PF_KEY);
}
