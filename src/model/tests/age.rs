//! Lifetimes: by time, by use, by bytes; larval, dead and paired SAs.

use crate::model::TableDirection;
use crate::model::tests::*;
use crate::sa::{LifetimeKind, SaId, Spi};

const HARD: u16 = ext::LIFETIME_HARD;
const SOFT: u16 = ext::LIFETIME_SOFT;
const IDLE: u16 = ext::LIFETIME_IDLE;

fn outbound(spi: u32) -> Recipe {
    plain(spi, OUTBOUND)
}

fn inbound(spi: u32) -> Recipe {
    add(Sa::esp(spi).flags(INBOUND)).between(B, A)
}

fn use_it(bench: &mut Bench, spi: u32, bytes: u64) -> bool {
    bench.received();
    let id = SaId { sa_type: SaType::ESP, spi: Spi(spi), dst: B.parse().unwrap(), mark: None };
    let is_allowed = bench.model.use_sa(id, TableDirection::Outbound, bytes, bench.now);
    bench.check();
    is_allowed
}

/// SPI, state and kind of lifetime of each EXPIRE.
fn expired(messages: &[Message]) -> Vec<(u32, u8, LifetimeKind)> {
    let kinds = [LifetimeKind::Hard, LifetimeKind::Soft, LifetimeKind::Idle];
    messages
        .iter()
        .inspect(|message| assert_eq!(message.kind, MessageType::EXPIRE))
        .map(|message| {
            let kind = kinds.into_iter().find(|kind| message.lifetime(*kind).is_some()).unwrap();
            (message.association().unwrap().spi.0, state(message), kind)
        })
        .collect()
}

#[test]
fn age_soft_then_hard_then_removed() {
    let mut bench = Bench::new();
    bench.ok(outbound(1).lifetime(SOFT, [0, 0, 18, 0]).lifetime(HARD, [0, 0, 20, 0]));
    assert_eq!(expired(&bench.pass(9)), []);
    assert_eq!(expired(&bench.pass(8)), [(1, 2, LifetimeKind::Soft)]);
    assert_eq!(expired(&bench.pass(8)), [(1, 3, LifetimeKind::Hard)]);
    assert_eq!(state(&bench.ok(get(1, B))), 3);
    assert!(!use_it(&mut bench, 1, 1));
    assert_eq!(expired(&bench.pass(8)), []);
    assert!(bench.model.is_empty());
}

#[test]
fn expire_names_the_lifetime() {
    let mut bench = Bench::new();
    let tunnel = outbound(1).addr(ext::INNER_SRC, "1.1.1.1/32").addr(ext::INNER_DST, "2.2.2.2/32");
    bench.ok(tunnel.lifetime(SOFT, [0, 0, 13, 0]).identity(ext::IDENTITY_SRC, b"x"));
    let messages = bench.pass(8);
    let message = &messages[0];
    assert_eq!((message.seq, message.pid, message.errno, message.sa_type), (0, 0, 0, SaType::ESP));
    assert_eq!(message.extensions.len(), 5);
    assert_eq!(message.lifetime(LifetimeKind::Soft).unwrap().addtime, 5);
    assert_eq!(message.lifetime(LifetimeKind::Current).unwrap().addtime, START);
    let mut bench = Bench::new();
    let tunnel = plain(1, OUTBOUND | TUNNEL).addr(ext::INNER_SRC, "1.1.1.1/32").addr(ext::INNER_DST, "2.2.2.2/32");
    bench.ok(tunnel.lifetime(SOFT, [0, 0, 13, 0]));
    assert_eq!(bench.pass(8)[0].extensions.len(), 7);
}

#[test]
fn tick_waits_for_the_ager_interval() {
    let mut bench = Bench::new();
    bench.ok(outbound(1).lifetime(HARD, [0, 0, 1, 0]));
    (0..7).for_each(|_| assert!(bench.pass(1).is_empty()));
    assert_eq!(bench.pass(1).len(), 1);
    bench.now = START - 1000;
    bench.model.tick(bench.now);
    assert!(bench.pass(8).is_empty());
    assert_eq!(bench.model.len(), 1);
}

#[test]
fn larval_sa_is_removed_without_expire() {
    let mut bench = Bench::new();
    bench.ok(esp(MessageType::GETSPI).between(A, B).range(5, 5));
    assert!(bench.pass(89).is_empty());
    assert_eq!(bench.model.len(), 1);
    assert!(bench.pass(8).is_empty());
    assert!(bench.model.is_empty());
}

#[test]
fn larval_timeout_stays() {
    let mut bench = Bench::new();
    bench.ok(esp(MessageType::GETSPI).between(A, B).range(5, 5));
    bench.ok(esp(MessageType::UPDATE).sa(Sa::esp(5)).key(ext::KEY_ENCRYPT, 128).between(A, B));
    assert_eq!(expired(&bench.pass(90)), [(5, 3, LifetimeKind::Hard)]);
}

#[test]
fn idle_expire_repeats_until_use() {
    let mut bench = Bench::new();
    bench.ok(outbound(1).lifetime(IDLE, [0, 0, 10, 3]));
    assert_eq!(expired(&bench.pass(9)), []);
    assert_eq!(expired(&bench.pass(8)), [(1, 1, LifetimeKind::Idle)]);
    assert_eq!(expired(&bench.pass(8)), [(1, 1, LifetimeKind::Idle)]);
    assert!(use_it(&mut bench, 1, 1));
    assert_eq!(expired(&bench.pass(8)), []);
    assert_eq!(expired(&bench.pass(8)), [(1, 1, LifetimeKind::Idle)]);
}

#[test]
fn active_elsewhere_becomes_idle() {
    let mut bench = Bench::new();
    bench.ok(add(Sa::esp(1).flags(OUTBOUND).state(4)).between(A, B).lifetime(IDLE, [0, 0, 5, 0]));
    assert!(bench.pass(8).is_empty());
    assert_eq!(state(&bench.ok(get(1, B))), 5);
    let update = |state| esp(MessageType::UPDATE).sa(Sa::named(1).state(state)).between(A, B);
    bench.ok(update(4));
    assert_eq!(state(&bench.ok(get(1, B))), 4);
    bench.pass(8);
    bench.ok(update(6).lifetime(HARD, [0, 0, 5, 0]));
    let found = bench.ok(get(1, B));
    assert_eq!(state(&found), 1);
    assert!(found.lifetime(LifetimeKind::Hard).is_none());
}

#[test]
fn idle_sa_without_hard_expiry_is_removed() {
    let mut bench = Bench::new();
    let add = |spi| add(Sa::esp(spi).flags(OUTBOUND).state(4)).between(A, B).lifetime(IDLE, [0, 0, 5, 0]);
    bench.ok(add(1));
    bench.ok(add(2).lifetime(HARD, [0, 0, 100, 0]));
    assert!(bench.pass(8).is_empty());
    assert!(bench.pass(8).is_empty());
    assert_eq!(bench.dump(SaType::ESP), [2]);
}

#[test]
fn active_elsewhere_is_removed_without_expire() {
    let mut bench = Bench::new();
    bench.ok(add(Sa::esp(1).state(4)).between(A, B).lifetime(HARD, [0, 0, 5, 0]).lifetime(SOFT, [0, 0, 3, 0]));
    assert!(bench.pass(8).is_empty());
    assert!(bench.model.is_empty());
}

#[test]
fn use_sa_bytes_soft_then_hard() {
    let mut bench = Bench::new();
    bench.ok(outbound(1).lifetime(SOFT, [0, 100, 0, 0]).lifetime(HARD, [0, 200, 0, 0]));
    assert!(use_it(&mut bench, 1, 99));
    assert!(bench.received().is_empty());
    assert!(use_it(&mut bench, 1, 1));
    assert_eq!(expired(&bench.received()), [(1, 2, LifetimeKind::Soft)]);
    assert!(use_it(&mut bench, 1, 99));
    assert!(bench.received().is_empty());
    assert!(!use_it(&mut bench, 1, 1));
    assert_eq!(expired(&bench.received()), [(1, 3, LifetimeKind::Hard)]);
    let found = bench.ok(get(1, B));
    assert_eq!(found.lifetime(LifetimeKind::Current).unwrap().bytes, 200);
    assert!(bench.pass(8).is_empty());
    assert!(bench.model.is_empty());
}

#[test]
fn use_sa_starts_usetime_lifetimes() {
    let mut bench = Bench::new();
    bench.ok(outbound(1).lifetime(SOFT, [0, 0, 1000, 10]).lifetime(HARD, [0, 0, 1000, 20]));
    assert!(bench.pass(100).is_empty());
    assert!(use_it(&mut bench, 1, 5));
    let found = bench.ok(get(1, B));
    assert_eq!(found.lifetime(LifetimeKind::Current).unwrap().usetime, START + 100);
    assert_ne!(flags(&found) & USED, 0);
    bench.now += 3;
    assert!(use_it(&mut bench, 1, 5));
    assert_eq!(expired(&bench.pass(5)), []);
    assert_eq!(expired(&bench.pass(8)), [(1, 2, LifetimeKind::Soft)]);
    assert_eq!(expired(&bench.pass(8)), [(1, 3, LifetimeKind::Hard)]);
}

#[test]
fn age_sa_in_both_tables_expires_once() {
    let mut bench = Bench::new();
    bench.ok(plain(1, 0).lifetime(SOFT, [0, 0, 5, 0]).lifetime(HARD, [0, 0, 10, 0]));
    assert_eq!(expired(&bench.pass(8)), [(1, 2, LifetimeKind::Soft)]);
    assert_eq!(expired(&bench.pass(8)), [(1, 3, LifetimeKind::Hard)]);
    assert_eq!(expired(&bench.pass(8)), []);
    assert!(bench.model.is_empty());
    bench.ok(plain(1, 0).lifetime(HARD, [0, 10, 0, 0]));
    assert!(!use_it(&mut bench, 1, 10));
    assert_eq!(expired(&bench.received()).len(), 1);
    bench.pass(8);
    assert!(bench.model.is_empty());
}

#[test]
fn age_kills_inbound_peer_without_expire() {
    let mut bench = Bench::new();
    bench.ok(outbound(1).lifetime(HARD, [0, 0, 5, 0]));
    bench.ok(inbound(2).pair(1));
    assert_eq!(expired(&bench.pass(8)), [(1, 3, LifetimeKind::Hard)]);
    assert_eq!(state(&bench.ok(get(2, A))), 3);
    assert!(bench.pass(8).is_empty());
    assert!(bench.model.is_empty());
}

#[test]
fn age_expires_outbound_peer_in_the_same_pass() {
    let mut bench = Bench::new();
    bench.ok(outbound(1));
    bench.ok(inbound(2).pair(1).lifetime(HARD, [0, 0, 5, 0]));
    assert_eq!(expired(&bench.pass(8)), [(2, 3, LifetimeKind::Hard), (1, 3, LifetimeKind::Hard)]);
    bench.pass(8);
    assert!(bench.model.is_empty());
}

#[test]
fn soft_expiry_leaves_the_peer() {
    let mut bench = Bench::new();
    bench.ok(outbound(1).lifetime(SOFT, [0, 0, 5, 0]));
    bench.ok(inbound(2).pair(1));
    bench.pass(8);
    assert_eq!((state(&bench.ok(get(1, B))), state(&bench.ok(get(2, A)))), (2, 1));
    assert_eq!(flags(&bench.ok(inbound(4).pair(1))) & PAIRED, 0);
}

#[test]
fn soft_fuzz_reduces_addtime() {
    let mut bench = Bench::new();
    bench.ok(outbound(1).lifetime(SOFT, [0, 0, 100, 0]));
    let soft = bench.ok(get(1, B)).lifetime(LifetimeKind::Soft).unwrap().addtime;
    assert_eq!(soft, 92);
    bench.ok(inbound(2).lifetime(SOFT, [0, 0, 100, 0]));
    assert_eq!(bench.ok(get(2, A)).lifetime(LifetimeKind::Soft).unwrap().addtime, 100);
}

#[test]
fn largest_lifetimes_do_not_expire() {
    let mut bench = Bench::new();
    bench.ok(outbound(1).lifetime(HARD, [0, u64::MAX, u64::MAX, u64::MAX]));
    assert!(use_it(&mut bench, 1, u64::MAX - 1));
    assert!(bench.pass(1 << 40).is_empty());
    assert!(!use_it(&mut bench, 1, u64::MAX));
    let id = SaId { sa_type: SaType::ESP, spi: Spi(77), dst: B.parse().unwrap(), mark: None };
    assert!(!bench.model.use_sa(id, TableDirection::Inbound, 1, START));
    assert!(!bench.model.use_sa(SaId { sa_type: SaType(9), ..id }, TableDirection::Inbound, 1, START));
}

#[test]
fn wrapped_lifetimes_expire_at_once() {
    let mut bench = Bench::new();
    // Below the 8 seconds that are subtracted.
    bench.ok(outbound(1).lifetime(SOFT, [0, 0, 5, 0]).lifetime(HARD, [0, 0, 30, 0]));
    assert_eq!(bench.ok(get(1, B)).lifetime(LifetimeKind::Soft).unwrap().addtime, u64::MAX - 2);
    bench.ok(inbound(2).lifetime(IDLE, [0, 0, u64::MAX, 0]));
    bench.ok(inbound(4));
    let update = esp(MessageType::UPDATE).sa(Sa::named(4).state(MATURE)).between(B, A);
    bench.ok(update.lifetime(HARD, [0, 0, u64::MAX, 0]));
    let found = expired(&bench.pass(8));
    assert_eq!(found, [(4, 3, LifetimeKind::Hard), (2, 1, LifetimeKind::Idle), (1, 2, LifetimeKind::Soft)]);
}

#[test]
fn sa_in_both_tables_leaves_the_outbound_one_first() {
    let mut bench = Bench::new();
    bench.ok(plain(1, 0).lifetime(HARD, [0, 0, 5, 0]));
    assert_eq!(expired(&bench.pass(8)), [(1, 3, LifetimeKind::Hard)]);
    assert!(bench.dump(SaType::ESP).is_empty());
    assert_eq!(state(&bench.ok(get(1, B))), 3);
    assert_eq!(bench.code(plain(1, 0)), (17, 0));
    assert!(bench.pass(8).is_empty());
    bench.ok(plain(1, 0));
}
