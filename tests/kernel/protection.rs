//! `policy = "from-sas"`: one keys file and `manual-key` on both hosts, and the packets on the cable.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::Pid;

use crate::capture::Capture;
use crate::guard::{Guard, stop_daemon};
use crate::hosts::Hosts;
use crate::service::wait_until;
use crate::space::Space;
use crate::support::memory::{KeyPieces, expect_nothing, search};
use crate::traffic::{Protection, open_encapsulation_sockets};

fn ends(addrs: [&str; 2]) -> (IpAddr, IpAddr) {
    let [here, there] = addrs.map(|addr| addr.parse().expect("an address"));
    (here, there)
}

/// All traffic passes between `near` and `far`, and no packet that matches `in_clear` is on the cable of `hosts`.
#[track_caller]
fn assert_protected(hosts: &Hosts, keys: &str, in_clear: &str, (near, far): (IpAddr, IpAddr), inside: Option<&Hosts>) {
    let endpoints = inside.unwrap_or(hosts);
    let capture = Capture::start(hosts, in_clear);
    for host in [&hosts.here, &hosts.there] {
        let started = Guard::new(host, keys, "").run("start");
        assert_eq!((started.status, started.err.as_str()), (0, ""), "{}", started.out);
    }
    assert_passes(endpoints, (near, far));
    assert_eq!(capture.stop().lines(""), [""; 0], "packets in clear");
}

/// ICMP, UDP and TCP pass.
#[track_caller]
fn assert_passes(endpoints: &Hosts, (near, far): (IpAddr, IpAddr)) {
    // The first IPv6 packets may be lost during neighbour discovery.
    let answers = (0..5).any(|_| endpoints.ping(far));
    assert!(answers, "no reply to a ping");
    assert_eq!(endpoints.echo(near, far), Ok(()), "echoed datagrams");
    assert_eq!(endpoints.stream(far, 1_000_000), Ok(()));
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_from_sas_protects_hosts() {
    let ah = |protection: &Protection| Protection { is_ipv6: protection.is_ipv6, ..Protection::AH };
    for protection in [Protection::ESP, Protection::AH, Protection { is_ipv6: true, ..Protection::ESP }] {
        assert_protected(&Hosts::new(), &protection.keys(), &protection.in_clear(), protection.outer(), None);
    }
    for esp in [Protection::ESP, Protection { is_ipv6: true, ..Protection::ESP }] {
        let keys = esp.keys() + &ah(&esp).keys();
        assert_protected(&Hosts::new(), &keys, &ah(&esp).in_clear(), esp.outer(), None);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_from_sas_protects_hosts_without_neighbour_entries() {
    let six = Protection { is_ipv6: true, ..Protection::ESP };
    let hosts = Hosts::new();
    for (host, other) in [(&hosts.here, "fd00::2"), (&hosts.there, "fd00::1")] {
        host.ip(&format!("neigh del {other} dev cable"));
    }
    assert_protected(&hosts, &six.keys(), &six.in_clear(), six.outer(), None);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_from_sas_protects_udp_encapsulated_esp() {
    let natt = Protection { natt: true, ..Protection::ESP };
    let hosts = Hosts::new();
    let _sockets = open_encapsulation_sockets(&hosts, natt.outer());
    assert_protected(&hosts, &natt.keys(), &natt.in_clear(), natt.outer(), None);
    let passes = hosts.here.ip("xfrm policy list dir in src 10.0.0.2 dst 10.0.0.1 proto udp dport 4500");
    assert!(passes.contains("priority 10001"), "{passes}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_from_sas_with_hold_natt_ports_protects_hosts() {
    for is_ipv6 in [false, true] {
        let natt = Protection { natt: true, is_ipv6, ..Protection::ESP };
        let hosts = Hosts::new();
        let capture = Capture::start(&hosts, &natt.in_clear());
        let settings = "hold_natt_ports = true\n";
        let services = [&hosts.here, &hosts.there].map(|host| Guard::new(host, &natt.keys(), settings));
        let daemons = services.each_ref().map(Guard::start_daemon);
        assert_passes(&hosts, natt.outer());
        for daemon in daemons {
            assert_eq!(stop_daemon(daemon), "");
        }
        assert!(!hosts.ping(natt.outer().1), "stopped, and closed");
        assert_eq!(capture.stop().lines(""), [""; 0], "packets in clear, IPv6: {is_ipv6}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn hold_natt_ports_warning_without_encapsulation_socket() {
    let natt = Protection { natt: true, ..Protection::ESP };
    let hosts = Hosts::new();
    let service = Guard::new(&hosts.here, &natt.keys(), "hold_natt_ports = true\n");
    let ran = service.run("start");
    let reported = "manual-key: warning: no program has a socket on UDP port 4500, so that ESP in UDP is not received; set \
                hold_natt_ports = true for manual-key run, or start a program that sets UDP_ENCAP\n";
    assert_eq!((ran.status, ran.err.as_str()), (0, reported));
    let _sockets = open_encapsulation_sockets(&hosts, natt.outer());
    assert_eq!(service.run("refresh").err, "");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn run_installs_pending_policies_when_addresses_appear() {
    let hosts = Hosts::new();
    let (four, six) = (Protection::ESP, Protection { is_ipv6: true, ..Protection::ESP });
    let keys = four.keys() + &six.keys();
    let addresses = ["10.0.0.1/24 dev cable", "fd00::1/64 dev cable nodad"];
    addresses.iter().for_each(|address| drop(hosts.here.ip(&format!("addr del {address}"))));
    // Two more SAs wait for an address that never appears.
    let service =
        Guard::new(&hosts.here, &(keys.clone() + &four.keys().replace("10.0.0.", "10.3.0.")), "on_stop = \"open\"\n");
    Guard::new(&hosts.there, &keys, "").run("start").succeeded();
    let count = || hosts.here.ip("xfrm policy list").matches("dir ").count();

    let daemon = service.start_daemon();
    assert_eq!(count(), 0);
    service.query("refresh");
    let digits = |word: &str| word.len() > 30 && word.chars().all(|c| c.is_ascii_hexdigit());
    let secrets: Vec<String> = keys.split_whitespace().filter(|word| digits(word)).map(str::to_owned).collect();
    let expect_no_key = |what: &str| {
        let searched = search(Pid::from_raw(daemon.id().cast_signed()), &KeyPieces::of(&secrets));
        expect_nothing(what, searched);
    };
    expect_no_key("a service that waits for addresses");
    hosts.here.ip("addr add 10.9.9.9/32 dev lo");
    for ((address, protection), policies) in addresses.iter().zip([four, six]).zip([2, 8]) {
        let capture = Capture::start(&hosts, &protection.in_clear());
        hosts.here.ip(&format!("addr add {address}"));
        wait_until(|| count() == policies);
        assert_passes(&hosts, protection.outer());
        assert_eq!(capture.stop().lines(""), [""; 0], "packets in clear");
    }
    expect_no_key("a service whose addresses have appeared");
    // The direction that an address has shown is remembered while the address is gone.
    hosts.here.ip(&format!("addr del {}", addresses[0]));
    service.query("refresh");
    assert_eq!(count(), 8, "four of them for neighbour discovery");
    let printed = stop_daemon(daemon);
    let warnings: Vec<&str> = printed.lines().filter(|line| line.contains("no policy is installed for")).collect();
    let [first, again, second] = warnings[..] else { panic!("a warning for each load: {printed}") };
    assert_eq!(first, again);
    assert!(
        first.starts_with("manual-key: lines 1, 2, 3, 4, 5, 6: warning: no policy is installed for esp spi 0x1000"),
        "{first}"
    );
    assert!(first.ends_with("; the policy follows when one of its addresses is configured on this system"), "{first}");
    assert!(
        second.starts_with("manual-key: lines 1, 2, 5, 6: warning: no policy is installed for esp spi 0x1000"),
        "{second}"
    );
    assert_eq!(count(), 0);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_from_sas_protects_tunnelled_networks() {
    for is_ipv6 in [false, true] {
        let tunnel = Protection { mode: "tunnel", is_ipv6, ..Protection::ESP };
        let keys = tunnel.keys_of_networks();
        let hosts = Hosts::new();
        let inside = hosts.behind();
        let ends = ends(if is_ipv6 { ["fd01:0:5::2", "fd02:0:5::2"] } else { ["10.1.5.2", "10.2.5.2"] });
        assert_protected(&hosts, &keys, &tunnel.in_clear(), ends, Some(&inside));
        // The gateways themselves have addresses in the networks, too.
        assert!(hosts.ping(tunnel.inner().1));
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_from_sas_protects_selected_ports_only() {
    let hosts = Hosts::new();
    let (here, there) = Protection::ESP.outer();
    let to = SocketAddr::from((there, 8080));
    let keys = Protection::ESP.keys_of_port(8080);
    let capture = Capture::start(&hosts, "ip");
    for host in [&hosts.here, &hosts.there] {
        Guard::new(host, &keys, "").run("start").succeeded();
    }
    let listener = hosts.there.inside(|| TcpListener::bind(to).expect("binds"));
    hosts.here.inside(|| TcpStream::connect_timeout(&to, Duration::from_secs(2)).expect("connects"));
    drop(listener);
    assert!(hosts.ping(there));
    assert_eq!(hosts.echo(here, there), Ok(()));
    let packets = capture.stop();
    assert_eq!(packets.lines("tcp"), [""; 0], "selected, and in clear");
    assert!(packets.lines("ip proto 50").len() >= 3, "the connection");
    assert_eq!(packets.lines("icmp").len(), 6, "in clear, as configured");
    assert_eq!(packets.lines("udp").len(), 40, "in clear, as configured");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn plan_and_status_report_policies_and_ssh_lockout() {
    let hosts = Hosts::new();
    let service = Guard::new(&hosts.here, &Protection::ESP.keys(), "refresh = \"reconcile\"\n");
    let plan = |session: &str| {
        let mut command = service.command("plan");
        command.env("SSH_CONNECTION", session);
        hosts.here.run(command)
    };
    let reported = plan("10.0.0.2 40000 10.0.0.1 22");
    assert_eq!(reported.status, 3, "{reported:?}");
    let expected = "add     policy src 10.0.0.2/32 dst 10.0.0.1/32 dir in priority 10006 tmpl proto esp \
                    reqid 1835728896 mode transport\n";
    assert!(reported.out.contains(expected) && reported.out.contains("2 added"), "{}", reported.out);
    let cut = "src 10.0.0.2/32 dst 10.0.0.1/32 dir in: this session over SSH from 10.0.0.2 would be cut off";
    assert!(reported.err.contains(cut), "{}", reported.err);
    assert_eq!(plan("10.0.0.3 40000 10.0.0.1 22").err, "");
    assert!(hosts.here.ip("xfrm policy list").is_empty(), "a plan does nothing");

    service.run("start").succeeded();
    let reported = plan("10.0.0.2 40000 10.0.0.1 22");
    assert_eq!((reported.status, reported.err.as_str()), (0, ""), "{}", reported.out);
    let reported = service.query("status");
    assert!(reported.contains("policies  2 owned; 0 SAs without a policy, 0 policies without an SA"), "{reported}");
    hosts.here.ip("xfrm policy delete src 10.0.0.1 dst 10.0.0.2 dir out");
    hosts.here.ipseckey("delete esp spi 0x2000 dst 10.0.0.1").succeeded();
    let reported = service.query("status");
    for line in [
        "1 SAs without a policy, 1 policies without an SA",
        "no policy esp spi 0x1000 dst 10.0.0.2",
        "no SA     src 10.0.0.2/32 dst 10.0.0.1/32 dir in",
    ] {
        assert!(reported.contains(line), "{line} in {reported}");
    }
    service.run("refresh").succeeded();
    let reported = service.query("status");
    assert!(reported.contains("0 SAs without a policy, 0 policies without an SA"), "{reported}");
    assert_eq!(hosts.here.ip("xfrm policy list").matches("dir ").count(), 2);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn start_warns_of_ssh_lockout_before_it_changes_anything() {
    for refresh in ["flush", "check-first", "reconcile"] {
        let hosts = Hosts::new();
        let service = Guard::new(&hosts.here, &Protection::ESP.keys(), &format!("refresh = \"{refresh}\""));
        let run = |method: &str, session: &str| {
            let mut command = service.command(method);
            command.env("SSH_CONNECTION", session);
            hosts.here.run(command)
        };
        let cut = "warning: policy src 10.0.0.2/32 dst 10.0.0.1/32 dir in: this session over SSH from 10.0.0.2 would be cut";
        let ran = run("start", "10.0.0.2 40000 10.0.0.1 22");
        assert_eq!((ran.status, ran.err.matches(cut).count()), (0, 1), "{refresh}: {ran:?}");
        // The session works with the policies that are installed.
        for method in ["start", "refresh"] {
            let ran = run(method, "10.0.0.2 40000 10.0.0.1 22");
            assert!(ran.status == 0 && !ran.err.contains("SSH"), "{refresh} {method}: {ran:?}");
        }
        hosts.here.ip("xfrm policy flush");
        let ran = run("refresh", "10.0.0.2 40000 10.0.0.1 22");
        assert!(ran.err.contains(cut), "{refresh}: {ran:?}");
        service.run("stop --open").succeeded();
        let elsewhere = run("start", "10.0.0.3 40000 10.0.0.1 22");
        assert!(elsewhere.status == 0 && !elsewhere.err.contains("SSH"), "{refresh}: {elsewhere:?}");
        service.run("stop --open").succeeded();

        // Both streams in one, to see the order of their lines: the first change is a flush or a policy.
        let inner = service.command("start");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "exec \"$@\" 2>&1", "sh"]).arg(inner.get_program()).args(inner.get_args());
        command.env("RUNTIME_DIRECTORY", service.path("run")).env("SSH_CONNECTION", "10.0.0.2 40000 10.0.0.1 22");
        let text = hosts.here.run(command).succeeded();
        let at = |line: &str| text.find(line).unwrap_or(usize::MAX);
        let first_change = at("flushing").min(at("policies: "));
        assert!(first_change != usize::MAX && at(cut) < first_change, "{refresh}: {text}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn start_reports_and_keeps_foreign_policy_with_same_selector() {
    let hosts = Hosts::new();
    hosts.here.ip("xfrm policy add src 10.0.0.1 dst 10.0.0.2 dir out action block");
    let service = Guard::new(&hosts.here, &Protection::ESP.keys(), "");
    let ran = service.run("start");
    let reported =
        "policy src 10.0.0.1/32 dst 10.0.0.2/32 dir out: a different policy with the same selector exists and was kept";
    assert!(ran.status == 1 && ran.err.contains(reported), "{ran:?}");
    service.run("stop --open").succeeded();
    let left = hosts.here.ip("xfrm policy list");
    assert!(left.contains("action block") && left.matches("dir ").count() == 1, "{left}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_none_removes_owned_policies() {
    let hosts = Hosts::new();
    let keys = Protection::ESP.keys();
    let service = Guard::new(&hosts.here, &(keys.clone() + &keys.replace("10.0.0.", "10.3.0.")), "");
    let ran = service.run("start");
    assert!(
        ran.status == 0
            && ran.err.starts_with(
                "manual-key: lines 3, 4: warning: no policy is installed for esp spi 0x1000 dst 10.3.0.2, esp spi 0x2000 dst \
                 10.3.0.1: its direction cannot"
            ),
        "{ran:?}"
    );
    assert_eq!(hosts.here.ip("xfrm policy list").matches("dir ").count(), 2);
    fs::write(service.path("toml"), format!("config_file = \"{}\"\n", service.path("keys"))).expect("writes");
    service.run("refresh").succeeded();
    assert_eq!(hosts.here.ip("xfrm policy list"), "");
    fs::write(service.path("toml"), "policy = \"from-sas\"\nsadb = \"pfkey\"\n").expect("writes");
    let ran = service.run("start");
    assert!(ran.status == 78 && ran.err.contains("policy = \"from-sas\" requires sadb = \"xfrm\""), "{ran:?}");
}

/// Emptied by accident (`: > ipseckeys`): a refresh by hand and one of the daemon fail, and no packet passes in the clear.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policies_stay_when_the_keys_file_becomes_empty() {
    let (_, there) = Protection::ESP.outer();
    for (order, sas) in [("flush", 0), ("check-first", 2), ("reconcile", 2)] {
        let hosts = Hosts::new();
        let capture = Capture::start(&hosts, &Protection::ESP.in_clear());
        Guard::new(&hosts.there, &Protection::ESP.keys(), "").run("start").succeeded();
        let service = Guard::new(&hosts.here, &Protection::ESP.keys(), &format!("refresh = \"{order}\"\n"));
        for is_daemon in [false, true] {
            service.write(&Protection::ESP.keys());
            let daemon = if is_daemon { Some(service.start_daemon()) } else { None };
            if !is_daemon {
                service.run("start").succeeded();
            }
            assert!(hosts.ping(there), "{order}");
            for empty in ["", "# none\n"] {
                service.write(empty);
                let refreshed = service.run("refresh");
                assert!(refreshed.status == 78 && refreshed.err.contains("adds no SA"), "{order}: {refreshed:?}");
                assert_eq!(hosts.here.ip("xfrm policy list").matches("dir ").count(), 2, "{order}");
                assert_eq!(hosts.here.states().len(), sas, "{order}");
                assert_eq!(hosts.ping(there), sas == 2, "{order}");
            }
            if let Some(mut daemon) = daemon {
                daemon.kill().expect("it runs");
                daemon.wait().expect("it ends");
            }
        }
        assert_eq!(capture.stop().lines(""), [""; 0], "packets in clear: {order}");
        // Where an empty file is meant, its policies go.
        service.run("refresh --allow-empty").succeeded();
        assert_eq!(hosts.here.ip("xfrm policy list"), "", "{order}");
    }
}

/// A file without an error, of which the kernel refuses an SA whatever it holds, changes nothing.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn check_first_keeps_sas_if_the_kernel_would_refuse_one() {
    let hosts = Hosts::new();
    let keys = Protection::ESP.keys();
    let service = Guard::new(&hosts.here, &keys, "refresh = \"check-first\"\n");
    service.run("start").succeeded();
    let before = hosts.here.states();
    let (first, _) = keys.split_once("\n").expect("a line");
    for keywords in ["esn", "hard_bytes 10 soft_bytes 20", "mode transport tfcpad 100"] {
        let refused = first.replace("spi 0x", "spi 0x9").replace("replay 32", "");
        let alone = hosts.here.try_load(&format!("{refused} {keywords}\n"));
        assert_ne!(alone.status, 0, "{keywords}: the kernel takes it");
        service.write(&format!("{keys}{refused} {keywords}\n"));
        let refreshed = service.run("refresh");
        assert!(refreshed.status == 78 && refreshed.err.contains("the SAs in use are unchanged"), "{refreshed:?}");
        assert_eq!(hosts.here.states(), before, "{keywords}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_priority_beside_the_policies_of_another_program() {
    let hosts = Hosts::new();
    let tunnel = Protection { mode: "tunnel", ..Protection::ESP };
    let keys = tunnel.keys().replace("10.1.0.1", "10.0.0.0/8").replace("10.2.0.1", "10.0.0.0/8");
    let (host, service) = (&hosts.here, Guard::new(&hosts.here, &keys, ""));
    // As strongSwan's for a child between two networks.
    let narrow = "src 10.1.0.0/16 dst 10.2.0.0/16 dir out";
    let tmpl = "tmpl src 10.0.0.1 dst 10.0.0.2 proto esp reqid 1 mode tunnel";
    host.ip(&format!("xfrm policy add {narrow} priority 375423 {tmpl}"));
    let used = || host.ip("xfrm policy list dir out");
    let shadowed = format!("warning: another program's policy {narrow}, priority 375423, gets no packets any more");
    for method in ["plan", "start", "plan"] {
        let printed = service.run(method).err;
        assert!(printed.contains(&shadowed) && printed.contains("set policy_priority above 375423"), "{method}: {printed}");
    }
    service.set("policy_priority = 500000");
    assert_eq!(service.run("refresh").err, "", "{}", used());
    assert!(used().contains("priority 500390"), "{}", used());
    assert_eq!(service.run("plan").err, "");
    assert_eq!(service.query("status").matches("problem").count(), 0, "{}", service.query("status"));

    // The other way round.
    host.ip("xfrm policy add src 10.0.0.0/7 dst 10.0.0.0/7 dir out priority 5 action block");
    let started = service.run("refresh").err;
    let expected = "warning: the service's policy src 10.0.0.0/8 dst 10.0.0.0/8 dir out, priority 500390, gets no packets: \
                    another program's policy src 10.0.0.0/7 dst 10.0.0.0/7 dir out, priority 5, precedes it";
    assert!(started.contains(expected), "{started}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_priority_prefers_the_narrower_selector() {
    let hosts = Hosts::new();
    let (here, there) = Protection::ESP.outer();
    let port = Protection::ESP.keys_of_port(8080).replace("0x1000", "0x1100").replace("0x2000", "0x2100");
    let keys = Protection::ESP.keys().replace("replay", "reqid 1 replay") + &port.replace("replay", "reqid 2 replay");
    let capture = Capture::start(&hosts, "ip and not ip multicast");
    for host in [&hosts.here, &hosts.there] {
        Guard::new(host, &keys, "").run("start").succeeded();
    }
    let listener = hosts.there.inside(|| TcpListener::bind((there, 8080)).expect("binds"));
    let to = listener.local_addr().expect("an address");
    hosts.here.inside(|| TcpStream::connect_timeout(&to, Duration::from_secs(2)).expect("connects"));
    assert_eq!(hosts.echo(here, there), Ok(()));
    let packets = capture.stop();
    assert_eq!(packets.lines("not ip proto 50"), [""; 0], "packets in clear");
    for (spi, host) in [("0x1000", here), ("0x2000", there)] {
        assert_eq!(packets.lines(&format!("src {host} and ip[20:4] = {spi}")).len(), 20, "datagrams of {host}");
    }
    assert!(packets.lines("ip[20:4] = 0x1100").len() >= 2 && !packets.lines("ip[20:4] = 0x2100").is_empty());
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_mark_is_the_mark_of_its_sa() {
    let hosts = Hosts::new();
    let keys = Protection::ESP.keys();
    let marked = keys.lines().next().expect("an SA").replace("replay 32", "mark 5/0xff");
    Guard::new(&hosts.here, &format!("{marked}\n"), "").run("start").succeeded();
    let capture = Capture::start(&hosts, "src 10.0.0.1");
    for (mark, count) in [(0x100, 3), (0x105, 7)] {
        let socket = hosts.here.inside(|| UdpSocket::bind("0.0.0.0:0").expect("binds"));
        setsockopt(&socket, sockopt::Mark, &mark).expect("marks");
        for _ in 0..count {
            socket.send_to(b"marked?", "10.0.0.2:9").expect("sends");
        }
    }
    let packets = capture.stop();
    assert_eq!((packets.lines("udp").len(), packets.lines("ip proto 50").len()), (3, 7));
}

/// The output of `ip xfrm monitor` during `work`, without details.
fn ip_xfrm_monitor(space: &Space, work: impl FnOnce()) -> Vec<String> {
    let mut command = Command::new("ip");
    command.args(["xfrm", "monitor"]);
    let mut monitor = space.spawn(command);
    thread::sleep(Duration::from_millis(500));
    work();
    thread::sleep(Duration::from_millis(500));
    monitor.kill().expect("kills");
    let output = monitor.wait_with_output().expect("ends").stdout;
    let output = String::from_utf8(output).expect("UTF-8");
    output.lines().filter(|line| !line.starts_with(char::is_whitespace)).map(|line| line.trim_end().to_owned()).collect()
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policies_are_installed_before_and_removed_after_sas() {
    let hosts = Hosts::new();
    let service = Guard::new(&hosts.here, &Protection::ESP.keys(), "flush = \"owned\"\n");
    let policies = ["src 10.0.0.1/32 dst 10.0.0.2/32", "src 10.0.0.2/32 dst 10.0.0.1/32"];
    let sas = ["src 10.0.0.1 dst 10.0.0.2", "src 10.0.0.2 dst 10.0.0.1"];
    let up = ip_xfrm_monitor(&hosts.here, || drop(service.run("start").succeeded()));
    assert_eq!(up, [policies, sas].concat());
    let mut down = ip_xfrm_monitor(&hosts.here, || drop(service.run("stop --open").succeeded()));
    // Their order is not defined.
    down[..2].sort();
    down[2..].sort();
    assert_eq!(down, [sas, policies].concat().iter().map(|line| format!("Deleted {line}")).collect::<Vec<_>>());
}

const MANY: usize = 1000;

/// SAs to and from that many hosts.
fn many() -> String {
    let words = "encr_alg aes encrkey 4bd65b3976f6593223a8743b5e1b1b1a auth_alg sha256 \
                 authkey 2acebd65e17cac7aa01bc2d826ffaa76f12750f8220df45c071b08bf75335eb8";
    let pair = |number: usize| {
        let (far, spi) = (format!("10.5.{}.{}", number / 250, number % 250 + 1), 0x1000 + 2 * number);
        format!("add esp spi {spi} src 10.0.0.1 dst {far} {words}\nadd esp spi {} src {far} dst 10.0.0.1 {words}\n", spi + 1)
    };
    (0..MANY / 2).map(pair).collect()
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn refresh_of_a_thousand_unchanged_sas_sends_nothing() {
    let hosts = Hosts::new();
    let service = Guard::new(&hosts.here, &many(), "refresh = \"reconcile\"\n");
    service.run("start").succeeded();
    assert_eq!(ip_xfrm_monitor(&hosts.here, || drop(service.run("refresh").succeeded())), [""; 0]);
    assert_eq!(hosts.here.ip("xfrm policy list").matches("dir ").count(), MANY);
    service.run("stop --open").succeeded();
    assert_eq!(hosts.here.ip("xfrm policy list"), "");
}
