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
fn bench() -> Bench {
    let mut bench = Bench::new();
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
    let mut bench = bench();
    assert_eq!((pair_of(&mut bench, 1), pair_of(&mut bench, 2)), (Some(2), Some(1)));
    assert_eq!((pair_of(&mut bench, 3), pair_of(&mut bench, 4)), (None, None));
    let echo = bench.ok(inbound(6).pair(3));
    assert_ne!(flags(&echo) & PAIRED, 0);
}

#[test]
fn update_pairs() {
    let mut bench = bench();
    bench.ok(named(MessageType::UPDATE, 3).pair(4));
    assert_eq!((pair_of(&mut bench, 3), pair_of(&mut bench, 4)), (Some(4), Some(3)));
}

#[test]
fn update_with_the_same_pair_breaks_it_on_one_side() {
    for kind in [MessageType::UPDATE, MessageType::UPDATE_PAIR] {
        let mut bench = bench();
        bench.ok(named(kind, 2).pair(1));
        assert_eq!((pair_of(&mut bench, 2), pair_of(&mut bench, 1)), (None, Some(2)));
        // The other one still finds it.
        bench.ok(named(MessageType::DELETE_PAIR, 1));
        assert_eq!(bench.dump(SaType::ESP), [3, 4]);
    }
}

#[test]
fn update_leaves_the_old_peer_pointing() {
    let mut bench = bench();
    bench.ok(named(MessageType::UPDATE, 1).pair(4));
    assert_eq!((pair_of(&mut bench, 1), pair_of(&mut bench, 2), pair_of(&mut bench, 4)), (Some(4), Some(1), Some(1)));
}

#[test]
fn update_of_an_sa_in_both_tables_pairs_it_with_itself() {
    let mut bench = Bench::with(Settings { local: vec![A.parse().unwrap()], ..Settings::default() });
    // Marked INBOUND only, although it is in both tables.
    bench.ok(add(Sa::esp(1)).between(A, A));
    let update = |spi| esp(MessageType::UPDATE).sa(Sa::named(spi).state(MATURE));
    bench.ok(update(1).between(A, A).pair(77));
    let copy = |flag| esp(MessageType::GET).sa(Sa::named(1).flags(flag)).addr(ext::ADDRESS_DST, A);
    assert_eq!((peer_sa(&bench.ok(copy(OUTBOUND))), peer_sa(&bench.ok(copy(INBOUND)))), (Some(77), Some(1)));
    // Marked with both directions: a silent failure.
    bench.ok(add(Sa::esp(3)).between("10.0.0.7", B));
    bench.ok(update(3).between("10.0.0.7", B).pair(77));
    assert_eq!(peer_sa(&bench.ok(get(3, B))), None);
}

#[test]
fn failed_pairing_leaves_a_dead_sa() {
    for pair in [77, 4, 0, 6] {
        let mut bench = bench();
        assert_eq!(bench.code(inbound(6).pair(pair)), (22, 73), "{pair}");
        assert_eq!(state(&bench.ok(named(MessageType::GET, 6))), 3);
        assert_eq!(bench.code(inbound(6)), (17, 0));
        assert!(bench.pass(8).is_empty());
        bench.ok(inbound(6));
    }
}

#[test]
fn failed_pairing_clears_the_flag_of_the_client() {
    let mut bench = bench();
    let flagged = |pair| add(Sa::esp(6).flags(INBOUND | PAIRED)).between(B, A).pair(pair);
    assert_eq!(bench.code(flagged(77)), (22, 73));
    assert_eq!(flags(&bench.ok(named(MessageType::GET, 6))) & PAIRED, 0);
    bench.pass(8);
    // 0 and the own SPI are refused before.
    assert_eq!(bench.code(flagged(6)), (22, 73));
    assert_eq!(flags(&bench.ok(named(MessageType::GET, 6))) & PAIRED, PAIRED);
}

#[test]
fn unsuitable_peer_fails_in_silence() {
    let mut bench = bench();
    let echo = bench.ok(inbound(6).pair(1));
    assert_eq!((flags(&echo) & PAIRED, peer_sa(&echo)), (0, Some(1)));
    assert_eq!((pair_of(&mut bench, 6), pair_of(&mut bench, 1)), (None, Some(2)));
    let update = named(MessageType::UPDATE, 3).lifetime(ext::LIFETIME_HARD, [0, 0, 500, 0]).pair(2);
    bench.ok(update);
    assert_eq!((pair_of(&mut bench, 3), pair_of(&mut bench, 2)), (None, Some(1)));
    let found = bench.ok(named(MessageType::GET, 3));
    assert_eq!(found.lifetime(crate::sa::LifetimeKind::Hard).unwrap().addtime, 500);
}

#[test]
fn update_pair_without_partner_does_not_pair() {
    let mut bench = bench();
    assert_eq!(bench.code(named(MessageType::UPDATE_PAIR, 3).pair(4)), (3, 76));
    assert_eq!((pair_of(&mut bench, 3), pair_of(&mut bench, 4)), (None, None));
}

#[test]
fn delete_unpairs_the_peer() {
    let mut bench = bench();
    let answer = bench.ok(named(MessageType::DELETE, 1));
    assert_eq!((state(&answer), peer_sa(&answer)), (3, Some(2)));
    assert_eq!(pair_of(&mut bench, 2), None);
    bench.ok(named(MessageType::UPDATE, 2).pair(3));
}

#[test]
fn delete_pair_by_either_sa() {
    for spi in [1, 2] {
        let mut bench = bench();
        bench.ok(named(MessageType::DELETE_PAIR, spi));
        assert!(bench.received().is_empty());
        assert_eq!(bench.dump(SaType::ESP), [3, 4]);
    }
}

#[test]
fn delete_pair_of_unpaired_sa() {
    let mut bench = bench();
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
    // To the kernel it is paired already.
    assert_eq!(peer_sa(&bench.ok(get(1, B))), Some(0));
    assert_eq!(pair_of(&mut bench, 2), None);
}
