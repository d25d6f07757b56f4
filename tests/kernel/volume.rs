//! More SAs than the messages that a socket buffer holds.

use std::fmt::Write;
use std::process::Command;
use std::thread;

use crate::monitor::Monitor;
use crate::space::{Space, private_file};

const COUNT: usize = 20_000;

/// Additions that the kernel processes quickly: no two SAs have the same addresses and reqid.
fn additions(count: usize) -> String {
    let mut keys = String::new();
    for number in 0..count {
        let (high, low) = (number / 250, number % 250);
        let spi = 0x1000 + number;
        let ends = format!("src 10.0.0.1 dst 10.1.{high}.{low} reqid {spi}");
        writeln!(keys, "add ah spi {spi} {ends} auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f").expect("writes");
    }
    keys
}

/// The SAs that `ipseckey dump` lists with that SADB.
fn listed(space: &Space, sadb: &str) -> usize {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    command.args(["--sadb", sadb, "-p", "save", "ah"]);
    space.run(command).succeeded().matches("add ah").count()
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn dump_lists_all_of_20000_sas() {
    let space = Space::new();
    space.load(&additions(COUNT));
    assert_eq!(listed(&space, "xfrm"), COUNT);
    assert_eq!(listed(&space, "pfkey"), COUNT);
    // Other SAs are added and deleted during the dump.
    let passing = "add ah spi 0x100 dst 10.9.9.9 auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f\n\
                   delete ah spi 0x100 dst 10.9.9.9\n";
    thread::scope(|scope| {
        scope.spawn(|| (0..3).for_each(|_| space.load(&passing.repeat(50))));
        let found = listed(&space, "xfrm");
        assert!((COUNT..=COUNT + 1).contains(&found), "{found}");
    });
    space.ipseckey("flush").succeeded();
    assert_eq!(listed(&space, "xfrm"), 0);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn monitor_shows_a_thousand_additions_at_once() {
    for sadb in ["xfrm", "pfkey"] {
        let (space, count) = (Space::with_sadb(sadb), 1000);
        let monitor = Monitor::start(&space);
        // Always through XFRM, which is faster.
        let mut fast = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
        let file = private_file(&additions(count));
        fast.args(["--sadb", "xfrm", "-f"]).arg(&file);
        space.run(fast).succeeded();
        monitor.wait_for("ADD", 0x1000 + 999, 1);
        assert_eq!(monitor.additions(), count, "{sadb}");
    }
}
