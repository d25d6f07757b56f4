//! `manual-key run` restores SAs and policies that another program removes.

use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::capture::Capture;
use crate::guard::{Guard, stop_daemon};
use crate::hosts::Hosts;
use crate::service::wait_until;
use crate::space::Space;
use crate::support::memory::{KeyPieces, expect_nothing, search};
use crate::traffic::Protection;

/// A running service, and what a good state looks like.
struct Watched<'a> {
    host: &'a Space,
    service: Guard<'a>,
    daemon: Child,
    policies: usize,
    sas: usize,
}

impl<'a> Watched<'a> {
    fn start(host: &'a Space, keys: &str, settings: &str) -> Self {
        let service = Guard::new(host, keys, settings);
        let daemon = service.start_daemon();
        let mut watched = Self { host, service, daemon, policies: 0, sas: 0 };
        (watched.policies, watched.sas) = watched.counts();
        assert!(watched.sas > 0, "SAs are loaded");
        watched
    }

    fn counts(&self) -> (usize, usize) {
        (self.host.ip("xfrm policy list").matches("dir ").count(), self.host.states().len())
    }

    /// The state file.
    fn state(&self) -> String {
        fs::read_to_string(self.service.path("run/state.json")).expect("a state file")
    }

    /// Runs `ip` and waits until everything is there again; returns the time that it took.
    #[track_caller]
    fn restores_after(&self, words: &str) -> Duration {
        self.host.ip(words);
        let started = Instant::now();
        wait_until(|| self.counts() == (self.policies, self.sas));
        wait_until(|| self.state().contains("\"state\":\"online\""));
        started.elapsed()
    }
}

fn pause() {
    // Longer than the pause that a second repair makes.
    thread::sleep(Duration::from_millis(3000));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn repair_restores_policies_and_sas() {
    let hosts = Hosts::new();
    let _peer = Guard::new(&hosts.there, &Protection::ESP.keys(), "").run("start");
    let watched = Watched::start(&hosts.here, &Protection::ESP.keys(), "refresh = \"reconcile\"");
    assert_eq!((watched.policies, watched.sas), (2, 2));
    let far = [10, 0, 0, 2].into();
    assert!(hosts.ping(far));
    for words in [
        "xfrm policy flush",
        "xfrm policy delete src 10.0.0.1/32 dst 10.0.0.2/32 dir out",
        "xfrm state deleteall",
        "xfrm state delete dst 10.0.0.2 proto esp spi 0x1000",
        "xfrm state flush",
    ] {
        // The counters that an SA had do not start again: the peer would drop its packets as replays.
        let took = watched.restores_after(words);
        assert!(took < Duration::from_secs(2), "{words}: {took:?}");
        let capture = Capture::start(&hosts, "icmp");
        assert!(hosts.ping(far), "after {words}");
        assert_eq!(capture.stop().lines(""), [""; 0], "packets in the clear after {words}");
        pause();
    }
    let keys = Protection::ESP.keys();
    let digits = |word: &str| word.len() > 30 && word.chars().all(|c| c.is_ascii_hexdigit());
    let secrets: Vec<String> = keys.split_whitespace().filter(|word| digits(word)).map(str::to_owned).collect();
    let searched = search(Pid::from_raw(watched.daemon.id().cast_signed()), &KeyPieces::of(&secrets));
    expect_nothing("a service after repairs", searched);
    let printed = stop_daemon(watched.daemon);
    let lines: Vec<&str> = printed.lines().collect();
    let ends = |at: usize, end: &str| assert!(lines.get(at).is_some_and(|line| line.ends_with(end)), "{at}: {printed}");
    // `ip` leaves the port of its requests empty.
    ends(0, "another program removed or changed 2 policies of the service: restored");
    ends(1, "another program removed or changed 1 policy of the service: restored");
    ends(2, "another program removed or changed 2 SAs of the service: restored");
    ends(3, "another program removed or changed 1 SA of the service: restored");
    ends(4, "another program removed or changed 2 SAs of the service: restored");
    assert_eq!(lines.len(), 5, "{printed}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn repair_false_only_reports() {
    let hosts = Hosts::new();
    let watched = Watched::start(&hosts.here, &Protection::ESP.keys(), "repair = false");
    hosts.here.ip("xfrm policy flush");
    wait_until(|| watched.state().contains("\"state\":\"degraded\""));
    assert!(watched.state().contains("2 policies of the service: not restored (repair = false)"), "{}", watched.state());
    thread::sleep(Duration::from_millis(500));
    assert_eq!(watched.counts(), (0, 2));
    watched.service.query("refresh");
    assert_eq!(watched.counts(), (2, 2));
    assert!(watched.state().contains("\"state\":\"online\""), "{}", watched.state());
    stop_daemon(watched.daemon);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn repair_waits_for_the_place_of_a_foreign_policy_and_for_the_loaded_file() {
    let hosts = Hosts::new();
    let keys = Protection::ESP.keys();
    let watched = Watched::start(&hosts.here, &keys, "");
    thread::sleep(Duration::from_millis(1100));
    let place = "src 10.0.0.1/32 dst 10.0.0.2/32 dir out";
    hosts.here.ip(&format!("xfrm policy update {place} action block priority 1"));
    wait_until(|| watched.state().contains("another program's policy has the place of src 10.0.0.1/32"));
    assert!(watched.state().contains("\"state\":\"degraded\""), "{}", watched.state());
    assert!(hosts.here.ip("xfrm policy list").contains("action block"), "it is not the service's");
    pause();
    watched.restores_after(&format!("xfrm policy delete {place}"));
    assert!(!hosts.here.ip("xfrm policy list").contains("action block"));
    pause();
    // The keys of another file are not loaded without an order.
    watched.service.write(&keys.replace("0x1000", "0x1001"));
    hosts.here.ip("xfrm state delete dst 10.0.0.2 proto esp spi 0x1000");
    wait_until(|| watched.state().contains("the keys file has changed since it was loaded: run manual-key refresh"));
    assert_eq!(watched.counts(), (2, 1));
    watched.service.query("refresh");
    assert_eq!(watched.counts(), (2, 2));
    // What the administrator stops stays away.
    pause();
    watched.service.run("stop --flush all").succeeded();
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(hosts.here.states().len(), 0);
    stop_daemon(watched.daemon);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn repair_never_loads_expired_keys_again_nor_repeats_nonces() {
    let hosts = Hosts::new();
    let short = Protection::ESP.keys().replacen("replay", "hard_addtime 2 replay", 1);
    let watched = Watched::start(&hosts.here, &short, "");
    wait_until(|| watched.counts() == (2, 1));
    hosts.here.ip("xfrm state flush");
    wait_until(|| watched.counts() == (2, 1));
    assert!(!hosts.here.ip("xfrm state list").contains("0x00001000"), "the expired SA");
    stop_daemon(watched.daemon);
    let hosts = Hosts::new();
    let gcm = "encr_alg aes-gcm encrkey 000102030405060708090a0b0c0d0e0f10111213";
    let keys =
        format!("add esp spi 0x1000 src 10.0.0.1 dst 10.0.0.2 {gcm}\nadd esp spi 0x2000 src 10.0.0.2 dst 10.0.0.1 {gcm}\n");
    let watched = Watched::start(&hosts.here, &keys, "");
    hosts.here.ip("xfrm state flush");
    wait_until(|| watched.state().contains("its cipher must not repeat one: replace the keys"));
    assert_eq!(watched.counts(), (2, 1), "the inbound SA sends nothing");
    stop_daemon(watched.daemon);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn repair_of_many_sas_is_one() {
    let hosts = Hosts::new();
    let sa = |number: u32| {
        format!(
            "add ah spi {:#x} src 10.0.0.1 dst 10.9.{}.{} auth_alg sha1 authkey 000102030405060708090a0b0c0d0e0f10111213\n",
            0x1000 + number,
            number / 250,
            number % 250 + 1
        )
    };
    let keys: String = (0..2_000).map(sa).collect();
    let watched = Watched::start(&hosts.here, &keys, "");
    assert_eq!(watched.sas, 2_000);
    for _ in 0..2 {
        watched.restores_after("xfrm state flush");
        pause();
    }
    let printed = stop_daemon(watched.daemon);
    assert_eq!(printed.matches("removed or changed").count(), 2, "{printed}");
    assert_eq!(printed.matches("2000 SAs of the service: restored").count(), 2, "{printed}");
}
