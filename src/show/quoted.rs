//! Values in a saved file: quoted so that neither the language of keys files nor a shell reads anything else than one word.

use std::str;

use crate::redact::printable;

/// Characters that need no quotes in either language.
const PLAIN: &[u8] = b"._@:/=+,%-";

/// The quotes around `value`; `None` if a keys file cannot express it. Double quotes have no escapes in keys files, and `sh` expands `$`
/// and backquotes within them. Blanks after an opening quote are dropped, and a shell takes a backslash before the closing quote for an
/// escape. A value that does not show itself would act upon the terminal that the file is printed on.
pub(super) fn quotes(value: &[u8]) -> Option<&'static str> {
    let is_expanded = |byte: &u8| matches!(byte, b'"' | b'$' | b'`');
    let is_visible = str::from_utf8(value).is_ok_and(|text| !has_invisible(text));
    if !is_visible || value.is_empty() || value.iter().any(is_expanded) || value[0] == b' ' || value.ends_with(b"\\") {
        return None;
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || PLAIN.contains(byte);
    Some(if value.iter().all(is_plain) { "" } else { "\"" })
}

fn has_invisible(text: &str) -> bool {
    printable(text.as_bytes()) != text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_omitted_for_plain_words_only() {
        for plain in ["a.example", "user@a.example", "x-1_2"] {
            assert_eq!(quotes(plain.as_bytes()), Some(""));
        }
        for quoted in ["a b", "a;touch x", "a|b", "a&b", "<a>", "(a)", "*", "#a", "~root", "it's", "a\\b", "höst"] {
            assert_eq!(quotes(quoted.as_bytes()), Some("\""), "{quoted}");
        }
    }

    #[test]
    fn quotes_refuses_what_a_shell_expands_and_what_is_invisible() {
        for refused in
            ["", " a", "a\"b", "$(touch x)", "`id`", "$HOME", "a\\", "a\nb", "\u{1b}[2J", "a\u{202e}b", "a\u{2028}b"]
        {
            assert_eq!(quotes(refused.as_bytes()), None, "{refused:?}");
        }
        assert_eq!(quotes(b"\xff"), None);
    }
}
