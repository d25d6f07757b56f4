//! No diagnostic of the library contains eight consecutive digits of a key, whatever the errors of the keys file.
//!
//! `LEAK_FILES` is the number of files.

#[path = "../leaks/damage.rs"]
pub(super) mod damage;
#[path = "../leaks/scan.rs"]
mod scan;

use super::key_forms::find;
use super::spy::Spy;
use crate::keyfile::{self, Checker, Diagnostic, Options, RenderStyle, Setting};
use crate::names::Vocabulary;
use damage::{KeysFile, Random, keys_file};
use scan::{Tally, count, leaked, refuse_leaks};

/// All diagnostics of `text`, and the names that were looked up for it.
fn diagnostics_and_lookups(text: &[u8], vocabulary: Vocabulary, setting: Setting) -> (String, String) {
    let spy = Spy::default();
    let options = Options { vocabulary, numeric: false, setting, resolver: &spy };
    let mut rendered = String::new();
    let mut render_all = |diagnostics: Vec<Diagnostic>| {
        for diagnostic in diagnostics {
            rendered += &keyfile::render(&diagnostic, "keys", text, RenderStyle::Plain);
            rendered += &format!("{diagnostic:?}\n");
        }
    };
    let mut checker = Checker::new(vocabulary);
    let mut commands = keyfile::commands(text, &options);
    for item in commands.by_ref() {
        render_all(checker.check(&item, text));
        render_all(item.diagnostics);
    }
    render_all(commands.take_trailing_warnings());
    (rendered, spy.lookups.into_inner().join("\n"))
}

#[test]
fn leak_scan_finds_pieces_of_keys() {
    let file = KeysFile { bytes: Vec::new(), keys: vec!["0F1E2D3C4B5a6978".to_owned()] };
    assert_eq!(leaked(&file, "unknown word \"2d3c4b5a\""), ["2d3c4b5a"]);
    assert_eq!(leaked(&file, "2d3c 4b5a"), ["2d3c4b5a"]);
    assert!(leaked(&file, "0f1e2d3, c4b5").is_empty());
}

#[test]
fn diagnostics_contain_no_key_of_damaged_files() {
    let (mut wrong, mut asked_for, mut tally) = (0, 0, Tally::default());
    let files = count("LEAK_FILES", 1000);
    for seed in 0..files {
        let mut random = Random::new(seed);
        let file = keys_file(&mut random, usize::try_from(seed % 4).unwrap());
        let vocabulary = if seed % 2 == 0 { Vocabulary::Illumos } else { Vocabulary::Linux };
        let setting = if seed % 3 == 0 { Setting::Prompt } else { Setting::File };
        let (rendered, lookups) = diagnostics_and_lookups(&file.bytes, vocabulary, setting);
        wrong += u64::from(rendered.contains("error["));
        asked_for += lookups.lines().count();
        refuse_leaks(&format!("names of file {seed}"), &file, &lookups);
        tally.scan(&format!("file {seed}"), &file, 1, &(rendered + &lookups));
    }
    tally.report("the library");
    assert!(wrong > files / 3 && wrong < files, "{wrong} of {files} files were wrong");
    assert!(asked_for > 0, "no name was looked up");
}
