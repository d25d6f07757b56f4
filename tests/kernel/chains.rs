//! Key chains: two hosts change keys at set times, under traffic in both directions, with clocks that differ. The clocks of the two
//! namespaces are one; a host whose file has all times later by some seconds acts as one whose clock is slow by them.

use std::io::Write;
use std::net::UdpSocket;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::socket::{setsockopt, sockopt};

use crate::capture::Capture;
use crate::guard::{Guard, stop_daemon};
use crate::hosts::Hosts;
use crate::space::Space;

/// Packets a second in each direction.
const RATE: u64 = 1000;
const PORT: u16 = 7777;
/// Names the test that takes minutes; docs/testing.md.
const LONG: &str = "CHAIN_SECONDS";

/// A chain for both directions between the two hosts.
#[derive(Clone, Copy, Debug)]
struct Chain {
    /// When the second key is first sent with.
    first_change: u64,
    /// Seconds from one change to the next.
    every: u64,
    /// Seconds that a key is accepted before and after it is sent with.
    overlap: u64,
    keys: u32,
    /// More keywords of each SA.
    words: &'static str,
    /// Between the networks behind the hosts.
    is_tunnel: bool,
}

impl Chain {
    /// The keys file, with all times later by `shift` seconds. The first key has no start and the last no end.
    fn file(&self, shift: u64) -> String {
        (0..self.keys).flat_map(|key| [(key, true), (key, false)]).map(|(key, out)| self.add(key, out, shift)).collect()
    }

    fn add(&self, key: u32, outward: bool, shift: u64) -> String {
        let (src, dst, base) = if outward { ("10.0.0.1", "10.0.0.2", 0x1000) } else { ("10.0.0.2", "10.0.0.1", 0x2000) };
        let spi = base + key;
        let from = self.change(key) + shift;
        let until = from + self.every;
        let mut windows = String::new();
        if key > 0 {
            windows += &format!("accept_from {} send_from {from} ", from - self.overlap);
        }
        if key + 1 < self.keys {
            windows += &format!("accept_until {} send_until {until} ", until + self.overlap);
        }
        let digits = format!("{spi:08x}").repeat(8);
        let (encr, auth) = (&digits[..32], &digits);
        let [here, there] = self.ends();
        let (near, far) = if outward { (here, there) } else { (there, here) };
        let inner = if self.is_tunnel { format!("isrc {near} idst {far} ") } else { String::new() };
        let words = inner + self.words;
        format!(
            "add esp spi {spi:#x} src {src} dst {dst} encr_alg aes encrkey {encr} auth_alg sha256 authkey {auth} {windows}{words}\n"
        )
    }

    /// The addresses that the packets are from and to.
    fn ends(&self) -> [&'static str; 2] {
        if self.is_tunnel { ["10.1.0.1", "10.2.0.1"] } else { ["10.0.0.1", "10.0.0.2"] }
    }

    /// When the key with this number begins to be sent with.
    fn change(&self, key: u32) -> u64 {
        self.first_change + u64::from(key) * self.every - self.every
    }

    /// The SPIs after the last change.
    fn last_spis(&self) -> [String; 2] {
        [0x1000, 0x2000].map(|base| format!("{:#010x}", base + self.keys - 1))
    }
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_secs()
}

fn spis(space: &Space) -> Vec<String> {
    let text = space.ip("xfrm state list");
    let mut found: Vec<String> =
        text.lines().filter_map(|line| Some(line.split_once(" spi ")?.1.split_whitespace().next()?.to_owned())).collect();
    found.sort();
    found
}

/// Waits until both hosts have only the SAs of the last key.
#[track_caller]
fn wait_for_last_keys(hosts: &Hosts, chain: &Chain, shift: u64) {
    let end = chain.change(chain.keys) + chain.overlap + shift;
    // Far beyond the end of the chain: the machine may be slow.
    let give_up = end + 60;
    while [&hosts.here, &hosts.there].iter().any(|host| spis(host) != chain.last_spis()) {
        assert!(now() < give_up, "{:?}, {:?}", spis(&hosts.here), spis(&hosts.there));
        thread::sleep(Duration::from_millis(200));
    }
}

/// A stream of datagrams from one host to the other.
struct Flow {
    near: UdpSocket,
    far: UdpSocket,
    to: &'static str,
}

impl Flow {
    fn new(from: &Space, to: &Space, ends: [&'static str; 2]) -> Self {
        let far = to.inside(|| UdpSocket::bind((ends[1], PORT)).expect("binds"));
        setsockopt(&far, sockopt::RcvBufForce, &(16 << 20)).expect("a large receive buffer");
        far.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        let near = from.inside(|| UdpSocket::bind((ends[0], 0)).expect("binds"));
        Self { near, far, to: ends[1] }
    }

    /// Sends at [`RATE`] until `is_over`. A send that fails counts as a lost packet.
    fn send(&self, is_over: &AtomicBool, sent: &AtomicU64) {
        let (started, mut count) = (Instant::now(), 0);
        while !is_over.load(Ordering::Relaxed) {
            let due = u64::try_from(started.elapsed().as_micros()).expect("a short time") * RATE / 1_000_000;
            // After a pause of the whole machine, no more at once than the queue of the cable holds.
            let burst = due.saturating_sub(count).min(100);
            for _ in 0..burst {
                let _ = self.near.send_to(&[0; 100], (self.to, PORT));
            }
            count += burst;
            thread::sleep(Duration::from_micros(500));
        }
        sent.store(count, Ordering::Relaxed);
    }

    /// Counts what arrives, until the sender has ended and nothing arrives any more.
    fn receive(&self, is_over: &AtomicBool) -> u64 {
        let (mut count, mut buffer) = (0, [0; 200]);
        loop {
            match self.far.recv(&mut buffer) {
                Ok(_) => count += 1,
                Err(_) if is_over.load(Ordering::Relaxed) => return count,
                Err(_) => {}
            }
        }
    }
}

/// Packets sent and lost in both directions during `work`.
fn during(hosts: &Hosts, [here, there]: [&'static str; 2], work: impl FnOnce()) -> (u64, u64) {
    let flows = [Flow::new(&hosts.here, &hosts.there, [here, there]), Flow::new(&hosts.there, &hosts.here, [there, here])];
    let (is_over, sent) = (AtomicBool::new(false), [AtomicU64::new(0), AtomicU64::new(0)]);
    let received: u64 = thread::scope(|scope| {
        let receivers = [0, 1].map(|at| {
            let (flow, sent, is_over) = (&flows[at], &sent[at], &is_over);
            scope.spawn(move || flow.send(is_over, sent));
            scope.spawn(move || flow.receive(is_over))
        });
        work();
        is_over.store(true, Ordering::Relaxed);
        receivers.into_iter().map(|receiver| receiver.join().expect("receives")).sum()
    });
    let sent = sent.iter().map(|sent| sent.load(Ordering::Relaxed)).sum();
    (sent, sent - received)
}

/// The service on one host, and its daemon.
struct Side<'a> {
    service: Guard<'a>,
    daemon: Child,
}

impl Side<'_> {
    /// The daemon ends without a chance to do anything, and starts again after `pause` as after a crash.
    fn crash_for(&mut self, pause: Duration) {
        self.daemon.kill().expect("it runs");
        self.daemon.wait().expect("it ends");
        thread::sleep(pause);
        self.daemon = self.service.start_daemon();
    }
}

/// Runs the daemon on both hosts with `chain`, and `work` meanwhile, which may return a longer chain; then everything must have
/// arrived, protected.
fn passes_without_loss(chain: Chain, shift: u64, refresh: &str, work: impl FnOnce(&mut [Side<'_>; 2]) -> Chain) {
    let hosts = Hosts::new();
    let settings = format!("flush = \"owned\"\nrefresh = \"{refresh}\"");
    let mut sides = [(&hosts.here, 0), (&hosts.there, shift)].map(|(host, shift)| {
        let service = Guard::new(host, &chain.file(shift), &settings);
        let daemon = service.start_daemon();
        Side { service, daemon }
    });
    let capture = Capture::start(&hosts, "udp");
    let started = Instant::now();
    let (sent, lost) = during(&hosts, chain.ends(), || {
        let chain = work(&mut sides);
        wait_for_last_keys(&hosts, &chain, shift);
    });
    let seconds = started.elapsed().as_secs();
    let in_clear = capture.stop().lines("").len();
    let name = format!("{chain:?}, clocks {shift} s apart");
    let _ = writeln!(std::io::stderr(), "{name}: {lost} of {sent} packets lost in {seconds} s, {in_clear} in the clear");
    assert_eq!((lost, in_clear), (0, 0), "{name}");
    assert!(sent > 0);
    for Side { service, daemon } in sides {
        assert!(service.query("status").contains("2 owned, 0 foreign, 0 missing\n"), "{}", service.query("status"));
        assert_eq!(stop_daemon(daemon), "");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn key_chains_lose_no_packet_with_clocks_apart() {
    let chain = Chain { first_change: now() + 6, every: 4, overlap: 3, keys: 4, words: "replay 32", is_tunnel: false };
    passes_without_loss(chain, 1, "flush", |_| chain);
}

fn sleep_until(time: u64) {
    while now() < time {
        thread::sleep(Duration::from_millis(50));
    }
}

/// A crash of the daemon, one over a change, a longer file, and a clock that is set, each with transport and tunnel mode, with and
/// without a replay window: changes every 20 seconds with clocks 5 seconds apart. The variable has the seconds for each.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn key_chains_lose_no_packet_whatever_happens_to_the_service() {
    let Some(seconds) = std::env::var(LONG).ok().and_then(|seconds| seconds.parse::<u32>().ok()) else { return };
    for (is_tunnel, words) in [(false, ""), (true, "replay 32"), (false, "replay 32"), (true, "")] {
        let chain = Chain { first_change: now() + 20, every: 20, overlap: 12, keys: seconds.div_ceil(20), words, is_tunnel };
        passes_without_loss(chain, 5, "reconcile", |sides| {
            sleep_until(chain.change(1) - 10);
            sides.iter_mut().for_each(|side| side.crash_for(Duration::from_millis(100)));
            // The change of `there` is 5 seconds later.
            sleep_until(chain.change(1) + 3);
            sides[1].crash_for(Duration::from_secs(5));
            let longer = Chain { keys: chain.keys + 1, ..chain };
            for (side, shift) in sides.iter().zip([0, 5]) {
                side.service.write(&longer.file(shift));
                side.service.run("refresh").succeeded();
            }
            sleep_until(chain.change(2) - 3);
            // Beyond the next change of `here`, and for both hosts at once: they have one clock.
            let step = Command::new("date").args(["-s", &format!("@{}", now() + 5)]).output().expect("date");
            assert!(step.status.success(), "{step:?}");
            longer
        });
    }
}
