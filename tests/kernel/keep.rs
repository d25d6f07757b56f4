//! SAs that `ip` has made, one for each attribute: `save` and `export ip-xfrm` keep each of them, or name it with exit status 1, and
//! write no other SA.

use std::fs;

use crate::space::{Space, private_file, without_times};

const ID: &str = "src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x1000";
const KEYS: &str =
    "enc cbc(aes) 0x000102030405060708090a0b0c0d0e0f auth-trunc hmac(sha1) 0x000102030405060708090a0b0c0d0e0f10111213 96";

/// Words of `ip xfrm state add` behind ID and KEYS.
const KEPT: &[&str] = &[
    "",
    "mode tunnel",
    "mode beet sel src 10.1.0.1/32 dst 10.1.0.2/32",
    "mode transport sel src 10.0.0.1/32 dst 10.0.0.2/32",
    "mode transport sel src 10.0.0.1/32 dst 10.0.0.2/32 proto tcp dport 179",
    "mode transport sel src 10.0.0.0/24 dst 10.0.0.0/24",
    "mode tunnel sel src 10.1.0.0/16 dst 10.2.0.0/16 proto udp sport 53",
    "mode tunnel sel src fd01::/64 dst fd02::/64",
    "mode tunnel sel proto icmp type 8",
    "mode tunnel sel src 0.0.0.0/0 dst 10.2.0.0/16",
    "reqid 7",
    "replay-window 32",
    "replay-window 128",
    "replay-window 32 flag esn",
    "replay-window 128 flag esn replay-oseq 7 replay-oseq-hi 1",
    "replay-oseq 7",
    "flag noecn",
    "flag decap-dscp",
    "flag nopmtudisc",
    "flag wildrecv",
    "flag icmp",
    "mode tunnel flag af-unspec",
    "flag align4",
    "flag noecn decap-dscp nopmtudisc wildrecv icmp align4",
    "extra-flag dont-encap-dscp",
    "extra-flag oseq-may-wrap",
    "mark 5",
    "mark 5 mask 0xff",
    "output-mark 5",
    "output-mark 5 mask 0xff",
    "output-mark 0 mask 0xff",
    "if_id 0x2a",
    "mode tunnel tfcpad 100",
    "encap espinudp 4500 4500 0.0.0.0",
    "encap espinudp 4501 4502 0.0.0.0",
    "encap espinudp 4500 4500 203.0.113.9",
    "limit time-soft 100 limit time-hard 200",
    "limit time-use-soft 100 limit time-use-hard 200",
    "limit byte-soft 100 limit byte-hard 200",
    "limit packet-soft 100 limit packet-hard 200",
];

/// Words, and what is named.
const NAMED: &[(&str, &str)] = &[
    ("mode tunnel sel src 10.1.0.0/16 dst 10.2.0.0/16 dev lo", "sel dev lo"),
    ("encap espinudp-nonike 4500 4500 0.0.0.0", "espinudp-nonike"),
    ("mode tunnel sel proto icmp type 8 code 0", "sel dport 0"),
    ("replay-window 32 replay-seq 5 replay-oseq 7", "replay-seq"),
    ("limit byte-soft 200 limit byte-hard 100", "soft_bytes 200"),
    ("encap espinudp 0 4500 0.0.0.0", "port 0"),
];

/// What newer kernels refuse of [`NAMED`], and the first version that does (`UDP_ENCAP_ESPINUDP_NON_IKE`).
const REMOVED: &[(&str, (u32, u32))] = &[("espinudp-nonike", (6, 12))];

/// Algorithms in place of KEYS.
const ALGORITHMS: &[(&str, &str)] = &[
    (
        "enc cbc(aes) 0x000102030405060708090a0b0c0d0e0f auth-trunc hmac(sha1) 0x000102030405060708090a0b0c0d0e0f10111213 64",
        "icv 64",
    ),
    ("enc cbc(aes) 0x000102030405060708090a0b0c0d0e0f auth-trunc digest_null 0x 0", "digest_null"),
    ("enc cbc(des) 0x0101010101010101 auth-trunc hmac(sha1) 0x000102030405060708090a0b0c0d0e0f10111213 96", "weak"),
];

fn add(words: &str, keys: &str) -> String {
    format!("xfrm state add {ID} {keys} {words}")
}

/// The SA as `ip -d -s xfrm state` prints it; what was received is no property of an SA that is not used yet.
fn state(space: &Space) -> String {
    let text = without_times(&space.ip("-d -s xfrm state list"));
    text.lines().map(|line| line.split(", bitmap").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The SA in another namespace, loaded from `ipseckey save` and from `ipseckey export ip-xfrm`, with the messages.
fn kept(space: &Space) -> [(i32, String, String); 2] {
    let saved = space.ipseckey("save all");
    let by_save = Space::with_sadb("xfrm");
    by_save.load(&saved.out);
    let exported = space.ipseckey("export ip-xfrm");
    let by_ip = Space::with_sadb("xfrm");
    // `dir` needs a newer iproute2 than that of the tests.
    let batch = private_file(&exported.out);
    by_ip.ip(&format!("-batch {}", batch.display()));
    fs::remove_file(batch).unwrap();
    [(saved.status, state(&by_save), saved.err), (exported.status, state(&by_ip), exported.err)]
}

/// Major and minor version of the running kernel.
fn kernel_version() -> (u32, u32) {
    let release = nix::sys::utsname::uname().unwrap().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn is_removed(words: &str) -> bool {
    REMOVED.iter().any(|(removed, since)| words.contains(removed) && kernel_version() >= *since)
}

fn made(words: &str, keys: &str) -> Space {
    let space = Space::with_sadb("xfrm");
    let words = add(words, keys);
    // The shell's quotes are not needed: no word has a blank.
    space.ip(&words);
    space
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn save_and_export_keep_each_attribute() {
    let mut wrong = Vec::new();
    for words in KEPT {
        let space = made(words, KEYS);
        let expected = state(&space);
        for (how, (status, found, messages)) in ["save", "export"].iter().zip(kept(&space)) {
            if status != 0 || found != expected {
                wrong.push(format!("{how}: {words}: status {status}, {messages}\n{expected}\n-- became\n{found}\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), 2 * KEPT.len(), wrong.join("\n"));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn save_and_export_name_what_they_cannot_keep() {
    let mut wrong = Vec::new();
    let named = NAMED.iter().filter(|(words, _)| !is_removed(words));
    let cases = named.map(|(words, name)| (*words, KEYS, *name));
    for (words, keys, name) in cases.chain(ALGORITHMS.iter().map(|(keys, name)| ("", *keys, *name))) {
        let space = made(words, keys);
        for (how, (status, found, messages)) in ["save", "export"].iter().zip(kept(&space)) {
            let is_other = !found.is_empty() && name != "replay-seq";
            if status != 1 || !messages.contains(name) || is_other {
                wrong.push(format!("{how}: {words} {keys}: status {status}, {messages}\n{found}\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn ipcomp_is_named() {
    let space = Space::with_sadb("xfrm");
    space.ip("xfrm state add src 10.0.0.1 dst 10.0.0.2 proto comp spi 0x100 comp deflate mode transport");
    for command in ["save all", "export ip-xfrm"] {
        let ran = space.ipseckey(command);
        assert!(ran.status == 1 && ran.err.contains("neither AH nor ESP"), "{command}: {}", ran.err);
    }
}
