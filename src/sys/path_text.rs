//! File names in messages.

use std::path::Path;

/// `path` with control characters escaped, so that a file name cannot forge a log line.
#[must_use]
pub(crate) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// `path` as one word of a shell command, quoted if it contains special characters.
#[must_use]
pub(crate) fn shell_word(path: &Path) -> String {
    let text = shown(path);
    let is_plain = |c: char| c.is_alphanumeric() || "_./:@%+=,-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_and_shell_word_escape_special_characters() {
        assert_eq!(shown(Path::new("/a\nb\u{1b}[0m")), r"/a\nb\u{1b}[0m");
        assert_eq!(shell_word(Path::new("/etc/inet/secret/ipseckeys")), "/etc/inet/secret/ipseckeys");
        assert_eq!(shell_word(Path::new("/my keys/it's")), r"'/my keys/it'\''s'");
    }
}
