//! `ipseckey doctor` in a real kernel: each finding is there with what mends it, and gone when that is done.

use std::process::Command;

use crate::space::{Space, private_file};

const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const POLICY: &str = "src 10.0.0.1/32 dst 10.0.0.2/32 dir out tmpl proto esp mode transport";

/// What the doctor says of a host with that keys file, and whether it finds it well.
fn doctor(space: &Space, keys: &str) -> (String, bool) {
    let file = private_file(keys);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    command.args(["--sadb", "xfrm", "doctor"]).arg(&file);
    let ran = space.run(command);
    std::fs::remove_file(file).expect("the keys file is there");
    (ran.out, ran.status == 0)
}

fn sa(spi: u32) -> String {
    format!("add esp spi {spi:#x} src 10.0.0.1 dst 10.0.0.2 encr_alg aes encrkey {KEY} auth_alg md5 authkey {KEY}\n")
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn doctor_reports_unmatched_sas_and_policies() {
    let space = Space::new();
    let keys = sa(0x2001);
    let (said, is_well) = doctor(&space, &keys);
    assert!(
        !is_well && said.contains("of the file's 1 SA, 1 is not in the SADB\n         fix: manual-key refresh"),
        "{said}"
    );
    space.load(&keys);
    let (said, is_well) = doctor(&space, &keys);
    let lonely = "problem  policies: no policy sends packets through the esp SA with spi 0x2001 and dst 10.0.0.2";
    assert!(!is_well && said.contains(lonely), "{said}");

    space.ip(&format!("xfrm policy add {POLICY}"));
    let (said, is_well) = doctor(&space, &keys);
    assert!(is_well && said.contains("ok       policies: 1 outbound, 0 inbound; all SAs and policies fit"), "{said}");
    for wanted in ["ok       privileges: CAP_NET_ADMIN", "ok       modules: esp4 for", "ok       dropped packets: none"] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }

    space.ipseckey("flush");
    space.load(&sa(0x2002).replace("10.0.0.2", "10.0.0.3"));
    let (said, _) = doctor(&space, &keys);
    assert!(said.contains("warning  SAs: 1 SA of the SADB is not in the file"), "{said}");
    let unserved = "no SA serves the policy src 10.0.0.1/32 dst 10.0.0.2/32 dir out: its packets are dropped";
    assert!(said.contains(unserved), "{said}");
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
    ping.args(["-c", "1", "-W", "1", "10.0.0.2"]);
    assert_ne!(space.run(ping).status, 0, "the policy wants an SA");
    let (said, _) = doctor(&space, "flush\n");
    let wanted =
        "packets that require protection without a matching SA (XfrmOutNoStates)\n         fix: add the SA, or use the mode";
    assert!(said.contains(wanted), "{said}");
}
