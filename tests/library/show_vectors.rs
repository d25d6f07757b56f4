//! Output and saved text for crafted kernel messages, of the original program and of this one.
//!
//! tests/vectors/printing-differences.txt lists the cases that differ deliberately, each with a reason of docs/behaviour.md. A
//! listed case that does not differ fails.

use std::collections::{BTreeMap, BTreeSet};

use crate::sa::{Message, MessageType};
use crate::show::message::{print_dump_end, print_entry, print_heard, print_monitor_start, print_sent};
use crate::show::save::Saver;
use crate::show::{HostTable, Style, utc};
use crate::wire::pfkey::{DecodeError, Dialect, decode};
use serde_json::Value;

const CASES: &str = include_str!("../vectors/printing.jsonl");
const HOSTS: &str = include_str!("../vectors/hosts");
const DIFFERENCES: &str = include_str!("../vectors/printing-differences.txt");
const BEHAVIOUR: &str = include_str!("../../docs/behaviour.md");

/// The process id in replies.
const PID: u32 = 4242;

struct Case(Value);

impl Case {
    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or("")
    }

    fn words(&self) -> Vec<&str> {
        self.0["argv"].as_array().expect("argv").iter().map(|word| word.as_str().expect("word")).collect()
    }

    fn has(&self, option: &str) -> bool {
        self.words().contains(&option)
    }

    fn is_undefined(&self) -> bool {
        self.0["ub"].as_bool().unwrap_or(false)
    }

    /// The requests, with the process id.
    fn requests(&self) -> Vec<Message> {
        let requests = self.0["requests"].as_array().expect("requests");
        requests.iter().map(|hex| decode(&Dialect::ILLUMOS, &with_pid(hex, true)).expect("a request")).collect()
    }

    fn replies(&self) -> Vec<Result<Message, DecodeError>> {
        let patches = self.0["patch_pid"].as_array().expect("patch_pid");
        let replies = self.0["replies"].as_array().expect("replies");
        let patch = |number: usize| patches.get(number).and_then(Value::as_bool).unwrap_or(false);
        let bytes = replies.iter().enumerate().map(|(number, hex)| with_pid(hex, patch(number)));
        bytes.map(|bytes| decode(&Dialect::ILLUMOS, &bytes)).collect()
    }

    fn names(&self) -> HostTable {
        HostTable { hosts: HOSTS.to_owned(), cookies: self.text("kmc_map").to_owned() }
    }

    fn style<'a>(&self, names: &'a HostTable) -> Style<'a> {
        Style {
            numeric: self.has("-n"),
            paranoid: self.has("-p"),
            verbose: self.has("-v"),
            timestamp: false,
            now: self.0["now"].as_u64().expect("now"),
            date: utc,
            errno: |number| (number == 22).then_some("Invalid argument"),
            names,
        }
    }

    fn is_save(&self) -> bool {
        self.has("-s") || self.has("save") || self.text("stdin").starts_with("save")
    }

    /// The output of this program.
    fn printed(&self) -> String {
        let (mut out, names) = (Vec::new(), self.names());
        let style = self.style(&names);
        let mut failed = false;
        if style.verbose {
            self.requests().iter().try_for_each(|request| print_sent(&mut out, request, &style)).expect("prints");
        }
        if self.text("category") == "monitor" {
            self.monitor(&mut out, &style);
        } else {
            for message in self.replies() {
                let Ok(message) = message else {
                    failed = true;
                    break;
                };
                if !self.print_reply(&mut out, &message, &style) {
                    break;
                }
            }
        }
        assert!(!failed || !self.is_undefined());
        masked(&latin1(&out))
    }

    fn monitor(&self, out: &mut Vec<u8>, style: &Style<'_>) {
        let passive = self.has("pmonitor") || self.has("passive_monitor");
        print_monitor_start(out, passive).expect("prints");
        for message in self.replies() {
            let with_time = Style { timestamp: true, ..*style };
            print_heard(out, &message.expect("well formed"), &with_time).expect("prints");
        }
    }

    /// Prints one reply to a dump or get; returns whether more may follow.
    fn print_reply(&self, out: &mut Vec<u8>, message: &Message, style: &Style<'_>) -> bool {
        let request = self.requests().pop().expect("a request");
        if message.kind != request.kind || message.pid != request.pid {
            return true;
        }
        if message.errno != 0 {
            return false;
        }
        if message.kind == MessageType::DUMP && message.seq == 0 {
            print_dump_end(out, request.sa_type).expect("prints");
            return false;
        }
        if message.kind == MessageType::DUMP {
            print_entry(out, message, style).expect("prints");
        } else {
            crate::show::message::print(out, message, style).expect("prints");
        }
        true
    }

    /// The saved text of this program.
    fn saved(&self) -> String {
        let (mut out, mut saver) = (Vec::new(), Saver::new(self.has("-p")));
        saver.begin(&mut out).expect("writes");
        for message in self.replies() {
            let Ok(message) = message else { break };
            if message.errno != 0 || message.seq == 0 {
                break;
            }
            saver.save(&mut out, &message).expect("writes");
        }
        saver.finish(&mut out).expect("writes");
        latin1(&out)
    }

    /// The text of the original, and that of this program.
    fn both(&self) -> (String, String) {
        if !self.is_save() {
            return (masked(self.text("stdout")), self.printed());
        }
        let file = self.0["savefile"]["content"].as_str();
        (file.unwrap_or_else(|| self.text("stdout")).to_owned(), self.saved())
    }
}

fn with_pid(hex: &Value, patch: bool) -> Vec<u8> {
    let hex = hex.as_str().expect("hex").as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).expect("digit");
    let mut bytes: Vec<u8> = hex.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    if patch {
        bytes[12..16].copy_from_slice(&PID.to_ne_bytes());
    }
    bytes
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The diagnostics of the programs have different texts, and the process ids differ.
fn masked(text: &str) -> String {
    let text = text.replace(&format!("pid={PID}."), "pid=<PID>.");
    let mask = |line: &str| match line.strip_prefix("  Diagnostic code ").and_then(|rest| rest.split_once(":  ")) {
        Some((code, _)) => format!("  Diagnostic code {code}:  ...\n"),
        None => line.to_owned(),
    };
    text.split_inclusive('\n').map(mask).collect()
}

fn cases() -> Vec<Case> {
    CASES.lines().map(|line| Case(serde_json::from_str(line).expect("JSON"))).collect()
}

/// Case -> name of the reason for its difference.
fn differences() -> BTreeMap<String, String> {
    let lines = DIFFERENCES.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split_once(' ').expect("id and reason")).map(|(id, name)| (id.into(), name.into())).collect()
}

#[test]
fn show_output_matches_recorded_vectors() {
    if cfg!(target_endian = "big") {
        return;
    }
    let listed = differences();
    let mut wrong = Vec::new();
    for case in cases() {
        let (id, (original, ours)) = (case.text("id").to_owned(), case.both());
        if case.is_undefined() || case.text("stdout").contains("open error") || case.words().contains(&"/nonexistent/dir/f")
        {
            continue;
        }
        match (original == ours, listed.contains_key(&id)) {
            (true, true) => wrong.push(format!("{id} is listed but agrees")),
            (false, false) => wrong.push(format!("{id} ({}):\n{}", case.text("note"), difference(&original, &ours))),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn difference(original: &str, ours: &str) -> String {
    let (mut one, mut other) = (original.lines(), ours.lines());
    loop {
        match (one.next(), other.next()) {
            (None, None) => return "    only the last line's end differs".to_owned(),
            (a, b) if a == b => {}
            (a, b) => return format!("    original: {a:?}\n    here:     {b:?}"),
        }
    }
}

#[test]
fn show_differences_have_a_case_and_a_reason() {
    let ids: BTreeSet<_> = cases().iter().map(|case| case.text("id").to_owned()).collect();
    for (id, reason) in differences() {
        assert!(ids.contains(&id), "no case {id}");
        assert!(BEHAVIOUR.contains(&format!("\n### {reason}\n")), "docs/behaviour.md does not explain {reason}");
    }
}
