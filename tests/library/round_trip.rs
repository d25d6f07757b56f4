//! save -> load -> save is a fixed point: the saved text of any model SADB loads to the same state.

use std::ops::ControlFlow;

use crate::apply::{self, Outcome};
use crate::internals::saved_text::comparable;
use crate::keyfile::{self, Command, HostsFile, Options, Setting};
use crate::names::Vocabulary;
use crate::sa::SaType;
use crate::sadb::{Sadb, SadbTarget};
use crate::show::save::Saver;
use proptest::prelude::*;

/// Loads `text` into `sadb`; returns the lines that failed, with their errors.
fn load(sadb: &mut dyn Sadb, text: &str) -> Vec<String> {
    let resolver = HostsFile::default();
    let vocabulary = Vocabulary::Illumos;
    let options = Options { vocabulary, numeric: true, setting: Setting::File, resolver: &resolver };
    let mut failures = Vec::new();
    for item in keyfile::commands(text.as_bytes(), &options) {
        let line = item.location.line;
        match item.outcome {
            Ok(Command::Sa(command)) => {
                apply::apply(command, sadb, &mut |_, outcome| {
                    if let Outcome::Failed(error) = outcome {
                        failures.push(format!("line {line}: {error:?}"));
                    }
                });
            }
            _ => failures.push(format!("line {line}: {:?}", item.diagnostics)),
        }
    }
    failures
}

/// The SAs of `sadb` as text, one string each; sorted, because the order within a bucket is the order of addition.
fn saved(sadb: &mut dyn Sadb) -> (String, Vec<String>) {
    let mut out = Vec::new();
    let mut saver = Saver::new(false);
    saver.begin(&mut out).unwrap();
    sadb.dump(SaType::UNSPEC, &mut |message| {
        saver.save(&mut out, message).unwrap();
        ControlFlow::Continue(())
    })
    .unwrap();
    saver.finish(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let mut blocks: Vec<String> = text.split("# begin assoc\n").skip(1).map(comparable).collect();
    blocks.sort();
    (text, blocks)
}

fn model() -> Box<dyn Sadb> {
    SadbTarget::Model(Vocabulary::Illumos).open().unwrap()
}

/// Hexadecimal digits of `bits` bits, none of them a weak DES key.
fn key(bits: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<u8>(), bits / 8).prop_map(move |mut bytes| {
        for (at, byte) in bytes.iter_mut().enumerate() {
            if at % 8 == 0 {
                *byte = 0x10 + u8::try_from(at).unwrap();
            }
        }
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    })
}

fn protection() -> impl Strategy<Value = (bool, String)> {
    let encr = prop_oneof![
        Just(("aes-cbc", 128)),
        Just(("aes", 192)),
        Just(("aes", 256)),
        Just(("3des", 192)),
        Just(("des", 64)),
        Just(("blowfish", 128)),
        Just(("aes-gcm", 160)),
        Just(("aes-gcm8", 288)),
        Just(("aes-ccm12", 216)),
    ]
    .prop_flat_map(|(name, bits)| key(bits).prop_map(move |key| format!("encr_alg {name} encrkey {key}")));
    let auth = prop_oneof![
        Just(("md5", 128)),
        Just(("sha1", 160)),
        Just(("sha256", 256)),
        Just(("sha384", 384)),
        Just(("sha512", 512))
    ]
    .prop_flat_map(|(name, bits)| key(bits).prop_map(move |key| format!("auth_alg {name} authkey {key}")));
    (proptest::option::of(encr), auth).prop_flat_map(|(encr, auth)| {
        let both = encr.clone().map(|encr| (false, format!("{encr} {auth}")));
        let mut choices = vec![Just((true, auth.clone())), Just((false, auth))];
        choices.extend(both.map(Just));
        choices.extend(encr.map(|encr| Just((false, encr))));
        proptest::strategy::Union::new(choices)
    })
}

fn lifetimes() -> impl Strategy<Value = String> {
    let value = 1000_u64..2_000_000_000;
    let soft = 100_u64..1000;
    (proptest::option::of(value), proptest::option::of(soft), 0_usize..3).prop_map(|(hard, soft, which)| {
        let name = ["bytes", "addtime", "usetime"][which];
        let hard = hard.map_or(String::new(), |value| format!(" hard_{name} {value}"));
        let soft = soft.map_or(String::new(), |value| format!(" soft_{name} {value} idle_addtime 77"));
        format!("{hard}{soft}")
    })
}

fn extras() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        (1_u16.., 1_u16..).prop_map(|(sport, dport)| format!(" sport {sport} dport {dport} proto 17")),
        (0_u32..33).prop_map(|window| format!(" replay {window}")),
        (1_u32..).prop_map(|value| format!(" replay 32 replay_value {value}")),
        "[a-z]{1,12}( [a-z]{1,9})?"
            .prop_map(|name| format!(" srcidtype fqdn \"{name}\" dstidtype mailbox user@{}", name.replace(' ', "."))),
        (0_u8..33, 0_u8..33).prop_map(|(a, b)| format!(" proto 4 isrc 10.1.2.0/{a} idst 10.3.4.0/{b} isport 5 iproto 6")),
        (0_u8..129).prop_map(|a| format!(" isrc 2001:db8:1::/{a} idst 2001:db8:2::9")),
    ]
}

/// One SA, or a pair of them.
fn sas() -> impl Strategy<Value = String> {
    (protection(), lifetimes(), extras(), 256_u32.., 0_usize..4, any::<bool>(), any::<bool>()).prop_map(
        |((ah, protection), lifetimes, extras, spi, direction, six, paired)| {
            let sa_type = if ah { "ah" } else { "esp" };
            let (a, b) = if six { ("2001:db8::1", "2001:db8::2") } else { ("192.0.2.1", "192.0.2.2") };
            let one = |spi: u32, src: &str, dst: &str, rest: &str| {
                format!("add {sa_type} spi {spi:#x} src {src} dst {dst} {protection}{lifetimes}{extras}{rest}\n")
            };
            if paired {
                let other = spi ^ 1;
                let outbound = one(spi, a, b, " outbound");
                return format!("{outbound}{}", one(other, b, a, &format!(" inbound pair-spi {spi:#x}")));
            }
            // A cipher with a salt needs one direction (docs/behaviour.md, salt-in-both-tables).
            let direction =
                if protection.contains("aes-gcm") || protection.contains("aes-ccm") { 1 + direction % 2 } else { direction };
            one(spi, a, b, ["", " inbound", " outbound", " inbound outbound"][direction])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn save_then_load_gives_the_same_state(texts in proptest::collection::vec(sas(), 1..12)) {
        let mut first = model();
        load(&mut *first, &texts.concat());
        let (text, blocks) = saved(&mut *first);
        prop_assert!(!blocks.is_empty(), "nothing was added of\n{}", texts.concat());

        let mut second = model();
        let failures = load(&mut *second, &text);
        prop_assert!(failures.is_empty(), "{failures:?}\n{text}");
        prop_assert_eq!(saved(&mut *second).1, blocks);
    }
}

/// One SA for each feature, not random: SAs that the model refuses would weaken the property above unnoticed.
#[test]
fn save_then_load_keeps_each_feature() {
    let key = "encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f";
    let text = [
        format!("add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.2 outbound {key}"),
        format!("add esp spi 0x1002 src 192.0.2.2 dst 192.0.2.1 inbound pair-spi 0x1001 {key}"),
        format!("add esp spi 0x1003 src 192.0.2.1 dst 192.0.2.3 inbound outbound {key}"),
        format!("add esp spi 0x1004 src 192.0.2.1 dst 192.0.2.4 encap udp nat_loc 203.0.113.1 nat_lport 4500 nat_rem 10.0.0.9 nat_rport 4501 {key}"),
        format!("add esp spi 0x1005 src 192.0.2.1 dst 192.0.2.5 proto 41 isrc 2001:db8::/64 idst 2001:db8:1::/64 iproto 6 idport 80 {key}"),
        "add ah spi 0x1006 src 2001:db8::1 dst 2001:db8::2 auth_alg sha256 authkey \
         000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f srcidtype fqdn \"two words\""
            .to_owned(),
        "add esp spi 0x1007 src 192.0.2.1 dst 192.0.2.7 outbound encr_alg aes-gcm encrkey 000102030405060708090a0b0c0d0e0f10111213".to_owned(),
    ]
    .join("\n");
    let mut first = model();
    assert_eq!(load(&mut *first, &text), Vec::<String>::new());
    let (saved_text, blocks) = saved(&mut *first);
    assert_eq!(blocks.len(), 7);
    let mut second = model();
    assert_eq!(load(&mut *second, &saved_text), Vec::<String>::new());
    assert_eq!(saved(&mut *second).1, blocks);
}
