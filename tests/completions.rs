//! Completion scripts and manual pages have every keyword, command, tool and option; the installed shells can read the scripts.

use std::fs;
use std::process::Command;

use ipseckey::internals::language::{algorithms, keywords};

/// The scripts of a program, each with its shell.
fn scripts(program: &str) -> [(&'static str, String); 3] {
    [("bash", format!("{program}.bash")), ("zsh", format!("_{program}")), ("fish", format!("{program}.fish"))]
}

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The words of a text, without the quotes and brackets of shells and mdoc(7).
fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| c.is_whitespace() || "\"'()[],|*".contains(c)).collect()
}

/// The words before the descriptions that `--help` lists below `heading`.
fn listed(heading: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_ipseckey")).env("COLUMNS", "500").arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let part = help.split(&format!("\n{heading}:\n")).nth(1).unwrap().split("\n\n").next().unwrap();
    part.lines().map(|line| line.split("  ").find(|word| !word.trim().is_empty()).unwrap().trim().to_owned()).collect()
}

#[test]
fn ipseckey_scripts_have_the_words_of_the_language() {
    for (shell, file) in scripts("ipseckey") {
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
fn shells_can_read_the_scripts() {
    for (shell, file) in ["ipseckey", "manual-key", "sadb-model"].into_iter().flat_map(scripts) {
        let path = format!("{}/completions/{file}", env!("CARGO_MANIFEST_DIR"));
        match Command::new(shell).arg("-n").arg(&path).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => println!("skipped {file}: {shell}: {error}"),
        }
    }
}

#[test]
fn bash_completes_words_of_the_language() {
    let script = format!(
        "source {}/completions/ipseckey.bash; \
         try() {{ COMP_WORDS=(\"$@\"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=(); \
         _ipseckey; echo \"${{COMPREPLY[*]}}\"; }}; \
         try ipseckey genk; try ipseckey flush ''; try ipseckey generate esp encr_alg aes-c; try ipseckey delete esp sp; \
         try ipseckey du; try ipseckey --color ne; try ipseckey plan --ke; try ipseckey generate esp --bi; \
         try ipseckey import ''; try ipseckey --sadb mo; try ipseckey plan Cargo.l",
        env!("CARGO_MANIFEST_DIR")
    );
    let Ok(output) = Command::new("bash").args(["-c", &script]).output() else { return };
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "genkey",
            "ah esp all",
            "aes-cbc aes-ctr aes-ccm8 aes-ccm12 aes-ccm",
            "spi sport",
            "dump",
            "never",
            "--keep-others",
            "--bits",
            "setkey ip-xfrm ipsec.conf",
            "model model:linux model:illumos",
            "Cargo.lock",
        ]
    );
}

#[test]
fn bash_completes_the_options_of_manual_key() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/completions/manual-key.bash");
    let ask = "COMP_WORDS=(manual-key sta) COMP_CWORD=1; _manual__key manual-key sta manual-key; echo ${COMPREPLY[*]}";
    let Ok(output) = Command::new("bash").args(["-c", &format!("source {file}; {ask}")]).output() else { return };
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "start status\n");
}

#[test]
#[allow(clippy::print_stdout, reason = "a test that is skipped says why")]
fn fish_completes_words_of_the_language() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/completions/ipseckey.fish");
    let lines = ["genk", "flush ", "generate esp encr_alg aes-c", "delete esp sp", "get "];
    let asks = lines
        .map(|line| format!("string join ' ' -- (complete -C 'ipseckey {line}' | string split -f 1 \\t | sort)"))
        .join("; ");
    let Ok(output) =
        Command::new("fish").env("LC_ALL", "C").args(["--no-config", "-c", &format!("source {file}; {asks}")]).output()
    else {
        return println!("skipped: fish is not installed");
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let found: Vec<&str> = text.lines().collect();
    assert_eq!(found, ["genkey", "ah all esp", "aes-cbc aes-ccm aes-ccm12 aes-ccm8 aes-ctr", "spi sport", "ah esp"]);
}

#[test]
fn manual_pages_have_tools_options_and_keywords() {
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
