//! The command language with random input: no panic, no key text in any message, no key text to a name server.

use crate::keyfile::{self, Checker, Command, Options, RenderStyle, Setting};
use crate::names::Vocabulary;
use crate::names::keywords;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::spy::Spy;

/// Reads and checks `text`; returns all diagnostics as text, and the names that were looked up.
fn all_diagnostics(text: &[u8], numeric: bool, setting: Setting) -> (String, Vec<String>) {
    let spy = Spy::default();
    let options = Options { vocabulary: Vocabulary::Linux, numeric, setting, resolver: &spy };
    let mut checker = Checker::new(Vocabulary::Illumos);
    let mut commands = keyfile::commands(text, &options);
    let mut all = Vec::new();
    for item in commands.by_ref() {
        let warnings = checker.check(&item, text);
        assert!(item.outcome.is_ok() || item.diagnostics.iter().any(keyfile::Diagnostic::is_error));
        all.extend(item.diagnostics);
        all.extend(warnings);
    }
    all.extend(commands.take_trailing_warnings());
    let mut rendered = String::new();
    for diagnostic in &all {
        rendered += &keyfile::render(diagnostic, "keys", text, RenderStyle::Plain);
        rendered += &keyfile::render(diagnostic, "keys", text, RenderStyle::Color);
        rendered += &keyfile::render(diagnostic, "keys", b"", RenderStyle::Plain);
    }
    (rendered, spy.lookups.into_inner())
}

fn word() -> impl Strategy<Value = String> {
    let known: Vec<&str> = keywords::TABLE.iter().map(|row| row.word).collect();
    prop_oneof![
        4 => select(known).prop_map(str::to_owned),
        1 => select(vec!["add", "update", "delete", "get", "flush", "esp", "ah", "all", "save", "dump", "quit", "help"]).prop_map(str::to_owned),
        2 => select(vec!["aes", "sha256", "aes-gcm", "null", "0x100", "0", "udp", "10.0.0.1", "2001:db8::1/64", "mature", "fqdn", "me"]).prop_map(str::to_owned),
        1 => "[0-9a-f]{0,40}(/[0-9]{0,4})?",
        1 => "[ -~]{0,12}",
        1 => select(vec!["\n", "\\\n", "\\", "\"", "#", "\r\n", "\u{f6}", "\0"]).prop_map(str::to_owned),
    ]
}

/// One way to damage a valid command. The keys are words 13 and 17.
#[derive(Clone, Debug)]
enum Damage {
    /// A key with a different character.
    Insert(Index, String),
    /// A key with fewer characters.
    Delete(Index),
    /// A key at the position of another word.
    InPlaceOf(Index),
    /// A missing word.
    Lose(Index),
    /// A duplicated word.
    Repeat(Index),
    /// A mistyped word.
    Mistype(Index, Index, String),
    /// Two words without a blank between them.
    Glue(Index),
    /// A key in other characters.
    Wrap(&'static str, &'static str),
}

fn damage() -> impl Strategy<Value = Damage> {
    let character = prop_oneof!["[ -~]", select(vec!["\n", "\\\n", " ", "\"", "/", "\u{e4}", "0x"]).prop_map(str::to_owned)];
    prop_oneof![
        (any::<Index>(), character.clone()).prop_map(|(at, character)| Damage::Insert(at, character)),
        any::<Index>().prop_map(Damage::Delete),
        any::<Index>().prop_map(Damage::InPlaceOf),
        any::<Index>().prop_map(Damage::Lose),
        any::<Index>().prop_map(Damage::Repeat),
        (any::<Index>(), any::<Index>(), character).prop_map(|(word, at, character)| Damage::Mistype(word, at, character)),
        any::<Index>().prop_map(Damage::Glue),
        select(vec![
            ("\"", ""),
            ("", "\""),
            ("0x", ""),
            ("", "/999"),
            ("", "/x"),
            ("#", ""),
            ("key=", ""),
            ("(", ")"),
            ("", "g")
        ])
        .prop_map(|(before, after)| Damage::Wrap(before, after)),
    ]
}

fn apply(words: &mut Vec<String>, damage: &Damage, which: Index) {
    let keys: Vec<usize> = (0..words.len()).filter(|at| words[*at].len() >= 24).collect();
    let key = if keys.is_empty() { 0 } else { keys[which.index(keys.len())] };
    match damage {
        Damage::Insert(at, character) => {
            let at = at.index(words[key].len() + 1);
            if words[key].is_char_boundary(at) {
                words[key].insert_str(at, character);
            }
        }
        Damage::Delete(at) => {
            let at = at.index(words[key].len());
            if words[key].is_char_boundary(at) && words[key].is_char_boundary(at + 1) {
                words[key].remove(at);
            }
        }
        Damage::InPlaceOf(other) => {
            let other = other.index(words.len());
            words[other] = words[key].clone();
        }
        Damage::Lose(at) => {
            words.remove(at.index(words.len()));
        }
        Damage::Repeat(at) => {
            let at = at.index(words.len());
            words.insert(at, words[at].clone());
        }
        Damage::Mistype(word, at, character) => {
            let word = word.index(words.len());
            let at = at.index(words[word].len() + 1);
            if words[word].is_char_boundary(at) {
                words[word].insert_str(at, character);
            }
        }
        Damage::Glue(at) => {
            let at = at.index(words.len() - 1);
            let next = words.remove(at + 1);
            words[at] += &next;
        }
        Damage::Wrap(before, after) => words[key] = format!("{before}{}{after}", words[key]),
    }
}

/// Eight consecutive digits that are in both `key` and `rendered`.
fn leak(key: &str, rendered: &str) -> Option<String> {
    let (key, rendered) = (key.to_ascii_lowercase(), rendered.to_ascii_lowercase());
    (0..key.len() - 7).map(|at| &key[at..at + 8]).find(|part| rendered.contains(part)).map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keyfile_random_bytes_do_not_panic(text in proptest::collection::vec(any::<u8>(), 0..300), numeric: bool) {
        all_diagnostics(&text, numeric, Setting::File);
    }

    #[test]
    fn keyfile_random_words_do_not_panic(words in proptest::collection::vec(word(), 0..40), numeric: bool) {
        let text = words.join(" ");
        all_diagnostics(text.as_bytes(), numeric, Setting::Prompt);
        let arguments: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        let spy = Spy::default();
        let options = Options { vocabulary: Vocabulary::Illumos, numeric, setting: Setting::Shell, resolver: &spy };
        let item = keyfile::command_from_words(&arguments, &options);
        let joined = arguments.join(&b' ');
        for diagnostic in &item.diagnostics {
            let shown = keyfile::render(diagnostic, "arguments", &joined, RenderStyle::Plain);
            prop_assert!(shown.ends_with("\n"));
        }
    }

    #[test]
    fn keyfile_diagnostics_of_damaged_command_show_no_key(
        auth in "[0-9a-f]{64}|[0-9A-F]{64}",
        encr in "[0-9a-f]{32}",
        damages in proptest::collection::vec((damage(), any::<Index>()), 1..3),
        numeric: bool,
        setting in select(vec![Setting::File, Setting::Prompt]),
    ) {
        let good = format!(
            "add esp spi 0x100 src me.example dst 10.0.0.2 sport 53 encr_alg aes encrkey {encr} auth_alg sha256 authkey {auth} \
             srcidtype fqdn host.example.com hard_bytes 5 isrc 10.1.0.0/16 idst 10.2.0.0/16 # end"
        );
        let mut words: Vec<String> = good.split(' ').map(str::to_owned).collect();
        for (damage, which) in &damages {
            apply(&mut words, damage, *which);
        }
        let text = format!("# a comment \\\nauthkey {encr}\n{}\nflush\n", words.join(" "));
        let (rendered, lookups) = all_diagnostics(text.as_bytes(), numeric, setting);
        for key in [&auth, &encr] {
            prop_assert_eq!(leak(key, &rendered), None, "{}\n{}", text, rendered);
            prop_assert_eq!(leak(key, &lookups.join("\n")), None, "{}", text);
        }
    }

    #[test]
    fn keyfile_numbers_in_any_base_are_equal(spi in 1_u32..) {
        let spy = Spy::default();
        let options = Options { vocabulary: Vocabulary::Illumos, numeric: true, setting: Setting::Shell, resolver: &spy };
        for word in [format!("{spi}"), format!("{spi:#x}"), format!("0{spi:o}")] {
            let words: Vec<&[u8]> = vec![b"get", b"esp", b"spi", word.as_bytes(), b"dst", b"10.0.0.2"];
            match keyfile::command_from_words(&words, &options).outcome {
                Ok(Command::Sa(command)) => prop_assert_eq!(command.request.spi.0, spi),
                _ => prop_assert!(false, "{} refused", word),
            }
        }
    }
}
