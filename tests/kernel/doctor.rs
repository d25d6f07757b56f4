//! `ipseckey doctor` in a real kernel: each problem is reported with its fix, and is gone after the fix.

use std::process::Command;

use crate::space::{Space, private_file};

const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const POLICY: &str = "src 10.0.0.1/32 dst 10.0.0.2/32 dir out tmpl proto esp mode transport";

/// The output of the doctor for that keys file, and whether it reports no problem.
fn doctor(space: &Space, keys: &str) -> (String, bool) {
    let file = private_file(keys);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    command.args(["--sadb", "xfrm", "doctor", "--for", "1"]).arg(&file);
    let ran = space.run(command);
    std::fs::remove_file(file).expect("the keys file exists");
    (ran.out, ran.status == 0)
}

fn sa(spi: u32) -> String {
    format!("add esp spi {spi:#x} src 10.0.0.1 dst 10.0.0.2 encr_alg aes encrkey {KEY} auth_alg md5 authkey {KEY}\n")
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn doctor_reports_unmatched_sas_and_policies() {
    let space = Space::new();
    space.ip("link add cable type veth peer name end");
    space.ip("link set end up");
    space.ip("link set cable up");
    space.ip("addr add 10.0.0.1/24 dev cable");
    let keys = sa(0x2001);
    let (printed, is_healthy) = doctor(&space, &keys);
    assert!(
        !is_healthy && printed.contains("of the file's 1 SA, 1 is not in the SADB\n         fix: run `manual-key refresh`"),
        "{printed}"
    );
    space.load(&keys);
    let (printed, is_healthy) = doctor(&space, &keys);
    let without_policy = "problem  policies: no policy uses the esp SA with spi 0x2001 and dst 10.0.0.2";
    assert!(!is_healthy && printed.contains(without_policy), "{printed}");

    space.ip(&format!("xfrm policy add {POLICY}"));
    let (printed, is_healthy) = doctor(&space, &keys);
    assert!(
        is_healthy
            && printed
                .contains("ok       policies: 1 outbound, 0 inbound; every SA has a policy, and every policy has an SA"),
        "{printed}"
    );
    for expected in [
        "ok       privileges: CAP_NET_ADMIN",
        "ok       modules: available for the keys file: esp4",
        "ok       dropped packets: none",
    ] {
        assert!(printed.contains(expected), "{expected} in {printed}");
    }

    space.ipseckey("flush");
    space.load(&sa(0x2002).replace("10.0.0.2", "10.0.0.3"));
    let (printed, _) = doctor(&space, &keys);
    assert!(printed.contains("warning  SAs: 1 SA of ipseckey or manual-key is not in the file"), "{printed}");
    let without_sa = "no SA for the policy src 10.0.0.1/32 dst 10.0.0.2/32 dir out: its packets are dropped";
    assert!(printed.contains(without_sa), "{printed}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn doctor_reports_dropped_packets_by_reason() {
    let space = Space::new();
    space.ip("link add cable type veth peer name end");
    space.ip("link set cable up");
    space.ip("addr add 10.0.0.1/24 dev cable");
    space.ip(&format!("xfrm policy add {POLICY}"));
    let mut ping = Command::new("ping");
    ping.args(["-n", "-q", "-i", "0.1", "10.0.0.2"]);
    let mut ping = space.spawn(ping);
    let (printed, is_healthy) = doctor(&space, "flush\n");
    ping.kill().expect("it runs");
    ping.wait().expect("it ends");
    let (start, end) = (
        " packets that require protection without a matching SA in 1 s (XfrmOutNoStates)",
        "\n         fix: add the SA, or use the mode",
    );
    assert!(!is_healthy && printed.contains(&format!("{start}{end}")), "{printed}");
    // Later they are no finding any more.
    let (printed, _) = doctor(&space, "flush\n");
    assert!(!printed.contains(start) && printed.contains(" XfrmOutNoStates"), "{printed}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn doctor_reports_a_default_policy_that_drops_packets() {
    let space = Space::new();
    let (before, _) = doctor(&space, "flush\n");
    assert!(!before.contains("default policy"), "{before}");
    let mut block = Command::new("ip");
    block.args(["xfrm", "policy", "setdefault", "in", "block", "out", "block"]);
    // Linux before 5.14 has no default policy.
    if space.run(block).status == 0 {
        let (printed, _) = doctor(&space, "flush\n");
        let expected = "packets without a policy are dropped (default policy block: in, out)";
        assert!(printed.contains(expected) && printed.contains("setdefault in accept out accept"), "{printed}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn doctor_reports_peers_that_do_not_resolve() {
    let hosts = crate::hosts::Hosts::new();
    let keys = sa(0x2001).replace("src 10.0.0.1 dst 10.0.0.2", "src fd00::1 dst fd00::9");
    hosts.here.load(&keys);
    let unresolved = "neighbours: fd00::9 on cable is";
    let (printed, _) = doctor(&hosts.here, &keys);
    assert!(!printed.contains(unresolved), "{printed}");
    // No host has the address.
    assert!(!hosts.ping("fd00::9".parse().expect("an address")));
    let (printed, _) = doctor(&hosts.here, &keys);
    assert!(printed.contains(unresolved) && printed.contains("pass_neighbour_discovery"), "{printed}");
    // Of no concern to the SA.
    assert!(!hosts.ping("fd00::8".parse().expect("an address")));
    assert!(!doctor(&hosts.here, &keys).0.contains("fd00::8 on cable"));
}
