//! `ip xfrm state add`, `update`, `delete` and `flush` (iproute2, `ip/xfrm_state.c`).

use super::algorithm::Algorithm;
use super::sa::{Direction, Encap, LIMITS, XfrmSa};
use super::values::{address, mark, next_u32, number};
use crate::convert::import::writer::{Cursor, Untranslatable};
use crate::names::linux::FLAGS;
use crate::redact::{Expected, cited};
use crate::sa::XfrmFlags;

/// Limits of a command, and the keywords.
const LIMIT_WORDS: &[(&str, &str)] = &[
    ("time-soft", "soft_addtime"),
    ("time-hard", "hard_addtime"),
    ("time-use-soft", "soft_usetime"),
    ("time-use-hard", "hard_usetime"),
    ("byte-soft", "soft_bytes"),
    ("byte-hard", "hard_bytes"),
    ("packet-soft", "soft_packets"),
    ("packet-hard", "hard_packets"),
];

/// Modes, in the order in which `ip` looks for an abbreviation.
const MODES: &[&str] = &["transport", "tunnel", "ro", "in_trigger", "beet"];

/// The words of `ip xfrm state add`, and of kernels and versions whose words are not in a keys file. Only they are shown.
pub(super) const WORDS: &[&str] = &[
    "src",
    "dst",
    "proto",
    "spi",
    "mode",
    "mark",
    "reqid",
    "seq",
    "replay-window",
    "replay-seq",
    "replay-seq-hi",
    "replay-oseq",
    "replay-oseq-hi",
    "flag",
    "extra-flag",
    "sel",
    "limit",
    "encap",
    "coa",
    "ctx",
    "offload",
    "output-mark",
    "if_id",
    "tfcpad",
    "dir",
    "pcpu-num",
    "nat-keepalive-interval",
    "enc",
    "auth",
    "comp",
    "aead",
    "auth-trunc",
    "mask",
    "dev",
    "crypto",
    "packet",
    "sport",
    "dport",
    "type",
    "code",
    "key",
    "nokeys",
    "min",
    "max",
];

/// Reads the words of a command that adds an SA.
pub(super) fn read<'t>(words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
    while let Some(word) = words.next() {
        read_word(word.text, words, sa)?;
    }
    Ok(())
}

fn read_word<'t>(word: &'t str, words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
    match word {
        "src" => sa.src = Some(address(words.value(word)?.text)?),
        "dst" => sa.dst = Some(address(words.value(word)?.text)?),
        "proto" => sa.proto = Some(words.value(word)?.text),
        "spi" => sa.spi = Some(next_u32(words, word)?),
        "mode" => sa.mode = mode(words.value(word)?.text)?,
        "reqid" => sa.reqid = next_u32(words, word)?,
        // `ip` does not send a mark with an empty mask.
        "mark" => sa.mark = Some(mark(words, word)?).filter(|mark| mark.mask != 0),
        "output-mark" => sa.output_mark = Some(mark(words, word)?).filter(|mark| mark.value != 0),
        "if_id" => sa.if_id = next_u32(words, word)?,
        "tfcpad" => sa.tfcpad = next_u32(words, word)?,
        "replay-window" => sa.window = next_u32(words, word)?,
        "replay-seq" => sa.seq = low(sa.seq, next_u32(words, word)?),
        "replay-oseq" => sa.oseq = low(sa.oseq, next_u32(words, word)?),
        "replay-seq-hi" => sa.seq = high(sa.seq, next_u32(words, word)?),
        "replay-oseq-hi" => sa.oseq = high(sa.oseq, next_u32(words, word)?),
        "flag" => flags(words, sa, FlagSet::State)?,
        "extra-flag" => flags(words, sa, FlagSet::Extra)?,
        "dir" => sa.direction = Some(direction(words.value(word)?.text)?),
        "offload" => offload(words, sa)?,
        "encap" => encap(words, sa)?,
        "sel" => sa.selector.read(words)?,
        "limit" => limit(words, sa)?,
        "enc" | "auth" | "auth-trunc" | "aead" | "comp" => algorithm(word, words, sa)?,
        _ => foreign(word, words, sa)?,
    }
    Ok(())
}

/// Words that a keys file cannot express.
fn foreign(word: &str, words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>) -> Result<(), Untranslatable> {
    match word {
        "seq" => {
            let seq = next_u32(words, word)?;
            if seq != 0 {
                sa.dropped.push(format!("seq {seq:#x} (the number of an acquire) has no equivalent"));
            }
        }
        "nat-keepalive-interval" => {
            let interval = next_u32(words, word)?;
            sa.dropped.push(format!("nat-keepalive-interval {interval} has no equivalent"));
        }
        "pcpu-num" => {
            let cpu = next_u32(words, word)?;
            sa.refused.push(format!("pcpu-num {cpu} has no equivalent: the SA would serve every processor"));
        }
        "coa" => {
            words.skip(1);
            sa.refused.push("coa (care-of address) has no equivalent".to_owned());
        }
        "ctx" => {
            words.skip(1);
            sa.refused.push("ctx (security context) has no equivalent".to_owned());
        }
        _ => return Err(format!("unknown word {} for `ip xfrm state`", cited(word, Expected::OneOf(WORDS)))),
    }
    Ok(())
}

fn low(number: u64, low: u32) -> u64 {
    number & !u64::from(u32::MAX) | u64::from(low)
}

fn high(number: u64, high: u32) -> u64 {
    number & u64::from(u32::MAX) | u64::from(high) << 32
}

/// A mode or an abbreviation of one.
pub(super) fn mode(word: &str) -> Result<&'static str, Untranslatable> {
    let found = MODES.iter().find(|mode| !word.is_empty() && mode.starts_with(word)).copied();
    match found {
        Some(mode @ ("ro" | "in_trigger")) => Err(format!("mode {mode} (Mobile IPv6) has no equivalent in a keys file")),
        Some(mode) => Ok(mode),
        // XFRM_MODE_IPTFS, which `ip` prints as its number.
        None if matches!(word, "5" | "iptfs") => Err("mode iptfs has no equivalent in a keys file".to_owned()),
        None => Err(format!("unknown mode {}", cited(word, Expected::Number))),
    }
}

/// The two sets of flags of an SA.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FlagSet {
    State,
    Extra,
}

impl FlagSet {
    /// The bits of [`XfrmFlags`] for `bits` of the kernel.
    pub(super) fn of_bits(self, bits: u32) -> Result<XfrmFlags, Untranslatable> {
        let flags = XfrmFlags(if self == Self::State { bits } else { bits << 8 });
        let known = FLAGS.iter().fold(0, |known, row| known | row.0.0);
        if flags.0 & !known == 0 { Ok(flags) } else { Err(format!("flags {bits:#x} have no equivalent in a keys file")) }
    }
}

/// `flag` and `extra-flag`: words of flags, or their bits in hexadecimal digits.
pub(super) fn flags(words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>, set: FlagSet) -> Result<(), Untranslatable> {
    let mut found = false;
    while let Some(word) = words.peek() {
        let flag = FLAGS.iter().find(|row| row.1 == word);
        // Bits are hexadecimal in output, without 0x.
        let bits = || word.strip_prefix("0x").filter(|_| word.len() > 2);
        let flag = match (flag, bits()) {
            (Some((flag, _)), _) => *flag,
            (None, Some(digits)) if !found => set.of_bits(number(&format!("0x{digits}"), 0x00ff_ffff, "flag")? as u32)?,
            _ => break,
        };
        sa.flags |= flag;
        found = true;
        words.skip(1);
    }
    if found {
        Ok(())
    } else {
        Err(format!("unknown flag {}", cited(words.peek().unwrap_or_default(), Expected::OneOf(WORDS))))
    }
}

/// `in` or `out`.
pub(super) fn direction(word: &str) -> Result<Direction, Untranslatable> {
    match word {
        "in" => Ok(Direction::In),
        "out" => Ok(Direction::Out),
        _ => Err(format!("dir is neither in nor out: {}", cited(word, Expected::Number))),
    }
}

/// `[crypto | packet] dev DEV dir DIR`. In iproute2 `dir` is also the direction of the SA.
fn offload<'t>(words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
    let is_packet = words.peek() == Some("packet");
    if matches!(words.peek(), Some("crypto" | "packet")) {
        words.skip(1);
    }
    let (dev, device, dir) = (words.value("offload")?, words.value("offload")?, words.value("offload")?);
    if (dev.text, dir.text) != ("dev", "dir") {
        return Err("offload is not followed by dev DEVICE dir DIRECTION".to_owned());
    }
    sa.offload = Some((device.text, is_packet));
    sa.direction = Some(direction(words.value("offload")?.text)?);
    Ok(())
}

/// `TYPE SPORT DPORT OADDR`.
fn encap<'t>(words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
    let kind = words.value("encap")?.text;
    let sport = number(words.value("the source port of encap")?.text, 0xffff, "encap")? as u16;
    let dport = number(words.value("the destination port of encap")?.text, 0xffff, "encap")? as u16;
    let original = address(words.value("the original address of encap")?.text)?;
    set_encap(sa, Encap { kind, sport, dport, original });
    Ok(())
}

/// Sets UDP encapsulation, the only one that a keys file has.
pub(super) fn set_encap<'t>(sa: &mut XfrmSa<'t>, encap: Encap<'t>) {
    if encap.kind != "espinudp" {
        let kind = cited(encap.kind, Expected::OneOf(&["espinudp-nonike", "espintcp"]));
        sa.refused.push(format!("encap {kind} has no equivalent: a keys file has espinudp only"));
    } else if encap.sport == 0 || encap.dport == 0 {
        sa.refused.push("encap with port 0 has no equivalent: a keys file has 4500 instead".to_owned());
    }
    sa.encap = Some(encap);
}

fn limit(words: &mut Cursor<'_, '_>, sa: &mut XfrmSa<'_>) -> Result<(), Untranslatable> {
    let word = words.value("limit")?.text;
    let (word, keyword) = LIMIT_WORDS.iter().find(|row| row.0 == word).ok_or("unknown limit")?;
    let value = number(words.value(word)?.text, u64::MAX, word)?;
    set_limit(sa, keyword, value);
    Ok(())
}

/// Sets a limit. The greatest number of bytes or packets stands for none (`XFRM_INF`).
pub(super) fn set_limit(sa: &mut XfrmSa<'_>, keyword: &str, value: u64) {
    let counts = !keyword.ends_with("time");
    if counts && value == 0 {
        sa.refused.push(format!("a limit of 0 ({keyword}) has no equivalent: in a keys file 0 is no limit"));
    }
    if let Some(at) = LIMITS.iter().position(|word| *word == keyword) {
        sa.limits[at] = if counts && value == u64::MAX { 0 } else { value };
    }
}

fn algorithm<'t>(kind: &'t str, words: &mut Cursor<'_, 't>, sa: &mut XfrmSa<'t>) -> Result<(), Untranslatable> {
    let name = words.value(kind)?.text;
    let key = if kind == "comp" { None } else { Some(words.value("the algorithm")?) };
    let has_icv = matches!(kind, "auth-trunc" | "aead");
    let icv_bits = if has_icv { Some(next_u32(words, "the length of the ICV")?) } else { None };
    sa.algorithms.add(Algorithm { kind, name, key, icv_bits })
}
