//! `--json`: every line fits docs/schema.json, and no key is in it unless it was asked for.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;
use support::model::{Model, succeeded};
use support::schema::misfit;

const SCHEMA: &str = include_str!("../docs/schema.json");
const KEY: &str = "6b1d6a8f0c4e2b7d9a3f5c1e8d0b4a72";

/// The objects of an output, each held against the part of the schema with that name.
fn objects(definition: &str, text: &str) -> Vec<Value> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!objects.is_empty(), "nothing printed");
    for object in &objects {
        let part = schema.pointer(&format!("/$defs/{definition}")).unwrap();
        assert_eq!(misfit(&schema, part, object), None);
        assert_eq!(misfit(&schema, &schema, object), None);
    }
    objects
}

/// A model with an SA that has most of what can be said.
fn model() -> Model {
    let model = Model::start(&["192.0.2.1"]);
    succeeded(model.load(&format!(
        "add esp spi 0x1000 src 192.0.2.1 dst 198.51.100.7 outbound encr_alg aes encrkey {KEY} auth_alg md5 authkey {KEY} \
         hard_addtime 28800 soft_addtime 27000 idle_addtime 600 proto 4 isrc 10.1.0.0/16 idst 10.2.0.0/16 idport 80 iproto 6 \
         srcidtype fqdn me.example.com dstidtype mailbox you@example.com replay_value 5\n\
         add esp spi 0x1001 src 198.51.100.7 dst 192.0.2.1 inbound pair-spi 0x1000 encr_alg aes encrkey {KEY} auth_alg md5 \
         authkey {KEY}\nadd ah spi 0x1002 src6 2001:db8::1 dst6 2001:db8::7 auth_alg md5 authkey {KEY}\n"
    )));
    model
}

#[test]
fn sas_in_the_words_of_the_man_page() {
    let model = model();
    for words in [&["dump", "--json"][..], &["--json", "save", "all"], &["--json", "-s", "-"]] {
        let text = model.ok(words);
        assert!(!text.contains(KEY), "{words:?} shows a key");
        assert_eq!(objects("message", &text).len(), 3, "{words:?}");
    }
    let text = model.ok(&["get", "esp", "spi", "0x1000", "dst", "198.51.100.7", "--json"]);
    let [sa] = &objects("message", &text)[..] else { panic!("one SA: {text}") };
    for (name, value) in [("spi", "0x1000"), ("isrc", "10.1.0.0/16"), ("srcid", "me.example.com"), ("pair_spi", "0x1001")] {
        assert_eq!(sa[name], value, "{name}");
    }
    for (name, value) in [("hard_addtime", 28800), ("idport", 80), ("iproto", 6), ("encrkey_bits", 128)] {
        assert_eq!(sa[name], value, "{name}");
    }
}

#[test]
fn keys_are_shown_to_who_asks_and_never_under_p() {
    let model = model();
    let shown = objects("message", &model.ok(&["--show-keys", "dump", "ah", "--json"]));
    assert_eq!(shown[0]["authkey"], KEY);
    assert!(!model.ok(&["-p", "--show-keys", "dump", "ah", "--json"]).contains(KEY));
}

#[test]
fn a_monitor_hears_in_json() {
    let model = model();
    let mut child = model.ipseckey(&["--json", "pmonitor"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let done = AtomicBool::new(false);
    let heard = std::thread::scope(|scope| {
        // It may not listen yet when the first flush comes.
        scope.spawn(|| {
            while !done.load(Relaxed) {
                model.ok(&["flush", "ah"]);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let line = lines.next().unwrap().unwrap();
        done.store(true, Relaxed);
        line
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let heard = &objects("message", &heard)[0];
    assert_eq!((&heard["message"], &heard["sa_type"]), (&"flush".into(), &"ah".into()));
    assert!(heard["timestamp"].as_u64().unwrap() > 1_700_000_000);
}

#[test]
fn problems_of_a_file() {
    let model = model();
    let path = model.path("five");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/five-mistakes.keys"), &path).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let path = path.to_str().unwrap();
    let output = model.run(&["--json", "-c", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (problems, tally) = text.trim_end().rsplit_once('\n').unwrap();
    let problems = objects("diagnostic", problems);
    assert_eq!(problems.len(), 6);
    assert_eq!(problems[0]["code"], "IK012");
    assert_eq!(problems[0]["help"], "did you mean \"sha256\"?");
    assert_eq!(objects("tally", tally)[0]["good"], 2);

    let refused = model.load(&format!("add ah spi 0x1002 src6 2001:db8::1 dst6 2001:db8::7 auth_alg md5 authkey {KEY}\n"));
    assert_eq!(refused.status.code(), Some(1));
    let output = model.run(&["--json", "-f", model.path("keys").to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(objects("diagnostic", text.lines().next().unwrap())[0]["code"], "IK030");
}

#[test]
fn algorithms() {
    let model = Model::start(&[]);
    assert!(objects("algorithm", &model.ok(&["--json", "algs"])).len() > 15);
}

#[test]
fn explanations() {
    let model = Model::start(&[]);
    assert!(objects("explanation", &model.ok(&["--json", "explain"])).len() > 35);
    assert_eq!(objects("explanation", &model.ok(&["--json", "explain", "ik003"]))[0]["code"], "IK003");
}

#[test]
fn findings() {
    let model = model();
    let output = model.run(&["--json", "doctor", model.path("keys").to_str().unwrap()]);
    let found = objects("finding", &String::from_utf8(output.stdout).unwrap());
    assert!(found.iter().all(|finding| finding["level"] == "ok" || finding["fix"].is_string()), "{found:?}");
}

#[test]
fn a_plan() {
    let model = model();
    let keys = model.path("keys");
    let text = fs::read_to_string(&keys).unwrap().replace(KEY, &KEY.replace('1', "2"));
    fs::write(&keys, text).unwrap();
    let output = model.run(&["--json", "plan", keys.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).unwrap();
    let (steps, summary) = text.trim_end().rsplit_once('\n').unwrap();
    let changed = objects("step", steps).into_iter().find(|step| step["step"] == "replace").unwrap();
    assert!(changed["changes"][0]["from"].as_str().unwrap().starts_with('#'), "{changed}");
    assert!(objects("summary", summary)[0]["summary"]["replace"].as_u64().unwrap() > 0);
    let done = model.ok(&["--json", "reconcile", keys.to_str().unwrap()]);
    assert_eq!(objects("summary", &done), objects("summary", summary));
}
