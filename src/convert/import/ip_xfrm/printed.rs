//! The output of `ip xfrm state`: plain, with `-s`, with `-d`, with `-o`, of iproute2 4.x and later (`ip/ipxfrm.c`).
//!
//! Each line has a rule of its own. An unknown line is an error: it may be a property of the SA.

use super::algorithm::Algorithm;
use super::command::{FlagSet, direction, mode, set_encap, set_limit};
use super::sa::{Encap, XfrmSa};
use super::values::{address, mark, next_u32, number};
use crate::convert::import::statements::Token;
use crate::convert::import::writer::{Cursor, Untranslatable};
use crate::names::linux::FLAGS;
use crate::redact::{Expected, cited};

/// A printed state: its lines with their numbers. The first is that of the addresses.
pub(super) struct Printed<'t> {
    pub(super) lines: Vec<(u32, &'t str)>,
}

/// First words of the lines after the addresses, besides counts and words of a bitmap.
pub(super) const LINES: &[&str] = &[
    "proto",
    "replay-window",
    "mark",
    "output-mark",
    "auth",
    "auth-trunc",
    "aead",
    "enc",
    "comp",
    "encap",
    "coa",
    "lastused",
    "anti-replay",
    "seq-hi",
    "replay_window",
    "crypto",
    "if_id",
    "tfcpad",
    "dir",
    "pcpu-num",
    "nat-keepalive-interval",
    "sel",
    "lifetime",
    "limit:",
    "expire",
    "add",
    "stats:",
    "security",
    "tmpl",
    "hard",
];

/// The part of the output that a line belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Properties,
    /// Words of the anti-replay bitmap.
    Bitmap,
    /// Counts and times, which a new SA does not have.
    Counts,
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
        let mut part = Part::Properties;
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

fn read_line<'t>(words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>, part: &mut Part) -> Result<(), Untranslatable> {
    let Some(first) = words.next() else { return Ok(()) };
    match (*part, first.text) {
        (Part::Bitmap, word) if word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) => return Ok(()),
        (Part::Counts, word) if word.starts_with(|c: char| c.is_ascii_digit()) => return Ok(()),
        (Part::Counts, "add" | "replay-window") => return Ok(()),
        _ => {}
    }
    *part = Part::Properties;
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
            *part = Part::Bitmap;
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
            *part = Part::Counts;
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

fn unknown(word: &str) -> String {
    format!("unknown word {} in the output of `ip xfrm state`", cited(word, Expected::OneOf(LINES)))
}

/// `proto esp spi 0x00001001(4097) reqid 1(0x00000001) mode tunnel`.
fn identity<'t>(words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
    sa.proto = Some(words.value("proto")?.text);
    while let Some(word) = words.next() {
        match word.text {
            "spi" => sa.spi = Some(next_u32(words, "spi")?),
            "reqid" => sa.reqid = next_u32(words, "reqid")?,
            "mode" => match mode(words.value("mode")?.text) {
                Ok(mode) => sa.mode = mode,
                Err(reason) => sa.refused.push(reason),
            },
            word => return Err(unknown(word)),
        }
    }
    Ok(())
}

/// `replay-window 0 seq 0x00000000 flag esn extra_flag oseq-may-wrap (0x10000000)`.
fn window_and_flags(words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>) -> Result<(), Untranslatable> {
    sa.window = sa.window.max(next_u32(words, "replay-window")?);
    let mut set = FlagSet::State;
    while let Some(word) = words.next() {
        match word.text {
            "seq" => {
                // The number is decimal behind 0x, of a value in network byte order.
                let seq = words.value("seq")?.text;
                if !seq.trim_start_matches("0x").trim_matches('0').is_empty() {
                    sa.dropped.push("seq (the number of an acquire) has no equivalent".to_owned());
                }
            }
            "flag" => set = FlagSet::State,
            "extra_flag" => set = FlagSet::Extra,
            // All flags again, in binary digits.
            word if word.starts_with("(0x") => {}
            word => sa.flags |= printed_flag(word, set)?,
        }
    }
    Ok(())
}

/// A flag, or the bits of those that this version of `ip` does not know, in hexadecimal digits.
fn printed_flag(word: &str, set: FlagSet) -> Result<crate::sa::XfrmFlags, Untranslatable> {
    if let Some((flag, _)) = FLAGS.iter().find(|row| row.1 == word) {
        return Ok(*flag);
    }
    match u32::from_str_radix(word, 16) {
        Ok(bits) if word.len() <= 4 => set.of_bits(bits),
        _ => Err(unknown(word)),
    }
}

/// `mark 0x1/0xff output-mark 0x2/0xffffffff`.
fn marks(words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>) -> Result<(), Untranslatable> {
    sa.mark = Some(mark(words, "mark")?);
    if words.peek() == Some("output-mark") {
        words.skip(1);
        sa.output_mark = Some(mark(words, "output-mark")?);
    }
    Ok(())
}

/// `auth-trunc hmac(sha1) 0x... (160 bits) 96`: the key may be empty, and the bits are there with `-s` only.
fn algorithm<'t>(kind: &'t str, words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
    let name = words.value(kind)?.text;
    let has_icv = matches!(kind, "auth-trunc" | "aead");
    // A length without a key before it is the only word that is left.
    let is_key = |word: &str| !(word.starts_with('(') || has_icv && word.parse::<u32>().is_ok());
    let key = if words.peek().is_some_and(is_key) { words.next() } else { None };
    if key.is_some_and(|key| key.text.starts_with("<<")) {
        words.skip(1);
    }
    if words.peek().is_some_and(|word| word.starts_with('(')) {
        words.skip(2);
    }
    let icv_bits = if has_icv && words.peek().is_some() { Some(next_u32(words, "the length of the ICV")?) } else { None };
    sa.algorithms.add(Algorithm { kind, name, key, icv_bits })
}

/// `type espinudp sport N dport N addr A`.
fn encap<'t>(words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
    let mut value = |of: &str| {
        let word = words.value("encap")?;
        if word.text == of { words.value(of) } else { Err(unknown(word.text)) }
    };
    let kind = value("type")?.text;
    let sport = number(value("sport")?.text, 0xffff, "sport")? as u16;
    let dport = number(value("dport")?.text, 0xffff, "dport")? as u16;
    let original = address(value("addr")?.text)?;
    set_encap(sa, Encap { kind, sport, dport, original });
    Ok(())
}

/// `context: seq 0x0, oseq 0x0, bitmap 0x00000000`, or `esn context:` with the counters on the next lines.
fn replay_context(words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>, part: &mut Part) -> Result<(), Untranslatable> {
    *part = Part::Bitmap;
    if words.peek() == Some("esn") {
        words.skip(2);
        return Ok(());
    }
    words.skip(1);
    while let Some(word) = words.next() {
        let value = u64::from(next_u32(words, "anti-replay context")?);
        match word.text {
            "seq" => sa.seq = value,
            "oseq" => sa.oseq = value,
            // Follows from the sequence number.
            "bitmap" => {}
            word => return Err(unknown(word)),
        }
    }
    Ok(())
}

/// `seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x0`.
fn esn_counters(words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>) -> Result<(), Untranslatable> {
    sa.seq = u64::from(next_u32(words, "seq-hi")?) << 32;
    while let Some(word) = words.next() {
        let value = u64::from(next_u32(words, "anti-replay esn context")?);
        match word.text {
            "seq" => sa.seq |= value,
            "oseq-hi" => sa.oseq = value << 32,
            "oseq" => sa.oseq |= value,
            word => return Err(unknown(word)),
        }
    }
    Ok(())
}

/// `offload parameters: dev eth0 dir out mode packet`; the mode is printed by iproute2 6.2 and later.
fn offload<'t>(words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
    words.skip(2);
    while let Some(word) = words.next() {
        let value = words.value(word.text)?.text;
        match (word.text, value) {
            ("dev", device) => sa.offload = Some((device, false)),
            ("dir", dir) => sa.direction = Some(sa.direction.unwrap_or(direction(dir)?)),
            ("mode", mode) => sa.offload = sa.offload.map(|offload| (offload.0, mode == "packet")),
            (word, _) => return Err(unknown(word)),
        }
    }
    Ok(())
}

/// `limit: soft 5(bytes), hard (INF)(bytes)`, `expire add: soft 0(sec), hard 3600(sec)`.
fn limits(first: &str, words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>) -> Result<(), Untranslatable> {
    let time = if first == "expire" { Some(words.value("expire")?.text) } else { None };
    while let Some(word) = words.next() {
        let value = words.value("limit")?.text.trim_end_matches(',');
        let unit = match time {
            Some("add:") => "addtime",
            Some("use:") => "usetime",
            Some(word) => return Err(unknown(word)),
            None if value.ends_with("(bytes)") => "bytes",
            None if value.ends_with("(packets)") => "packets",
            None => return Err(unknown(value)),
        };
        if !matches!(word.text, "soft" | "hard") {
            return Err(unknown(word.text));
        }
        if value.starts_with("(INF)") {
            continue;
        }
        set_limit(sa, &format!("{}_{unit}", word.text), number(value, u64::MAX, "limit")?);
    }
    Ok(())
}
