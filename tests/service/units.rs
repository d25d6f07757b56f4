//! The units in systemd/: their common parts, and the options that the program depends on.

use std::fs;
use std::path::Path;

fn unit(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)).unwrap()
}

#[test]
fn template_unit_differs_only_where_necessary() {
    const DIFFERENT: &[&str] = &["Description=", "ExecStart=", "RuntimeDirectory=", "StateDirectory=", "# Other instances"];
    let common = |text: &str| -> Vec<String> {
        let is_common = |line: &&str| !DIFFERENT.iter().any(|start| line.starts_with(start));
        text.lines().filter(is_common).map(str::to_owned).collect()
    };
    assert_eq!(common(&unit("manual-key.service")), common(&unit("manual-key@.service")));
}

#[test]
fn units_have_type_notify_reload_and_no_restart_for_maintenance() {
    let service = unit("manual-key.service");
    assert!(service.lines().any(|line| line == "Type=notify"), "before 253 systemd takes notify-reload for simple");
    let ends = service.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus=")).unwrap();
    assert_eq!(ends, "1 2 69 77 78");
}

/// Linux: the file that packages install. Its comments name every other property with its default, or a recommended value.
#[test]
#[cfg(target_os = "linux")]
fn installed_properties_are_valid_with_each_commented_line() {
    use std::process::Command;

    let installed = unit("manual-key.toml");
    let active: Vec<&str> = installed.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(active, ["policy = \"from-sas\"", "flush = \"owned\""]);
    let commented = installed.lines().filter_map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')));
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    fs::write(&keys, include_str!("../../examples/transport.keys")).unwrap();
    let mut count = 0;
    for line in std::iter::once("").chain(commented) {
        let config = directory.path().join("manual-key.toml");
        fs::write(&config, format!("{installed}\n{line}\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
        command.arg("check").arg("--config").arg(&config).arg("--config-file").arg(&keys);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        count += 1;
    }
    // Thirteen properties, two of which are set, and none.
    assert_eq!(count, 12);
}

#[test]
fn packages_neither_stop_nor_restart_units_on_upgrade() {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let units: Vec<&str> = manifest.lines().filter(|line| line.contains("unit-name = ")).collect();
    assert_eq!(units.len(), 2);
    let option = |line: &str| line.contains("stop-on-upgrade = false") && line.contains("restart-after-upgrade = false");
    assert!(units.iter().all(|line| option(line)), "{units:?}");
}
