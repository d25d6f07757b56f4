//! Messages about a missing capability or module name it and the remedy.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::space::Space;

const AH6: &str = "add ah spi 0x100 src fd00::1 dst fd00::2 auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f\n";
/// The sysctl with the program that loads modules.
const LOADER: &str = "/proc/sys/kernel/modprobe";

/// Replaces the program that loads modules, until dropped.
pub struct Loader {
    usual: String,
}

impl Loader {
    /// A program that loads no module.
    pub fn none() -> Self {
        Self::with("/bin/false")
    }

    /// A program that fails twice and then succeeds, as if other processes were loading the same modules.
    fn late() -> Self {
        let (program, tries) = (tests_directory().join("late-loader"), tests_directory().join("late-loader.tries"));
        let _ = fs::remove_file(&tries);
        let usual = fs::read_to_string(LOADER).expect("modules");
        let (tries, usual) = (tries.display(), usual.trim());
        let script = format!("#!/bin/sh\necho >>{tries}\n[ $(wc -l <{tries}) -ge 3 ] && exec {usual} \"$@\"\nexit 1\n");
        fs::write(&program, script).expect("is permitted");
        fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("is permitted");
        Self::with(program.to_str().expect("its name is text"))
    }

    fn with(program: &str) -> Self {
        let usual = fs::read_to_string(LOADER).expect("modules").trim().to_owned();
        fs::write(LOADER, program).expect("is permitted");
        Self { usual }
    }

    /// Unloads a module, after the namespaces of other tests that use it are gone.
    pub fn remove(&self, module: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let output = Command::new("rmmod").arg(module).output().expect("rmmod");
            let printed = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() || printed.contains("not currently loaded") {
                return;
            }
            assert!(Instant::now() < deadline, "{printed}");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

/// The directory for files of tests.
fn tests_directory() -> PathBuf {
    std::env::temp_dir()
}

impl Drop for Loader {
    fn drop(&mut self) {
        fs::write(LOADER, &self.usual).expect("is permitted");
    }
}

/// Loads every module that the SA needs, whichever tests ran before.
fn load_modules() {
    for sadb in ["xfrm", "pfkey"] {
        Space::with_sadb(sadb).load(AH6);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn missing_module_is_named_in_error() {
    load_modules();
    let kernel = Loader::none();
    for (module, sadb, expected) in [
        ("ah6", "xfrm", "the kernel has no ah6: run `modprobe ah6`"),
        ("ah6", "pfkey", "the kernel has no ah6: run `modprobe ah6`"),
        ("xfrm_user", "xfrm", "modprobe xfrm_user"),
        ("af_key", "pfkey", "modprobe af_key"),
    ] {
        let space = Space::with_sadb(sadb);
        kernel.remove(module);
        let ran = space.try_load(AH6);
        assert!(ran.status == 1 && ran.err.contains(expected), "{module}, {sadb}: {}", ran.err);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn missing_cap_net_admin_is_named_in_error() {
    for sadb in ["xfrm", "pfkey", "auto"] {
        let space = Space::with_sadb(sadb);
        let dump = space.command("dump");
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-net_admin"]).arg(dump.get_program()).args(dump.get_args());
        let ran = space.run(command);
        assert!(ran.status == 1 && ran.err.contains("CAP_NET_ADMIN is needed"), "{sadb}: {}", ran.err);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn add_retries_while_a_module_is_loading() {
    load_modules();
    for sadb in ["xfrm", "pfkey"] {
        let space = Space::with_sadb(sadb);
        let none = Loader::none();
        none.remove("ah6");
        drop(none);
        let late = Loader::late();
        space.load(AH6);
        drop(late);
        assert_eq!(space.states().len(), 1, "{sadb}");
    }
}
