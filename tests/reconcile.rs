//! `ipseckey plan` and `ipseckey reconcile` on a model SADB.

mod support;

use std::fs;
use std::process::Output;

use support::model::Model;

const KEY: &str = "000102030405060708090a0b0c0d0e0f";

fn line(spi: u32, words: &str) -> String {
    format!("add esp spi {spi:#x} src 192.0.2.1 dst 198.51.100.7 encr_alg aes encrkey {KEY} {words}\n")
}

fn file(model: &Model, text: &str) -> String {
    let path = model.path("desired");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn run(model: &Model, words: &[&str], text: &str) -> Output {
    model.run(&[words, &[&file(model, text)]].concat())
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn plan_prints_what_reconcile_does() {
    let model = Model::start(&["192.0.2.1"]);
    model.load(&(line(1, "hard_addtime 5000") + &line(2, "") + &line(3, "")));
    let text = line(1, "hard_addtime 6000") + &line(3, "") + &line(4, "");
    let before = model.saved();

    let planned = run(&model, &["plan"], &text);
    assert_eq!(planned.status.code(), Some(3));
    let expected = "add     esp spi 0x4 dst 198.51.100.7 (line 3)\n\
                  update  esp spi 0x1 dst 198.51.100.7 (line 1): hard_addtime 5000 -> 6000\n\
                  remove  esp spi 0x2 dst 198.51.100.7\n\
                  1 added, 1 updated, 0 replaced, 1 removed, 1 kept\n";
    assert_eq!(printed(&planned), expected);
    assert_eq!(model.saved(), before);

    let done = run(&model, &["reconcile"], &text);
    assert_eq!(
        (done.status.code(), printed(&done)),
        (Some(0), "ipseckey: 1 added, 1 updated, 0 replaced, 1 removed, 1 kept\n".to_owned())
    );
    let again = run(&model, &["plan"], &text);
    assert_eq!(
        (again.status.code(), printed(&again)),
        (Some(0), "0 added, 0 updated, 0 replaced, 0 removed, 3 kept\n".to_owned())
    );
}

#[test]
fn reconcile_inbound_names_sas_for_both_directions() {
    let model = Model::start(&["fe80::1"]);
    let ah = |dst: &str| {
        format!("add ah spi 0x1000 dst6 {dst} proto 89 auth_alg sha1 authkey 0102030405060708090a0b0c0d0e0f1011121314\n")
    };
    let done = run(&model, &["reconcile", "--inbound"], &(ah("ff02::5") + &ah("ff02::6") + &ah("fe80::2")));
    let text = printed(&done);
    assert_eq!(done.status.code(), Some(0), "{text}");
    assert!(
        text.contains("warning: 2 SAs are for both directions, and not added or changed") && text.contains("0 added"),
        "{text}"
    );
}

#[test]
fn plan_masks_identities_that_may_be_keys() {
    let model = Model::start(&["192.0.2.1"]);
    model.load(&line(1, "srcidtype fqdn Dx4tPEtaaXiHlqW0w9Lh8A== dstidtype fqdn a.example"));
    let text = line(1, "srcidtype fqdn \"0f1e 2d3c 4b5a 6978\" dstidtype fqdn b.example");
    for words in [&["plan"][..], &["--json", "plan"], &["--json", "-v", "reconcile"]] {
        let printed = printed(&run(&model, words, &text));
        assert!(printed.contains("XXXX") && printed.contains("b.example"), "{printed}");
        assert!(!printed.contains("Dx4t") && !printed.contains("0f1e"), "{words:?}: {printed}");
    }
}

#[test]
fn reconcile_keep_others_removes_nothing() {
    let model = Model::start(&["192.0.2.1"]);
    model.load(&line(1, ""));
    let done = run(&model, &["reconcile", "--keep-others"], &line(2, ""));
    assert_eq!(printed(&done), "ipseckey: 1 added, 0 updated, 0 replaced, 0 removed, 0 kept, 1 foreign\n");
    assert_eq!(model.saved().matches("add esp").count(), 2);
}

#[test]
fn reconcile_refuses_a_file_without_an_add() {
    let model = Model::start(&[]);
    model.load(&line(1, ""));
    for text in ["", "# none\n", "flush\n"] {
        for tool in ["reconcile", "plan"] {
            let refused = run(&model, &[tool], text);
            let reported = String::from_utf8_lossy(&refused.stderr);
            assert_eq!(refused.status.code(), Some(1), "{tool} {text:?}: {reported}");
            assert!(reported.contains("adds no SA: expected at least one add"), "{reported}");
        }
        assert_eq!(model.saved().matches("add esp").count(), 1);
    }
    assert!(run(&model, &["reconcile", "--keep-others"], "").status.success());
    assert_eq!(model.saved().matches("add esp").count(), 1);
    assert!(run(&model, &["reconcile", "--allow-empty"], "").status.success());
    assert_eq!(model.saved().matches("add esp").count(), 0);
}

#[test]
fn reconcile_changes_nothing_if_the_file_has_an_error() {
    let model = Model::start(&["192.0.2.1"]);
    model.load(&line(1, ""));
    let before = model.saved();
    for text in [line(2, "") + "bogus\n", line(2, "") + &line(2, ""), line(2, "") + "dump\n", line(2, "pair-spi 3")] {
        for word in ["plan", "reconcile"] {
            let output = run(&model, &[word], &text);
            assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
            assert!(!printed(&output).contains(KEY), "{}", printed(&output));
            assert_eq!(model.saved(), before);
        }
    }
}

#[test]
fn reconcile_rolls_back_and_names_the_refused_step() {
    let model = Model::start(&["192.0.2.1"]);
    model.load(&line(1, ""));
    let before = model.saved();
    // The model refuses an AES key of 104 bits, which `-c` accepts.
    let text = line(2, "") + &line(3, "").replace(KEY, &KEY[..26]);
    let output = run(&model, &["reconcile"], &text);
    assert_eq!(output.status.code(), Some(1));
    let reported = printed(&output);
    assert!(reported.contains("reconcile: line 2: esp spi 0x3 dst 198.51.100.7: "), "{reported}");
    assert!(reported.contains("earlier changes were rolled back"), "{reported}");
    assert_eq!(model.saved(), before);
}

#[test]
fn reconcile_preserves_sequence_numbers_of_an_unchanged_key() {
    let model = Model::start(&["192.0.2.1"]);
    model.load(&line(1, "outbound replay_value 1000"));
    let replaced = run(&model, &["reconcile"], &line(1, "outbound replay 32"));
    assert_eq!(replaced.status.code(), Some(0), "{}", printed(&replaced));
    assert!(model.saved().contains("replay_value 5096"), "{}", model.saved());
    let rekeyed = run(&model, &["reconcile"], &line(1, "outbound replay 32").replace(KEY, &KEY.replace("00", "10")));
    assert_eq!(rekeyed.status.code(), Some(0), "{}", printed(&rekeyed));
    assert!(!model.saved().contains("replay_value"), "{}", model.saved());
}

#[test]
fn reconcile_changes_keys_in_three_steps() {
    let model = Model::start(&["192.0.2.1"]);
    let back =
        |spi: u32| format!("add esp spi {spi:#x} src 198.51.100.7 dst 192.0.2.1 inbound encr_alg aes encrkey {KEY}\n");
    model.load(&(line(0x1001, "outbound") + &back(0x1002)));
    let new = line(0x2001, "outbound") + &back(0x2002);
    for (words, reported) in [
        (&["reconcile", "--inbound"][..], "1 added, 0 updated, 0 replaced, 0 removed, 0 kept, 2 foreign\n"),
        (&["reconcile", "--keep-others"], "1 added, 0 updated, 0 replaced, 0 removed, 1 kept, 2 foreign\n"),
        (&["reconcile"], "0 added, 0 updated, 0 replaced, 2 removed, 2 kept\n"),
    ] {
        assert_eq!(printed(&run(&model, words, &new)), format!("ipseckey: {reported}"));
    }
}

/// On illumos an UPDATE changes one of the two copies of such an SA, and the SA would expire with the other.
#[test]
fn reconcile_changes_both_copies_of_an_sa_in_both_tables() {
    let model = Model::start(&[]);
    let group =
        |limit: u32| format!("add ah spi 0x9001 dst6 ff02::5 proto 89 auth_alg md5 authkey {KEY} hard_addtime {limit}\n");
    model.load(&group(5000));
    assert_eq!(run(&model, &["reconcile"], &group(6000)).status.code(), Some(0));
    for direction in ["inbound", "outbound"] {
        let text = model.ok(&["-n", "get", "ah", "spi", "0x9001", "dst6", "ff02::5", direction]);
        assert!(text.contains("HLT: 6000 seconds"), "{direction}: {text}");
    }
    assert_eq!(run(&model, &["plan"], &group(6000)).status.code(), Some(0));
    // Only one copy is changed by another program.
    let update = "update ah spi 0x9001 dst6 ff02::5 inbound hard_addtime 7000\n";
    assert!(model.typed(update).status.success());
    assert_eq!(run(&model, &["plan"], &group(6000)).status.code(), Some(3));
    assert_eq!(run(&model, &["reconcile"], &group(6000)).status.code(), Some(0));
    assert_eq!(run(&model, &["plan"], &group(6000)).status.code(), Some(0));
}

#[test]
fn reconcile_ignores_host_bits_that_illumos_clears() {
    let model = Model::start(&["192.0.2.1"]);
    let text = line(1, "isrc 10.1.0.1/16 idst 10.2.0.1/16");
    assert_eq!(run(&model, &["reconcile"], &text).status.code(), Some(0));
    assert_eq!(run(&model, &["plan"], &text).status.code(), Some(0));
    assert_eq!(run(&model, &["plan"], &line(1, "isrc 10.1.0.1/16 idst 10.3.0.1/16")).status.code(), Some(3));
}
