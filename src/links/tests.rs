//! Links of made-up SAs: sorting, problems, tables at several widths.

use std::cmp::Reverse;
use std::path::Path;
use std::slice::from_ref;

use snapbox::Data;

use super::problem::{self, Problem};
use super::sa::{Direction, LinkSa};
use super::table::{Style, write};
use super::*;
use crate::names::linux::MODES;
use crate::sa::XfrmMode;

const NOW: u64 = 1_000_000_000;
const DAY: u32 = 86_400;

fn now() -> u32 {
    u32::try_from(NOW).unwrap()
}

/// An ESP SA of 12 days with a policy, used 2 s ago, of 192.0.2.1 and `peer`.
fn sa(peer: &str, direction: Direction, spi: u32) -> LinkSa {
    LinkSa {
        peer: peer.parse().unwrap(),
        local: [192, 0, 2, 1].into(),
        sa_type: SaType::ESP.0,
        mode: XfrmMode::TRANSPORT.0,
        nets: None,
        direction,
        added: Reverse(now() - 12 * DAY),
        spi,
        mark: None,
        is_covered: true,
        lacks_forward: false,
        is_here: true,
        counts_packets: true,
        packets: 3,
        bytes: 192,
        last_used: now() - 2,
        soft: 0,
        hard: 0,
        replayed: 0,
        unauthentic: 0,
    }
}

fn unused(sa: LinkSa) -> LinkSa {
    LinkSa { packets: 0, bytes: 0, last_used: 0, ..sa }
}

fn links(sas: Vec<LinkSa>) -> Links {
    let mut store = Store::new();
    sas.into_iter().for_each(|sa| store.push(sa));
    Links::new(store, true, NOW)
}

/// The problems of the one link of `sas`.
fn problems(sas: &[LinkSa]) -> Vec<Problem> {
    let links = links(sas.to_vec());
    let [link] = &links.iter().collect::<Vec<_>>()[..] else { panic!("one link") };
    problem::find(link, true)
}

fn pair() -> [LinkSa; 2] {
    [sa("192.0.2.2", Direction::Out, 0x1f61_99b8), sa("192.0.2.2", Direction::In, 0xf1bd_2491)]
}

/// A healthy link, a tunnel that gets no answer, one with new keys and a long address.
fn several() -> Links {
    let [out, inbound] = pair();
    let net = |text: &str| Net::new(text.parse().unwrap(), 16);
    let tunnel = |direction, spi| LinkSa {
        mode: XfrmMode::TUNNEL.0,
        nets: Some(Box::new((net("10.1.0.0"), net("10.2.0.0")))),
        hard: now() + 7 * 3_600,
        packets: 10_400,
        bytes: 9_800_000,
        ..sa("198.51.100.7", direction, spi)
    };
    let six = |direction, spi| LinkSa { counts_packets: false, ..sa("2001:db8:1:2:aaaa:bbbb:cccc:dddd", direction, spi) };
    let old = LinkSa { added: Reverse(now() - 40 * DAY), ..sa("203.0.113.7", Direction::Out, 0x77) };
    let new = LinkSa { is_covered: false, ..sa("203.0.113.7", Direction::Out, 0xffff_fff0) };
    links(vec![
        out,
        inbound,
        tunnel(Direction::Out, 0x7001),
        unused(tunnel(Direction::In, 0x7002)),
        six(Direction::Out, 0x8001),
        six(Direction::In, 0x8002),
        old,
        new,
    ])
}

fn text(links: &Links, width: usize) -> String {
    let mut out = Vec::new();
    write(&mut out, links, Style { width, has_color: false }).unwrap();
    String::from_utf8(out).unwrap()
}

/// Compares with the golden file of that name.
fn compare(links: &Links, width: usize, name: &str) {
    let table = text(links, width);
    assert!(table.lines().all(|line| line.len() <= width), "{table}");
    let golden = format!("{}/tests/golden/show/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    snapbox::assert_data_eq!(table, Data::read_from(Path::new(&golden), None).raw());
}

#[test]
fn table_has_short_words_at_80_columns() {
    compare(&several(), 80, "80");
}

#[test]
fn table_has_policies_and_long_words_if_they_fit() {
    compare(&several(), 120, "120");
    let mut ipv4 = several();
    ipv4.retain(Net::any([0; 4].into()));
    compare(&ipv4, 140, "140-ipv4");
    compare(&links(Vec::new()), 80, "empty");
}

#[test]
fn table_becomes_blocks_at_40_columns() {
    compare(&several(), 40, "40");
}

#[test]
fn fifty_links_are_52_lines() {
    let peers = (1..=50).map(|last| format!("192.0.2.{last}"));
    let sas = peers.flat_map(|peer| [sa(&peer, Direction::Out, 7), sa(&peer, Direction::In, 8)]).collect();
    assert_eq!(text(&links(sas), 80).lines().count(), 52);
}

#[test]
fn problems_of_a_healthy_link_and_of_a_group_are_none() {
    assert_eq!(problems(&pair()), []);
    assert_eq!(problems(&pair().map(unused)), [], "nothing was sent");
    assert_eq!(problems(&[sa("224.0.0.5", Direction::Both, 7)]), []);
    assert_eq!(problems(&[sa("224.0.0.5", Direction::Out, 7)]), []);
}

#[test]
fn problems_name_what_is_missing() {
    let [out, inbound] = pair();
    assert_eq!(problems(from_ref(&out)), [Problem::NoInboundSa]);
    assert_eq!(problems(from_ref(&inbound)), [Problem::NoOutboundSa]);
    let bare = |sa: &LinkSa| LinkSa { is_covered: false, ..sa.clone() };
    assert_eq!(problems(&[bare(&out), inbound.clone()]), [Problem::NoPolicy]);
    assert_eq!(problems(&[bare(&out), bare(&inbound)]), [Problem::NoPolicy]);
    assert_eq!(problems(&[out.clone(), bare(&inbound)]), [Problem::NoInboundPolicy]);
    let away = |sa: &LinkSa| LinkSa { is_here: false, ..sa.clone() };
    assert_eq!(problems(&[away(&out), away(&inbound)]), [Problem::NotLocal]);
}

#[test]
fn problems_compare_the_directions() {
    let [out, inbound] = pair();
    assert_eq!(problems(&[out.clone(), unused(inbound.clone())]), [Problem::NothingBack(0)]);
    assert_eq!(problems(&[unused(out.clone()), inbound.clone()]), [Problem::NothingSent]);
    let late = |seconds| LinkSa { last_used: now() - 2 - seconds, ..inbound.clone() };
    assert_eq!(problems(&[out.clone(), late(120)]), []);
    assert_eq!(problems(&[out.clone(), late(300)]), [Problem::NothingBack(300)]);
    let unknown = LinkSa { last_used: 0, ..inbound.clone() };
    assert_eq!(problems(&[out.clone(), unknown]), [], "Linux 6.1 does not record it");
    let dropped = LinkSa { unauthentic: 3, replayed: 1, ..inbound };
    assert_eq!(problems(&[out, dropped]), [Problem::Unauthentic(3), Problem::Replayed(1)]);
}

#[test]
fn problems_of_expiry_are_those_of_the_newest_sa() {
    let [out, inbound] = pair();
    let with = |soft: u32, hard: u32| LinkSa { soft, hard, ..out.clone() };
    let found = |sa: LinkSa| problems(&[sa, inbound.clone()]);
    assert_eq!(found(with(now() + 60, now() + 120)), []);
    assert_eq!(found(with(now() - 1, now() + 120)), [Problem::SoftExpired]);
    assert_eq!(found(with(now() - 120, now() - 1)), [Problem::Expired]);
    assert_eq!(found(with(0, now() + DAY)), [Problem::Expiring(u64::from(DAY))]);
    assert_eq!(found(with(0, now() + 2 * DAY)), []);
    let new = LinkSa { added: Reverse(now() - 9), spi: 9, ..out.clone() };
    assert_eq!(problems(&[with(now() - 1, now() + 120), new, inbound.clone()]), [], "the old keys are about to go");
}

#[test]
fn retain_keeps_peers_and_networks_behind_them() {
    let count = |text: &str, len| {
        let mut links = several();
        links.retain(Net::new(text.parse().unwrap(), len));
        links.iter().count()
    };
    assert_eq!((count("192.0.2.2", 32), count("10.2.3.4", 32), count("10.1.0.1", 32)), (1, 1, 0));
    assert_eq!((count("0.0.0.0", 0), count("::", 0)), (3, 1));
}

#[test]
fn mode_words_have_three_letters_at_least() {
    assert!(MODES.iter().all(|(_, word)| word.len() >= 3));
}

#[test]
fn compare_shows_rates_of_each_direction() {
    let before = links(pair().to_vec());
    let counters = before.counters();
    let mut after = links(pair().map(|sa| LinkSa { packets: sa.packets + 1_000_000, ..sa }).to_vec());
    after.compare(counters);
    let link = after.iter().next().unwrap();
    let (packets, bytes) = link.out.rate.unwrap();
    assert!(packets > 0 && bytes == 0 && link.inbound.rate.is_some());
    assert!(text(&after, 80).starts_with("PEER ") && text(&after, 80).contains("B/S"));
}
