//! The keys files of examples/: `-c` accepts each without a warning, the model loads it, and `reconcile` and `plan` accept it
//! unless it contains flush or update. All but those with keywords of Linux do so for illumos, too.

mod support;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::model::{Model, succeeded};

fn examples() -> Vec<PathBuf> {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().map_or(path.ends_with("ipseckeys"), |ext| ext == "keys")).collect()
}

/// The examples with keywords that only Linux has.
fn is_for_linux(path: &Path) -> bool {
    path.ends_with("ospfv3.keys")
}

fn ipseckey(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    command.args(arguments);
    command
}

/// The number of SAs in an SADB with Linux's rules after the commands of `text`.
fn loaded_for_linux(text: &str) -> usize {
    let mut command = ipseckey(&["-n", "--sadb", "model:linux"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{text}\ndump\n").as_bytes()).unwrap();
    succeeded(child.wait_with_output().unwrap()).matches("Base message").count()
}

/// The number of SAs in the model of illumos after a load of `text`.
fn loaded_for_illumos(model: &Model, text: &str) -> usize {
    succeeded(model.load(text));
    model.saved().matches("\nadd ").count()
}

#[test]
fn check_and_load_accept_the_examples() {
    let examples = examples();
    assert!(examples.len() >= 7);
    for path in examples {
        let text = fs::read_to_string(&path).unwrap();
        let expected = text.lines().filter(|line| line.starts_with("add ")).count();
        if is_for_linux(&path) {
            assert_eq!(loaded_for_linux(&text), expected, "{}", path.display());
        } else {
            let model = Model::start(&["192.0.2.1", "2001:db8::1"]);
            assert_eq!(loaded_for_illumos(&model, &text), expected, "{}", path.display());
        }
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        fs::write(&keys, &text).unwrap();
        fs::set_permissions(&keys, Permissions::from_mode(0o600)).unwrap();
        for sadb in ["model:linux", "xfrm", "model:illumos"].iter().take(if is_for_linux(&path) { 2 } else { 3 }) {
            let output = ipseckey(&["-n", "--sadb", sadb, "-c", keys.to_str().unwrap()]).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success() && stderr.lines().count() == 1, "{} with {sadb}: {stderr}", path.display());
        }
    }
}

#[test]
fn reconcile_and_plan_accept_the_examples() {
    for path in examples().into_iter().filter(|path| !path.ends_with("man-page.keys")) {
        if is_for_linux(&path) {
            let output = ipseckey(&["--sadb", "model:linux", "plan"]).arg(&path).output().unwrap();
            assert_eq!(output.status.code(), Some(3), "the exit status for differences");
            let planned = String::from_utf8(output.stdout).unwrap();
            assert!(planned.contains("4 added, 0 updated, 0 replaced, 0 removed, 0 kept"), "{planned}");
            continue;
        }
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

/// An SA without a destination receives nothing, whatever the spelling of its address.
#[test]
fn check_refuses_an_unspecified_destination() {
    let key = "encr_alg null auth_alg sha1 authkey 000102030405060708090a0b0c0d0e0f10111213";
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    for sadb in ["xfrm", "pfkey", "model:linux", "model:illumos"] {
        let status = |addresses: &str| {
            std::fs::write(&file, format!("add esp spi 0x1000 {addresses} {key}\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ipseckey"));
            command.args(["--sadb", sadb, "-n", "-c"]).arg(&file).output().unwrap().status.code()
        };
        for keyword in ["dst", "daddr", "dstaddr", "dst6", "daddr6", "dstaddr6"] {
            for address in ["::", "0::0", "0:0:0:0:0:0:0:0", "::0.0.0.0", "::ffff:0.0.0.0", "::ffff:0:0"] {
                for source in ["", "src6 2001:db8::1", "src ::"] {
                    assert_eq!(
                        status(&format!("{source} {keyword} {address}")),
                        Some(1),
                        "{sadb} {keyword} {address} {source}"
                    );
                }
            }
        }
        for addresses in ["dst 0.0.0.0", "daddr 0.0.0.0", "src 192.0.2.1 dst 0.0.0.0"] {
            assert_eq!(status(addresses), Some(1), "{sadb} {addresses}");
        }
        for addresses in ["dst 192.0.2.1", "src 0.0.0.0 dst 192.0.2.1", "src6 :: dst6 2001:db8::1"] {
            assert_eq!(status(addresses), Some(0), "{sadb} {addresses}");
        }
    }
}
