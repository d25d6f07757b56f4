//! CAP_NET_ADMIN is sufficient for the programs; memory is locked; their files in /run contain no key.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::space::{Space, private_file};

const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn esp(spi: u32, words: &str) -> String {
    format!("add esp spi {spi:#x} src 10.0.0.1 dst 10.0.0.2 encr_alg aes encrkey {KEY} {words}\n")
}

/// `program` with `words`, as root with only one capability.
fn with_net_admin_alone(program: &str, words: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-all,+net_admin", "--inh-caps", "-all", program]).args(words.split_whitespace());
    command
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn cap_net_admin_is_sufficient() {
    const IPSECKEY: &str = env!("CARGO_BIN_EXE_ipseckey");
    const MANUAL_KEY: &str = env!("CARGO_BIN_EXE_manual-key");
    for sadb in ["xfrm", "pfkey"] {
        let space = Space::with_sadb(sadb);
        let two = private_file(&(esp(0x100, "hard_addtime 5000") + &esp(0x101, "")));
        let one = private_file(&esp(0x102, ""));
        let service =
            |words: &str| space.run(with_net_admin_alone(MANUAL_KEY, &format!("{words} --sadb {sadb}"))).succeeded();
        service(&format!("start --config-file {}", two.display()));
        assert_eq!(space.states().len(), 2, "{sadb}");
        service(&format!("refresh --config-file {}", one.display()));
        assert_eq!(space.states().len(), 1, "{sadb}");
        let by_hand =
            |words: &str| space.run(with_net_admin_alone(IPSECKEY, &format!("-n --sadb {sadb} {words}"))).succeeded();
        by_hand(&format!("-f {}", two.display()));
        assert_eq!(by_hand("dump").matches("Base message").count(), 3, "{sadb}");
        let update = private_file("update esp spi 0x100 dst 10.0.0.2 hard_addtime 6000\n");
        by_hand(&format!("-f {}", update.display()));
        by_hand("get esp spi 0x100 dst 10.0.0.2");
        by_hand("delete esp spi 0x100 dst 10.0.0.2");
        assert!(by_hand("save all").contains("0x101"), "{sadb}");
        by_hand("flush");
        service("stop");
        assert_eq!(space.states().len(), 0, "{sadb}");
    }
}

/// Every writable page is locked (proc(5), `VmFlags`), although the limit would not allow it: root raises the limit.
#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn root_locks_all_writable_memory() {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "ulimit -l 64; exec \"$0\" --sadb model", env!("CARGO_BIN_EXE_ipseckey")]);
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    // Any output shows that it has started.
    child.stdin.as_mut().expect("a pipe").write_all(b"help\n").expect("it reads");
    child.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("it prints");
    let maps = fs::read_to_string(format!("/proc/{}/smaps", child.id())).expect("root may look");
    drop(child.stdin.take());
    child.wait().expect("it ends");
    let (mut name, mut seen, mut unlocked) = ("", 0, Vec::new());
    for line in maps.lines() {
        match line.strip_prefix("VmFlags:") {
            Some(flags) if name.contains(" rw") => {
                seen += 1;
                unlocked.extend(Some(name).filter(|_| !flags.split_whitespace().any(|flag| flag == "lo")));
            }
            Some(_) => {}
            None if line.split(' ').next().is_some_and(|word| word.contains('-')) => name = line,
            None => {}
        }
    }
    assert!(seen > 3 && unlocked.is_empty(), "{seen} seen, not locked: {unlocked:#?}");
}

/// Names and contents of all files under a directory.
fn contents(directory: &Path) -> String {
    let entries = fs::read_dir(directory).expect("it exists").map(|entry| entry.expect("an entry").path());
    let text = |path: std::path::PathBuf| {
        let inside = if path.is_dir() {
            contents(&path)
        } else {
            String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned()
        };
        format!("{}\n{inside}\n", path.display())
    };
    entries.map(text).collect()
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn runtime_files_contain_no_key() {
    let space = Space::with_sadb("xfrm");
    let file = private_file(
        &(esp(0x100, "srcidtype fqdn a.example dstidtype fqdn b.example idle_addtime 100 inbound")
            + &esp(0x101, "").replace("src 10.0.0.1 dst 10.0.0.2", "src 10.0.0.2 dst 10.0.0.1 pair-spi 0x100 outbound")),
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_manual-key"));
    command.args(["start", "--sadb", "xfrm", "--flush", "owned", "--config-file"]).arg(&file);
    command.env("RUNTIME_DIRECTORY", "/run/manual-key");
    space.run(command).succeeded();
    let kept = contents(Path::new("/run/ipseckey")) + &contents(Path::new("/run/manual-key"));
    assert!(kept.contains("owned.json") && kept.contains("xfrm-"), "{kept}");
    let digits: Vec<String> = KEY.as_bytes().windows(8).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
    // As text, and as the numbers of a JSON array of bytes.
    let numbers: Vec<String> =
        (0..KEY.len()).step_by(2).map(|at| u8::from_str_radix(&KEY[at..at + 2], 16).expect("hex").to_string()).collect();
    let pieces = digits.into_iter().chain(numbers.windows(4).map(|piece| piece.join(",")));
    for piece in pieces {
        assert!(!kept.contains(&piece), "{piece} in {kept}");
    }
}
