//! SAs, and their policies in the syntax of ip-xfrm(8).

use super::*;
use crate::sa::{Endpoint, Flags, InnerEndpoint, LinuxExtras, Offload, Request, SaType, Spi};

/// An ESP SA from 10.0.0.1, this host, to 10.0.0.2.
fn esp() -> Request {
    Request { sa_type: SaType::ESP, spi: Spi(0x1000), src: host("10.0.0.1"), dst: host("10.0.0.2"), ..Request::default() }
}

/// The opposite direction of [`esp`].
fn back() -> Request {
    Request { src: host("10.0.0.2"), dst: host("10.0.0.1"), ..esp() }
}

fn host(addr: &str) -> Option<Endpoint> {
    end(addr, 0, 0)
}

fn end(addr: &str, port: u16, proto: u8) -> Option<Endpoint> {
    Some(Endpoint { addr: addr.parse().unwrap(), port, proto })
}

fn net(addr: &str, prefix_len: u8) -> Option<InnerEndpoint> {
    Some(InnerEndpoint { addr: addr.parse().unwrap(), prefix_len, port: 0, proto: 0 })
}

fn tunnel(request: Request, src: &str, dst: &str) -> Request {
    Request { inner_src: net(src, 16).into(), inner_dst: net(dst, 16).into(), ..request }
}

fn ah(request: Request) -> Request {
    Request { sa_type: SaType::AH, ..request }
}

fn linux(request: Request, linux: LinuxExtras) -> Request {
    Request { linux: linux.into(), ..request }
}

fn derived(requests: &[Request]) -> Derived {
    let local = ["10.0.0.1", "fd00::1"].map(|addr| addr.parse::<IpAddr>().unwrap());
    let sas: Vec<PolicySa> = requests.iter().map(|request| PolicySa::of_request(request).unwrap()).collect();
    derive(&sas.iter().collect::<Vec<_>>(), &|addr| local.contains(&addr), Rules::default())
}

#[track_caller]
fn assert_policies(requests: &[Request], expected: &[&str]) {
    let derived = derived(requests);
    assert_eq!(derived.without, []);
    let texts: Vec<String> = derived.policies.iter().map(Policy::to_string).collect();
    assert_eq!(texts, expected);
}

#[track_caller]
fn assert_without(requests: &[Request], expected: &[(usize, NoPolicy)]) {
    assert_eq!(derived(requests).without, expected);
}

#[test]
fn derive_transport_mode_by_the_local_address() {
    assert_policies(
        &[esp(), back()],
        &[
            "src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 10006 tmpl proto esp mode transport",
            "src 10.0.0.2/32 dst 10.0.0.1/32 dir in priority 10006 tmpl proto esp mode transport",
        ],
    );
    let six = Request { src: host("fd00::1"), dst: host("fd00::2"), ..esp() };
    assert_policies(
        &[six],
        &[
            "src fd00::1/128 dst fd00::2/128 dir out priority 10006 tmpl proto esp mode transport",
            "src fd00::1/128 dst fd00::2/128 proto 58 type 135 dir out priority 10001",
            "src fd00::1/128 dst fd00::2/128 proto 58 type 136 dir out priority 10001",
        ],
    );
}

#[test]
fn derive_prefers_a_direction_flag_to_the_addresses() {
    let far = Request { flags: Flags::INBOUND, src: host("10.0.0.8"), dst: host("10.0.0.9"), ..esp() };
    assert_policies(&[far], &["src 10.0.0.8/32 dst 10.0.0.9/32 dir in priority 10006 tmpl proto esp mode transport"]);
}

#[test]
fn derive_multicast_in_both_directions() {
    let ospf = Request { flags: Flags::INBOUND | Flags::OUTBOUND, src: None, dst: end("ff02::5", 0, 89), ..ah(esp()) };
    assert_policies(
        &[ospf],
        &[
            "src ::/0 dst ff02::5/128 proto 89 dir out priority 11026 tmpl proto ah mode transport",
            "src ::/0 dst ff02::5/128 proto 89 dir in priority 11026 tmpl proto ah mode transport",
        ],
    );
}

#[test]
fn derive_directions_of_groups_and_open_sources() {
    let six = |src: Option<&str>, dst| Request { src: src.and_then(host), dst: end(dst, 0, 89), ..ah(esp()) };
    let directions = |request| {
        let policies = derived(&[request]).policies;
        policies.iter().map(|policy| policy.id.direction).collect::<Vec<_>>()
    };
    use PolicyDirection::{In, Out};
    assert_eq!(directions(six(None, "ff02::5")), [Out, In]);
    assert_eq!(directions(six(Some("fd00::1"), "ff02::5")), [Out]);
    assert_eq!(directions(six(Some("fd00::2"), "ff02::5")), [In]);
    assert_eq!(directions(six(None, "fd00::2")), [Out]);
    assert_eq!(directions(six(None, "fd00::1")), [In]);
    // An address that is configured later changes the second and third of these.
    let all = [six(None, "ff02::5"), six(Some("fd00::2"), "ff02::5"), six(None, "fd00::2"), six(None, "fd00::1")];
    assert_eq!(derived(&all).provisional, [1, 2]);
    let without_protocol = Request { src: None, dst: end("ff02::5", 0, 0), ..ah(esp()) };
    assert_eq!(derived(&[without_protocol]).without, [], "a group is not all traffic");
}

#[test]
fn derive_finds_groups_that_are_protected_one_way() {
    let group = |src: Option<&str>, flags, spi| Request {
        flags,
        spi: Spi(spi),
        src: src.and_then(host),
        dst: end("ff02::5", 0, 89),
        ..ah(esp())
    };
    let one_way = |requests: &[Request]| derived(requests).one_way_groups;
    assert_eq!(one_way(&[group(None, Flags::OUTBOUND, 1)]), [0]);
    assert_eq!(one_way(&[group(None, Flags::OUTBOUND, 1), group(Some("fd00::2"), Flags::INBOUND, 2)]), [0; 0]);
    assert_eq!(one_way(&[group(Some("fd00::1"), Flags::OUTBOUND, 1)]), [0; 0], "the SA of this sender");
    assert_eq!(one_way(&[group(None, Flags::default(), 1)]), [0; 0]);
}

#[test]
fn derive_gives_narrower_selectors_a_lower_priority() {
    let web = Request { src: end("10.0.0.1", 0, 6), dst: end("10.0.0.2", 80, 6), ..esp() };
    let all = Request { src: end("10.0.0.1", 1024, 6), dst: end("10.0.0.2", 80, 6), ..esp() };
    let tcp = Request { dst: end("10.0.0.2", 0, 6), ..esp() };
    assert_policies(
        &[all, web, tcp, esp()],
        &[
            "src 10.0.0.1/32 dst 10.0.0.2/32 proto 6 sport 1024 dport 80 dir out priority 10000 tmpl proto esp mode transport",
            "src 10.0.0.1/32 dst 10.0.0.2/32 proto 6 dport 80 dir out priority 10001 tmpl proto esp mode transport",
            "src 10.0.0.1/32 dst 10.0.0.2/32 proto 6 dir out priority 10002 tmpl proto esp mode transport",
            "src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 10006 tmpl proto esp mode transport",
        ],
    );
}

#[test]
fn derive_tunnel_for_its_networks_with_forwarding() {
    assert_policies(
        &[tunnel(esp(), "10.1.2.3", "10.2.0.0"), tunnel(back(), "10.2.0.0", "10.1.0.0")],
        &[
            "src 10.1.0.0/16 dst 10.2.0.0/16 dir out priority 10262 tmpl src 10.0.0.1 dst 10.0.0.2 proto esp mode tunnel",
            "src 10.2.0.0/16 dst 10.1.0.0/16 dir in priority 10262 tmpl src 10.0.0.2 dst 10.0.0.1 proto esp mode tunnel",
            "src 10.2.0.0/16 dst 10.1.0.0/16 dir fwd priority 10262 tmpl src 10.0.0.2 dst 10.0.0.1 proto esp mode tunnel",
        ],
    );
}

#[test]
fn derive_tunnel_through_the_other_family() {
    let six = Request { src: host("fd00::1"), dst: host("fd00::2"), ..tunnel(esp(), "10.1.0.0", "10.2.0.0") };
    assert_policies(
        &[six],
        &["src 10.1.0.0/16 dst 10.2.0.0/16 dir out priority 10262 tmpl src fd00::1 dst fd00::2 proto esp mode tunnel"],
    );
}

#[test]
fn derive_beet_like_a_tunnel() {
    let beet = |request| linux(request, LinuxExtras { mode: Some(XfrmMode::BEET), ..LinuxExtras::default() });
    assert_policies(
        &[beet(tunnel(back(), "10.2.0.0", "10.1.0.0"))],
        &[
            "src 10.2.0.0/16 dst 10.1.0.0/16 dir in priority 10262 tmpl src 10.0.0.2 dst 10.0.0.1 proto esp mode beet",
            "src 10.2.0.0/16 dst 10.1.0.0/16 dir fwd priority 10262 tmpl src 10.0.0.2 dst 10.0.0.1 proto esp mode beet",
        ],
    );
}

#[test]
fn derive_one_policy_for_ah_and_esp_in_any_order() {
    let bundle = "src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 10006 tmpl proto esp mode transport \
                  tmpl proto ah mode transport";
    assert_policies(&[esp(), ah(esp())], &[bundle]);
    assert_policies(&[ah(esp()), esp()], &[bundle]);
}

#[test]
fn derive_ah_around_a_tunnel() {
    let outer = linux(
        tunnel(ah(esp()), "10.1.0.0", "10.2.0.0"),
        LinuxExtras { mode: Some(XfrmMode::TRANSPORT), ..LinuxExtras::default() },
    );
    assert_policies(
        &[outer, tunnel(esp(), "10.1.0.0", "10.2.0.0")],
        &["src 10.1.0.0/16 dst 10.2.0.0/16 dir out priority 10262 tmpl src 10.0.0.1 dst 10.0.0.2 proto esp mode tunnel \
           tmpl proto ah mode transport"],
    );
}

#[test]
fn derive_one_policy_for_sas_that_differ_in_spi_and_keys() {
    let newer = Request { spi: Spi(0x1001), ..esp() };
    assert_policies(
        &[esp(), newer],
        &["src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 10006 tmpl proto esp mode transport"],
    );
}

#[test]
fn derive_copies_reqid_mark_and_if_id() {
    let extras = LinuxExtras { reqid: 7, mark: Some(Masked { value: 1, mask: 0xff }), if_id: 9, ..LinuxExtras::default() };
    assert_policies(
        &[linux(esp(), extras)],
        &["src 10.0.0.1/32 dst 10.0.0.2/32 dir out mark 0x1 mask 0xff if_id 0x9 priority 10006 \
           tmpl proto esp reqid 7 mode transport"],
    );
    let other = LinuxExtras { mark: Some(Masked { value: 2, mask: 0xff }), ..LinuxExtras::default() };
    assert_eq!(derived(&[esp(), linux(esp(), other)]).policies.len(), 2, "one policy for each mark");
}

#[test]
fn derive_a_bypass_for_udp_that_a_policy_would_drop() {
    let natt = |request| Request {
        natt_local: end("0.0.0.0", 4500, 0).into(),
        natt_remote: end("0.0.0.0", 4500, 0).into(),
        ..request
    };
    let bypass = "src 10.0.0.2/32 dst 10.0.0.1/32 proto 17 dport 4500 dir in priority 10001";
    assert_policies(
        &[natt(esp()), natt(back()), natt(Request { spi: Spi(9), ..back() })],
        &[
            "src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 10006 tmpl proto esp mode transport",
            "src 10.0.0.2/32 dst 10.0.0.1/32 dir in priority 10006 tmpl proto esp mode transport",
            bypass,
        ],
    );
    let inner = derived(&[natt(tunnel(back(), "10.2.0.0", "10.1.0.0"))]);
    assert!(inner.policies.iter().all(|policy| !policy.templates.is_empty()), "no policy matches the UDP packets");
    let all = Request { inner_src: net("0.0.0.0", 0).into(), inner_dst: net("0.0.0.0", 0).into(), ..back() };
    let texts: Vec<String> = derived(&[natt(all)]).policies.iter().map(Policy::to_string).collect();
    assert!(texts.contains(&bypass.to_owned()), "{texts:?}");
}

#[test]
fn derive_passes_for_neighbour_discovery_once_and_not_instead_of_an_sa() {
    let six = |request| Request { src: host("fd00::1"), dst: host("fd00::2"), ..request };
    let solicitations = Request { src: end("fd00::1", 135, 58), dst: end("fd00::2", 0, 58), ..esp() };
    let texts = |requests: &[Request], rules| {
        let sas: Vec<PolicySa> = requests.iter().map(|request| PolicySa::of_request(request).unwrap()).collect();
        let derived = derive(&sas.iter().collect::<Vec<_>>(), &|addr| addr.to_string() == "fd00::1", rules);
        derived.policies.iter().map(Policy::to_string).collect::<Vec<_>>()
    };
    let all = texts(&[six(esp()), six(ah(esp())), solicitations], Rules::default());
    let discovery: Vec<&String> = all.iter().filter(|text| text.contains(" type 13")).collect();
    assert_eq!(
        discovery,
        [
            "src fd00::1/128 dst fd00::2/128 proto 58 type 135 dir out priority 10001 tmpl proto esp mode transport",
            "src fd00::1/128 dst fd00::2/128 proto 58 type 136 dir out priority 10001",
        ]
    );
    assert_eq!(texts(&[six(esp())], Rules { pass_neighbour_discovery: false, ..Rules::default() }).len(), 1);
}

#[test]
fn derive_keeps_the_passes_of_sas_whose_direction_is_unknown() {
    let far = Request { src: host("fd00::8"), dst: host("fd00::9"), ..esp() };
    let kept: Vec<String> = derived(&[far]).keep_if_present.iter().map(PolicyId::to_string).collect();
    assert_eq!(kept.len(), 7, "{kept:?}");
    assert!(kept.contains(&"src fd00::8/128 dst fd00::9/128 proto 58 type 135 dir in".to_owned()), "{kept:?}");
}

#[test]
fn derive_no_policy_if_direction_or_selector_is_unknown() {
    let foreign = Request { src: host("10.0.0.8"), ..esp() };
    let own = Request { dst: host("10.0.0.1"), ..esp() };
    assert_without(&[foreign, own], &[(0, NoPolicy::UnknownDirection), (1, NoPolicy::UnknownDirection)]);
    let kept: Vec<String> =
        derived(&[Request { src: host("10.0.0.8"), ..esp() }]).keep_if_present.iter().map(PolicyId::to_string).collect();
    assert_eq!(kept, ["in", "out", "fwd"].map(|direction| format!("src 10.0.0.8/32 dst 10.0.0.2/32 dir {direction}")));
    assert_without(&[Request { flags: Flags::TUNNEL, ..esp() }], &[(0, NoPolicy::NoInnerSelector)]);
    assert_without(&[Request { src: None, ..back() }], &[(0, NoPolicy::TooBroad)]);
    let offload = Offload { device: "eth0".into(), inbound: false, whole_packet: true };
    let offloaded = LinuxExtras { offload: Some(offload), ..LinuxExtras::default() };
    assert_without(&[linux(esp(), offloaded)], &[(0, NoPolicy::Offloaded)]);
}

#[test]
fn derive_reports_conflicting_templates() {
    let beet = linux(esp(), LinuxExtras { mode: Some(XfrmMode::BEET), ..LinuxExtras::default() });
    let hosts = |request: Request| Request {
        inner_src: net("10.0.0.1", 32).into(),
        inner_dst: net("10.0.0.2", 32).into(),
        ..request
    };
    assert_without(&[ah(esp()), esp(), hosts(beet)], &[(2, NoPolicy::Conflict(1))]);
    let other = Request { dst: host("10.0.0.3"), ..tunnel(esp(), "10.1.0.0", "10.2.0.0") };
    assert_without(&[tunnel(esp(), "10.1.0.0", "10.2.0.0"), other], &[(1, NoPolicy::Conflict(0))]);
}

#[test]
fn derive_sends_with_the_first_reqid_and_accepts_all() {
    let group = |spi, reqid| {
        let request = Request { src: None, dst: host("ff02::5"), spi: Spi(spi), ..esp() };
        linux(request, LinuxExtras { reqid, ..LinuxExtras::default() })
    };
    let out = "src ::/0 dst ff02::5/128 dir out priority 11030 tmpl proto esp reqid 1 mode transport";
    let any = "src ::/0 dst ff02::5/128 dir in priority 11030 tmpl proto esp mode transport";
    let derived = |requests: &[Request]| {
        let derived = derived(requests);
        let texts: Vec<String> = derived.policies.iter().map(Policy::to_string).collect();
        let protecting: Vec<String> = texts.into_iter().filter(|text| text.contains("tmpl")).collect();
        (protecting, derived.unused_outbound)
    };
    let (policies, unused) = derived(&[group(7, 1), group(8, 2), group(9, 3)]);
    assert_eq!((policies, unused), (vec![out.to_owned(), any.to_owned()], vec![1, 2]));
    let (policies, unused) = derived(&[group(8, 2), group(7, 1)]);
    assert_eq!((policies, unused), (vec![out.replace("reqid 1", "reqid 2"), any.to_owned()], vec![1]));
    let (policies, unused) = derived(&[group(8, 2), group(9, 2)]);
    assert!(policies[1].contains("reqid 2") && unused.is_empty(), "{policies:?}");
}

#[test]
fn derive_finds_protocols_of_raw_sockets() {
    let to = |dst, proto| Request { src: None, dst: end(dst, 0, proto), ..esp() };
    let found = |request| derived(&[request]).of_raw_sockets;
    assert_eq!((found(to("224.0.0.5", 89)), found(to("10.0.0.2", 103))), (vec![0], vec![0]));
    for other in [to("224.0.0.5", 0), to("224.0.0.9", 17), to("ff02::5", 89), to("10.0.0.1", 89)] {
        assert_eq!(found(other), [0; 0]);
    }
}

#[test]
fn derive_finds_groups_with_several_keys() {
    let group = |spi, dst, reqid| {
        let request = Request { src: None, dst: host(dst), spi: Spi(spi), ..esp() };
        linux(request, LinuxExtras { reqid, ..LinuxExtras::default() })
    };
    let shadowed = |requests: &[Request]| derived(requests).shadowed_groups;
    assert_eq!(shadowed(&[group(7, "ff02::5", 0), group(8, "ff02::6", 0), group(9, "ff02::5", 0)]), [0]);
    assert_eq!(shadowed(&[group(7, "ff02::5", 1), group(9, "ff02::5", 2)]), [0; 0]);
    let inbound = Request { flags: Flags::INBOUND, ..group(9, "ff02::5", 0) };
    assert_eq!(shadowed(&[group(7, "ff02::5", 0), inbound]), [0; 0]);
    assert_eq!(shadowed(&[group(7, "fd00::2", 0), group(9, "fd00::2", 0)]), [0; 0], "a change of keys of two hosts");
}

#[test]
fn derived_policies_match_their_sas() {
    use crate::policy::unmatched::{UnmatchedPositions, unmatched};
    let natt = Request { natt_local: end("0.0.0.0", 0, 0).into(), ..back() };
    let extras = LinuxExtras { reqid: 7, if_id: 3, mark: Some(Masked { value: 1, mask: 1 }), ..LinuxExtras::default() };
    let requests = [
        esp(),
        ah(esp()),
        natt,
        tunnel(esp(), "10.1.0.0", "10.2.0.0"),
        tunnel(back(), "10.2.0.0", "10.1.0.0"),
        linux(Request { dst: end("10.0.0.2", 80, 6), ..esp() }, extras),
    ];
    let sas: Vec<PolicySa> = requests.iter().map(|request| PolicySa::of_request(request).unwrap()).collect();
    let derived = derived(&requests);
    assert_eq!(unmatched(&derived.policies.iter().collect::<Vec<_>>(), &sas), UnmatchedPositions::default());
}
