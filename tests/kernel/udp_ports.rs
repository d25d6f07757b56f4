//! The UDP port of ESP in UDP has one owner: the service takes it when another program closes it.

use std::net::UdpSocket;
use std::process::Command;

use crate::guard::{Guard, stop_daemon};
use crate::hosts::Hosts;
use crate::service::wait_until;
use crate::space::{Ran, Space};
use crate::traffic::Protection;

const PORT: u16 = 4500;

fn bind(host: &Space) -> std::io::Result<UdpSocket> {
    host.inside(|| UdpSocket::bind(("0.0.0.0", PORT)))
}

fn doctor(host: &Space, service: &Guard<'_>) -> Ran {
    host.ipseckey(&format!("doctor --for 0 {}", service.path("keys")))
}

fn check(host: &Space, service: &Guard<'_>) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
    command.args(["status", "--check"]).env("RUNTIME_DIRECTORY", service.path("run"));
    host.run(command)
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn hold_natt_ports_takes_a_port_that_becomes_free() {
    let hosts = Hosts::new();
    let keys = Protection { natt: true, ..Protection::ESP }.keys();
    let _peer = bind(&hosts.there).expect("binds");
    let held = bind(&hosts.here).expect("binds");
    let service = Guard::new(&hosts.here, &keys, "hold_natt_ports = true");
    let daemon = service.start_daemon();
    let report = doctor(&hosts.here, &service).out;
    assert!(report.contains("ok       UDP ports: port 4500 is held by another program"), "{report}");
    drop(held);
    wait_until(|| bind(&hosts.here).is_err());
    check(&hosts.here, &service).succeeded();
    let printed = stop_daemon(daemon);
    let warning = "manual-key: UDP port 4500 is in use by another program; ESP is received only if its socket";
    assert_eq!(printed.matches(warning).count(), 1, "{printed}");
    // Stopped: the port is free again.
    assert!(bind(&hosts.here).is_ok());
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn a_port_without_a_socket_is_a_problem_and_its_holder_is_named() {
    let hosts = Hosts::new();
    let service = Guard::new(&hosts.here, &Protection { natt: true, ..Protection::ESP }.keys(), "");
    let started = service.run("start");
    assert!(started.err.contains("no program has a socket on UDP port 4500"), "{}", started.err);
    let problem = "problem  UDP ports: no program has a socket on port 4500, so that ESP in UDP is not received";
    let report = doctor(&hosts.here, &service);
    assert!(report.status == 1 && report.out.contains(problem), "{report:?}");
    assert_eq!(check(&hosts.here, &service).status, 3);
    let _held = bind(&hosts.here).expect("binds");
    let refreshed = service.run("refresh");
    assert!(refreshed.out.contains("UDP port 4500 is held by ") && !refreshed.err.contains("no program"), "{refreshed:?}");
    check(&hosts.here, &service).succeeded();
}
