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
