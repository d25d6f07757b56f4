//! Shell completions and manual pages name every keyword, command, tool and option; the shells there are can read the completions.

use std::fs;
use std::process::Command;

use ipseckey::internals::language::{algorithms, keywords};

const COMPLETIONS: &[(&str, &str)] = &[("bash", "ipseckey.bash"), ("zsh", "_ipseckey"), ("fish", "ipseckey.fish")];

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The words of a text, without what shells and mdoc(7) put around them.
fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| c.is_whitespace() || "\"'()[],|*".contains(c)).collect()
}

/// The words that `--help` lists in front of the descriptions below `heading`.
fn listed(heading: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_ipseckey")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let part = help.split(&format!("\n{heading}:\n")).nth(1).unwrap().split("\n\n").next().unwrap();
    part.lines().map(|line| line.split("  ").find(|word| !word.trim().is_empty()).unwrap().trim().to_owned()).collect()
}

#[test]
fn completions_know_the_language() {
    for (shell, file) in COMPLETIONS {
        let text = read(&format!("completions/{file}"));
        let words = words(&text);
        for word in keywords().map(str::to_owned).chain(listed("Tools")) {
            assert!(words.contains(&word.as_str()), "{shell}: {word}");
        }
        for name in algorithms() {
            assert!(words.contains(&name), "{shell}: {name}");
        }
        for option in listed("Options").iter().filter_map(|option| option.split_once("--")) {
            let long = option.1.split_whitespace().next().unwrap();
            assert!(text.contains(&format!("-{long}")) || text.contains(&format!("-l {long} ")), "{shell}: {long}");
        }
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "a test that is skipped says why")]
fn the_shells_there_are_can_read_them() {
    for (shell, file) in COMPLETIONS {
        let path = format!("{}/completions/{file}", env!("CARGO_MANIFEST_DIR"));
        match Command::new(shell).arg("-n").arg(&path).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => println!("{shell} is not here to read {file}: {error}"),
        }
    }
}

#[test]
fn bash_completes_by_what_stands_before() {
    let script = format!(
        "source {}/completions/ipseckey.bash; \
         try() {{ COMP_WORDS=(\"$@\"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=(); _ipseckey; echo \"${{COMPREPLY[*]}}\"; }}; \
         try ipseckey genk; try ipseckey flush ''; try ipseckey generate esp encr_alg aes-c; try ipseckey delete esp sp",
        env!("CARGO_MANIFEST_DIR")
    );
    let Ok(output) = Command::new("bash").args(["-c", &script]).output() else { return };
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines, ["genkey", "ah esp all", "aes-cbc aes-ccm8 aes-ccm12 aes-ccm aes-ctr", "spi sport"]);
}

#[test]
#[allow(clippy::print_stdout, reason = "a test that is skipped says why")]
fn fish_completes_by_what_stands_before() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/completions/ipseckey.fish");
    let lines = ["genk", "flush ", "generate esp encr_alg aes-c", "delete esp sp", "get "];
    let asks = lines
        .map(|line| format!("string join ' ' -- (complete -C 'ipseckey {line}' | string split -f 1 \\t | sort)"))
        .join("; ");
    let Ok(output) =
        Command::new("fish").env("LC_ALL", "C").args(["--no-config", "-c", &format!("source {file}; {asks}")]).output()
    else {
        return println!("fish is not here");
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let found: Vec<&str> = text.lines().collect();
    assert_eq!(found, ["genkey", "ah all esp", "aes-cbc aes-ccm aes-ccm12 aes-ccm8 aes-ctr", "spi sport", "ah esp"]);
}

#[test]
fn the_manual_names_everything() {
    let page = read("man/ipseckey.8");
    for tool in listed("Tools") {
        assert!(page.contains(&format!(".It Cm {tool}")), "{tool}");
    }
    for option in listed("Options").iter().filter(|option| !option.contains("help") && !option.contains("version")) {
        let word = option.split_whitespace().next().unwrap().trim_start_matches('-');
        assert!(page.contains(&format!(".It Fl {word}")) || page.contains(&format!(".It Fl -{word}")), "{option}");
    }
    let page = read("man/ipseckeys.5");
    let words = words(&page);
    for word in keywords() {
        assert!(words.contains(&word), "{word}");
    }
}
