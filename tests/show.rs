//! `ipseckey show` beside a model SADB: its names, its argument, its width, and its objects.

mod support;

use std::process::Output;

use serde_json::Value;
use support::model::{Model, succeeded};
use support::schema::misfit;
use support::terminal::Terminal;

const KEY: &str = "6b1d6a8f0c4e2b7d9a3f5c1e8d0b4a72";

/// A model with a link, and the outbound SA of another one.
fn model() -> Model {
    let model = Model::start(&["192.0.2.1"]);
    let algorithms = format!("encr_alg aes encrkey {KEY} auth_alg md5 authkey {KEY}");
    succeeded(model.load(&format!(
        "add esp spi 0x1f6199b8 src 192.0.2.1 dst 198.51.100.7 outbound {algorithms}\n\
         add esp spi 0xf1bd2491 src 198.51.100.7 dst 192.0.2.1 inbound {algorithms}\n\
         add ah spi 0x1002 src 192.0.2.1 dst 203.0.113.9 outbound hard_addtime 28800 auth_alg md5 authkey {KEY}\n"
    )));
    model
}

fn show(model: &Model, words: &[&str], columns: &str) -> Output {
    model.ipseckey(words).env("COLUMNS", columns).output().unwrap()
}

#[test]
fn show_has_a_line_for_each_link() {
    let model = model();
    let text = succeeded(show(&model, &["show"], "80"));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("PEER ") && lines.len() == 5, "{text}");
    assert!(lines[1].contains("198.51.100.7") && lines[1].contains("0x1f6199b8") && lines[1].contains("0xf1bd2491"));
    assert!(lines[2].starts_with("203.0.113.9") && lines[3].contains("only one direction has an SA"), "{text}");
    assert_eq!(lines[4], "2 links, 3 SAs, policies unknown; 1 with a problem: ipseckey doctor");
    assert!(lines.iter().all(|line| line.len() <= 80) && !text.contains(&KEY[..8]), "{text}");
    let narrow = succeeded(show(&model, &["show"], "40"));
    assert!(narrow.lines().all(|line| line.len() <= 40), "{narrow}");
    assert!(succeeded(show(&model, &["--color", "always", "show"], "80")).contains("\x1b[1mPEER"));
}

#[test]
fn show_has_other_names() {
    let model = model();
    for word in ["show", "list", "ls", "status"] {
        let text = succeeded(show(&model, &[word, "203.0.113.9"], "80"));
        assert!(text.contains("203.0.113.9") && text.contains("1 link, 1 SA, "), "{word}: {text}");
        assert!(!text.contains("198.51.100.7"), "{word}: {text}");
    }
}

#[test]
fn show_of_an_unknown_peer_fails() {
    let model = model();
    let output = show(&model, &["show", "192.0.2.99"], "80");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no SA for 192.0.2.99"));
    assert_eq!(show(&model, &["show", "north"], "80").status.code(), Some(2));
}

#[test]
fn show_json_fits_the_schema() {
    let schema: Value = serde_json::from_str(include_str!("../docs/schema.json")).unwrap();
    let text = succeeded(show(&model(), &["show", "--json"], "80"));
    let links: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for link in &links {
        assert_eq!(misfit(&schema, schema.pointer("/$defs/link").unwrap(), link), None);
    }
    let [pair, alone] = &links[..] else { panic!("{text}") };
    assert_eq!((&pair["out"]["spi"], &pair["in"]["spi"]), (&"0x1f6199b8".into(), &"0xf1bd2491".into()));
    assert_eq!(alone["problems"][0]["problem"], "no_inbound_sa");
    assert!(alone["out"]["hard_expiry"].as_u64() > alone["out"]["added"].as_u64());
}

#[test]
fn show_prints_metrics_without_keys() {
    let model = model();
    let text = succeeded(show(&model, &["show", "--openmetrics", "198.51.100.7"], "80"));
    let sa = "peer=\"198.51.100.7\",local=\"192.0.2.1\",proto=\"esp\",direction=\"out\",spi=\"0x1f6199b8\"";
    assert!(text.contains(&format!("\nipsec_sa_bytes_total{{{sa}}} 0\n")), "{text}");
    assert!(text.contains("\nipsec_links 1\n") && text.ends_with("\n# EOF\n") && !text.contains("203.0.113.9"), "{text}");
    assert!(!text.contains(&KEY[..8]));
    let text = succeeded(show(&model, &["show", "--prometheus"], "80"));
    let problem = "ipsec_link_problem{peer=\"203.0.113.9\",local=\"192.0.2.1\",proto=\"ah\",mode=\"transport\",\
                   problem=\"no_inbound_sa\"} 1\n";
    assert!(text.contains(problem) && text.contains("limit=\"hard\"") && !text.contains("# EOF"), "{text}");
}

#[test]
fn show_is_a_command_of_the_prompt() {
    let mut terminal = Terminal::start("xterm");
    for word in ["show", "list", "ls", "status"] {
        let shown = terminal.line(word);
        assert!(shown.contains("0 links, 0 SAs"), "{shown:?}");
    }
    assert!(terminal.line("show north").contains("expected an address or a network"));
    assert_eq!(terminal.end(), 0);
}
