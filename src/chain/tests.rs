use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::faults::Fault;
use super::*;
use crate::sa::{Flags, Spi, Window};

const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

fn is_here(addr: IpAddr) -> bool {
    addr == HERE
}

fn is_there(addr: IpAddr) -> bool {
    addr == THERE
}

fn of_file(sas: &[Request]) -> Chains {
    let mut chains = Chains::default();
    sas.iter().for_each(|sa| chains.push_for_any_host(sa));
    chains
}

fn window(from: impl Into<Option<u64>>, until: impl Into<Option<u64>>) -> Window {
    Window { from: from.into(), until: until.into() }
}

/// An SA from [`HERE`] to [`THERE`].
fn sa(spi: u32, accept: Window, send: Window) -> Request {
    let end = |addr: Ipv4Addr| Some(Endpoint { addr: addr.into(), port: 0, proto: 0 });
    let windows = Windows { accept, send }.into();
    Request { sa_type: SaType::ESP, spi: Spi(spi), src: end(HERE), dst: end(THERE), windows, ..Request::default() }
}

/// Three keys, each sent with for 100 seconds and accepted for 10 more on both sides.
fn three() -> Vec<Request> {
    let key = |at: u64| sa(at as u32, window(at - 10, at + 110), window(at, at + 100));
    [1000, 1100, 1200].map(key).into()
}

fn wanted(chains: &Chains, count: usize, time: u64) -> Vec<usize> {
    let unwanted = chains.unwanted(time);
    (0..count).filter(|at| !unwanted.contains(at)).collect()
}

#[test]
fn unwanted_follows_the_windows_of_the_direction() {
    let sas = three();
    let (sender, receiver) = (Chains::new(&sas, &is_here), Chains::new(&sas, &is_there));
    for (time, sent, accepted) in [
        (989, vec![], vec![]),
        (990, vec![], vec![0]),
        (1000, vec![0], vec![0]),
        (1090, vec![0], vec![0, 1]),
        (1100, vec![1], vec![0, 1]),
        (1110, vec![1], vec![1]),
        (1299, vec![2], vec![2]),
        (1300, vec![], vec![2]),
        (1310, vec![], vec![]),
    ] {
        assert_eq!((wanted(&sender, 3, time), wanted(&receiver, 3, time)), (sent, accepted), "{time}");
    }
}

#[test]
fn unwanted_prefers_the_latest_send_from_and_leaves_other_links_alone() {
    let mut sas = vec![sa(1, Window::ALWAYS, window(5, None)), sa(2, Window::ALWAYS, window(9, 20))];
    sas.push(Request { sa_type: SaType::AH, ..sa(1, Window::ALWAYS, window(5, None)) });
    sas.push(sa(3, Window::ALWAYS, Window::ALWAYS));
    let sender = Chains::new(&sas, &is_here);
    assert_eq!([4, 5, 9, 20].map(|time| wanted(&sender, 4, time)), [vec![3], vec![0, 2, 3], vec![1, 2, 3], vec![0, 2, 3]]);
}

#[test]
fn unwanted_is_about_declared_directions_and_both_if_unknown() {
    let declared = |flags| Request { flags, ..sa(1, window(10, 20), window(30, 40)) };
    let times = [5, 10, 30];
    let of = |request: Request| {
        let chains = Chains::new(&[request], &|_| false);
        times.map(|time| chains.unwanted(time).is_empty())
    };
    assert_eq!(of(declared(Flags::INBOUND)), [false, true, false]);
    assert_eq!(of(declared(Flags::OUTBOUND)), [false, false, true]);
    assert_eq!(of(declared(Flags::default())), [false, true, true]);
}

#[test]
fn next_change_skips_edges_that_change_nothing() {
    let sas = three();
    let changes = |chains: &Chains| {
        let (mut time, mut found) = (0, Vec::new());
        while let Some(next) = chains.next_change(time) {
            found.push(next);
            time = next;
        }
        found
    };
    assert_eq!(changes(&Chains::new(&sas, &is_here)), [1000, 1100, 1200, 1300]);
    assert_eq!(changes(&Chains::new(&sas, &is_there)), [990, 1090, 1110, 1190, 1210, 1310]);
    assert_eq!(Chains::new(&[sa(1, Window::ALWAYS, Window::ALWAYS)], &is_here).next_change(0), None);
}

#[test]
fn faults_name_gaps_and_overlaps_below_the_skew() {
    let chains = of_file(&three());
    assert_eq!(chains.faults(10), []);
    assert_eq!(chains.faults(11).len(), 6);
    assert_eq!(chains.end(), Some(1300));
    assert_eq!([999, 1000, 1250, 2000].map(|time| chains.progress(time)), [(0, 3), (1, 3), (3, 3), (3, 3)].map(Some));
    assert_eq!(chains.last_of_each(), [2]);
    let mut sas = three();
    sas.remove(1);
    assert_eq!(of_file(&sas).faults(10), [Fault::Gap { position: 1, from: 1100, until: 1200 }]);
    let inbound = |request: Request| Request { flags: Flags::INBOUND, ..request };
    let sas: Vec<Request> = three().into_iter().map(inbound).collect();
    assert_eq!(of_file(&sas).faults(10), []);
    assert_eq!(of_file(&sas).faults(11).first(), Some(&Fault::ShortOverlap { position: 1 }));
}

/// A window whose sides are near each other, so that chains of them often overlap.
fn some_window() -> impl Strategy<Value = Window> {
    let side = || prop_oneof![1 => Just(None), 6 => (1000_u64..1100).prop_map(Some)];
    // The parser refuses empty windows.
    let window = (side(), side()).prop_map(|(from, until)| Window { from, until });
    window.prop_filter("an empty window", |window| !window.is_empty())
}

/// Keys that follow each other, with overlaps about as long as the skew.
fn some_chain() -> impl Strategy<Value = Vec<(Window, Window)>> {
    let random = prop::collection::vec((some_window(), some_window()), 1..5);
    let regular = prop::collection::vec((1_u64..40, 0_u64..12, 0_u64..12), 1..6).prop_map(|keys| {
        let mut start = 1000;
        let key = |(len, before, after)| {
            let send = window(start, start + len);
            let accept = window(start - before, start + len + after);
            start += len;
            (accept, send)
        };
        keys.into_iter().map(key).collect::<Vec<_>>()
    });
    prop_oneof![random, regular]
}

/// An SA for each key.
fn sas_of(keys: &[(Window, Window)]) -> Vec<Request> {
    (1..).zip(keys).map(|(spi, (accept, send))| sa(spi, *accept, *send)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    /// A chain without faults loses no packet: each SA that a host sends with is accepted by the other one, for all clocks that
    /// differ by no more than the skew, and there is such an SA from the first to the last key.
    #[test]
    fn chains_without_faults_lose_no_packet(keys in some_chain(), skew in 0_u64..10) {
        let sas = sas_of(&keys);
        // An SA without windows belongs to no chain: it is wanted always.
        prop_assume!(sas.iter().all(|sa| sa.windows.are_limited()));
        let file = of_file(&sas);
        prop_assume!(file.faults(skew).is_empty());
        let (sender, receiver) = (Chains::new(&sas, &is_here), Chains::new(&sas, &is_there));
        let starts: Vec<u64> = sas.iter().map(|sa| sa.windows.send.from.unwrap_or(0)).collect();
        let first = starts.into_iter().min().unwrap_or(0).max(900);
        let last = file.end().unwrap_or(1200).min(1200);
        for time in first..last {
            let sent = wanted(&sender, sas.len(), time);
            prop_assert_eq!(sent.len(), 1, "one SA is sent with at {}", time);
            for clock in time - skew..=time + skew {
                prop_assert!(wanted(&receiver, sas.len(), clock).contains(&sent[0]), "{} at {}, {}", sent[0], time, clock);
            }
        }
    }

    /// Nothing changes between two changes.
    #[test]
    fn next_change_misses_nothing(keys in some_chain()) {
        let sas = sas_of(&keys);
        for is_local in [is_here, is_there] {
            let chains = Chains::new(&sas, &is_local);
            for time in 950..1250 {
                let next = chains.next_change(time).unwrap_or(1300);
                prop_assert!(next > time);
                prop_assert_eq!(chains.unwanted(time), chains.unwanted(next - 1));
            }
        }
    }
}
