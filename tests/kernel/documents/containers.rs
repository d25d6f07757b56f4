//! Containers as docs/namespaces.md and examples/kubernetes.yaml have them: a read-only root, one capability, a keys file that is
//! mounted.

use super::KEYS;
use super::machine::Machine;
use super::{assert_protected, reaches, site::Site};
use crate::space::Ran;

const POD: &str = include_str!("../../../examples/kubernetes.yaml");
/// What Kubernetes makes of a secret with `subPath` and `defaultMode`: a bind mount of one file.
const SECRET: &str = "
    cd /etc/inet/secret
    mkdir /run/secret
    mount -t tmpfs secret /run/secret
    install -m 400 ipseckeys /run/secret/ipseckeys
    mount --bind /run/secret/ipseckeys ipseckeys
    mount -o remount,ro,bind ipseckeys
    umount -l /run/secret
    mount -o remount,ro /";

/// Runs the service with the capability of the container, as root.
fn contained(machine: &Machine, arguments: &str) -> Ran {
    machine.run(&format!(
        "setpriv --bounding-set=-all,+net_admin --inh-caps=-all,+net_admin --no-new-privs manual-key {arguments}"
    ))
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_container() {
    for line in
        ["readOnlyRootFilesystem: true", "add: [\"NET_ADMIN\"]", "mountPath: /run\n", "subPath: ", "defaultMode: 0400"]
    {
        assert!(POD.contains(line), "{line}");
    }
    let site = Site::new();
    site.here.generate("src 192.0.2.1 dst 192.0.2.2");
    site.copy(KEYS);
    site.there.run("manual-key start").succeeded();
    site.here.run(SECRET).succeeded();
    let capture = site.capture("ip");
    let started = contained(&site.here, "start");
    assert_eq!((started.status, started.err.as_str()), (0, ""), "{}", started.out);
    assert!(reaches(&site.here.space, "192.0.2.2"), "through ESP");
    assert_protected(capture, "esp");
}

/// A read-only /run is named in each message.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_container_without_a_writable_run() {
    let site = Site::new();
    site.here.generate("src 192.0.2.1 dst 192.0.2.2");
    site.here.run("mount -o remount,ro /run; mount -o remount,ro /").succeeded();
    let ran = contained(&site.here, "run");
    assert_eq!(ran.status, 1);
    let expected = "manual-key: the control socket in /run/manual-key: Read-only file system: the directory must exist and be writable, \
                    or RUNTIME_DIRECTORY name another one\n";
    assert_eq!(ran.err, expected);
    let started = contained(&site.here, "start");
    assert!(started.err.lines().all(|line| line.contains("/run/")) && !started.err.contains("os error"), "{}", started.err);
}
