//! The output of `ip xfrm state`: plain, with `-s`, with `-d`, with `-o`, of iproute2 4.x and later (`ip/ipxfrm.c`).
//!
//! Each line has a rule of its own. An unknown line is an error: it may be a property of the SA.

use super::command::direction;
use super::lines::{algorithm, encap, esn_counters, identity, limits, marks, offload, replay_context, window_and_flags};
use super::sa::XfrmSa;
use super::sections::{LINES, Section, unknown};
use super::values::{address, mark, next_u32};
use crate::convert::import::statements::Token;
use crate::convert::import::writer::{Cursor, Untranslatable};

/// A printed state: its lines with their numbers. The first is that of the addresses.
pub(super) struct Printed<'t> {
    pub(super) lines: Vec<(u32, &'t str)>,
}

/// Whether a line is the first one of a printed state or policy.
pub(super) fn starts_state(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| matches!(*word, "Deleted" | "Updated" | "Expired"));
    words.next() == Some("src") && words.nth(1) == Some("dst") && words.next().is_some()
}

/// Whether a line belongs to the printed state before it.
pub(super) fn continues_state(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let Some(first) = words.next() else { return false };
    let is_command = first == "ip" || line.contains(" xfrm ");
    (line.starts_with([' ', '\t']) || LINES.contains(&first)) && !is_command && !starts_state(line)
}

impl<'t> Printed<'t> {
    /// Whether it is a policy: the second line has its direction.
    pub(super) fn is_policy(&self) -> bool {
        let second = self.lines.get(1).map_or("", |line| line.1);
        let has_direction = matches!(second.split_whitespace().next(), Some("dir" | "socket"));
        has_direction || self.lines.first().is_some_and(|line| line.1.split_whitespace().any(|word| word.contains('/')))
    }

    /// Whether a line that only `-s` prints is there.
    pub(super) fn has_limits(&self) -> bool {
        self.lines.iter().any(|line| line.1.trim_start().starts_with("lifetime config"))
    }

    /// Reads the state.
    pub(super) fn read(&self, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
        let mut part = Section::Properties;
        for (_, line) in &self.lines {
            let words: Vec<Token<'t>> = tokens(line);
            read_line(&mut Cursor::new(&words), sa, &mut part)?;
        }
        Ok(())
    }
}

/// The words of a line. `flag noecnextra_flag` is printed without a blank between the two.
fn tokens(line: &str) -> Vec<Token<'_>> {
    let separate = |word| match str::find(word, "extra_flag") {
        Some(at) if at > 0 => vec![&word[..at], &word[at..]],
        _ => vec![word],
    };
    line.split_whitespace().flat_map(separate).map(|text| Token { text, quoted: false, unset: false }).collect()
}

fn read_line<'t>(words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>, part: &mut Section) -> Result<(), Untranslatable> {
    let Some(first) = words.next() else { return Ok(()) };
    match (*part, first.text) {
        (Section::Bitmap, word) if word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) => return Ok(()),
        (Section::Counts, word) if word.starts_with(|c: char| c.is_ascii_digit()) => return Ok(()),
        (Section::Counts, "add" | "replay-window") => return Ok(()),
        _ => {}
    }
    *part = Section::Properties;
    match first.text {
        "Deleted" | "Updated" | "Expired" => return read_line(words, sa, part),
        "src" => {
            sa.src = Some(address(words.value("src")?.text)?);
            words.skip(1);
            sa.dst = Some(address(words.value("dst")?.text)?);
        }
        "proto" => identity(words, sa)?,
        "replay-window" => window_and_flags(words, sa)?,
        "mark" => marks(words, sa)?,
        "output-mark" => sa.output_mark = Some(mark(words, "output-mark")?),
        kind @ ("auth" | "auth-trunc" | "aead" | "enc" | "comp") => algorithm(kind, words, sa)?,
        "encap" => encap(words, sa)?,
        "anti-replay" => replay_context(words, sa, part)?,
        "seq-hi" => esn_counters(words, sa)?,
        "replay_window" => {
            let window = next_u32(words, "replay_window")?;
            sa.window = sa.window.max(window);
            words.skip(2);
            *part = Section::Bitmap;
        }
        "crypto" => offload(words, sa)?,
        "if_id" => sa.if_id = next_u32(words, "if_id")?,
        "tfcpad" => sa.tfcpad = next_u32(words, "tfcpad")?,
        "dir" => sa.direction = Some(direction(words.value("dir")?.text)?),
        "sel" => sa.selector.read(words)?,
        "limit:" | "expire" => limits(first.text, words, sa)?,
        "lifetime" if words.peek() == Some("config:") => words.skip(1),
        // Counts and times of the live SA.
        "lifetime" | "stats:" => {
            words.skip(1);
            *part = Section::Counts;
        }
        "lastused" => words.skip(2),
        "hard" => words.skip(1),
        "security" => {
            words.skip_all();
            sa.refused.push("security context has no equivalent: the SA would serve every label".to_owned());
        }
        word => foreign(word, words, sa)?,
    }
    match words.next() {
        Some(word) => Err(unknown(word.text)),
        None => Ok(()),
    }
}

/// Lines that a keys file cannot express.
fn foreign(word: &str, words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>) -> Result<(), Untranslatable> {
    match word {
        "pcpu-num" => {
            let cpu = next_u32(words, word)?;
            sa.refused.push(format!("pcpu-num {cpu} has no equivalent: the SA would serve every processor"));
        }
        "nat-keepalive-interval" => {
            let interval = next_u32(words, word)?;
            sa.dropped.push(format!("nat-keepalive-interval {interval} has no equivalent"));
        }
        "coa" => {
            words.skip(1);
            sa.refused.push("coa (care-of address) has no equivalent".to_owned());
        }
        "tmpl" => return Err("tmpl belongs to a policy, not to an SA".to_owned()),
        _ => return Err(unknown(word)),
    }
    Ok(())
}
