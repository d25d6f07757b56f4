//! One keys file on two hosts: the traffic between them, and the packets on the cable.

use std::fs;
use std::net::{IpAddr, UdpSocket};

use nix::sys::socket::setsockopt;
use nix::{libc, setsockopt_impl, sockopt_impl};

use crate::capture::{Capture, Packets};
use crate::hosts::Hosts;
use crate::monitor::Monitor;
use crate::service::Service;
use crate::space::{Space, private_file};

/// Bytes of the TCP stream.
const STREAM: usize = 100_000_000;
/// The UDP port of NAT traversal.
const NATT_PORT: u16 = 4500;

sockopt_impl!(
    /// Makes a socket an encapsulation socket (udp(7)).
    UdpEncap, SetOnly, libc::IPPROTO_UDP, libc::UDP_ENCAP, libc::c_int
);

/// `UDP_ENCAP_ESPINUDP` (RFC 3948).
const ESP_IN_UDP: libc::c_int = 2;

/// How two hosts protect their traffic.
pub struct Protection {
    /// `esp` or `ah`.
    pub proto: &'static str,
    /// `transport` or `tunnel`.
    pub mode: &'static str,
    /// Between fd00::1 and fd00::2 instead of 10.0.0.1 and 10.0.0.2.
    pub is_ipv6: bool,
    /// UDP encapsulation.
    pub natt: bool,
    /// Algorithms and keys, as in a command.
    pub words: &'static str,
    /// The same for Wireshark's table of ESP SAs; empty for AH.
    pub wireshark: &'static str,
}

const AES_SHA256: &str = "encr_alg aes encrkey 4bd65b3976f6593223a8743b5e1b1b1a \
    auth_alg sha256 authkey 2acebd65e17cac7aa01bc2d826ffaa76f12750f8220df45c071b08bf75335eb8";
const AES_SHA256_WIRESHARK: &str = r#""AES-CBC [RFC3602]","0x4bd65b3976f6593223a8743b5e1b1b1a","HMAC-SHA-256-128 [RFC4868]","0x2acebd65e17cac7aa01bc2d826ffaa76f12750f8220df45c071b08bf75335eb8""#;
const GCM: &str = "encr_alg aes-gcm16 encrkey 7a3f5c1e9b8d2640f1e3a5c7b9d8e6f401234567";
const GCM_WIRESHARK: &str =
    r#""AES-GCM with 16 octet ICV [RFC4106]","0x7a3f5c1e9b8d2640f1e3a5c7b9d8e6f401234567","NULL","""#;
const SHA1: &str = "auth_alg sha1 authkey 53e0b4ed29b1a2e0e4a5d9c2f4a7b6c8d1e3f507";

impl Protection {
    pub const ESP: Self = Self {
        proto: "esp",
        mode: "transport",
        is_ipv6: false,
        natt: false,
        words: AES_SHA256,
        wireshark: AES_SHA256_WIRESHARK,
    };
    pub const AH: Self = Self { proto: "ah", words: SHA1, wireshark: "", ..Self::ESP };

    /// Addresses on the cable.
    pub fn outer(&self) -> (IpAddr, IpAddr) {
        ends(if self.is_ipv6 { ["fd00::1", "fd00::2"] } else { ["10.0.0.1", "10.0.0.2"] })
    }

    /// Addresses of the protected traffic.
    pub fn inner(&self) -> (IpAddr, IpAddr) {
        match (self.mode, self.is_ipv6) {
            ("tunnel", false) => ends(["10.1.0.1", "10.2.0.1"]),
            ("tunnel", true) => ends(["fd01::1", "fd02::1"]),
            _ => self.outer(),
        }
    }

    /// The keys file of both hosts.
    pub fn keys(&self) -> String {
        let (here, there) = self.outer();
        self.add(0x1000, here, there, self.inner()) + &self.add(0x2000, there, here, swapped(self.inner()))
    }

    /// The same for the networks behind both, in a tunnel.
    pub fn keys_of_networks(&self) -> String {
        let keys = Self { mode: "tunnel", ..*self }.keys();
        if self.is_ipv6 {
            keys.replace("fd01::1", "fd01::/16").replace("fd02::1", "fd02::/16")
        } else {
            keys.replace("10.1.0.1", "10.1.0.0/16").replace("10.2.0.1", "10.2.0.0/16")
        }
    }

    /// The same for TCP to a port of the other host.
    pub fn keys_of_port(&self, port: u16) -> String {
        let (here, there) = self.outer();
        let (hence, back) = (format!("src {here} dst {there}"), format!("src {there} dst {here}"));
        let keys = self.keys().replace(&hence, &format!("{hence} proto 6 dport {port}"));
        keys.replace(&back, &format!("{back} proto 6 sport {port}"))
    }

    fn add(&self, spi: u32, src: IpAddr, dst: IpAddr, (inner_src, inner_dst): (IpAddr, IpAddr)) -> String {
        let Self { proto, words, .. } = self;
        let inside = if self.mode == "tunnel" { format!("isrc {inner_src} idst {inner_dst}") } else { String::new() };
        let encap = if self.natt { "encap udp nat_lport 4500 nat_rport 4500" } else { "" };
        format!("add {proto} spi {spi:#x} src {src} dst {dst} {inside} {encap} replay 32 {words}\n")
    }

    /// Installs policies on `host`: outbound packets are protected, unprotected inbound packets dropped.
    fn demand(&self, host: &Space, (src, dst): (IpAddr, IpAddr), (inner_src, inner_dst): (IpAddr, IpAddr)) {
        let Self { proto, mode, .. } = self;
        for (from, to, outer_from, outer_to, dir) in
            [(inner_src, inner_dst, src, dst, "out"), (inner_dst, inner_src, dst, src, "in")]
        {
            let template = if *mode == "tunnel" { format!("src {outer_from} dst {outer_to}") } else { String::new() };
            host.ip(&format!(
                "xfrm policy add src {from} dst {to} dir {dir} priority 1 tmpl {template} proto {proto} mode {mode}"
            ));
        }
        if self.natt {
            // The kernel checks the policy of the UDP packet before that of its content.
            host.ip(&format!(
                "xfrm policy add src {dst} dst {src} proto udp dport {NATT_PORT} dir in priority 0 action allow"
            ));
        }
    }

    /// A pcap-filter(7) for packets with this protection.
    fn on_the_cable(&self) -> String {
        match (self.natt, self.proto) {
            // The UDP payload begins with the SPI.
            (true, _) => {
                let spi = if self.is_ipv6 { "ip6[48:4]" } else { "udp[8:4]" };
                format!("udp port {NATT_PORT} and ({spi} = 0x1000 or {spi} = 0x2000)")
            }
            (false, "esp") => "ip proto 50 or ip6 proto 50".into(),
            _ => "ip proto 51 or ip6 proto 51".into(),
        }
    }

    /// A pcap-filter(7) for packets that must be protected. Link-local IPv6 traffic does not count.
    pub fn in_clear(&self) -> String {
        let unicast = "(ip or ip6) and not ip6 multicast and not ip multicast and not src net fe80::/10";
        // Neighbour discovery is in the clear, as ARP is.
        let discovery = "icmp6 and (ip6[40] == 135 or ip6[40] == 136)";
        format!("{unicast} and not ({discovery}) and not ({})", self.on_the_cable())
    }

    /// Wireshark's preferences for these keys.
    fn preferences(&self) -> Vec<String> {
        let (here, there) = self.outer();
        let family = if self.is_ipv6 { "IPv6" } else { "IPv4" };
        let row = |src, dst, spi| format!(r#"uat:esp_sa:"{family}","{src}","{dst}","{spi}",{}"#, self.wireshark);
        let mut preferences = vec![row(here, there, "0x00001000"), row(there, here, "0x00002000")];
        preferences.extend(["esp.enable_encryption_decode:TRUE".into(), "esp.enable_authentication_check:TRUE".into()]);
        preferences
    }
}

fn ends(addrs: [&str; 2]) -> (IpAddr, IpAddr) {
    let [here, there] = addrs.map(|addr| addr.parse().expect("an address"));
    (here, there)
}

fn swapped((here, there): (IpAddr, IpAddr)) -> (IpAddr, IpAddr) {
    (there, here)
}

/// Encapsulation sockets on both hosts, until dropped.
pub fn open_encapsulation_sockets(hosts: &Hosts, (here, there): (IpAddr, IpAddr)) -> Vec<UdpSocket> {
    let socket = |host: &Space, own: IpAddr| {
        let socket = host.inside(|| UdpSocket::bind((own, NATT_PORT)).expect("binds"));
        setsockopt(&socket, UdpEncap, &ESP_IN_UDP).expect("becomes an encapsulation socket");
        socket
    };
    vec![socket(&hosts.here, here), socket(&hosts.there, there)]
}

/// Two hosts that protect their traffic, each with its keys file, and their encapsulation sockets.
fn protected(protection: &Protection, keys: [&str; 2]) -> (Hosts, Vec<UdpSocket>) {
    let hosts = Hosts::new();
    let sides = [
        (&hosts.here, protection.outer(), protection.inner()),
        (&hosts.there, swapped(protection.outer()), swapped(protection.inner())),
    ];
    for ((host, outer, inner), keys) in sides.into_iter().zip(keys) {
        host.start_service(keys);
        protection.demand(host, outer, inner);
    }
    let sockets = if protection.natt { open_encapsulation_sockets(&hosts, protection.outer()) } else { Vec::new() };
    (hosts, sockets)
}

/// All traffic passes, none of it in clear, and Wireshark decrypts it with the keys of the file.
fn everything_passes(protection: &Protection) {
    let keys = protection.keys();
    let (hosts, _sockets) = protected(protection, [&keys, &keys]);
    let (here, there) = protection.inner();

    let capture = Capture::start(&hosts, "ip or ip6");
    assert!(hosts.ping(there), "no reply to a ping; {:?}", hosts.there.states());
    assert_eq!(hosts.echo(here, there), Ok(()), "echoed datagrams");
    let packets = capture.stop();
    assert_eq!(packets.lines(&protection.in_clear()), [""; 0], "packets in clear");
    assert_eq!(packets.lines(&protection.on_the_cable()).len(), 6 + 40, "protected packets");
    if protection.proto == "esp" {
        assert_decrypted(protection, &packets);
    }

    let capture = Capture::start(&hosts, &protection.in_clear());
    assert_eq!(hosts.stream(there, STREAM), Ok(()));
    assert_eq!(capture.stop().lines(""), [""; 0], "packets in clear");
    assert!(protected_bytes(&hosts.there, "0x00001000") > STREAM as u64);
}

/// Wireshark decrypts the pings and the datagrams, and their ICVs are correct.
fn assert_decrypted(protection: &Protection, packets: &Packets) {
    let fields = ["icmp.type", "icmpv6.type", "data.len", "esp.icv_bad"];
    let rows = packets.decoded(&protection.preferences(), fields);
    let count = |is_one: &dyn Fn(&[String; 4]) -> bool| rows.iter().filter(|row| is_one(row)).count();
    assert_eq!(count(&|[icmp, icmpv6, ..]| !icmp.is_empty() || !icmpv6.is_empty()), 6, "pings and replies: {rows:?}");
    assert_eq!(count(&|[.., len, _]| len == "8"), 40, "datagrams there and back: {rows:?}");
    assert_eq!(count(&|[.., bad]| bad == "1"), 0, "wrong integrity check values");
}

/// Bytes that an SA has protected.
fn protected_bytes(host: &Space, spi: &str) -> u64 {
    let states = host.states();
    let state = states.iter().find(|state| state.contains(spi)).expect("the SA");
    let count =
        state.lines().find_map(|line| line.trim().strip_suffix("(packets)")?.split_once("(bytes)")).expect("a count");
    count.0.parse().expect("a number")
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn esp_in_transport_mode() {
    everything_passes(&Protection::ESP);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn esp_in_transport_mode_ipv6() {
    everything_passes(&Protection { is_ipv6: true, words: GCM, wireshark: GCM_WIRESHARK, ..Protection::ESP });
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn esp_in_tunnel_mode() {
    everything_passes(&Protection { mode: "tunnel", words: GCM, wireshark: GCM_WIRESHARK, ..Protection::ESP });
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn esp_in_tunnel_mode_ipv6() {
    everything_passes(&Protection { mode: "tunnel", is_ipv6: true, ..Protection::ESP });
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn ah_in_transport_mode() {
    everything_passes(&Protection::AH);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn ah_in_transport_mode_ipv6() {
    everything_passes(&Protection { is_ipv6: true, ..Protection::AH });
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn esp_with_udp_encapsulation() {
    everything_passes(&Protection { natt: true, ..Protection::ESP });
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn esp_with_udp_encapsulation_ipv6() {
    everything_passes(&Protection { natt: true, is_ipv6: true, words: GCM, wireshark: GCM_WIRESHARK, ..Protection::ESP });
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn hold_natt_ports_of_loaded_sas() {
    for is_ipv6 in [false, true] {
        let protection = Protection { natt: true, is_ipv6, ..Protection::ESP };
        let keys = protection.keys().replace("replay 32", "");
        let hosts = Hosts::new();
        let properties = private_file("");
        let options = ["--config", properties.to_str().expect("UTF-8")];
        let services = [&hosts.here, &hosts.there].map(|host| Service::start(host, &keys, &options, 2));
        protection.demand(&hosts.here, protection.outer(), protection.inner());
        protection.demand(&hosts.there, swapped(protection.outer()), swapped(protection.inner()));
        let (here, there) = protection.inner();
        assert!(!hosts.ping(there), "there is no encapsulation socket");
        for (wish, is_held) in [("true", true), ("false", false)] {
            fs::write(&properties, format!("hold_natt_ports = {wish}\n")).expect("writes");
            [&hosts.here, &hosts.there].iter().zip(&services).for_each(|(host, service)| service.refresh(host));
            assert_eq!(hosts.ping(there), is_held, "hold_natt_ports = {wish}, IPv6: {is_ipv6}");
            assert_eq!(hosts.echo(here, there).is_ok(), is_held, "hold_natt_ports = {wish}, IPv6: {is_ipv6}");
        }
        for printed in services.map(Service::end) {
            assert_eq!(printed.matches("warning: no program has a socket on UDP port 4500").count(), 2, "{printed}");
            let before = printed.matches("degraded: 2 SAs").count();
            assert_eq!((before, printed.lines().count()), (1, 3), "without policies, without a port twice: {printed}");
        }
        fs::remove_file(properties).expect("it exists");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn authkey_with_one_wrong_digit_blocks_traffic() {
    let cases = [
        ("a digit of authkey", Protection::ESP, "eb8\n", "eb9\n"),
        ("a digit of encrkey of an AEAD", Protection { words: GCM, ..Protection::ESP }, "7a3f", "7a3e"),
        ("a digit of authkey of AH", Protection::AH, "f507", "f517"),
    ];
    for (what, protection, right, wrong) in cases {
        let keys = protection.keys();
        let (hosts, _sockets) = protected(&protection, [&keys, &keys.replace(right, wrong)]);
        let (here, there) = protection.inner();
        assert!(!hosts.ping(there), "{what}: a ping has a reply");
        assert_eq!(hosts.echo(here, there), Err(0), "{what}: echoed datagrams");
        assert!(hosts.stream(there, 1).is_err(), "{what}: a connection");
        assert!(hosts.there.xfrm_stat("XfrmInStateProtoError") > 3, "{what}: errors that the kernel counts");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn esn_with_a_wide_replay_window() {
    let protection = Protection { mode: "tunnel", ..Protection::ESP };
    let keys = protection.keys().replace("replay 32", "esn replay 1024");
    let (hosts, _sockets) = protected(&protection, [&keys, &keys]);
    let (here, there) = protection.inner();
    assert!(hosts.ping(there));
    assert_eq!(hosts.echo(here, there), Ok(()));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn replay_value_is_needed_with_a_replay_window() {
    let keys = Protection::ESP.keys();
    let (hosts, _sockets) = protected(&Protection::ESP, [&keys, &keys]);
    let (here, there) = Protection::ESP.inner();
    assert_eq!(hosts.echo(here, there), Ok(()));
    // One end restarts, with sequence numbers that the other has already received.
    hosts.here.load(&format!("flush esp\n{keys}"));
    assert_eq!(hosts.echo(here, there), Err(0));
    hosts.here.load("update esp spi 0x1000 dst 10.0.0.2 outbound replay_value 5000\n");
    assert_eq!(hosts.echo(here, there), Ok(()));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn hard_packets_and_hard_bytes_expire() {
    // A datagram of 8 bytes counts 16; the one that reaches the limit passes.
    for (limits, passes) in [("soft_packets 3 hard_packets 6", 6), ("soft_bytes 30 hard_bytes 100", 7)] {
        let keys = Protection::ESP.keys();
        let limited = keys.replacen("replay 32", &format!("replay 32 {limits}"), 1);
        let (hosts, _sockets) = protected(&Protection::ESP, [&limited, &keys]);
        let (here, there) = Protection::ESP.inner();
        let monitor = Monitor::start(&hosts.here);
        assert_eq!(hosts.echo(here, there), Err(passes), "{limits}");
        let [soft, hard] = &monitor.wait_for("EXPIRE", 0x1000, 2)[..] else { panic!("expected two messages") };
        assert!(soft.contains("state=DYING") && hard.contains("state=DEAD"), "{soft}\n{hard}");
    }
}
