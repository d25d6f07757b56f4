//! Other programs and the guide: `ip -batch` accepts the output of `export`, `import` that of `ip xfrm`, and the commands of
//! docs/guide.md protect the traffic of two hosts with ESP.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::capture::Capture;
use crate::hosts::Hosts;
use crate::space::{Space, private_file};

const KEYS: &str = include_str!("../convert/sas.keys");
/// The file that packages install as /etc/inet/manual-key.toml.
const INSTALLED: &str = include_str!("../../systemd/manual-key.toml");
const GUIDE: &str = include_str!("../../docs/guide.md");

/// `ipseckey export ip-xfrm` of a keys file.
fn exported(space: &Space, keys: &str) -> String {
    let file = private_file(keys);
    let out = private_file("");
    fs::remove_file(&out).unwrap();
    space.ipseckey(&format!("export ip-xfrm {} -o {}", file.display(), out.display())).succeeded();
    let text = fs::read_to_string(&out).unwrap();
    fs::remove_file(file).unwrap();
    fs::remove_file(out).unwrap();
    text
}

/// Lines in an order that does not depend on the program that wrote them.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn export_ip_xfrm_round_trip_through_ip_batch() {
    let (ours, theirs) = (Space::new(), Space::new());
    let batch = exported(&ours, KEYS);
    let file = private_file(&batch);
    theirs.ip(&format!("-batch {}", file.display()));
    fs::remove_file(file).unwrap();
    ours.load(KEYS);
    let (mut expected, mut found) = (ours.states(), theirs.states());
    expected.sort();
    found.sort();
    assert_eq!(expected.concat(), found.concat());

    let printed = private_file(&theirs.ip("xfrm state"));
    let keys = private_file("");
    fs::remove_file(&keys).unwrap();
    let ran = ours.ipseckey(&format!("import ip-xfrm {} -o {}", printed.display(), keys.display()));
    // Without -s `ip xfrm state` prints no lifetimes.
    assert_eq!(ran.status, 0, "{}", ran.err);
    let again = exported(&ours, &fs::read_to_string(&keys).unwrap());
    let expected: String = batch.lines().map(|line| line.split(" limit").next().unwrap_or(line).to_owned() + "\n").collect();
    assert_eq!(sorted(&expected), sorted(&again));
    fs::remove_file(printed).unwrap();
    fs::remove_file(keys).unwrap();
}

/// The n-th shell block of the guide, with the addresses of these hosts and a separate keys file.
fn block(number: usize, directory: &Path) -> String {
    let block = GUIDE.split("```sh\n").nth(number).expect("the guide has it").split("```").next().unwrap_or_default();
    let block = block.replace("192.0.2.", "10.0.0.").replace("/etc/inet/secret", &directory.display().to_string());
    let program = Path::new(env!("CARGO_BIN_EXE_ipseckey")).parent().expect("a directory");
    format!("set -eu; umask 077; PATH={}:$PATH; {block}", program.display())
}

fn shell(host: &Space, script: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    host.run(command).succeeded();
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn guide_commands_protect_two_hosts() {
    let hosts = Hosts::new();
    let directory = std::env::temp_dir().join(format!("guide-{}", std::process::id()));
    shell(&hosts.here, &block(1, &directory));
    for (name, host) in [("here", &hosts.here), ("there", &hosts.there)] {
        let properties = directory.join(name).display().to_string();
        fs::write(&properties, INSTALLED).unwrap();
        let options = format!("--config-file {} --config {properties}", directory.join("ipseckeys").display());
        // The load, and the change to reconcile.
        for number in [2, 3] {
            let commands = block(number, &directory).replace("/etc/inet/manual-key.toml", &properties);
            let commands = ["start", "refresh"].iter().fold(commands, |commands, method| {
                commands.replace(&format!("manual-key {method}"), &format!("manual-key {method} {options}"))
            });
            let run = directory.join(format!("run-{name}"));
            shell(host, &format!("export RUNTIME_DIRECTORY={}; {commands}", run.display()));
        }
        assert!(fs::read_to_string(&properties).unwrap().contains("\nrefresh = \"reconcile\"\n"));
    }
    let capture = Capture::start(&hosts, "host 10.0.0.1");
    assert!(hosts.ping([10, 0, 0, 2].into()), "no reply through ESP");
    let packets = capture.stop();
    assert!(packets.lines("esp").len() >= 2, "no ESP on the cable");
    assert_eq!(packets.lines("icmp").len(), 0, "a ping in the clear");
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    doctor.args(["doctor", "--for", "0"]).arg(directory.join("ipseckeys"));
    let output = hosts.here.run(doctor).succeeded();
    assert!(output.contains("policies: 1 outbound, 1 inbound"), "{output}");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn example_namespace_script_runs() {
    let program = Path::new(env!("CARGO_BIN_EXE_ipseckey")).parent().expect("a directory");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/namespace");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("PATH={}:$PATH exec {script}", program.display())]);
    let output = Space::new().run(command).succeeded();
    assert!(output.contains(" 0% packet loss"), "{output}");
    assert_eq!(output.matches("SADB_ASSOC spi=0x").count(), 2, "{output}");
}
