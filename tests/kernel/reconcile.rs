//! `reconcile` in a real kernel: unchanged SAs are not touched, others are updated in place or replaced, and a refusal causes a
//! rollback.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use ipseckey::internals::kernel::reconcile_with_refusal;

use crate::space::{Ran, Space, private_file};

const KEY: &str = "encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f auth_alg sha256 \
                   authkey 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn esp(spi: u32, words: &str) -> String {
    format!("add esp spi {spi:#x} src 10.0.0.1 dst 10.0.0.2 {KEY} {words}\n")
}

/// Runs `plan` or `reconcile`.
pub fn with_file(space: &Space, word: &str, keys: &str) -> Ran {
    let file = private_file(keys);
    let ran = space.ipseckey(&format!("{word} {}", file.display()));
    std::fs::remove_file(file).expect("the keys file exists");
    ran
}

/// Every kind of SA in the cases.
fn cases() -> impl Iterator<Item = (String, String)> {
    ["xfrm", "pfkey"].into_iter().flat_map(|sadb| {
        let directory = format!("{}/tests/kernel/cases/{sadb}", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(directory).expect("the cases").map(|entry| entry.expect("a case").path());
        let keys = files.filter(|path| path.extension().is_some_and(|ext| ext == "keys"));
        keys.map(move |path| (sadb.to_owned(), std::fs::read_to_string(path).expect("a keys file"))).collect::<Vec<_>>()
    })
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn plan_is_empty_after_a_load() {
    for (sadb, keys) in cases() {
        if keys.contains("\nupdate") || keys.contains("\ndelete") {
            continue;
        }
        let space = Space::with_sadb(if sadb == "xfrm" { "xfrm" } else { "pfkey" });
        space.load(&keys);
        let planned = with_file(&space, "plan", &keys);
        assert_eq!(planned.status, 0, "{sadb}: {}{}\n{keys}", planned.out, planned.err);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reconcile_updates_in_place_or_replaces() {
    for (old, new, step) in [
        ("hard_addtime 5000", "hard_addtime 6000", "update"),
        ("", "hard_bytes 5000000", "update"),
        ("hard_bytes 5000000", "", "replace"),
        ("soft_packets 7", "soft_packets 8", "update"),
        ("encap udp nat_lport 4500 nat_rport 4501", "encap udp nat_lport 4500 nat_rport 4502", "update"),
        ("output-mark 1", "output-mark 2", "update"),
        ("if_id 1", "if_id 2", "update"),
        ("replay 32", "replay 64", "replace"),
        ("reqid 1", "reqid 2", "replace"),
        ("", "mode tunnel", "replace"),
        ("", "isrc 10.1.0.0/16 idst 10.2.0.0/16", "replace"),
        ("srcidtype fqdn a.example", "srcidtype fqdn b.example", "replace"),
        ("idle_addtime 5000", "idle_addtime 6000", "update"),
    ] {
        let space = Space::with_sadb("xfrm");
        space.load(&(esp(0x100, old) + &esp(0x101, "")));
        let new = esp(0x100, new) + &esp(0x101, "");
        let planned = with_file(&space, "plan", &new);
        assert!(planned.status == 3 && planned.out.starts_with(step), "{old:?} {new}{}{}", planned.out, planned.err);
        with_file(&space, "reconcile", &new).succeeded();
        let again = with_file(&space, "plan", &new);
        assert!(again.out.ends_with("0 added, 0 updated, 0 replaced, 0 removed, 2 kept\n"), "{}", again.out);
        let fresh = Space::with_sadb("xfrm");
        fresh.load(&new);
        let (mut found, mut expected) = (space.states(), fresh.states());
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}

/// A foreign SA, like those of strongSwan.
const FOREIGN: &str = "xfrm state add src 10.0.0.9 dst 10.0.0.8 proto esp spi 0xc0ffee reqid 7 mode tunnel mark 0x2a mask 0xff \
                       aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128";

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reconcile_keeps_foreign_sas_unless_all_is_given() {
    const KEPT: &str = "1 foreign SA, added by neither ipseckey nor manual-key, is kept; --all removes foreign SAs as well";
    for sadb in ["xfrm", "pfkey"] {
        let space = Space::with_sadb(sadb);
        // PF_KEY cannot name an SA with a mark.
        space.ip(&if sadb == "xfrm" { FOREIGN.to_owned() } else { FOREIGN.replace(" mark 0x2a mask 0xff", "") });
        space.ip("xfrm state allocspi src 10.0.0.9 dst 10.0.0.8 proto esp reqid 9 mode tunnel min 0x5000 max 0x5000");
        let foreign = space.states();
        // Its own: added by a load, and by a former reconcile.
        space.load(&esp(0x100, ""));
        with_file(&space, "reconcile --keep-others", &esp(0x101, "")).succeeded();
        assert_eq!(space.states().len(), 4, "{sadb}");
        let planned = with_file(&space, "plan", &esp(0x102, ""));
        assert!(
            planned.err.contains(&KEPT.replacen("1 foreign SA,", "2 foreign SAs,", 1).replace(" is ", " are ")),
            "{}",
            planned.err
        );
        assert!(!planned.out.contains("0xc0ffee") && !planned.out.contains("0x5000"), "{}", planned.out);
        assert!(planned.out.ends_with("1 added, 0 updated, 0 replaced, 2 removed, 0 kept, 2 foreign\n"), "{}", planned.out);
        space.ip("xfrm state delete dst 10.0.0.8 proto esp spi 0x5000");
        let done = with_file(&space, "reconcile", &esp(0x102, ""));
        assert!(done.err.contains(KEPT), "{}", done.err);
        done.succeeded();
        assert_eq!(space.states().len(), 2, "{sadb}");
        assert!(foreign.contains(&space.states()[0]), "{sadb}");
        with_file(&space, "reconcile --all", &esp(0x102, "")).succeeded();
        assert_eq!(space.states().len(), 1, "{sadb}");
    }
}

/// `manual-key METHOD` of a separate service that reconciles its own SAs.
fn service(space: &Space, directory: &Path, method: &str, keys: &str) -> Ran {
    service_behind(&[], space, directory, method, keys)
}

/// The same, run by another command.
fn service_behind(runner: &[&str], space: &Space, directory: &Path, method: &str, keys: &str) -> Ran {
    let (keys, config) = (private_file(keys), directory.join("manual-key.toml"));
    std::fs::write(&config, "refresh = \"reconcile\"\nflush = \"owned\"\nsadb = \"xfrm\"\n").expect("writes");
    let words = [runner, &[env!("CARGO_BIN_EXE_manual-key"), method, "--config-file"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(&keys).arg("--config").arg(config).env("RUNTIME_DIRECTORY", directory);
    let ran = space.run(command);
    std::fs::remove_file(keys).expect("the keys file exists");
    ran
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reconcile_by_service_keeps_foreign_sas() {
    let (space, directory) = (Space::with_sadb("xfrm"), tempfile::tempdir().expect("a directory"));
    space.ip(FOREIGN);
    let foreign = space.states();
    service(&space, directory.path(), "start", &(esp(0x100, "") + &esp(0x101, ""))).succeeded();
    assert_eq!(space.states().len(), 3);
    let refreshed = service(&space, directory.path(), "refresh", &(esp(0x101, "") + &esp(0x102, "")));
    let reported = refreshed.err.clone();
    refreshed.succeeded();
    assert!(reported.contains("1 added, 0 updated, 0 replaced, 1 removed, 1 kept, 1 foreign"), "{reported}");
    service(&space, directory.path(), "stop", &esp(0x101, "")).succeeded();
    assert_eq!(space.states(), foreign);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reconcile_of_unchanged_file_sends_only_a_dump() {
    const COUNT: u32 = 10_000;
    let space = Space::with_sadb("xfrm");
    let keys: String =
        (0..COUNT).map(|at| esp(0x1000 + at, "").replace("10.0.0.2", &format!("10.1.{}.{}", at / 250, at % 250))).collect();
    space.load(&keys);
    let reported = with_file(&space, "-v reconcile", &keys).succeeded();
    assert_eq!(reported.matches("VERBOSE ON").count(), 1, "{}", &reported[..reported.len().min(2000)]);
    assert!(reported.contains("type DUMP"), "{reported}");
    let timed = |work: &dyn Fn()| {
        let best = (0..3).map(|_| {
            let started = Instant::now();
            work();
            started.elapsed()
        });
        best.min().expect("three")
    };
    let dump = timed(&|| drop(space.ipseckey("dump").succeeded()));
    let reconcile = timed(&|| drop(with_file(&space, "reconcile", &keys).succeeded()));
    let _ = writeln!(std::io::stderr(), "10,000 unchanged SAs: dump {dump:?}, reconcile {reconcile:?}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reconcile_killed_at_any_message_is_completed_by_refresh() {
    const FEWEST: usize = 6;
    let (old, new) = old_and_new();
    for nth in 1.. {
        let (space, directory) = (Space::with_sadb("xfrm"), tempfile::tempdir().expect("a directory"));
        space.ip(FOREIGN);
        let foreign = space.states();
        service(&space, directory.path(), "start", &old).succeeded();
        let inject = format!("inject=sendmsg:signal=KILL:when={nth}");
        let strace = ["strace", "-qq", "-o", "/dev/null", "-e", &inject];
        let struck = service_behind(&strace, &space, directory.path(), "refresh", &new);
        service(&space, directory.path(), "refresh", &new).succeeded();
        let planned = service(&space, directory.path(), "plan", &new);
        assert_eq!(planned.status, 0, "{inject}: {}", planned.out);
        assert!(space.states().contains(&foreign[0]), "{inject}");
        if struck.status == 0 {
            assert!(nth > FEWEST, "only {nth} messages");
            return;
        }
        assert_eq!(struck.status, -1, "{inject}: {struck:?}");
    }
}

/// Loaded SAs, and a file that adds, updates, replaces and removes.
fn old_and_new() -> (String, String) {
    let back = |spi: u32, pair: u32| format!("add esp spi {spi:#x} src 10.0.0.2 dst 10.0.0.1 pair-spi {pair:#x} {KEY}\n");
    let old = [
        esp(0x100, "hard_addtime 5000"),
        esp(0x101, "replay 32 replay_value 9"),
        esp(0x102, ""),
        esp(0x103, "hard_bytes 9000"),
        esp(0x105, "") + &back(0x106, 0x105),
    ];
    let new = [
        esp(0x100, "hard_addtime 6000"),
        esp(0x101, "replay 64 replay_value 9"),
        esp(0x103, "hard_bytes 9000 soft_bytes 5000"),
        esp(0x104, ""),
        esp(0x105, "reqid 5") + &back(0x107, 0x105),
    ];
    (old.concat(), new.concat())
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reconcile_in_kernel_rolls_back_after_any_refusal() {
    let space = Space::with_sadb("xfrm");
    space.ip(FOREIGN);
    let (old, new) = old_and_new();
    space.load(&old);
    let before = space.saved();
    // The kernel accepts padding only for tunnels; the batch of this addition has others before and after it.
    let refused = new.clone() + &esp(0x1ff, "tfcpad 400 mode transport") + &esp(0x200, "");
    let failed = with_file(&space, "reconcile", &refused);
    assert_eq!(failed.status, 1, "{}{}", failed.out, failed.err);
    assert!(
        failed.err.contains("esp spi 0x1ff") && failed.err.contains("earlier changes were rolled back"),
        "{}",
        failed.err
    );
    assert_eq!(sorted(&space.saved()), sorted(&before));

    let mut refusals = 0;
    while !space.inside(|| reconcile_completes_despite_refusal(&new, refusals + 1)) {
        assert_eq!(sorted(&space.saved()), sorted(&before), "refusal {refusals}");
        refusals += 1;
    }
    // Two additions, two updates, two replacements of two requests each, three removals.
    assert!(refusals >= 10, "{refusals}");
    assert_eq!(with_file(&space, "plan", &new).status, 0);
}

/// Reconciles with an SADB that refuses the request with that index; returns whether there were fewer requests.
fn reconcile_completes_despite_refusal(new: &str, nth: usize) -> bool {
    let outcome = reconcile_with_refusal(new, nth);
    match outcome.error {
        None => !outcome.was_refused,
        Some(error) => {
            assert!(outcome.is_rolled_back, "{error}");
            false
        }
    }
}

/// The SAs of a saved file, sorted, and the number of pairs: which SA of a pair refers to the other depends on the order of
/// addition.
fn sorted(saved: &str) -> (Vec<String>, usize) {
    let without_pairs = |sa: &str| sa.lines().filter(|line| !line.contains("pair-spi")).collect::<Vec<_>>().join("\n");
    let mut sas: Vec<String> = saved.split("# begin assoc").map(without_pairs).collect();
    sas.sort_unstable();
    (sas, saved.matches("pair-spi").count())
}
