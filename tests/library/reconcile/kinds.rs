//! Each kind of change, of SAs in one table of illumos and of SAs in both: what `plan` finds, `reconcile` changes, in every copy.

use super::*;
use crate::model::Settings;
use crate::sa::{Endpoint, Flags, Request};
use crate::sadb::{Embedded, Illumos};

type Host = Illumos<Embedded>;

const ENDS: &str = "src 192.0.2.1 dst 192.0.2.2";
const AES: &str = "encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f";
const SHA1: &str = "auth_alg sha1 authkey 000102030405060708090a0b0c0d0e0f10111213";

/// What is changed, and the words of an SA before and after.
const KINDS: &[(&str, &str, &str)] = &[
    ("encrkey", "{ENDS} {AES} {SHA1}", "{ENDS} encr_alg aes encrkey f00102030405060708090a0b0c0d0e0f {SHA1}"),
    ("authkey", "{ENDS} {AES} {SHA1}", "{ENDS} {AES} auth_alg sha1 authkey f00102030405060708090a0b0c0d0e0f10111213"),
    (
        "encr_alg",
        "{ENDS} {AES} {SHA1}",
        "{ENDS} encr_alg 3des encrkey 010203040506070811121314151617182122232425262728 {SHA1}",
    ),
    ("auth_alg", "{ENDS} {AES} {SHA1}", "{ENDS} {AES} auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f"),
    ("authentication", "{ENDS} {AES} {SHA1}", "{ENDS} {AES}"),
    ("src", "{ENDS} {AES} {SHA1}", "src 192.0.2.3 dst 192.0.2.2 {AES} {SHA1}"),
    ("proto and ports", "{ENDS} {AES} {SHA1}", "{ENDS} proto 17 sport 53 dport 5353 {AES} {SHA1}"),
    ("tunnel", "{ENDS} {AES} {SHA1}", "{ENDS} isrc 10.1.0.0/16 idst 10.2.0.0/16 {AES} {SHA1}"),
    (
        "inner addresses",
        "{ENDS} isrc 10.1.0.0/16 idst 10.2.0.0/16 {AES} {SHA1}",
        "{ENDS} isrc 10.1.0.0/24 idst 10.2.0.9/16 {AES} {SHA1}",
    ),
    ("replay", "{ENDS} replay 32 {AES} {SHA1}", "{ENDS} replay 64 {AES} {SHA1}"),
    (
        "NAT-T address and port",
        "{ENDS} encap udp nat_rem 198.51.100.1 nat_rport 4500 {AES} {SHA1}",
        "{ENDS} encap udp nat_rem 198.51.100.2 nat_rport 4501 {AES} {SHA1}",
    ),
    ("encap", "{ENDS} {AES} {SHA1}", "{ENDS} encap udp nat_lport 4500 {AES} {SHA1}"),
    ("identity", "{ENDS} srcidtype fqdn a.example {AES} {SHA1}", "{ENDS} srcidtype fqdn b.example {AES} {SHA1}"),
    ("hard limits", "{ENDS} hard_addtime 80000 {AES} {SHA1}", "{ENDS} hard_addtime 90000 hard_bytes 1000000 {AES} {SHA1}"),
    (
        "soft limits",
        "{ENDS} hard_addtime 80000 hard_bytes 9000 {AES} {SHA1}",
        "{ENDS} hard_addtime 80000 hard_bytes 9000 soft_addtime 70000 soft_bytes 7000 {AES} {SHA1}",
    ),
    (
        "a soft limit that illumos shortens to nothing",
        "{ENDS} hard_addtime 80000 {AES} {SHA1}",
        "{ENDS} hard_addtime 80000 soft_addtime 8 {AES} {SHA1}",
    ),
    (
        "a soft limit that illumos wraps",
        "{ENDS} hard_addtime 80000 soft_addtime 600 {AES} {SHA1}",
        "{ENDS} hard_addtime 80000 soft_addtime 5 {AES} {SHA1}",
    ),
    ("idle limits", "{ENDS} idle_addtime 600 {AES} {SHA1}", "{ENDS} idle_addtime 900 idle_usetime 300 {AES} {SHA1}"),
];

fn line(words: &str, direction: &str) -> String {
    let words = words.replace("{ENDS}", ENDS).replace("{AES}", AES).replace("{SHA1}", SHA1);
    format!("add esp spi 0x1001 {words} {direction}\n")
}

/// A host without addresses: an SA without a direction is in both tables.
fn host() -> Host {
    Illumos::new(Embedded::new(Settings::default()))
}

/// The SA as `save` writes it, from the inbound and from the outbound table. A wrapped soft limit, which is not saved, is none.
fn copies(sadb: &mut Host) -> [String; 2] {
    let dst = Some(Endpoint { addr: "192.0.2.2".parse().unwrap(), port: 0, proto: 0 });
    [Flags::INBOUND, Flags::OUTBOUND].map(|flags| {
        let found = sadb.get(&Request { sa_type: SaType::ESP, spi: Spi(0x1001), dst, flags, ..Request::default() }).unwrap();
        let mut text = Vec::new();
        Saver::new(false).save(&mut text, &found).unwrap();
        without_shortened(&String::from_utf8(text).unwrap())
    })
}

/// `text` without the value that illumos changes, which the plans compare with a tolerance.
fn without_shortened(text: &str) -> String {
    let mut words = text.split_whitespace().filter(|word| *word != "\\");
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        if word == "soft_addtime" {
            words.next();
        } else {
            kept.push(word);
        }
    }
    kept.join(" ")
}

fn reconcile(text: &str, sadb: &mut Host) -> usize {
    let plan = plan(text, sadb);
    let steps = plan.steps.len();
    reconcile::execute(plan, sadb, &mut |_| {}).unwrap();
    steps
}

#[test]
fn reconcile_converges_for_each_kind_of_change_in_one_table_and_in_both() {
    assert!(KINDS.len() >= 13);
    for (kind, before, after) in KINDS {
        for direction in ["inbound", "outbound", "inbound outbound", ""] {
            for (old, new) in [(before, after), (after, before)] {
                let [old, new] = [old, new].map(|words| line(words, direction));
                let (mut fresh, mut sadb) = (host(), host());
                load(&new, &mut fresh);
                load(&old, &mut sadb);
                let steps = reconcile(&new, &mut sadb);
                // What illumos shortens to nothing is no soft limit, before and after.
                let may_be_none = kind.contains("to nothing");
                assert!(steps == 1 || (may_be_none && steps == 0), "{kind} {direction:?}: {steps} steps");
                assert_eq!(copies(&mut sadb), copies(&mut fresh), "{kind} {direction:?}");
                assert_eq!(words(&plan(&new, &mut sadb).steps), [""; 0], "{kind} {direction:?}");
            }
        }
    }
}

#[test]
fn reconcile_converges_for_a_change_of_the_direction() {
    let directions = ["inbound", "outbound", "inbound outbound"];
    for (old, new) in directions.iter().flat_map(|old| directions.map(|new| (*old, new))) {
        let words = "{ENDS} {AES} {SHA1}";
        let (mut fresh, mut sadb) = (host(), host());
        load(&line(words, new), &mut fresh);
        load(&line(words, old), &mut sadb);
        assert_eq!(reconcile(&line(words, new), &mut sadb), usize::from(old != new), "{old} to {new}");
        assert_eq!(copies(&mut sadb), copies(&mut fresh), "{old} to {new}");
    }
}

#[test]
fn reconcile_refuses_to_remove_a_combined_cipher_in_both_tables() {
    let gcm = line("{ENDS} encr_alg aes-gcm encrkey 000102030405060708090a0b0c0d0e0f10111213", "");
    let other = line("{ENDS} {AES} {SHA1}", "outbound").replace("0x1001", "0x1002");
    let mut sadb = host();
    each_command(&gcm, &mut |_, command| {
        let Command::Sa(command) = command else { panic!("another command") };
        sadb.other_program().add(&command.request).unwrap();
    });
    // To be removed, replaced; and kept, or not touched at all.
    for text in [&other, &line("{ENDS} {AES} {SHA1}", "")] {
        let refused = reconcile::plan(&goal(text), &mut sadb, &options()).err().map(|error| error.to_string());
        assert!(refused.as_ref().is_some_and(|text| text.contains("0x1001") && text.contains("salt twice")), "{refused:?}");
    }
    assert_eq!(reconcile(&(gcm.clone() + &other), &mut sadb), 1);
    let named = PlanOptions { scope: PlanScope::Named, ..options() };
    let plan = reconcile::plan(&goal(&other), &mut sadb, &named).unwrap();
    assert_eq!((plan.steps.len(), plan.foreign), (0, 1));
}

/// With `policy = "none"`: SAs that the service has added with its policies have its reqid.
#[test]
fn plan_replaces_sas_that_have_the_reqid_of_the_service_without_its_policies() {
    let text = |reqid: &str| {
        let key = "encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f auth_alg sha256 authkey";
        format!("add esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 {reqid} {key} {}\n", "2a".repeat(32))
    };
    let mut sadb = SadbTarget::Model(Vocabulary::Linux).open().expect("opens");
    goal::each_command(&text("reqid 1835728896"), Vocabulary::Linux, &mut |_, command| {
        let Command::Sa(command) = command else { panic!("another command") };
        apply::apply(command, &mut *sadb, &mut |_, outcome| assert!(!matches!(outcome, Outcome::Failed(_))));
    });
    let mut fields = |reqid: &str, lacks: bool, scope: PlanScope<'_>| -> Vec<&str> {
        let goal = goal::goal(&text(reqid), Vocabulary::Linux);
        let goal = if lacks { goal.without_service_reqid() } else { goal };
        let plan = reconcile::plan(&goal, &mut *sadb, &PlanOptions { scope, ..options() }).expect("a plan");
        plan.steps.iter().flat_map(|step| step.change.differences.iter().map(|difference| difference.field)).collect()
    };
    assert_eq!(fields("", true, PlanScope::All), ["reqid"]);
    assert_eq!(fields("", false, PlanScope::All), [""; 0], "the service has policies");
    assert_eq!(fields("reqid 1835728896", true, PlanScope::All), [""; 0], "the file says so");
    assert_eq!(fields("", true, PlanScope::Owned(&|_, _| false)), [""; 0], "another program's SA");
    assert_eq!(fields("reqid 7", true, PlanScope::All), ["reqid"], "once");
}
