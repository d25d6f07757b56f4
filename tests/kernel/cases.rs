//! Keys files and the resulting SAs: cases/SADB/NAME.keys, loaded into an empty SADB, gives cases/SADB/NAME.state, the output of
//! `ip -s xfrm state` without times, in the order of the file, and for some cases/SADB/NAME.dump.
//!
//! A new case is two files. `SNAPSHOTS=overwrite tests/kernel/run cases` writes the expected files.

use std::fs;
use std::path::{Path, PathBuf};

use snapbox::Data;

use crate::space::{Space, without_times};

fn cases(sadb: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/cases").join(sadb);
    let files = fs::read_dir(directory).expect("cases").map(|entry| entry.expect("a case").path());
    let mut cases: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|ext| ext == "keys")).collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn xfrm_state_matches_case_files() {
    assert_state_matches_case_files("xfrm");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn pfkey_state_matches_case_files() {
    assert_state_matches_case_files("pfkey");
}

/// The state of an SA with the flag af-unspec without the selector that Linux 5.10 requires.
fn without_required_selector(state: &str) -> String {
    const OPEN: &str = "\tsel src 0.0.0.0/0 dst 0.0.0.0/0 uid 0\n";
    if state.contains(" af-unspec") { state.replace(OPEN, "") } else { state.to_owned() }
}

fn assert_state_matches_case_files(sadb: &'static str) {
    for case in cases(sadb) {
        let space = Space::with_sadb(sadb);
        space.load(&fs::read_to_string(&case).expect("keys"));
        let states: String = space.states().iter().map(|state| without_required_selector(state)).collect();
        snapbox::assert_data_eq!(states, Data::read_from(&case.with_extension("state"), None).raw());
        let dump = case.with_extension("dump");
        if dump.exists() {
            let found = without_times(&space.ipseckey("dump").succeeded());
            snapbox::assert_data_eq!(found, Data::read_from(&dump, None).raw());
        }
        space.assert_saved_file_loads();
        space.assert_get_agrees_with_dump();
    }
}
