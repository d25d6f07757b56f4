//! The examples of the manual pages, run: each command line of ipseckey(8) in a shell, each keys file of ipseckeys(5) with `-c` and `-f`.

mod support;

use std::process::Command;

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

#[test]
fn command_lines_of_ipseckey_8() {
    let model = Model::start(&["192.0.2.1"]);
    let lines = command_lines(include_str!("../man/ipseckey.8"));
    assert!(lines.len() > 8, "{lines:?}");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_ipseckey")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    for line in lines {
        let output = Command::new("sh")
            .args(["-c", &format!("umask 077; {line}")])
            .current_dir(model.path(""))
            .env("PATH", &path)
            .env("IPSECKEY_SADB", model.spec())
            .output()
            .unwrap();
        // What a format cannot say is told with status 1.
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
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
