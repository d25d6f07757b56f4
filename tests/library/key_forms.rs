//! No message of the library contains six bytes of a key, whatever the form of the key and its place in the file.
//!
//! `LEAK_FILES` is the number of files; `LEAK_FORM` limits them to the forms with this text in their names. tests/leaks does the same with the programs.

#[path = "../leaks/find.rs"]
pub(super) mod find;
#[path = "../leaks/forms.rs"]
mod forms;
#[path = "../leaks/places.rs"]
mod places;
#[path = "../leaks/sample.rs"]
mod sample;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::leaks::damage;
use super::spy::Spy;
use crate::convert::{self, ImportFormat};
use crate::keyfile::{self, Checker, Options, RenderStyle, Setting};
use crate::names::Vocabulary;
use crate::{redact, service};
use damage::Random;
use find::Finder;
use forms::FORMS;
use sample::Sample;

/// The diagnostics of `text` as a keys file, and the names that were looked up.
fn diagnostics(random: &mut Random, text: &[u8]) -> String {
    let (spy, mut output) = (Spy::default(), String::new());
    let options = Options {
        vocabulary: random.pick(&[Vocabulary::Illumos, Vocabulary::Linux]),
        numeric: random.below(4) == 0,
        setting: random.pick(&[Setting::File, Setting::Prompt]),
        resolver: &spy,
    };
    let mut checker = Checker::new(options.vocabulary);
    let mut commands = keyfile::commands(text, &options);
    let mut found = Vec::new();
    for item in commands.by_ref() {
        found.extend(checker.check(&item, text));
        found.extend(item.diagnostics);
    }
    found.extend(commands.take_trailing_warnings());
    for diagnostic in found {
        // JSON and SARIF have the fields of a diagnostic.
        output += &keyfile::render(&diagnostic, "keys", text, RenderStyle::Plain);
        output +=
            &format!("{} {:?} {:?} {:?}\n", diagnostic.message, diagnostic.expected, diagnostic.help, diagnostic.related);
    }
    output + &spy.lookups.into_inner().join("\n")
}

/// The diagnostics of `text` as the arguments of a shell command.
fn shell(text: &str) -> String {
    let spy = Spy::default();
    let options = Options { vocabulary: Vocabulary::Linux, numeric: false, setting: Setting::Shell, resolver: &spy };
    let words: Vec<&[u8]> = text.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes).collect();
    let found = keyfile::command_from_words(&words, &options).diagnostics;
    let line = words.join(&b' ');
    let texts = found.iter().map(|diagnostic| keyfile::render(diagnostic, "command line", &line, RenderStyle::Plain));
    texts.collect::<String>() + &spy.lookups.into_inner().join("\n")
}

/// The notes of all imports, and the error of the settings.
fn other_languages(text: &[u8]) -> String {
    let mut output = String::new();
    for format in [ImportFormat::Setkey, ImportFormat::IpXfrm, ImportFormat::IpsecConf] {
        match convert::import(format, text, &|_| false) {
            Ok(imported) => imported.notes.iter().for_each(|note| output += &format!("{}\n", note.text)),
            Err(error) => output += &format!("{error}\n"),
        }
    }
    if let Err((line, what)) = service::check_config(&String::from_utf8_lossy(text)) {
        output += &format!("{line}: {what}\n");
    }
    output
}

/// What one file shows of its key: the text, with the form and the file.
fn leak(seed: u64) -> Option<String> {
    let sample = Sample::new(seed);
    let name = sample.name();
    if std::env::var("LEAK_FORM").is_ok_and(|form| !name.contains(&form)) {
        return None;
    }
    let Sample { key, written, text, .. } = sample;
    let path = Path::new(&written);
    let names = format!("{}\n{}\n", redact::shown(path), redact::shell_word(path));
    let outputs = [
        ("diagnostics", diagnostics(&mut Random::new(seed), &text)),
        ("shell", shell(&String::from_utf8_lossy(&text))),
        ("other languages", other_languages(&text)),
        ("names of files", names),
    ];
    let finder = Finder::new(&key);
    outputs.into_iter().find_map(|(surface, output)| {
        let found = finder.find(&output)?;
        let text = String::from_utf8_lossy(&text);
        Some(format!("seed {seed}, {name}, {surface}: {found}\n--- of:\n{text}\n--- output:\n{output}"))
    })
}

#[test]
fn finder_finds_each_form() {
    let key: Vec<u8> =
        [0x9f, 0x1e, 0x2d, 0x3c, 0xa4, 0x4b, 0x5a, 0x69, 0x78, 0x87, 0x96, 0xa5, 0xb4, 0xc3, 0xd2, 0xe1].to_vec();
    let mut random = Random::new(1);
    assert!(FORMS.len() >= 40, "{}", FORMS.len());
    for (name, form) in FORMS {
        let written = form(&mut random, &key);
        assert!(Finder::new(&key).find(&format!("IK003 of \"{written}\" in line 5")).is_some(), "{name}: {written}");
    }
    assert_eq!(Finder::new(&key).find("9f 1e 2d 3c a4 XX 5a 69 78 87 96"), None);
    assert_eq!(Finder::new(&key[1..]).find("30.45.60.164"), None);
}

/// Files in as many threads as there are processors.
#[test]
fn messages_contain_no_key_in_any_form() {
    let files = std::env::var("LEAK_FILES").map_or(1500, |value| value.parse().unwrap());
    let (next, threads) = (AtomicU64::new(0), std::thread::available_parallelism().map_or(1, usize::from));
    let found: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut found = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= files {
                    return found;
                }
                found.extend(leak(seed));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    // Forms and surfaces first: one cause has many examples.
    let mut kinds = BTreeMap::new();
    for text in &found {
        let kind = text.lines().next().unwrap_or_default().split_once(", ").map_or("", |(_, kind)| kind);
        *kinds.entry(kind.split_once(": ").map_or(kind, |(kind, _)| kind)).or_insert(0_u32) += 1;
    }
    let shown: Vec<&str> = found.iter().map(String::as_str).take(5).collect();
    assert!(found.is_empty(), "{} of {files} files: {kinds:#?}\n{}", found.len(), shown.join("\n==========\n"));
}
