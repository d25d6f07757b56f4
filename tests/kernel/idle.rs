//! Idle lifetimes, which Linux does not support: `manual-key run` enforces them.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::service::{Service, wait_until};
use crate::space::Space;

const KEY: &str = "auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f";

fn has(space: &Space, spi: u32) -> bool {
    space.states().iter().any(|state| state.contains(&format!("spi {spi:#010x}")))
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn run_deletes_sas_after_their_idle_lifetime() {
    let space = Space::new();
    space.ip("link add d0 type dummy");
    space.ip("address add 10.0.0.1/24 dev d0");
    space.ip("link set d0 up");
    space.ip("xfrm policy add dst 10.0.0.3 dir out tmpl src 10.0.0.1 dst 10.0.0.3 proto ah mode transport");
    let ah = |spi: u32, dst: &str, words: &str| format!("add ah spi {spi:#x} src 10.0.0.1 dst {dst} {KEY} {words}\n");
    let keys =
        ah(0x100, "10.0.0.2", "idle_addtime 2") + &ah(0x101, "10.0.0.3", "idle_addtime 3") + &ah(0x102, "10.0.0.2", "");
    let service = Service::start(&space, &keys, &["--flush", "owned"], 3);
    let ran = space.try_load(&ah(0x103, "10.0.0.2", "idle_addtime 1"));
    assert!(ran.err.contains("idle SAs are removed only while manual-key run is running"), "{}", ran.err);
    let socket = space.inside(|| UdpSocket::bind("10.0.0.1:0").expect("the address exists"));
    let stop = AtomicBool::new(false);
    thread::scope(|side| {
        side.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                socket.send_to(b"here", "10.0.0.3:9").expect("sends");
                thread::sleep(Duration::from_millis(200));
            }
        });
        let started = Instant::now();
        wait_until(|| !has(&space, 0x100));
        thread::sleep(Duration::from_secs(7).saturating_sub(started.elapsed()));
        let left = [0x101, 0x102, 0x103].map(|spi| has(&space, spi));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(left, [true; 3], "used continuously, without an idle lifetime, foreign");
    });
    wait_until(|| !has(&space, 0x101));
    let printed = service.end();
    for (spi, dst) in [("0x100", "10.0.0.2"), ("0x101", "10.0.0.3")] {
        let reported =
            format!("manual-key: the idle lifetime of the AH SA with SPI {spi} to {dst} has expired: it is removed\n");
        assert!(printed.contains(&reported), "{printed}");
    }
    // No policy uses these SAs, and nothing else is reported.
    assert!(printed.lines().all(|line| line.contains("degraded: 3 SAs") || !line.contains("warning")), "{printed}");
    assert!(has(&space, 0x103) && !has(&space, 0x102));
}
