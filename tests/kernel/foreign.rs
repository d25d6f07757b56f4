//! `flush = "all"`: the SAs of other programs are removed and reported; those of other instances, IPComp, and larval SAs without an
//! SPI stay.

use std::process::Command;

use crate::guard::{Guard, stop_daemon};
use crate::hosts::Hosts;
use crate::space::{Ran, Space};

/// As an IKE daemon would have it.
const IKE_SA: &str = "xfrm state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 0xc0ffee01 reqid 1 mode tunnel \
                      auth hmac(sha1) 0x0102030405060708090a0b0c0d0e0f1011121314 enc cipher_null \"\"";
const IPCOMP: &str = "xfrm state add src 10.0.0.1 dst 10.0.0.2 proto comp spi 0x77 mode transport comp deflate";
/// An SPI that a key manager has reserved.
const LARVAL: &str = "xfrm state allocspi src 10.0.0.9 dst 10.0.0.8 proto esp reqid 16384 mode tunnel min 0x5000 max 0x5000";
const REFRESH_MODES: [&str; 3] = ["flush", "check-first", "reconcile"];

fn key(spi: u32) -> String {
    format!(
        "add esp spi {spi:#x} src 10.0.0.1 dst 10.0.0.2 encr_alg null auth_alg sha1 \
         authkey 000102030405060708090a0b0c0d0e0f10111213\n"
    )
}

/// `ip` with these words, in which a lone `""` is an empty word.
fn ip(space: &Space, words: &str) -> String {
    let mut command = Command::new("ip");
    command.args(words.split_whitespace().map(|word| if word == "\"\"" { "" } else { word }));
    space.run(command).succeeded()
}

/// The SPIs of the kernel as `ip` prints them, of every protocol.
fn spis(space: &Space) -> Vec<String> {
    let text = space.ip("xfrm state list");
    let after = |line: &str| Some(line.split_once(" spi ")?.1.split_whitespace().next()?.to_owned());
    let mut found: Vec<String> = text.lines().filter_map(after).collect();
    found.sort();
    found
}

/// The service of `guard` as the instance in this directory of `guards`.
fn run_in(space: &Space, guard: &Guard<'_>, directory: &str, words: &str) -> Ran {
    let mut command = guard.command(words);
    command.env("RUNTIME_DIRECTORY", directory);
    space.run(command)
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn flush_all_removes_and_reports_foreign_sas() {
    for refresh in REFRESH_MODES {
        let space = Space::new();
        let service = Guard::new(&space, &key(0x1000), "");
        service.set_all(&format!("refresh = \"{refresh}\""));
        for method in ["start", "refresh", "stop"] {
            ip(&space, IKE_SA);
            let ran = service.run(method);
            let expected = "manual-key: warning: removed 1 SA that this service has not added (reqid 1); to keep the SAs \
                            of other programs: set flush = \"owned\" in manual-key.toml\n";
            assert_eq!((ran.status, ran.err.matches(expected).count()), (0, 1), "{refresh} {method}: {}", ran.err);
            assert!(!space.ip("xfrm state list").contains("0xc0ffee01"), "{refresh} {method}");
        }
        let quiet = service.run("start");
        assert!(!quiet.err.contains("has not added"), "{}", quiet.err);
        let quiet = service.run("refresh");
        assert!(!quiet.err.contains("has not added"), "{}", quiet.err);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn flush_all_reports_larval_sas_and_the_daemon_reports_too() {
    let space = Space::new();
    let service = Guard::new(&space, &key(0x1000), "");
    service.set_all("");
    ip(&space, LARVAL);
    ip(&space, IKE_SA);
    let daemon = service.start_daemon();
    ip(&space, IKE_SA);
    service.query("refresh");
    ip(&space, IKE_SA);
    let printed = stop_daemon(daemon);
    assert!(printed.contains("removed 2 SAs that this service has not added (reqid 1, 16384; 1 larval)"), "{printed}");
    assert_eq!(printed.matches("removed 1 SA that").count(), 2, "refresh and stop: {printed}");
    assert_eq!(spis(&space), [""; 0]);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn flush_all_keeps_the_sas_of_other_instances() {
    for refresh in REFRESH_MODES {
        let space = Space::new();
        let (service, lab) = (Guard::new(&space, &key(0x1000), ""), Guard::new(&space, &key(0x2000), ""));
        service.set_all(&format!("refresh = \"{refresh}\""));
        lab.set_all("flush = \"owned\"");
        let (own, of_lab) = (service.path("manual-key"), service.path("manual-key/lab"));
        run_in(&space, &service, &own, "start").succeeded();
        run_in(&space, &lab, &of_lab, "start").succeeded();
        for method in ["start", "refresh", "stop", "start"] {
            let ran = run_in(&space, &service, &own, method);
            assert!(!ran.err.contains("has not added"), "{refresh} {method}: {}", ran.err);
            ran.succeeded();
            let kept = if method == "stop" { vec!["0x00002000"] } else { vec!["0x00001000", "0x00002000"] };
            assert_eq!(spis(&space), kept, "{refresh} {method}");
        }
        // The other way round, an instance with flush = "all".
        lab.set_all("");
        run_in(&space, &lab, &of_lab, "refresh").succeeded();
        assert_eq!(spis(&space), ["0x00001000", "0x00002000"], "{refresh}");
        // Another program adds it again later: it is not the instance's any more.
        space.ipseckey("delete esp spi 0x2000 dst 10.0.0.2").succeeded();
        std::thread::sleep(std::time::Duration::from_millis(2100));
        space.load(&key(0x2000));
        let ran = run_in(&space, &service, &own, "refresh");
        assert!(ran.err.contains("removed 1 SA that"), "{refresh}: {}", ran.err);
        assert_eq!(spis(&space), ["0x00001000"], "{refresh}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn flush_keeps_the_sas_of_other_namespaces_records() {
    let (here, elsewhere) = (Space::new(), Space::new());
    let service = Guard::new(&here, &key(0x1000), "");
    service.set_all("");
    let lab = Guard::new(&elsewhere, &key(0x2000), "");
    lab.set_all("");
    let (own, of_lab) = (service.path("manual-key"), service.path("manual-key/lab"));
    run_in(&elsewhere, &lab, &of_lab, "start").succeeded();
    // Recorded as added from then on, at any time.
    let record = std::fs::read_to_string(format!("{of_lab}/owned.json")).expect("a record");
    let (start, end) = (record.find("{\"at\":").expect("a time"), record.find("}]]").expect("its end"));
    let since = format!("{}{{\"since\":0{}", &record[..start], &record[end..]);
    std::fs::write(format!("{of_lab}/owned.json"), since).expect("writes");
    here.load(&key(0x2000));
    let ran = run_in(&here, &service, &own, "start");
    assert!(ran.err.contains("removed 1 SA that"), "{}", ran.err);
    assert_eq!(spis(&here), ["0x00001000"]);
    assert_eq!(spis(&elsewhere), ["0x00002000"]);
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn flush_keeps_ipcomp() {
    for refresh in REFRESH_MODES {
        let space = Space::new();
        ip(&space, IPCOMP);
        let comp = "0x00000077";
        let service = Guard::new(&space, &key(0x1000), "");
        service.set_all(&format!("refresh = \"{refresh}\""));
        for method in ["start", "refresh", "stop"] {
            service.run(method).succeeded();
            assert!(spis(&space).contains(&comp.to_owned()), "{refresh} {method}: {:?}", spis(&space));
        }
        assert_eq!(spis(&space), [comp], "{refresh}");
    }
    for sadb in ["xfrm", "pfkey"] {
        let space = Space::with_sadb(sadb);
        ip(&space, IPCOMP);
        space.load(&key(0x1000));
        let dump = space.ipseckey("dump").succeeded();
        assert!(dump.contains("0x1000") && !dump.contains("0x77"), "{sadb}: {dump}");
        for flush in ["flush", "flush all", "flush esp"] {
            space.ipseckey(flush).succeeded();
            assert_eq!(spis(&space), ["0x00000077"], "{sadb} {flush}");
        }
    }
}

/// A packet that a policy needs an SA for makes the kernel ask key managers, and wait with a larval SA.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn flush_keeps_larval_sas_without_an_spi() {
    let hosts = Hosts::new();
    let space = &hosts.here;
    space.ip("xfrm policy add src 10.0.0.1 dst 10.0.0.2 dir out tmpl src 10.0.0.1 dst 10.0.0.2 proto esp mode tunnel");
    let mut monitor = Command::new("ip");
    monitor.args(["xfrm", "monitor", "acquire"]);
    let mut monitor = space.spawn(monitor);
    let is_larval = || space.ip("xfrm state list").contains("spi 0x00000000");
    for _ in 0..20 {
        let mut ping = Command::new("ping");
        ping.args(["-c", "1", "-W", "1", "10.0.0.2"]);
        space.run(ping);
        if is_larval() {
            break;
        }
    }
    assert!(is_larval(), "the kernel waits for a key manager");
    space.load(&key(0x1000));
    space.ipseckey("flush").succeeded();
    assert_eq!(spis(space), ["0x00000000"]);
    let service = Guard::new(space, &key(0x1000), "");
    service.set_all("");
    service.run("start").succeeded();
    service.run("stop").succeeded();
    assert_eq!(spis(space), ["0x00000000"]);
    monitor.kill().expect("it runs");
    monitor.wait().expect("it ends");
}
