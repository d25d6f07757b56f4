//! Changes by UPDATE and X_UPDATEPAIR.

use crate::model::tests::*;
use crate::sa::{Extension, Lifetime, LifetimeKind};

const HARD: u16 = ext::LIFETIME_HARD;
const SOFT: u16 = ext::LIFETIME_SOFT;
const IDLE: u16 = ext::LIFETIME_IDLE;

fn update(spi: u32) -> Recipe {
    esp(MessageType::UPDATE).sa(Sa::named(spi).state(MATURE)).between(A, B)
}

fn lifetime(bench: &mut Bench, kind: LifetimeKind) -> [u64; 4] {
    let found = bench.ok(get(1, B));
    let Lifetime { allocations, bytes, addtime, usetime } = found.lifetime(kind).copied().unwrap_or_default();
    [allocations.into(), bytes, addtime, usetime]
}

#[test]
fn update_replaces_nonzero_values() {
    let mut bench = Bench::new();
    bench.ok(plain(1, 0).lifetime(HARD, [1, 2000, 3000, 4000]));
    bench.ok(update(1).lifetime(HARD, [0, 5000, 0, 0]));
    assert_eq!(lifetime(&mut bench, LifetimeKind::Hard), [1, 5000, 3000, 4000]);
    bench.ok(update(1).lifetime(SOFT, [9, 6000, 500, 5000]).lifetime(HARD, [9, 0, 0, 0]));
    assert_eq!(lifetime(&mut bench, LifetimeKind::Soft), [9, 5000, 492, 4000]);
    bench.ok(update(1).lifetime(IDLE, [0, 0, 70, 60]));
    assert_eq!(lifetime(&mut bench, LifetimeKind::Idle), [0, 0, 70, 60]);
}

#[test]
fn update_drops_soft_without_hard() {
    let mut bench = Bench::new();
    bench.ok(plain(1, 0));
    bench.ok(update(1).lifetime(SOFT, [0, 100, 100, 100]));
    assert_eq!(lifetime(&mut bench, LifetimeKind::Soft), [0; 4]);
}

#[test]
fn update_soft_addtime_above_hard() {
    let mut bench = Bench::new();
    bench.ok(plain(1, 0).lifetime(HARD, [0, 0, 50, 0]));
    bench.ok(update(1).lifetime(SOFT, [0, 0, 100, 0]));
    assert_eq!(lifetime(&mut bench, LifetimeKind::Soft), [0, 0, 92, 0]);
}

#[test]
fn update_counts_from_add_time() {
    let mut bench = Bench::new();
    bench.ok(plain(1, OUTBOUND));
    bench.pass(100);
    bench.ok(update(1).lifetime(HARD, [0, 0, 110, 0]));
    assert!(bench.pass(8).is_empty());
    assert_eq!(bench.pass(8).len(), 1);
}

#[test]
fn update_idle_takes_the_smaller_value() {
    let mut bench = Bench::new();
    bench.ok(plain(1, OUTBOUND));
    bench.ok(update(1).lifetime(IDLE, [0, 0, 100, 20]));
    assert!(bench.pass(19).is_empty());
    assert_eq!(bench.pass(8).len(), 1);
    bench.ok(update(1).lifetime(IDLE, [0, 0, 100, 20]));
    assert!(bench.pass(8).is_empty());
}

#[test]
fn update_of_one_copy_or_both() {
    let mut bench = Bench::new();
    bench.ok(plain(1, 0));
    bench.ok(update(1).lifetime(HARD, [0, 500, 0, 0]));
    let inbound = |bench: &mut Bench| {
        let found = bench.ok(esp(MessageType::GET).sa(Sa::named(1).flags(INBOUND)).addr(ext::ADDRESS_DST, B));
        found.lifetime(LifetimeKind::Hard).map_or(0, |lifetime| lifetime.bytes)
    };
    assert_eq!((lifetime(&mut bench, LifetimeKind::Hard)[1], inbound(&mut bench)), (500, 0));
    bench.ok(esp(MessageType::UPDATE_PAIR).sa(Sa::named(1).state(1)).between(A, B).lifetime(HARD, [0, 600, 0, 0]));
    assert_eq!((lifetime(&mut bench, LifetimeKind::Hard)[1], inbound(&mut bench)), (600, 600));
}

#[test]
fn update_pair_changes_the_peer() {
    let mut bench = Bench::new();
    bench.ok(plain(1, OUTBOUND));
    bench.ok(add(Sa::esp(2).flags(INBOUND)).between(B, A).pair(1));
    bench.ok(esp(MessageType::UPDATE_PAIR)
        .sa(Sa::named(1).state(1))
        .between(A, B)
        .lifetime(HARD, [0, 600, 0, 0])
        .cookie(3, 9));
    let found = bench.ok(get(2, A));
    assert_eq!(found.lifetime(LifetimeKind::Hard).unwrap().bytes, 600);
    assert!(found.extensions.iter().any(|ext| matches!(ext, Extension::KmCookie { proto: 3, cookie: 9 })));
}

#[test]
fn update_pair_of_unpaired_sa() {
    let mut bench = Bench::new();
    bench.ok(plain(1, OUTBOUND));
    let update = esp(MessageType::UPDATE_PAIR).sa(Sa::named(1).state(1)).between(A, B).lifetime(HARD, [0, 600, 0, 0]);
    assert_eq!(bench.code(update), (3, 76));
    assert_eq!(lifetime(&mut bench, LifetimeKind::Hard)[1], 600);
}

#[test]
fn update_ignores_other_extensions() {
    let mut bench = Bench::new();
    bench.ok(plain(1, 0));
    let before = bench.ok(get(1, B)).extensions.len();
    let sa = Sa { replay: 99, auth: SHA1, encr: DES, ..Sa::named(1).state(MATURE).flags(OUTBOUND) };
    let echo = bench.ok(esp(MessageType::UPDATE).sa(sa).between(A, B).identity(ext::IDENTITY_SRC, b"x"));
    assert_eq!((echo.association().unwrap().replay, flags(&echo), echo.extensions.len()), (99, OUTBOUND, 4));
    let found = bench.ok(get(1, B));
    let sa = found.association().unwrap();
    assert_eq!((sa.replay, sa.auth.0, sa.encr.0, found.extensions.len()), (0, 0, u16::from(AES), before));
    assert_eq!(flags(&found), INBOUND | OUTBOUND);
}

#[test]
fn update_of_cookies() {
    let mut bench = Bench::new();
    bench.ok(plain(1, 0));
    bench.ok(update(1).cookie(3, 5));
    bench.ok(update(1).cookie(3, 6));
    assert_eq!(bench.code(update(1).cookie(1, 6)), (22, 49));
    bench.ok(plain(2, 0).cookie(0, 5));
    assert_eq!(bench.code(update(2).cookie(1, 6)), (22, 50));
    bench.ok(update(2).cookie(1, 5));
    bench.ok(update(2).cookie(0, 0));
    let found = bench.ok(get(2, B));
    assert!(found.extensions.iter().any(|ext| matches!(ext, Extension::KmCookie { proto: 1, cookie: 5 })));
}

#[test]
fn update_of_dead_sa() {
    let mut bench = Bench::new();
    bench.ok(plain(1, OUTBOUND).lifetime(HARD, [0, 0, 5, 0]));
    bench.pass(8);
    assert_eq!(bench.code(update(1)), (3, 0));
}

#[test]
fn update_replay_value_of_dying_sa() {
    let mut bench = Bench::with(Settings { local: vec![B.parse().unwrap()], ..Settings::default() });
    bench.ok(add(Sa::esp(1).replay(32)).between(A, B).lifetime(SOFT, [0, 0, 5, 0]).replay_value(100, 0));
    bench.pass(8);
    let mut counter = |value| bench.code(update(1).replay_value(u32::to_be(value), 0));
    assert_eq!(counter(101), (0, 0));
    assert_eq!(counter(101), (22, 81));
    assert_eq!(counter(50), (22, 81));
    assert_eq!(counter(200), (0, 0));
    let found = bench.ok(get(1, B));
    assert_eq!(state(&found), 2);
    assert!(found.extensions.iter().any(|ext| matches!(ext, Extension::ReplayValue { value32: 200, .. })));
    let mut bench = Bench::new();
    bench.ok(add(Sa::esp(1).replay(32)).between(A, B).lifetime(SOFT, [0, 0, 5, 0]).replay_value(100, 0));
    bench.pass(8);
    bench.ok(update(1).replay_value(7, 0));
    let found = bench.ok(get(1, B));
    assert!(found.extensions.iter().any(|ext| matches!(ext, Extension::ReplayValue { value32: 7, .. })));
}

#[test]
fn update_applies_soft_fuzz_again() {
    let mut bench = Bench::new();
    bench.ok(plain(1, 0).lifetime(HARD, [0, 0, 1000, 0]));
    bench.ok(update(1).lifetime(SOFT, [0, 0, 100, 0]));
    assert_eq!(lifetime(&mut bench, LifetimeKind::Soft)[2], 92);
    bench.ok(update(1).lifetime(SOFT, [0, 7, 0, 0]));
    assert_eq!(lifetime(&mut bench, LifetimeKind::Soft)[2], 84);
}

#[test]
fn update_to_active_changes_the_sa_before_its_partner() {
    let mut bench = Bench::new();
    bench.ok(add(Sa::esp(1).flags(OUTBOUND).state(4)).between(A, B).lifetime(IDLE, [0, 0, 5, 0]));
    bench.ok(add(Sa::esp(2).flags(INBOUND)).between(B, A).pair(1));
    bench.pass(8);
    assert_eq!(state(&bench.ok(get(1, B))), 5);
    let active = esp(MessageType::UPDATE).sa(Sa::named(1).state(6)).between(A, B);
    assert_eq!(bench.code(active), (22, 43));
    assert_eq!(state(&bench.ok(get(1, B))), 1);
}
