//! `export` and `import`: a golden file for each format, and an import of an export gives the same SAs.

#[path = "convert/keywords.rs"]
mod keywords;
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use snapbox::Data;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/convert");

/// `ipseckey` with the keywords of Linux; opens no SADB.
fn ipseckey(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ipseckey")).env_clear().args(["-n", "--sadb", "xfrm"]).args(arguments).output().unwrap()
}

/// The same with a standard input.
fn ipseckey_with(arguments: &[&str], input: std::process::Stdio) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    command.env_clear().args(["-n", "--sadb", "xfrm"]).args(arguments).stdin(input).output().unwrap()
}

/// A directory with files of mode 0600.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn keys() -> String {
    fs::read_to_string(format!("{DIRECTORY}/sas.keys")).unwrap()
}

fn exported(format: &str, keys: &str) -> (String, Output) {
    let files = Files::new();
    let output = ipseckey(&["export", format, &files.put("keys", keys)]);
    (String::from_utf8(output.stdout.clone()).unwrap(), output)
}

fn imported(format: &str, text: &str) -> (String, Output) {
    let files = Files::new();
    let output = ipseckey(&["import", format, &files.put("conf", text)]);
    (String::from_utf8(output.stdout.clone()).unwrap(), output)
}

/// What `save` writes of the SAs of `keys`, and the messages.
fn saved(keys: &str) -> (String, String) {
    let files = Files::new();
    let input = fs::File::open(files.put("commands", &format!("{keys}\nsave all\n"))).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    let output = command.env_clear().args(["-n", "--sadb", "model:linux"]).stdin(input).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn export_formats_match_golden_files() {
    let formats = [("setkey", 1, 1), ("ip-xfrm", 0, 0), ("ipsec.conf", 2, 1), ("wireshark", 1, 1), ("tcpdump", 4, 0)];
    for (format, skipped, lost) in formats {
        let (text, output) = exported(format, &keys());
        snapbox::assert_data_eq!(text, Data::read_from(format!("{DIRECTORY}/sas.{format}").as_ref(), None).raw());
        let printed = String::from_utf8(output.stderr).unwrap();
        let told = |prefix: &str| printed.lines().filter(|line| line.contains(&format!("ipseckey: {prefix}: "))).count();
        assert_eq!((told("not exported"), told("lost")), (skipped, lost), "{format}: {printed}");
        assert_eq!(output.status.code(), Some(i32::from(skipped + lost > 0)), "{format}");
    }
}

#[test]
fn export_then_import_gives_the_same_sas() {
    for format in ["setkey", "ip-xfrm", "ipsec.conf"] {
        let (text, _) = exported(format, &keys());
        let (keys, output) = imported(format, &text);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(exported(format, &keys).0, text, "{format}");
    }
}

#[test]
fn import_of_setkey_ip_xfrm_and_ipsec_conf_agrees() {
    let key = "0123456789abcdef0123456789abcdef01234567";
    let (one, _) = imported("setkey", &format!("add 192.0.2.1 192.0.2.2 ah 0x1000 -m tunnel -u 7 -A hmac-sha1 0x{key};"));
    let script = format!(
        "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto ah spi 0x1000 mode tunnel reqid 7 auth-trunc 'hmac(sha1)' 0x{key} 96"
    );
    let (other, _) = imported("ip-xfrm", &script);
    assert_eq!(one, other);
    let (bsd, _) = imported(
        "ipsec.conf",
        &format!("ah tunnel from 192.0.2.1 to 192.0.2.2 spi 0x1000 auth hmac-sha1 authkey 0x{key}\n"),
    );
    assert_eq!(bsd.replace(" mode tunnel", " mode tunnel reqid 7"), one);
}

#[test]
fn import_reports_skipped_entries_by_line_without_keys() {
    let key = "0123456789abcdef0123456789abcdef";
    let text = format!("spdflush;\nadd 192.0.2.1 192.0.2.2 ah 0x1000 -A hmac-md6 0x{key};\nflush;");
    let (keys, output) = imported("setkey", &text);
    assert_eq!(keys, "# line 2 of the source is not imported: ah spi 0x1000 dst 192.0.2.2\nflush\n");
    let printed = String::from_utf8(output.stderr).unwrap();
    let unknown = ":2: not converted: ah spi 0x1000 dst 192.0.2.2: unknown algorithm";
    assert!(printed.contains(":1: note: spdflush removes policies") && printed.contains(unknown), "{printed}");
    assert!(!printed.contains(&key[..8]), "{printed}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn import_writes_nothing_if_a_command_is_invalid() {
    let (keys, output) = imported("setkey", "add 192.0.2.1 192.0.2.300 ah 0x1000 -A hmac-md5 0x0123;");
    assert_eq!((keys.as_str(), output.status.code()), ("", Some(1)));
    assert!(String::from_utf8(output.stderr).unwrap().contains("Unknown destination address \"192.0.2.300\""));
}

#[test]
fn export_without_a_file_reads_the_sadb() {
    let model = support::model::Model::start(&["192.0.2.1"]);
    let text = keys().replace(" reqid 7 mark 0x1/0xff flag esn,noecn replay 64", "");
    support::model::succeeded(model.load(&text));
    let output = model.run(&["export", "wireshark"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("AES-CBC [RFC3602]")).count(), 2, "{text}");
}

/// What the first line of a file in tests/convert/inputs says is right: the exit status, texts of the keys file, and texts of
/// messages.
struct Right {
    file: &'static str,
    status: i32,
    keys: &'static [&'static str],
    messages: &'static [&'static str],
}

const RIGHT: &[Right] = &[
    Right {
        file: "01-transport-with-selector.ip-xfrm",
        status: 0,
        keys: &["mode transport ", " isrc 192.0.2.1/32 idst 192.0.2.2/32 "],
        messages: &[],
    },
    Right { file: "02-live-if-id.ip-xfrm", status: 0, keys: &[" if_id 0x2a ", " tfcpad 100 "], messages: &[] },
    Right { file: "04-two-commands-on-a-line.ip-xfrm", status: 0, keys: &["spi 0x1001 ", "spi 0x1002 "], messages: &[] },
    // The assignment above is used.
    Right {
        file: "06-variable-as-key.ip-xfrm",
        status: 0,
        keys: &["authkey 0123456789abcdef0123456789abcdef01234567\n"],
        messages: &[],
    },
    Right { file: "08-esn.ip-xfrm", status: 0, keys: &[" esn ", " replay 128 "], messages: &[] },
    Right {
        file: "10-offload.ip-xfrm",
        status: 0,
        keys: &[" offload eth0 ", " outbound ", " offload-packet eth0 ", " inbound "],
        messages: &[],
    },
    Right { file: "12-ip-s.ip-xfrm", status: 0, keys: &[" hard_addtime 3600 ", " soft_bytes 1000000 "], messages: &[] },
    Right { file: "13-nokeys.ip-xfrm", status: 1, keys: &[], messages: &["is hidden: print the SAs without nokeys"] },
    Right {
        file: "15-selector-protocol-names.ip-xfrm",
        status: 0,
        keys: &[" isrc 10.1.0.0/16 idst 10.2.0.0/16 iproto 6 idport 179 "],
        messages: &[],
    },
    // Without `dev eth0` it would be another SA.
    Right { file: "17-lost-without-note.ip-xfrm", status: 1, keys: &[], messages: &["dev \"eth0\""] },
    Right {
        file: "19-how-people-write-ip.ip-xfrm",
        status: 0,
        keys: &[
            "spi 0x1001 ",
            "spi 0x1002 ",
            "spi 0x1003 ",
            "spi 0x1004 ",
            "spi 0x1005 ",
            "spi 0x1006 ",
            "spi 0x1007 ",
            "spi 0x1008 ",
            "spi 0x1009 ",
            "spi 0x100a ",
        ],
        messages: &[],
    },
    Right {
        file: "27-link-local.setkey",
        status: 1,
        keys: &[],
        messages: &["a zone (%...) cannot be part of an SA: write the address \"fe80::a00:27ff:fe9a:df25\" without it"],
    },
    // Linux needs a window with ESN.
    Right {
        file: "28-freebsd-words.setkey",
        status: 1,
        keys: &[" esn"],
        messages: &["not loadable: Linux refuses the SA with spi 0x3eb"],
    },
];

#[test]
fn import_of_public_inputs_gives_what_their_first_lines_say() {
    let files = fs::read_dir(format!("{DIRECTORY}/inputs")).unwrap().count();
    assert_eq!(files, RIGHT.len());
    for Right { file, status, keys, messages } in RIGHT {
        let text = fs::read_to_string(format!("{DIRECTORY}/inputs/{file}")).unwrap();
        // The format is detected.
        let files = Files::new();
        let output = ipseckey(&["import", &files.put(file, &text)]);
        let (found, printed) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(*status), "{file}: {printed}");
        assert!(keys.iter().all(|key| found.contains(key)), "{file}: {found}");
        assert!(messages.iter().all(|text| printed.contains(text)), "{file}: {printed}");
        assert_eq!(found.is_empty(), *status == 1 && keys.is_empty(), "{file}: {found}");
        assert!(!printed.contains("01234567"), "{file}: {printed}");
    }
}

#[test]
fn import_reads_standard_input_and_pipes() {
    let text = fs::read_to_string(format!("{DIRECTORY}/inputs/12-ip-s.ip-xfrm")).unwrap();
    let files = Files::new();
    let path = files.put("states", &text);
    let from_file = ipseckey(&["import", "ip-xfrm", &path]);
    let from_input = ipseckey_with(&["import", "-"], fs::File::open(&path).unwrap().into());
    assert_eq!((from_input.status.code(), from_input.stdout), (Some(0), from_file.stdout.clone()));
    let fifo = files.0.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let writer = std::thread::spawn({
        let (fifo, text) = (fifo.clone(), text.clone());
        move || fs::write(fifo, text).unwrap()
    });
    let from_pipe = ipseckey(&["import", fifo.to_str().unwrap()]);
    writer.join().unwrap();
    assert_eq!(from_pipe.stdout, from_file.stdout);
}

#[test]
fn import_that_fails_leaves_no_file() {
    let files = Files::new();
    let target = files.0.path().join("new");
    for (name, text, message) in [
        ("nokeys", fs::read_to_string(format!("{DIRECTORY}/inputs/13-nokeys.ip-xfrm")).unwrap(), "there is no SA to import"),
        ("unknown", "hello world\n".to_owned(), "unknown format: name it, one of setkey, ip-xfrm, ipsec.conf"),
    ] {
        let output = ipseckey(&["import", &files.put(name, &text), "-o", target.to_str().unwrap()]);
        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(printed.contains(message), "{printed}");
        assert!(!target.exists(), "{name}");
    }
}

#[test]
fn import_compares_policies_with_those_of_the_service() {
    let key = "0123456789abcdef0123456789abcdef01234567";
    let add = |src: &str, dst: &str, spi: &str| {
        format!("ip xfrm state add src {src} dst {dst} proto ah spi {spi} mode transport auth sha1 0x{key}\n")
    };
    let policy = |src: &str, dst: &str, dir: &str| {
        format!("ip xfrm policy add src {src}/32 dst {dst}/32 dir {dir} tmpl proto ah mode transport\n")
    };
    let text = add("192.0.2.1", "192.0.2.2", "5")
        + &add("192.0.2.2", "192.0.2.1", "6")
        + &policy("192.0.2.1", "192.0.2.2", "out")
        + &policy("192.0.2.2", "192.0.2.1", "in")
        + &policy("192.0.2.1", "192.0.2.9", "out")
        + "ip xfrm policy add src 10.0.0.0/8 dst 0.0.0.0/0 dir out action block\n";
    let (_, output) = imported("ip-xfrm", &text);
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(
        printed.contains(":3: note: 2 policies are those that the service installs with policy = \"from-sas\""),
        "{printed}"
    );
    assert!(printed.contains(":5: note: the policy src 192.0.2.1/32 dst 192.0.2.9/32 dir out is not one that"), "{printed}");
    assert!(printed.contains(":6: note:") && printed.contains("it blocks packets"), "{printed}");
}
