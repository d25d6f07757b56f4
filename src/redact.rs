//! Which text may be shown: no word that may be a key, and no character that a terminal or a log would act upon.
//!
//! `citable` decides about one word, `command` about the words of a command, `path` about names of files, `usage` about arguments.
#![forbid(unsafe_code)]

mod citable;
mod command;
mod error_number;
mod form;
mod host_name;
mod nearest;
mod path;
mod shell;
mod usage;
mod visible;

pub(crate) use citable::{Expected, advice, citable, citable_address, cited, is_citable, mask};
pub(crate) use command::CommandWords;
pub(crate) use error_number::without_error_numbers;
pub(crate) use host_name::{is_host_name, is_looked_up};
pub(crate) use nearest::did_you_mean;
pub(crate) use path::shown;
pub(crate) use shell::shell_word;
pub(crate) use usage::without_values;
use visible::is_visible;
pub(crate) use visible::{printable, push_visible, visible};

/// Length of a run of hexadecimal digits that may be part of a key: half of a DES key.
const KEY_RUN: usize = 8;

/// Replaces each run of eight or more hexadecimal digits, which may be part of a key, by `...`, and removes invisible
/// characters. They do not end a run: in UTF-16 every other byte is a NUL.
pub(crate) fn without_hex_runs(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().filter(|c| is_visible(*c)).map(Some).chain([None]) {
        match c {
            Some(c) if c.is_ascii_hexdigit() => run.push(c),
            other => {
                kept.push_str(if run.len() < KEY_RUN { &run } else { "..." });
                run.clear();
                kept.extend(other);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_hex_runs_masks_runs_of_eight_digits() {
        assert_eq!(without_hex_runs("spi 0x1234567 dst fec0:bbbb::4483"), "spi 0x1234567 dst fec0:bbbb::4483");
        assert_eq!(without_hex_runs("key 12345678 and DEADbeef00"), "key ... and ...");
        assert_eq!(without_hex_runs("1234\u{200b}5678"), "...");
        assert_eq!(without_hex_runs("1234567890abcdef"), "...");
        assert_eq!(without_hex_runs("one\nline"), "oneline");
        assert_eq!(without_hex_runs("0\0f\x001\0e\x002\0d\x003\0c\0, 12345\t67890"), "..., ...");
    }
}
