//! The request ID that the service gives its SAs, beside SAs of other programs.

use std::net::IpAddr;

use crate::guard::Guard;
use crate::hosts::Hosts;
use crate::space::{Space, private_file};
use crate::traffic::Protection;

/// `SERVICE_REQID` as `ip` prints it.
const OF_SERVICE: &str = "reqid 1835728896";
const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

/// Adds an SA as an IKE daemon would. The kernel prefers the newest SA that a template means.
fn add_foreign(space: &Space, src: &str, dst: &str, reqid: &str) {
    let key = "0x4bd65b3976f6593223a8743b5e1b1b1a";
    let algorithms = format!("enc cbc(aes) {key} auth-trunc hmac(sha256) 0x{} 128", "2a".repeat(32));
    let words = format!("xfrm state add src {src} dst {dst} proto esp spi 0x9999 {reqid} mode transport {algorithms}");
    space.ip(&words);
}

fn remove_foreign(space: &Space, dst: &str) {
    space.ip(&format!("xfrm state delete dst {dst} proto esp spi 0x9999"));
}

fn start<'a>(host: &'a Space, keys: &str) -> (Guard<'a>, String) {
    let guard = Guard::new(host, keys, "flush = \"owned\"\nrefresh = \"reconcile\"");
    let started = guard.run("start");
    assert_eq!(started.status, 0, "{}", started.err);
    (guard, started.err)
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reqid_of_the_service_means_its_sas_only() {
    let hosts = Hosts::new();
    let keys = Protection::ESP.keys();
    let _guards = [&hosts.here, &hosts.there].map(|host| start(host, &keys));
    assert!(hosts.ping(FAR));
    for list in ["xfrm state list", "xfrm policy list"] {
        assert_eq!(hosts.here.ip(list).matches(OF_SERVICE).count(), 2, "{}", hosts.here.ip(list));
    }
    // Without a reqid the templates meant this SA as well, and the peer does not have it.
    for reqid in ["", "reqid 1"] {
        add_foreign(&hosts.here, "10.0.0.1", "10.0.0.2", reqid);
        assert!(hosts.ping(FAR), "packets pass through another program's SA, {reqid}");
        remove_foreign(&hosts.here, "10.0.0.2");
    }
    // Inbound: packets of an SA that is not the service's are not those that its policy requires.
    add_foreign(&hosts.there, "10.0.0.2", "10.0.0.1", OF_SERVICE);
    add_foreign(&hosts.here, "10.0.0.2", "10.0.0.1", "reqid 1");
    assert!(!hosts.ping(FAR), "the policy accepts another program's SA");
    remove_foreign(&hosts.here, "10.0.0.1");
    add_foreign(&hosts.here, "10.0.0.2", "10.0.0.1", OF_SERVICE);
    assert!(hosts.ping(FAR), "both hosts have the SA with the reqid");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reqid_that_another_program_has_is_reported() {
    let hosts = Hosts::new();
    add_foreign(&hosts.here, "10.0.0.1", "10.0.0.2", "reqid 1");
    let keys = Protection::ESP.keys().replace("encr_alg", "reqid 1 encr_alg");
    let warning = "line 1: warning: reqid 1 is also that of esp spi 0x9999 dst 10.0.0.2";
    let (guard, printed) = start(&hosts.here, &keys);
    assert!(printed.contains(warning), "{printed}");
    let planned = guard.run("plan");
    assert!(planned.err.contains(warning), "{}", planned.err);
    let mut doctor = hosts.here.command("doctor --for 0");
    doctor.arg(guard.path("keys"));
    let found = hosts.here.run(doctor).out;
    assert!(found.contains("has reqid 1, as esp spi 0x9999 dst 10.0.0.2 has, which is not in the file"), "{found}");

    guard.write(&Protection::ESP.keys());
    assert_eq!(guard.run("refresh").err, "", "the service's own reqid");
    assert!(guard.run("plan").out.is_empty() || guard.run("plan").status == 0);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reqid_of_the_service_is_no_difference() {
    let hosts = Hosts::new();
    let space = &hosts.here;
    let keys = Protection::ESP.keys();
    let (guard, _) = start(space, &keys);
    let file = guard.path("keys");
    let planned = space.ipseckey(&format!("plan {file}"));
    assert_eq!(planned.status, 0, "{}", planned.out);

    // A saved file is loaded as it was saved.
    let saved = space.ipseckey("save all").succeeded();
    assert_eq!(saved.matches(OF_SERVICE).count(), 2, "{saved}");
    let copy = private_file(&saved);
    assert_eq!(space.ipseckey(&format!("plan {}", copy.display())).status, 0);
    guard.write(&saved);
    let again = guard.run("refresh");
    assert!(again.out.contains("0 added, 0 updated, 0 replaced, 0 removed, 2 kept"), "{}", again.out);
    guard.write(&keys);
    assert_eq!(guard.run("plan").status, 0, "the file without a reqid");

    // SAs that are added beside the service serve its policies.
    let newer = keys.replace("0x1000", "0x1001").replace("0x2000", "0x2001");
    let both = private_file(&newer);
    space.ipseckey(&format!("reconcile --keep-others {}", both.display())).succeeded();
    space.load(&newer.replace("0x1001", "0x1002").replace("0x2001", "0x2002"));
    assert_eq!(space.ip("xfrm state list").matches(OF_SERVICE).count(), 6, "{}", space.ip("xfrm state list"));
    // No policy is for these packets.
    space.load(&newer.replace("10.0.0.2", "10.0.0.3").replace("0x2001", "0x2003"));
    assert_eq!(space.ip("xfrm state list").matches(OF_SERVICE).count(), 6);
    // `ipseckey -f` before the service has policies: the SAs lack the reqid, become the service's and get it.
    for refresh in ["reconcile", "check-first"] {
        guard.set(&format!("flush = \"owned\"\nrefresh = \"{refresh}\""));
        guard.run("stop --open").succeeded();
        space.ip("xfrm state flush");
        space.load(&keys);
        assert_eq!(space.ip("xfrm state list").matches("reqid 0").count(), 2);
        let started = guard.run("start");
        let found = space.ip("xfrm state list").matches(OF_SERVICE).count();
        assert_eq!((started.status, found), (0, 2), "{refresh}: {}", started.err);
        assert!(guard.query("status").contains("2 owned, 0 foreign, 0 missing"), "{}", guard.query("status"));
    }
}

/// With `policy = "none"` the administrator's outbound policies, which name no reqid, find SAs without a reqid only.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reqid_of_the_service_ends_with_its_policies() {
    let hosts = Hosts::new();
    let keys = Protection::ESP.keys();
    for refresh in ["flush", "check-first", "reconcile"] {
        let guards = [&hosts.here, &hosts.there].map(|host| start(host, &keys).0);
        for (guard, (host, own)) in guards.iter().zip([(&hosts.here, 1), (&hosts.there, 2)]) {
            assert_eq!(host.ip("xfrm state list").matches(OF_SERVICE).count(), 2, "{refresh}");
            guard.set_all(&format!("policy = \"none\"\nflush = \"owned\"\nrefresh = \"{refresh}\""));
            guard.run("refresh").succeeded();
            let states = host.ip("xfrm state list");
            assert_eq!((states.matches(OF_SERVICE).count(), host.states().len()), (0, 2), "{refresh}: {states}");
            assert_eq!(guard.run("plan").status, 0, "{refresh}: nothing is left to change");
            for (src, dst, dir) in [(own, 3 - own, "out"), (3 - own, own, "in")] {
                host.ip(&format!(
                    "xfrm policy add src 10.0.0.{src} dst 10.0.0.{dst} dir {dir} tmpl proto esp mode transport"
                ));
            }
        }
        assert!(hosts.ping(FAR), "{refresh}");
        for (guard, host) in guards.iter().zip([&hosts.here, &hosts.there]) {
            guard.run("stop --open").succeeded();
            host.ip("xfrm policy flush");
        }
    }
}
