//! Macros of ipsec.conf(5), MACROS: `NAME = "value"`, then `$NAME`.

use crate::secret::{Buffer, Full};

/// A text with its macros expanded: each line is where it was, and that of a definition is empty.
pub(super) struct Expanded {
    pub(super) text: Buffer,
    /// Names without a definition, with their lines; empty for one within a word.
    pub(super) unknown: Vec<(u32, String)>,
}

/// The most bytes of an expanded text: macros of more than 4 times the size of the file are no configuration of SAs.
fn capacity(text: &str) -> usize {
    4 * text.len() + 4096
}

/// Expands the macros of `text`.
///
/// # Errors
/// The text becomes too long.
pub(super) fn expand(text: &str) -> Result<Expanded, Full> {
    let mut expanded = Expanded { text: Buffer::with_capacity(capacity(text)), unknown: Vec::new() };
    let mut macros: Vec<(&str, Buffer)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match definition(line) {
            // A macro may use those before it.
            Some((name, value)) => {
                let mut expansion = Expanded { text: Buffer::with_capacity(capacity(text)), unknown: Vec::new() };
                expand_line(value, number, &macros, &mut expansion)?;
                expanded.unknown.append(&mut expansion.unknown);
                macros.push((name, Buffer::from_slice(&expansion.text)));
            }
            None => expand_line(line, number, &macros, &mut expanded)?,
        }
        expanded.text.append(b"\n")?;
    }
    Ok(expanded)
}

fn expand_line(line: &str, number: u32, macros: &[(&str, Buffer)], into: &mut Expanded) -> Result<(), Full> {
    let mut rest = line;
    while let Some(at) = rest.find('$').filter(|at| !rest[..*at].trim_start().starts_with('#')) {
        into.text.append(&rest.as_bytes()[..at])?;
        let after = &rest[at + 1..];
        let len = after.bytes().take_while(|byte| is_word(*byte)).count();
        match macros.iter().rev().find(|found| found.0 == &after[..len]) {
            Some((_, value)) => into.text.append(value)?,
            None => {
                // Elsewhere the dollar sign may be a character of a key.
                let starts_word = rest[..at].ends_with([' ', '\t', '"']);
                into.unknown.push((number, if starts_word { after[..len].to_owned() } else { String::new() }));
                into.text.append(&rest.as_bytes()[at..=at + len])?;
            }
        }
        rest = &after[len..];
    }
    into.text.append(rest.as_bytes())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The name and the value of a definition.
fn definition(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let is_name = !name.is_empty() && name.bytes().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit());
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    is_name.then_some((name, value))
}
