//! The examples of the manual pages, run: each command line of ipseckey(8), manual-key(8) and sadb-model(8) in a shell, each manual-key.toml of
//! manual-key.toml(5), each keys file of ipseckeys(5) with `-c` and `-f`.

mod support;

use std::path::Path;
use std::process::{Command, Output};

use support::model::{Model, succeeded};

/// Each `.Dl` line of a page.
fn command_lines(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix(".Dl ")).collect()
}

/// Each literal display of a page, as the reader sees it.
fn displays(page: &str) -> Vec<String> {
    let starts = page.split(".Bd -literal -offset indent\n").skip(1);
    starts.map(|part| part.split(".Ed").next().unwrap().replace("\\e\n", "\\\n")).collect()
}

/// Runs a script where the programs are at hand and the SADB is the model.
fn shell(model: &Model, script: &str) -> Output {
    let programs = Path::new(env!("CARGO_BIN_EXE_ipseckey")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("set -e; umask 077; {script}")]).current_dir(model.path(""));
    command.env("PATH", path).env("IPSECKEY_SADB", model.spec()).env("RUNTIME_DIRECTORY", model.path(""));
    command.output().unwrap()
}

#[test]
fn command_lines_of_ipseckey_8() {
    let model = Model::start(&["192.0.2.1"]);
    let lines = command_lines(include_str!("../man/ipseckey.8"));
    assert!(lines.len() > 8, "{lines:?}");
    for line in lines {
        let output = shell(&model, line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn command_lines_of_manual_key_8() {
    let model = Model::start(&["192.0.2.1"]);
    succeeded(model.load(include_str!("../examples/transport.keys")));
    let lines = command_lines(include_str!("../man/manual-key.8"));
    assert!(lines.len() > 4, "{lines:?}");
    for line in lines {
        succeeded(shell(&model, &line.replace("file ipseckeys", "file keys")));
    }
}

#[test]
fn files_of_manual_key_toml_5() {
    let model = Model::start(&["192.0.2.1"]);
    succeeded(model.load(include_str!("../examples/transport.keys")));
    let displays = displays(include_str!("../man/manual-key.toml.5"));
    assert!(displays.len() > 1, "{displays:?}");
    model.ok(&["flush"]);
    for config in displays {
        std::fs::write(model.path("config"), &config).unwrap();
        // The model has no policies.
        let method = if config.contains("policy") { "check --sadb xfrm" } else { "refresh" };
        succeeded(shell(&model, &format!("manual-key {method} --config config --config-file keys")));
    }
}

#[test]
fn command_lines_of_sadb_model_8() {
    let model = Model::start(&["192.0.2.1"]);
    let loaded = include_str!("../examples/transport.keys");
    succeeded(model.load(loaded));
    let lines = command_lines(include_str!("../man/sadb-model.8"));
    let [start, load, dump] = &lines[..] else { panic!("{lines:?}") };
    let wait = "while ! [ -S second ]; do sleep 0.01; done";
    let script = format!("trap 'kill $!' EXIT; {start}\n{wait}\n{load}\n{dump}").replace("sadb --local", "second --local");
    let script = script.replace("unix:sadb", "unix:second").replace("ipseckeys", "keys");
    let shown = succeeded(shell(&model, &script));
    assert_eq!(shown.matches("SADB_ASSOC spi=0x").count(), 2, "{shown}");
}

#[test]
fn keys_files_of_ipseckeys_5() {
    let model = Model::start(&["192.0.2.1"]);
    let displays = displays(include_str!("../man/ipseckeys.5"));
    assert_eq!(displays.len(), 3);
    for keys in displays {
        succeeded(model.load(&keys));
        let checked = model.run(&["-n", "-c", model.path("keys").to_str().unwrap()]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        assert!(!model.saved().is_empty());
        model.ok(&["flush"]);
    }
}
