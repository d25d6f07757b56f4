//! Policies of a real kernel: this program lists policies that `ip xfrm policy` added, and the reverse.

use ipseckey::internals::kernel::{TestPolicy, TestSpd};

use crate::guard::Guard;
use crate::hosts::Hosts;
use crate::space::Space;

/// Policies in the syntax of ip-xfrm(8), with the keywords in the order of this program.
const POLICIES: &[&str] = &[
    "src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 0 tmpl proto esp mode transport",
    "src 10.0.0.2/32 dst 10.0.0.1/32 proto 6 sport 80 dport 1024 dir in priority 9 tmpl proto esp reqid 5 mode transport \
     tmpl proto ah spi 0x1234 mode transport level use",
    "src fd09::/16 dst fd00::/8 dir fwd mark 0x1 mask 0xff if_id 0x7 priority 1000 \
     tmpl src fd01::1 dst fd01::2 proto esp mode tunnel",
    "src fd00::1/128 dst fd00::2/128 proto 58 type 128 code 1 dir out priority 1 tmpl proto ah mode transport",
    "src 0.0.0.0/0 dst 10.9.0.0/16 dir in action block priority 2",
    "src 10.0.0.2/32 dst 10.0.0.1/32 proto 17 dport 4500 dir in priority 3",
];

fn policies(space: &Space) -> Vec<TestPolicy> {
    let mut policies = space.inside(|| TestSpd::open().policies());
    policies.sort_by_key(TestPolicy::text);
    policies
}

/// All policies as `ip` prints them, one a line, in any order.
fn by_ip(space: &Space) -> Vec<String> {
    let text = space.ip("xfrm policy list").replace("\nsrc ", "\0src ");
    let mut lines: Vec<String> =
        text.split('\0').map(|policy| policy.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    lines.sort();
    lines
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policies_are_listed_as_added_by_ip() {
    let space = Space::new();
    for policy in POLICIES {
        space.ip(&format!("xfrm policy add {policy}"));
    }
    let found: Vec<String> = policies(&space).iter().map(TestPolicy::text).collect();
    let mut expected = POLICIES.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(policies(&space).iter().all(|policy| policy.added() > 1_600_000_000));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policies_inserted_replaced_and_removed_as_ip_shows() {
    let (by_hand, by_program) = (Space::new(), Space::new());
    POLICIES.iter().for_each(|policy| drop(by_hand.ip(&format!("xfrm policy add {policy}"))));
    let expected = policies(&by_hand);
    by_program.inside(|| {
        let mut spd = TestSpd::open();
        assert!(spd.insert(&expected).iter().all(Result::is_ok));
        let again = spd.insert(&expected[..1]).remove(0).expect_err("the identity exists").text;
        assert!(again.contains("a policy with the same selector exists"), "{again}");
    });
    assert_eq!(by_ip(&by_program), by_ip(&by_hand));
    let blocked: Vec<TestPolicy> = expected.iter().map(|policy| policy.blocking(77)).collect();
    by_program.inside(|| {
        let mut spd = TestSpd::open();
        assert!(spd.replace(&blocked).iter().all(Result::is_ok));
        let found = spd.policies();
        assert!(found.len() == blocked.len() && found.iter().all(|policy| blocked.contains(policy)));
        assert!(spd.remove(&expected).iter().all(Result::is_ok));
        let error = spd.remove(&expected[..1]).remove(0).expect_err("it was removed");
        assert!(error.is_refusal && error.text.contains("no policy has this selector"), "{}", error.text);
        assert!(spd.policies().is_empty());
    });
}

/// Arguments of `ipseckey generate` for each form of SA.
const FORMS: &[&str] = &[
    "esp src 10.0.0.1 dst 10.0.0.2",
    "ah src fd00::1 dst fd00::2",
    "esp src 10.0.0.1 dst 10.0.0.2 isrc 10.1.0.0/16 idst 10.2.0.0/16",
    "esp src fd00::1 dst fd00::2 isrc 10.1.0.0/16 idst 10.2.0.0/16 reqid 9",
    "esp src 10.0.0.1 dst 10.0.0.2 mark 0x1/0xff if_id 7",
    "esp src 10.0.0.1 dst 10.0.0.2 proto 6 dport 5432",
    "esp src 10.0.0.1 dst 10.0.0.2 proto 1 sport 8",
    "esp src fd00::1 dst fd00::2 proto 58 sport 128",
    "esp src 10.0.0.1 dst 10.0.0.2 encap udp",
];

/// The reqid of the service's SAs, as its policies print it.
const SERVICE_REQID: &str = " reqid 1835728896";

/// Runs `ip -batch` with the commands in a generated file for one of its two hosts.
fn batch(space: &Space, keys: &str, host: usize) {
    let of_host = keys.split("\n# On ").nth(host + 1).expect("two hosts");
    let commands: Vec<&str> = of_host.lines().filter_map(|line| line.strip_prefix("#   ip ")).collect();
    assert!(commands.len() >= 2, "{keys}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), commands.join("\n") + "\n").expect("writes");
    space.ip(&format!("-batch {}", file.path().display()));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn generate_prints_the_policies_that_from_sas_installs() {
    let (hosts, by_hand) = (Hosts::new(), Space::new());
    for form in FORMS {
        let keys = by_hand.ipseckey(&format!("generate {form}")).succeeded();
        for (number, host) in [&hosts.here, &hosts.there].into_iter().enumerate() {
            let started = Guard::new(host, &keys, "").run("start");
            assert_eq!(started.status, 0, "{form}: {}", started.err);
            batch(&by_hand, &keys, number);
            let texts = |space| policies(space).iter().map(TestPolicy::text).collect::<Vec<_>>();
            // The printed commands name the reqid of the file; the service gives its own to SAs without one.
            let own = |text: String| if form.contains("reqid") { text } else { text.replace(SERVICE_REQID, "") };
            assert_eq!(texts(&by_hand), texts(host).into_iter().map(own).collect::<Vec<_>>(), "{form}");
            assert_eq!(texts(host) == texts(&by_hand), form.contains("reqid"), "{form}");
            for space in [host, &by_hand] {
                space.ip("xfrm policy flush");
                space.ip("xfrm state flush");
            }
        }
    }
}
