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
    assert_eq!(keys, "flush\n");
    let printed = String::from_utf8(output.stderr).unwrap();
    assert!(printed.contains(":1: note: a policy") && printed.contains(":2: not converted: unknown algorithm"), "{printed}");
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
