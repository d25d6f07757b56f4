//! `ipseckey show` beside a model SADB: its names, its argument, its width, and its objects.

mod support;

use std::fs::File;
use std::io::Read;
use std::process::{Child, Output};

use nix::pty::Winsize;
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

/// Starts `ipseckey` with these words on a terminal of that width.
fn on_terminal(model: &Model, words: &[&str], columns: u16) -> (Child, File) {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = nix::pty::openpty(&size, None).unwrap();
    let child = model.ipseckey(words).env("TERM", "xterm").stdout(pty.slave).spawn().unwrap();
    (child, File::from(pty.master))
}

#[test]
fn show_fits_terminals_of_40_80_and_120_columns() {
    let model = model();
    for columns in [40, 80, 120] {
        let (mut child, mut screen) = on_terminal(&model, &["--color", "never", "show"], columns);
        let mut text = String::new();
        // EIO: the program has ended.
        let _ = screen.read_to_string(&mut text);
        assert!(child.wait().unwrap().success());
        assert!(text.contains("198.51.100.7") && text.contains("2 links, 3 SAs"), "{text}");
        assert!(text.lines().all(|line| line.trim_end().len() <= usize::from(columns)), "{columns}: {text}");
        assert_eq!(text.contains("esp transport"), columns != 80, "{text}");
    }
}

#[test]
fn show_watch_draws_again_with_rates() {
    let model = model();
    let (mut child, mut screen) = on_terminal(&model, &["show", "--watch=1"], 80);
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while text.matches("\x1b[H").count() < 3 {
        let len = screen.read(&mut buffer).unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..len]));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let pictures: Vec<&str> = text.split("\x1b[H").skip(1).collect();
    assert!(pictures[0].contains("every 1 s") && pictures[0].contains(" DATA ") && !pictures[0].contains("B/S"), "{text:?}");
    assert!(pictures[1].contains(" B/S ") && pictures[1].contains("198.51.100.7"), "{text:?}");
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
