//! The service under SMF, as far as possible without illumos: the real manifests, a stand-in for svc.startd and svcprop, and a
//! model SADB.

#[path = "../service/bench.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod bench;
mod manifest;
mod mutation;
mod package;
mod standin;

use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::thread;

use bench::{Bench, secret_windows};
use manifest::{MANIFEST, PROFILE};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, accept, bind, listen, recv, send, socket,
};
use standin::{FMRI, Startd, State};

const ONE: &str = "add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.2 encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n";
const TWO: &str = "add ah spi 0x1002 src 192.0.2.1 dst 192.0.2.2 authalg md5 authkey bde359723576fdea08e56cbe876e24ad\n";

/// The name of a method and its exit status.
fn exit(method: &str, code: i32) -> (String, Option<i32>) {
    (method.to_owned(), Some(code))
}

/// The instance of the manifest, with the model of `bench` and the keys file `file`.
fn instance(bench: &Bench, file: &Path) -> Startd {
    let mut startd = Startd::import(MANIFEST);
    startd.setenv("IPSECKEY_SADB", &bench.spec());
    startd.setprop("config", "config_file", file.to_str().unwrap());
    startd.refresh();
    startd
}

#[test]
fn enable_flushes_and_loads() {
    let bench = Bench::with_model();
    bench.method("start", &bench.file("old", TWO)).expect(0);
    let file = bench.file("keys", ONE);
    let mut startd = instance(&bench, &file);
    assert_eq!(startd.enable(), State::Online);
    assert_eq!(startd.exits, [exit("start", 0)]);
    assert_eq!(bench.spis(), [0x1001]);
    let log = startd.log();
    let (flushing, online) = (log.find("flushing existing SAs"), log.find(&format!("online: 1 SA from {}", file.display())));
    assert!(flushing.is_some() && flushing < online, "{log}");
}

#[test]
fn syntax_error_means_maintenance_until_svcadm_clear() {
    let bench = Bench::with_model();
    let wrong = "add esp spi 0x1001 dst 192.0.2.2 encralg aes encrkey \n0f1e2d3c4b5a69788796a5b4c3d2e1f0\n";
    let file = bench.file("keys", wrong);
    let mut startd = instance(&bench, &file);
    assert_eq!(startd.enable(), State::Maintenance);
    assert_eq!(startd.exits, [exit("start", 96)]);
    assert!(bench.spis().is_empty());
    let log = startd.log();
    assert!(log.contains(&format!(" -c {}", file.display())) && log.contains(&format!("svcadm clear {FMRI}")), "{log}");
    assert!(secret_windows(wrong).iter().all(|window| !log.contains(window)), "{log}");
    assert_eq!(startd.clear(), State::Maintenance);
    bench.file("keys", ONE);
    assert_eq!(startd.clear(), State::Online);
    assert_eq!(bench.spis(), [0x1001]);
}

#[test]
fn syntax_error_on_refresh_means_maintenance_with_an_empty_sadb() {
    let bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    let mut startd = instance(&bench, &file);
    startd.enable();
    bench.file("keys", &format!("{ONE}bogus\n"));
    assert_eq!(startd.refresh(), State::Maintenance);
    assert_eq!(startd.exits, [exit("start", 0), exit("refresh", 96)]);
    assert!(bench.spis().is_empty());
}

#[test]
fn property_takes_effect_after_refresh() {
    let bench = Bench::with_model();
    let mut startd = instance(&bench, &bench.file("one", ONE));
    startd.enable();
    startd.setprop("config", "config_file", bench.file("the other", TWO).to_str().unwrap());
    assert_eq!(startd.restart(), State::Online);
    assert_eq!(bench.spis(), [0x1001]);
    assert_eq!(startd.refresh(), State::Online);
    assert_eq!(bench.spis(), [0x1002]);
}

#[test]
fn disable_flushes() {
    let bench = Bench::with_model();
    let mut startd = instance(&bench, &bench.file("keys", ONE));
    startd.enable();
    assert_eq!(startd.disable(), State::Disabled);
    assert_eq!(startd.exits, [exit("start", 0), exit("stop", 0)]);
    assert!(bench.spis().is_empty());
}

#[test]
fn file_that_is_not_private_means_maintenance() {
    let bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let mut startd = instance(&bench, &file);
    assert_eq!(startd.enable(), State::Maintenance);
    assert_eq!(startd.exits, [exit("start", 96)]);
    fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
    assert_eq!(startd.clear(), State::Online);
    if nix::unistd::geteuid().is_root() {
        chown(&file, Some(12345), None).unwrap();
        assert_eq!(startd.refresh(), State::Maintenance);
        assert!(startd.log().contains("belongs to user 12345"), "{}", startd.log());
    }
}

#[test]
fn missing_file_means_maintenance() {
    let bench = Bench::with_model();
    let mut startd = instance(&bench, &bench.path("missing"));
    assert_eq!(startd.enable(), State::Maintenance);
    assert_eq!(startd.exits, [exit("start", 96)]);
}

#[test]
fn missing_sadb_means_maintenance_at_once() {
    let bench = Bench::new();
    let mut startd = instance(&bench, &bench.file("keys", ONE));
    assert_eq!(startd.enable(), State::Maintenance);
    assert_eq!(startd.exits, [exit("start", 95)]);
}

#[test]
fn refused_sa_means_maintenance_with_the_others_loaded() {
    let bench = Bench::with_model();
    let mut startd = instance(&bench, &bench.file("keys", &format!("{ONE}{ONE}{TWO}")));
    assert_eq!(startd.enable(), State::Maintenance);
    assert_eq!(startd.exits, [exit("start", 95)]);
    assert_eq!(bench.spis(), [0x1001, 0x1002]);
}

/// Stand-in for a kernel that refuses all requests of this process: replies to each PF_KEY message with EPERM.
fn forbidding_kernel(path: &Path) {
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::empty(), None).unwrap();
    bind(listener.as_raw_fd(), &UnixAddr::new(path).unwrap()).unwrap();
    listen(&listener, Backlog::new(1).unwrap()).unwrap();
    thread::spawn(move || {
        let client = accept(listener.as_raw_fd()).unwrap();
        let mut message = [0; 16];
        while recv(client, &mut message, MsgFlags::empty()).is_ok_and(|len| len > 0) {
            message[2] = 1;
            send(client, &message, MsgFlags::empty()).unwrap();
        }
    });
}

#[test]
fn missing_privilege_exits_100() {
    let bench = Bench::new();
    forbidding_kernel(&bench.path("sadb"));
    let mut startd = instance(&bench, &bench.file("keys", ONE));
    assert_eq!(startd.enable(), State::Maintenance);
    assert_eq!(startd.exits, [exit("start", 100)]);
}

#[test]
fn method_without_instance_exits_99() {
    let bench = Bench::with_model();
    let mut startd = instance(&bench, &bench.file("keys", ONE));
    startd.setenv("SMF_FMRI", "");
    assert_eq!(startd.enable(), State::Maintenance);
    assert_eq!(startd.exits, [exit("start", 99)]);
}

/// Stand-in for the manifest of the base system: the same service with other methods.
fn stock_manifest() -> String {
    MANIFEST.replace("/opt/ipseckey/sbin/manual-key %m", "/usr/sbin/ipseckey -f %{config/config_file}")
}

#[test]
fn profile_replaces_the_methods_of_the_stock_instance() {
    let bench = Bench::with_model();
    let file = bench.file("keys", ONE);
    let mut startd = Startd::import(&stock_manifest());
    startd.setenv("IPSECKEY_SADB", &bench.spec());
    startd.setprop("config", "config_file", file.to_str().unwrap());
    assert!(startd.property("start", "exec").unwrap().starts_with("/usr/sbin/ipseckey"));
    startd.apply(PROFILE);
    assert_eq!(startd.enable(), State::Online);
    assert_eq!(bench.spis(), [0x1001]);
    assert_eq!(startd.disable(), State::Disabled);
    assert!(bench.spis().is_empty());
}
