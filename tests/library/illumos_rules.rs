//! What `-c` says about commands for illumos, compared with the answers of the model, which are those of the kernel.

use proptest::prelude::*;

use crate::apply::{self, Outcome};
use crate::keyfile::{Checker, Code, Command, HostsFile, Options, Setting, commands};
use crate::names::Vocabulary;
use crate::sadb::{Sadb, SadbTarget};

const KEYS: &str = "auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f";
const GCM: &str = "encr_alg aes-gcm encrkey 000102030405060708090a0b0c0d0e0f10111213";

/// Carries out the commands of `text` on a new model. Returns whether the last one was refused, and the codes of its warnings;
/// `None` if the text has an error.
fn outcome(text: &str) -> Option<(bool, Vec<Code>)> {
    let hosts = HostsFile::default();
    let options = Options { vocabulary: Vocabulary::Illumos, numeric: true, setting: Setting::File, resolver: &hosts };
    let mut checker = Checker::new(Vocabulary::Illumos);
    let mut sadb = SadbTarget::Model(Vocabulary::Illumos).open().expect("the model");
    let mut last = None;
    for item in commands(text.as_bytes(), &options) {
        let warnings = checker.check(&item, text.as_bytes()).iter().map(|warning| warning.code).collect();
        let Ok(Command::Sa(command)) = item.outcome else { return None };
        last = Some((is_refused(command, &mut *sadb), warnings));
    }
    last
}

fn is_refused(command: crate::keyfile::SaCommand, sadb: &mut dyn Sadb) -> bool {
    let mut refused = false;
    apply::apply(command, sadb, &mut |_, outcome| refused |= matches!(outcome, Outcome::Failed(_)));
    refused
}

fn add(words: &str) -> String {
    format!("add esp spi 0x900 {words} {KEYS}\n")
}

/// An `update` after an `add` of the SA.
fn update(words: &str) -> String {
    add("src 192.0.2.1 dst 192.0.2.2") + "update esp spi 0x900 " + words + "\n"
}

const ENDS: &str = "src 192.0.2.1 dst 192.0.2.2";

#[test]
fn checker_warns_of_what_illumos_refuses() {
    let with_peer = |words: &str| {
        format!("add esp spi 0x901 src 192.0.2.2 dst 192.0.2.1 inbound {KEYS}\n") + &add(&format!("{ENDS} {words}"))
    };
    for text in [
        add("src 224.0.0.1 dst 192.0.2.2"),
        add("src 255.255.255.255 dst 192.0.2.2"),
        add("src6 ff02::1 dst6 2001:db8::2"),
        add("src 192.0.2.1 dst 0.0.0.0"),
        add("src6 2001:db8::1 dst6 ::"),
        add(&format!("{ENDS} soft_alloc 7 hard_alloc 6")),
        add(&format!("{ENDS} soft_bytes 7 hard_bytes 6")),
        add(&format!("{ENDS} soft_addtime 700 hard_addtime 600")),
        add(&format!("{ENDS} soft_usetime 700 hard_usetime 600")),
        add(&format!("{ENDS} soft_usetime 500 hard_addtime 600 idle_addtime 700")),
        add(&format!("{ENDS} soft_usetime 500 hard_addtime 600 idle_usetime 700")),
        add(&format!("{ENDS} proto 41 isrc 10.0.0.0/8 idst 10.1.0.0/16")),
        add(&format!("{ENDS} proto 4 isrc6 2001:db8:1::/48 idst6 2001:db8:2::/48")),
        add(&format!("{ENDS} proto 17 isrc 10.0.0.0/8 idst 10.1.0.0/16")),
        add(&format!("{ENDS} sport 5 isport 6 isrc 10.0.0.0/8 idst 10.1.0.0/16")),
        add(&format!("{ENDS} dport 5 idport 6 isrc 10.0.0.0/8 idst 10.1.0.0/16")),
        add(&format!("{ENDS} encap udp nat_rport 4500")),
        add(&format!("{ENDS} encap udp nat_loc 224.0.0.1")),
        add(&format!("{ENDS} encap udp nat_rem 224.0.0.1")),
        add("src6 2001:db8::1 dst6 2001:db8::2 encap udp nat_loc 2001:db8::9"),
        add("src6 2001:db8::1 dst6 2001:db8::2 encap udp nat_rem 2001:db8::9"),
        format!("add ah spi 0x900 {ENDS} encap udp nat_lport 4500 {KEYS}\n"),
        add(&format!("{ENDS} state dying")),
        add(&format!("{ENDS} state 5")),
        add(&format!("{ENDS} state 6")),
        with_peer("outbound pair-spi 0x900"),
        with_peer("inbound outbound pair-spi 0x901"),
        format!("add esp spi 0x901 src 192.0.2.2 dst 192.0.2.1 inbound {KEYS}\n")
            + &add("dst 192.0.2.2 outbound pair-spi 0x901"),
        format!("add esp spi 0x900 {ENDS} inbound outbound {GCM}\n"),
        update(&format!("{ENDS} pair-spi 0x900")),
        update(&format!("{ENDS} replay_value 5")),
        update(&format!("{ENDS} state dead hard_addtime 600")),
        update(&format!("{ENDS} soft_addtime 700 hard_addtime 600")),
        update(&format!("{ENDS} isrc 10.0.0.0/8 idst 10.1.0.0/16 hard_addtime 600")),
        update("src 224.0.0.1 dst 192.0.2.2 hard_addtime 600"),
        add(ENDS) + "delete esp spi 0x900 src 224.0.0.1 dst 192.0.2.2\n",
        add(ENDS) + "get esp spi 0x900 dst 0.0.0.0\n",
    ] {
        let (is_refused, codes) = outcome(&text).unwrap_or_else(|| panic!("{text}"));
        assert!(is_refused, "the model accepts\n{text}");
        assert!(codes.contains(&Code::IllumosRefuses), "{codes:?}\n{text}");
    }
}

#[test]
fn checker_has_no_word_about_what_illumos_takes_as_it_is() {
    for text in [
        add(ENDS),
        add("dst 192.0.2.2"),
        add("src 192.0.2.1 dst 224.0.0.9"),
        add("dst 255.255.255.255"),
        add(&format!("{ENDS} soft_alloc 7 hard_alloc 7 soft_bytes 5 hard_bytes 5")),
        add(&format!("{ENDS} soft_addtime 24 hard_addtime 600 idle_addtime 24")),
        add(&format!("{ENDS} hard_addtime 600 idle_addtime 700")),
        add(&format!("{ENDS} inbound soft_addtime 5 hard_addtime 600")),
        add(&format!("{ENDS} proto 4 isrc 10.0.0.0/8 idst 10.1.0.0/16 isport 6 iproto 6")),
        add(&format!("{ENDS} proto 41 isrc6 2001:db8:1::/48 idst6 2001:db8:2::/48")),
        add(&format!("{ENDS} isrc 10.0.0.0/8 idst 10.1.0.0/16")),
        add(&format!("{ENDS} isrc 0.0.0.0/0 idst 0.0.0.0/0")),
        add(&format!("{ENDS} proto 17 sport 5 dport 6")),
        add(&format!("{ENDS} encap udp nat_lport 4500")),
        add(&format!("{ENDS} encap udp nat_loc 198.51.100.1 nat_rem 198.51.100.2 nat_rport 4500")),
        add("src6 2001:db8::1 dst6 2001:db8::2 encap udp nat_loc 198.51.100.1"),
        add(&format!("{ENDS} state mature")),
        add(&format!("{ENDS} replay_value 7")),
        format!("add esp spi 0x901 src 192.0.2.2 dst 192.0.2.1 inbound {KEYS}\n")
            + &add(&format!("{ENDS} outbound pair-spi 0x901")),
        update(&format!("{ENDS} soft_addtime 30 hard_addtime 600 state mature")),
    ] {
        let (is_refused, codes) = outcome(&text).unwrap_or_else(|| panic!("{text}"));
        assert!(!is_refused, "the model refuses\n{text}");
        assert_eq!(codes, [], "{text}");
    }
}

#[test]
fn checker_warns_of_sas_that_may_be_in_both_tables() {
    for words in [format!("pair-spi 0x901 {KEYS}"), GCM.to_owned()] {
        for (direction, expected) in [("", vec![Code::BothTables]), ("outbound", vec![]), ("inbound", vec![])] {
            let (_, codes) = outcome(&format!("add esp spi 0x900 {ENDS} {direction} {words}\n")).unwrap();
            assert_eq!(codes, expected, "{direction} {words}");
        }
    }
    // The model, as a host without addresses, keeps both in both tables.
    for words in [format!("pair-spi 0x901 {KEYS}"), GCM.to_owned()] {
        let peer = format!("add esp spi 0x901 src 192.0.2.2 dst 192.0.2.1 inbound {KEYS}\n");
        assert!(outcome(&format!("{peer}add esp spi 0x900 {ENDS} {words}\n")).unwrap().0, "{words}");
    }
}

#[test]
fn checker_warns_of_values_that_illumos_changes() {
    for words in [
        "soft_addtime 5 hard_addtime 600",
        "soft_addtime 23 hard_addtime 600",
        "outbound soft_addtime 8 hard_addtime 600",
        "isrc 10.1.0.1/16 idst 10.2.0.0/16",
        "isrc 10.1.0.0/16 idst 10.2.0.1/16",
        "isrc6 2001:db8::1/64 idst6 2001:db8:1::/64",
    ] {
        let (is_refused, codes) = outcome(&add(&format!("{ENDS} {words}"))).unwrap_or_else(|| panic!("{words}"));
        assert_eq!((is_refused, codes), (false, vec![Code::IllumosChanges]), "{words}");
    }
    let (_, codes) = outcome(&update(&format!("{ENDS} soft_addtime 5 hard_addtime 600"))).unwrap();
    assert_eq!(codes, [Code::IllumosChanges]);
    let (_, codes) = outcome(&add("dst 192.0.2.2 replay 32")).unwrap();
    assert_eq!(codes, [Code::IllumosChanges]);
}

#[test]
fn checker_has_rules_of_illumos_for_illumos_only() {
    let text = add(&format!("{ENDS} pair-spi 0x901 soft_addtime 5 hard_addtime 4"));
    let hosts = HostsFile::default();
    let options = Options { vocabulary: Vocabulary::Linux, numeric: true, setting: Setting::File, resolver: &hosts };
    let mut checker = Checker::new(Vocabulary::Linux);
    let warnings = commands(text.as_bytes(), &options).flat_map(|item| checker.check(&item, text.as_bytes()));
    assert_eq!(warnings.count(), 0);
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

/// A limit, or nothing.
fn limit(word: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(String::new()), 1 => (0..3_u8).prop_map(move |number| format!("{word} {}", 30 * u64::from(number)))]
}

fn limits() -> impl Strategy<Value = String> {
    let words = [
        "soft_alloc",
        "hard_alloc",
        "soft_bytes",
        "hard_bytes",
        "soft_addtime",
        "hard_addtime",
        "soft_usetime",
        "hard_usetime",
        "idle_addtime",
        "idle_usetime",
    ];
    words.map(limit).prop_map(|parts| parts.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The model refuses an `add` exactly if there is a warning that it does.
    #[test]
    fn checker_and_model_agree_about_an_add(
        limits in limits(),
        sa_type in one_of(&["esp", "esp", "esp", "ah"]),
        src in one_of(&["", "src 192.0.2.1", "src 192.0.2.1", "src 224.0.0.1", "src 0.0.0.0"]),
        dst in one_of(&["192.0.2.2", "192.0.2.2", "192.0.2.2", "224.0.0.9", "0.0.0.0"]),
        direction in one_of(&["", "inbound", "outbound", "inbound outbound"]),
        proto in one_of(&["", "", "proto 4", "proto 41", "proto 17"]),
        ports in one_of(&["", "", "sport 5", "dport 6"]),
        inner in one_of(&["", "", "isrc 10.1.0.0/16 idst 10.2.0.0/16", "isrc 10.1.0.0/16 idst 10.2.0.0/16 idport 4",
            "isrc6 2001:db8:1::/48 idst6 2001:db8:2::/48"]),
        natt in one_of(&["", "", "", "encap udp nat_lport 4500", "encap udp nat_rport 4500", "encap udp nat_rem 198.51.100.9"]),
        state in one_of(&["", "", "", "state mature", "state dead"]),
        pair in one_of(&["", "", "", "pair-spi 0x900"]),
        replay in one_of(&["", "replay 32"]),
    ) {
        let text = format!(
            "add {sa_type} spi 0x900 {src} dst {dst} {direction} {proto} {ports} {inner} {natt} {state} {pair} {replay} {limits} {KEYS}\n"
        );
        let (is_refused, codes) = outcome(&text).ok_or_else(|| TestCaseError::fail(format!("an error in {text}")))?;
        // An SA without direction is in both tables of the model, and cannot be paired.
        let is_expected = codes.contains(&Code::IllumosRefuses);
        prop_assert_eq!(is_refused, is_expected, "{:?} {}", codes, text);
    }
}
