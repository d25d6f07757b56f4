//! `--sadb model` and the kernel: the same commands have the same outcome, with the same messages, and the same SAs are listed
//! and saved afterwards.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::algorithms;
use crate::directions;
use crate::refusals;
use crate::space::{Space, private_file, without_times};

const SA: &str = "src 10.0.0.1 dst 10.0.0.2 encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f \
    auth_alg sha1 authkey 000102030405060708090a0b0c0d0e0f10111213";
const BACK: &str = "src 10.0.0.2 dst 10.0.0.1 encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f \
    auth_alg sha1 authkey 000102030405060708090a0b0c0d0e0f10111213";

/// Commands about SAs that exist. `SA` and `BACK` are the two directions of one pair of hosts.
const SEQUENCES: &[&[&str]] = &[
    &["add esp spi 1000 SA", "add esp spi 1000 SA", "delete esp spi 1000 dst 10.0.0.2", "add esp spi 1000 SA"],
    &["add esp spi 1000 SA mark 5", "add esp spi 1000 SA mark 6", "get esp spi 1000 dst 10.0.0.2 mark 6"],
    &["add esp spi 1000 SA mark 5/255", "add esp spi 1000 SA mark 261/65535", "add esp spi 1000 SA"],
    &["add esp spi 1000 SA", "add esp spi 1000 SA mark 5", "delete esp spi 1000 dst 10.0.0.2 mark 5"],
    &["add esp spi 1000 SA", "update esp spi 1000 dst 10.0.0.2 soft_bytes 7 hard_bytes 9 soft_addtime 70 hard_addtime 90"],
    &["add esp spi 1000 SA replay 32", "update esp spi 1000 dst 10.0.0.2 replay_value 77"],
    &["add esp spi 1000 SA replay 128 esn", "update esp spi 1000 dst 10.0.0.2 replay_value 5000000000"],
    &["add esp spi 1000 SA outbound esn", "update esp spi 1000 dst 10.0.0.2 replay_value 5000000000"],
    &["add esp spi 1000 SA inbound replay 64", "update esp spi 1000 dst 10.0.0.2 replay_value 9 if_id 3 output-mark 4/7"],
    &["add esp spi 1000 SA", "update esp spi 1000 dst 10.0.0.2 encap udp nat_lport 4500 nat_rport 4501"],
    &[
        "add esp spi 1000 SA outbound encap udp nat_lport 4500 nat_rport 4501",
        "update esp spi 1000 dst 10.0.0.2 encap udp nat_lport 4502 nat_rport 4503",
    ],
    &["add esp spi 1000 SA", "add esp spi 1001 BACK pair-spi 1000", "update-pair esp spi 1000 dst 10.0.0.2 hard_bytes 7"],
    &["add esp spi 1000 SA", "add esp spi 1001 BACK pair-spi 1000", "delete-pair esp spi 1001 dst 10.0.0.1"],
    &["add esp spi 1000 SA", "add esp spi 1001 BACK pair-spi 1000", "delete esp spi 1000 dst 10.0.0.2"],
    &["add esp spi 1000 SA", "add esp spi 1001 BACK", "flush ah", "flush esp"],
    &["add esp spi 1000 SA mode tunnel", "add esp spi 1000 SA mode beet isrc 10.1.0.1 idst 10.1.0.2"],
    &["delete esp spi 1000 dst 10.0.0.2", "update esp spi 1000 dst 10.0.0.2 hard_bytes 5", "get ah spi 5 dst fd00::1"],
];

/// One script: each command, and what the SADB holds after each group of commands.
fn script() -> String {
    let mut groups: Vec<String> =
        directions::keywords_in_pairs().iter().map(|words| format!("add esp spi 0x100 {SA} {words}")).collect();
    groups.extend(algorithms::requests());
    let with_ends = |line: &&str| line.replace("SA", SA).replace("BACK", BACK);
    groups.extend(SEQUENCES.iter().map(|lines| lines.iter().map(with_ends).collect::<Vec<_>>().join("\n")));
    groups.push(refusals::all_requests());
    groups.extend(case_files());
    groups.iter().map(|group| format!("flush\n{}\nsave all\ndump\n", group.trim_end())).collect()
}

/// The keys files of cases/xfrm.
fn case_files() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/cases/xfrm");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let keys = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "keys"));
    keys.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Standard output and standard error of a session that reads the script, without what differs in each run.
fn session(space: &Space, script: &Path) -> (String, String) {
    let mut command = space.command("");
    command.stdin(Stdio::from(fs::File::open(script).unwrap()));
    let output = space.inside(move || command.output().unwrap());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (without_times(&text(output.stdout)), text(output.stderr))
}

/// The first lines that differ, with those before them.
fn difference(model: &str, kernel: &str) -> Option<String> {
    let (model, kernel): (Vec<_>, Vec<_>) = (model.lines().collect(), kernel.lines().collect());
    let longer = model.len().max(kernel.len());
    let at = (0..longer).find(|at| model.get(*at) != kernel.get(*at))?;
    let around = |lines: &[&str]| lines[at.saturating_sub(25).min(lines.len())..(at + 5).min(lines.len())].join("\n");
    Some(format!("line {at} of the model:\n{}\n\nof the kernel:\n{}", around(&model), around(&kernel)))
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn the_model_of_linux_answers_as_the_kernel_does() {
    let text = script();
    let script = private_file(&text);
    let (model_out, model_err) = session(&Space::with_sadb("model"), &script);
    let (kernel_out, kernel_err) = session(&Space::with_sadb("xfrm"), &script);
    fs::remove_file(&script).unwrap();
    // Every group was tried: each ends with a dump.
    let groups = text.lines().filter(|line| *line == "dump").count();
    assert!(groups > 1000 && kernel_out.matches("Dump succeeded").count() == groups, "{groups}: {kernel_err}");
    for (what, model, kernel) in [("output", &model_out, &kernel_out), ("messages", &model_err, &kernel_err)] {
        let difference = difference(model, kernel);
        assert!(difference.is_none(), "{what}, {}", difference.unwrap_or_default());
    }
}
