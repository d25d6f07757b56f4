//! Pairing by ADD and UPDATE, unpairing by DELETE, and failed pairings.

use crate::model::tests::*;
use crate::sa::Extension;

fn inbound(spi: u32) -> Recipe {
    add(Sa::esp(spi).flags(INBOUND)).between(B, A)
}

fn peer_sa(message: &Message) -> Option<u32> {
    message.extensions.iter().find_map(|ext| match ext {
        Extension::Pair(spi) => Some(spi.0),
        _ => None,
    })
}

/// 1 goes out and is paired with 2, which comes in; 3 goes out, 4 comes in.
fn bench(settings: Settings) -> Bench {
    let mut bench = Bench::with(settings);
    bench.ok(plain(1, OUTBOUND));
    bench.ok(inbound(2).pair(1));
    bench.ok(plain(3, OUTBOUND));
    bench.ok(inbound(4));
    bench
}

fn named(kind: MessageType, spi: u32) -> Recipe {
    let name = esp(kind).sa(Sa::named(spi).state(MATURE));
    if spi % 2 == 1 { name.between(A, B) } else { name.between(B, A) }
}

fn pair_of(bench: &mut Bench, spi: u32) -> Option<u32> {
    let found = bench.ok(named(MessageType::GET, spi));
    assert_eq!(flags(&found) & PAIRED != 0, peer_sa(&found).is_some());
    peer_sa(&found)
}

#[test]
fn add_pairs_both() {
    let mut bench = bench(Settings::default());
    assert_eq!((pair_of(&mut bench, 1), pair_of(&mut bench, 2)), (Some(2), Some(1)));
    assert_eq!((pair_of(&mut bench, 3), pair_of(&mut bench, 4)), (None, None));
    let echo = bench.ok(inbound(6).pair(3));
    assert_ne!(flags(&echo) & PAIRED, 0);
}

#[test]
fn update_pairs() {
    let mut bench = bench(Settings::default());
    bench.ok(named(MessageType::UPDATE, 3).pair(4));
    assert_eq!((pair_of(&mut bench, 3), pair_of(&mut bench, 4)), (Some(4), Some(3)));
    bench.ok(named(MessageType::UPDATE, 3).pair(4));
    assert_eq!((pair_of(&mut bench, 3), pair_of(&mut bench, 4)), (Some(4), Some(3)));
    bench.ok(named(MessageType::UPDATE_PAIR, 4).pair(3));
}

#[test]
fn update_unpairs_the_old_peer() {
    let mut bench = bench(Settings::default());
    bench.ok(named(MessageType::UPDATE, 1).pair(4));
    assert_eq!((pair_of(&mut bench, 1), pair_of(&mut bench, 2), pair_of(&mut bench, 4)), (Some(4), None, Some(1)));
}

#[test]
fn add_with_failed_pairing_leaves_no_sa() {
    let mut bench = bench(Settings::default());
    for (pair, code) in [(1, 75), (77, 73), (4, 73), (0, 73), (6, 73)] {
        assert_eq!(bench.code(inbound(6).pair(pair)), (22, code), "{pair}");
        assert_eq!(bench.model.len(), 4);
    }
    assert_eq!(pair_of(&mut bench, 1), Some(2));
    bench.ok(inbound(6).pair(3));
}

#[test]
fn failed_update_keeps_pair_and_sets_lifetimes() {
    let mut bench = bench(Settings::default());
    let update = named(MessageType::UPDATE, 3).lifetime(ext::LIFETIME_HARD, [0, 0, 500, 0]).pair(2);
    assert_eq!(bench.code(update), (22, 75));
    assert_eq!((pair_of(&mut bench, 3), pair_of(&mut bench, 2)), (None, Some(1)));
    let found = bench.ok(named(MessageType::GET, 3));
    assert_eq!(found.lifetime(crate::sa::LifetimeKind::Hard).unwrap().addtime, 500);
}

#[test]
fn pair_failures_are_silent() {
    let mut bench = bench(Settings::kernel());
    let echo = bench.ok(inbound(6).pair(1));
    assert_eq!((flags(&echo) & PAIRED, peer_sa(&echo)), (0, Some(1)));
    assert_eq!((pair_of(&mut bench, 6), pair_of(&mut bench, 1)), (None, Some(2)));
}

#[test]
fn pair_failures_linger() {
    let mut bench = bench(Settings::kernel());
    assert_eq!(bench.code(inbound(6).pair(77)), (22, 73));
    assert_eq!(state(&bench.ok(named(MessageType::GET, 6))), 3);
    assert_eq!(bench.code(inbound(6)), (17, 0));
    assert!(bench.pass(8).is_empty());
    bench.ok(inbound(6));
}

#[test]
fn delete_unpairs_the_peer() {
    let mut bench = bench(Settings::default());
    let answer = bench.ok(named(MessageType::DELETE, 1));
    assert_eq!((state(&answer), peer_sa(&answer)), (3, Some(2)));
    assert_eq!(pair_of(&mut bench, 2), None);
    bench.ok(named(MessageType::UPDATE, 2).pair(3));
}

#[test]
fn delete_pair_by_either_sa() {
    for spi in [1, 2] {
        let mut bench = bench(Settings::default());
        bench.ok(named(MessageType::DELETE_PAIR, spi));
        assert!(bench.received().is_empty());
        assert_eq!(bench.dump(SaType::ESP), [3, 4]);
    }
}

#[test]
fn delete_pair_of_unpaired_sa() {
    let mut bench = bench(Settings::default());
    assert_eq!(bench.code(named(MessageType::DELETE_PAIR, 3)), (3, 76));
    assert_eq!(bench.dump(SaType::ESP), [1, 4, 2]);
}

#[test]
fn pair_with_unspecified_source() {
    let mut bench = Bench::new();
    bench.ok(add(Sa::esp(1).flags(OUTBOUND)).between("0.0.0.0", B));
    bench.ok(inbound(2).pair(1));
    assert_eq!(peer_sa(&bench.ok(get(1, B))), Some(2));
    bench.ok(esp(MessageType::DELETE).sa(Sa::named(2)).between(B, A));
    assert_eq!(state(&bench.ok(get(1, B))), 1);
}

#[test]
fn paired_flag_alone_does_not_pair() {
    let mut bench = Bench::new();
    bench.ok(plain(1, OUTBOUND | PAIRED));
    assert_eq!(peer_sa(&bench.ok(get(1, B))), Some(0));
    bench.ok(inbound(2).pair(1));
    assert_eq!(peer_sa(&bench.ok(get(1, B))), Some(2));
}
