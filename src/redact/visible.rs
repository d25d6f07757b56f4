//! Which characters are shown: one function decides it for every text that comes from elsewhere, such as names of files, hosts and
//! interfaces, identities, and messages of the kernel or of another process.

use std::fmt::Write as _;

/// Letters and symbols without a mark: fillers of Hangul, and the empty pattern of Braille.
const BLANKS: [char; 5] = ['\u{115f}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{ffa0}'];

/// Whether a character only shows itself: no control character, no zero-width character, no mark that changes the direction of text,
/// no line separator, none without a meaning in Unicode, no mark that changes the character before it, and no blank but the space.
pub(crate) fn is_visible(character: char) -> bool {
    if character.is_ascii() {
        return character == ' ' || character.is_ascii_graphic();
    }
    // The standard library has the table of Unicode: what `Debug` escapes is not printable (categories Cc, Cf, Cn, Co, Cs, Zl, Zp,
    // Zs) or extends the character before it (Grapheme_Extend).
    !BLANKS.contains(&character) && character.escape_debug().eq([character])
}

/// `text` with invisible characters replaced by question marks; the number of bytes stays the same.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    push_visible(&mut shown, text.as_bytes());
    shown
}

/// Appends `bytes` as [`visible`] text. Bytes that are not UTF-8 become question marks too.
pub(crate) fn push_visible(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_visible(character) {
                text.push(character);
            } else {
                text.extend(std::iter::repeat_n('?', character.len_utf8()));
            }
        }
        // One character for each byte, so that spans of diagnostics stay valid.
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
}

/// `bytes` as text: `\u{1b}` for an invisible character, `\n` for a newline, `\xff` for a byte that is not UTF-8.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_visible(character) { text.push(character) } else { text.extend(character.escape_default()) }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_visible_refuses_what_shows_nothing_or_moves_other_text() {
        // NUL, ESC, DEL, CSI of 8 bits, soft hyphen, zero-width space, directions of text, separators of lines, word joiner, byte
        // order mark, tags, private use, unassigned, combining marks, fillers and blanks.
        let hidden = "\0\u{1b}\n\t\u{7f}\u{9b}\u{ad}\u{61c}\u{200b}\u{200d}\u{200e}\u{202a}\u{202e}\u{2028}\u{2029}\u{2060}\u{2066}\
                      \u{2069}\u{feff}\u{fff9}\u{e0041}\u{e000}\u{378}\u{301}\u{fe0f}\u{a0}\u{2003}\u{3000}\u{115f}\u{2800}\u{3164}";
        for character in hidden.chars() {
            assert!(!is_visible(character), "{character:?}");
        }
        for character in "aZ09 ~'\"\\`$ößñЖ中字の한→€😀".chars() {
            assert!(is_visible(character), "{character:?}");
        }
    }

    #[test]
    fn visible_replaces_control_characters_and_direction_marks() {
        assert_eq!(visible("flush \u{1b}[2J"), "flush ?[2J");
        assert_eq!(visible("h\u{f6}st \u{202e}x"), "h\u{f6}st ???x");
    }

    #[test]
    fn printable_escapes_what_is_not_visible() {
        assert_eq!(printable(b"a\x1b[2Jb\xffc"), "a\\u{1b}[2Jb\\xffc");
        assert_eq!(printable("ü\u{202e}\u{2028}\u{200b}".as_bytes()), "ü\\u{202e}\\u{2028}\\u{200b}");
    }
}
