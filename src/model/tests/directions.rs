//! The tables of an SA, and lookups.

use crate::model::TableDirection;
use crate::model::TableDirection::{Inbound, Outbound};
use crate::model::tests::*;

const OWN: &str = "10.0.0.9";
const BOTH: u32 = INBOUND | OUTBOUND;

fn bench() -> Bench {
    let local = vec![OWN.parse().unwrap(), "2001:db8::9".parse().unwrap()];
    Bench::with(Settings { local, ..Settings::default() })
}

/// The tables an SA is in, and its direction flags, after an ADD with `sent` flags.
fn tables_of(source: &str, destination: &str, sent: u32) -> (Vec<TableDirection>, u32) {
    let mut bench = bench();
    let echo = bench.ok(add(Sa::esp(1).flags(sent)).between(source, destination));
    let database = &bench.model.databases[1];
    let destination = destination.parse().unwrap();
    let found = [Inbound, Outbound]
        .into_iter()
        .filter(|direction| database.find_in(*direction, crate::sa::Spi(1), destination).is_some());
    (found.collect(), flags(&echo) & BOTH)
}

#[test]
fn table_by_addresses() {
    let rows = [
        (A, "224.0.0.1", vec![Inbound, Outbound], BOTH),
        (A, OWN, vec![Inbound], INBOUND),
        (OWN, OWN, vec![Inbound, Outbound], INBOUND),
        ("0.0.0.0", OWN, vec![Inbound, Outbound], INBOUND),
        (OWN, B, vec![Outbound], OUTBOUND),
        (A, B, vec![Inbound, Outbound], BOTH),
        ("0.0.0.0", B, vec![Inbound, Outbound], BOTH),
        ("127.0.0.1", "127.0.0.1", vec![Inbound, Outbound], BOTH),
        ("2001:db8::9", "2001:db8::1", vec![Outbound], OUTBOUND),
        ("2001:db8::1", "2001:db8::9", vec![Inbound], INBOUND),
    ];
    for (source, destination, tables, flags) in rows {
        assert_eq!(tables_of(source, destination, 0), (tables, flags), "{source} {destination}");
    }
}

#[test]
fn table_by_flags() {
    for (source, destination) in [(A, B), (OWN, B), (A, OWN)] {
        assert_eq!(tables_of(source, destination, INBOUND), (vec![Inbound], INBOUND));
        assert_eq!(tables_of(source, destination, OUTBOUND), (vec![Outbound], OUTBOUND));
        assert_eq!(tables_of(source, destination, BOTH), (vec![Inbound, Outbound], BOTH));
    }
}

#[test]
fn find_with_wrong_direction() {
    let mut bench = bench();
    bench.ok(plain(1, OUTBOUND));
    for hint in [0, INBOUND, OUTBOUND, BOTH] {
        let get = esp(MessageType::GET).sa(Sa::named(1).flags(hint)).addr(ext::ADDRESS_DST, B);
        assert_eq!(flags(&bench.ok(get)), OUTBOUND);
    }
}

#[test]
fn find_by_source() {
    let mut bench = bench();
    bench.ok(plain(1, 0));
    bench.ok(add(Sa::esp(2)).between("0.0.0.0", B));
    bench.ok(get(1, B).addr(ext::ADDRESS_SRC, A));
    bench.ok(get(1, B).addr(ext::ADDRESS_SRC, "::"));
    bench.ok(get(2, B).addr(ext::ADDRESS_SRC, "10.77.0.1"));
    assert_eq!(bench.code(get(1, B).addr(ext::ADDRESS_SRC, "10.77.0.1")), (3, 78));
}

#[test]
fn delete_removes_both_copies() {
    let mut bench = bench();
    bench.ok(plain(1, 0));
    bench.ok(plain(2, 0));
    bench.ok(esp(MessageType::DELETE).sa(Sa::named(1).flags(INBOUND)).between(A, B));
    bench.ok(esp(MessageType::DELETE_PAIR).sa(Sa::named(2)).between(A, B));
    assert!(bench.model.is_empty());
    assert!(bench.dump(SaType::ESP).is_empty());
}

#[test]
fn purge_removes_all_matches() {
    let mut bench = bench();
    let with = |spi, source: &str| add(Sa::esp(spi)).between(source, B);
    bench.ok(with(1, A).identity(ext::IDENTITY_SRC, b"one").cookie(1, 5));
    bench.ok(with(2, A).cookie(1, 0));
    bench.ok(with(3, "0.0.0.0").cookie(2, 0));
    bench.ok(esp(MessageType::GETSPI).between(A, B).range(4, 4));
    let purge = || esp(MessageType::DELETE).addr(ext::ADDRESS_DST, B);
    bench.ok(purge().identity(ext::IDENTITY_SRC, b"two"));
    bench.ok(purge().cookie(1, 7).addr(ext::ADDRESS_SRC, "10.77.0.1"));
    assert_eq!(bench.model.len(), 4);
    bench.ok(purge().cookie(1, 7));
    assert_eq!(bench.dump(SaType::ESP), [1, 3, 4]);
    let echo = bench.ok(purge().identity(ext::IDENTITY_SRC, b"one"));
    assert_eq!(echo.extensions.len(), 2);
    bench.ok(esp(MessageType::DELETE).addr(ext::ADDRESS_SRC, "0.0.0.0"));
    assert_eq!(bench.code(esp(MessageType::DELETE).addr(ext::ADDRESS_SRC, "::")), (0, 0));
    assert_eq!(bench.dump(SaType::ESP), [4]);
}

#[test]
fn delete_pair_state() {
    let mut bench = bench();
    bench.ok(plain(1, OUTBOUND));
    bench.ok(add(Sa::esp(2).flags(INBOUND)).between(B, A).pair(1));
    bench.ok(add(Sa::esp(3).flags(OUTBOUND).state(4)).between(A, B));
    bench.ok(add(Sa::esp(4).flags(OUTBOUND)).between("10.0.0.8", B));
    bench.ok(esp(MessageType::DELETE_PAIR_STATE).sa(Sa::named(0).state(MATURE)).addr(ext::ADDRESS_SRC, A));
    assert_eq!(bench.dump(SaType::ESP), [4, 3]);
}
