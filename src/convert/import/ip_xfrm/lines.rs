//! The lines of a printed state, word by word.

use super::algorithm::Algorithm;
use super::command::{FlagSet, direction, mode, set_encap, set_limit};
use super::sa::{Encap, XfrmSa};
use super::sections::{Section, unknown};
use super::values::{address, mark, next_u32, number};
use crate::convert::import::writer::{Cursor, Untranslatable};
use crate::names::linux::FLAGS;
use crate::sa::XfrmFlags;

/// `proto esp spi 0x00001001(4097) reqid 1(0x00000001) mode tunnel`.
pub(super) fn identity<'t>(words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
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
pub(super) fn window_and_flags(words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>) -> Result<(), Untranslatable> {
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
pub(super) fn printed_flag(word: &str, set: FlagSet) -> Result<XfrmFlags, Untranslatable> {
    if let Some((flag, _)) = FLAGS.iter().find(|row| row.1 == word) {
        return Ok(*flag);
    }
    match u32::from_str_radix(word, 16) {
        Ok(bits) if word.len() <= 4 => set.of_bits(bits),
        _ => Err(unknown(word)),
    }
}

/// `mark 0x1/0xff output-mark 0x2/0xffffffff`.
pub(super) fn marks(words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>) -> Result<(), Untranslatable> {
    sa.mark = Some(mark(words, "mark")?);
    if words.peek() == Some("output-mark") {
        words.skip(1);
        sa.output_mark = Some(mark(words, "output-mark")?);
    }
    Ok(())
}

/// `auth-trunc hmac(sha1) 0x... (160 bits) 96`: the key may be empty, and the bits are there with `-s` only.
pub(super) fn algorithm<'t>(kind: &'t str, words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
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
pub(super) fn encap<'t>(words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
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
pub(super) fn replay_context(
    words: &mut Cursor<'_, '_>,
    sa: &mut XfrmSa<'_>,
    part: &mut Section,
) -> Result<(), Untranslatable> {
    *part = Section::Bitmap;
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
pub(super) fn esn_counters(words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>) -> Result<(), Untranslatable> {
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
pub(super) fn offload<'t>(words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
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
pub(super) fn limits(first: &str, words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>) -> Result<(), Untranslatable> {
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
