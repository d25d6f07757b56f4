//! The keys files of examples/: `-c` accepts each for Linux and illumos without a warning, the model loads it, and `reconcile` and
//! `plan` accept it unless it contains flush or update.

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use support::model::{Model, succeeded};

fn examples() -> Vec<PathBuf> {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().map_or(path.ends_with("ipseckeys"), |ext| ext == "keys")).collect()
}

#[test]
fn check_and_load_accept_the_examples() {
    let examples = examples();
    assert!(examples.len() >= 7);
    for path in examples {
        let model = Model::start(&["192.0.2.1", "2001:db8::1"]);
        let text = fs::read_to_string(&path).unwrap();
        succeeded(model.load(&text));
        let expected = text.lines().filter(|line| line.starts_with("add ")).count();
        assert_eq!(model.saved().matches("\nadd ").count(), expected, "{}", path.display());
        for sadb in ["model:illumos", "model:linux", "xfrm"] {
            let keys = model.path("keys");
            fs::set_permissions(&keys, Permissions::from_mode(0o600)).unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_ipseckey"))
                .args(["-n", "--sadb", sadb, "-c", keys.to_str().unwrap()])
                .output()
                .unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success() && stderr.lines().count() == 1, "{} with {sadb}: {stderr}", path.display());
        }
    }
}

#[test]
fn reconcile_and_plan_accept_the_examples() {
    for path in examples().into_iter().filter(|path| !path.ends_with("man-page.keys")) {
        let model = Model::start(&["192.0.2.1", "2001:db8::1"]);
        let path = path.to_str().unwrap();
        model.ok(&["reconcile", path]);
        let planned = model.ok(&["plan", path]);
        assert!(planned.contains("0 added, 0 updated, 0 replaced, 0 removed, "), "{path}: {planned}");
    }
}

#[test]
fn examples_readme_lists_every_keys_file() {
    let list = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/README.md")).unwrap();
    for path in examples() {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(list.contains(&format!("[{name}]({name})")), "{name}");
    }
}
