//! Keywords, without a direction and with each: every kernel adds the same SAs and refuses the others with the same words, and
//! reports each SA as it was requested. The kernel checks directions since 6.10.
//!
//! directions.txt has the outcome of each case, pairs of keywords included, which `tests/kernel/run --all` tries. With
//! `SNAPSHOTS=overwrite` the test writes it.

use std::path::Path;

use crate::hosts::Hosts;
use crate::space::Space;

const SA: &str = "src 10.0.0.1 dst 10.0.0.2 encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f \
    auth_alg sha1 authkey 000102030405060708090a0b0c0d0e0f10111213";

/// Keywords that the kernel accepts in one direction only.
const DIRECTED: &[&str] = &[
    "replay 32",
    "replay 64",
    "replay_value 5",
    "esn",
    "esn replay 32",
    "esn replay 128",
    "flag noecn",
    "flag decap-dscp",
    "flag nopmtudisc",
    "flag wildrecv",
    "flag icmp",
    "flag af-unspec",
    "flag align4",
    "flag dont-encap-dscp",
    "flag oseq-may-wrap",
];

/// The others.
const OTHERS: &[&str] = &[
    "mode tunnel",
    "mode beet",
    "isrc 10.1.0.0/16 idst 10.2.0.0/16",
    "tfcpad 100",
    "encap udp nat_lport 4500 nat_rport 4501",
    "reqid 7",
    "mark 5",
    "if_id 9",
    "output-mark 3/255",
    "soft_bytes 1000 hard_bytes 2000",
    "soft_packets 10 hard_packets 20",
    "soft_addtime 100 hard_addtime 200",
    "soft_usetime 100 hard_usetime 200",
    "idle_addtime 50",
    "proto 17 sport 7 dport 8",
    "srcidtype fqdn a.example",
    "icv 96",
];

/// Whether two lines can be in one command: a keyword is allowed once.
fn can_combine(first: &str, second: &str) -> bool {
    !["replay ", "esn", "flag"].into_iter().any(|keyword| first.contains(keyword) && second.contains(keyword))
}

/// The requests: each line with each direction, and the pairs of the first table.
fn cases(with_pairs: bool) -> Vec<String> {
    let mut words: Vec<String> = DIRECTED.iter().chain(OTHERS).map(|words| (*words).to_owned()).collect();
    for (index, first) in DIRECTED.iter().enumerate().filter(|_| with_pairs) {
        let others = DIRECTED[index + 1..].iter().filter(|second| can_combine(first, second));
        words.extend(others.map(|second| format!("{first} {second}")));
    }
    let with_directions = |words: String| ["", "inbound ", "outbound "].map(|direction| format!("{direction}{words}"));
    words.into_iter().flat_map(with_directions).collect()
}

/// Each keyword and each pair of keywords, with each direction.
pub fn keywords_in_pairs() -> Vec<String> {
    let keywords: Vec<&str> = DIRECTED.iter().chain(OTHERS).copied().collect();
    let mut words: Vec<String> = keywords.iter().map(|words| (*words).to_owned()).collect();
    for (index, first) in keywords.iter().enumerate() {
        let others = keywords[index + 1..].iter().filter(|second| can_combine(first, second));
        words.extend(others.map(|second| format!("{first} {second}")));
    }
    words
        .into_iter()
        .flat_map(|words| ["", "inbound ", "outbound "].map(|direction| format!("{direction}{words}")))
        .collect()
}

/// "added", or the first line of the error.
fn outcome(space: &Space, case: &str) -> String {
    let ran = space.try_load(&format!("add esp spi 0x100 {SA} {case}\n"));
    let error = ran.err.lines().next().unwrap_or_default();
    // Without the name of the temporary file.
    let error = error.split_once("error").map_or(error, |(_, rest)| rest);
    if ran.status == 0 { "added".into() } else { format!("error{error}") }
}

/// `save` writes the SA as it was requested, and the same after that text was loaded.
fn assert_saved_again(space: &Space, case: &str) {
    let saved = space.saved();
    let is_saved = |word: &str| !case.contains(word) || saved.contains(word);
    assert!(["inbound", "outbound", "esn", "replay 32", "replay 64"].into_iter().all(is_saved), "{case}: {saved}");
    assert!(case.contains("replay ") || saved.contains(" replay 0 "), "{case}: {saved}");
    space.ipseckey("flush").succeeded();
    space.load(&saved);
    assert_eq!(space.saved(), saved, "{case}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn every_kernel_takes_the_same_directions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/directions.txt");
    let overwrites = std::env::var_os("SNAPSHOTS").is_some_and(|mode| mode == "overwrite");
    let expected = std::fs::read_to_string(&path).unwrap();
    let space = Space::with_sadb("xfrm");
    let (mut found, mut differing) = (String::new(), Vec::new());
    for case in cases(overwrites || std::env::var_os("KERNEL_ALL").is_some()) {
        let outcome = outcome(&space, &case);
        if outcome == "added" {
            assert_saved_again(&space, &case);
        }
        let line = format!("{case}: {outcome}");
        if !expected.lines().any(|expected| expected == line) {
            differing.push(line.clone());
        }
        found += &(line + "\n");
        space.ipseckey("flush").succeeded();
    }
    if overwrites {
        std::fs::write(&path, &found).unwrap();
    } else {
        assert!(differing.is_empty(), "{differing:#?}");
    }
}

/// One keys file for both hosts, with the directions of the first: each load says which SA is wrong on that host.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn a_direction_that_contradicts_the_addresses_is_reported() {
    let hosts = Hosts::new();
    let back = SA.replace("src 10.0.0.1 dst 10.0.0.2", "src 10.0.0.2 dst 10.0.0.1");
    let keys = format!("add esp spi 0x100 {SA} outbound\nadd esp spi 0x101 {back} inbound\n");
    let ran = hosts.here.try_load(&keys);
    assert!(ran.status == 0 && !ran.err.contains("this host"), "{ran:?}");
    let ran = hosts.there.try_load(&keys);
    assert_eq!(ran.status, 0, "{ran:?}");
    for expected in [
        "SPI 0x100 to 10.0.0.2: outbound, but its destination is an address of this host",
        "SPI 0x101 to 10.0.0.1: inbound, but its source is an address of this host",
    ] {
        assert!(ran.err.contains(expected), "{ran:?}");
    }
}
