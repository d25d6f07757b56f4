//! The pages of docs/: their commands, as they are written, do what the pages say.

mod containers;
mod machine;
mod namespaces;
mod nat;
mod page;
mod site;

use std::process::Command;

use page::Page;
use site::Site;

use crate::capture::Capture;
use crate::space::Space;

const KEYS: &str = "/etc/inet/secret/ipseckeys";
/// The headers of a ping without data.
const PING: usize = 28;

/// Whether `host` reaches the address with one of three pings.
fn reaches(host: &Space, address: &str) -> bool {
    ping(host, &["-c", "3", "-i", "0.2", "-W", "2", address])
}

/// Whether the other host receives an IPv4 packet of `size` bytes that may not be fragmented.
fn receives(host: &Space, address: &str, size: usize) -> bool {
    ping(host, &["-c", "1", "-W", "3", "-M", "do", "-s", &(size - PING).to_string(), address])
}

fn ping(host: &Space, arguments: &[&str]) -> bool {
    let mut command = Command::new("ping");
    command.arg("-n").args(arguments);
    host.run(command).status == 0
}

/// Ends the capture: packets match `protected`, and none are others, except for those that find a neighbour.
#[track_caller]
fn assert_protected(capture: Capture, protected: &str) {
    let packets = capture.stop();
    assert_ne!(packets.lines(protected), [""; 0], "nothing protected");
    assert_eq!(packets.lines(&format!("not {protected} and not arp and not icmp6")), [""; 0], "in the clear");
}

/// The rows of a table of a page whose last column is a number.
fn sizes(page: &Page) -> Vec<(&str, usize)> {
    let rows = page.text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | "));
    rows.filter_map(|(name, size)| Some((name, size.parse().ok()?))).collect()
}

/// A tunnel with the keys of the page, on both gateways.
fn load(site: &Site, page: &Page) {
    site.here.run(page.block(1)).succeeded();
    site.copy(KEYS);
    for machine in [&site.here, &site.there] {
        let shown = machine.run(page.block(2)).succeeded();
        assert!(shown.contains("1 link, 2 SAs, all with policies"), "{shown}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_tunnel() {
    let (site, page) = (Site::new(), Page::new("tunnel.md", 6));
    let [near, far] = site.inside();
    load(&site, &page);
    let capture = site.capture("ip");
    assert!(reaches(&near, "10.2.0.7") && reaches(&far, "10.1.0.7"));
    site.here.run(page.block(3)).succeeded();
    site.there.run(page.block(4)).succeeded();
    assert!(reaches(&site.here.space, "10.2.0.1") && reaches(&site.there.space, "10.1.0.7"));
    assert_protected(capture, "esp");
}

/// The largest packets of the table.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_tunnel_mtu() {
    let page = Page::new("tunnel.md", 6);
    for (name, size) in sizes(&page) {
        let site = Site::new();
        let [near, _far] = site.inside();
        let tunnel = name.starts_with("tunnel");
        let mut keys = page.block(1).to_owned();
        if !tunnel {
            keys = keys.replace("isrc 10.1.0.0/24 idst 10.2.0.0/24", "");
        }
        if name.contains("GCM") {
            keys = keys.replace(" -o ", " encr_alg aes-gcm -o ");
        }
        site.here.run(&keys).succeeded();
        site.copy(KEYS);
        for machine in [&site.here, &site.there] {
            machine.run(page.block(2)).succeeded();
        }
        let (from, to) = if tunnel { (&near, "10.2.0.7") } else { (&site.here.space, "192.0.2.2") };
        assert!(receives(from, to, size), "{name}: {size}");
        assert!(!receives(from, to, size + 1), "{name}: {}", size + 1);
    }
}

/// Two hosts whose traffic is protected by SAs with these algorithms.
fn protected_hosts(algorithms: &str) -> Site {
    let site = Site::new();
    site.here.generate(&format!("src 192.0.2.1 dst 192.0.2.2 {algorithms}"));
    site.copy(KEYS);
    site.here.run("manual-key start").succeeded();
    site.there.run("manual-key start").succeeded();
    site
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_wireshark() {
    let page = Page::new("wireshark.md", 3);
    for (algorithms, blocks) in [("", &[1, 2][..]), ("auth_alg hmac-sha1", &[2, 3])] {
        let site = protected_hosts(algorithms);
        let mut command = Command::new("ping");
        command.args(["-n", "-i", "0.2", "192.0.2.1"]);
        let mut pings = site.there.space.spawn(command);
        for number in blocks {
            let decrypted = site.here.run(page.block(*number)).succeeded();
            if *number == 2 && !algorithms.is_empty() {
                continue;
            }
            assert!(decrypted.contains("ICMP") && decrypted.to_lowercase().contains("echo"), "{number}: {decrypted}");
        }
        pings.kill().expect("ping runs");
        pings.wait().expect("ends");
    }
}

/// Sends a packet of TCP from port `sport` of one host to port `dport` of the other, and a reply; returns whether it came.
fn exchange(site: &Site, sport: u16, dport: u16) -> bool {
    let server = site.there.space.inside(|| std::net::UdpSocket::bind(("192.0.2.2", dport)).expect("binds"));
    let client = site.here.space.inside(|| std::net::UdpSocket::bind(("192.0.2.1", sport)).expect("binds"));
    let mut buffer = [0; 8];
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(std::time::Duration::from_secs(2))).expect("a timeout");
    }
    let sent = client.send_to(b"REGISTER", server.local_addr().expect("bound"));
    let received = sent.and_then(|_| server.recv_from(&mut buffer));
    received.and_then(|(_, from)| server.send_to(b"200 OK..", from)).and_then(|_| client.recv(&mut buffer)).is_ok()
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_ims() {
    let (site, page) = (Site::new(), Page::new("ims.md", 1));
    for machine in [&site.here, &site.there] {
        let shown = machine.run(page.block(1)).succeeded();
        assert!(shown.contains("4 SAs, all with policies"), "{shown}");
    }
    let capture = site.capture("ip");
    assert!(exchange(&site, 5062, 5065) && exchange(&site, 5063, 5064), "through the SAs");
    assert_protected(capture, "esp");
    let capture = site.capture("ip");
    assert!(exchange(&site, 5060, 5060), "in the clear");
    assert_protected(capture, "udp port 5060");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_offload_keys() {
    let (site, page) = (Site::new(), Page::new("offload.md", 1));
    site.here.run(page.block(1)).succeeded();
    // The interfaces here have no IPsec offload.
    let started = site.here.run("manual-key start");
    assert!(started.err.contains("offload: not supported by the device"), "{}{}", started.out, started.err);
    site.here.run("sed -i s/offload/offload-packet/ /etc/inet/secret/ipseckeys").succeeded();
    let refused = site.here.run("manual-key refresh");
    assert_ne!(refused.status, 0, "{}{}", refused.out, refused.err);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_backup() {
    let page = Page::new("backup.md", 2);
    let site = protected_hosts("");
    let planned = site.here.run(page.block(1)).succeeded();
    assert!(planned.contains("0 added, 0 updated, 0 replaced, 0 removed, 2 kept"), "{planned}");
    site.here.run("ipseckey flush").succeeded();
    assert!(!reaches(&site.here.space, "192.0.2.2"));
    site.here.run(page.block(2)).succeeded();
    assert!(reaches(&site.here.space, "192.0.2.2"));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_key_chains() {
    let (site, page) = (Site::new(), Page::new("key-chains.md", 1));
    // The package has it.
    site.here.run("mkdir -p /etc/inet/secret").succeeded();
    site.here.run(page.block(1)).succeeded();
    let checked = site.here.run("ipseckey -c /etc/inet/secret/ipseckeys");
    assert!(
        checked.err.contains("24 of 24 commands are correct") && checked.err.contains("a key chain ends at"),
        "{}",
        checked.err
    );
    let loaded = site.here.run("ipseckey -f /etc/inet/secret/ipseckeys");
    assert!(loaded.err.contains("the keys change next at") && loaded.status == 0, "{}", loaded.err);
    assert_eq!(site.here.run("ip xfrm state list").succeeded().matches(" spi ").count(), 2);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_json() {
    let page = Page::new("json.md", 2);
    let site = protected_hosts("hard_addtime 3600");
    let table = site.here.run(page.block(1)).succeeded();
    assert_eq!(table.matches("\t3600\n").count(), 2, "{table}");
    site.here.run("cp /etc/inet/secret/ipseckeys .").succeeded();
    site.here.run(page.block(2)).succeeded();
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_primer() {
    let (site, page) = (Site::new(), Page::new("primer.md", 1));
    let output = site.here.run(page.block(1)).succeeded();
    assert_eq!(output.matches("\nadd esp").count() + usize::from(output.starts_with("add esp")), 2, "{output}");
}
