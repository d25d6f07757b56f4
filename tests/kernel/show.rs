//! `ipseckey show` in a real kernel: the counters of its table are those of `ip`, and it says what is wrong.

use serde_json::Value;

use crate::guard::Guard;
use crate::hosts::Hosts;
use crate::space::Space;
use crate::traffic::Protection;

/// The objects of `show --json`.
#[track_caller]
fn links(host: &Space) -> Vec<Value> {
    let text = host.ipseckey("--json show").succeeded();
    text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

/// The words of the problems of the one link.
#[track_caller]
fn problems(host: &Space) -> Vec<String> {
    let links = links(host);
    let [link] = &links[..] else { panic!("one link: {links:?}") };
    let problems = link["problems"].as_array().expect("a list");
    problems.iter().map(|problem| problem["problem"].as_str().expect("a word").to_owned()).collect()
}

/// Bytes and packets of the SA with that SPI, by `ip`: `lifetime current: 252(bytes), 3(packets)`.
fn counters(host: &Space, spi: u32) -> (u64, u64) {
    let text = host.ip(&format!("-s xfrm state list spi {spi:#x}"));
    let (_, current) = text.split_once("lifetime current:").expect("-s prints it");
    let numbers: Vec<u64> = current
        .split(|c: char| !c.is_ascii_digit())
        .filter(|word| !word.is_empty())
        .take(2)
        .map(|word| word.parse().expect("a number"))
        .collect();
    (numbers[0], numbers[1])
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn show_counts_what_passes() {
    let hosts = Hosts::new();
    let keys = Protection::ESP.keys();
    let services = [&hosts.here, &hosts.there].map(|host| Guard::new(host, &keys, ""));
    services.iter().for_each(|service| drop(service.run("start").succeeded()));
    let table = |host: &Space| host.ipseckey("show").succeeded();
    assert!(table(&hosts.here).ends_with("1 link, 2 SAs, all with policies\n"), "{}", table(&hosts.here));
    assert!(hosts.ping([10, 0, 0, 2].into()));
    let [link] = &links(&hosts.here)[..] else { panic!("one link") };
    assert_eq!((&link["peer"], &link["local"]), (&"10.0.0.2".into(), &"10.0.0.1".into()));
    assert_eq!((&link["sa_type"], &link["mode"], &link["policy"]), (&"esp".into(), &"transport".into(), &true.into()));
    for (flow, spi) in [(&link["out"], 0x1000), (&link["in"], 0x2000)] {
        let (bytes, packets) = counters(&hosts.here, spi);
        assert!(packets >= 3, "{packets}");
        assert_eq!((flow["bytes"].as_u64(), flow["packets"].as_u64()), (Some(bytes), Some(packets)));
        assert_eq!(flow["spi"], format!("{spi:#x}"));
    }
    assert_eq!(problems(&hosts.here), [""; 0]);
    assert_eq!(problems(&hosts.there), [""; 0]);
    // From the other end the same SAs have the other directions.
    let [link] = &links(&hosts.there)[..] else { panic!("one link") };
    assert_eq!((&link["out"]["spi"], &link["in"]["spi"]), (&"0x2000".into(), &"0x1000".into()));

    // Without policies the traffic is not protected.
    hosts.here.ip("xfrm policy delete src 10.0.0.2 dst 10.0.0.1 dir in");
    assert_eq!(problems(&hosts.here), ["no_inbound_policy"]);
    hosts.here.ip("xfrm policy flush");
    assert_eq!(problems(&hosts.here), ["no_policy"]);
    let shown = table(&hosts.here);
    assert!(shown.contains("! no policy: traffic in the clear") && shown.contains(", 1 without a policy"), "{shown}");
    hosts.here.ip("xfrm state delete src 10.0.0.2 dst 10.0.0.1 proto esp spi 0x2000");
    assert_eq!(problems(&hosts.here), ["no_policy", "no_inbound_sa"]);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn show_says_that_nothing_comes_back() {
    let hosts = Hosts::new();
    let keys = Protection::ESP.keys();
    let here = Guard::new(&hosts.here, &keys, "");
    here.run("start").succeeded();
    // The peer has the inbound SA only from the next step on.
    assert!(!hosts.ping([10, 0, 0, 2].into()));
    assert_eq!(problems(&hosts.here), ["nothing_back"]);
    let shown = hosts.here.ipseckey("show 10.0.0.2").succeeded();
    assert!(shown.contains("! sends, nothing comes back\n"), "{shown}");
    let other = hosts.here.ipseckey("show 10.0.0.3");
    assert_eq!((other.status, &*other.out), (1, ""), "{other:?}");
    // A wrong key at the peer: it sees the packets, and rejects them.
    let wrong = keys.replace("2acebd65", "2acebd66");
    let there = Guard::new(&hosts.there, &wrong, "");
    there.run("start").succeeded();
    assert!(!hosts.ping([10, 0, 0, 2].into()));
    assert_eq!(problems(&hosts.there), ["unauthentic"]);
    there.write(&keys);
    there.run("refresh").succeeded();
    assert!(hosts.ping([10, 0, 0, 2].into()));
    assert_eq!(problems(&hosts.here), [""; 0]);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn show_has_the_networks_of_a_tunnel_and_knows_other_hosts_files() {
    let hosts = Hosts::new();
    let keys = Protection { mode: "tunnel", ..Protection::ESP }.keys_of_networks();
    let service = Guard::new(&hosts.here, &keys, "");
    service.run("start").succeeded();
    let shown = hosts.here.ipseckey("show").succeeded();
    assert!(shown.contains("\n  10.1.0.0/16 <-> 10.2.0.0/16\n"), "{shown}");
    assert!(hosts.here.ipseckey("show 10.2.5.2").succeeded().contains("esp tun"));
    // A host without these addresses.
    let elsewhere = Space::new();
    elsewhere.load(&keys);
    assert_eq!(problems(&elsewhere), ["not_local", "no_policy"]);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn show_over_pf_key_counts_bytes_only() {
    let host = Space::with_sadb("pfkey");
    host.ip("addr add 10.0.0.1/24 dev lo");
    host.load(&Protection::ESP.keys());
    let [link] = &links(&host)[..] else { panic!("one link") };
    assert_eq!(
        (&link["peer"], &link["out"]["packets"], &link["out"]["bytes"]),
        (&"10.0.0.2".into(), &Value::Null, &0.into())
    );
    assert_eq!(problems(&host), ["no_policy"]);
}
