//! The life of SAs: they expire, are deleted, flushed, paired, updated.

use std::thread;
use std::time::Duration;

use crate::monitor::Monitor;
use crate::space::Space;

const KEY: &str = "auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f";

/// Adds an AH SA with these additional keywords.
fn ah(spi: u32, words: &str) -> String {
    format!("add ah spi {spi:#x} src 10.0.0.1 dst 10.0.0.2 {KEY} {words}\n")
}

/// SPIs in the kernel, in the order of addition.
fn spis(space: &Space) -> Vec<String> {
    let spi = |state: &String| state.split_once("spi ").and_then(|(_, rest)| rest.split('(').next()).map(str::to_owned);
    space.states().iter().filter_map(spi).collect()
}

fn assert_soft_and_hard_lifetime_expire(sadb: &'static str) {
    let space = Space::with_sadb(sadb);
    let monitor = Monitor::start(&space);
    space.load(&ah(0x100, "soft_addtime 2 hard_addtime 4"));
    monitor.wait_for("ADD", 0x100, 1);
    let [soft, hard] = &monitor.wait_for("EXPIRE", 0x100, 2)[..] else { panic!("expected two messages") };
    assert!(soft.contains("state=DYING") && soft.contains("SLT: 2 seconds"), "{soft}");
    assert!(hard.contains("state=DEAD") && hard.contains("HLT: 4 seconds"), "{hard}");
    assert_eq!(spis(&space), [""; 0]);
    assert!(!monitor.output().contains("000102030405"), "a key is broadcast to all listeners");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn xfrm_soft_and_hard_lifetime_expire() {
    assert_soft_and_hard_lifetime_expire("xfrm");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn pfkey_soft_and_hard_lifetime_expire() {
    assert_soft_and_hard_lifetime_expire("pfkey");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn monitor_shows_add_update_and_delete() {
    for sadb in ["xfrm", "pfkey"] {
        let space = Space::with_sadb(sadb);
        let monitor = Monitor::start(&space);
        space.load(&ah(0x100, "hard_addtime 500"));
        space.load("update ah spi 0x100 dst 10.0.0.2 hard_addtime 600\n");
        space.load("delete ah spi 0x100 dst 10.0.0.2\n");
        monitor.wait_for("ADD", 0x100, 1);
        monitor.wait_for("UPDATE", 0x100, 1);
        monitor.wait_for("DELETE", 0x100, 1);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn flush_esp_leaves_ah() {
    for sadb in ["xfrm", "pfkey"] {
        let space = Space::with_sadb(sadb);
        let esp = format!("add esp spi 0x101 src 10.0.0.1 dst 10.0.0.2 {KEY}\n");
        space.load(&(ah(0x100, "") + &esp + &esp.replace("0x101", "0x102")));
        space.ipseckey("flush esp").succeeded();
        assert_eq!(spis(&space), ["0x00000100"], "{sadb}");
        space.ipseckey("flush").succeeded();
        assert_eq!(spis(&space), [""; 0], "{sadb}");
        // A flush or dump without SAs succeeds.
        space.ipseckey("flush").succeeded();
        assert!(!space.ipseckey("dump").succeeded().contains("Base message"), "{sadb}");
    }
}

/// Two SAs of opposite directions, the second paired with the first.
fn pair() -> String {
    format!(
        "add ah spi 0x201 src 10.0.0.2 dst 10.0.0.1 inbound {KEY}\n\
         add ah spi 0x202 src 10.0.0.1 dst 10.0.0.2 outbound pair-spi 0x201 {KEY}\n"
    )
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn pair_is_shown_updated_and_deleted_as_one() {
    let space = Space::new();
    space.load(&(pair() + &ah(0x203, "")));
    for (name, other) in [("spi 0x201 dst 10.0.0.1", "0x202"), ("spi 0x202 dst 10.0.0.2", "0x201")] {
        let got = space.ipseckey(&format!("get ah {name}")).succeeded();
        assert!(got.contains(&format!("OTH: Paired with spi={other}")), "{got}");
    }
    space.load("update-pair ah spi 0x202 dst 10.0.0.2 hard_addtime 777\n");
    let limited: Vec<bool> = space.states().iter().map(|state| state.contains("hard 777(sec)")).collect();
    assert_eq!(limited, [true, true, false]);
    space.ipseckey("delete-pair ah spi 0x201 dst 10.0.0.1").succeeded();
    assert_eq!(spis(&space), ["0x00000203"]);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn side_store_entry_is_dropped_with_its_sa() {
    let space = Space::new();
    let paired = |space: &Space| space.ipseckey("dump").succeeded().matches("OTH: Paired").count();
    space.load(&pair());
    assert_eq!(paired(&space), 2);
    // Another program deletes one of them.
    space.ip("xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto ah spi 0x202");
    assert_eq!(paired(&space), 0);
    // An SA with the same identity, added a second later, is a different one.
    thread::sleep(Duration::from_secs(1));
    space.load(&ah(0x202, ""));
    assert_eq!(paired(&space), 0);
    space.ip("xfrm state flush");
    assert!(!space.saved().contains("spi"));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn update_changes_only_the_given_fields() {
    for sadb in ["xfrm", "pfkey"] {
        let space = Space::with_sadb(sadb);
        let esp = "add esp spi 0x100 src 10.0.0.1 dst 10.0.0.2 outbound encap udp nat_lport 4500 nat_rport 4501 replay 8 \
                   soft_bytes 1000 hard_addtime 500";
        space.load(&format!("{esp} {KEY}\n"));
        let before = space.states().concat();
        space.load("update esp spi 0x100 dst 10.0.0.2 hard_addtime 600\n");
        let expected = before.replace("hard 500(sec)", "hard 600(sec)");
        assert_ne!(before, expected);
        assert_eq!(space.states().concat(), expected, "{sadb}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn save_by_pfkey_omits_sa_with_unreported_cipher() {
    let space = Space::with_sadb("pfkey");
    space.ip("xfrm state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x100 aead rfc4106(gcm(aes)) \
         0x000102030405060708090a0b0c0d0e0f10111213 128");
    let ran = space.ipseckey("save all");
    assert!(ran.status == 1 && ran.err.contains("has algorithms that PF_KEY does not report: not saved"), "{ran:?}");
    let saved = ran.out;
    assert!(
        saved.contains("# WARNING: esp spi 0x100 dst 10.0.0.2 has algorithms that PF_KEY does not report: not saved."),
        "{saved}"
    );
    assert!(!saved.contains("add esp"), "{saved}");
}
