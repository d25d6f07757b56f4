//! What is not there, the capability or a module, is named with the way to get it.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::space::Space;

const AH6: &str = "add ah spi 0x100 src fd00::1 dst fd00::2 auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f\n";
/// Where the kernel learns what loads modules.
const LOADER: &str = "/proc/sys/kernel/modprobe";

/// A kernel that cannot load modules; while this lives.
struct NoModules {
    loader: String,
}

impl NoModules {
    fn new() -> Self {
        let loader = fs::read_to_string(LOADER).expect("modules").trim().to_owned();
        fs::write(LOADER, "/bin/false").expect("is ours");
        Self { loader }
    }

    /// Takes a module out of the kernel, once the namespaces of other tests are gone that use it.
    fn remove(&self, module: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let output = Command::new("rmmod").arg(module).output().expect("rmmod");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() || said.contains("not currently loaded") {
                return;
            }
            assert!(Instant::now() < deadline, "{said}");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for NoModules {
    fn drop(&mut self) {
        fs::write(LOADER, &self.loader).expect("is ours");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn a_missing_module_is_named() {
    let kernel = NoModules::new();
    for (module, sadb, wanted) in [
        ("ah6", "xfrm", "the kernel has no ah6: modprobe ah6"),
        ("ah6", "pfkey", "the kernel has no ah6: modprobe ah6"),
        ("xfrm_user", "xfrm", "modprobe xfrm_user"),
        ("af_key", "pfkey", "modprobe af_key"),
    ] {
        let space = Space::with_sadb(sadb);
        kernel.remove(module);
        let ran = space.try_load(AH6);
        assert!(ran.status == 1 && ran.err.contains(wanted), "{module}, {sadb}: {}", ran.err);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn the_missing_capability_is_named() {
    for sadb in ["xfrm", "pfkey", "auto"] {
        let space = Space::with_sadb(sadb);
        let asked = space.command("dump");
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-net_admin"]).arg(asked.get_program()).args(asked.get_args());
        let ran = space.run(command);
        assert!(ran.status == 1 && ran.err.contains("CAP_NET_ADMIN is needed"), "{sadb}: {}", ran.err);
    }
}
