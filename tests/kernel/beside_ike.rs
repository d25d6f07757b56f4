//! The service beside strongSwan: what each says and does when the other one has the same port, request ID, selector or SPI, and
//! when the IKE daemon ends.

use std::fs;
use std::process::Command;

use crate::guard::{Guard, stop_daemon};
use crate::hosts::Hosts;
use crate::ike::{Charon, Tunnel, ike_spis};
use crate::service::wait_until;
use crate::space::{Ran, Space, private_file};
use crate::traffic::Protection;

/// IKE uses UDP port 4500 as soon as it can.
const ENCAP: &str = "encap = yes";
/// Beside an IKE daemon.
const OWNED: &str = "flush = \"owned\"\nrefresh = \"reconcile\"";

fn check(service: &Guard<'_>, host: &Space) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
    command.args(["status", "--check"]).env("RUNTIME_DIRECTORY", service.path("run"));
    host.run(command)
}

fn doctor(service: &Guard<'_>, host: &Space) -> Ran {
    let mut command = host.command("doctor");
    command.arg(service.path("keys")).env("RUNTIME_DIRECTORY", service.path("run"));
    host.run(command)
}

/// The lines of `doctor`, without those about dropped packets, the system's manual-key.toml, and `replay` in the keys file.
fn problems(report: &Ran) -> Vec<&str> {
    let is_problem = |line: &&str| line.starts_with("problem") || line.starts_with("warning");
    let of_packets = |line: &&str| ["dropped packets", "key managers", "keys file"].iter().any(|topic| line.contains(topic));
    report.out.lines().filter(is_problem).filter(|line| !of_packets(line)).collect()
}

/// Pings from the network behind `hosts.here` to the one behind the other, through the tunnel of IKE.
fn reaches_network(hosts: &Hosts) -> bool {
    let mut command = Command::new("ping");
    command.args(["-n", "-c", "3", "-i", "0.2", "-W", "1", "-I", "10.1.0.1", "10.2.0.1"]);
    hosts.here.run(command).status == 0
}

fn reaches_host(hosts: &Hosts) -> bool {
    hosts.ping([10, 0, 0, 2].into())
}

/// The first SPI of IKE's SAs to 10.0.0.2.
fn spi_of_ike(space: &Space) -> String {
    let states = space.ip("xfrm state list dst 10.0.0.2");
    let spi = |word: &&str| word.starts_with("0xc");
    states.split_whitespace().find(spi).expect("an SPI of charon").to_owned()
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn port_of_nat_traversal_has_one_owner_beside_an_ike_daemon() {
    let hosts = Hosts::new();
    let keys = Protection { natt: true, ..Protection::ESP }.keys();
    // There the daemon has the port, and the service uses its socket.
    let peer = Charon::start_with(&hosts.there, 2, ENCAP);
    let service_of_peer = Guard::new(&hosts.there, &keys, OWNED);
    let started = service_of_peer.run("start");
    let held = "UDP port 4500 is held by ";
    assert!(
        started.status == 0 && started.out.contains(held) && started.out.contains("charon-systemd (pid "),
        "{started:?}"
    );

    // The service is first, and has the port alone.
    let service = Guard::new(&hosts.here, &keys, &format!("{OWNED}\nhold_natt_ports = true"));
    let daemon = service.start_daemon();
    assert_eq!(check(&service, &hosts.here).status, 0);
    let charon = Charon::start_with(&hosts.here, 1, ENCAP);
    assert!(charon.log().contains("unable to bind socket: Address already in use"), "{}", charon.log());
    assert_ne!(charon.swanctl("--initiate --child net --timeout 2").status, 0);
    let unusable = "UDP port 4500 is held by manual-key, so that charon-systemd (pid ";
    let fix = "set hold_natt_ports = false in manual-key.toml";
    let line = check(&service, &hosts.here);
    assert!(line.status == 3 && line.out.contains(unusable) && line.out.contains(fix), "{line:?}");
    let report = doctor(&service, &hosts.here);
    assert!(report.status == 1 && report.out.contains(unusable) && report.out.contains(fix), "{}", report.out);
    service.query("refresh");
    assert!(reaches_host(&hosts));

    // The remedy of the message: the daemon has the port, and the service uses its socket.
    service.set(OWNED);
    service.query("refresh");
    charon.stop();
    let charon = Charon::start_with(&hosts.here, 1, ENCAP);
    charon.initiate("net");
    let is_used = |daemon: &Charon<'_>| !daemon.log().contains("Address already in use");
    assert!(is_used(&charon) && hosts.here.ip("xfrm state list").contains("encap type espinudp sport 4500 dport 4500"));
    assert!(reaches_network(&hosts) && reaches_host(&hosts));
    assert_eq!(check(&service, &hosts.here).status, 0, "{}", check(&service, &hosts.here).out);
    let report = doctor(&service, &hosts.here).out;
    assert!(
        report.contains("ok       UDP ports: port 4500 is held by ") && report.contains("charon-systemd (pid "),
        "{report}"
    );
    // It ends, and no program has the port.
    charon.stop();
    let line = check(&service, &hosts.here);
    assert!(line.status == 3 && line.out.contains("no program has a socket on UDP port 4500"), "{line:?}");
    let printed = stop_daemon(daemon);
    assert_eq!(printed.matches(unusable).count(), 1, "of the refresh: {printed}");

    // The daemon is first: the service takes the port when it is free.
    let charon = Charon::start_with(&hosts.here, 1, ENCAP);
    service.set(&format!("{OWNED}\nhold_natt_ports = true"));
    let daemon = service.start_daemon();
    charon.initiate("net");
    assert!(reaches_network(&hosts) && reaches_host(&hosts));
    assert_eq!(check(&service, &hosts.here).status, 0, "{}", check(&service, &hosts.here).out);
    charon.stop();
    wait_until(|| check(&service, &hosts.here).status == 0);
    assert!(reaches_host(&hosts));
    let printed = stop_daemon(daemon);
    assert!(printed.contains("UDP port 4500 is in use by ") && printed.contains("charon-systemd (pid "), "{printed}");
    drop(peer);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn larval_sas_and_traps_of_an_ike_daemon_are_information() {
    let hosts = Hosts::new();
    let peer = Charon::start_with(&hosts.there, 2, ENCAP);
    let charon = Charon::start_with(&hosts.here, 1, ENCAP);
    let service = Guard::new(&hosts.here, &Protection::ESP.keys(), OWNED);
    service.run("start").succeeded();
    charon.swanctl("--install --child net").succeeded();
    let assert_information = |what: &str| {
        let report = doctor(&service, &hosts.here);
        assert_eq!(problems(&report), [""; 0], "{what}: {}", report.out);
        assert!(!report.out.contains("ip xfrm policy delete"), "{what}: {}", report.out);
        let planned = service.run("plan");
        assert_eq!((planned.status, planned.err.as_str()), (0, ""), "{what}: {}", planned.out);
        assert!(planned.out.contains("0 removed, 2 kept"), "{what}: {}", planned.out);
        assert_eq!(check(&service, &hosts.here).status, 0, "{what}");
        report.out
    };
    let report = assert_information("traps");
    assert!(report.contains("of other programs without an SA; running: charon-systemd"), "{report}");
    // IKE_SA_INIT passes, IKE_AUTH does not: the SPI is reserved, and there is no SA yet.
    let mut block = Command::new("iptables-legacy");
    block.args(["-A", "INPUT", "-p", "udp", "--dport", "4500", "-j", "DROP"]);
    hosts.there.run(block).succeeded();
    charon.swanctl("--initiate --child net --timeout 1");
    let report = assert_information("larval");
    assert!(report.contains(", 1 larval"), "{report}\n{}", charon.log());
    let plan = hosts.here.ipseckey(&format!("plan {}", service.path("keys")));
    assert!(plan.status == 0 && plan.out.contains("0 removed"), "{plan:?}");
    drop(peer);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn request_id_priority_and_spi_of_an_ike_daemon_are_warned_of() {
    let hosts = Hosts::new();
    let _tunnel = Tunnel::new(&hosts);
    let tunnel = Protection { mode: "tunnel", ..Protection::ESP }.keys();
    let other = tunnel.replace("10.1.0.1", "10.3.0.0/16").replace("10.2.0.1", "10.4.0.0/16");
    let service = Guard::new(&hosts.here, &other.replace("replay", "reqid 1 replay"), OWNED);
    let warning = "warning: reqid 1 is also that of esp spi 0xc";
    let (planned, started) = (service.run("plan"), service.run("start"));
    assert!(planned.err.contains(warning) && started.err.contains(warning), "{planned:?} {started:?}");
    let report = doctor(&service, &hosts.here);
    assert!(problems(&report).iter().any(|line| line.contains(" has reqid 1, as esp spi 0xc")), "{}", report.out);
    service.write(&other);
    let refreshed = service.run("refresh");
    assert_eq!((refreshed.status, refreshed.err.as_str()), (0, ""), "a request ID of its own");

    // A wide selector takes the packets of the daemon's tunnel, a higher number leaves them to it.
    service.write(&tunnel.replace("10.1.0.1", "10.0.0.0/8").replace("10.2.0.1", "10.0.0.0/8"));
    let gets_none = "another program's policy src 10.1.0.0/16 dst 10.2.0.0/16 dir out";
    let (planned, refreshed) = (service.run("plan"), service.run("refresh"));
    for ran in [planned, refreshed] {
        assert!(ran.err.contains(gets_none) && ran.err.contains("gets no packets any more"), "{ran:?}");
    }
    service.set(&format!("{OWNED}\npolicy_priority = 500000"));
    service.write(&tunnel);
    let is_shadowed = "the service's policy src 10.1.0.1/32 dst 10.2.0.1/32 dir out, priority 500";
    let (planned, refreshed) = (service.run("plan"), service.run("refresh"));
    for ran in [planned, refreshed] {
        assert!(ran.err.contains(is_shadowed) && ran.err.contains("gets no packets: another program's policy"), "{ran:?}");
    }

    // An SPI of the daemon.
    let taken = Protection::ESP.keys().replace("0x1000", &spi_of_ike(&hosts.here));
    service.set("flush = \"owned\"");
    service.write(&taken);
    let refreshed = service.run("refresh");
    assert!(
        refreshed.err.contains("another program has added it, such as an IKE daemon: choose another SPI"),
        "{refreshed:?}"
    );
    assert!(ike_spis(&hosts.here) >= 2);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn sas_and_policies_survive_an_ike_daemon_that_stops_or_is_killed() {
    let hosts = Hosts::new();
    let tunnel = Tunnel::new(&hosts);
    let services = [&hosts.here, &hosts.there].map(|host| {
        let service = Guard::new(host, &Protection::ESP.keys(), OWNED);
        let daemon = service.start_daemon();
        (service, daemon)
    });
    let service = &services[0].0;
    let foreign = |count: usize| format!("2 owned, {count} foreign, 0 missing");
    assert!(service.query("status").contains(&foreign(2)), "{}", service.query("status"));
    // What is saved of the daemon's SAs is what the kernel has.
    let saved = private_file(&hosts.here.saved());
    let planned = hosts.here.ipseckey(&format!("plan {}", saved.display()));
    assert!(planned.status == 0 && planned.out.contains("4 kept"), "{planned:?}");

    // Killed: its SAs and policies are those of another program still, and work.
    let Tunnel { here, there, .. } = tunnel;
    drop(here);
    for command in ["refresh", "status"] {
        service.query(command);
        assert!(service.query("status").contains(&foreign(2)), "{command}: {}", service.query("status"));
    }
    hosts.here.ipseckey(&format!("reconcile {}", service.path("keys"))).succeeded();
    assert_eq!(ike_spis(&hosts.here), 2, "{}", hosts.here.ip("xfrm state list"));
    let report = doctor(service, &hosts.here);
    assert!(problems(&report).is_empty() && report.out.contains("2 SAs of other programs"), "{}", report.out);
    assert!(reaches_network(&hosts) && reaches_host(&hosts));
    assert_eq!(check(service, &hosts.here).status, 0);

    // Stopped: it removes what is its own.
    there.stop();
    assert_eq!((ike_spis(&hosts.there), hosts.there.ip("xfrm policy list").matches("10.1.0.0/16").count()), (0, 0));
    assert!(reaches_host(&hosts));
    assert!(services[1].0.query("status").contains(&foreign(0)), "{}", services[1].0.query("status"));
    // It starts again beside the leftovers of its predecessor.
    let _again = (Charon::start(&hosts.there, 2), Charon::start(&hosts.here, 1));
    assert!(reaches_host(&hosts));
    assert_eq!(check(service, &hosts.here).status, 0);
    for (_, daemon) in services {
        let printed = stop_daemon(daemon);
        assert!(!printed.contains("removed or changed"), "{printed}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn place_of_an_ike_daemons_policy_is_taken_over_when_it_is_free() {
    let hosts = Hosts::new();
    let tunnel = Tunnel::new(&hosts);
    tunnel.here.initiate("host");
    let services = [&hosts.here, &hosts.there].map(|host| {
        let service = Guard::new(host, &Protection::ESP.keys(), OWNED);
        let daemon = service.start_daemon();
        (service, daemon)
    });
    for (service, _) in &services {
        let state = fs::read_to_string(service.path("run/state.json")).expect("a state");
        assert!(state.contains("\"state\":\"degraded\"") && !state.contains("online"), "{state}");
    }
    assert!(reaches_host(&hosts), "by the SAs of IKE");
    tunnel.here.swanctl("--terminate --child host").succeeded();
    wait_until(|| {
        services.iter().zip([&hosts.here, &hosts.there]).all(|((service, _), host)| check(service, host).status == 0)
    });
    assert!(reaches_host(&hosts) && reaches_network(&hosts));
    for (_, daemon) in services {
        stop_daemon(daemon);
    }
}
