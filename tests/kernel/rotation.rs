//! Changes of keys as docs/guide.md describes them, beside an SA of another program.

use std::process::Command;

use crate::capture::Capture;
use crate::guard::Guard;
use crate::hosts::Hosts;
use crate::space::{Ran, Space, private_file};
use crate::traffic::Protection;

/// As an IKE daemon would have it.
const FOREIGN: &str = "xfrm state add src 10.0.0.9 dst 10.0.0.8 proto esp spi 0xc0ffee01 reqid 1 mode tunnel \
                       aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128";
const FAR: [u8; 4] = [10, 0, 0, 2];

/// The keys of the rotation `number`: 0 are the first ones.
fn keys(number: u8) -> String {
    let keys = Protection::ESP.keys();
    if number == 0 {
        keys
    } else {
        keys.replace("spi 0x", &format!("spi 0x{number}")).replace("0001", &format!("a{number}01"))
    }
}

fn spis(space: &Space) -> Vec<String> {
    let text = space.ip("xfrm state list");
    let mut found: Vec<String> =
        text.lines().filter_map(|line| Some(line.split_once(" spi ")?.1.split_whitespace().next()?.to_owned())).collect();
    found.sort();
    found
}

/// `manual-key status --check`.
fn check(host: &Space, service: &Guard<'_>) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
    command.args(["status", "--check"]).env("RUNTIME_DIRECTORY", service.path("run"));
    host.run(command)
}

/// The three steps on both hosts; `last` is the third.
fn rotate(hosts: &Hosts, number: u8, last: &dyn Fn(&Space)) {
    let file = private_file(&keys(number));
    for step in ["reconcile --inbound", "reconcile --keep-others"] {
        for host in [&hosts.here, &hosts.there] {
            host.ipseckey(&format!("{step} {}", file.display())).succeeded();
            assert!(hosts.ping(FAR.into()), "rotation {number}, {step}");
        }
    }
    [&hosts.here, &hosts.there].into_iter().for_each(last);
    assert!(hosts.ping(FAR.into()), "rotation {number}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn two_rotations_leave_the_new_keys_and_foreign_sas() {
    for refresh in ["flush", "check-first", "reconcile"] {
        let hosts = Hosts::new();
        let settings = format!("flush = \"owned\"\nrefresh = \"{refresh}\"");
        let both = [&hosts.here, &hosts.there].map(|host| {
            host.ip(FOREIGN);
            let service = Guard::new(host, &keys(0), &settings);
            service.run("start").succeeded();
            service
        });
        let capture = Capture::start(&hosts, "icmp");
        for number in [1, 2] {
            let [here, there] = &both;
            rotate(&hosts, number, &|host| {
                let service = if std::ptr::eq(host, &raw const hosts.here) { here } else { there };
                service.write(&keys(number));
                service.run("refresh").succeeded();
                assert!(service.query("status").contains("2 owned, 1 foreign, 0 missing\n"), "{refresh}, rotation {number}");
                check(host, service).succeeded();
            });
            let expected = [format!("0x000{number}1000"), format!("0x000{number}2000"), "0xc0ffee01".to_owned()];
            assert_eq!([spis(&hosts.here), spis(&hosts.there)], [expected.clone(), expected], "{refresh}");
        }
        assert_eq!(capture.stop().lines(""), [""; 0], "{refresh}: packets in the clear");
        for service in &both {
            service.run("stop").succeeded();
        }
        assert_eq!(spis(&hosts.here), ["0xc0ffee01"], "{refresh}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn rotations_without_the_service_leave_foreign_sas() {
    let hosts = Hosts::new();
    for host in [&hosts.here, &hosts.there] {
        host.ip(FOREIGN);
        host.load(&keys(0));
    }
    for number in [1, 2] {
        let file = private_file(&keys(number));
        rotate(&hosts, number, &|host| drop(host.ipseckey(&format!("reconcile {}", file.display())).succeeded()));
        let expected = [format!("0x000{number}1000"), format!("0x000{number}2000"), "0xc0ffee01".to_owned()];
        assert_eq!(spis(&hosts.here), expected);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn an_sa_that_exists_is_named_as_own_or_foreign() {
    const OTHER: &str = "another program has added it, such as an IKE daemon: choose another SPI";
    let space = Space::new();
    space.ip("xfrm state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x1000 reqid 1 mode tunnel \
              aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128");
    let service = Guard::new(&space, &keys(0), "flush = \"owned\"");
    let refused = service.run("start");
    assert!(refused.err.contains(&format!("; {OTHER}")), "{}", refused.err);
    assert_eq!(refused.err.matches(OTHER).count(), 1, "{}", refused.err);
    let refused = space.try_load(&keys(0));
    // The second SA of the file is the service's.
    assert_eq!(refused.err.matches(OTHER).count(), 1, "{}", refused.err);
    assert_eq!(refused.err.matches("delete it first").count(), 1, "{}", refused.err);
}
