//! The keys files of examples/: correct for Linux and for illumos, without a warning but for what they show, and loaded by the model.

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use support::model::{Model, succeeded};

fn examples() -> Vec<PathBuf> {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ext| ext == "keys")).collect()
}

#[test]
fn keys_files_are_correct_everywhere_and_load() {
    let examples = examples();
    assert!(examples.len() >= 5);
    for path in examples {
        let model = Model::start(&["192.0.2.1", "2001:db8::1"]);
        let text = fs::read_to_string(&path).unwrap();
        succeeded(model.load(&text));
        let wanted = text.lines().filter(|line| line.starts_with("add ")).count();
        assert_eq!(model.saved().matches("\nadd ").count(), wanted, "{}", path.display());
        for sadb in ["model", "xfrm"] {
            let keys = model.path("keys");
            fs::set_permissions(&keys, Permissions::from_mode(0o600)).unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_ipseckey"))
                .args(["-n", "--sadb", sadb, "-c", keys.to_str().unwrap()])
                .output()
                .unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success() && said.lines().count() == 1, "{} with {sadb}: {said}", path.display());
        }
    }
}

#[test]
fn the_list_names_every_example() {
    let list = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/README.md")).unwrap();
    for path in examples() {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(list.contains(&format!("[{name}]({name})")), "{name}");
    }
}
