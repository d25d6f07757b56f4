//! A kernel that misreads requests for policies, as one with other layouts of the structures does: tests/kernel/misread.c
//! changes what the service sends.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guard::Guard;
use crate::hosts::Hosts;
use crate::space::{Ran, Space};
use crate::traffic::Protection;

/// Compiles misread.c in `directory`.
fn library(directory: &Path) -> PathBuf {
    let library = directory.join("misread.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/misread.c");
    let status = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
    assert!(status.expect("a C compiler").success());
    library
}

/// A start of the service whose requests the kernel misreads in this way; "" for none.
fn start(guard: &Guard<'_>, host: &Space, library: &Path, way: &str) -> Ran {
    let mut command = guard.command("start");
    command.env("LD_PRELOAD", library).env("MISREAD", way);
    host.run(command)
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn policy_that_the_kernel_misreads_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let library = library(directory.path());
    for way in ["template", "selector"] {
        let hosts = Hosts::new();
        let guard = Guard::new(&hosts.here, &Protection::ESP.keys(), "");
        hosts.here.ip("xfrm policy add src 10.9.0.1 dst 10.9.0.2 dir out priority 3");
        let before = hosts.here.ip("xfrm policy list");
        let ran = start(&guard, &hosts.here, &library, way);
        assert_ne!(ran.status, 0, "{way}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains("it was removed") && ran.err.contains("could not be installed"), "{way}: {}", ran.err);
        assert_eq!(hosts.here.ip("xfrm policy list"), before, "{way}");
        let ran = start(&guard, &hosts.here, &library, "");
        assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
        assert!(hosts.here.ip("xfrm policy list").contains("tmpl"));
    }
}
