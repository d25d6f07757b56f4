//! Recipients of each message type.

use crate::model::tests::*;

const LISTENERS: usize = 6;

/// Sockets beside the sender: idle, promiscuous, registered for ESP, registered for AH, registered for both at once,
/// without loopback.
fn bench_with_listeners() -> (Bench, [SocketId; LISTENERS]) {
    let mut bench = Bench::new();
    let sockets = [(); LISTENERS].map(|()| bench.model.open());
    let [_, promiscuous, esp, ah, both, deaf] = sockets;
    let mut tell = |socket, recipe: Recipe| bench.model.write(socket, &recipe.bytes(), START);
    tell(esp, Recipe::new(MessageType::REGISTER, SaType::ESP));
    tell(ah, Recipe::new(MessageType::REGISTER, SaType::AH));
    tell(both, Recipe::new(MessageType::REGISTER, SaType(0)).ext(ext::EREG, &[2, 3, 0, 0]));
    tell(promiscuous, Recipe::new(MessageType::PROMISC, SaType(1)));
    bench.model.set_loopback(deaf, false);
    drain(&mut bench, &sockets);
    (bench, sockets)
}

fn drain(bench: &mut Bench, sockets: &[SocketId]) {
    bench.received();
    for socket in sockets {
        while bench.model.read(*socket).is_some() {}
    }
}

/// How many messages sender and listeners hear of a request.
fn received(recipe: Recipe) -> [usize; LISTENERS + 1] {
    let (mut bench, sockets) = bench_with_listeners();
    bench.ok(plain(1, 0));
    bench.ok(plain(2, 0));
    drain(&mut bench, &sockets);
    bench.model.write(bench.socket, &recipe.bytes(), START);
    count(&mut bench, &sockets)
}

fn count(bench: &mut Bench, sockets: &[SocketId; LISTENERS]) -> [usize; LISTENERS + 1] {
    let sender = bench.received().len();
    let mut counts = [sender; LISTENERS + 1];
    for (count, socket) in counts[1..].iter_mut().zip(sockets) {
        *count = std::iter::from_fn(|| bench.model.read(*socket)).count();
    }
    counts
}

const ALL: [usize; 7] = [1, 1, 1, 1, 1, 1, 0];
const ASKER: [usize; 7] = [1, 0, 1, 0, 0, 0, 0];

#[test]
fn deliver_by_message_type() {
    let update = esp(MessageType::UPDATE).sa(Sa::named(1).state(MATURE)).between(A, B);
    let update_pair = esp(MessageType::UPDATE_PAIR).sa(Sa::named(1).state(MATURE)).between(A, B);
    let delete = |kind| esp(kind).sa(Sa::named(1)).between(A, B);
    let rows = [
        ("add", plain(3, 0), ALL),
        ("failed add", plain(1, 0), ALL),
        ("update", update, ALL),
        ("update-pair", update_pair, ALL),
        ("delete", delete(MessageType::DELETE), ALL),
        ("delete-pair", delete(MessageType::DELETE_PAIR), ALL),
        ("getspi", esp(MessageType::GETSPI).between(A, B).range(5, 9), ALL),
        ("flush", esp(MessageType::FLUSH), ALL),
        ("flush of everything", Recipe::new(MessageType::FLUSH, SaType(0)), ALL),
        ("expire", esp(MessageType::EXPIRE), ALL),
        ("get", get(1, B), ASKER),
        ("failed get", get(77, B), ASKER),
        ("dump", esp(MessageType::DUMP), ASKER.map(|one| one * 3)),
        ("promisc", Recipe::new(MessageType::PROMISC, SaType(1)), ASKER),
        ("inverse acquire", esp(MessageType::INVERSE_ACQUIRE).between(A, B), ASKER),
        ("delete by state", esp(MessageType::DELETE_PAIR_STATE).sa(Sa::named(0).state(1)).between(A, B), ASKER),
        (
            "delete by state everywhere",
            Recipe::new(MessageType::DELETE_PAIR_STATE, SaType(0)).between(A, B),
            ASKER.map(|one| one * 2),
        ),
        ("unknown type", Recipe::new(MessageType(99), SaType::ESP), ASKER),
        ("register", esp(MessageType::REGISTER), [1, 0, 1, 1, 0, 0, 0]),
        ("register for AH", Recipe::new(MessageType::REGISTER, SaType::AH), [1, 0, 1, 0, 1, 0, 0]),
        ("failed register", Recipe::new(MessageType::REGISTER, SaType(0)), ASKER),
        ("register for both", Recipe::new(MessageType::REGISTER, SaType(0)).ext(17, &[2, 3, 0, 0]), [2, 0, 2, 1, 1, 0, 0]),
        ("acquire", esp(MessageType::ACQUIRE), [0, 0, 1, 0, 0, 0, 0]),
        ("failed acquire", esp(MessageType::ACQUIRE).errno(3), [0; 7]),
        ("failed acquire of no type", Recipe::new(MessageType::ACQUIRE, SaType(0)).errno(3), [1, 0, 1, 0, 0, 1, 0]),
        ("register that the database refuses", bad_register(3), [1, 0, 1, 1, 0, 0, 0]),
        ("register for ESP that it refuses", bad_register(0).ext(ext::EREG, &[3, 0, 0, 0]), [1, 0, 1, 0, 0, 1, 0]),
    ];
    for (what, recipe, expected) in rows {
        assert_eq!(received(recipe), expected, "{what}");
    }
}

/// A REGISTER with an address of an unknown family.
fn bad_register(sa_type: u8) -> Recipe {
    Recipe::new(MessageType::REGISTER, SaType(sa_type)).bad_family(ext::ADDRESS_SRC)
}

#[test]
fn expire_goes_to_all_sockets() {
    let (mut bench, sockets) = bench_with_listeners();
    bench.ok(plain(1, 0).lifetime(ext::LIFETIME_SOFT, [0, 0, 5, 0]));
    drain(&mut bench, &sockets);
    bench.now += 8;
    bench.model.tick(bench.now);
    assert_eq!(count(&mut bench, &sockets), ALL);
}

#[test]
fn promisc_off() {
    let mut bench = Bench::new();
    bench.ok(Recipe::new(MessageType::PROMISC, SaType(9)).ext(ext::EDUMP, &[0; 12]));
    let other = bench.model.open();
    bench.model.write(other, &get(1, B).bytes(), START);
    assert_eq!(bench.received().len(), 1);
    let answer = bench.ok(Recipe::new(MessageType::PROMISC, SaType(0)));
    assert_eq!(answer.sa_type, SaType(0));
    bench.model.write(other, &get(1, B).bytes(), START);
    assert_eq!(bench.received().len(), 0);
}

#[test]
fn high_water_drops_all_but_dumps() {
    let mut bench = Bench::with(Settings { high_water: 100, ..Settings::default() });
    for spi in 1..=20 {
        bench.model.write(bench.socket, &plain(spi, 0).bytes(), START);
    }
    bench.model.write(bench.socket, &esp(MessageType::DUMP).bytes(), START);
    let kinds: Vec<MessageType> = bench.received().iter().map(|message| message.kind).collect();
    assert_eq!(kinds[..2], [MessageType::ADD; 2]);
    assert_eq!(kinds[2..], [MessageType::DUMP; 21]);
}

#[test]
fn close_removes_the_socket() {
    let mut bench = Bench::new();
    let other = bench.model.open();
    bench.model.write(bench.socket, &plain(1, 0).bytes(), START);
    assert!(bench.model.has_message(other));
    bench.model.close(other);
    assert!(!bench.model.has_message(other));
    assert!(bench.model.read(other).is_none());
    bench.model.write(other, &plain(2, 0).bytes(), START);
    bench.model.write(other, &esp(MessageType::REGISTER).bytes(), START);
    bench.model.write(other, &esp(MessageType::DUMP).bytes(), START);
    assert!(bench.model.read(other).is_none());
}
