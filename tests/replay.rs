//! Replays every case of tests/vectors/commands.jsonl with a scripted SADB. The program must send the same bytes as the original,
//! fail where the original failed, and print the same about SAs. Cases that differ deliberately are in
//! tests/vectors/commands-differences.txt; a case listed there that does not differ is an error, too.

#![allow(clippy::print_stdout, reason = "prints how many cases it has replayed")]

mod support;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::vectors::{Case, Run};

/// The difference between a run and its case, as text.
fn disagreement(case: &Case, run: &Run) -> Option<String> {
    if case.ub {
        return (run.exit > 128).then(|| format!("died by a signal or hung: {}", run.exit));
    }
    if run.messages.len() != case.messages.len() {
        return Some(format!("sent {} messages, the original {}", run.messages.len(), case.messages.len()));
    }
    for (index, (ours, theirs)) in run.messages.iter().zip(&case.messages).enumerate() {
        if !same_message(case, index, ours, theirs) {
            return Some(format!("message {index}\n  ours   {}\n  theirs {}", support::hex(ours), support::hex(theirs)));
        }
    }
    if (run.exit == 0) != (case.exit == 0) {
        return Some(format!("exit {} against {}", run.exit, case.exit));
    }
    match &case.printed {
        Some(printed) if without_clock(printed) != without_clock(&run.stdout) => {
            Some(format!("printed\n{}\nagainst\n{printed}", run.stdout))
        }
        _ => None,
    }
}

/// The text without the lines that contain times.
fn without_clock(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut after_now = false;
    for line in text.lines() {
        let raw_now = after_now && line.contains("(raw time value");
        after_now = line.starts_with("CLT: Time now is");
        if !after_now && !raw_now && !line.contains("expiration occur") {
            lines.push(line);
        }
    }
    lines
}

/// Whether messages are equal except for the pid and for bytes that the original left uninitialised (zero here).
fn same_message(case: &Case, index: usize, ours: &[u8], theirs: &[u8]) -> bool {
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).enumerate().all(|(at, (a, b))| {
            (12..16).contains(&at)
                || a == b
                || (*a == 0 && case.uninit.iter().any(|u| u.0 == index && (u.1..u.2).contains(&at)))
        })
}

#[test]
fn recorded_commands_agree_or_are_listed() {
    let mut cases = support::vectors::cases();
    if !nix::unistd::geteuid().is_root() {
        let before = cases.len();
        cases.retain(|case| case.owner.is_none());
        println!("{} skipped: only root can give a file away", before - cases.len());
    }
    let listed = support::vectors::differences("commands-differences.txt");
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let run = support::vectors::run(case);
                    if let Some(why) = disagreement(case, &run) {
                        found.lock().unwrap().insert(case.id.clone(), format!("{why}\n{}", run.stderr));
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    let unlisted: Vec<String> =
        found.iter().filter(|(id, _)| !listed.contains_key(*id)).map(|(id, why)| format!("{id}: {why}")).collect();
    let agreeing: Vec<&String> = listed.keys().filter(|id| !found.contains_key(*id)).collect();
    println!("{} cases, {} differ as listed", cases.len(), found.len() - unlisted.len());
    assert!(unlisted.is_empty(), "{} cases disagree:\n{}", unlisted.len(), unlisted.join("\n"));
    assert!(agreeing.is_empty(), "listed as different, but they agree: {agreeing:?}");
}

#[test]
fn recorded_differences_are_explained_in_behaviour_md() {
    let behaviour = include_str!("../docs/behaviour.md");
    for name in ["commands-differences.txt", "printing-differences.txt"] {
        for reason in support::vectors::differences(name).values() {
            assert!(behaviour.contains(&format!("\n### {reason}\n")), "{name}: docs/behaviour.md has no section {reason}");
        }
    }
}
