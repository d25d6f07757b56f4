//! Lost packets while SAs change: 2,000 packets a second through ten of 1,000 SAs, from one host to the other.

use std::fmt;
use std::io::Write;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use crate::hosts::Hosts;
use crate::reconcile::with_file;
use crate::space::Space;

/// The number of SAs, and how many of them, from the first, have traffic.
const ALL: u32 = 1000;
const LIVE: u32 = 10;
/// Packets a second.
const RATE: u32 = 2000;
const PORT: u16 = 7777;

/// The destination of the SA with that index; those with traffic end at the other host.
fn dst(number: u32) -> String {
    if number < LIVE { format!("10.0.0.{}", 11 + number) } else { format!("10.9.{}.{}", number / 250, number % 250) }
}

/// The command that adds the SA with that index. The key depends on `turn`.
fn sa(number: u32, spi: u32, turn: u32, words: &str) -> String {
    let dst = dst(number);
    let key = format!("{turn:08x}{number:08x}");
    format!(
        "add esp spi {spi:#x} src 10.0.0.1 dst {dst} encr_alg aes encrkey {key}{key} \
         auth_alg sha256 authkey {key}{key}{key}{key} {words}\n"
    )
}

/// A keys file with all SAs; `turn_of` selects the key of each.
fn file(words: &str, turn_of: impl Fn(u32) -> u32) -> String {
    (0..ALL).map(|number| sa(number, 0x1000 + number, turn_of(number), words)).collect()
}

/// Two hosts with a policy for each SA that has traffic, so none of its packets leaves in clear.
fn hosts() -> Hosts {
    let hosts = Hosts::new();
    for number in 0..LIVE {
        let dst = dst(number);
        hosts.there.ip(&format!("addr add {dst}/24 dev cable"));
        hosts.here.ip(&format!("neigh add {dst} lladdr 02:00:00:00:00:02 dev cable nud permanent"));
        hosts.here.ip(&format!(
            "xfrm policy add src 10.0.0.1/32 dst {dst}/32 dir out tmpl src 10.0.0.1 dst {dst} proto esp mode transport"
        ));
    }
    hosts
}

/// The fate of the packets that were sent during `work`.
struct Loss {
    sent: u64,
    lost: u64,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.lost, self.sent)
    }
}

fn during(hosts: &Hosts, work: impl FnOnce()) -> Loss {
    let far = hosts.there.inside(|| UdpSocket::bind(("0.0.0.0", PORT)).expect("binds"));
    setsockopt(&far, sockopt::RcvBufForce, &(16 << 20)).expect("a large receive buffer");
    far.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    let near = hosts.here.inside(|| UdpSocket::bind(("10.0.0.1", 0)).expect("binds"));
    let (is_over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let received = thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(&far, &is_over));
        scope.spawn(|| send(&near, &is_over, &sent));
        thread::sleep(Duration::from_millis(200));
        work();
        thread::sleep(Duration::from_millis(200));
        is_over.store(true, Ordering::Relaxed);
        receiver.join().expect("receives")
    });
    let sent = sent.load(Ordering::Relaxed);
    Loss { sent, lost: sent - received }
}

/// Sends at [`RATE`] to one destination after the other. A send that fails because there is no SA counts as a lost packet.
fn send(socket: &UdpSocket, is_over: &AtomicBool, sent: &AtomicU64) {
    let to: Vec<(String, u16)> = (0..LIVE).map(|number| (dst(number), PORT)).collect();
    let to: Vec<std::net::SocketAddr> = to
        .iter()
        .map(|(ip, port)| (ip.parse().map(|ip: std::net::IpAddr| (ip, *port).into())).expect("an address"))
        .collect();
    let started = Instant::now();
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        let due = u64::try_from(started.elapsed().as_micros()).expect("a short time") * u64::from(RATE) / 1_000_000;
        // After a pause of the whole machine, send no more at once than the queue of the cable holds.
        let burst = due.saturating_sub(count).min(100);
        for number in count..count + burst {
            let _ = socket.send_to(&[0; 100], to[(number % u64::from(LIVE)) as usize]);
        }
        count += burst;
        thread::sleep(Duration::from_micros(500));
    }
    sent.store(count, Ordering::Relaxed);
}

/// Counts received packets, until the sender has ended and no packet arrives any more.
fn receive(socket: &UdpSocket, is_over: &AtomicBool) -> u64 {
    let (mut count, mut buffer) = (0, [0; 200]);
    loop {
        match socket.recv(&mut buffer) {
            Ok(_) => count += 1,
            Err(_) if is_over.load(Ordering::Relaxed) => return count,
            Err(_) => {}
        }
    }
}

fn reconcile(space: &Space, keys: &str) {
    with_file(space, "reconcile", keys).succeeded();
}

/// Reconciling refreshes at both ends that change other SAs; returns the loss.
fn refreshes(hosts: &Hosts, words: &str, rounds: u32) -> Loss {
    let mut turns = vec![0; ALL as usize];
    during(hosts, || {
        for round in 1..=rounds {
            let changed = [0, 1, 10, 100][(round % 4) as usize];
            (LIVE..LIVE + changed).for_each(|number| turns[number as usize] = round);
            let space = if round % 2 == 0 { &hosts.here } else { &hosts.there };
            reconcile(space, &file(words, |number| turns[number as usize]));
        }
    })
}

/// Prints it even if the test succeeds.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A new SPI and key for the first SA, in the three steps of docs/guide.md, each at both hosts.
fn rotation(hosts: &Hosts, words: &str) -> Loss {
    let new = rotated_file(words);
    during(hosts, || {
        for step in ["reconcile --inbound", "reconcile --keep-others", "reconcile"] {
            for host in [&hosts.here, &hosts.there] {
                with_file(host, step, &new).succeeded();
            }
            thread::sleep(Duration::from_millis(100));
        }
    })
}

/// Changes the second SA at the sender, with the same key, in a way that requires a replacement.
fn replacement(hosts: &Hosts, words: &str) -> Loss {
    let new = sa(0, 0x2000, 1, words) + &sa(1, 0x1001, 0, &format!("{words} flag noecn"));
    let others: String = (2..ALL).map(|number| sa(number, 0x1000 + number, 0, words)).collect();
    during(hosts, || reconcile(&hosts.here, &(new + &others)))
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reconcile_loses_no_packet_unlike_flush() {
    for words in ["", "replay 32"] {
        let hosts = hosts();
        for host in [&hosts.here, &hosts.there] {
            host.load(&file(words, |_| 0));
        }
        let refreshed = refreshes(&hosts, words, 52);
        for host in [&hosts.here, &hosts.there] {
            reconcile(host, &file(words, |_| 0));
        }
        let rotated = rotation(&hosts, words);
        let replaced = replacement(&hosts, words);
        let flushed = during(&hosts, || hosts.here.start_service(&rotated_file(words)));
        let after = during(&hosts, || thread::sleep(Duration::from_millis(500)));
        say(&format!(
            "{words:9} lost of sent: 52 refreshes {refreshed}, rotated {rotated}, replaced {replaced}, flushed {flushed}, after that {after}"
        ));
        assert_eq!((refreshed.lost, rotated.lost, after.lost), (0, 0, 0));
        assert!(replaced.lost <= 1 && flushed.lost > 1, "{replaced}, {flushed}");
    }
}

/// The SAs after [`rotation`].
fn rotated_file(words: &str) -> String {
    let others: String = (1..ALL).map(|number| sa(number, 0x1000 + number, 0, words)).collect();
    sa(0, 0x2000, 1, words) + &others
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn reconcile_keeps_counters_of_unchanged_sas() {
    let hosts = hosts();
    let keys = |turn| -> String {
        (0..LIVE + 2).map(|number| sa(number, 0x1000 + number, if number > LIVE { turn } else { 0 }, "replay 32")).collect()
    };
    for host in [&hosts.here, &hosts.there] {
        host.load(&keys(0));
    }
    during(&hosts, || thread::sleep(Duration::from_millis(300)));
    // The whole texts, with bytes, packets, times, sequence numbers and the bitmap of the window.
    let printed = |host: &Space| host.ip("-s xfrm state get src 10.0.0.1 dst 10.0.0.11 proto esp spi 0x1000");
    for host in [&hosts.here, &hosts.there] {
        let before = printed(host);
        assert!(before.contains("(packets)") && !before.contains("seq 0x0, oseq 0x0"), "{before}");
        reconcile(host, &keys(1));
        assert_eq!(printed(host), before);
    }
}
