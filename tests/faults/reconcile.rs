//! A reconciling refresh that is killed at any of its messages: the next one reaches the desired state, and foreign SAs stay.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::standin::{Plan, StandIn};
use crate::{expect, program, report, send};

/// SPI of an SA that another program has added.
const FOREIGN: u32 = 0x9000;

fn line(spi: u32, key: u32) -> String {
    format!("add esp spi {spi} src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey {key:08x}2d3c4b5a69788796a5b4c3d2\n")
}

fn file(sadb: &StandIn, name: &str, text: &str) -> PathBuf {
    let path = sadb.path(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

/// `manual-key refresh` with those SPIs and keys, for owned SAs only.
fn refresh(sadb: &StandIn, name: &str, sas: &[(u32, u32)]) -> Command {
    let keys = file(sadb, name, &sas.iter().map(|(spi, key)| line(*spi, *key)).collect::<String>());
    let properties = "refresh = \"reconcile\"\nflush = \"owned\"\n";
    let config = file(sadb, &format!("{name}.toml"), properties);
    let arguments = ["--config", config.to_str().unwrap(), "--config-file", keys.to_str().unwrap()];
    program(env!("CARGO_BIN_EXE_manual-key"), sadb, &[&["refresh", "--sadb", &sadb.spec()], &arguments[..]].concat())
}

#[test]
fn reconcile_recovers_after_a_kill_at_any_message() {
    let old = [(0x1001, 1), (0x1002, 1), (0x1003, 1), (0x1004, 1)];
    // One is kept, one gets another key, two are removed, two added: 2 additions, a replacement of 2 messages, 2 removals.
    let new = [(0x1001, 1), (0x1002, 2), (0x1005, 1), (0x1006, 1)];
    for nth in 1..=6 {
        let sadb = StandIn::start();
        let foreign = file(&sadb, "foreign", &line(FOREIGN, 7));
        expect(
            program(env!("CARGO_BIN_EXE_ipseckey"), &sadb, &["--sadb", &sadb.spec(), "-f", foreign.to_str().unwrap()]),
            0,
        );
        expect(refresh(&sadb, "old", &old), 0);
        sadb.plan(Plan::Slow(Duration::from_millis(15)));
        let child = refresh(&sadb, "new", &new).spawn().unwrap();
        sadb.wait_until_received(nth);
        send(&child, Signal::SIGKILL);
        child.wait_with_output().unwrap();
        let left = sadb.spis();
        assert!(left.contains(&0x1001) && left.contains(&FOREIGN), "{left:x?} after message {nth}");
        expect(refresh(&sadb, "new", &new), 0);
        assert_eq!(sadb.spis(), [0x1001, 0x1002, 0x1005, 0x1006, FOREIGN], "after message {nth}");
        let again = expect(refresh(&sadb, "new", &new), 0);
        assert!(String::from_utf8_lossy(&again.stdout).contains("0 removed, 4 kept"));
        assert!(sadb.received().is_empty(), "{:?}", sadb.received());
    }
    report(6, "kills at messages of a reconciling refresh");
}

/// Another program adds an SA with the same identity between the dump and the addition: it stays foreign, also in the record of
/// the service.
#[test]
fn reconcile_keeps_sa_added_concurrently_by_another_program() {
    let old = [(0x1001, 1), (0x1002, 1)];
    let new = [(0x1001, 1), (0x1002, 1), (0x1003, 1), (0x1004, 1)];
    for (nth, theirs) in [(1, 0x1003), (2, 0x1004)] {
        let sadb = StandIn::start();
        expect(refresh(&sadb, "old", &old), 0);
        sadb.plan(Plan::Overtaken(nth));
        let refused = expect(refresh(&sadb, "new", &new), 1);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("rolled back"), "{refused:?}");
        assert_eq!(sadb.spis(), [0x1001, 0x1002, theirs], "after message {nth}");
        expect(refresh(&sadb, "old", &old), 0);
        assert_eq!(sadb.spis(), [0x1001, 0x1002, theirs], "after message {nth} and a refresh");
    }
    report(2, "additions overtaken");
}
