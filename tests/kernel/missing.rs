//! What is not there, the capability or a module, is named with the way to get it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::space::Space;

const AH6: &str = "add ah spi 0x100 src fd00::1 dst fd00::2 auth_alg md5 authkey 000102030405060708090a0b0c0d0e0f\n";
/// Where the kernel learns what loads modules.
const LOADER: &str = "/proc/sys/kernel/modprobe";

/// A kernel that loads modules by another program; while this lives.
struct Loader {
    usual: String,
}

impl Loader {
    /// That loads none.
    fn none() -> Self {
        Self::with("/bin/false")
    }

    /// That fails twice and then does it: so it looks where others are loading the same modules.
    fn late() -> Self {
        let (program, tries) = (tests_directory().join("late-loader"), tests_directory().join("late-loader.tries"));
        let _ = fs::remove_file(&tries);
        let usual = fs::read_to_string(LOADER).expect("modules");
        let (tries, usual) = (tries.display(), usual.trim());
        let script = format!("#!/bin/sh\necho >>{tries}\n[ $(wc -l <{tries}) -ge 3 ] && exec {usual} \"$@\"\nexit 1\n");
        fs::write(&program, script).expect("is ours");
        fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("is ours");
        Self::with(program.to_str().expect("its name is text"))
    }

    fn with(program: &str) -> Self {
        let usual = fs::read_to_string(LOADER).expect("modules").trim().to_owned();
        fs::write(LOADER, program).expect("is ours");
        Self { usual }
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

/// Where tests keep their files.
fn tests_directory() -> PathBuf {
    std::env::temp_dir()
}

impl Drop for Loader {
    fn drop(&mut self) {
        fs::write(LOADER, &self.usual).expect("is ours");
    }
}

/// All that the SA takes is there, whichever tests ran before.
fn load_modules() {
    for sadb in ["xfrm", "pfkey"] {
        Space::with_sadb(sadb).load(AH6);
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn a_missing_module_is_named() {
    load_modules();
    let kernel = Loader::none();
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

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn a_module_that_is_still_being_loaded_is_waited_for() {
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
