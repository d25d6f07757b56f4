//! `ipseckey doctor` on two hosts whose protected traffic is broken in one way at a time: at least one of them names the cause, and
//! its remedy makes the traffic pass again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime, clock_settime};
use nix::unistd::Pid;

use crate::guard::{Guard, stop_daemon};
use crate::hosts::Hosts;
use crate::missing::Loader;
use crate::service::wait_until;
use crate::space::{Ran, Space};
use crate::traffic::Protection;

/// The host that names the cause.
#[derive(Clone, Copy)]
enum Side {
    Here,
    There,
}

/// How the remedy is applied.
enum Fix {
    /// The first command in backquotes of the finding, on the host that printed it.
    Command,
    /// The same keys file on both hosts.
    SameFile,
    /// New keys on both hosts.
    NewKeys,
    /// By hand, as the finding says.
    Hand(fn(&mut Pair<'_>)),
}

/// One way in which traffic can be broken.
struct Breakage {
    name: &'static str,
    /// Changes one of the hosts.
    apply: fn(&mut Pair<'_>),
    side: Side,
    /// Parts of the finding: what was found or its cause, and the remedy.
    expected: [&'static str; 2],
    fix: Fix,
    /// Whether no ping gets a reply meanwhile.
    is_lost: bool,
}

/// Two hosts with a service each, and the traffic that their SAs protect.
struct Pair<'a> {
    hosts: &'a Hosts,
    /// The host that pings, and the address.
    from: &'a Space,
    to: &'static str,
    services: [Guard<'a>; 2],
    keys: String,
    /// Number of the generation of keys.
    generation: u8,
    clock: Option<Duration>,
    loader: Option<Loader>,
}

const SETTINGS: &str = "refresh = \"reconcile\"\nflush = \"owned\"\nrepair = false\nhold_natt_ports = true\n";

impl<'a> Pair<'a> {
    fn start(hosts: &'a Hosts, keys: String, from: &'a Space, to: &'static str) -> (Self, [Child; 2]) {
        let services = [&hosts.here, &hosts.there].map(|host| Guard::new(host, &keys, SETTINGS));
        let daemons = [services[0].start_daemon(), services[1].start_daemon()];
        (Self { hosts, from, to, services, keys, generation: 0, clock: None, loader: None }, daemons)
    }

    fn host(&self, side: Side) -> &'a Space {
        match side {
            Side::Here => &self.hosts.here,
            Side::There => &self.hosts.there,
        }
    }

    fn service(&self, side: Side) -> &Guard<'a> {
        &self.services[side as usize]
    }

    /// Loads `keys` on that host.
    fn load(&self, side: Side, keys: &str) {
        self.service(side).write(keys);
        self.service(side).query("refresh");
    }

    /// Loads the keys of both hosts again.
    fn restore(&mut self) {
        [Side::Here, Side::There].into_iter().for_each(|side| self.load(side, &self.keys));
    }

    /// Loads new keys on both hosts.
    fn replace_keys(&mut self) {
        self.generation += 1;
        self.keys = self.keys.replace("2acebd65", &format!("2acebd{}", 66 + self.generation));
        for side in [Side::Here, Side::There] {
            self.host(side).ip("xfrm state flush");
        }
        self.restore();
    }

    /// A ping every 100 ms until it is killed.
    fn start_ping(&self) -> Child {
        let mut command = Command::new("ping");
        command.args(["-n", "-q", "-i", "0.1", self.to]);
        self.from.spawn(command)
    }

    fn ping(&self) -> bool {
        let mut command = Command::new("ping");
        command.args(["-n", "-c", "3", "-i", "0.1", "-W", "1", self.to]);
        self.from.run(command).status == 0
    }

    fn doctor(&self, side: Side, options: &str) -> Ran {
        let service = self.service(side);
        let mut command = self.host(side).command(&format!("doctor {} {options}", service.path("keys")));
        command.env("RUNTIME_DIRECTORY", service.path("run"));
        self.host(side).run(command)
    }

    /// What the doctor of each host prints while this one pings the other, and the replies that it got.
    fn doctors(&self) -> ([String; 2], u32) {
        let ping = self.start_ping();
        // Its first packet has left.
        thread::sleep(Duration::from_millis(200));
        let found = thread::scope(|scope| {
            let there = scope.spawn(|| self.doctor(Side::There, "--for 1").out);
            [self.doctor(Side::Here, "--for 1").out, there.join().expect("ends")]
        });
        // Without a route it has ended.
        let _ = kill(Pid::from_raw(ping.id().cast_signed()), Signal::SIGINT);
        let statistics = Ran::new("ping".to_owned(), ping.wait_with_output().expect("it ends")).out;
        let received = statistics.split_once("transmitted, ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
        (found, received.unwrap_or(0))
    }

    #[track_caller]
    fn expect_healthy(&self) {
        for found in self.doctors().0 {
            let is_bad = |line: &str| !line.starts_with(' ') && !line.starts_with("ok");
            assert!(!found.lines().any(is_bad), "{found}");
        }
    }

    /// Runs the command that the finding proposes.
    fn run_proposed(&self, side: Side, finding: &str) {
        let (_, fix) = finding.split_once("\n         fix: ").expect("a remedy");
        let command = fix.split('`').nth(1).expect("a command");
        self.service(side).shell(command).succeeded();
    }
}

/// The findings of a text, each with its cause and remedy.
fn findings(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        match found.last_mut() {
            Some(last) if line.starts_with(' ') => *last = format!("{last}\n{line}"),
            _ => found.push(line.to_owned()),
        }
    }
    found
}

/// Breaks the traffic, finds the cause, repairs it; all that failed.
fn try_breakage(pair: &mut Pair<'_>, breakage: &Breakage) -> Result<(), String> {
    (breakage.apply)(pair);
    let name = breakage.name;
    let (printed, replies) = pair.doctors();
    if breakage.is_lost && replies > 0 {
        return Err(format!("{name}: pings get replies"));
    }
    let of_side = &printed[breakage.side as usize];
    let is_expected =
        |finding: &&String| !finding.starts_with("ok") && breakage.expected.iter().all(|part| finding.contains(part));
    let all = findings(of_side);
    let found = all.iter().find(is_expected).cloned();
    match (&breakage.fix, &found) {
        (Fix::Command, Some(finding)) => pair.run_proposed(breakage.side, finding),
        (Fix::Command, None) => pair.restore(),
        (Fix::SameFile, _) => pair.restore(),
        (Fix::NewKeys, _) => pair.replace_keys(),
        (Fix::Hand(repair), _) => repair(pair),
    }
    if found.is_none() {
        return Err(format!(
            "{name}: no such finding in\n{of_side}\nthe other host:\n{}",
            printed[1 - breakage.side as usize]
        ));
    }
    let is_mended = (0..5).any(|_| pair.ping());
    if is_mended { Ok(()) } else { Err(format!("{name}: the remedy does not help")) }
}

#[track_caller]
fn try_all(pair: &mut Pair<'_>, breakages: &[Breakage]) {
    assert!(pair.ping(), "no reply before anything is broken");
    pair.expect_healthy();
    let failed: Vec<String> = breakages.iter().filter_map(|breakage| try_breakage(pair, breakage).err()).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    pair.expect_healthy();
}

/// Packets with `keys` in which `word` has another value.
fn with(pair: &Pair<'_>, side: Side, from: &str, to: &str) {
    assert!(pair.keys.contains(from), "{from} in {}", pair.keys);
    pair.load(side, &pair.keys.replace(from, to));
}

fn set_clock(to: Duration) {
    clock_settime(ClockId::CLOCK_REALTIME, to.into()).expect("is permitted");
}

fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_REALTIME).expect("a clock").into()
}

const NEW_KEYS: &str = "fix: replace the keys on both hosts";
const REFRESH: &str = "fix: run `manual-key refresh`";

/// Those of transport mode.
const TRANSPORT: &[Breakage] = &[
    Breakage {
        name: "another authentication key on the peer",
        apply: |pair| with(pair, Side::There, "authkey 2ace", "authkey 3ace"),
        side: Side::There,
        expected: ["the keys of this SA differ on the two hosts", "fix: compare the keys files of both hosts"],
        fix: Fix::SameFile,
        is_lost: true,
    },
    Breakage {
        name: "another encryption key on the peer",
        apply: |pair| with(pair, Side::There, "encrkey 4bd6", "encrkey 5bd6"),
        side: Side::There,
        expected: ["packets that failed decryption or authentication", "load the same keys file on both"],
        fix: Fix::SameFile,
        is_lost: true,
    },
    Breakage {
        name: "the peer lacks the inbound SA",
        apply: |pair| drop(pair.hosts.there.ip("xfrm state delete dst 10.0.0.2 proto esp spi 0x1000")),
        side: Side::There,
        expected: ["of the file's 2 SAs, 1 is not in the SADB", REFRESH],
        fix: Fix::Command,
        is_lost: true,
    },
    Breakage {
        name: "SPIs exchanged",
        apply: |pair| {
            let keys = pair.keys.replace("0x1000", "0x3000").replace("0x2000", "0x1000").replace("0x3000", "0x2000");
            pair.load(Side::There, &keys);
        },
        side: Side::There,
        expected: ["packets with an SPI without an SA", "load the same keys file on both hosts"],
        fix: Fix::SameFile,
        is_lost: true,
    },
    Breakage {
        name: "the anti-replay window of the peer is ahead",
        apply: restart_sequence,
        side: Side::There,
        expected: ["had a sequence number that was replayed or too old", NEW_KEYS],
        fix: Fix::NewKeys,
        is_lost: true,
    },
    Breakage {
        name: "ESP is dropped before IPsec on the peer",
        apply: |pair| {
            tc(&pair.hosts.there, "qdisc add dev cable ingress");
            tc(&pair.hosts.there, "filter add dev cable parent ffff: protocol ip u32 match ip protocol 50 0xff action drop");
        },
        side: Side::Here,
        expected: ["sent in 1 s, none received", "let the protocol pass in all firewalls between: 50 (ESP)"],
        fix: Fix::Hand(|pair| tc(&pair.hosts.there, "qdisc del dev cable ingress")),
        is_lost: true,
    },
    Breakage {
        name: "the policies are gone",
        apply: |pair| drop(pair.hosts.here.ip("xfrm policy flush")),
        side: Side::Here,
        expected: ["no policy uses the esp SA with spi 0x1000", REFRESH],
        fix: Fix::Command,
        is_lost: false,
    },
    Breakage {
        name: "the keys file of another host",
        apply: |pair| pair.load(Side::Here, &pair.keys.replace("10.0.0.1", "10.0.0.7")),
        side: Side::Here,
        expected: [
            "the keys file is for another host: 2 SAs have no address of this host",
            "load the keys file of this host",
        ],
        fix: Fix::SameFile,
        is_lost: false,
    },
    Breakage {
        name: "the SAs have expired",
        apply: expire,
        side: Side::Here,
        expected: ["of the file's 2 SAs, 2 have expired", NEW_KEYS],
        fix: Fix::Hand(|pair| {
            pair.keys = pair.keys.replace("hard_addtime 3 ", "");
            pair.replace_keys();
        }),
        is_lost: true,
    },
    Breakage {
        name: "the file has another lifetime than the SADB",
        apply: |pair| {
            let changed = pair.keys.replace("encr_alg", "hard_addtime 99999 encr_alg");
            pair.service(Side::Here).write(&changed);
        },
        side: Side::Here,
        expected: ["differs from the file: hard_addtime 0, in the file 99999", REFRESH],
        fix: Fix::Command,
        is_lost: false,
    },
    Breakage {
        name: "the module of an algorithm is missing",
        apply: |pair| {
            let loader = Loader::none();
            loader.remove("camellia_generic");
            pair.hosts.here.ip("xfrm state flush");
            pair.service(Side::Here).write(&with_camellia(&pair.keys));
            let refresh = pair.service(Side::Here).command("refresh");
            assert_ne!(pair.hosts.here.run(refresh).status, 0, "the kernel has the algorithm");
            pair.loader = Some(loader);
        },
        side: Side::Here,
        expected: ["camellia-cbc", "run `modprobe camellia_generic`"],
        fix: Fix::Hand(|pair| {
            pair.loader = None;
            // The guest has its modules elsewhere: its own command for them.
            let modprobe = fs::read_to_string("/proc/sys/kernel/modprobe").expect("modules");
            pair.service(Side::Here).shell(&format!("{} camellia_generic", modprobe.trim())).succeeded();
            let keys = with_camellia(&pair.keys);
            [Side::Here, Side::There].into_iter().for_each(|side| pair.load(side, &keys));
        }),
        is_lost: true,
    },
    Breakage {
        name: "the clock was set back",
        apply: |pair| {
            // SAs of now: those before were added at other times.
            pair.clock = Some(now());
            set_clock(now() - Duration::from_secs(86_400));
        },
        side: Side::Here,
        expected: ["which has not come yet", "fix: check the clock"],
        fix: Fix::Hand(|pair| set_clock(pair.clock.take().expect("it was set"))),
        is_lost: false,
    },
    Breakage {
        name: "a policy with precedence drops packets",
        apply: |pair| {
            drop(pair.hosts.here.ip("xfrm policy add src 10.0.0.0/24 dst 10.0.0.0/24 dir out action block priority 1"));
        },
        side: Side::Here,
        expected: ["drops packets that SAs are for", "fix: run `ip xfrm policy delete"],
        fix: Fix::Command,
        is_lost: true,
    },
    Breakage {
        name: "the cable is out",
        apply: |pair| drop(pair.hosts.switch.ip("link set port1 down")),
        side: Side::Here,
        expected: ["cable, the interface to 10.0.0.2, is down", "fix: check the cable"],
        fix: Fix::Hand(|pair| drop(pair.hosts.switch.ip("link set port1 up"))),
        is_lost: true,
    },
    Breakage {
        name: "no route to the peer",
        apply: |pair| drop(pair.hosts.here.ip("route del 10.0.0.0/24 dev cable")),
        side: Side::Here,
        expected: ["route 10.0.0.1 <-> 10.0.0.2: none to 10.0.0.2", "fix: add a route to 10.0.0.2"],
        fix: Fix::Hand(|pair| drop(pair.hosts.here.ip("route add 10.0.0.0/24 dev cable src 10.0.0.1"))),
        is_lost: true,
    },
    Breakage {
        name: "another source address",
        apply: |pair| {
            pair.hosts.here.ip("addr add 10.0.0.9/24 dev cable");
            pair.hosts.here.ip("route replace 10.0.0.0/24 dev cable src 10.0.0.9");
        },
        side: Side::Here,
        expected: [
            "have the source 10.0.0.9, which is not in 10.0.0.1/32",
            "fix: run `ip route replace 10.0.0.2/32 dev cable src 10.0.0.1`",
        ],
        fix: Fix::Command,
        is_lost: false,
    },
    Breakage {
        name: "the peer does not resolve",
        apply: |pair| {
            pair.hosts.there.ip("link set cable arp off");
            pair.hosts.here.ip("neigh del 10.0.0.2 dev cable");
        },
        side: Side::Here,
        expected: ["10.0.0.2 on cable is ", "fix: check address, link and power of the peer"],
        fix: Fix::Hand(|pair| drop(pair.hosts.there.ip("link set cable arp on"))),
        is_lost: true,
    },
    Breakage {
        name: "tunnel mode on the peer only",
        apply: |pair| with(pair, Side::There, "encr_alg", "isrc 0.0.0.0/0 idst 0.0.0.0/0 encr_alg"),
        side: Side::There,
        expected: ["packets in the wrong mode", "use the same mode (transport or tunnel) on both hosts"],
        fix: Fix::SameFile,
        is_lost: true,
    },
    Breakage {
        name: "the last sequence number is used",
        apply: |pair| {
            pair.hosts.here.ip("xfrm state delete dst 10.0.0.2 proto esp spi 0x1000");
            with(pair, Side::Here, "spi 0x1000 ", "spi 0x1000 replay_value 4294967295 ");
        },
        side: Side::Here,
        expected: ["has sent its last sequence number", NEW_KEYS],
        fix: Fix::NewKeys,
        is_lost: true,
    },
    Breakage {
        name: "other users can read the keys file",
        apply: |pair| {
            let path = pair.service(Side::Here).path("keys");
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("is permitted");
        },
        side: Side::Here,
        expected: ["keys file: ", "fix: chmod 600 "],
        fix: Fix::Hand(|pair| {
            let path = pair.service(Side::Here).path("keys");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("is permitted");
        }),
        is_lost: false,
    },
    Breakage {
        name: "the default policy drops",
        apply: |pair| drop(pair.hosts.here.ip("xfrm policy setdefault out block")),
        side: Side::Here,
        expected: [
            "packets without a policy are dropped (default policy block: out)",
            "`ip xfrm policy setdefault out accept`",
        ],
        fix: Fix::Command,
        is_lost: false,
    },
];

/// Those of a tunnel between two networks.
const TUNNEL: &[Breakage] = &[
    Breakage {
        name: "no route to the network of the peer",
        apply: |pair| drop(pair.hosts.here.ip("route del 10.2.0.0/16")),
        side: Side::Here,
        expected: ["none to 10.2.0.0/16, behind the tunnel", "fix: run `ip route add 10.2.0.0/16 via 10.0.0.2 src 10.1."],
        fix: Fix::Command,
        is_lost: true,
    },
    Breakage {
        name: "the policy fwd is missing",
        apply: |pair| drop(pair.hosts.here.ip("xfrm policy delete src 10.2.0.0/16 dst 10.1.0.0/16 dir fwd")),
        side: Side::Here,
        expected: ["dir fwd: packets for the network behind this host are dropped", REFRESH],
        fix: Fix::Command,
        is_lost: true,
    },
];

/// Those of ESP in UDP.
const NATT: &[Breakage] = &[Breakage {
    name: "no program holds the port of ESP in UDP",
    apply: |pair| {
        pair.service(Side::There).set(&SETTINGS.replace("hold_natt_ports = true", "hold_natt_ports = false"));
        pair.service(Side::There).query("refresh");
    },
    side: Side::There,
    expected: ["no program has a socket on port 4500", "fix: set hold_natt_ports = true"],
    fix: Fix::Hand(|pair| {
        pair.service(Side::There).set(SETTINGS);
        pair.service(Side::There).query("refresh");
    }),
    is_lost: true,
}];

/// The peer sees packets that it has seen already: this host has loaded the same keys again, without a record of the sequence
/// numbers.
fn restart_sequence(pair: &mut Pair<'_>) {
    with(pair, Side::There, "encr_alg", "replay 32 encr_alg");
    let mut many = Command::new("ping");
    many.args(["-n", "-q", "-f", "-c", "600", pair.to]);
    pair.from.run(many).succeeded();
    pair.hosts.here.ip("xfrm state delete dst 10.0.0.2 proto esp spi 0x1000");
    let run = pair.service(Side::Here).path("run");
    let _ = fs::remove_file(format!("{run}/sequence.json"));
    pair.service(Side::Here).query("refresh");
}

fn expire(pair: &mut Pair<'_>) {
    pair.keys = pair.keys.replace("encr_alg", "hard_addtime 3 encr_alg");
    pair.replace_keys();
    wait_until(|| [Side::Here, Side::There].iter().all(|side| pair.host(*side).states().is_empty()));
}

/// Without an anti-replay window: a host that loads the same keys again may start with sequence number 1.
fn without_window(keys: &str) -> String {
    keys.replace("replay 32 ", "")
}

fn with_camellia(keys: &str) -> String {
    keys.replace("encr_alg aes ", "encr_alg camellia-cbc ")
}

fn tc(host: &Space, words: &str) {
    let mut command = Command::new("tc");
    command.args(words.split_whitespace());
    host.run(command).succeeded();
}

fn end(daemons: [Child; 2]) {
    daemons.into_iter().for_each(|daemon| drop(stop_daemon(daemon)));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn doctor_names_each_cause_in_transport_mode() {
    let hosts = Hosts::new();
    let (mut pair, daemons) = Pair::start(&hosts, without_window(&Protection::ESP.keys()), &hosts.here, "10.0.0.2");
    try_all(&mut pair, TRANSPORT);
    end(daemons);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn doctor_names_each_cause_of_a_tunnel() {
    let hosts = Hosts::new();
    let inside = hosts.behind();
    let (mut pair, daemons) =
        Pair::start(&hosts, without_window(&Protection::ESP.keys_of_networks()), &inside.here, "10.2.5.2");
    try_all(&mut pair, TUNNEL);
    end(daemons);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn doctor_names_the_cause_with_encapsulation_in_udp() {
    let hosts = Hosts::new();
    let keys = without_window(&Protection { natt: true, ..Protection::ESP }.keys());
    let (mut pair, daemons) = Pair::start(&hosts, keys, &hosts.here, "10.0.0.2");
    try_all(&mut pair, NATT);
    end(daemons);
}

/// The findings about the peer: `there` writes a report, and `here` compares with it.
fn compare_reports(pair: &Pair<'_>) -> String {
    let file = pair.service(Side::There).path("report");
    let _ = fs::remove_file(&file);
    let written = pair.doctor(Side::There, &format!("--for 0 --report {file}"));
    let mode = fs::metadata(&file).unwrap_or_else(|_| panic!("{written:?}")).permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let text = fs::read_to_string(&file).expect("text");
    for key in ["4bd65b39", "2acebd65", "3acebd65"] {
        assert!(!text.contains(key), "{text}");
    }
    let found = pair.doctor(Side::Here, &format!("--for 0 --peer {file}")).out;
    let is_of_peer = |finding: &String| finding.get(9..).is_some_and(|rest| rest.starts_with("peer"));
    findings(&found).into_iter().filter(is_of_peer).collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn doctor_compares_the_reports_of_both_hosts() {
    let hosts = Hosts::new();
    let (mut pair, daemons) = Pair::start(&hosts, without_window(&Protection::ESP.keys()), &hosts.here, "10.0.0.2");
    let same = "ok       peer: 2 SAs are the same on both hosts";
    assert_eq!(compare_reports(&pair), same);
    type Apply = fn(&Pair<'_>);
    let cases: &[(Apply, &[&str])] = &[
        (
            |pair| with(pair, Side::There, "authkey 2ace", "authkey 3ace"),
            &[
                "differs on the two hosts: authkey\n         cause: the keys files of the two hosts differ",
                "fix: load the same keys file",
            ],
        ),
        (
            |pair| {
                with(pair, Side::There, "encrkey 4bd6", "encrkey 5bd6");
                pair.service(Side::There).write(&pair.keys);
            },
            &[
                "differs on the two hosts: encrkey\n         cause: the peer has not loaded its keys file as it is now",
                "fix: on the peer",
            ],
        ),
        (
            |pair| {
                let keys = pair.keys.replace("0x1000", "0x3000").replace("0x2000", "0x1000").replace("0x3000", "0x2000");
                pair.load(Side::There, &keys);
            },
            &[
                "the SPIs are exchanged: 0x1000 is for packets from 10.0.0.1 here, and to 10.0.0.1 there",
                "fix: load the same keys file",
            ],
        ),
        (
            |pair| drop(pair.hosts.there.ip("xfrm state flush")),
            &[
                "the peer has esp spi 0x1000 dst 10.0.0.2 in its keys file, and has not loaded it",
                "peer: reports: SAs: of the file's 2",
            ],
        ),
        (
            |pair| with(pair, Side::There, "encr_alg", "isrc 0.0.0.0/0 idst 0.0.0.0/0 encr_alg"),
            &["differs on the two hosts: mode"],
        ),
        (
            |pair| with(pair, Side::There, "encr_alg", "encap udp nat_lport 4500 nat_rport 4500 encr_alg"),
            &["differs on the two hosts: encap"],
        ),
        (
            |pair| with(pair, Side::There, "spi 0x1000", "spi 0x1001"),
            &["the peer does not have esp spi 0x1000 dst 10.0.0.2"],
        ),
        (
            |pair| drop(pair.hosts.there.ip("link set cable mtu 1400")),
            &["the MTU to the peer is 1500, and 1400 in the other direction"],
        ),
    ];
    for (apply, expected) in cases {
        apply(&pair);
        let found = compare_reports(&pair);
        assert!(expected.iter().all(|part| found.contains(part)), "{expected:?} in\n{found}");
        pair.restore();
    }
    hosts.there.ip("link set cable mtu 1500");
    assert_eq!(compare_reports(&pair), same);
    end(daemons);
}
