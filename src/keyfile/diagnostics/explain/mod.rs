//! `ipseckey explain`: each code with its reason, an example, and the example corrected.

mod table;
#[cfg(test)]
mod tests;

use std::fmt::{self, Write};

use crate::keyfile::diagnostics::Code;
use table::TABLE;

/// The explanation of a code.
pub(crate) struct Explanation {
    /// Its title is the headline.
    pub(crate) code: Code,
    /// Why it matters and what to do.
    pub(crate) text: &'static str,
    /// Commands that cause the problem. `KEY32` is a placeholder for a key of 32 digits.
    wrong: &'static str,
    /// The same commands without the problem; empty if no other command does the same.
    right: &'static str,
}

/// Every explanation, by number.
#[must_use]
pub(crate) fn explanations() -> &'static [Explanation] {
    TABLE
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}\n", self.code, self.code.title())?;
        paragraph(f, self.text)?;
        for (heading, commands) in [("Example", self.wrong), ("Corrected", self.right)] {
            if !commands.is_empty() {
                writeln!(f, "\n{heading}:\n")?;
                commands.lines().try_for_each(|line| writeln!(f, "    {}", with_keys(line, placeholder)))?;
            }
        }
        Ok(())
    }
}

/// Columns of the text: it fits a terminal of 80.
const WIDTH: usize = 80;

/// Wraps `text` at [`WIDTH`] columns.
fn paragraph(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut column = 0;
    for word in text.split_whitespace() {
        if column > 0 && column + 1 + word.len() > WIDTH {
            f.write_char('\n')?;
            column = 0;
        } else if column > 0 {
            f.write_char(' ')?;
            column += 1;
        }
        f.write_str(word)?;
        column += word.len();
    }
    f.write_char('\n')
}

/// Replaces each `KEY` and its number of digits by `key(number)`.
fn with_keys(line: &str, key: fn(usize) -> String) -> String {
    let mut parts = line.split("KEY");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (digits, rest) = part.split_at(end);
        text.push_str(&key(digits.parse().unwrap_or_default()));
        text.push_str(rest);
    }
    text
}

fn placeholder(digits: usize) -> String {
    format!("<{digits} digits>")
}
