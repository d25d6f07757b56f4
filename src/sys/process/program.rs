//! How this program was called, for commands in messages.

use std::env;
use std::path::{Path, PathBuf};

use crate::redact::shell_word;

/// Directories in which shells find programs, whatever this process has as `PATH`: that of a service is another one.
const SEARCHED: &[&str] = &["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

/// The word that calls the program `name` of this package: with its directory, unless a shell searches that of this program. Some
/// programs of the package are in `bin`, others in `sbin`.
#[must_use]
pub(crate) fn beside(name: &str) -> String {
    let searched = env::var_os("PATH").unwrap_or_default();
    let called = env::args_os().next().map(PathBuf::from).unwrap_or_default();
    word_beside(&called, name, env::split_paths(&searched))
}

fn word_beside(called: &Path, name: &str, mut searched: impl Iterator<Item = PathBuf>) -> String {
    let directory = called.parent().filter(|directory| !directory.as_os_str().is_empty());
    let is_searched = |directory: &Path| SEARCHED.iter().any(|known| Path::new(known) == directory);
    match directory {
        Some(directory) if !is_searched(directory) && !searched.any(|other| other == directory) => {
            let neighbours = ["bin", "sbin"].map(|other| directory.with_file_name(other).join(name));
            let beside = directory.join(name);
            let found = neighbours.into_iter().find(|path| !beside.exists() && path.exists());
            shell_word(&found.unwrap_or(beside))
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_beside_has_a_directory_that_shells_do_not_search() {
        let word = |called: &str| word_beside(Path::new(called), "ipseckey", [PathBuf::from("/opt/bin")].into_iter());
        assert_eq!(["manual-key", "/usr/sbin/manual-key", "/opt/bin/manual-key", ""].map(word), ["ipseckey"; 4]);
        assert_eq!(word("target/release/manual-key"), "target/release/ipseckey");
        assert_eq!(word("/my programs/manual-key"), "'/my programs/ipseckey'");
        let prefix = tempfile::tempdir().unwrap();
        std::fs::create_dir(prefix.path().join("bin")).unwrap();
        std::fs::write(prefix.path().join("bin/ipseckey"), "").unwrap();
        let called = prefix.path().join("sbin/manual-key");
        assert_eq!(word(called.to_str().unwrap()), prefix.path().join("bin/ipseckey").to_str().unwrap());
    }
}
